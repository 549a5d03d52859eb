"""Opening hours as a form: one row a day with two spans or more, and the days that are different, one at a time.

The rule: a form that needs no script and no mouse, and that loses nothing of what was typed. What was set elsewhere
(more spans than two a day) is shown too.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from talktime.agents.content import Content
from talktime.agents.opening_hours import DAYS, OpeningHours
from talktime.errors import BadInput
from talktime.web.agents import words
from talktime.web.forms import Form
from talktime.web.language import _

_SPANS_SHOWN = 2
_SPANS_MAX = 8
_TIME = re.compile(r"([01]?[0-9]|2[0-4])(?:[:.]?([0-5][0-9]))?(?::[0-5][0-9])?")
"""`9`, `9:30`, `9.30`, `0930`; what browsers send may have seconds."""


@dataclass(frozen=True, slots=True)
class Day:
    """One row: a weekday or a day of the calendar."""

    name: str
    """`monday`, or `2026-12-25`."""
    title: str
    hours: str
    """In words."""
    spans: Sequence[tuple[str, str]]
    """The names of the two fields of each."""


def show(content: Content) -> dict[str, str]:
    """What stands in the form."""
    values = {"zone": content.zone}
    if content.hours is not None:
        values["told"] = "yes"
    if not content.answers_after_hours:
        values["after"] = "closed"
    else:
        values["after"] = "answers"
    for name, intervals in _week(content).items():
        for number, (opens, closes) in enumerate(intervals):
            values[f"{name}-{number}-opens"], values[f"{name}-{number}-closes"] = opens, closes
    return values


def read(form: Form, content: Content) -> Mapping[str, Any]:
    """What the form says. The days that are different stay as they are: they have forms of their own."""
    after: dict[str, Any] = {"answers_after_hours": form.text("after") != "closed"}
    week = {name: read_spans(form, name) for name in DAYS}
    if not form.is_ticked("told"):
        return {**after, "hours": None}
    special = content.to_json()["hours"]["special"] if content.hours is not None else {}
    hours = {"week": week, "special": special}
    for name in DAYS:
        _check(form, name, {"week": {name: week[name]}})
    return {**after, "hours": hours}


def week(content: Content) -> list[Day]:
    """The rows of the week."""
    found = _week(content)
    count = max(_SPANS_SHOWN, *(len(intervals) for intervals in found.values()))
    return [
        Day(name, words.day_name(name), words.day_hours(found[name]), _fields(name, count)) for name in DAYS
    ]  # fmt: skip


def special(content: Content) -> list[Day]:
    """The days that are different, as they come."""
    stored = content.to_json()["hours"]
    found = stored["special"] if stored else {}
    return [
        Day(day, words.date_name(date.fromisoformat(day)), words.day_hours(intervals), ())
        for day, intervals in sorted(found.items())
    ]


def special_fields() -> list[tuple[str, str]]:
    """The names of the fields with which a day that is different is written."""
    return _fields("day", _SPANS_SHOWN)


def read_special(form: Form) -> tuple[str, list[list[str]]] | None:
    """A day that is different: when, and its spans, none for closed. None where something is wrong."""
    written = form.text("day")
    try:
        day = date.fromisoformat(written).isoformat()
    except ValueError:
        form.errors["day"] = _("Choose a day, such as 2026-12-25.")
        return None
    spans = [] if form.text("kind") == "closed" else read_spans(form, "day", place="day-0-opens")
    if form.text("kind") != "closed" and not spans and not form.errors:
        form.errors["day-0-opens"] = _("Say from when until when, or choose that you are closed.")
    _check(form, "day-0-opens", {"week": {}, "special": {day: spans}})
    return None if form.errors else (day, spans)


def with_day(content: Content, day: str, spans: list[list[str]] | None) -> Mapping[str, Any] | None:
    """The hours with a day that goes otherwise than its weekday; None takes it out. Where no week is told there is
    nothing from which a day could differ, and no hours come of it."""
    stored = content.to_json()["hours"]
    if stored is None:
        return None
    others = {each: kept for each, kept in stored["special"].items() if each != day}
    return {"week": stored["week"], "special": others if spans is None else {**others, day: spans}}


def read_spans(form: Form, name: str, *, place: str = "") -> list[list[str]]:
    """The spans of one row; what is half filled in is said beside it, or at another `place`."""
    spans: list[list[str]] = []
    for number in range(_SPANS_MAX):
        written = [form.text(f"{name}-{number}-{end}") for end in ("opens", "closes")]
        if not any(written):
            continue
        read = [_time(each) for each in written]
        if None in read:
            form.errors.setdefault(place or name, _("Write both times, such as 9:00 and 18:00."))
            continue
        spans.append([each for each in read if each is not None])
    return spans


def _check(form: Form, name: str, hours: dict[str, Any]) -> None:
    """Note when spans of one day overlap."""
    try:
        OpeningHours.from_json({"zone": "UTC", **hours})
    except BadInput:
        form.errors.setdefault(name, _("These times overlap: write them one after the other."))


def _time(written: str) -> str | None:
    match = _TIME.fullmatch(written.strip())
    if match is None or (match[1] == "24" and (match[2] or "00") != "00"):
        return None
    return f"{int(match[1]):02d}:{match[2] or '00'}"


def _week(content: Content) -> dict[str, list[list[str]]]:
    stored = content.to_json()["hours"]
    return {name: stored["week"].get(name, []) if stored else [] for name in DAYS}


def _fields(name: str, count: int) -> list[tuple[str, str]]:
    return [(f"{name}-{number}-opens", f"{name}-{number}-closes") for number in range(count)]
