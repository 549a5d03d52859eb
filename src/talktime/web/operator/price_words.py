"""A line of the price list in words: what a minute costs, and how it is counted."""

from talktime.credits.models import Price
from talktime.web import local
from talktime.web.language import _
from talktime.web.operator import words
from talktime.web.words import Clock


def price_view(price: Price, clock: Clock, email: str = "") -> dict[str, object]:
    """One line; `email` is the customer's whose own it is."""
    return {
        "kind": words.kind_of_price(price.kind),
        "kind_value": price.kind.value,
        "user": str(price.user_id) if price.user_id else "",
        "email": email,
        "is_own": price.user_id is not None,
        "follows_list": price.follows_list,
        "rate": _("{credits} a minute").format(credits=words.credits_of(price.credits_per_minute)),
        "steps": _steps(price),
        "begins": local.moment(price.valid_from, clock),
        "is_later": price.valid_from > clock.now,
    }


def _steps(price: Price) -> str:
    """`60 s at first, then each 60 s; 5 s are free; 10 credits at once`."""
    if price.initial_seconds == price.increment_seconds:
        said = [_("counted by {seconds} s").format(seconds=price.increment_seconds)]
    else:
        counted = _("{first} s at first, then by {seconds} s")
        said = [counted.format(first=price.initial_seconds, seconds=price.increment_seconds)]
    if price.free_seconds:
        said.append(_("up to {seconds} s free").format(seconds=price.free_seconds))
    if price.connection_fee:
        said.append(_("{credits} for the connection").format(credits=words.credits_of(price.connection_fee)))
    return ", ".join(said)
