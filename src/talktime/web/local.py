"""Days, times, figures and places as the language of the request writes them.

The rule: values in, words out; the language is the one that `visit` found, and nothing here is English by itself.
"""

from collections.abc import Sequence
from datetime import date, datetime
from functools import cache, lru_cache
from zoneinfo import available_timezones

from babel.dates import format_date, format_datetime, get_timezone_location

from talktime.gateways.currencies import format_money
from talktime.web import visit, words
from talktime.web.language import _, gettext
from talktime.web.visit import LANGUAGES
from talktime.web.words import Clock

_DAY = {"en": "d MMMM y", "de": "d. MMMM y"}
_SHORT_DAY = {"en": "d MMM", "de": "d. MMM"}
_THOUSANDS = {"en": ",", "de": "."}
_MOMENT = {"en": "d MMM y, HH:mm", "de": "d. MMM y, HH:mm"}

Zones = Sequence[tuple[str, Sequence[tuple[str, str]]]]
"""By part of the world: the zones in it, each with its name and how it is called."""


def language() -> str:
    """The language of the request that is being answered."""
    said = visit.current()
    return said.language if said else LANGUAGES[0]


def figure(number: int) -> str:
    """`8,412`, in German `8.412`."""
    # Some pages have hundreds of them, so not by the library, which takes its time.
    return f"{number:,}".replace(",", _THOUSANDS[language()]).replace("-", "−")


def day(at: datetime, clock: Clock) -> str:
    """`3 November 2026`, in German `3. November 2026`."""
    return format_datetime(clock.local(at), _DAY[language()], locale=language())


def short_day(on: date) -> str:
    """`3 Nov`, in German `3. Nov.`: for a chart, where the year is known."""
    return _short_day(on, language())


def short_month(first: date) -> str:
    """`Nov 2026`, in German `Nov. 2026`: for a chart."""
    return str(format_date(first, "LLL y", locale=language()))


def amount(minor: int, currency: str) -> str:
    """An amount of money: `€10.50`, in German `10,50 €`."""
    return format_money(minor, currency, language()).replace("-", "−")


def typed_amount(minor: int, currency: str) -> str:
    """An amount as one types it into a form: `50.00`, in German `50,00`, in yen `50`."""
    plain = words.plain_amount(minor, currency)
    return plain.replace(".", ",") if language() == "de" else plain


def moment(at: datetime, clock: Clock) -> str:
    """When something was, seen from now: `today, 14:02`, `yesterday, 14:02`, `3 Nov 2026, 14:02`."""
    local = clock.local(at)
    days = (clock.local(clock.now).date() - local.date()).days
    if days == 0:
        return _("today, {time}").format(time=f"{local:%H:%M}")
    if days == 1:
        return _("yesterday, {time}").format(time=f"{local:%H:%M}")
    return format_datetime(local, _MOMENT[language()], locale=language())


def zones(chosen: str) -> Zones:
    """The time zones to choose from; the one that was chosen is among them, whatever it is."""
    found = _zones(language())
    is_there = any(chosen == name for _region, each in found for name, _city in each)
    return found if is_there or not chosen else [(_("Chosen"), [(chosen, chosen)]), *found]


def warm() -> None:
    """Put the lists together now: it takes a while, and whoever asks for a page first should not wait for it."""
    for spoken in LANGUAGES:
        _zones(spoken)


@lru_cache(maxsize=2_000)
def _short_day(on: date, spoken: str) -> str:
    return str(format_date(on, _SHORT_DAY[spoken], locale=spoken))


@cache
def _zones(spoken: str) -> Zones:
    """One name for each city: others are old names of the same zone."""
    cities: dict[tuple[str, str], list[str]] = {}
    for name in available_timezones():
        region, slash, _rest = name.partition("/")
        if slash:
            city = get_timezone_location(name, locale=spoken, return_city=True).rpartition("/")[2]
            cities.setdefault((region, city), []).append(name)
    found = []
    for region, title in _regions(spoken).items():
        here = [(_newest(names), city) for (where, city), names in cities.items() if where == region]
        found.append((title, sorted(here, key=lambda each: each[1])))
    return [*found, (gettext("Everywhere", spoken), [("UTC", "UTC")])]


def _newest(names: Sequence[str]) -> str:
    """Of the names of one zone the one that its city has now: `Europe/Kyiv` rather than `Europe/Kiev`."""

    def is_other(name: str) -> tuple[bool, str]:
        own = get_timezone_location(name, locale="en", return_city=True).rpartition("/")[2]
        return name.rpartition("/")[2].replace("_", " ") != own, name

    return min(names, key=is_other)


def _regions(spoken: str) -> dict[str, str]:
    """The first part of a zone's name, and what it is called. What begins otherwise is no place."""

    def _(message: str) -> str:
        return gettext(message, spoken)

    return {
        "Europe": _("Europe"),
        "America": _("America"),
        "Africa": _("Africa"),
        "Asia": _("Asia"),
        "Australia": _("Australia"),
        "Pacific": _("Pacific"),
        "Atlantic": _("Atlantic"),
        "Indian": _("Indian Ocean"),
        "Arctic": _("Arctic"),
        "Antarctica": _("Antarctica"),
    }
