"""Publish versions of agents. A version is never changed: a running call keeps the one it began with.

The rule: what is published is whole, and published in one step: the version, the agent that points at it, the draft
that it was, the entry in the audit log and the event for the customer's programs, or none of them.
"""

import uuid
from datetime import timedelta
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from talktime import webhooks
from talktime.accounts import audit
from talktime.agents import checking, content, drafts, limits, reading
from talktime.agents.content import Content
from talktime.agents.models import Agent, AgentDraft, AgentVersion
from talktime.agents.opening_hours import OpeningHours
from talktime.errors import Conflict, NotFound, TalktimeError


class OpenDraft(StrEnum):
    """What becomes of a draft when an older version is published again."""

    KEEP = "keep"
    DISCARD = "discard"


class NothingToPublish(Conflict):
    """The draft says what is published already: change it first."""


class DraftIsOpen(Conflict):
    """Somebody is writing a draft of this agent. Say what becomes of it (`draft`: keep, or discard)."""

    field = "draft"


class AlreadyPublished(Conflict):
    """That version is the one that is published."""


class TooManyVersions(TalktimeError):
    """You have published as often within a day as may be. What you wrote stays in the draft: publish it later."""

    status = 429
    retry_after = 3600


class NoSuchVersion(NotFound):
    """There is no such version of this agent."""


async def publish(
    db: AsyncSession, user: uuid.UUID, agent_id: uuid.UUID, said: Content, *, actor: uuid.UUID | None = None
) -> int:
    """Publish the next version of an agent, for who has what it says as values and no draft in the database; gives its
    number. Calls that ring from now on get it. Raises UnfitAgent.

    `actor` is the operator when the customer does not do it. A draft that is being written is thrown away.
    """
    agent, row = await _hold(db, user, agent_id)
    version_no = await _publish(db, agent, said, actor=actor)
    await drafts.close(db, row)
    return version_no


async def publish_draft(
    db: AsyncSession, user: uuid.UUID, agent_id: uuid.UUID, *, revision: int | None, actor: uuid.UUID | None = None
) -> int:
    """Publish what stands in the draft; gives the number of the version. `revision` is the draft that somebody saw, so
    that nobody publishes what another wrote a moment ago; None for whatever it is.

    Raises DraftChanged, UnfitAgent, NothingToPublish, ArchivedAgent, TooManyVersions.
    """
    agent, row = await _hold(db, user, agent_id)
    draft = drafts.require_revision(agent, row, revision)
    said = checking.tidied(draft.content)
    if agent.published is not None and said == content.of_version(agent, agent.published):
        raise NothingToPublish
    version_no = await _publish(db, agent, said, actor=actor)
    await drafts.close(db, row)
    return version_no


async def roll_back(
    db: AsyncSession,
    user: uuid.UUID,
    agent_id: uuid.UUID,
    version_no: int,
    *,
    open_draft: OpenDraft | None = None,
    actor: uuid.UUID | None = None,
) -> int:
    """Publish a copy of an older version as the next one; gives its number. While somebody is writing a draft,
    `open_draft` must say what becomes of it.

    Raises NoSuchVersion, AlreadyPublished, DraftIsOpen, UnfitAgent, ArchivedAgent, TooManyVersions.
    """
    agent, row = await _hold(db, user, agent_id)
    _, version = await read_version(db, user, agent_id, version_no)
    draft = drafts.current(agent, row)
    says_something = draft.is_open and (
        agent.published is None or draft.content != content.of_version(agent, agent.published)
    )
    if says_something and open_draft is None:
        raise DraftIsOpen
    if version_no == agent.published_version:
        raise AlreadyPublished
    published = await _publish(db, agent, content.of_version(agent, version), copied_from=version_no, actor=actor)
    if not says_something or open_draft is OpenDraft.DISCARD:
        await drafts.close(db, row)
    return published


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
        raise NoSuchVersion
    agent, version = row
    return agent, version


def opening_hours(version: AgentVersion) -> OpeningHours | None:
    """When the business is open, as this version says; None when it does not say."""
    return OpeningHours.from_json(version.hours) if version.hours else None


async def _hold(db: AsyncSession, user: uuid.UUID, agent_id: uuid.UUID) -> tuple[Agent, AgentDraft]:
    """An agent and its draft, which nobody else changes meanwhile: always in this order."""
    agent = await reading.locked(db, user, agent_id)
    reading.require_in_use(agent)
    return agent, await drafts.hold(db, agent)


async def _publish(
    db: AsyncSession, agent: Agent, said: Content, *, copied_from: int | None = None, actor: uuid.UUID | None
) -> int:
    said = checking.tidied(said)
    checking.require_fit(said)
    await checking.require_zone(db, said.zone)
    user, agent_id = agent.user_id, agent.id
    await _require_seldom(db, user)
    newest = await db.scalar(
        select(func.max(AgentVersion.version_no)).where(AgentVersion.user_id == user, AgentVersion.agent_id == agent_id)
    )
    version_no = (newest or 0) + 1
    db.add(
        AgentVersion(
            user_id=user,
            agent_id=agent_id,
            version_no=version_no,
            copied_from=copied_from,
            **content.columns(said),
        )
    )
    await db.flush()
    before: dict[str, audit.Value] = {"version": agent.published_version}
    agent.published_version = version_no
    agent.business, agent.language, agent.zone = said.business, said.language, said.zone
    await db.flush()
    after: dict[str, audit.Value] = {"agent_id": str(agent_id), "version": version_no}
    if copied_from is not None:
        after["copied_from"] = copied_from
    await audit.record(db, user, actor or user, "agent.published", before=before, after=after)
    await webhooks.emit(db, user, "agent.published", {"agent_id": agent_id, "version": version_no})
    return version_no


async def _require_seldom(db: AsyncSession, user: uuid.UUID) -> None:
    lately = AgentVersion.created_at > func.now() - timedelta(days=1)
    count = await db.scalar(select(func.count()).where(AgentVersion.user_id == user, lately))
    if (count or 0) >= limits.VERSIONS_A_DAY_MAX:
        raise TooManyVersions
