"""Reading calls: a customer's newest first, and one with its turns and its receipt."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload, selectinload

from talktime.calls.models import Call, CallStatus, Turn
from talktime.calls.receipt import Receipt, receipt_of
from talktime.errors import NotFound

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
        raise NotFound("There is no such call.")
    return _record(call)


def _record(call: Call) -> CallRecord:
    return CallRecord(call, call.turns, receipt_of(call, call.hold, call.lines) if call.hold else None)
