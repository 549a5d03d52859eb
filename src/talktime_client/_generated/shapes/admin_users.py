"""Shapes of `admin_users`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

from talktime_client._generated.shapes.account import Role
from talktime_client._values import OpenEnum


class UserStatus(OpenEnum):
    """Whether somebody may do it at the moment."""

    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    CLOSED = "CLOSED"


UserStatusName: TypeAlias = Literal["ACTIVE", "SUSPENDED", "CLOSED"]


@dataclass(frozen=True, slots=True)
class Closed:
    """What came of closing an account."""

    hung_up: int
    """Calls that the carrier took the end of."""
    left: tuple[UUID, ...]
    """Calls that are not settled yet; close again to see how they stand."""
    checkouts: int
    card_is_gone: bool
    """False: the payment company did not answer. Close again to ask it again."""
    balance: int
    """What is left, to be paid out."""


@dataclass(frozen=True, slots=True)
class OpenedPerson:
    """Somebody, with what they have."""

    id: UUID
    email: str
    name: str
    role: Role
    status: UserStatus
    locale: str
    zone: str
    has_second_factor: bool
    balance: int
    created_at: datetime
    last_seen_at: datetime | None
    """In a browser that is still signed in."""
    is_confirmed: bool
    """A link to their address was opened."""
    closed_at: datetime | None
    sessions: int
    api_keys: int
    blocked_reason: str | None
    numbers: tuple[str, ...]
    agents: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who has an account, in a list of many."""

    id: UUID
    email: str
    name: str
    role: Role
    status: UserStatus
    locale: str
    zone: str
    has_second_factor: bool
    balance: int
    created_at: datetime
    last_seen_at: datetime | None
    """In a browser that is still signed in."""
