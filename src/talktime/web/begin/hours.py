"""Opening hours as people write them, a line for each day: `9–12:30, 14–18`.

The one rule: what was typed is read as it is meant or asked for again, never guessed at.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import time

from talktime.agents.opening_hours import DAYS, Interval, Intervals, OpeningHours
from talktime.errors import BadInput
from talktime.web.forms import Form
from talktime.web.language import _

_CLOSED = ("", "-", "–", "—", "closed", "geschlossen", "zu", "ruhetag", "x")
_ALWAYS = ("24h", "24 h", "24 hours", "24 stunden", "all day", "ganztags", "rund um die uhr")
_TIME = r"(\d{1,2})(?:[:.h](\d{2}))?\s*(am|pm)?\s*(?:uhr|h)?"
_SPAN = re.compile(rf"{_TIME}\s*(?:-|–|—|to|bis)\s*{_TIME}")
_BETWEEN = re.compile(r"(?:\s|,|;|/|\+|&|and|und|from|von)*")
_LENGTH_MAX = 80


def field_of(day: str) -> str:
    """The name of a day's field."""
    return f"hours_{day}"


def written(hours: OpeningHours | None) -> Mapping[str, str]:
    """The hours as the form's fields hold them; where there are none, every day is empty."""
    week = hours.week if hours is not None else ((),) * len(DAYS)
    return {field_of(day): _written(intervals) for day, intervals in zip(DAYS, week, strict=True)}


def read(form: Form) -> dict[str, list[list[str]]] | None:
    """The week that a form says, as an agent keeps it; None where every day is empty. What cannot be read is noted
    beside its day."""
    week: dict[str, list[list[str]]] = {}
    for day in DAYS:
        try:
            week[day] = _read(form.text(field_of(day)))
        except BadInput as error:
            form.errors[field_of(day)] = _(str(error))
    return week if any(form.text(field_of(day)) for day in DAYS) else None


def _written(intervals: Sequence[Interval]) -> str:
    return ", ".join(
        f"{_short(each.opens)}–{'24' if each.closes == time(0) else _short(each.closes)}" for each in intervals
    )


def _short(at: time) -> str:
    return f"{at.hour}:{at.minute:02d}" if at.minute else str(at.hour)


def _read(said: str) -> list[list[str]]:
    """`9–12:30, 14–18` → `[["09:00", "12:30"], ["14:00", "18:00"]]`. Raises BadInput."""
    said = said.lower().strip().rstrip(".")
    if said in _CLOSED:
        return []
    if said in _ALWAYS:
        return [["00:00", "24:00"]]
    if len(said) > _LENGTH_MAX:
        raise BadInput(_NO_HOURS)
    spans: list[Interval] = []
    place = 0
    for found in _SPAN.finditer(said):
        if not _BETWEEN.fullmatch(said[place : found.start()]):
            raise BadInput(_NO_HOURS)
        spans.append(Interval(_time(*found.groups()[:3]), _time(*found.groups()[3:])))
        place = found.end()
    if not spans or said[place:].strip():
        raise BadInput(_NO_HOURS)
    ordered: Intervals = tuple(sorted(spans))
    try:
        OpeningHours(zone="UTC", week=(ordered, *((),) * 6))
    except BadInput:
        raise BadInput(_OVERLAP) from None
    return [[f"{each.opens:%H:%M}", f"{each.closes:%H:%M}"] for each in ordered]


def _time(hour: str, minute: str | None, half: str | None) -> time:
    hours, minutes = int(hour), int(minute or 0)
    if half:
        if not 1 <= hours <= 12:
            raise BadInput(_NO_HOURS)
        hours = hours % 12 + (12 if half == "pm" else 0)
    if (hours, minutes) == (24, 0):
        hours = 0
    if hours > 23 or minutes > 59:
        raise BadInput(_NO_HOURS)
    return time(hours, minutes)


_NO_HOURS = "Write it like 9–18, or 9–12:30, 14–18. Leave it empty for a day on which you are closed."
_OVERLAP = "These times overlap: write each from when until when, one after the other."
