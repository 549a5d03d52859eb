"""Reading the ledger and what waits to be decided, a page at a time, for programs.

The rule: a page costs the same wherever it is. Lines have numbers without a gap, so those of one kind are looked for in
a window of numbers: a page may then have few of them, or none, and others follow all the same.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.credits.models import Approval, ApprovalState, CreditAccount, CreditTransaction, Price, TransactionType
from talktime.errors import NotFound

WINDOW = 5_000
"""So many lines are looked at for one page of a kind."""


class NoSuchLine(NotFound):
    """There is no such line in the ledger."""


@dataclass(frozen=True, slots=True)
class Lines:
    """Some lines, newest first, and where to go on; None at the end."""

    lines: Sequence[CreditTransaction]
    older: int | None


@dataclass(frozen=True, slots=True)
class Limits:
    """How far running calls may go, how many there may be, and whether any may begin."""

    grace_limit: int = 0
    max_open_calls: int = 10
    open_calls: int = 0
    blocked_reason: str | None = None
    """Why nothing starts on it: what an operator typed, for other operators."""


async def lines(
    db: AsyncSession,
    user: uuid.UUID,
    *,
    kind: TransactionType | None = None,
    call: uuid.UUID | None = None,
    before: int | None = None,
    limit: int,
) -> Lines:
    """The newest lines, or those before one: all, those of a kind, those of a call."""
    chosen = select(CreditTransaction).where(CreditTransaction.user_id == user)
    low = 0
    if call is not None:
        chosen = chosen.where(CreditTransaction.call_id == call)
    elif kind is not None:
        newest = await db.scalar(select(CreditAccount.seq).where(CreditAccount.user_id == user)) or 0
        before = newest + 1 if before is None else before
        low = max(0, before - 1 - WINDOW)
        chosen = chosen.where(CreditTransaction.seq > low)
    if kind is not None:
        chosen = chosen.where(CreditTransaction.type == kind)
    if before is not None:
        chosen = chosen.where(CreditTransaction.seq < before)
    found = (await db.scalars(chosen.order_by(CreditTransaction.seq.desc()).limit(limit + 1))).all()
    shown = found[:limit]
    if len(found) > limit:
        return Lines(shown, shown[-1].seq)
    return Lines(shown, low + 1 if low else None)


async def line(db: AsyncSession, user: uuid.UUID, seq: int) -> CreditTransaction:
    """One line. Raises NoSuchLine."""
    found = await db.get(CreditTransaction, (user, seq))
    if found is None:
        raise NoSuchLine
    return found


async def limits_of(db: AsyncSession, user: uuid.UUID) -> Limits:
    """An account's limits; as they begin, for somebody who has none yet."""
    columns = (
        CreditAccount.grace_limit,
        CreditAccount.max_open_calls,
        CreditAccount.open_calls,
        CreditAccount.blocked_reason,
    )
    row = (await db.execute(select(*columns).where(CreditAccount.user_id == user))).first()
    return Limits(*row) if row is not None else Limits()


async def approvals(
    db: AsyncSession,
    *,
    state: ApprovalState | None = None,
    user: uuid.UUID | None = None,
    before: tuple[datetime, uuid.UUID] | None = None,
    limit: int,
) -> Sequence[Approval]:
    """What operators asked of each other, newest first. Needs a transaction that is everyone's."""
    chosen = select(Approval)
    if state is not None:
        chosen = chosen.where(Approval.state == state)
    if user is not None:
        chosen = chosen.where(Approval.user_id == user)
    if before is not None:
        chosen = chosen.where(tuple_(Approval.created_at, Approval.id) < before)
    return (await db.scalars(chosen.order_by(Approval.created_at.desc(), Approval.id.desc()).limit(limit))).all()


async def prices(
    db: AsyncSession, user: uuid.UUID | None, *, before: tuple[datetime, uuid.UUID] | None = None, limit: int
) -> Sequence[Price]:
    """Every price of both kinds there was, is and will be for a user (None: everybody's), newest first."""
    chosen = select(Price).where(Price.user_id.is_(None) if user is None else Price.user_id == user)
    if before is not None:
        chosen = chosen.where(tuple_(Price.valid_from, Price.id) < before)
    return (await db.scalars(chosen.order_by(Price.valid_from.desc(), Price.id.desc()).limit(limit))).all()
