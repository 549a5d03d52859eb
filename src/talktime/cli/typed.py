"""Numbers as people type them in commands: plain digits. What Python would also take for a number (`1_0`, `1e3`, digits
of another script) is more likely a slip, and here a slip is money.
"""

import re
from decimal import Decimal

import typer


def digits(text: str | int) -> int:
    """A whole number of credits; an option's own default, which passes through here as well, is taken as it is."""
    if isinstance(text, int):
        return text
    if re.fullmatch(r"[+-]?[0-9]{1,15}", text) is None:
        raise typer.BadParameter(f"{text!r} is not a whole number: type plain digits.")
    return int(text)


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
