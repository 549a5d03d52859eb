"""Shapes of `admin_packs`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class AdminPack:
    """A pack of credits, also one that is not on sale."""

    id: UUID
    name: str
    credits: int
    price_minor: int
    currency: str
    position: int
    active: bool
    created_at: datetime
    etag: str | None = field(default=None, compare=False)
    """The state that it is in, for `if_match`; None in a list."""
