"""Shapes of `admin_claims`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from talktime_client._generated.shapes.calls import ClaimState


@dataclass(frozen=True, slots=True)
class AdminClaim:
    """A customer's word that a call was not a real one."""

    user_id: UUID
    email: str
    call_id: UUID
    reason: str
    state: ClaimState
    automatic: bool
    credits: int
    seconds: int
    note: str | None
    created_at: datetime
    decided_at: datetime | None


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of a claim."""

    state: ClaimState
