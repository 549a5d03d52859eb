"""Figures and dates as a reader of English or German writes them.

The rule: money comes in whole minor units and is moved behind the point by decimal arithmetic, with the digits that the
document says its currency has.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_datetime
from babel.numbers import format_currency, format_decimal

Language = Literal["en", "de"]

_LOCALES = {"en": Locale("en", "GB"), "de": Locale("de", "DE")}
_MINUS = "−"


def language_of(locale: str) -> Language:
    """`de-AT` is German; everything that is not German is English."""
    return "de" if locale.lower().replace("_", "-").split("-")[0] == "de" else "en"


def zone_of(name: str) -> ZoneInfo:
    """A zone by its name; UTC for one that the machine does not know."""
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        return ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Figures:
    """How one language writes numbers and times."""

    language: Language

    @property
    def _locale(self) -> Locale:
        return _LOCALES[self.language]

    def money(self, minor: int, currency: str, decimals: int) -> str:
        """`€1,234.50`, `1.234,50 €`: always with as many digits behind the point as the currency has."""
        pattern = self._locale.currency_formats["standard"].pattern
        pattern = pattern.replace("0.00", f"0.{'0' * decimals}" if decimals else "0")
        amount = Decimal(minor).scaleb(-decimals)
        return _typographic(format_currency(amount, currency, pattern, locale=self._locale, currency_digits=False))

    def whole(self, number: int) -> str:
        """`−12,345`"""
        # Thousands of these stand on a statement, and the library takes twenty times as long.
        figure = f"{number:,}"
        return _typographic(figure.replace(",", ".") if self.language == "de" else figure)

    def change(self, number: int) -> str:
        """`+12,345`, `−12,345`"""
        return f"+{self.whole(number)}" if number > 0 else self.whole(number)

    def hundredths(self, number: int) -> str:
        """3875 is `38.75`."""
        return _typographic(format_decimal(Decimal(number).scaleb(-2), locale=self._locale))

    def percent(self, basis_points: int) -> str:
        """`25.5 %`"""
        figure = self.hundredths(basis_points)
        return f"{figure}\N{NO-BREAK SPACE}%" if self.language == "de" else f"{figure}%"

    def day(self, day: date) -> str:
        """`3 November 2026`, `3. November 2026`"""
        return format_date(day, "long", locale=self._locale)

    def month(self, day: date) -> str:
        """`November 2026`"""
        return format_date(day, "LLLL yyyy", locale=self._locale)

    def moment(self, at: datetime, zone: ZoneInfo) -> str:
        """`3 Nov 2026, 14:02:11`, on the reader's clock."""
        pattern = "d. MMM yyyy, HH:mm:ss" if self.language == "de" else "d MMM yyyy, HH:mm:ss"
        return format_datetime(at, pattern, tzinfo=zone, locale=self._locale)

    def short_moment(self, at: datetime, zone: ZoneInfo) -> str:
        """`03.11. 14:02`, `3 Nov 14:02`: for a table whose year stands above it."""
        # By hand for the same reason.
        local = at.astimezone(zone)
        if self.language == "de":
            return f"{local:%d.%m. %H:%M}"
        return f"{local.day} {_MONTHS[local.month - 1]} {local:%H:%M}"

    def country(self, code: str) -> str:
        """A country's name by its two letters; what is no code stays as it is."""
        name: str = self._locale.territories.get(code.upper(), code)
        return name


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _typographic(figure: str) -> str:
    return figure.replace("-", _MINUS)
