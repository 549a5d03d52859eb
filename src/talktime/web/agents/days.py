"""The days that go otherwise than their weekday: holidays, and open Sundays. Each is written and taken out by itself.

The rule: two people who write different days at once both keep theirs.
"""

import uuid
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from fastapi import APIRouter, Request, Response

from talktime.accounts.sessions import Identity
from talktime.agents import drafts
from talktime.agents.problems import UnfitAgent
from talktime.errors import BadInput
from talktime.http.context import context_of
from talktime.web.agents import editor, hours_form, words
from talktime.web.agents.parts import PARTS
from talktime.web.agents.routing import LongFormRoute
from talktime.web.forms import read_form
from talktime.web.language import _
from talktime.web.sheet import back
from talktime.web.who import signed_in

_PART = PARTS["hours"]


class NoWeek(BadInput):
    """First say when you are open in the week, and save that."""


router = APIRouter(route_class=LongFormRoute)


@router.post("/agents/{agent_id}/hours/days")
async def add(request: Request, agent_id: uuid.UUID) -> Response:
    """Write a day; one that is there already is written anew."""
    form, identity = await read_form(request), await signed_in(request)
    read = hours_form.read_special(form)
    if read is None:
        return await editor.shown(request, identity, agent_id, _PART, form=form)
    day, spans = read
    try:
        await _saved(request, identity, agent_id, day, spans)
    except (UnfitAgent, NoWeek) as error:
        form.errors["day"] = words.errors(error)[0][1] if isinstance(error, UnfitAgent) else _(str(error))
        return await editor.shown(request, identity, agent_id, _PART, form=form)
    return back(f"/agents/{agent_id}/hours", "saved")


@router.post("/agents/{agent_id}/hours/days/{day}/remove")
async def remove(request: Request, agent_id: uuid.UUID, day: str) -> Response:
    """Take a day out: it goes like its weekday again."""
    with suppress(NoWeek):
        await _saved(request, await signed_in(request), agent_id, day, None)
    return back(f"/agents/{agent_id}/hours", "removed")


async def _saved(
    request: Request, identity: Identity, agent_id: uuid.UUID, day: str, spans: list[list[str]] | None
) -> None:
    """Raises NoWeek, NoSuchAgent, ArchivedAgent, UnfitAgent."""
    async with context_of(request).database.transaction(user=identity.user_id) as db:
        now = await drafts.read_to_change(db, identity.user_id, agent_id)
        sent: Mapping[str, Any] = {"hours": hours_form.with_day(now.content, day, spans)}
        if sent["hours"] is None:
            raise NoWeek
        await drafts.save(db, identity.user_id, agent_id, sent, revision=now.revision, actor=identity.acts_as)
