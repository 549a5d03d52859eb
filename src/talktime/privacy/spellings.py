"""One phone number in all the ways in which carriers and people write it.

The rule: what is found is this number and no other one. So a number that is written without its country is only taken
for it where it is long enough, and never within a longer run of digits, such as an id.
"""

import re
from dataclasses import dataclass

import phonenumbers

from talktime.errors import BadInput

WORD = "forgotten"
"""What stands where a number stood: plain letters, so that it is at home in a form, in JSON, and in a sentence."""

_BARE_DIGITS_MIN = 8
"""A shorter number without its country, or the zero before it, is too likely to be something else."""
_DASHES = "\N{HYPHEN}\N{NON-BREAKING HYPHEN}\N{FIGURE DASH}\N{EN DASH}\N{EM DASH}"
_SPACES = " \\t\N{NO-BREAK SPACE}\N{THIN SPACE}\N{NARROW NO-BREAK SPACE}"
_SEPARATOR = rf"(?:[{_SPACES}.,()/+{_DASHES}-]|%(?:20|09|28|29|2[DdEeFf])){{0,3}}"
_PLUS = r"(?:\+|%(?:25)*2[Bb]|\\+u002[Bb])"
_E164 = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Spelling:
    """A number, and how to find it."""

    number: str
    """E.164, as calls have it."""
    pattern: str
    """A regular expression that Python and PostgreSQL read alike, for text, forms and JSON."""

    def redact(self, text: str) -> str:
        """The same text with a word in the number's place."""
        return re.sub(self.pattern, WORD, text)

    def is_in(self, text: str) -> bool:
        """Whether the number stands in a text."""
        return re.search(self.pattern, text) is not None


def spelled(number: str, region: str | None = None) -> Spelling:
    """Read a number as people write it: `+49 30 1234567`, or `030 1234567` with the country (ISO 3166) it is said in.

    Raises BadInput.
    """
    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        raise BadInput(
            "This is not a phone number: write it with its country, as +49 30 1234567, or say the country."
        ) from None
    found = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    if not _E164.fullmatch(found):
        raise BadInput("This is too short or too long for a phone number.")
    country = str(parsed.country_code)
    rest = phonenumbers.national_significant_number(parsed)
    return Spelling(found, _pattern(country, rest, _trunk_of(parsed.country_code or 0)))


def region_of(number: str) -> str | None:
    """The country (ISO 3166) that a number in E.164 belongs to, where it is one country's."""
    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return None


def _trunk_of(country_code: int) -> str:
    """What is dialled before a number within its country: 0 in most, nothing in some."""
    region = phonenumbers.region_code_for_country_code(country_code)
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region) if region != "001" else None
    return (metadata.national_prefix or "") if metadata is not None else ""


def _pattern(country: str, rest: str, trunk: str) -> str:
    digits = _spread(rest)
    # `+49 (0) 30 …` is as common as it is wrong.
    abroad = f"{_spread(country)}{_SEPARATOR}(?:[(]?0[)]?{_SEPARATOR})?{digits}"
    without_plus = [f"(?:(?:00|011){_SEPARATOR})?{abroad}"]
    if trunk:
        without_plus.append(f"{_spread(trunk)}{_SEPARATOR}{digits}")
    if len(rest) >= _BARE_DIGITS_MIN:
        without_plus.append(digits)
    # Ids are hexadecimal, so a letter of those beside it means that it is part of one; after a plus it is not.
    return f"(?:{_PLUS}{_SEPARATOR}{abroad}(?![0-9])|(?<![0-9A-Fa-f])(?:{'|'.join(without_plus)})(?![0-9A-Fa-f]))"


def _spread(digits: str) -> str:
    return _SEPARATOR.join(digits)
