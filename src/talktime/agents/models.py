"""A receptionist, what it was published as, and the draft of what it is published as next.

The rule: a version is never changed, so a running call keeps the one it began with; and a draft says nothing to anybody
before it is published.
"""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from talktime.accounts.models import User
from talktime.db.base import CreatedAt, Model, UpdatedAt, new_id


class Agent(Model):
    """A configured receptionist. Business, language and zone are those that were published last."""

    __tablename__ = "agents"

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str]
    business: Mapped[str]
    language: Mapped[str] = mapped_column(default="en")
    zone: Mapped[str] = mapped_column(default="Europe/Berlin")
    active: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    archived_at: Mapped[datetime | None]
    published_version: Mapped[int | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]

    user: Mapped[User] = relationship(lazy="raise", viewonly=True)
    published: Mapped["AgentVersion | None"] = relationship(
        lazy="raise",
        viewonly=True,
        primaryjoin="and_(Agent.user_id == AgentVersion.user_id, Agent.id == AgentVersion.agent_id,"
        " Agent.published_version == AgentVersion.version_no)",
        foreign_keys="[Agent.user_id, Agent.id, Agent.published_version]",
    )

    __table_args__ = (
        ForeignKeyConstraint(
            ["user_id", "id", "published_version"],
            ["agent_versions.user_id", "agent_versions.agent_id", "agent_versions.version_no"],
            use_alter=True,
        ),
        CheckConstraint("length(name) BETWEEN 1 AND 200", name="name"),
        CheckConstraint("(TIMESTAMPTZ '2000-01-01 00:00+00' AT TIME ZONE zone) IS NOT NULL", name="zone"),
        CheckConstraint("archived_at IS NULL OR NOT active", name="archived_is_not_active"),
        Index("ix_agents_user_id_created_at", "user_id", "created_at", "id"),
    )


class AgentVersion(Model):
    """Everything a call needs, as it was published; never changed afterwards."""

    __tablename__ = "agent_versions"

    user_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    agent_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    version_no: Mapped[int] = mapped_column(primary_key=True)
    business: Mapped[str | None]
    """With language and zone: as it was published. None in versions older than these columns: then the agent's own."""
    language: Mapped[str | None]
    zone: Mapped[str | None]
    greeting: Mapped[str]
    instructions: Mapped[str] = mapped_column(default="", server_default="")
    facts: Mapped[str] = mapped_column(default="", server_default="")
    """What is true of the business, in the customer's words: address, parking, who works there."""
    tone: Mapped[str] = mapped_column(default="", server_default="")
    avoid: Mapped[str] = mapped_column(default="", server_default="")
    voice: Mapped[str] = mapped_column(default="", server_default="")
    hours: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    """Opening hours, as `agents.opening_hours` reads them."""
    answers_after_hours: Mapped[bool] = mapped_column(server_default=text("true"), default=True)
    """False: outside the opening hours the caller hears the fallback ladder, and nothing is charged."""
    knowledge: Mapped[list[Any]] = mapped_column(server_default=text("'[]'"))
    phrases: Mapped[list[Any]] = mapped_column(server_default=text("'[]'"))
    tools: Mapped[list[Any]] = mapped_column(default=list, server_default=text("'[]'"))
    """What the agent may do beside what every agent can."""
    withheld: Mapped[list[Any]] = mapped_column(default=list, server_default=text("'[]'"))
    """What every agent can, and this one may not."""
    people: Mapped[list[Any]] = mapped_column(default=list, server_default=text("'[]'"))
    """To whom the agent may put callers through: `[{"name": "…", "number": "+49…"}]`."""
    turn_settings: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    fallback: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    """What a caller gets when the agent cannot talk, by the reason: the customer's own words, somebody who is rung
    instead. `{"texts": {"no_credit": "…"}, "forward": {"after_hours": "+49…"}}`."""
    call_seconds_max: Mapped[int] = mapped_column(default=1800, server_default=text("1800"))
    copied_from: Mapped[int | None]
    """The version that was rolled back to; None for one that was a draft before."""
    created_at: Mapped[CreatedAt]

    agent: Mapped[Agent] = relationship(
        lazy="raise",
        viewonly=True,
        primaryjoin="and_(Agent.user_id == AgentVersion.user_id, Agent.id == AgentVersion.agent_id)",
        foreign_keys="[AgentVersion.user_id, AgentVersion.agent_id]",
    )

    __table_args__ = (
        ForeignKeyConstraint(["user_id", "agent_id"], ["agents.user_id", "agents.id"]),
        CheckConstraint("version_no >= 1", name="version_no"),
        CheckConstraint("copied_from < version_no", name="copied_from"),
        CheckConstraint("length(greeting) BETWEEN 1 AND 2000", name="greeting"),
        CheckConstraint("call_seconds_max BETWEEN 30 AND 14400", name="call_seconds_max"),
    )


class AgentDraft(Model):
    """What somebody is writing for an agent. The row stays when the draft is published or thrown away, so that its
    revision only ever grows: who holds an old one is told."""

    __tablename__ = "agent_drafts"

    user_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    agent_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    revision: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    """Counts every change, also of what is published: the draft begins with that."""
    content: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """Everything it says, as `agents.content` reads it; None when nothing is being written."""
    based_on: Mapped[int | None]
    """The version that it began from."""
    opened_revision: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    """The first revision of what is being written now."""
    touched: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'"))
    """In which revision each field was changed last: how somebody who comes too late learns what."""
    saved_by: Mapped[uuid.UUID | None]
    updated_at: Mapped[UpdatedAt]

    __table_args__ = (
        ForeignKeyConstraint(["user_id", "agent_id"], ["agents.user_id", "agents.id"]),
        CheckConstraint("revision >= opened_revision AND opened_revision >= 0", name="revision"),
        CheckConstraint("jsonb_typeof(content) = 'object'", name="content"),
    )
