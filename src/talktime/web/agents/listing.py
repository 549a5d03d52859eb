"""The list of agents: what each is doing, and the way to a new one; and those that were put away.

The rule: whose agents these are comes from the session alone.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from talktime.agents import drafts, reading
from talktime.agents.models import Agent
from talktime.calls import usage
from talktime.db.session import Session
from talktime.errors import NotFound
from talktime.http.context import context_of
from talktime.numbers.models import PhoneNumber
from talktime.numbers.shown import international
from talktime.web import local
from talktime.web.agents import states
from talktime.web.agents.desk import numbers_of_everybody
from talktime.web.agents.states import State
from talktime.web.language import _
from talktime.web.routing import PageRoute
from talktime.web.sheet import sheet
from talktime.web.who import signed_in
from talktime.web.words import Clock

_LATELY_DAYS = 7
_ARCHIVED_A_PAGE = 50

router = APIRouter(route_class=PageRoute)


@dataclass(frozen=True, slots=True)
class Row:
    """One agent of the list."""

    id: uuid.UUID
    name: str
    business: str
    states: Sequence[State]
    numbers: Sequence[str]
    opening: str
    calls: str
    published: str


@router.get("/agents")
async def agents(request: Request) -> Response:
    """All agents that were not put away."""
    identity = await signed_in(request)
    numbers = await numbers_of_everybody(request, identity)
    async with context_of(request).database.transaction(user=identity.user_id, snapshot=True) as db:
        paper = await sheet(request, db, identity, "agents", said={"restored": _("The agent is back.")})
        found = await reading.agents_of(db, identity.user_id)
        open_drafts = await drafts.open_since(db, identity.user_id)
        lately = await usage.used(db, identity.user_id, zone=identity.zone, days=_LATELY_DAYS)
        put_away = await _put_away(request, db, identity.user_id)
        kept = await reading.count(db, identity.user_id, archived=True)
    calls: dict[uuid.UUID | None, int] = {}
    for day in lately:
        calls[day.agent_id] = calls.get(day.agent_id, 0) + day.calls
    return paper.page(
        "agents/list.html",
        agents=[_row(agent, agent.id in open_drafts, numbers, calls, paper.clock) for agent in found],
        archived=kept - len(found),
        put_away=put_away,
        was="on" if request.query_params.get("was") == "on" else "off",
    )


@router.get("/agents/archived")
async def archived(request: Request, after: uuid.UUID | None = None) -> Response:
    """Those that were put away, the newest first."""
    identity = await signed_in(request)
    async with context_of(request).database.transaction(user=identity.user_id, snapshot=True) as db:
        paper = await sheet(request, db, identity, "agents")
        last = await reading.agent_of(db, identity.user_id, after) if after is not None else None
        found = await reading.page(
            db,
            identity.user_id,
            limit=_ARCHIVED_A_PAGE + 1,
            after=(last.created_at, last.id) if last is not None else None,
            archived=True,
        )
    shown = found[:_ARCHIVED_A_PAGE]
    rows = [
        (agent, local.moment(agent.archived_at, paper.clock)) for agent in shown if agent.archived_at is not None
    ]  # fmt: skip
    older = f"/agents/archived?after={shown[-1].id}" if len(found) > len(shown) else ""
    newest = "/agents/archived" if after is not None else ""
    return paper.page("agents/archived.html", rows=rows, older=older, newest=newest)


async def _put_away(request: Request, db: Session, user: uuid.UUID) -> Agent | None:
    """The agent that was just put away, so that this can be undone."""
    if request.query_params.get("done") != "archived":
        return None
    try:
        agent = await reading.agent_of(db, user, uuid.UUID(request.query_params.get("agent", "")))
    except (ValueError, NotFound):
        return None
    return agent if agent.archived_at is not None else None


def _row(
    agent: Agent,
    has_open_draft: bool,  # one of the columns
    numbers: Sequence[PhoneNumber],
    calls: Mapping[uuid.UUID | None, int],
    clock: Clock,
) -> Row:
    published = agent.published
    return Row(
        id=agent.id,
        name=agent.name,
        business=agent.business,
        states=states.states_of(agent, has_open_draft=has_open_draft),
        numbers=[international(number.number) for number in numbers if number.agent_id == agent.id],
        opening=states.opening_of(agent, clock.now) if published is not None and agent.active else "",
        calls=local.figure(calls.get(agent.id, 0)),
        published=local.moment(published.created_at, clock) if published is not None else _("not yet"),
    )
