"""How much customers are still to be told."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.notices.models import Notice


@dataclass(frozen=True, slots=True)
class Waiting:
    """Notices that are neither sent nor given up."""

    count: int
    oldest_seconds: int


async def waiting(db: AsyncSession) -> Waiting:
    """Everybody's, so in a transaction that sees everyone."""
    age = func.extract("epoch", func.now() - func.min(Notice.created_at))
    found = await db.execute(
        select(func.count(), func.coalesce(age, 0)).where(Notice.mailed_at.is_(None), Notice.dropped_at.is_(None))
    )
    count, oldest = found.one()
    return Waiting(count, max(0, int(oldest)))
