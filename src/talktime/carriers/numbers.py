"""What Talktime asks of a phone company beside carrying calls: which numbers are ours, which can be had and for how
much, where their calls go, and a call of our own. Adapters translate a vendor's words into these values.

The one rule: what costs money (`buy`, `place`) is never repeated by an adapter. Whoever asked and got no answer looks
first (`find`) whether it was done.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

from talktime.carriers.contract import Carrier, Leg
from talktime.errors import ProviderError


class NumberKind(StrEnum):
    """What a number is to those who call it, which is also what it costs."""

    LOCAL = "LOCAL"
    MOBILE = "MOBILE"
    NATIONAL = "NATIONAL"
    TOLL_FREE = "TOLL_FREE"


class NumberGone(ProviderError):
    """The carrier does not have this number for us (any more)."""

    def __init__(self) -> None:
        super().__init__("the carrier has no such number on our account", permanent=True)


class NotForSale(ProviderError):
    """The carrier does not sell this number, or not to us; the text says why, in its words."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the carrier does not sell this number: {why}", permanent=True)


class SlowDown(ProviderError):
    """The carrier was asked too often; `retry_after_seconds` is what it wants, 0 when it does not say."""

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__("the carrier was asked too often, and will answer later")
        self.retry_after_seconds = retry_after_seconds


@dataclass(frozen=True, slots=True)
class Doors:
    """Where a number's calls and their reports go: addresses of ours."""

    voice_url: str
    status_callback: str


@dataclass(frozen=True, slots=True)
class OwnedNumber:
    """A number of our account, as the carrier has it."""

    number_id: str
    """The carrier's name of it."""
    number: str
    """E.164."""
    doors: Doors
    capabilities: Sequence[str] = ()
    """`voice`, `sms`, …"""
    rings_by_post: bool = True
    """Whether the doors are knocked at as ours expect it: by POST, and by no application or trunk instead of them."""


@dataclass(frozen=True, slots=True)
class OfferedNumber:
    """A number that can be bought."""

    number: str
    """E.164."""
    country: str
    kind: NumberKind
    place: str = ""
    """Where callers believe it to be: `Berlin`."""
    capabilities: Sequence[str] = ()
    needs_address: bool = False
    """The carrier sells it only to whoever has shown an address or papers there."""


@dataclass(frozen=True, slots=True)
class NumberPrice:
    """What a number costs in a month."""

    amount_micros: int
    """Millionths of the currency's unit."""
    currency: str
    """ISO 4217, capitals."""

    def __str__(self) -> str:
        """`1.15 USD`."""
        whole, rest = divmod(self.amount_micros, 1_000_000)
        return f"{whole}.{rest:06d}".rstrip("0").rstrip(".") + f" {self.currency}"


@dataclass(frozen=True, slots=True)
class Search:
    """Which numbers are looked for."""

    country: str
    """ISO 3166: `DE`."""
    kind: NumberKind = NumberKind.LOCAL
    area: str = ""
    """An area code as it is dialled at home, with or without its zero."""
    contains: str = ""
    """Digits that it must contain; `*` is any digit."""
    limit: int = 20


@dataclass(frozen=True, slots=True)
class Spoken:
    """What a call of ours says, in the carrier's own voice: the sentences, then silence, then it hangs up."""

    sentences: Sequence[str] = ()
    language: str = "en"
    pause_seconds: int = 1
    """After each sentence; without any, how long the line is held open."""
    seconds_max: int = 60
    """The carrier ends it then, whatever happens."""
    ring_seconds_max: int = 25


class Numbers(Protocol):
    """The numbers of one account with a phone company."""

    async def owned(self) -> Sequence[OwnedNumber]:
        """All of the account's numbers. Raises ProviderError."""

    async def find(self, number: str) -> OwnedNumber | None:
        """The account's number with these digits (E.164); None when it has none. Raises ProviderError."""

    async def available(self, search: Search) -> Sequence[OfferedNumber]:
        """Numbers that can be bought now. Raises ProviderError."""

    async def price(self, country: str, kind: NumberKind) -> NumberPrice | None:
        """What a number there costs in a month; None where the carrier does not say. Raises ProviderError."""

    async def buy(self, number: str, doors: Doors) -> OwnedNumber:
        """Buy a number, once; when this raises without saying `permanent`, it may be ours all the same. Raises
        NotForSale, ProviderError."""

    async def configure(self, number_id: str, doors: Doors) -> OwnedNumber:
        """Send a number's calls to these doors; gives how it is then. Raises NumberGone, ProviderError."""

    async def release(self, number_id: str) -> None:
        """Give a number back for good; one that is gone already is success. Raises ProviderError."""

    async def place(self, to: str, caller: str, spoken: Spoken) -> str:
        """Call somebody from a number of ours, once, and say something; gives the carrier's name of the call. When this
        raises without saying `permanent`, somebody may be rung all the same. Raises ProviderError."""

    async def look_up(self, call_id: str) -> Leg | None:
        """How such a call stands; None when the carrier does not know it. Raises ProviderError."""


@runtime_checkable
class HasNumbers(Protocol):
    """A carrier whose numbers can be managed through its API."""

    @property
    def numbers(self) -> Numbers:
        """The account's numbers."""


def numbers_of(carrier: Carrier | None) -> Numbers | None:
    """The numbers of a carrier; None for one that lets nobody manage them."""
    anything: object = carrier
    return anything.numbers if isinstance(anything, HasNumbers) else None
