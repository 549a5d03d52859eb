"""Shapes of `billing_details`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class BillingDetails:
    """What stands on the next invoice; what is empty is left out."""

    name: str
    address: str
    """Up to three lines."""
    country: str
    """Two letters: `DE`."""
    vat_id: str
    email: str
    """Of whoever keeps the books; nobody is written to there."""
    etag: str | None = field(default=None, compare=False)
    """The state that it is in, for `if_match`; None in a list."""
