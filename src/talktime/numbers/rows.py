"""Finding one number and keeping it as it is. The rule: whoever changes a number has locked its row, and has asked
whose it is after that.
"""

import uuid

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.errors import Conflict, NotFound
from talktime.numbers.forms import e164
from talktime.numbers.models import PhoneNumber

Which = str | uuid.UUID
"""A number by its digits, or by its id."""


class NoSuchNumber(NotFound):
    """There is no such number here."""


class NotAssigned(Conflict):
    """This number is with no customer, so there is nothing to change or to release."""


async def locked(db: AsyncSession, number: Which, *, user: uuid.UUID | None = None) -> PhoneNumber:
    """A number, kept as it is until the transaction ends; with `user`, theirs. Needs a transaction that is everyone's.
    Raises NoSuchNumber, NoNumber."""
    row = await find(db, number, lock=True)
    if row is None or (user is not None and row.user_id != user):
        by_digits = user is None and isinstance(number, str)
        raise NoSuchNumber(f"{number} is not in the pool.") if by_digits else NoSuchNumber
    return row


async def theirs(db: AsyncSession, user: uuid.UUID, number: uuid.UUID) -> PhoneNumber:
    """A number of this user's, as it is now. Raises NoSuchNumber."""
    row = await find(db, number)
    if row is None or row.user_id != user:
        raise NoSuchNumber
    return row


async def find(db: AsyncSession, number: Which, *, lock: bool = False) -> PhoneNumber | None:
    """A number, as it is now. Raises NoNumber.

    Locked it is without its key: a ring names it, then waits for the account, whose lock is taken before this one.
    """
    which = PhoneNumber.id == number if isinstance(number, uuid.UUID) else PhoneNumber.number == e164(number)
    query = select(PhoneNumber).where(which).execution_options(populate_existing=True)
    return (await db.execute(query.with_for_update(key_share=True) if lock else query)).scalar_one_or_none()


async def one_by_one(db: AsyncSession, number: str) -> None:
    """Whoever adds or proves the same number at the same moment sees what the first one made."""
    await db.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"number {number}", 0))))
