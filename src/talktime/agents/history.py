"""How an agent came to say what it says: its versions, each with who published it and what was changed with it.

The rule: nothing here is stored for itself. What changed is worked out from the versions, and who it was stands in the
audit log.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts.models import AuditEntry
from talktime.agents import content, reading
from talktime.agents.differences import Change, between
from talktime.agents.models import AgentVersion

_PUBLISHED = "agent.published"


@dataclass(frozen=True, slots=True)
class Publisher:
    """Who published a version, and from where."""

    actor: uuid.UUID | None
    """None for nobody who was signed in."""
    door: str
    """`web`, `api`, `command`, `worker`."""


@dataclass(frozen=True, slots=True)
class Step:
    """A version, and what it changed."""

    version_no: int
    created_at: datetime
    copied_from: int | None
    is_published: bool
    is_first: bool
    publisher: Publisher | None
    """None for one that was published before this was written down."""
    changes: tuple[Change, ...]
    """What differs from the version before; nothing for the first."""


async def steps(
    db: AsyncSession, user: uuid.UUID, agent_id: uuid.UUID, *, limit: int, before: int | None = None
) -> Sequence[Step]:
    """The versions of an agent, the newest first; `before` is the last one of the page before. Raises NoSuchAgent."""
    agent = await reading.agent_of(db, user, agent_id)
    query = (
        select(AgentVersion)
        .where(AgentVersion.user_id == user, AgentVersion.agent_id == agent_id)
        .order_by(AgentVersion.version_no.desc())
        .limit(limit + 1)
    )
    if before is not None:
        query = query.where(AgentVersion.version_no < before)
    versions = (await db.execute(query)).scalars().all()
    publishers = await publishers_of(db, user, agent_id)
    older = [*versions, None][1:]
    return [
        Step(
            version_no=version.version_no,
            created_at=version.created_at,
            copied_from=version.copied_from,
            is_published=version.version_no == agent.published_version,
            is_first=previous is None,
            publisher=publishers.get(version.version_no),
            changes=between(content.of_version(agent, previous), content.of_version(agent, version))
            if previous is not None
            else (),
        )
        for version, previous in list(zip(versions, older, strict=True))[:limit]
    ]


async def publishers_of(db: AsyncSession, user: uuid.UUID, agent_id: uuid.UUID) -> Mapping[int, Publisher]:
    """Who published each of the versions of an agent, as the audit log says."""
    query = select(AuditEntry.after, AuditEntry.actor_id, AuditEntry.door).where(
        AuditEntry.user_id == user,
        AuditEntry.act == _PUBLISHED,
        AuditEntry.after["agent_id"].astext == str(agent_id),
    )
    return {after["version"]: Publisher(actor, door) for after, actor, door in await db.execute(query) if after}
