"""Shapes of `transactions`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from talktime_client._generated.shapes.statements import TransactionType


@dataclass(frozen=True, slots=True)
class Transaction:
    """A line of the ledger. None is ever changed."""

    seq: int
    """Its number: 1 is the oldest, and none is left out."""
    type: TransactionType
    amount: int
    balance_after: int
    call_id: UUID | None
    purchase_id: UUID | None
    reference: str | None
    reason: str | None
    created_at: datetime
