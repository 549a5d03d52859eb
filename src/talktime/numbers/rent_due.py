"""What is due of the rents, every day: charge it, warn whoever cannot pay, and take the number back in the end.

The rule: a rent makes no debt. Who cannot pay is told, and told again; after 14 days the number is released, and the
month that was not paid is not charged. (docs/decisions/0012-the-rent-of-a-number.md)
"""

import uuid
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from sqlalchemy import bindparam, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from talktime import log
from talktime.credits import money
from talktime.credits.account import funds_of
from talktime.db.base import new_id
from talktime.db.session import Database
from talktime.numbers import pool, rent
from talktime.numbers.models import PhoneNumber, PhoneStatus
from talktime.numbers.rows import locked

WHY = "the rent of everybody's numbers falls due"
GRACE = timedelta(days=14)
WARNINGS = (timedelta(0), timedelta(days=7), timedelta(days=12))
"""After how many days without payment the customer is told, and told again."""
_LOGGER = log.get(__name__)


class Outcome(StrEnum):
    """What came of a rent that was due."""

    PAID = "PAID"
    UNPAID = "UNPAID"
    RELEASED = "RELEASED"


@dataclass(frozen=True, slots=True)
class Due:
    """One rent that was due, and what came of it."""

    number_id: uuid.UUID
    user_id: uuid.UUID
    credits: int
    due_on: date
    outcome: Outcome


async def charge_due(database: Database, now: datetime) -> list[Due]:
    """Charge every rent that is due, each in a transaction of its own; gives what came of each. Run again, also by two
    at once, it charges what is left."""
    done: list[Due] = []
    async with database.transaction(everyone=WHY) as db:
        # A day ahead, because it is tomorrow already where the sun rises; the customer's own day decides below.
        found = await db.execute(
            select(PhoneNumber.id, PhoneNumber.user_id)
            .where(PhoneNumber.rent_due_on <= (now + timedelta(days=1)).date(), PhoneNumber.rent_due_on.is_not(None))
            .order_by(PhoneNumber.rent_due_on, PhoneNumber.id)
        )
        numbers = found.all()
    for number, user in numbers:
        if user is None:
            continue
        while True:
            async with database.transaction(everyone=WHY) as db:
                due = await _charge_one(db, number, user, now)
            if due is None:
                break
            done.append(due)
            _LOGGER.info("a rent was due", number_id=str(number), user_id=str(user), outcome=due.outcome.value)
            if due.outcome is not Outcome.PAID:
                break
    return done


async def _charge_one(db: AsyncSession, number: uuid.UUID, user: uuid.UUID, now: datetime) -> Due | None:
    """Charge one month of one number, if it is due and can be paid; None when nothing is due (any more)."""
    # First the account, which changing nothing locks, then the number: the order of everybody who posts.
    await money.set_limits(db, user)
    row = await locked(db, number)
    today = await rent.today(db, user, now)
    is_theirs = row.user_id == user and row.status is PhoneStatus.ASSIGNED
    if not is_theirs or row.rent_due_on is None or row.rent_due_on > today:
        return None
    due_on, rate = row.rent_due_on, row.rent_credits
    if (await funds_of(db, user)).free >= rate:
        await rent.charge(db, row, due_on)
        return Due(number, user, rate, due_on, Outcome.PAID)
    since = row.rent_unpaid_since or due_on
    if today - since >= GRACE:
        await _take_back(db, row, user, rate, due_on)
        return Due(number, user, rate, due_on, Outcome.RELEASED)
    row.rent_unpaid_since = since
    await db.flush()
    warning = max(nth for nth, after in enumerate(WARNINGS) if today - since >= after)
    detail = {**_named(row), "credits": rate, "release_on": (since + GRACE).isoformat()}
    await _tell(db, user, "rent_unpaid", f"{number}:{since.isoformat()}:{warning}", detail)
    return Due(number, user, rate, due_on, Outcome.UNPAID)


async def _take_back(db: AsyncSession, number: PhoneNumber, user: uuid.UUID, credits: int, due_on: date) -> None:
    detail = {**_named(number), "credits": credits}
    await pool.release(db, number.id, user=user)
    await _tell(db, user, "number_released", f"{number.id}:{due_on.isoformat()}", detail)


async def _tell(db: AsyncSession, user: uuid.UUID, kind: str, subject: str, detail: dict[str, str | int]) -> None:
    # Notices stand beside this folder, not below it: so it is written as the database's functions do.
    await db.execute(
        text(
            "INSERT INTO notices (user_id, id, kind, subject, detail) VALUES (:user, :id, :kind, :subject, :detail)"
            " ON CONFLICT DO NOTHING"
        ).bindparams(bindparam("detail", detail, JSONB)),
        {"user": user, "id": new_id(), "kind": kind, "subject": subject},
    )


def _named(number: PhoneNumber) -> dict[str, str | int]:
    """What a mail may say of a number: enough for its owner to know it again."""
    return {"number_id": str(number.id), "ends": number.number[-4:]}
