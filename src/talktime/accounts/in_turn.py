"""Who changes how somebody comes in does it one after the other.

The rule: whatever touches a user's password, second factor, links or several of their sessions takes the user's row
first; so no two of them wait for each other, and none decides on what another one is about to change.
"""

import uuid

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts.models import User


async def in_turn(db: AsyncSession, user: uuid.UUID) -> None:
    """Wait for whoever is at it; the user stays as they are until the transaction ends."""
    await db.execute(select(User.id).where(User.id == user).with_for_update(key_share=True))
