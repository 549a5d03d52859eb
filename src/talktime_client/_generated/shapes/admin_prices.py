"""Shapes of `admin_prices`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

from talktime_client._values import OpenEnum


class PriceKind(OpenEnum):
    """What a price is for."""

    CALL = "CALL"
    TRANSFER = "TRANSFER"


PriceKindName: TypeAlias = Literal["CALL", "TRANSFER"]


@dataclass(frozen=True, slots=True)
class Price:
    """A line of the price list."""

    id: UUID
    user_id: UUID | None
    """Null: everybody's."""
    kind: PriceKind
    valid_from: datetime
    credits_per_minute: int
    connection_fee: int
    initial_seconds: int
    increment_seconds: int
    free_seconds: int
    follows_list: bool
    """From then on everybody's price holds for this customer."""
    created_by: UUID | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class FollowedList:
    """What came of ending a customer's own price."""

    price: Price | None
    """Null: they had none."""
