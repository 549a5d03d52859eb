"""Who may set prices and give or take credits by hand: somebody active whose role is ADMIN.

The rule: looked up in the transaction that acts, and kept as it is until that ends.
"""

import uuid

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts.models import Role, User, UserStatus
from talktime.errors import Refused


class NotAnOperator(Refused):
    """Only an operator may do this: somebody active whose role is ADMIN."""


async def require_operator(db: AsyncSession, actor: uuid.UUID) -> None:
    """Raise NotAnOperator unless the actor is one. Their row stays locked, so what one person sends twice at the same
    moment happens one after the other, and nobody is suspended in between. Needs a transaction that is everyone's.
    """
    found = await db.execute(select(User.role, User.status).where(User.id == actor).with_for_update(key_share=True))
    if found.one_or_none() != (Role.ADMIN, UserStatus.ACTIVE):
        raise NotAnOperator
