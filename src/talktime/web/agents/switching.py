"""Whether an agent answers: switched on and off, put away and brought back; each can be undone at once.

The rule: what is asked for twice is done once, and calls that go on go on.
"""

import uuid
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import RedirectResponse

from talktime.agents import life, reading
from talktime.agents.life import TooManyAgents
from talktime.calls import corrections
from talktime.errors import Conflict
from talktime.http.context import context_of
from talktime.web.agents.parts import FIRST, PARTS
from talktime.web.forms import read_form
from talktime.web.routing import PageRoute
from talktime.web.sheet import back
from talktime.web.who import signed_in

TurnNumber = Annotated[int, Path(ge=0, le=10**6)]

router = APIRouter(route_class=PageRoute)


class NoRoom(Conflict):
    """You have as many agents as you may have: archive one of them first."""


@router.post("/agents/{agent_id}/switch")
async def switch(request: Request, agent_id: uuid.UUID) -> Response:
    """Have it answer, or stop that."""
    form, identity = await read_form(request), await signed_in(request)
    active = form.text("to") == "on"
    async with context_of(request).database.transaction(user=identity.user_id) as db:
        await life.change(db, identity.user_id, agent_id, active=active, actor=identity.acts_as)
    return back(f"/agents/{agent_id}", "on" if active else "off")


@router.post("/agents/{agent_id}/archive")
async def archive(request: Request, agent_id: uuid.UUID) -> Response:
    """Put it away; the list says so, and how it was before, for who wants it back at once."""
    identity = await signed_in(request)
    async with context_of(request).database.transaction(user=identity.user_id) as db:
        was = "on" if (await reading.agent_of(db, identity.user_id, agent_id)).active else "off"
        await life.archive(db, identity.user_id, agent_id, actor=identity.acts_as)
    return back(f"/agents?agent={agent_id}&was={was}", "archived")


@router.post("/agents/{agent_id}/restore")
async def restore(request: Request, agent_id: uuid.UUID) -> Response:
    """Bring it back, switched off; or as it was, when it had just been put away by mistake."""
    form, identity, context = await read_form(request), await signed_in(request), context_of(request)
    active = form.text("to") == "on"
    try:
        async with context.database.transaction(user=identity.user_id) as db:
            most = context.settings.agents_max
            await life.restore(db, identity.user_id, agent_id, agents_max=most, actor=identity.acts_as)
            if active:
                await life.change(db, identity.user_id, agent_id, active=True, actor=identity.acts_as)
    except TooManyAgents:
        raise NoRoom from None
    return back(f"/agents/{agent_id}", "on" if active else "restored")


@router.post("/agents/{agent_id}/corrections/{call}/{turn}")
async def settle(request: Request, agent_id: uuid.UUID, call: uuid.UUID, turn: TurnNumber) -> Response:
    """Somebody dealt with an answer that was said to be wrong."""
    form, identity = await read_form(request), await signed_in(request)
    async with context_of(request).database.transaction(user=identity.user_id) as db:
        await corrections.settle(db, identity.user_id, call, turn)
    part = form.text("part")
    return RedirectResponse(f"/agents/{agent_id}/{part if part in PARTS else FIRST}?done=settled", 303)
