"""The life of an agent: made, renamed, paused, put away, brought back.

The rules: an agent that is paused or put away answers no new call, and those that are going on go on; nothing of one is
ever deleted, because its calls point at it.
"""

import uuid
from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts import audit
from talktime.agents import checking, drafts, limits, reading, templates
from talktime.agents.content import Content
from talktime.agents.models import Agent
from talktime.agents.problems import FieldError, UnfitAgent
from talktime.errors import Conflict


class TooManyAgents(Conflict):
    """You have as many agents as you may have."""

    def __init__(self, agents_max: int) -> None:
        super().__init__(f"You have {agents_max} agents, which is as many as you may have: archive one of them first.")


class TooManyKept(Conflict):
    """You have made as many agents as are kept, with those that you put away: bring one of these back, and write a new
    draft for it."""


async def create(
    db: AsyncSession,
    user: uuid.UUID,
    *,
    name: str,
    business: str,
    language: str,
    zone: str,
    template: str | None = None,
    agents_max: int = limits.AGENTS_MAX,
    actor: uuid.UUID | None = None,
) -> Agent:
    """A new agent with a draft: a template's, or one that only says hello. It answers nothing before a version of it is
    published. Raises UnfitAgent, TooManyAgents, TooManyKept.

    `actor` is the operator when the customer does not do it.
    """
    name = checking.read_name(name)
    content = checking.revised(Content(), {"business": business, "language": language, "zone": zone})
    if not content.business.strip():
        raise UnfitAgent([FieldError("business", "Write what the business is called.")])
    await checking.require_zone(db, content.zone)
    if template is None:
        content = replace(content, greeting=templates.greeting_of(content.language, content.business))
    else:
        content = templates.find(template, content.language).content(content)
    await _require_room(db, user, agents_max)
    if await reading.count(db, user, archived=True) >= limits.AGENTS_KEPT_MAX:
        raise TooManyKept
    agent = Agent(user_id=user, name=name, business=content.business, language=content.language, zone=content.zone)
    db.add(agent)
    await db.flush()
    await drafts.open_first(db, agent, content, actor or user)
    after: dict[str, audit.Value] = {"agent_id": str(agent.id), "template": template}
    await audit.record(db, user, actor or user, "agent.made", after=after)
    return agent


async def change(
    db: AsyncSession,
    user: uuid.UUID,
    agent_id: uuid.UUID,
    *,
    name: str | None = None,
    active: bool | None = None,
    actor: uuid.UUID | None = None,
) -> Agent:
    """Rename an agent, pause it or have it answer again. Raises UnfitAgent, ArchivedAgent."""
    agent = await reading.locked(db, user, agent_id)
    reading.require_in_use(agent)
    name = agent.name if name is None else checking.read_name(name)
    active = agent.active if active is None else active
    if (name, active) == (agent.name, agent.active):
        return agent
    # What an agent is called is the customer's own word, so only that it changed is written down.
    before: dict[str, audit.Value] = {"active": agent.active}
    after: dict[str, audit.Value] = {"agent_id": str(agent_id), "active": active, "renamed": name != agent.name}
    agent.name, agent.active = name, active
    await _stored(db, agent)
    await audit.record(db, user, actor or user, "agent.changed", before=before, after=after)
    return agent


async def archive(db: AsyncSession, user: uuid.UUID, agent_id: uuid.UUID, *, actor: uuid.UUID | None = None) -> Agent:
    """Put an agent away: it answers no more, and stands in no list. Its draft, its versions and its calls stay. Again
    changes nothing."""
    agent = await reading.locked(db, user, agent_id)
    if agent.archived_at is not None:
        return agent
    before: dict[str, audit.Value] = {"active": agent.active}
    agent.active, agent.archived_at = False, datetime.now(UTC)
    await _stored(db, agent)
    await audit.record(db, user, actor or user, "agent.archived", before=before, after={"agent_id": str(agent_id)})
    return agent


async def restore(
    db: AsyncSession,
    user: uuid.UUID,
    agent_id: uuid.UUID,
    *,
    agents_max: int = limits.AGENTS_MAX,
    actor: uuid.UUID | None = None,
) -> Agent:
    """Bring an agent back. It is paused: whether it answers again is a decision of its own. Raises TooManyAgents."""
    await _require_room(db, user, agents_max, unless=agent_id)
    agent = await reading.locked(db, user, agent_id)
    if agent.archived_at is None:
        return agent
    agent.archived_at = None
    await _stored(db, agent)
    await audit.record(db, user, actor or user, "agent.restored", after={"agent_id": str(agent_id)})
    return agent


async def one_by_one(db: AsyncSession, user: uuid.UUID) -> None:
    """Whoever makes an agent for the same user at the same moment sees what the first one made: two at once do not both
    find the last place free."""
    await db.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"agents of {user}", 0))))


async def _require_room(db: AsyncSession, user: uuid.UUID, agents_max: int, *, unless: uuid.UUID | None = None) -> None:
    await one_by_one(db, user)
    if unless is not None and (await reading.agent_of(db, user, unless)).archived_at is None:
        return
    if await reading.count(db, user) >= agents_max:
        raise TooManyAgents(agents_max)


async def _stored(db: AsyncSession, agent: Agent) -> None:
    await db.flush()
    await db.refresh(agent, ["updated_at"])
