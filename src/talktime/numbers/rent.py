"""The monthly rent of a number: a line in the customer's ledger, once a month, on the day on which they got it.

The rule: what is charged and until when it is paid change in one transaction, and the line's reference names number and
month, so no restart charges twice. What is due is found and charged by `rent_due`.
"""

import uuid
from calendar import monthrange
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from talktime import log
from talktime.accounts import audit
from talktime.accounts.models import User
from talktime.credits import money
from talktime.credits.account import funds_of
from talktime.credits.functions import NotEnoughCredit
from talktime.errors import BadInput, Conflict
from talktime.numbers.models import PhoneNumber, PhoneStatus
from talktime.numbers.rows import NotAssigned, Which, locked

CREDITS_MAX = 10**9
_LOGGER = log.get(__name__)


def require_credits(credits: int) -> None:
    """Raise BadInput for what is no rent."""
    if isinstance(credits, bool) or not 0 <= credits <= CREDITS_MAX:
        raise BadInput(f"A rent is 0 to {CREDITS_MAX:,} credits a month.")


async def begin(db: AsyncSession, number: PhoneNumber) -> None:
    """Charge the first month of a number that was just assigned. The account is locked already. Raises
    NotEnoughCredit."""
    assert number.user_id is not None
    assert number.assigned_at is not None
    begun = await today(db, number.user_id, number.assigned_at)
    number.rent_due_on = begun
    free = (await funds_of(db, number.user_id)).free
    if free < number.rent_credits:
        raise NotEnoughCredit(
            f"The first month of this number costs {number.rent_credits:,} credits, and {free:,} are free:"
            " top up first, or set a lower rent."
        )
    await charge(db, number, begun)


async def set_rent(db: AsyncSession, number: Which, *, credits: int, actor: uuid.UUID) -> PhoneNumber:
    """What an assigned number costs from its next month on; 0 is nothing. Raises NotFound, Conflict, BadInput."""
    require_credits(credits)
    row = await locked(db, number)
    if row.status is not PhoneStatus.ASSIGNED or row.user_id is None:
        raise NotAssigned
    before = row.rent_credits
    if before == credits:
        return row
    row.rent_credits = credits
    if credits == 0:
        row.rent_due_on = row.rent_unpaid_since = None
    elif row.rent_due_on is None:
        row.assigned_at = row.assigned_at or datetime.now(UTC)
        begun = await today(db, row.user_id, row.assigned_at)
        row.rent_due_on = _next_month(await today(db, row.user_id, datetime.now(UTC)), begun.day)
    await db.flush()
    changed: dict[str, audit.Value] = {"number_id": str(row.id), "credits": credits}
    await audit.record(db, row.user_id, actor, "rent.set", before={"credits": before}, after=changed)
    return row


async def charge(db: AsyncSession, number: PhoneNumber, due_on: date) -> None:
    """The line of one month, and when the next one is due. Account and number are locked already."""
    assert number.user_id is not None
    assert number.assigned_at is not None
    try:
        async with db.begin_nested():
            await money.rent(db, number.user_id, number.id, due_on, number.rent_credits)
    except Conflict:
        # They had it before in this month, at another price: that is paid, and nothing is charged twice.
        _LOGGER.info("a month's rent was paid at another price", number_id=str(number.id))
    begun = await today(db, number.user_id, number.assigned_at)
    number.rent_due_on = _next_month(due_on, begun.day)
    number.rent_unpaid_since = None
    await db.flush()


async def today(db: AsyncSession, user: uuid.UUID, now: datetime) -> date:
    """The day where the customer is."""
    zone = await db.scalar(select(User.zone).where(User.id == user))
    assert zone is not None, user
    return now.astimezone(ZoneInfo(zone)).date()


def _next_month(day: date, wanted_day: int) -> date:
    """The same day of the month after, or the last one that it has."""
    year, month = (day.year + 1, 1) if day.month == 12 else (day.year, day.month + 1)
    return date(year, month, min(wanted_day, monthrange(year, month)[1]))
