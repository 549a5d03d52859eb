"""Reading somebody's agents, and holding one while it is changed."""

import uuid
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from talktime.agents.models import Agent
from talktime.errors import Conflict, NotFound


class NoSuchAgent(NotFound):
    """There is no such agent."""


class ArchivedAgent(Conflict):
    """This agent was archived: restore it first."""


async def agents_of(db: AsyncSession, user: uuid.UUID) -> Sequence[Agent]:
    """A user's agents, the oldest first, each with what is published of it; those that were put away are left out."""
    query = (
        select(Agent)
        .where(Agent.user_id == user, Agent.archived_at.is_(None))
        .options(joinedload(Agent.published))
        .order_by(Agent.created_at, Agent.id)
    )
    return (await db.execute(query)).scalars().all()


async def page(
    db: AsyncSession,
    user: uuid.UUID,
    *,
    limit: int,
    after: tuple[datetime, uuid.UUID] | None = None,
    newest_first: bool = True,
    archived: bool | None = None,
    active: bool | None = None,
) -> Sequence[Agent]:
    """A page of a user's agents by when they were made; `after` is the last one of the page before."""
    query = select(Agent).where(Agent.user_id == user).limit(limit)
    if archived is not None:
        query = query.where(Agent.archived_at.is_not(None) if archived else Agent.archived_at.is_(None))
    if active is not None:
        query = query.where(Agent.active.is_(active))
    place = tuple_(Agent.created_at, Agent.id)
    if after is not None:
        query = query.where(place < after if newest_first else place > after)
    order = (Agent.created_at, Agent.id)
    query = query.order_by(*(column.desc() for column in order)) if newest_first else query.order_by(*order)
    return (await db.execute(query)).scalars().all()


async def agent_of(db: AsyncSession, user: uuid.UUID, agent_id: uuid.UUID) -> Agent:
    """One of a user's agents, also one that was put away, with what is published of it. Raises NoSuchAgent."""
    query = (
        select(Agent).where(Agent.user_id == user, Agent.id == agent_id).options(joinedload(Agent.published))
    ).execution_options(populate_existing=True)
    agent = (await db.execute(query)).scalar_one_or_none()
    if agent is None:
        raise NoSuchAgent
    return agent


async def locked(db: AsyncSession, user: uuid.UUID, agent_id: uuid.UUID) -> Agent:
    """The same, which nobody else changes before this transaction ends."""
    query = select(Agent.id).where(Agent.user_id == user, Agent.id == agent_id).with_for_update(key_share=True)
    if await db.scalar(query) is None:
        raise NoSuchAgent
    return await agent_of(db, user, agent_id)


async def count(db: AsyncSession, user: uuid.UUID, *, archived: bool = False) -> int:
    """How many agents a user has; those that were put away only count where that is said."""
    query = select(func.count()).select_from(Agent).where(Agent.user_id == user)
    return await db.scalar(query if archived else query.where(Agent.archived_at.is_(None))) or 0


def require_in_use(agent: Agent) -> None:
    """Raises ArchivedAgent for one that was put away: nothing of it is changed but that."""
    if agent.archived_at is not None:
        raise ArchivedAgent
