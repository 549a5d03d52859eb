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
from talktime.calls.models import Call
from talktime.calls.receipt import receipt_of

_RUNNING = text("SELECT count(*) FROM calls WHERE user_id = :user AND status IN ('RINGING', 'IN_PROGRESS')")
# Spelt out, so that PostgreSQL sees the index of the few live calls in it, also where it keeps the plan.
_IS_LIVE = text("calls.status IN ('RINGING', 'IN_PROGRESS')")
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
            FROM shown s
            -- By their keys, one by one: a planner that takes the shown ones for many would read all calls there are.
            CROSS JOIN LATERAL (SELECT * FROM calls WHERE user_id = :user AND id = s.id OFFSET 0) c
            LEFT JOIN LATERAL (SELECT * FROM credit_holds WHERE user_id = :user AND call_id = s.id OFFSET 0) h ON true)
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
    # The few first and then what belongs to them: a planner that takes them for many would read everybody's holds.
    live = select(Call.id).where(Call.user_id == user, _IS_LIVE).order_by(Call.started_at.desc(), Call.id.desc())
    return await records_of(db, user, (await db.scalars(live)).all())


async def records_of(db: AsyncSession, user: uuid.UUID, calls: Sequence[uuid.UUID]) -> Sequence[CallRecord]:
    """These calls of a user with their turns and receipts, in this order; one that is not theirs is left out."""
    if not calls:
        return ()
    query = select(Call).where(Call.user_id == user, Call.id.in_(calls)).options(*LOADED)
    found = {call.id: _record(call) for call in (await db.execute(query)).unique().scalars()}
    return [found[call] for call in calls if call in found]


async def count_running(db: AsyncSession, user: uuid.UUID) -> int:
    """How many of a user's calls are live."""
    return await db.scalar(_RUNNING, {"user": user}) or 0


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
