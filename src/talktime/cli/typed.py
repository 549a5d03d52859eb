"""Numbers as people type them in commands: plain digits. What Python would also take for a number (`1_0`, `1e3`, digits
of another script) is more likely a slip, and here a slip is money.
"""

import re
from collections.abc import Callable
from decimal import Decimal

import typer

DIGITS_MAX = 15


def digits(text: str | int) -> int:
    """A whole number; an option's own default, which passes through here as well, is taken as it is."""
    if isinstance(text, int):
        return text
    if re.fullmatch(rf"[+-]?[0-9]{{1,{DIGITS_MAX}}}", text) is None:
        raise typer.BadParameter(f"{text!r} is not a whole number: type plain digits.")
    return int(text)


def between(low: int, high: int) -> Callable[[str | int], int]:
    """The same within bounds, for an option whose `min` and `max` a parser of its own would switch off."""

    def number(text: str | int) -> int:
        found = digits(text)
        if not low <= found <= high:
            raise typer.BadParameter(f"{found} is not between {low:,} and {high:,}.")
        return found

    return number


def minor(amount: str, currency: str) -> int:
    """An amount of money, in minor units; never through a float. Raises BadInput."""
    from talktime.errors import BadInput
    from talktime.gateways import currencies

    if not currencies.is_known(currency):
        raise BadInput(f"{currency[:10]!r} is no currency: give its code of three capitals, such as EUR.")
    places = currencies.decimals(currency)
    if re.fullmatch(r"[+-]?[0-9]{1,15}(\.[0-9]{1,9})?", amount) is None:
        raise BadInput(f"{amount[:30]!r} is no amount: write it like 10.50")
    scaled = Decimal(amount).scaleb(places)
    whole = int(scaled)
    if scaled != whole:
        raise BadInput(f"{amount} has more decimals than {currency}, which has {places}.")
    return whole
