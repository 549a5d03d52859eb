"""“This answer was wrong”: what the agent should have said, as its owner notes it beside a turn.

The rule: a correction is the owner's note on what really was said. It changes nothing of the turn, and goes with it
when the turn is not kept any longer or its caller is forgotten.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, delete, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.calls.models import Call, Correction, Party, Turn
from talktime.errors import BadInput, NotFound

TEXT_LENGTH_MAX = 1000
Place = tuple[datetime, uuid.UUID, int]
"""When a correction was last changed, and of which turn it is."""


class WrongText(BadInput):
    """Write what the agent should have said, in at most 1,000 characters."""

    field = "text"


class NotTheAgents(BadInput):
    """Only what the agent said can be corrected."""

    field = "turn_no"


@dataclass(frozen=True, slots=True)
class OpenCorrection:
    """A correction that nobody is done with, beside what was said."""

    call_id: uuid.UUID
    turn_no: int
    said: str
    text: str
    agent_version: int | None
    created_at: datetime
    updated_at: datetime

    @property
    def place(self) -> Place:
        return self.updated_at, self.call_id, self.turn_no


async def record(db: AsyncSession, user: uuid.UUID, call_id: uuid.UUID, turn_no: int, text: str) -> Correction:
    """Note what should have been said; said again it is changed, and open again.

    Raises WrongText, NotTheAgents, and NotFound where there is no such turn, also for somebody else's.
    """
    text = text.strip()
    if not text or len(text) > TEXT_LENGTH_MAX or "\0" in text:
        raise WrongText
    # Locked, so that it is there until ours is: what is kept too long may be on its way out.
    wanted = (
        select(Turn.speaker, Call.agent_id, Call.agent_version)
        .join(Call, (Call.user_id == Turn.user_id) & (Call.id == Turn.call_id))
        .where(Turn.user_id == user, Turn.call_id == call_id, Turn.turn_no == turn_no)
    )
    turn = (await db.execute(wanted)).one_or_none()
    if turn is None:
        raise NotFound("There is no such part of a call.")
    if turn.speaker != Party.AGENT:
        raise NotTheAgents
    values = {"text": text, "agent_id": turn.agent_id, "agent_version": turn.agent_version}
    written = (
        insert(Correction)
        .values(user_id=user, call_id=call_id, turn_no=turn_no, **values)
        .on_conflict_do_update(
            index_elements=[Correction.user_id, Correction.call_id, Correction.turn_no],
            set_=values | {"updated_at": func.now(), "settled_at": None},
        )
        .returning(Correction)
    )
    return (await db.scalars(written, execution_options={"populate_existing": True})).one()


async def withdraw(db: AsyncSession, user: uuid.UUID, call_id: uuid.UUID, turn_no: int) -> None:
    """Take a correction back. Raises NotFound where there is none, also for somebody else's."""
    gone = delete(Correction).where(*_one(user, call_id, turn_no)).returning(Correction.turn_no)
    if (await db.execute(gone)).first() is None:
        raise NotFound("There is no such correction.")


async def settle(db: AsyncSession, user: uuid.UUID, call_id: uuid.UUID, turn_no: int) -> None:
    """Be done with a correction, such as after a new version of the agent; done again it changes nothing.

    Raises NotFound where there is none, also for somebody else's.
    """
    done = (
        update(Correction)
        .where(*_one(user, call_id, turn_no))
        .values(settled_at=func.coalesce(Correction.settled_at, func.now()))
        .returning(Correction.turn_no)
    )
    if (await db.execute(done)).first() is None:
        raise NotFound("There is no such correction.")


async def of_call(db: AsyncSession, user: uuid.UUID, call_id: uuid.UUID) -> Mapping[int, Correction]:
    """The corrections of a call, by the number of their turn; none for somebody else's."""
    found = await db.scalars(select(Correction).where(Correction.user_id == user, Correction.call_id == call_id))
    return {correction.turn_no: correction for correction in found}


async def open_of_agent(
    db: AsyncSession, user: uuid.UUID, agent_id: uuid.UUID, *, limit: int = 100, after: Place | None = None
) -> Sequence[OpenCorrection]:
    """What an agent should have said, and nobody is done with: newest first, `after` the last of the page before."""
    key = Correction.updated_at, Correction.call_id, Correction.turn_no
    query = (
        select(
            Correction.call_id,
            Correction.turn_no,
            Turn.text.label("said"),
            Correction.text,
            Correction.agent_version,
            Correction.created_at,
            Correction.updated_at,
        )
        .join(
            Turn,
            (Turn.user_id == Correction.user_id)
            & (Turn.call_id == Correction.call_id)
            & (Turn.turn_no == Correction.turn_no),
        )
        .where(Correction.user_id == user, Correction.agent_id == agent_id, Correction.settled_at.is_(None))
        .order_by(*(column.desc() for column in key))
        .limit(limit)
    )
    if after is not None:
        query = query.where(tuple_(*key) < after)
    return [OpenCorrection(*row) for row in await db.execute(query)]


async def count_open(db: AsyncSession, user: uuid.UUID) -> Mapping[uuid.UUID, int]:
    """How many of a user's corrections nobody is done with, by agent."""
    counted = (
        select(Correction.agent_id, func.count())
        .where(Correction.user_id == user, Correction.settled_at.is_(None))
        .group_by(Correction.agent_id)
    )
    return {agent: count for agent, count in await db.execute(counted) if agent is not None}


def _one(user: uuid.UUID, call_id: uuid.UUID, turn_no: int) -> tuple[ColumnElement[bool], ...]:
    return Correction.user_id == user, Correction.call_id == call_id, Correction.turn_no == turn_no
