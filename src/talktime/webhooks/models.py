"""A customer's endpoints, what is to be told to them, and each time that was tried.

A delivery is one event for one endpoint; it is the job of telling it, written in the transaction of the fact. What is
put together of a call, and what a receiver answered, may hold what a caller said: both are emptied when they are
forgotten (`sql/30_privacy.sql`), and everything of a delivery goes after 30 days.
"""

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Text,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from talktime.db.base import CreatedAt, Model, enum, new_id


class DisabledReason(StrEnum):
    """Why nothing is sent to an endpoint."""

    OWNER = "OWNER"
    """Its owner switched it off."""
    GONE = "GONE"
    """It answered 410: nobody is there any more."""
    FAILING = "FAILING"
    """An event failed to the end of the ladder, or nothing but failed for days."""


class DeliveryState(StrEnum):
    """What became of one event at one endpoint."""

    PENDING = "PENDING"
    """To be sent, or to be tried again."""
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"
    """The whole ladder was climbed in vain."""
    SKIPPED = "SKIPPED"
    """The endpoint was switched off when it happened, or before it was delivered."""


class WebhookEndpoint(Model):
    """Where a customer wants to be told of what happens."""

    __tablename__ = "webhook_endpoints"

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    url: Mapped[str]
    description: Mapped[str] = mapped_column(default="", server_default="")
    events: Mapped[list[str]] = mapped_column(ARRAY(Text))
    """Types, groups as `call.*`, or `*`: `events.WANTED`."""
    secret: Mapped[bytes]
    """What signs, sealed (`signing.py`)."""
    old_secret: Mapped[bytes | None]
    """What signs beside it until `old_secret_until`, so that a receiver can change over."""
    old_secret_until: Mapped[datetime | None]
    revision: Mapped[int] = mapped_column(default=1, server_default=text("1"))
    """Goes up when its owner changes it, or it is switched on or off."""
    disabled_at: Mapped[datetime | None]
    disabled_reason: Mapped[DisabledReason | None] = mapped_column(enum(DisabledReason, "webhook_disabled_reason"))
    deleted_at: Mapped[datetime | None]
    """The row stays as long as the log of its deliveries, without address and secret."""
    created_at: Mapped[CreatedAt]

    free_at: Mapped[CreatedAt]
    """Nothing is sent before: until then somebody is sending at most, or the receiver asked for a rest."""
    last_sequence: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    """The number of the last event that was sent for the first time; without a gap."""
    delivered_at: Mapped[datetime | None]
    """When something was delivered last."""
    failing_since: Mapped[datetime | None]
    """When the first of the failures was that nothing was delivered after; None while all is well."""
    failures: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    """How many tries failed since something was delivered."""

    __table_args__ = (
        CheckConstraint("length(url) <= 2000 AND length(description) <= 200", name="texts"),
        CheckConstraint("cardinality(events) BETWEEN 1 AND 50", name="events"),
        CheckConstraint("(disabled_at IS NULL) = (disabled_reason IS NULL)", name="disabled"),
        CheckConstraint("(old_secret IS NULL) = (old_secret_until IS NULL)", name="old_secret"),
        CheckConstraint("deleted_at IS NULL OR url = ''", name="deleted_is_empty"),
        CheckConstraint("last_sequence >= 0 AND failures >= 0 AND revision >= 1", name="counts"),
        CheckConstraint("(failing_since IS NULL) = (failures = 0)", name="failing"),
        Index("ix_webhook_endpoints_deleted", "deleted_at", postgresql_where=text("deleted_at IS NOT NULL")),
    )


