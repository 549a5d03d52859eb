"""Putting a notice into words: friendly, short, and saying what to do. Values in, words out."""

import re
from collections.abc import Mapping
from datetime import date
from functools import cache
from typing import Any

import jinja2

from talktime.mail.message import Words
from talktime.mail.render import environment, number, write
from talktime.notices.kinds import KINDS, page_of

_MONTHS = {
    "en": "January,February,March,April,May,June,July,August,September,October,November,December",
    "de": "Januar,Februar,März,April,Mai,Juni,Juli,August,September,Oktober,November,Dezember",
}
_GREETINGS = {"en": ("Hello {name},", "Hello,"), "de": ("Guten Tag {name},", "Guten Tag,")}
_CLOSINGS = {
    "en": "You get this mail because it is about your account at {site}.",
    "de": "Sie erhalten diese E-Mail, weil es um Ihr Konto bei {site} geht.",
}
_OFF = {
    "en": "You no longer want these? {url}",
    "de": "Sie möchten diese E-Mails nicht mehr? {url}",
}
_NAME_LENGTH_MAX = 80
_QUOTED_LENGTH_MAX = 2000


class NoWords(Exception):
    """A notice cannot be put into words: its kind is unknown, or its detail is not what the kind needs."""


def words_of(
    kind: str,
    detail: Mapping[str, Any],
    *,
    name: str,
    language: str,
    base_url: str,
    days_left: int | None = None,
    gathered: Mapping[str, Any] | None = None,
    off_url: str | None = None,
) -> Words:
    """The words of one notice. `days_left` is how long the credit lasts, where that is known and asked for; `gathered`
    is what was put together for it just now; `off_url` is where whoever reads it says that they want no more."""
    if kind not in KINDS:
        raise NoWords(f"no notice is called {kind!r}")
    missing = KINDS[kind].needs - detail.keys()
    if missing:
        raise NoWords(f"{kind} is told without {', '.join(sorted(missing))}")
    values = {key: detail[key] for key in KINDS[kind].needs} | {"language": language, "days_left": days_left}
    # Callers say whatever they like: it is quoted on one line, and is no paragraph of ours.
    values |= {key: _quoted((gathered or {}).get(key)) for key in KINDS[kind].gathers}
    with_name, without_name = _GREETINGS[language]
    # People choose their names themselves: one line, and not a letter of its own.
    name = _one_line(name)[:_NAME_LENGTH_MAX]
    try:
        return write(
            _templates().get_template(f"{language}/{kind}.txt"),
            values,
            base_url + page_of(kind, detail),
            greeting=with_name.format(name=name) if name else without_name,
            closing=_closing(language, base_url, off_url),
        )
    except (jinja2.TemplateError, ValueError, TypeError, AssertionError) as error:
        raise NoWords(f"{kind} has a detail that cannot be told ({type(error).__name__})") from error


@cache
def _templates() -> jinja2.Environment:
    made = environment("talktime.notices")
    made.filters["credits"] = _credits
    made.filters["day"] = _day
    made.filters["length"] = _length
    return made


@jinja2.pass_context
def _credits(context: jinja2.runtime.Context, value: int) -> str:
    """`1 credit`, `1,000 credits`; in German `1 Credit`, `1.000 Credits`."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("credits are whole numbers")
    language = context["language"]
    word = "Credit" if language == "de" else "credit"
    return f"{number(value, language)} {word}{'' if abs(value) == 1 else 's'}"


@jinja2.pass_context
def _day(context: jinja2.runtime.Context, value: str) -> str:
    """`2026-03-09` as it is said: `9 March 2026`, `9. März 2026`. Of a time only the day counts."""
    day = date.fromisoformat(value[:10])
    language = context["language"]
    return f"{day.day}{'.' if language == 'de' else ''} {_MONTHS[language].split(',')[day.month - 1]} {day.year}"


@jinja2.pass_context
def _length(context: jinja2.runtime.Context, seconds: int) -> str:
    """How long a call lasted: `2:05 minutes`, in German `2:05 Minuten`."""
    if isinstance(seconds, bool) or not isinstance(seconds, int):
        raise TypeError("a call lasts whole seconds")
    return f"{seconds // 60}:{seconds % 60:02d} {'Minuten' if context['language'] == 'de' else 'minutes'}"


def _closing(language: str, base_url: str, off_url: str | None) -> str:
    closing = _CLOSINGS[language].format(site=base_url)
    return f"{closing} {_OFF[language].format(url=off_url)}" if off_url is not None else closing


def _quoted(value: Any) -> Any:
    if isinstance(value, str):
        return _one_line(value)[:_QUOTED_LENGTH_MAX]
    return [_quoted(each) for each in value] if isinstance(value, (list, tuple)) else value


def _one_line(said: str) -> str:
    return " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", " ", said).split())
