"""Shapes of `admin_available_numbers`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from talktime_client._values import OpenEnum


class NumberKind(OpenEnum):
    """What a number is to those who call it, which is also what it costs."""

    LOCAL = "LOCAL"
    MOBILE = "MOBILE"
    NATIONAL = "NATIONAL"
    TOLL_FREE = "TOLL_FREE"


NumberKindName: TypeAlias = Literal["LOCAL", "MOBILE", "NATIONAL", "TOLL_FREE"]


@dataclass(frozen=True, slots=True)
class OfferedNumber:
    """A number that can be bought."""

    number: str
    kind: NumberKind
    place: str
    needs_address: bool
    """The carrier sells it to whoever has registered an address there."""


@dataclass(frozen=True, slots=True)
class OfferedNumbers:
    """What can be bought at the moment, and what each of it costs."""

    data: tuple[OfferedNumber, ...]
    amount_micros: int | None
    """A month, in millionths of the currency's unit; null where the carrier does not say. Confirm it to order."""
    currency: str | None
