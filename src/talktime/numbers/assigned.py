"""Reading which numbers somebody has. The pool is a directory, which one user's rights do not reach into, so this
needs a transaction that sees everyone.
"""

import uuid
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.numbers.models import PhoneNumber, PhoneStatus


async def numbers_of(db: AsyncSession, user: uuid.UUID) -> Sequence[PhoneNumber]:
    """A user's numbers, in the order of their digits."""
    query = (
        select(PhoneNumber)
        .where(PhoneNumber.user_id == user, PhoneNumber.status == PhoneStatus.ASSIGNED)
        .order_by(PhoneNumber.number)
    )
    return (await db.execute(query)).scalars().all()
