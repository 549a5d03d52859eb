"""One phone call and what was said on it. The status only moves forward; the routing decision is stored, so that a
repeated ring gets the same answer.
"""

import uuid
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, ForeignKeyConstraint, Index
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, foreign, mapped_column, relationship, remote

from talktime.accounts.models import User
from talktime.agents.models import Agent
from talktime.credits.models import CreditHold, CreditTransaction
from talktime.db.base import CreatedAt, Credits, Model, enum, new_id
from talktime.numbers.models import PhoneNumber


class CallStatus(StrEnum):
    """Where a call stands: RINGING → IN_PROGRESS → COMPLETED | FAILED; RINGING → COMPLETED | NO_ANSWER | FAILED."""

    RINGING = "RINGING"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    NO_ANSWER = "NO_ANSWER"


class Direction(StrEnum):
    """Who called whom."""

    INBOUND = "INBOUND"
    OUTBOUND = "OUTBOUND"


class Party(StrEnum):
    """Whose turn it was."""

    CALLER = "CALLER"
    AGENT = "AGENT"


class CostKind(StrEnum):
    """What a provider is paid for."""

    AUDIO_SECONDS = "AUDIO_SECONDS"
    CHARACTERS = "CHARACTERS"
    PROMPT_TOKENS = "PROMPT_TOKENS"
    """Without the cached ones."""
    CACHED_TOKENS = "CACHED_TOKENS"
    COMPLETION_TOKENS = "COMPLETION_TOKENS"
    CARRIER_SECONDS = "CARRIER_SECONDS"


