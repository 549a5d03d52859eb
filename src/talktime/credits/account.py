"""Reading what somebody has. Only the functions in `sql/` ever change it."""

import uuid
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.credits.models import CreditAccount


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
