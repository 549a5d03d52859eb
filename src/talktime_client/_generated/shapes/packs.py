"""Shapes of `packs`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Pack:
    """So many credits for so much money."""

    id: UUID
    name: str
    credits: int
    price_minor: int
    """In the currency's minor unit: 4900 is € 49.00. Taxes are in it."""
    currency: str
