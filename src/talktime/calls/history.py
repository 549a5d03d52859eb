"""Reading calls: a customer's newest first, one with its turns and its receipt, and long lists page by page.

The rule of lists: `page` reads what a row shows and nothing of its turns or ledger lines, and goes on from the last row
it showed, so that page ten thousand costs what the first one does. Each filter has an index that begins with the user
and ends with the time (`models.Call`); under row-level security only leakproof operators may use one.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Integer, Row, Select, Text, bindparam, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload, selectinload
from sqlalchemy.types import TypeEngine

from talktime.agents.models import Agent
from talktime.calls.models import Call, CallStatus, Direction, Turn
from talktime.calls.receipt import Receipt, receipt_of
from talktime.credits.models import CreditHold
from talktime.errors import NotFound

_NO_SUCH_CALL = "There is no such call."
LOADED = (
    joinedload(Call.hold),
    joinedload(Call.agent),
    selectinload(Call.lines),
    selectinload(Call.turns),
    selectinload(Call.legs),
)
"""What a record is put together from."""


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A call as a page or a program shows it."""

    call: Call
    turns: Sequence[Turn]
    receipt: Receipt | None
    """None when the fallback ladder answered before anybody asked about credit."""

    @property
    def is_live(self) -> bool:
        return self.call.status in (CallStatus.RINGING, CallStatus.IN_PROGRESS)


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Which calls a list is of; what is None lets all pass."""

    agent: uuid.UUID | None = None
    number: uuid.UUID | None = None
    status: CallStatus | None = None
    outcome: str | None = None
    caller: str | None = None
    end_reasons: tuple[str, ...] | None = None
    """Ended for one of these: see `search.CameTo`."""
    began_from: datetime | None = None
    began_before: datetime | None = None
    """The end of the range, which is not in it."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row of a list stands."""

    started_at: datetime
    id: uuid.UUID


@dataclass(frozen=True, slots=True)
class ListedCall:
    """A call as a row of a list."""

    id: uuid.UUID
    agent_id: uuid.UUID | None
    agent_version: int | None
    agent_name: str | None
    number_id: uuid.UUID | None
    carrier: str
    """`browser` where the customer called from one of our pages."""
    direction: Direction
    parent_id: uuid.UUID | None
    caller: str | None
    dialled: str | None
    status: CallStatus
    route: str
    started_at: datetime
    answered_at: datetime | None
    ended_at: datetime | None
    end_reason: str | None
    seconds: int | None
    outcome: str | None
    summary: str | None
    held: int
    charged: int
    """With corrections; 0 when the fallback ladder answered before anybody asked about credit."""

    @property
    def place(self) -> Place:
        return Place(self.started_at, self.id)


async def page(
    db: AsyncSession,
    user: uuid.UUID,
    which: CallFilter | None = None,
    *,
    limit: int = 50,
    after: Place | None = None,
    oldest_first: bool = False,
) -> list[ListedCall]:
    """A user's calls, newest first or oldest first, `after` the last row of the page before."""
    query = page_query(user, which or CallFilter(), limit=limit, after=after, oldest_first=oldest_first)
    return [_listed(row) for row in await db.execute(query)]


def page_query(
    user: uuid.UUID, which: CallFilter, *, limit: int, after: Place | None, oldest_first: bool
) -> Select[*tuple[Any, ...]]:
    """What `page` asks; a test looks at its plan.

    Whose calls, how many, whose agent's, and in which status stands in its text: PostgreSQL keeps the plan of a query
    that comes often, and one for anybody's calls would read and sort all of somebody's who has a million.
    """
    began, name = (Call.started_at.asc(), Call.id.asc()) if oldest_first else (Call.started_at.desc(), Call.id.desc())
    query = (
        _ROWS.where(_whose(user), *_wanted(which)).order_by(began, name).limit(_spelt_out("limit", limit, Integer()))
    )
    if after is None:
        return query
    here, there = tuple_(Call.started_at, Call.id), (after.started_at, after.id)
    return query.where(here > there if oldest_first else here < there)


