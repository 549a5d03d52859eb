"""Numbers as people write them. The rule: shown only; what is stored and compared is E.164."""

import phonenumbers


def national(number: str, region: str | None = None) -> str:
    """An E.164 number as it is dialled at home: `030 23125 000`; to somebody in another `region` (`DE`) with its
    country.

    Without a region its own country counts as home. What is no number is shown as it came.
    """
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return number
    style = phonenumbers.PhoneNumberFormat
    is_home = region is None or parsed.country_code == phonenumbers.country_code_for_region(region.upper())
    return str(phonenumbers.format_number(parsed, style.NATIONAL if is_home else style.INTERNATIONAL))


def international(number: str) -> str:
    """`+49 30 23125000`. What is no number is shown as it came."""
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return number
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL))
