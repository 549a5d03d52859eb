"""Shapes of `number_proofs`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class NumberProof:
    """Your word that a number is yours, and whether it is proven."""

    id: UUID
    number: str
    expires_at: datetime
    """Until when the code is good."""
    proven_at: datetime | None
    ended_at: datetime | None
    """When it stopped to count: the code was wrong too often, or somebody proved the number later."""
    error: str | None
    """Why we could not call."""
    created_at: datetime
