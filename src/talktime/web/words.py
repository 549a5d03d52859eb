"""Saying things in words a shop owner would use: how long, when, how much, which number.

Values in, words out, in the language of the request. Nothing here is escaped; that is the templates' work.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers
from babel.dates import format_date, format_datetime
from babel.numbers import format_decimal

from talktime.gateways import currencies
from talktime.web import visit
from talktime.web.language import _

Tone = Literal["live", "ok", "warn", "bad", ""]


@dataclass(frozen=True, slots=True)
class Clock:
    """Now, and where the reader lives."""

    now: datetime
    zone: str

    def local(self, at: datetime) -> datetime:
        return at.astimezone(clock_zone(self.zone))


_MOMENT_OF_DAY = {"en": "EEE HH:mm", "de": "EEE HH:mm"}
_DAY_OF_YEAR = {"en": "d MMM", "de": "d. MMM"}
_DAY = {"en": "d MMM y", "de": "d. MMM y"}
_IN_FULL = {"en": "d MMMM y, HH:mm:ss", "de": "d. MMMM y, HH:mm:ss"}
_WHOLE_DAY = {"en": "d MMMM y", "de": "d. MMMM y"}


def plain_amount(minor: int, currency: str) -> str:
    """An amount as a form's field takes it: `50.00`, in yen `50`."""
    return f"{Decimal(minor).scaleb(-currencies.decimals(currency)):f}"


def clock_zone(name: str) -> ZoneInfo:
    """A zone by its name; UTC for one that the machine does not know."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def greeting(now: datetime) -> str:
    """What one says at this hour."""
    if 5 <= now.hour < 12:
        return _("Good morning")
    return _("Good afternoon") if 12 <= now.hour < 18 else _("Good evening")


def moment(at: datetime, now: datetime) -> str:
    """When something was, seen from now (both on the reader's clock): `14:02`, `Mon 14:02`, `3 Nov`, `3 Nov 2025`."""
    days = (now.date() - at.date()).days
    if days == 0:
        return f"{at:%H:%M}"
    if 0 < days < 7:
        return _written(at, _MOMENT_OF_DAY)
    return _written(at, _DAY_OF_YEAR if at.year == now.year else _DAY)


def moment_in_full(at: datetime) -> str:
    """`22 November 2026, 14:02:11`, in German `22. November 2026, 14:02:11`."""
    return _written(at, _IN_FULL)


def whole_day(on: date) -> str:
    """`3 November 2026`, in German `3. November 2026`."""
    spoken = _language()
    return format_date(on, _WHOLE_DAY[spoken], locale=spoken)


def weekday(on: date) -> str:
    """`Monday`, in German `Montag`."""
    return format_date(on, "EEEE", locale=_language())


def length(seconds: int) -> str:
    """`0:09`, `3:44`, `1:02:03`."""
    minutes, rest = divmod(max(0, seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def length_in_words(seconds: int) -> str:
    """`9 s`, `2 min 5 s`."""
    minutes, rest = divmod(max(0, seconds), 60)
    if not minutes:
        return f"{rest} s"
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"


def figure(credits: int) -> str:
    """`8,412`, `−10`; in German `8.412`."""
    return format_decimal(credits, locale=_language()).replace("-", "−")


def signed(credits: int) -> str:
    """`+500`, `−15`."""
    return f"+{figure(credits)}" if credits >= 0 else figure(credits)


def credits_in_words(credits: int) -> str:
    """`1 credit`, `8,412 credits`."""
    said = _("{count} credit") if abs(credits) == 1 else _("{count} credits")
    return said.format(count=figure(credits))


@lru_cache(maxsize=4096)  # reading a number takes longer than the whole row that it stands in
def number(e164: str, *, at_home: str | None = None) -> str:
    """A phone number as people write it: nationally when it is of the same country as `at_home` (or that is not given),
    else internationally. What is no number is shown as it came."""
    parsed = _parsed(e164)
    if parsed is None:
        return e164
    home = _parsed(at_home) if at_home else parsed
    style = phonenumbers.PhoneNumberFormat
    is_home = home is not None and home.country_code == parsed.country_code
    return str(phonenumbers.format_number(parsed, style.NATIONAL if is_home else style.INTERNATIONAL))


def people(count: int) -> str:
    """How many callers are on the line, as a sentence."""
    if count == 0:
        return _("Nobody is on the line.")
    if count == 1:
        return _("One caller is being answered right now.")
    names = (_("Two"), _("Three"), _("Four"), _("Five"), _("Six"), _("Seven"), _("Eight"), _("Nine"))
    who = names[count - 2] if count - 2 < len(names) else figure(count)
    return _("{count} callers are being answered right now.").format(count=who)


def _written(at: datetime, pattern: Mapping[str, str]) -> str:
    spoken = _language()
    return format_datetime(at, pattern[spoken], locale=spoken)


def _language() -> str:
    said = visit.current()
    return said.language if said else visit.LANGUAGES[0]


def _parsed(text: str) -> phonenumbers.PhoneNumber | None:
    if not text.startswith("+"):
        return None
    try:
        return phonenumbers.parse(text)
    except phonenumbers.NumberParseException:
        return None
