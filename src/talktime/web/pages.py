"""The pages of a customer: the calls, one call, and the fragments that keep both up to date.

The one rule: whose page it is comes from the session alone. Calls, credit and agents are read in that user's own
transaction, so that the database itself shows nobody else's; a call of somebody else is as good as none.
"""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request, Response

from talktime.accounts.sessions import Identity
from talktime.agents.reading import agents_of
from talktime.calls import history, watching
from talktime.calls.receipt import claim_of
from talktime.credits.account import funds_of
from talktime.http.context import Context, context_of
from talktime.numbers.assigned import numbers_of
from talktime.numbers.models import PhoneNumber
from talktime.web import words
from talktime.web.door import door_page
from talktime.web.frame import frame
from talktime.web.receipts import claim_view
from talktime.web.render import page
from talktime.web.routing import PageRoute
from talktime.web.views import AgentView, agent_view, call_view, reply_time
from talktime.web.who import signed_in, who_asks
from talktime.web.words import Clock

CALLS_PER_PAGE = 20
_NUMBERS_WHY = "a number's owner is looked up in the pool, which is nobody's own"

router = APIRouter(route_class=PageRoute)


@router.get("/")
async def overview(request: Request, before: uuid.UUID | None = None) -> Response:
    """The newest calls, live ones first; for somebody who is not signed in, what this is and how to get in."""
    identity = await who_asks(request)
    if identity is None:
        return door_page(request, "start.html")
    values = await _overview(context_of(request), identity, before)
    return page("overview.html", **values)


@router.get("/live")
async def overview_since(request: Request, version: str = "") -> Response:
    """What the list is now, if it is another than the browser has."""
    identity = await who_asks(request)
    if identity is None:
        return _come_back()
    context = context_of(request)
    if await _version(context, identity, None) == version:
        return Response(status_code=204)
    return page("overview_live.html", **await _overview(context, identity, None))


@router.get("/calls/{call}")
async def one_call(request: Request, call: uuid.UUID) -> Response:
    """One call on a page of its own."""
    identity = await signed_in(request)
    return page("call.html", **await _one_call(context_of(request), identity, call))


@router.get("/calls/{call}/live")
async def one_call_since(request: Request, call: uuid.UUID, version: str = "") -> Response:
    """What the call is now, if it is another than the browser has."""
    identity = await who_asks(request)
    if identity is None:
        return _come_back()
    context = context_of(request)
    if await _version(context, identity, call) == version:
        return Response(status_code=204)
    return page("call_live.html", **await _one_call(context, identity, call))


async def _overview(context: Context, identity: Identity, before: uuid.UUID | None) -> dict[str, Any]:
    numbers = await _numbers(context, identity)
    clock = Clock(datetime.now(UTC), identity.zone)
    async with context.database.transaction(user=identity.user_id, snapshot=True) as db:
        funds = await funds_of(db, identity.user_id)
        agents = [agent_view(agent, numbers, clock.now) for agent in await agents_of(db, identity.user_id)]
        shelf = await watching.shelf(db, identity.user_id, before=before, limit=CALLS_PER_PAGE)
        version = _stamp(await watching.version(db, identity.user_id, limit=CALLS_PER_PAGE), clock)
    return {
        **frame(identity, funds, shelf.live, clock, "calls"),
        "greeting": words.greeting(clock.local(clock.now)),
        "sentence": words.people(len(shelf.live)),
        "agents": agents,
        "ring": _ring_first(agents),
        "calls": [call_view(record, clock) for record in shelf.records],
        "reply_time": reply_time(shelf.records),
        "older": shelf.older,
        "is_first": before is None,
        "watch": "/live",
        "version": version,
    }


async def _one_call(context: Context, identity: Identity, call: uuid.UUID) -> dict[str, Any]:
    clock = Clock(datetime.now(UTC), identity.zone)
    async with context.database.transaction(user=identity.user_id, snapshot=True) as db:
        record = await history.one(db, identity.user_id, call)
        funds = await funds_of(db, identity.user_id)
        claim = await claim_of(db, identity.user_id, call)
        live = await watching.running(db, identity.user_id)
        version = _stamp(await watching.version(db, identity.user_id, call=call), clock)
    return {
        **frame(identity, funds, live, clock, "calls"),
        "call": call_view(record, clock),
        "claim": claim_view(record, claim),
        "watch": f"/calls/{call}/live",
        "version": version,
    }


def _ring_first(agents: Sequence[AgentView]) -> AgentView | None:
    """The agent to try: the first that has a number."""
    return next((agent for agent in agents if agent.numbers), None)


async def _numbers(context: Context, identity: Identity) -> Sequence[PhoneNumber]:
    async with context.database.transaction(everyone=_NUMBERS_WHY) as db:
        return await numbers_of(db, identity.user_id)


async def _version(context: Context, identity: Identity, call: uuid.UUID | None) -> str:
    async with context.database.transaction(user=identity.user_id) as db:
        found = await watching.version(db, identity.user_id, call=call, limit=CALLS_PER_PAGE)
    return _stamp(found, Clock(datetime.now(UTC), identity.zone))


def _stamp(version: str, clock: Clock) -> str:
    """With the minute in it: "open until six" and "yesterday" change by themselves."""
    return f"{version}-{int(clock.now.timestamp()) // 60}"


def _come_back() -> Response:
    """The session has ended while the page was open: load it anew, which shows how to get in."""
    return Response(status_code=204, headers={"hx-refresh": "true"})