class WebhookEvent(Model):
    """Something that happened and that somebody wants to hear of. Kept for 30 days."""

    __tablename__ = "webhook_events"

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    type: Mapped[str]
    data: Mapped[dict[str, Any]]
    """Ids, states and sums."""
    call_id: Mapped[uuid.UUID | None]
    """The call that it is about, whose caller may be forgotten."""
    body: Mapped[str | None]
    """The data as it is sent, as JSON; put together when it is first sent, so that every try sends the same."""
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        CheckConstraint("length(type) BETWEEN 1 AND 100 AND jsonb_typeof(data) = 'object'", name="texts"),
        CheckConstraint("octet_length(body) <= 20480", name="body"),
        Index("ix_webhook_events_user_id_created_at", "user_id", "created_at", "id"),
        Index("ix_webhook_events_user_id_call_id", "user_id", "call_id", postgresql_where=text("call_id IS NOT NULL")),
        Index("ix_webhook_events_created_at", "created_at"),
    )


class WebhookDelivery(Model):
    """One event for one endpoint, until it is delivered or given up."""

    __tablename__ = "webhook_deliveries"

    user_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    endpoint_id: Mapped[uuid.UUID]
    event_id: Mapped[uuid.UUID]
    state: Mapped[DeliveryState] = mapped_column(
        enum(DeliveryState, "webhook_delivery_state"),
        default=DeliveryState.PENDING,
        server_default=DeliveryState.PENDING.value,
    )
    sequence: Mapped[int | None] = mapped_column(BigInteger)
    """Which of its endpoint's events it is, in the order of the first tries; None before that."""
    tries: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    """How far up the ladder it is; a replay begins below."""
    attempts: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    """How often it was tried in all."""
    due_at: Mapped[datetime | None]
    """When it is to be tried; None when it is not any more."""
    ended_at: Mapped[datetime | None]
    """When it was delivered or given up."""
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        ForeignKeyConstraint(["user_id", "endpoint_id"], ["webhook_endpoints.user_id", "webhook_endpoints.id"]),
        ForeignKeyConstraint(["user_id", "event_id"], ["webhook_events.user_id", "webhook_events.id"]),
        Index("uq_webhook_deliveries_user_id_event_id_endpoint_id", "user_id", "event_id", "endpoint_id", unique=True),
        CheckConstraint("(state = 'PENDING') = (due_at IS NOT NULL)", name="pending_is_due"),
        CheckConstraint("(state = 'PENDING') = (ended_at IS NULL)", name="ended"),
        CheckConstraint("tries >= 0 AND attempts >= tries", name="counts"),
        CheckConstraint("attempts = 0 OR sequence IS NOT NULL", name="sequence"),
        # What waits, endpoint by endpoint: the sender goes from one to the next.
        Index(
            "ix_webhook_deliveries_due",
            "user_id",
            "endpoint_id",
            "due_at",
            "id",
            postgresql_where=text("due_at IS NOT NULL"),
        ),
        Index("ix_webhook_deliveries_endpoint", "user_id", "endpoint_id", "created_at", "id"),
        Index(
            "ix_webhook_deliveries_failed",
            "user_id",
            "endpoint_id",
            "created_at",
            "id",
            postgresql_where=text("state IN ('FAILED', 'SKIPPED')"),
        ),
    )


class WebhookAttempt(Model):
    """One try to deliver, written down before it begins; without an end while it goes on, or when its process died."""

    __tablename__ = "webhook_attempts"

    user_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    delivery_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    attempt_no: Mapped[int] = mapped_column(primary_key=True)
    began_at: Mapped[CreatedAt]
    milliseconds: Mapped[int | None]
    status: Mapped[int | None]
    """The HTTP status of the answer; None when there was none."""
    answer: Mapped[str | None]
    """The first of the answer's body; emptied when a caller is forgotten."""
    error: Mapped[str | None]
    """Why it failed, in words; None when it did not."""

    __table_args__ = (
        ForeignKeyConstraint(["user_id", "delivery_id"], ["webhook_deliveries.user_id", "webhook_deliveries.id"]),
        CheckConstraint("attempt_no >= 1 AND milliseconds >= 0", name="counts"),
        CheckConstraint("status BETWEEN 100 AND 999", name="status"),
        CheckConstraint("octet_length(answer) <= 16384 AND length(error) <= 500", name="texts"),
    )
