"""Shapes of `top_up`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Card:
    """A card that the payment company keeps."""

    brand: str
    last4: str
    expires_month: int | None
    expires_year: int | None


@dataclass(frozen=True, slots=True)
class TopUp:
    """What may be charged to the saved card when the credit runs low."""

    enabled: bool
    threshold: int | None
    """Below so many free credits the card is charged."""
    pack_id: UUID | None
    credits: int | None
    price_minor: int | None
    """The pack's price as it was agreed to: at another one nothing is charged."""
    currency: str | None
    ceiling_minor: int | None
    """The most that is charged in a month."""
    consented_at: datetime | None
    card: Card | None
    """Null: buy something once with `save_card` first."""
    declines: int
    not_before: datetime | None
    """After a decline nothing is tried before."""
    stopped_reason: str | None
    """Why it was switched off without the customer: `declined`, `pack_changed`."""
    etag: str | None = field(default=None, compare=False)
    """The state that it is in, for `if_match`; None in a list."""
