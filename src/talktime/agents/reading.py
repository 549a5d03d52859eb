"""Reading somebody's agents."""

import uuid
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from talktime.agents.models import Agent


async def agents_of(db: AsyncSession, user: uuid.UUID) -> Sequence[Agent]:
    """A user's agents, the oldest first, each with what is published of it; those that were put away are left out."""
    query = (
        select(Agent)
        .where(Agent.user_id == user, Agent.archived_at.is_(None))
        .options(joinedload(Agent.published))
        .order_by(Agent.created_at, Agent.id)
    )
    return (await db.execute(query)).scalars().all()
