"""What talking costs, in words: the price in force, and what is sold.

The one rule: nothing here is invented. What an installation has not set is not said.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from talktime.credits.models import CreditPack, Price
from talktime.credits.pricing import Rate
from talktime.web import local
from talktime.web.credits.said import credits_of
from talktime.web.language import _, ngettext_here


@dataclass(frozen=True, slots=True)
class PackOffer:
    """Credits that are sold together."""

    id: uuid.UUID
    name: str
    credits: str
    price: str
    lasts: str
    """How long one can talk for it; "" where talking costs nothing, or no price is set."""
    key: str
    """Makes a double click one purchase."""


def minute(price: Price | None) -> str:
    """`15 credits a minute, every minute begun counts.`; "" where no price is set."""
    if price is None:
        return ""
    a_minute = credits_of(price.credits_per_minute)
    if price.connection_fee:
        said = _("{credits} a minute, and {fee} for each call that is answered.")
        first = said.format(credits=a_minute, fee=credits_of(price.connection_fee))
    else:
        first = _("{credits} a minute.").format(credits=a_minute)
    return f"{first} {_steps(price)}"


def offers(packs: Sequence[CreditPack], price: Price | None) -> list[PackOffer]:
    """What is sold, each with how long one can talk for it; each time with a new key."""
    return [
        PackOffer(
            id=pack.id,
            name=pack.name,
            credits=credits_of(pack.credits),
            price=local.amount(pack.price_minor, pack.currency),
            lasts=talk(pack.credits, price),
            key=uuid.uuid4().hex,
        )
        for pack in packs
        if pack.price_minor
    ]


def talk(credits_held: int, price: Price | None) -> str:
    """How long one can talk for so many credits: `about 66 minutes of talk`."""
    if price is None or not price.credits_per_minute or credits_held <= 0:
        return ""
    minutes = _rate(price).affords(credits_held) // 60
    if not minutes:
        return _("less than a minute of talk")
    said = ngettext_here("about {count} minute of talk", "about {count} minutes of talk", minutes)
    return said.format(count=local.figure(minutes))


def so_far(seconds: int, price: Price | None) -> str:
    """What an example of a call has cost after so many seconds: `15 credits so far`; "" where no price is set."""
    return _("{credits} so far").format(credits=credits_of(_rate(price).cost(seconds))) if price is not None else ""


def _steps(price: Price) -> str:
    if price.increment_seconds == price.initial_seconds == 60:
        return _("Every minute begun counts.")
    if price.increment_seconds == 1:
        return _("It is counted by the second.")
    return _("It is counted in steps of {seconds} seconds.").format(seconds=price.increment_seconds)


def _rate(price: Price) -> Rate:
    return Rate(
        credits_per_minute=price.credits_per_minute,
        connection_fee=price.connection_fee,
        initial_seconds=price.initial_seconds,
        increment_seconds=price.increment_seconds,
        free_seconds=price.free_seconds,
    )
