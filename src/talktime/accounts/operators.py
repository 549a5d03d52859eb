"""Who may act for the operator: somebody active whose role is ADMIN.

The rule: looked up in the transaction that acts, and kept as it is until that ends. There is always one: nobody is
demoted, suspended or closed who is the last.
"""

import uuid

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts.models import Role, User, UserStatus
from talktime.errors import Conflict, Refused


class NotAnOperator(Refused):
    """Only an operator may do this: somebody active whose role is ADMIN."""


class LastOperator(Conflict):
    """This is the last operator there is, and without one nobody could be let in again: make another one first."""


async def require_operator(db: AsyncSession, actor: uuid.UUID) -> None:
    """Raise NotAnOperator unless the actor is one. Their row stays locked, so what one person sends twice at the same
    moment happens one after the other, and nobody is suspended in between. Needs a transaction that is everyone's.
    """
    found = await db.execute(select(User.role, User.status).where(User.id == actor).with_for_update(key_share=True))
    if found.one_or_none() != (Role.ADMIN, UserStatus.ACTIVE):
        raise NotAnOperator


async def is_there_one(db: AsyncSession, *, besides: uuid.UUID | None = None) -> bool:
    """Whether there is an operator, other than this one."""
    others = select(User.id).where(User.role == Role.ADMIN, User.status == UserStatus.ACTIVE)
    if besides is not None:
        others = others.where(User.id != besides)
    return (await db.execute(others.limit(1))).first() is not None


async def one_by_one(db: AsyncSession) -> None:
    """Who makes operators fewer does it one after the other, so that two never take each other's rights at once. Before
    anybody's row is locked: whoever waits here holds nothing that the other one needs."""
    await db.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('operators become fewer', 0))"))


async def leave_one(db: AsyncSession, user: uuid.UUID) -> None:
    """Raise LastOperator when nobody would be left without this one. After `one_by_one`, in the same transaction."""
    role = await db.scalar(select(User.role).where(User.id == user))
    if role is Role.ADMIN and not await is_there_one(db, besides=user):
        raise LastOperator
