"""Make agents and publish versions of them. A version is never changed: a running call keeps the one it began with."""

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts import audit
from talktime.agents.models import Agent, AgentVersion
from talktime.agents.opening_hours import OpeningHours
from talktime.errors import NotFound
from talktime.speech.contract import Brief, Entry


@dataclass(frozen=True, slots=True)
class Draft:
    """Everything that a version says."""

    greeting: str
    instructions: str = ""
    voice: str = ""
    hours: OpeningHours | None = None
    answers_after_hours: bool = True
    entries: Sequence[Entry] = ()
    phrases: Sequence[str] = ()
    turn_settings: dict[str, Any] = field(default_factory=dict)
    fallback: dict[str, Any] = field(default_factory=dict)
    call_seconds_max: int = 1800


async def create(
    db: AsyncSession,
    user: uuid.UUID,
    *,
    name: str,
    business: str,
    language: str,
    zone: str,
    actor: uuid.UUID | None = None,
) -> Agent:
    """A new agent; it answers nothing before a version of it is published.

    `actor` is the operator when the customer does not do it.
    """
    agent = Agent(user_id=user, name=name, business=business, language=language, zone=zone)
    db.add(agent)
    await db.flush()
    await audit.record(db, user, actor or user, "agent.made", after={"agent_id": str(agent.id)})
    return agent


async def publish(
    db: AsyncSession, user: uuid.UUID, agent_id: uuid.UUID, draft: Draft, *, actor: uuid.UUID | None = None
) -> int:
    """Publish the next version of an agent; gives its number. Calls that ring from now on get it.

    `actor` is the operator when the customer does not do it.
    """
    agent = (
        await db.execute(select(Agent).where(Agent.user_id == user, Agent.id == agent_id).with_for_update())
    ).scalar_one_or_none()
    if agent is None:
        raise NotFound("There is no such agent.")
    newest = await db.scalar(
        select(func.max(AgentVersion.version_no)).where(AgentVersion.user_id == user, AgentVersion.agent_id == agent_id)
    )
    version_no = (newest or 0) + 1
    db.add(
        AgentVersion(
            user_id=user,
            agent_id=agent_id,
            version_no=version_no,
            greeting=draft.greeting,
            instructions=draft.instructions,
            voice=draft.voice,
            hours=draft.hours.to_json() if draft.hours else {},
            answers_after_hours=draft.answers_after_hours,
            knowledge=[{**asdict(entry), "questions": list(entry.questions)} for entry in draft.entries],
            phrases=list(draft.phrases),
            turn_settings=draft.turn_settings,
            fallback=draft.fallback,
            call_seconds_max=draft.call_seconds_max,
        )
    )
    await db.flush()
    before: dict[str, audit.Value] = {"version": agent.published_version}
    agent.published_version = version_no
    await db.flush()
    after: dict[str, audit.Value] = {"agent_id": str(agent_id), "version": version_no}
    await audit.record(db, user, actor or user, "agent.published", before=before, after=after)
    return version_no


async def read_version(
    db: AsyncSession, user: uuid.UUID, agent_id: uuid.UUID, version_no: int
) -> tuple[Agent, AgentVersion]:
    """An agent and one of its versions. Raises NotFound."""
    row = (
        await db.execute(
            select(Agent, AgentVersion)
            .join(AgentVersion, (AgentVersion.user_id == Agent.user_id) & (AgentVersion.agent_id == Agent.id))
            .where(Agent.user_id == user, Agent.id == agent_id, AgentVersion.version_no == version_no)
        )
    ).first()
    if row is None:
        raise NotFound("There is no such version of this agent.")
    agent, version = row
    return agent, version


def opening_hours(version: AgentVersion) -> OpeningHours | None:
    """When the business is open, as this version says; None when it does not say."""
    return OpeningHours.from_json(version.hours) if version.hours else None


def brief_of(agent: Agent, version: AgentVersion) -> Brief:
    """What speech and language providers may know of the agent."""
    hours = opening_hours(version)
    return Brief(
        key=f"{agent.id}:{version.version_no}",
        business=agent.business,
        language=agent.language,
        voice=version.voice,
        greeting=version.greeting,
        instructions=version.instructions,
        entries=tuple(
            Entry(key=entry["key"], questions=tuple(entry["questions"]), answer=entry["answer"])
            for entry in version.knowledge
        ),
        hours=hours.spoken(agent.language) if hours else {},
        phrases=tuple(version.phrases),
    )
