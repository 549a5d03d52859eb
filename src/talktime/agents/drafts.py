"""Drafts that save themselves: what somebody is writing for an agent, a few fields at a time.

The rules: who saves says which revision they saw, and one that is not the newest is refused with what was changed
since; a save is whole or nothing. A draft reaches no caller, so its saves are not in the audit log: its publishing is.
"""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts import audit
from talktime.agents import checking, content, reading
from talktime.agents.content import FIELDS, Content
from talktime.agents.models import Agent, AgentDraft
from talktime.errors import Conflict

_TOLD_LENGTH_MAX = 200


@dataclass(frozen=True, slots=True)
class CurrentDraft:
    """What stands in the draft of an agent; while nobody writes one, what is published."""

    agent_id: uuid.UUID
    revision: int
    """To be sent with the next save. Grows with every change, also of what is published."""
    is_open: bool
    """Whether something is being written; False when this is what is published."""
    content: Content
    based_on: int | None
    """The version that it began from; None for one that began from nothing, or from a template."""
    saved_by: uuid.UUID | None
    saved_at: datetime | None


class DraftChanged(Conflict):
    """Somebody else changed this draft since you read it: look at it again, then save with its new revision."""

    status = 412  # what a save says it saw is a precondition of it

    def __init__(self, current: CurrentDraft, changed: Mapping[str, Any] | None) -> None:
        if changed is None:
            super().__init__("This draft was published or discarded since you read it: read it again, then begin anew.")
        else:
            super().__init__(
                f"Somebody else changed {', '.join(changed)} since you read this draft: look at it, then save yours"
                f" again with revision {current.revision}."
            )
        self.current = current
        self.changed = changed
        """What stands in the fields now that were changed since; None when the draft is another one altogether."""
        self.fields = {name: f"It is now {_told(value)}." for name, value in (changed or {}).items()}


async def read(db: AsyncSession, user: uuid.UUID, agent_id: uuid.UUID) -> CurrentDraft:
    """What stands in the draft. Raises NoSuchAgent."""
    agent = await reading.agent_of(db, user, agent_id)
    draft = await db.get(AgentDraft, (user, agent_id), populate_existing=True)
    return current(agent, draft)


async def read_to_change(db: AsyncSession, user: uuid.UUID, agent_id: uuid.UUID) -> CurrentDraft:
    """The same, which nobody else changes before this transaction ends: for who saves what they make of it. Raises
    NoSuchAgent, ArchivedAgent."""
    agent = await reading.agent_of(db, user, agent_id)
    reading.require_in_use(agent)
    draft = await hold(db, agent)
    return current(await reading.agent_of(db, user, agent_id), draft)


async def open_since(db: AsyncSession, user: uuid.UUID) -> Mapping[uuid.UUID, datetime]:
    """When each of the drafts was saved last that are being written, by agent."""
    query = select(AgentDraft.agent_id, AgentDraft.updated_at).where(
        AgentDraft.user_id == user, AgentDraft.content.is_not(None)
    )
    return {draft.agent_id: draft.updated_at for draft in await db.execute(query)}


async def save(
    db: AsyncSession,
    user: uuid.UUID,
    agent_id: uuid.UUID,
    sent: Mapping[str, Any],
    *,
    revision: int | None,
    actor: uuid.UUID | None = None,
) -> CurrentDraft:
    """Change these fields of the draft, which is begun from what is published if there is none; the others stay.

    `revision` is the one that the writer saw; None for whichever it is. Raises DraftChanged, UnfitAgent, ArchivedAgent.
    """
    agent = await reading.agent_of(db, user, agent_id)
    reading.require_in_use(agent)
    draft = await hold(db, agent)
    # Published meanwhile, it begins from that: so it is read under the lock.
    agent = await reading.agent_of(db, user, agent_id)
    before = current(agent, draft)
    after = checking.revised(before.content, sent)
    old, new = before.content.to_json(), after.to_json()
    changed = [name for name in FIELDS if old[name] != new[name]]
    if not changed:
        return before  # also for who saw another: a save whose answer was lost, and which comes again
    _require_seen(before, draft, revision)
    if "zone" in changed:
        await checking.require_zone(db, after.zone)
    if draft.content is None:
        draft.based_on, draft.touched = agent.published_version, {}
        draft.opened_revision = draft.revision + 1
    draft.revision += 1
    draft.content = new
    draft.touched = {**draft.touched, **dict.fromkeys(changed, draft.revision)}
    draft.saved_by = actor or user
    await db.flush()
    await db.refresh(draft, ["updated_at"])
    return current(agent, draft)


