"""The pool of phone numbers, what is ordered for it, and whose own a number was proven to be.

Directory tables: a number is unique in the whole system, and it can only point at an agent of the user it is assigned
to. What the carrier is to know (`carrier_wanted`) is written with the fact; what it was told, when it said yes.
"""

import uuid
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from talktime.accounts.models import User
from talktime.agents.models import Agent
from talktime.carriers.numbers import NumberKind
from talktime.db.base import CreatedAt, Credits, Model, UpdatedAt, enum, new_id


class PhoneStatus(StrEnum):
    """Where a number is: in the pool, with a customer, given back and resting, or the carrier's again."""

    AVAILABLE = "AVAILABLE"
    ASSIGNED = "ASSIGNED"
    RELEASED = "RELEASED"
    RETURNED = "RETURNED"
    """We have given it up: it is kept only because calls and ledger lines name it."""


class CarrierPhase(StrEnum):
    """How far database and carrier agree on a number."""

    AGREED = "AGREED"
    """The carrier said yes to what is wanted; or nobody tells it, because the number was added by hand."""
    WANTED = "WANTED"
    """It is to be told, or was and did not answer: it is told again until it says yes or no."""
    REFUSED = "REFUSED"
    """It said no for good: a person must look."""
    GONE = "GONE"
    """It has no such number for us any more."""


class OrderState(StrEnum):
    """What became of an order."""

    ORDERED = "ORDERED"
    """Written down before the carrier is asked; it may be ours already."""
    BOUGHT = "BOUGHT"
    FAILED = "FAILED"


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
    carrier_wanted: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'"))
    """What it is to do: `{"rings": "here"}`, which becomes addresses when it is told, or `{"release": true}`."""
    carrier_phase: Mapped[CarrierPhase] = mapped_column(
        enum(CarrierPhase, "carrier_phase"), default=CarrierPhase.AGREED, server_default=CarrierPhase.AGREED.value
    )
    carrier_tries: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    carrier_try_at: Mapped[CreatedAt]
    """When it may be told again; moved ahead while somebody is at it."""
    carrier_error: Mapped[str | None]
    owner_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))
    """The customer who brought this number along: nobody else gets it, and it costs them no rent."""
    assigned_at: Mapped[datetime | None]
    rent_credits: Mapped[Credits] = mapped_column(BigInteger, default=0, server_default=text("0"))
    """What it costs the customer in a month, as it was when they got it; 0 is nothing."""
    rent_due_on: Mapped[date | None]
    """When the next rent is due, in the customer's zone; None when there is none."""
    rent_unpaid_since: Mapped[date | None]
    """Since when a rent that is due could not be paid."""
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]

    user: Mapped[User | None] = relationship(lazy="raise", viewonly=True, foreign_keys=[user_id])
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
        CheckConstraint("rent_credits BETWEEN 0 AND 1000000000", name="rent_credits"),
        Index("ix_phone_numbers_user_id_agent_id", "user_id", "agent_id"),
        Index("ix_phone_numbers_wanted", "carrier_try_at", postgresql_where=text("carrier_phase = 'WANTED'")),
        Index("ix_phone_numbers_rent", "rent_due_on", postgresql_where=text("rent_due_on IS NOT NULL")),
        Index("ix_phone_numbers_resting", "quarantine_until", postgresql_where=text("status = 'RELEASED'")),
    )


class NumberOrder(Model):
    """A number that an operator buys. The row is there before the carrier is asked, so that whatever dies in between,
    somebody looks whether it is ours."""

    __tablename__ = "number_orders"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    number: Mapped[str]
    carrier: Mapped[str]
    country: Mapped[str]
    kind: Mapped[NumberKind] = mapped_column(enum(NumberKind, "number_kind"))
    amount_micros: Mapped[int] = mapped_column(BigInteger)
    """What it costs in a month, as the operator was shown it: millionths of the currency's unit."""
    currency: Mapped[str]
    state: Mapped[OrderState] = mapped_column(enum(OrderState, "order_state"), default=OrderState.ORDERED)
    ordered_by: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    tries: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    """How often the carrier was asked to sell it."""
    try_at: Mapped[CreatedAt]
    """When somebody looks what became of it; moved ahead while somebody is at it."""
    number_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("phone_numbers.id"))
    error: Mapped[str | None]
    created_at: Mapped[CreatedAt]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint(r"number ~ '^\+[1-9][0-9]{6,14}$'", name="e164"),
        CheckConstraint("amount_micros >= 0 AND currency ~ '^[A-Z]{3}$'", name="price"),
        CheckConstraint("(state = 'ORDERED') = (finished_at IS NULL)", name="finished_at"),
        CheckConstraint("(state = 'BOUGHT') = (number_id IS NOT NULL)", name="number_id"),
        # Two operators who order the same number at the same moment: the second is told so.
        Index("uq_number_orders_ordered", "number", unique=True, postgresql_where=text("state = 'ORDERED'")),
        Index("ix_number_orders_try_at", "try_at", postgresql_where=text("state = 'ORDERED'")),
    )


class NumberProof(Model):
    """A customer says that a number is theirs, and proves it: we call it and say a code, which they tell us."""

    __tablename__ = "number_proofs"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    number: Mapped[str]
    code_hash: Mapped[bytes | None]
    """An HMAC over the proof's id and the code; gone when the proof is over."""
    tries: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    """Wrong codes so far."""
    carrier: Mapped[str]
    carrier_call_id: Mapped[str | None]
    error: Mapped[str | None]
    """Why we could not call."""
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[datetime]
    proven_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    """When it stopped to count: it failed, or somebody proved the number later."""

    __table_args__ = (
        CheckConstraint(r"number ~ '^\+[1-9][0-9]{6,14}$'", name="e164"),
        CheckConstraint("octet_length(code_hash) = 32", name="code_hash"),
        CheckConstraint("expires_at > created_at", name="expires_later"),
        Index(
            "uq_number_proofs_number",
            "number",
            unique=True,
            postgresql_where=text("proven_at IS NOT NULL AND ended_at IS NULL"),
        ),
        Index("ix_number_proofs_user_id", "user_id", "id"),
        Index("ix_number_proofs_number_created_at", "number", "created_at"),
    )
