"""Who somebody is, for pages that only know an id."""

import uuid
from collections.abc import Iterable, Mapping

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts.models import User


async def emails_of(db: AsyncSession, users: Iterable[uuid.UUID]) -> Mapping[uuid.UUID, str]:
    """The e-mail addresses of these users. Needs a transaction that is everyone's."""
    rows = await db.execute(select(User.id, User.email).where(User.id.in_(set(users))))
    return {row.id: row.email for row in rows}