async def discard(
    db: AsyncSession, user: uuid.UUID, agent_id: uuid.UUID, *, revision: int | None, actor: uuid.UUID | None = None
) -> CurrentDraft:
    """Throw the draft away: what is published stands in it again. Raises DraftChanged."""
    agent = await reading.locked(db, user, agent_id)
    draft = await hold(db, agent)
    _require_seen(current(agent, draft), draft, revision)
    if draft.content is not None:
        await close(db, draft)
        after: dict[str, audit.Value] = {"agent_id": str(agent_id), "revision": draft.revision}
        await audit.record(db, user, actor or user, "agent.draft_discarded", after=after)
    return current(agent, draft)


async def open_first(db: AsyncSession, agent: Agent, said: Content, writer: uuid.UUID) -> None:
    """The draft of an agent that is being made."""
    db.add(
        AgentDraft(
            user_id=agent.user_id,
            agent_id=agent.id,
            revision=1,
            opened_revision=1,
            content=said.to_json(),
            saved_by=writer,
        )
    )
    await db.flush()


async def hold(db: AsyncSession, agent: Agent) -> AgentDraft:
    """The draft's row, which nobody else changes before this transaction ends."""
    whose = {"user_id": agent.user_id, "agent_id": agent.id}
    await db.execute(insert(AgentDraft).values(**whose).on_conflict_do_nothing())
    query = select(AgentDraft).filter_by(**whose).with_for_update().execution_options(populate_existing=True)
    return (await db.execute(query)).scalar_one()


async def close(db: AsyncSession, draft: AgentDraft) -> None:
    """Nothing is being written any more, or something else is published: whoever saw the revision before is told."""
    draft.revision += 1
    draft.content, draft.based_on, draft.touched, draft.saved_by = None, None, {}, None
    draft.opened_revision = draft.revision
    await db.flush()


def require_revision(agent: Agent, draft: AgentDraft, revision: int | None) -> CurrentDraft:
    """What stands in the draft, if it is what somebody saw. Raises DraftChanged."""
    found = current(agent, draft)
    _require_seen(found, draft, revision)
    return found


def current(agent: Agent, draft: AgentDraft | None) -> CurrentDraft:
    """What stands in the draft of an agent that was read with what is published of it."""
    stored = draft.content if draft is not None else None
    if stored is not None:
        said = content.from_stored(stored)
    elif agent.published is not None:
        said = content.of_version(agent, agent.published)
    else:
        said = Content(business=agent.business, language=agent.language, zone=agent.zone)
    return CurrentDraft(
        agent_id=agent.id,
        revision=draft.revision if draft else 0,
        is_open=stored is not None,
        content=said,
        based_on=draft.based_on if draft else None,
        saved_by=draft.saved_by if draft else None,
        saved_at=draft.updated_at if draft and stored is not None else None,
    )


def _require_seen(found: CurrentDraft, draft: AgentDraft, revision: int | None) -> None:
    if revision is None or revision == found.revision:
        return
    # The revision before the first one was what is published, which it began with.
    if not draft.opened_revision - 1 <= revision < found.revision or draft.content is None:
        raise DraftChanged(found, None)
    values = found.content.to_json()
    raise DraftChanged(found, {name: values[name] for name in FIELDS if draft.touched.get(name, 0) > revision})


def _told(value: object) -> str:
    """A value in a sentence; a long one only begins there."""
    said = json.dumps(value, ensure_ascii=False)
    return said if len(said) <= _TOLD_LENGTH_MAX else f"{said[:_TOLD_LENGTH_MAX]}…"
