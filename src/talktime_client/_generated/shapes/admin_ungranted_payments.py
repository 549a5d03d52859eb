"""Shapes of `admin_ungranted_payments`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class UngrantedPayment:
    """A payment that no credits were granted for; there is an alert about it."""

    gateway: str
    payment_id: str
    why: str
    user_id: UUID | None
    purchase_id: UUID | None
    amount_minor: int | None
    currency: str
    created_at: datetime
