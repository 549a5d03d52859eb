"""What every page about one agent shows: its name and how it is doing, its draft, what keeps that from being published,
what callers taught it.

The rule: an agent of somebody else is as good as none, and everything on the page comes from one look at the database;
only the numbers, which are nobody's own, are looked up before.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from fastapi import Request

from talktime.accounts.sessions import Identity
from talktime.agents import checking, content, drafts, reading
from talktime.agents.differences import Change, between
from talktime.agents.drafts import CurrentDraft
from talktime.agents.models import Agent
from talktime.agents.problems import FieldError, UnfitAgent
from talktime.calls import corrections
from talktime.calls.corrections import OpenCorrection
from talktime.db.session import Session
from talktime.http.context import context_of
from talktime.numbers.assigned import numbers_of
from talktime.numbers.models import PhoneNumber
from talktime.numbers.shown import international
from talktime.web import local
from talktime.web.agents import parts, states, words
from talktime.web.sheet import Sheet, sheet

_NUMBERS_WHY = "a number's owner is looked up in the pool, which is nobody's own"
_CORRECTIONS_SHOWN = 5
_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Desk:
    """One agent, and the paper that its page is written on."""

    paper: Sheet
    agent: Agent
    draft: CurrentDraft
    changes: Sequence[Change]
    """What the draft says otherwise than what is published; nothing while nothing is."""
    problems: Sequence[FieldError]
    """What keeps the draft from being published."""
    numbers: Sequence[PhoneNumber]
    corrections: Sequence[OpenCorrection]
    """Answers that were said to be wrong, and that nobody has dealt with."""

    @property
    def address(self) -> str:
        """Where the agent is edited."""
        return f"/agents/{self.agent.id}"

    @property
    def has_something_to_publish(self) -> bool:
        """Whether publishing would change anything for callers."""
        return self.agent.published is None or (self.draft.is_open and bool(self.changes))

    def shown(self) -> dict[str, Any]:
        """The values of every page about the agent."""
        agent, clock = self.agent, self.paper.clock
        published = agent.published
        return {
            "agent": agent,
            "address": self.address,
            "draft": self.draft,
            "states": states.states_of(agent, has_open_draft=self.draft.is_open and bool(self.changes)),
            "opening": states.opening_of(agent, clock.now),
            "published_when": local.moment(published.created_at, clock) if published is not None else "",
            "saved_when": local.moment(self.draft.saved_at, clock) if self.draft.saved_at else "",
            "changes": self.changes,
            "changed": words.changed(self.changes),
            "has_something_to_publish": self.has_something_to_publish,
            "problems": [
                (
                    words.field_name(_root(each.field)),
                    f"{self.address}/{parts.of_field(each.field).key}",
                    words.error(each),
                )
                for each in self.problems
            ],
            "wanting": {parts.of_field(each.field).key for each in self.problems},
            "touched": {parts.of_field(change.field).key for change in self.changes}
            if published is not None
            else set(),
            "numbers": [international(number.number) for number in self.numbers],
            "corrections": [_correction(each, self.paper) for each in self.corrections],
        }


async def numbers_of_everybody(request: Request, identity: Identity) -> Sequence[PhoneNumber]:
    """All numbers of a customer, read before their own transaction begins."""
    async with context_of(request).database.transaction(everyone=_NUMBERS_WHY) as db:
        return await numbers_of(db, identity.user_id)


async def desk(
    request: Request,
    db: Session,
    identity: Identity,
    agent_id: uuid.UUID,
    *,
    numbers: Sequence[PhoneNumber] = (),
    said: Mapping[str, str] = _NOTHING,
) -> Desk:
    """An agent of who asks, read in their transaction. Raises NoSuchAgent."""
    agent = await reading.agent_of(db, identity.user_id, agent_id)
    paper = await sheet(request, db, identity, "agents", said=said)
    draft = await drafts.read(db, identity.user_id, agent_id)
    open_ones = await corrections.open_of_agent(db, identity.user_id, agent_id, limit=_CORRECTIONS_SHOWN)
    published = content.of_version(agent, agent.published) if agent.published is not None else None
    return Desk(
        paper=paper,
        agent=agent,
        draft=draft,
        changes=between(published, checking.tidied(draft.content)) if published is not None else (),
        problems=_problems(draft),
        numbers=[number for number in numbers if number.agent_id == agent_id],
        corrections=open_ones,
    )


def _problems(draft: CurrentDraft) -> Sequence[FieldError]:
    try:
        checking.require_fit(checking.tidied(draft.content))
    except UnfitAgent as unfit:
        return unfit.errors
    return ()


def _root(field: str) -> str:
    return field.partition(".")[0]


def _correction(found: OpenCorrection, paper: Sheet) -> dict[str, Any]:
    return {
        "call": found.call_id,
        "turn": found.turn_no,
        "said": found.said,
        "text": found.text,
        "when": local.moment(found.updated_at, paper.clock),
    }
