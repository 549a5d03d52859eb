"""Many at once: set-based, each account touched once (`sql/45_batches.sql`). One bad item refuses the whole batch; the
answers are those the single verbs would have given one after the other.

Up to 10,000 items. For many users they need a transaction that is everyone's.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts import audit
from talktime.credits.functions import many, texts, whole, whole32
from talktime.credits.models import HoldState


@dataclass(frozen=True, slots=True)
class Adjustment:
    """One adjustment to make."""

    user_id: uuid.UUID
    reference: str
    amount: int
    reason: str


@dataclass(frozen=True, slots=True)
class Posted:
    """The line it became."""

    user_id: uuid.UUID
    reference: str
    fresh: bool
    seq: int
    amount: int
    balance_after: int


@dataclass(frozen=True, slots=True)
class Settled:
    """What one call came to."""

    user_id: uuid.UUID
    call_id: uuid.UUID
    fresh: bool
    state: HoldState
    charged: int
    unbilled: int
    balance: int


@dataclass(frozen=True, slots=True)
class Extended:
    """Where one hold stands; for `not_owner` and `no_hold` nothing but the reason is known."""

    user_id: uuid.UUID
    call_id: uuid.UUID
    extended: bool
    state: HoldState | None
    granted_seconds: int | None
    cut_at: datetime | None
    held: int | None
    reason: str | None


async def post_many(
    db: AsyncSession, items: Sequence[Adjustment], actor: uuid.UUID, *, as_debt: bool = False
) -> list[Posted]:
    """Make many adjustments, in order. Raises NotEnoughCredit, Conflict, BadInput, naming the item.

    One entry in the audit log says how many and how much; each line of the books names who made it anyway.
    """
    if not items:
        return []
    for item in items:
        texts(item.reference, item.reason)
    rows = await many(
        db,
        "post_many_v1",
        users=[item.user_id for item in items],
        references=[item.reference for item in items],
        amounts=[whole(item.amount, "amount") for item in items],
        reasons=[item.reason for item in items],
        actor=actor,
        as_debt=as_debt,
    )
    done = [Posted(**row) for row in rows]
    fresh = [each.amount for each in done if each.fresh]
    if fresh:
        users = {item.user_id for item in items}
        subject = users.pop() if len(users) == 1 else actor
        await audit.record(db, subject, actor, "credits.posted_many", after={"lines": len(fresh), "amount": sum(fresh)})
    return done


async def settle_many(db: AsyncSession, items: Sequence[tuple[uuid.UUID, uuid.UUID, int]]) -> list[Settled]:
    """Settle many holds: (user, call, seconds). Raises NotFound, BadInput."""
    if not items:
        return []
    rows = await many(
        db,
        "settle_many_v1",
        users=[user for user, _, _ in items],
        calls=[call for _, call, _ in items],
        many_seconds=[whole32(seconds, "seconds") for _, _, seconds in items],
    )
    return [Settled(**{**row, "state": HoldState(row["state"])}) for row in rows]


async def extend_many(
    db: AsyncSession, owner: str, items: Sequence[tuple[uuid.UUID, uuid.UUID, int]], *, slice_seconds: int = 60
) -> list[Extended]:
    """Ask for more time for many calls of one process: (user, call, request number). Raises BadInput."""
    if not items:
        return []
    rows = await many(
        db,
        "extend_many_v1",
        owner=owner,
        users=[user for user, _, _ in items],
        calls=[call for _, call, _ in items],
        request_nos=[whole32(number, "request number") for _, _, number in items],
        slice=whole32(slice_seconds, "slice"),
    )
    return [Extended(**{**row, "state": row["state"] and HoldState(row["state"])}) for row in rows]
