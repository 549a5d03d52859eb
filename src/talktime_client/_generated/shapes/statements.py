"""Shapes of `statements`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

from talktime_client._values import OpenEnum


class TransactionType(OpenEnum):
    """Why a line stands in the ledger."""

    PURCHASE = "PURCHASE"
    CALL_USAGE = "CALL_USAGE"
    GRACE_USAGE = "GRACE_USAGE"
    ADMIN_ADJUSTMENT = "ADMIN_ADJUSTMENT"
    REFUND = "REFUND"
    DISPUTE = "DISPUTE"


TransactionTypeName: TypeAlias = Literal[
    "PURCHASE", "CALL_USAGE", "GRACE_USAGE", "ADMIN_ADJUSTMENT", "REFUND", "DISPUTE"
]


@dataclass(frozen=True, slots=True)
class Month:
    """A month with a statement."""

    month: str
    is_over: bool
    """Nothing is added to it any more."""


@dataclass(frozen=True, slots=True)
class StatementLine:
    """A line of the ledger, with what it was for."""

    seq: int
    at: datetime
    type: TransactionType
    amount: int
    balance_after: int
    call_id: UUID | None
    purchase_id: UUID | None
    reference: str | None
    reason: str | None
    purchase_name: str | None
    invoice_id: UUID | None
    invoice_number: str | None


@dataclass(frozen=True, slots=True)
class Statement:
    """A month of the ledger: what there was, every line, what there is. Lines come a page at a time."""

    month: str
    zone: str
    begin: datetime
    end: datetime
    """The first moment that is not in it any more."""
    is_over: bool
    opening_balance: int
    closing_balance: int
    totals: Mapping[str, int]
    """The sum of the month's lines of each type that occurs."""
    data: tuple[StatementLine, ...]
    """Lines, the oldest first."""
    next_cursor: str | None
    has_more: bool