class Call(Model):
    """One phone call, from ring to receipt."""

    __tablename__ = "calls"

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    agent_id: Mapped[uuid.UUID | None]
    agent_version: Mapped[int | None]
    number_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("phone_numbers.id"))
    direction: Mapped[Direction] = mapped_column(enum(Direction, "call_direction"), default=Direction.INBOUND)
    parent_id: Mapped[uuid.UUID | None]
    """Of a leg to a person, the call whose agent put the caller through, or whose rung of the ladder did:
    `transfers.py`, `standing_in.py`."""
    resumes_id: Mapped[uuid.UUID | None]
    """Of a call whose caller came back to the agent: the leg that nobody answered."""
    carrier: Mapped[str]
    carrier_call_id: Mapped[str]
    """The carrier's name of it; "" of a leg that has none yet, or never got one."""
    caller: Mapped[str | None]
    """E.164; None when withheld, or emptied by retention. Of a leg, who is put through."""
    dialled: Mapped[str | None]
    status: Mapped[CallStatus] = mapped_column(
        enum(CallStatus, "call_status"), default=CallStatus.RINGING, server_default=CallStatus.RINGING.value
    )
    route: Mapped[str]
    """What the caller got: `talk`, or the rung of the fallback ladder."""
    started_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]
    """When our media stream was accepted; None when only the ladder answered."""
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str | None]
    seconds: Mapped[int | None]
    """Talk, by our clock, rounded up."""
    carrier_seconds: Mapped[int | None]
    summary: Mapped[str | None]
    outcome: Mapped[str | None]
    forgotten_at: Mapped[datetime | None]
    """When who called was forgotten: from then on nothing is kept of what is said, or reported (`40_privacy.sql`)."""
    created_at: Mapped[CreatedAt]

    user: Mapped[User] = relationship(lazy="raise", viewonly=True)
    agent: Mapped[Agent | None] = relationship(
        lazy="raise",
        viewonly=True,
        primaryjoin="and_(Call.user_id == Agent.user_id, Call.agent_id == Agent.id)",
        foreign_keys="[Call.user_id, Call.agent_id]",
    )
    number: Mapped[PhoneNumber | None] = relationship(lazy="raise", viewonly=True)
    hold: Mapped[CreditHold | None] = relationship(
        lazy="raise",
        viewonly=True,
        primaryjoin="and_(Call.user_id == CreditHold.user_id, Call.id == CreditHold.call_id)",
        foreign_keys="[CreditHold.user_id, CreditHold.call_id]",
        uselist=False,
    )
    lines: Mapped[list[CreditTransaction]] = relationship(
        lazy="raise",
        viewonly=True,
        primaryjoin="and_(Call.user_id == CreditTransaction.user_id, Call.id == CreditTransaction.call_id)",
        foreign_keys="[CreditTransaction.user_id, CreditTransaction.call_id]",
        order_by="CreditTransaction.seq",
    )
    turns: Mapped[list["Turn"]] = relationship(
        lazy="raise",
        viewonly=True,
        primaryjoin="and_(Call.user_id == Turn.user_id, Call.id == Turn.call_id)",
        foreign_keys="[Turn.user_id, Turn.call_id]",
        order_by="Turn.turn_no",
    )
    legs: Mapped[list["Call"]] = relationship(
        lazy="raise",
        viewonly=True,
        primaryjoin=lambda: (
            (Call.user_id == foreign(remote(Call.user_id))) & (Call.id == foreign(remote(Call.parent_id)))
        ),
        order_by=lambda: [Call.started_at, Call.id],
    )

    __table_args__ = (
        ForeignKeyConstraint(
            ["user_id", "agent_id", "agent_version"],
            ["agent_versions.user_id", "agent_versions.agent_id", "agent_versions.version_no"],
        ),
        ForeignKeyConstraint(["user_id", "parent_id"], ["calls.user_id", "calls.id"]),
        ForeignKeyConstraint(["user_id", "resumes_id"], ["calls.user_id", "calls.id"]),
        CheckConstraint("resumes_id IS NULL OR parent_id IS NULL AND resumes_id <> id", name="resumes_a_leg"),
        CheckConstraint("parent_id IS NULL OR direction = 'OUTBOUND' AND parent_id <> id", name="leg_goes_out"),
        CheckConstraint("carrier_call_id <> '' OR parent_id IS NOT NULL", name="named_or_leg"),
        CheckConstraint("(ended_at IS NOT NULL) = (status NOT IN ('RINGING', 'IN_PROGRESS'))", name="ended_is_over"),
        CheckConstraint("status <> 'IN_PROGRESS' OR answered_at IS NOT NULL", name="in_progress_was_answered"),
        CheckConstraint("status <> 'NO_ANSWER' OR answered_at IS NULL", name="no_answer_was_not_answered"),
        CheckConstraint("answered_at >= started_at AND ended_at >= started_at", name="times_in_order"),
        CheckConstraint("seconds >= 0 AND carrier_seconds >= 0", name="seconds"),
        Index("ix_calls_user_id_started_at", "user_id", "started_at", "id"),
        Index(
            "ix_calls_open",
            "user_id",
            "started_at",
            "id",
            postgresql_where=sql("status IN ('RINGING', 'IN_PROGRESS')"),
        ),
        # What lists may be filtered by (`history.py`), in the order that they are shown in. Comparing enums is not
        # leakproof, so a status is found by an index of its own only. Nearly every call ends as COMPLETED: for those
        # the index of all calls serves.
        Index("ix_calls_user_id_agent_id", "user_id", "agent_id", "started_at"),
        Index("ix_calls_user_id_number_id", "user_id", "number_id", "started_at"),
        Index("ix_calls_failed", "user_id", "started_at", "id", postgresql_where=sql("status = 'FAILED'")),
        Index("ix_calls_no_answer", "user_id", "started_at", "id", postgresql_where=sql("status = 'NO_ANSWER'")),
        Index(
            "ix_calls_user_id_outcome",
            "user_id",
            "outcome",
            "started_at",
            postgresql_where=sql("outcome IS NOT NULL"),
        ),
        # Nearly every call ends with somebody hanging up: for those the index of all calls serves.
        Index(
            "ix_calls_user_id_end_reason",
            "user_id",
            "end_reason",
            "started_at",
            "id",
            postgresql_where=sql("end_reason NOT IN ('caller_hung_up', 'agent_hung_up')"),
        ),
        # Everybody's, as the operator counts them.
        Index("ix_calls_started_at", "started_at"),
        Index("ix_calls_user_id_parent_id", "user_id", "parent_id", postgresql_where=sql("parent_id IS NOT NULL")),
        # A caller comes back from a leg once.
        Index(
            "uq_calls_resumes_id",
            "user_id",
            "resumes_id",
            unique=True,
            postgresql_where=sql("resumes_id IS NOT NULL"),
        ),
        # Legs that were given up without the carrier's word: the sweep asks on (`legs.py`).
        Index(
            "ix_calls_loose",
            "ended_at",
            postgresql_where=sql(
                "parent_id IS NOT NULL AND carrier_seconds IS NULL"
                " AND end_reason IN ('lost', 'never_answered', 'never_dialled')"
            ),
        ),
        # What one caller cost today: the spend guard reads it.
        Index("ix_calls_user_id_caller", "user_id", "caller", "started_at", postgresql_where=sql("caller IS NOT NULL")),
    )


