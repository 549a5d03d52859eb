"""Shapes of `admin_events`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias
from uuid import UUID

from talktime_client._values import OpenEnum


class ProviderEventState(OpenEnum):
    """How an event stands."""

    WAITING = "waiting"
    HANDLED = "handled"
    GIVEN_UP = "given_up"


ProviderEventStateName: TypeAlias = Literal["waiting", "handled", "given_up"]


@dataclass(frozen=True, slots=True)
class ProviderEvent:
    """An event of a provider, and how it stands."""

    id: UUID
    provider: str
    account: str
    event_id: str
    """The provider's own name of it."""
    kind: str
    state: ProviderEventState
    received_at: datetime
    handled_at: datetime | None
    verdict: str | None
    """What handling it came to."""
    error: str | None
    tries: int
    not_before: datetime
    waits_for: str | None
    """What must happen before it can be handled."""


@dataclass(frozen=True, slots=True)
class OpenedEvent:
    """An event with what it says, without the people in it."""

    event: ProviderEvent
    headers: Mapping[str, Any]
    body: str


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many events will be handled again, within seconds."""

    events: int
