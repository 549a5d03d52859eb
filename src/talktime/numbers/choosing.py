"""A customer chooses their first numbers from the pool by themselves; any more are the operator's to give.

The rule: the pool is everybody's, so nobody empties it. Only an account with credits gets a number this way, only while
it has few, and not again and again: a number that was given back rests for weeks.
"""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts.models import AuditEntry
from talktime.credits import money
from talktime.credits.account import funds_of
from talktime.errors import Conflict, TalktimeError
from talktime.numbers import pool
from talktime.numbers.assigned import numbers_of
from talktime.numbers.models import CarrierPhase, PhoneNumber, PhoneStatus

CHOSEN_MAX = 2
"""So many numbers somebody chooses by themselves within the time that one rests."""
HAS_MAX = 2
"""Whoever has so many gets no more by choosing."""
_OFFERED_MAX = 50


class HasNumber(Conflict):
    """You have a number already. Write to us if you need another one."""


class HasEnoughNumbers(HasNumber):
    """You have as many numbers as you can choose by yourself. Write to us if you need another one."""


class CreditsFirst(Conflict):
    """Buy credits first: a number is given to an account that has some."""


class ChosenTooOften(TalktimeError):
    """You chose numbers and gave them back too often of late. Write to us, and you get another one."""

    status = 429


class NoLongerFree(Conflict):
    """Somebody else just took this number. Choose another one."""

    field = "number"


async def offered(db: AsyncSession, user: uuid.UUID, *, near: str = "", limit: int = 6) -> Sequence[PhoneNumber]:
    """Free numbers to choose from, those first that begin with `near` (`+49`). Needs a transaction that sees everyone:
    the pool is nobody's own."""
    assert 0 < limit <= _OFFERED_MAX, limit
    query = select(PhoneNumber).where(
        PhoneNumber.status == PhoneStatus.AVAILABLE,
        PhoneNumber.carrier_phase != CarrierPhase.GONE,
        PhoneNumber.owner_id.is_(None) | (PhoneNumber.owner_id == user),
    )
    is_theirs = func.coalesce(PhoneNumber.owner_id == user, False).desc()
    is_near = PhoneNumber.number.startswith(near, autoescape=True).desc()
    return (await db.scalars(query.order_by(is_theirs, is_near, PhoneNumber.number).limit(limit))).all()


async def take(
    db: AsyncSession,
    user: uuid.UUID,
    number: uuid.UUID,
    *,
    agent: uuid.UUID,
    rent_credits: int,
    is_another: bool = False,
    actor: uuid.UUID | None = None,
) -> PhoneNumber:
    """Give a customer the number that they chose, to be answered by their agent. Doing it again changes nothing.

    It is their first one, unless they ask for another (`is_another`). `rent_credits` is what it costs in a month, the
    first of which is charged at once. `actor` is the operator when the customer does not do it. Raises HasNumber,
    HasEnoughNumbers, CreditsFirst, ChosenTooOften, NoLongerFree, NotEnoughCredit, CannotHaveNumbers, AgentArchived,
    NotFound.
    """
    if (await funds_of(db, user)).free < 1:
        raise CreditsFirst
    # Changing nothing locks the account: of two at once the second sees what the first one took.
    await money.set_limits(db, user)
    has = await numbers_of(db, user)
    if any((each.id, each.agent_id) == (number, agent) for each in has):
        return next(each for each in has if each.id == number)
    if has and not is_another:
        raise HasNumber
    if len(has) >= HAS_MAX:
        raise HasEnoughNumbers
    await _require_seldom(db, user)
    try:
        return await pool.assign(db, number, user=user, agent=agent, actor=actor or user, rent_credits=rent_credits)
    except (pool.NotFree, pool.NotTheirs, pool.NoSuchNumber) as error:
        # Of a number that is not theirs nobody is told where it is.
        raise NoLongerFree from error


async def _require_seldom(db: AsyncSession, user: uuid.UUID) -> None:
    since = datetime.now(UTC) - pool.QUARANTINE
    chosen = select(func.count()).where(
        AuditEntry.user_id == user,
        AuditEntry.actor_id == user,
        AuditEntry.act == "number.assigned",
        AuditEntry.at > since,
    )
    if (await db.scalar(chosen) or 0) >= CHOSEN_MAX:
        raise ChosenTooOften
