"""The pool of phone numbers. A directory table: a number is unique in the whole system, and it can only point at an
agent of the user it is assigned to.
"""

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from talktime.accounts.models import User
from talktime.agents.models import Agent
from talktime.db.base import CreatedAt, Model, UpdatedAt, enum, new_id


class PhoneStatus(StrEnum):
    """Where a number is: in the pool, with a customer, or given back and resting."""

    AVAILABLE = "AVAILABLE"
    ASSIGNED = "ASSIGNED"
    RELEASED = "RELEASED"


class PhoneNumber(Model):
    """An E.164 number in the pool; at most one agent answers it."""

    __tablename__ = "phone_numbers"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    number: Mapped[str] = mapped_column(unique=True)
    status: Mapped[PhoneStatus] = mapped_column(
        enum(PhoneStatus, "phone_status"), default=PhoneStatus.AVAILABLE, server_default=PhoneStatus.AVAILABLE.value
    )
    user_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))
    agent_id: Mapped[uuid.UUID | None]
    carrier: Mapped[str]
    carrier_number_id: Mapped[str | None]
    capabilities: Mapped[list[Any]] = mapped_column(default=list, server_default=text("'[]'"))
    quarantine_until: Mapped[datetime | None]
    carrier_told: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'"))
    """What the carrier was last told about this number."""
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]

    user: Mapped[User | None] = relationship(lazy="raise", viewonly=True)
    agent: Mapped[Agent | None] = relationship(
        lazy="raise",
        viewonly=True,
        primaryjoin="and_(PhoneNumber.user_id == Agent.user_id, PhoneNumber.agent_id == Agent.id)",
        foreign_keys="[PhoneNumber.user_id, PhoneNumber.agent_id]",
    )

    __table_args__ = (
        ForeignKeyConstraint(["user_id", "agent_id"], ["agents.user_id", "agents.id"]),
        CheckConstraint(r"number ~ '^\+[1-9][0-9]{6,14}$'", name="e164"),
        CheckConstraint("(status = 'ASSIGNED') = (user_id IS NOT NULL)", name="assigned_has_user"),
        CheckConstraint("agent_id IS NULL OR user_id IS NOT NULL", name="agent_has_user"),
        CheckConstraint("status <> 'RELEASED' OR quarantine_until IS NOT NULL", name="released_rests"),
        Index("uq_phone_numbers_carrier_number", "carrier", "carrier_number_id", unique=True),
        Index("ix_phone_numbers_user_id_agent_id", "user_id", "agent_id"),
    )
