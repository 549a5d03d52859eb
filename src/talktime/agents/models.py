"""A receptionist and what it was published as. A running call keeps the version it began with."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from talktime.accounts.models import User
from talktime.db.base import CreatedAt, Model, UpdatedAt, new_id


class Agent(Model):
    """A configured receptionist."""

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
    greeting: Mapped[str]
    instructions: Mapped[str] = mapped_column(default="", server_default="")
    voice: Mapped[str] = mapped_column(default="", server_default="")
    hours: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    """Opening hours, as `agents.opening_hours` reads them."""
    answers_after_hours: Mapped[bool] = mapped_column(server_default=text("true"), default=True)
    """False: outside the opening hours the caller hears the fallback ladder, and nothing is charged."""
    knowledge: Mapped[list[Any]] = mapped_column(server_default=text("'[]'"))
    phrases: Mapped[list[Any]] = mapped_column(server_default=text("'[]'"))
    tools: Mapped[list[Any]] = mapped_column(default=list, server_default=text("'[]'"))
    """What the agent may do beside what every agent can."""
    turn_settings: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    fallback: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    """What a caller hears when the agent cannot talk, in the customer's own words: `{"texts": {"no_credit": "…"}}`."""
    call_seconds_max: Mapped[int] = mapped_column(default=1800, server_default=text("1800"))
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
        CheckConstraint("length(greeting) BETWEEN 1 AND 2000", name="greeting"),
        CheckConstraint("call_seconds_max BETWEEN 30 AND 14400", name="call_seconds_max"),
    )
