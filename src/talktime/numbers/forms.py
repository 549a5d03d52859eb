"""What is a phone number, and which ones may be in the pool. The rule: one way of writing, E.164, everywhere; what is
not known to be an ordinary number is none (`agents/dialling.py`).

Which numbers are dear says Google's libphonenumber (the `phonenumbers` package), from the numbering plans of the ITU
and the regulators.
"""

import phonenumbers
from phonenumbers import PhoneNumberType

from talktime.agents import dialling
from talktime.carriers.numbers import NumberKind
from talktime.errors import BadInput

_NO_COUNTRY = "001"
"""What libphonenumber calls the codes that no country has: satellites, networks, premium."""
_NUMBER_LENGTH_MAX = 40


class NoNumber(BadInput):
    """That is no phone number: write it with its country, like +49 30 1234567."""

    field = "number"


class DearNumber(BadInput):
    """Premium, shared-cost and short numbers cannot be used here: choose an ordinary landline, mobile or toll-free
    one."""

    field = "number"


class UnknownNumber(BadInput):
    """No such number is given out in its country: look at its digits, and write it like +49 30 1234567."""

    field = "number"


def e164(number: str, region: str | None = None) -> str:
    """A number as people write it, in E.164: `+15550100`. Raises NoNumber."""
    shown = number if len(number) <= _NUMBER_LENGTH_MAX else number[: _NUMBER_LENGTH_MAX - 1] + "…"
    try:
        if len(number) > _NUMBER_LENGTH_MAX:
            raise NoNumber(f"{shown!r} is too long for a phone number.")
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException as error:
        raise NoNumber(f"{shown!r} is not a phone number: write it as +49 30 1234567.") from error
    if parsed.extension:
        raise NoNumber(f"{shown!r} has an extension, which no carrier rings: write the number without it.")
    if not phonenumbers.is_possible_number(parsed):
        raise NoNumber(f"{shown!r} is too short or too long for a phone number.")
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))


def ordinary(number: str, region: str | None = None) -> str:
    """The same of a number that may be bought, added, called by us. Raises NoNumber, DearNumber, UnknownNumber."""
    written = e164(number, region)
    parsed = phonenumbers.parse(written)
    assert parsed.country_code is not None, written
    kind = phonenumbers.number_type(parsed)
    if phonenumbers.region_code_for_country_code(parsed.country_code) == _NO_COUNTRY:
        raise DearNumber(f"{written} is of a satellite or a network of no country: choose an ordinary number.")
    if kind == PhoneNumberType.UNKNOWN:
        raise UnknownNumber(f"No such number as {written} is given out in its country: look at its digits.")
    if not dialling.is_ordinary(written):
        raise DearNumber(
            f"{written} is a premium, shared-cost, personal or service number, which cannot be used here:"
            " choose an ordinary landline, mobile or toll-free one."
        )
    return written


def kinds_of(number: str) -> frozenset[NumberKind]:
    """What an E.164 number can be sold as: either, where a country does not tell mobiles from landlines."""
    return _KINDS.get(phonenumbers.number_type(phonenumbers.parse(number)), frozenset(NumberKind))


_AT_HOME = frozenset({NumberKind.LOCAL, NumberKind.NATIONAL})
_KINDS = {
    PhoneNumberType.FIXED_LINE: _AT_HOME,
    PhoneNumberType.MOBILE: frozenset({NumberKind.MOBILE}),
    PhoneNumberType.FIXED_LINE_OR_MOBILE: _AT_HOME | {NumberKind.MOBILE},
    PhoneNumberType.VOIP: _AT_HOME,
    PhoneNumberType.UAN: _AT_HOME,
    PhoneNumberType.TOLL_FREE: frozenset({NumberKind.TOLL_FREE}),
}


def country_of(number: str) -> str:
    """The country of an E.164 number, as two letters; "" for one of no country."""
    try:
        return _region(phonenumbers.parse(number)) or ""
    except phonenumbers.NumberParseException:
        return ""


def _region(parsed: phonenumbers.PhoneNumber) -> str | None:
    region = phonenumbers.region_code_for_number(parsed)
    return None if region == _NO_COUNTRY else region
