"""Shapes of `admin_numbers`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal, TypeAlias
from uuid import UUID

from talktime_client._values import OpenEnum


class CarrierPhase(OpenEnum):
    """How far database and carrier agree on a number."""

    AGREED = "AGREED"
    WANTED = "WANTED"
    REFUSED = "REFUSED"
    GONE = "GONE"


CarrierPhaseName: TypeAlias = Literal["AGREED", "WANTED", "REFUSED", "GONE"]


class PhoneStatus(OpenEnum):
    """Where a number is: in the pool, with a customer, given back and resting, or the carrier's again."""

    AVAILABLE = "AVAILABLE"
    ASSIGNED = "ASSIGNED"
    RELEASED = "RELEASED"
    RETURNED = "RETURNED"


PhoneStatusName: TypeAlias = Literal["AVAILABLE", "ASSIGNED", "RELEASED", "RETURNED"]


@dataclass(frozen=True, slots=True)
class PoolNumber:
    """A number of the pool."""

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
    status: PhoneStatus
    user_id: UUID | None
    owner_id: UUID | None
    """The customer who brought it along: nobody else gets it."""
    carrier: str
    carrier_number_id: str | None
    """Null: it was added by hand, and nobody tells the carrier where it rings."""
    carrier_phase: CarrierPhase
    carrier_error: str | None
    quarantine_until: datetime | None
    created_at: datetime
    etag: str | None = field(default=None, compare=False)
    """The state that it is in, for `if_match`; None in a list."""
