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


async def has_password(db: AsyncSession, user: uuid.UUID) -> bool:
    """Whether somebody can prove by a password who they are, or came in by a link and has none yet. Needs a transaction
    that is everyone's."""
    return bool(await db.scalar(select(User.password_hash.is_not(None)).where(User.id == user)))
