"""Shapes of `numbers`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from talktime_client._values import OpenEnum


class SelfTestLink(OpenEnum):
    """A link of the chain, in order."""

    CARRIER = "carrier"
    RING = "ring"
    ANSWER = "answer"
    MEDIA = "media"


@dataclass(frozen=True, slots=True)
class Number:
    """A phone number that is yours."""

    id: UUID
    number: str
    """E.164."""
    national: str
    """As it is dialled in its own country."""
    agent_id: UUID | None
    """Who answers."""
    capabilities: tuple[str, ...]
    assigned_at: datetime | None
    rent_credits: int
    """What it costs in a month; 0 is nothing."""
    rent_due_on: date | None
    """The day of the next rent, where you are."""
    rent_unpaid_since: str | None
    """Since when a rent could not be paid: two weeks later the number is released."""
    etag: str | None = field(default=None, compare=False)
    """The state that it is in, for `if_match`; None in a list."""


@dataclass(frozen=True, slots=True)
class ReleasedNumber:
    """A number that was yours."""

    id: UUID
    number: str


@dataclass(frozen=True, slots=True)
class SelfTest:
    """How far a call to the number came."""

    passed: tuple[SelfTestLink, ...]
    """The links of the chain that hold, in order."""
    broken: SelfTestLink | None
    """The first that does not; null when all do."""
    detail: str
    """What to do."""
    call_id: UUID | None
    """The call among yours; it costs what any call costs."""
