"""Shapes of `admin_number_orders`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

from talktime_client._generated.shapes.admin_available_numbers import NumberKind
from talktime_client._values import OpenEnum


class OrderState(OpenEnum):
    """What became of an order."""

    ORDERED = "ORDERED"
    BOUGHT = "BOUGHT"
    FAILED = "FAILED"


OrderStateName: TypeAlias = Literal["ORDERED", "BOUGHT", "FAILED"]


@dataclass(frozen=True, slots=True)
class NumberOrder:
    """What became of an order."""

    id: UUID
    number: str
    carrier: str
    kind: NumberKind
    amount_micros: int
    currency: str
    state: OrderState
    """ORDERED: the carrier gave no answer yet. It is found out whether it was bought; order nothing again."""
    number_id: UUID | None
    error: str | None
    created_at: datetime
    finished_at: datetime | None
