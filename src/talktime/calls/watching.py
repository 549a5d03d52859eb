"""Looking on while calls run: those that are live now, and whether anything has changed since one looked last.

The rule here: `version` changes with everything that a page shows of calls and credit, and costs one small query,
because it is asked every second.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.calls import history
from talktime.calls.history import LOADED, CallRecord
from talktime.calls.models import Call, CallStatus
from talktime.calls.receipt import receipt_of

_VERSION = text(
    """
    WITH shown AS (
        (SELECT id FROM calls WHERE user_id = :user AND id = CAST(:call AS uuid))
        UNION
        (SELECT id FROM calls WHERE user_id = :user AND CAST(:call AS uuid) IS NULL
            ORDER BY started_at DESC, id DESC LIMIT :limit)
        UNION
        (SELECT id FROM calls WHERE user_id = :user AND status IN ('RINGING', 'IN_PROGRESS'))
    )
    SELECT md5(concat(
        (SELECT ROW(a.balance, a.held, a.clawback_debt, a.blocked_reason, a.seq)
            FROM credit_accounts a WHERE a.user_id = :user),
        (SELECT string_agg(ROW(
                c.id, c.status, c.answered_at, c.ended_at, c.end_reason, c.carrier_seconds, c.outcome, c.summary,
                h.state, h.held, h.charged, h.corrected,
                (SELECT count(*) FROM call_turns t WHERE t.user_id = c.user_id AND t.call_id = c.id)
            )::text, ';' ORDER BY c.id)
            FROM shown s JOIN calls c ON c.user_id = :user AND c.id = s.id
            LEFT JOIN credit_holds h ON h.user_id = c.user_id AND h.call_id = c.id)
    ))
    """
)


@dataclass(frozen=True, slots=True)
class Shelf:
    """A page full of calls."""

    live: Sequence[CallRecord]
    """All that run, whichever page this is: the credit that is held is theirs."""
    records: Sequence[CallRecord]
    """Those to show: on the first page the live ones, then the newest of the others."""
    older: uuid.UUID | None
    """The last call of this page, when there are more."""


async def shelf(db: AsyncSession, user: uuid.UUID, *, before: uuid.UUID | None = None, limit: int = 20) -> Shelf:
    """A user's newest calls, or those that began before this one. Raises NotFound for a call of somebody else."""
    live = await running(db, user)
    last = await history.one(db, user, before) if before is not None else None
    found = await history.newest(db, user, limit=limit + 1, before=last)
    shown = found[:limit]
    # A call that has been running for long is among the live ones, and not a second time where it began.
    first = live if before is None else ()
    return Shelf(
        live=live,
        records=[*first, *(record for record in shown if not record.is_live)],
        older=shown[-1].call.id if len(found) > limit else None,
    )


async def running(db: AsyncSession, user: uuid.UUID) -> Sequence[CallRecord]:
    """A user's live calls, newest first, each with its turns so far."""
    query = (
        select(Call)
        .where(Call.user_id == user, Call.status.in_((CallStatus.RINGING, CallStatus.IN_PROGRESS)))
        .options(*LOADED)
        .order_by(Call.started_at.desc(), Call.id.desc())
    )
    calls = (await db.execute(query)).unique().scalars()
    return [_record(call) for call in calls]


async def open_by_status(db: AsyncSession) -> Mapping[str, int]:
    """How many calls of everybody ring, and how many go on. Needs a transaction that sees everyone."""
    rows = await db.execute(
        text("SELECT status, count(*) AS calls FROM calls WHERE status IN ('RINGING', 'IN_PROGRESS') GROUP BY status")
    )
    return {"ringing": 0, "in_progress": 0} | {str(row.status).lower(): row.calls for row in rows}


async def version(db: AsyncSession, user: uuid.UUID, *, call: uuid.UUID | None = None, limit: int = 20) -> str:
    """A short text that is another one as soon as anything of a user's credit, live calls, and this call (or the newest
    `limit`) is."""
    found = await db.scalar(_VERSION, {"user": user, "call": call, "limit": limit})
    return str(found)


def _record(call: Call) -> CallRecord:
    return CallRecord(call, call.turns, receipt_of(call, call.hold, call.lines) if call.hold else None)