class CallDirectory(Model):
    """How a repeated ring, a report or a media socket finds its call."""

    __tablename__ = "call_directory"

    carrier: Mapped[str] = mapped_column(primary_key=True)
    carrier_call_id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[uuid.UUID]
    call_id: Mapped[uuid.UUID]
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        # No foreign key to the call: a directory would live on another server of a cluster than the tenants' tables.
        Index("uq_call_directory_call", "user_id", "call_id", unique=True),
    )


class Turn(Model):
    """One side's stretch of speech: as heard, or as really spoken."""

    __tablename__ = "call_turns"

    user_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    call_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    turn_no: Mapped[int] = mapped_column(primary_key=True)
    speaker: Mapped[Party] = mapped_column(enum(Party, "call_party"))
    text: Mapped[str]
    began_ms: Mapped[int]
    """Since the call was answered."""
    ended_ms: Mapped[int]
    interrupted: Mapped[bool] = mapped_column(default=False, server_default=sql("false"))
    latency: Mapped[dict[str, int] | None] = mapped_column(JSONB(none_as_null=True))
    """Milliseconds since the caller's last word: `turn_decided`, `first_token`, `first_sentence`, `first_audio`."""
    tools: Mapped[list[Any]] = mapped_column(default=list, server_default=sql("'[]'"))
    sources: Mapped[list[Any]] = mapped_column(default=list, server_default=sql("'[]'"))
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        ForeignKeyConstraint(["user_id", "call_id"], ["calls.user_id", "calls.id"]),
        CheckConstraint("turn_no >= 1", name="turn_no"),
        CheckConstraint("began_ms >= 0 AND ended_ms >= began_ms", name="times"),
    )


