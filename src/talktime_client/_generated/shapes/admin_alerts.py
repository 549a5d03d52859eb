"""Shapes of `admin_alerts`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Alert:
    """What a person must see, until somebody acknowledges it."""

    id: UUID
    kind: str
    sentence: str
    """What happened, and what to do."""
    user_id: UUID | None
    detail: Mapping[str, Any]
    created_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    """The name of who did."""
    note: str | None
