"""Calling one's own agent from the browser: the page with the panel, and what the panel's script asks for.

The one rule: whose agent it is, and who pays, comes from the session alone; and nobody calls in somebody else's place.
The call itself is carried by `hooks/browser.py`.
"""

import uuid
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from talktime.accounts.sessions import Identity
from talktime.agents import reading
from talktime.calls import browser
from talktime.calls.browser import LimitReached, NoCredit
from talktime.carriers.browser import NAME, start
from talktime.errors import TalktimeError
from talktime.http.context import Context, context_of
from talktime.http.media_token import media_parameters
from talktime.http.security import WITH_MICROPHONE
from talktime.numbers.assigned import numbers_of
from talktime.web import words
from talktime.web.door import said_of, told
from talktime.web.forms import read_form
from talktime.web.language import _
from talktime.web.routing import PageRoute
from talktime.web.sheet import sheet
from talktime.web.who import NotYourself, signed_in

_NUMBERS_WHY = "which numbers an agent has stands in the pool, which is nobody's own"

router = APIRouter(prefix="/agents/{agent}", route_class=PageRoute)


class NotNow(TalktimeError):
    """The server is just being restarted. Try again in a minute."""

    status = 503


@router.get("/talk")
async def talk(request: Request, agent: uuid.UUID, draft: bool = False) -> Response:
    """The page on which one calls an agent; with `draft` as it will be."""
    identity = await signed_in(request)
    context = context_of(request)
    async with context.database.transaction(user=identity.user_id, snapshot=True) as db:
        paper = await sheet(request, db, identity, "agents")
        found = await reading.agent_of(db, identity.user_id, agent)
    return paper.page(
        "talk_page.html",
        headers=WITH_MICROPHONE,
        agent=found,
        draft=draft or found.published_version is None,
        numbers=await _numbers(context, identity, agent),
    )


@router.post("/call")
async def call(request: Request, agent: uuid.UUID) -> Response:
    """Begin a call, for our own script: what it opens the line with, or why there is none and what to do about it."""
    form, identity = await read_form(request), await signed_in(request)
    context = context_of(request)
    user = identity.user_id
    if "application/json" not in request.headers.get("accept", ""):
        # Sent without our script: that page says what to do instead.
        async with context.database.transaction(user=user) as db:
            await reading.agent_of(db, user, agent)
        return RedirectResponse(f"/agents/{agent}/talk", 303)
    try:
        if identity.actor_id is not None:
            raise NotYourself
        if not context.taking_calls:
            raise NotNow
        async with context.database.transaction(everyone=browser.WHY) as db:
            begun = await browser.begin(db, user, agent, draft=form.is_ticked("draft"))
    except TalktimeError as error:
        return JSONResponse(_refused(error), error.status, headers=told(error))
    context.socket_promised(begun.carrier_call_id)
    signed = media_parameters(context.settings.secret, NAME, begun.carrier_call_id, user, begun.call_id)
    return JSONResponse(
        {
            "call": f"/calls/{begun.call_id}",
            "line": f"/hooks/{NAME}/media",
            "start": start(begun.carrier_call_id, signed),
        }
    )


def _refused(error: TalktimeError) -> dict[str, Any]:
    """Why there is no call, and where to go for it."""
    if isinstance(error, NoCredit):
        leads = {"address": "/credits", "text": _("Buy credits")}
    elif isinstance(error, LimitReached):
        leads = {"address": "/credits", "text": _("Change your limits")}
    else:
        return {"problem": said_of(error)}
    return {"problem": said_of(error), "leads": leads}


async def _numbers(context: Context, identity: Identity, agent: uuid.UUID) -> list[str]:
    """The numbers that this agent answers, for who cannot call from the browser."""
    async with context.database.transaction(everyone=_NUMBERS_WHY) as db:
        numbers = await numbers_of(db, identity.user_id)
    return [words.number(number.number) for number in numbers if number.agent_id == agent]