class Correction(Model):
    """What the agent should have said instead: the customer's word on one of its turns. Goes when the turn goes."""

    __tablename__ = "turn_corrections"

    user_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    call_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    turn_no: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]
    agent_id: Mapped[uuid.UUID | None]
    """Whose turn it was, and in which version: the call's."""
    agent_version: Mapped[int | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
    settled_at: Mapped[datetime | None]
    """When the customer was done with it, such as by a new version of the agent."""

    __table_args__ = (
        ForeignKeyConstraint(
            ["user_id", "call_id", "turn_no"],
            ["call_turns.user_id", "call_turns.call_id", "call_turns.turn_no"],
            ondelete="CASCADE",
        ),
        CheckConstraint("length(text) BETWEEN 1 AND 1000", name="text"),
        Index(
            "ix_turn_corrections_open",
            "user_id",
            "agent_id",
            "updated_at",
            "call_id",
            "turn_no",
            postgresql_where=sql("settled_at IS NULL"),
        ),
    )


class UseDay(Model):
    """What was used on one day of a customer's zone with one agent. Written by `count_use_v1` alone."""

    __tablename__ = "use_days"

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    agent_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    """All zeros where no agent was to answer."""
    calls: Mapped[int]
    seconds: Mapped[int] = mapped_column(BigInteger)
    credits: Mapped[Credits]

    __table_args__ = (CheckConstraint("calls >= 0 AND seconds >= 0", name="counts"),)


class UseCount(Model):
    """How far a customer's days were counted, and with which line of the ledger. Written by `count_use_v1` alone."""

    __tablename__ = "use_counts"

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    zone: Mapped[str]
    """Whose days they are: in another zone they are others."""
    until: Mapped[datetime]
    """Calls that began before it are counted."""
    seq: Mapped[int] = mapped_column(BigInteger)
    """The newest line of the ledger that the counts know of."""


class OperatingQuarter(Model):
    """Everybody's calls that began in one quarter of an hour: so short that it is of one day in every zone there is."""

    __tablename__ = "operating_quarters"

    began: Mapped[datetime] = mapped_column(primary_key=True)
    calls: Mapped[int]
    seconds: Mapped[int] = mapped_column(BigInteger)
    credits: Mapped[Credits]
    earned: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """What the credits are worth, in millionths by currency, as `margins.py` reckons."""
    cost: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """In millionths by currency, as far as it is known."""
    unknown: Mapped[bool]
    """Some of the cost is not known."""
    estimated: Mapped[bool]

    __table_args__ = (CheckConstraint("calls >= 0 AND seconds >= 0", name="counts"),)


class CallCost(Model):
    """What one call used of one provider, and what that cost the operator. Customers may not read it.

    The functions in `sql/20_costs.sql` are the only ones that insert; a row is there once, however often it is told.
    """

    __tablename__ = "call_costs"

    user_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    call_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    provider: Mapped[str] = mapped_column(primary_key=True)
    """Who is paid, and for which model where prices differ by model: `twilio`, `openai/gpt-4.1-mini`."""
    kind: Mapped[CostKind] = mapped_column(enum(CostKind, "cost_kind"), primary_key=True)
    quantity: Mapped[int] = mapped_column(BigInteger)
    estimated: Mapped[bool]
    """The quantity, or a part of it, is our own guess: the provider did not say."""
    amount_micros: Mapped[int | None] = mapped_column(BigInteger)
    """Millionths of the currency's unit; None when nobody has said what it costs."""
    currency: Mapped[str | None]
    reported: Mapped[bool] = mapped_column(default=False, server_default=sql("false"))
    """The amount is the provider's own price, not one of our rates."""
    ask_at: Mapped[datetime | None]
    """When the provider is asked for its price; None when it never is, or not any more."""
    asked: Mapped[int] = mapped_column(default=0, server_default=sql("0"))
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        ForeignKeyConstraint(["user_id", "call_id"], ["calls.user_id", "calls.id"]),
        CheckConstraint("length(provider) BETWEEN 1 AND 200", name="provider"),
        CheckConstraint("quantity >= 0 AND amount_micros >= 0 AND asked >= 0", name="amounts"),
        CheckConstraint("(amount_micros IS NULL) = (currency IS NULL)", name="amount_has_currency"),
        CheckConstraint("NOT reported OR amount_micros IS NOT NULL", name="reported_is_known"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        Index("ix_call_costs_ask_at", "ask_at", postgresql_where=sql("ask_at IS NOT NULL")),
        Index("ix_call_costs_unknown", "provider", "kind", postgresql_where=sql("amount_micros IS NULL")),
    )


class CostRate(Model):
    """What a provider takes: so much money for so many units, from a moment on. None is changed; the newest wins."""

    __tablename__ = "cost_rates"

    provider: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[CostKind] = mapped_column(enum(CostKind, "cost_kind"), primary_key=True)
    valid_from: Mapped[datetime] = mapped_column(primary_key=True)
    units: Mapped[int] = mapped_column(BigInteger)
    """How many the amount pays for: 60 seconds, a million tokens."""
    amount_micros: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str]
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        CheckConstraint("length(provider) BETWEEN 1 AND 200", name="provider"),
        CheckConstraint("units BETWEEN 1 AND 1000000000", name="units"),
        CheckConstraint("amount_micros BETWEEN 0 AND 1000000000000", name="amount_micros"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
    )
