"""Shapes of `admin_purchases`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from talktime_client._generated.shapes.purchases import PurchaseKind, PurchaseState


@dataclass(frozen=True, slots=True)
class AdminPurchase:
    """A purchase, with its buyer."""

    id: UUID
    user_id: UUID
    email: str
    kind: PurchaseKind
    state: PurchaseState
    failure: str | None
    name: str
    credits: int
    amount_minor: int
    currency: str
    gateway: str
    test: bool
    reversed_credits: int
    payment_id: str | None
    created_at: datetime
    paid_at: datetime | None