async def these(db: AsyncSession, user: uuid.UUID, ids: Sequence[uuid.UUID]) -> list[ListedCall]:
    """These calls of a user, in this order, as rows; somebody else's are left out."""
    query = _ROWS.where(_whose(user), Call.id.in_(ids))
    found = {call.id: call for call in (_listed(row) for row in await db.execute(query))}
    return [found[each] for each in ids if each in found]


async def newest(
    db: AsyncSession, user: uuid.UUID, *, limit: int = 20, before: CallRecord | None = None
) -> list[CallRecord]:
    """A user's calls, newest first, each with turns and receipt; `before` pages on from the last one shown."""
    query = (
        select(Call)
        .where(Call.user_id == user)
        .options(*LOADED)
        .order_by(Call.started_at.desc(), Call.id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(tuple_(Call.started_at, Call.id) < (before.call.started_at, before.call.id))
    return [_record(call) for call in (await db.execute(query)).unique().scalars()]


async def one(db: AsyncSession, user: uuid.UUID, call_id: uuid.UUID) -> CallRecord:
    """One call of a user. Raises NotFound, also for somebody else's."""
    query = select(Call).where(Call.user_id == user, Call.id == call_id).options(*LOADED)
    call = (await db.execute(query)).unique().scalar_one_or_none()
    if call is None:
        raise NotFound(_NO_SUCH_CALL)
    return _record(call)


async def place_of(db: AsyncSession, user: uuid.UUID, call_id: uuid.UUID) -> Place:
    """Where a call of a user stands in their lists. Raises NotFound, also for somebody else's."""
    began = await db.scalar(select(Call.started_at).where(Call.user_id == user, Call.id == call_id))
    if began is None:
        raise NotFound(_NO_SUCH_CALL)
    return Place(began, call_id)


# What a row of a list shows, in the order of `ListedCall`. Made once: it takes longer than asking.
_ROWS = (
    select(
        Call.id,
        Call.agent_id,
        Call.agent_version,
        Agent.name.label("agent_name"),
        Call.number_id,
        Call.carrier,
        Call.direction,
        Call.parent_id,
        Call.caller,
        Call.dialled,
        Call.status,
        Call.route,
        Call.started_at,
        Call.answered_at,
        Call.ended_at,
        Call.end_reason,
        Call.seconds,
        Call.outcome,
        Call.summary,
        CreditHold.held,
        CreditHold.charged,
        CreditHold.corrected,
    )
    .outerjoin(CreditHold, (CreditHold.user_id == Call.user_id) & (CreditHold.call_id == Call.id))
    .outerjoin(Agent, (Agent.user_id == Call.user_id) & (Agent.id == Call.agent_id))
)


def _spelt_out(name: str, value: object, kind: TypeEngine[Any]) -> BindParameter[Any]:
    return bindparam(name, value, kind, literal_execute=True)


def _whose(user: uuid.UUID) -> ColumnElement[bool]:
    return Call.user_id == _spelt_out("user", user, Call.user_id.type)


def _wanted(which: CallFilter) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = []
    if which.agent is not None:
        wanted.append(Call.agent_id == _spelt_out("agent", which.agent, Call.agent_id.type))
    if which.number is not None:
        wanted.append(Call.number_id == _spelt_out("number", which.number, Call.number_id.type))
    if which.status is not None:
        wanted.append(Call.status == _spelt_out("status", which.status, Call.status.type))
    if which.outcome is not None:
        wanted.append(Call.outcome == which.outcome)
    if which.caller is not None:
        wanted.append(Call.caller == which.caller)
    if which.end_reasons is not None:
        reasons = bindparam("end_reasons", which.end_reasons, Text(), expanding=True, literal_execute=True)
        wanted.append(Call.end_reason.in_(reasons))
    if which.began_from is not None:
        wanted.append(Call.started_at >= which.began_from)
    if which.began_before is not None:
        wanted.append(Call.started_at < which.began_before)
    return wanted


def _listed(row: Row[*tuple[Any, ...]]) -> ListedCall:
    values: list[Any] = list(row)
    held, charged, corrected = values[-3:]
    values[-3:] = [held or 0, (charged or 0) + (corrected or 0)]
    return ListedCall(*values)


def _record(call: Call) -> CallRecord:
    return CallRecord(call, call.turns, receipt_of(call, call.hold, call.lines) if call.hold else None)
