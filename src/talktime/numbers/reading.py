"""Reading the pool, a page at a time, in the order of the digits. Needs a transaction that sees everyone: the pool is a
directory, which one user's rights do not reach into.
"""

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.numbers.models import CarrierPhase, NumberOrder, OrderState, PhoneNumber, PhoneStatus


@dataclass(frozen=True, slots=True)
class Filter:
    """Which numbers; what is None is any."""

    status: PhoneStatus | None = None
    carrier: str | None = None
    user: uuid.UUID | None = None
    agent: uuid.UUID | None = None
    phase: CarrierPhase | None = None
    begins: str | None = None
    """The digits that it begins with: `+49`."""


async def page(
    db: AsyncSession, which: Filter, *, after: str | None = None, limit: int, is_descending: bool = False
) -> Sequence[PhoneNumber]:
    """Numbers of the pool behind `after` (the last one of the page before)."""
    query = select(PhoneNumber)
    for column, value in (
        (PhoneNumber.status, which.status),
        (PhoneNumber.carrier, which.carrier),
        (PhoneNumber.user_id, which.user),
        (PhoneNumber.agent_id, which.agent),
        (PhoneNumber.carrier_phase, which.phase),
    ):
        if value is not None:
            query = query.where(column == value)
    if which.begins is not None:
        query = query.where(PhoneNumber.number.startswith(which.begins, autoescape=True))
    if after is not None:
        query = query.where(PhoneNumber.number < after if is_descending else PhoneNumber.number > after)
    order = PhoneNumber.number.desc() if is_descending else PhoneNumber.number
    return (await db.execute(query.order_by(order).limit(limit))).scalars().all()


async def ids_of(db: AsyncSession, numbers: Collection[str]) -> Mapping[str, uuid.UUID]:
    """What those of these numbers (E.164) are called that the pool has."""
    rows = await db.execute(select(PhoneNumber.number, PhoneNumber.id).where(PhoneNumber.number.in_(numbers)))
    return {row.number: row.id for row in rows}


async def orders(
    db: AsyncSession, *, state: OrderState | None = None, after: uuid.UUID | None = None, limit: int
) -> Sequence[NumberOrder]:
    """What was ordered, newest first."""
    query = select(NumberOrder)
    if state is not None:
        query = query.where(NumberOrder.state == state)
    if after is not None:
        query = query.where(NumberOrder.id < after)
    return (await db.execute(query.order_by(NumberOrder.id.desc()).limit(limit))).scalars().all()
