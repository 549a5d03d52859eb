"""Shapes of `admin_reversals`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

from talktime_client._values import OpenEnum


class ReversalKind(OpenEnum):
    """Why money went back to a buyer."""

    REFUND = "REFUND"
    DISPUTE = "DISPUTE"


ReversalKindName: TypeAlias = Literal["REFUND", "DISPUTE"]


class ReversalState(OpenEnum):
    """How a refund (the first four) or a dispute (the others) stands."""

    PENDING = "PENDING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"
    OPENED = "OPENED"
    WITHDRAWN = "WITHDRAWN"
    REINSTATED = "REINSTATED"
    WON = "WON"
    LOST = "LOST"


@dataclass(frozen=True, slots=True)
class Reversal:
    """Money that went back, or that somebody wants back."""

    id: str
    user_id: UUID
    email: str
    purchase_id: UUID
    kind: ReversalKind
    state: ReversalState
    amount_minor: int
    currency: str
    reason: str
    created_at: datetime
