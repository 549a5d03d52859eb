"""Shapes of `webhooks`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias
from uuid import UUID

from talktime_client._values import OpenEnum


class DeliveryState(OpenEnum):
    """What became of one event at one endpoint."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"


DeliveryStateName: TypeAlias = Literal["PENDING", "DELIVERED", "FAILED", "SKIPPED"]


class DisabledReason(OpenEnum):
    """Why nothing is sent to an endpoint."""

    OWNER = "OWNER"
    GONE = "GONE"
    FAILING = "FAILING"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try."""

    attempt_no: int
    began_at: datetime
    milliseconds: int | None
    """Null while it goes on, or when our process died on it: then it is not known whether it arrived."""
    status: int | None
    answer: str | None
    """The first 4096 characters of what came back."""
    error: str | None


@dataclass(frozen=True, slots=True)
class DeliveriesReplayed:
    """How much is sent again."""

    count: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event at one endpoint, as a row of a list."""

    id: UUID
    event_id: str
    """The `webhook-id` of every try."""
    type: str
    state: DeliveryState
    """`PENDING` is to be tried at `due_at`; `SKIPPED` happened while the endpoint was switched off."""
    sequence: int | None
    """Which of this endpoint's events it is, in the order of the first tries."""
    attempts: int
    created_at: datetime
    """When it happened."""
    due_at: datetime | None
    ended_at: datetime | None
    last_attempt_at: datetime | None
    last_status: int | None
    last_error: str | None


@dataclass(frozen=True, slots=True)
class DeliveryOpened:
    """One event at one endpoint, with what was sent and every try."""

    id: UUID
    event_id: str
    """The `webhook-id` of every try."""
    type: str
    state: DeliveryState
    """`PENDING` is to be tried at `due_at`; `SKIPPED` happened while the endpoint was switched off."""
    sequence: int | None
    """Which of this endpoint's events it is, in the order of the first tries."""
    attempts: int
    created_at: datetime
    """When it happened."""
    due_at: datetime | None
    ended_at: datetime | None
    last_attempt_at: datetime | None
    last_status: int | None
    last_error: str | None
    body: str | None
    """What is sent, byte for byte; null before the first try, when its caller was forgotten, and for a key that may
    not
    read what it is about.
    """
    tries: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened and that an endpoint wanted to hear of."""

    id: str
    type: str
    created_at: datetime
    data: Mapping[str, Any]
    """The ids and sums of it; empty for a key that may not read what it is about."""


@dataclass(frozen=True, slots=True)
class EventType:
    """A type of event."""

    type: str
    description: str


@dataclass(frozen=True, slots=True)
class MadeSecret:
    """A new secret, with the only sight of it."""

    secret: str = field(repr=False)
    old_secret_until: datetime
    """Until then the old one signs as well, and none before it."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """An endpoint: where a program is told of what happens, and how that goes."""

    id: UUID
    url: str
    description: str
    events: tuple[str, ...]
    enabled: bool
    disabled_at: datetime | None
    disabled_reason: DisabledReason | None
    """Who switched it off: `OWNER` is you; `GONE`, it answered 410; `FAILING`, it failed for days."""
    old_secret_until: datetime | None
    """Until then the secret before signs as well."""
    created_at: datetime
    delivered_at: datetime | None
    """When something was delivered last."""
    failing_since: datetime | None
    """When the first of the failures was that nothing was delivered after."""
    failures: int
    waiting: int
    """How much is still to be sent; counted to 1000."""
    etag: str | None = field(default=None, compare=False)
    """The state that it is in, for `if_match`; None in a list."""


@dataclass(frozen=True, slots=True)
class MadeWebhook:
    """A new endpoint, with the only sight of its secret."""

    webhook: Webhook
    secret: str = field(repr=False)
    """Verifies what is sent, with any library for Standard Webhooks: `whsec_…`."""
