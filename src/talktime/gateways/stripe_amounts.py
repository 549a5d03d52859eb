"""Amounts as Stripe counts them, to and from our minor units.

Stripe's units are ISO 4217's but for a few currencies (docs.stripe.com/currencies): it takes ariary whole (MGA),
Icelandic krónur and Ugandan shillings with two decimals that must be zeros, and of three decimals the last must be 0.
The one rule: an amount that cannot be said exactly is refused, never rounded.
"""

from talktime.errors import BadInput
from talktime.gateways import currencies

_STRIPE_DECIMALS = {"ISK": 2, "UGX": 2, "MGA": 0}
_AMOUNT_MAX = 99_999_999
"""Stripe takes eight digits."""
_REPORTED_MAX = 10**12
"""Nothing that is an amount is larger."""


def to_stripe(minor: int, currency: str) -> int:
    """What to send for an amount of ours. Raises BadInput when Stripe cannot take it."""
    if not currencies.is_known(currency):
        raise BadInput(f"{currency[:10]!r} is no currency: give its code of three capital letters, such as EUR.")
    if minor <= 0:
        raise BadInput("An amount to be paid has to be above zero.")
    if currencies.decimals(currency) == 3 and minor % 10:
        raise BadInput(f"The last digit of an amount in {currency} has to be 0: card networks take no thousandths.")
    theirs, ours = _scales(currency)
    amount, rest = divmod(minor * theirs, ours)
    if rest:
        raise BadInput(f"An amount in {currency} has to be a whole number without decimals.")
    if amount > _AMOUNT_MAX:
        raise BadInput("That is more than can be paid at once.")
    return amount


def from_stripe(amount: object, currency: str) -> int | None:
    """Our minor units for what Stripe reports; None when it is no whole number of them, or no amount at all."""
    if not isinstance(amount, int) or isinstance(amount, bool) or not 0 <= amount <= _REPORTED_MAX:
        return None
    if not currencies.is_known(currency):
        return None
    theirs, ours = _scales(currency)
    minor, rest = divmod(amount * ours, theirs)
    return None if rest else minor


def _scales(currency: str) -> tuple[int, int]:
    """How many of Stripe's units, and how many of ours, make one of the currency."""
    own = currencies.decimals(currency)
    return 10 ** _STRIPE_DECIMALS.get(currency, own), 10**own
