"""What was published of an agent, and what differs from one version to another."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import load_only

from talktime.agents import content, drafts, reading
from talktime.agents.content import Content
from talktime.agents.differences import Change, between
from talktime.agents.models import AgentVersion
from talktime.agents.prompt import whole
from talktime.agents.publish import NoSuchVersion, read_version

Which = int | Literal["draft", "published"]
"""A version by its number, what is being written (else what is published), or what is published."""


async def page(
    db: AsyncSession, user: uuid.UUID, agent_id: uuid.UUID, *, limit: int, before: int | None = None
) -> Sequence[AgentVersion]:
    """The versions of an agent, the newest first, each without what it says; `before` is the last one of the page
    before. Raises NoSuchAgent."""
    await reading.agent_of(db, user, agent_id)
    query = (
        select(AgentVersion)
        .where(AgentVersion.user_id == user, AgentVersion.agent_id == agent_id)
        .options(load_only(AgentVersion.version_no, AgentVersion.copied_from, AgentVersion.created_at, raiseload=True))
        .order_by(AgentVersion.version_no.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(AgentVersion.version_no < before)
    return (await db.execute(query)).scalars().all()


async def said_by(db: AsyncSession, user: uuid.UUID, agent_id: uuid.UUID, which: Which) -> Content:
    """What a version says, or the draft. Raises NoSuchAgent, NoSuchVersion."""
    if which == "draft":
        return (await drafts.read(db, user, agent_id)).content
    agent = await reading.agent_of(db, user, agent_id)
    if which == "published":
        if agent.published is None:
            raise NoSuchVersion("No version of this agent is published.")
        return content.of_version(agent, agent.published)
    return content.of_version(*await read_version(db, user, agent_id, which))


async def diff(
    db: AsyncSession, user: uuid.UUID, agent_id: uuid.UUID, older: Which, newer: Which
) -> tuple[Change, ...]:
    """What differs, field by field. Raises NoSuchAgent, NoSuchVersion."""
    return between(
        await said_by(db, user, agent_id, older),
        await said_by(db, user, agent_id, newer),
    )


async def preview(
    db: AsyncSession, user: uuid.UUID, agent_id: uuid.UUID, *, at: datetime, which: Which = "draft"
) -> str:
    """The prompt as a model would be sent it on a call at that time. Raises NoSuchAgent, NoSuchVersion."""
    return whole(await said_by(db, user, agent_id, which), at)
