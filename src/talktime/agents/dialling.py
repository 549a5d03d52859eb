"""Whom a caller may be put through to: ordinary numbers. The rule: a number not known to be one is none.

A leg is sold at one price, so what costs many times that must not be dialled: premium and enquiry services, satellites,
networks of no country. Which numbers these are says Google's libphonenumber (the `phonenumbers` package), from the
numbering plans of the ITU and the regulators.
"""

import re

import phonenumbers
from phonenumbers import PhoneNumberType

_E164 = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
_ORDINARY = frozenset(
    {
        PhoneNumberType.FIXED_LINE,
        PhoneNumberType.MOBILE,
        PhoneNumberType.FIXED_LINE_OR_MOBILE,
        PhoneNumberType.VOIP,
        PhoneNumberType.UAN,
        PhoneNumberType.TOLL_FREE,
    }
)
_NO_COUNTRY = "001"
"""What libphonenumber calls the codes that no country has: satellites +881, networks +882 and +883, premium +979."""


def normalised(number: str) -> str | None:
    """An E.164 number as the network dials it, without a zero that is dialled at home only; None for what is none."""
    if not _E164.fullmatch(number):
        return None
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return None
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))


def is_ordinary(number: str) -> bool:
    """Whether a normalised number is of a kind that costs what a leg may cost."""
    parsed = phonenumbers.parse(number)
    assert parsed.country_code is not None, number
    if phonenumbers.region_code_for_country_code(parsed.country_code) == _NO_COUNTRY:
        return False
    if phonenumbers.number_type(parsed) not in _ORDINARY:
        return False
    # Where a zero belongs to the number, as in Italy, one too many makes a landline of a premium number. Carriers
    # differ in what they do with it, so neither reading may be dear.
    without = phonenumbers.PhoneNumber(country_code=parsed.country_code, national_number=parsed.national_number)
    return phonenumbers.number_type(without) in _ORDINARY | {PhoneNumberType.UNKNOWN}
