"""Shapes of `purchases`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

from talktime_client._values import OpenEnum


class PurchaseKind(OpenEnum):
    """How a purchase came about."""

    CHECKOUT = "CHECKOUT"
    TOP_UP = "TOP_UP"


class PurchaseState(OpenEnum):
    """How far a purchase came. Credits are granted when it is PAID, never because it was completed."""

    OPEN = "OPEN"
    PENDING = "PENDING"
    PAID = "PAID"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"


PurchaseStateName: TypeAlias = Literal["OPEN", "PENDING", "PAID", "FAILED", "EXPIRED"]


@dataclass(frozen=True, slots=True)
class Purchase:
    """Credits that were bought, or were going to be."""

    id: UUID
    kind: PurchaseKind
    state: PurchaseState
    """Credits are granted when it is PAID: PENDING means that the money is on its way."""
    pack_id: UUID | None
    name: str
    credits: int
    price_minor: int
    currency: str
    test: bool
    """No money moves: the payment company is in its test mode."""
    failure: str | None
    checkout_url: str | None
    """Where an open one can be paid."""
    expires_at: datetime | None
    paid_at: datetime | None
    credited_at: datetime | None
    reversed_credits: int
    """How many went back with a refund or a dispute."""
    created_at: datetime
