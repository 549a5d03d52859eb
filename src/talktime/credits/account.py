"""Reading what somebody has. Only the functions in `sql/` ever change it."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.credits.models import CreditAccount, CreditTransaction


@dataclass(frozen=True, slots=True)
class Funds:
    """Somebody's credits at one moment."""

    balance: int = 0
    """Below zero is grace in use, or money taken back."""
    held: int = 0
    """Set aside for calls that run."""
    debt: int = 0
    """While above zero no call begins."""
    is_blocked: bool = False

    @property
    def free(self) -> int:
        """What a new call can begin with."""
        return max(0, self.balance - self.held)


async def funds_of(db: AsyncSession, user: uuid.UUID) -> Funds:
    """A user's credits; nothing at all when they never had any."""
    account = (await db.execute(select(CreditAccount).where(CreditAccount.user_id == user))).scalar_one_or_none()
    if account is None:
        return Funds()
    return Funds(account.balance, account.held, account.clawback_debt, account.blocked_reason is not None)


@dataclass(frozen=True, slots=True)
class Guards:
    """What somebody lets be spent, in credits, and when they want to be told; None is no limit, and never."""

    day_limit: int | None = None
    call_limit: int | None = None
    caller_limit: int | None = None
    low_balance: int | None = None
    spent_today: int = 0
    """By calls since midnight where they live, with what running ones hold."""


async def guards_of(db: AsyncSession, user: uuid.UUID, now: datetime) -> Guards:
    """A user's spend guards; none when they never had an account."""
    account = (await db.execute(select(CreditAccount).where(CreditAccount.user_id == user))).scalar_one_or_none()
    if account is None:
        return Guards()
    # The day's sum is brought up to date when something is spent; until then a new day has what is held over.
    is_today = account.spent_until is not None and account.spent_until > now
    return Guards(
        account.day_limit,
        account.call_limit,
        account.caller_limit,
        account.low_balance,
        account.spent_today if is_today else account.held,
    )


async def opened_at(db: AsyncSession, user: uuid.UUID) -> datetime | None:
    """When the first line was written; None when there is none."""
    found: datetime | None = await db.scalar(
        select(CreditTransaction.created_at).where(CreditTransaction.user_id == user, CreditTransaction.seq == 1)
    )
    return found
