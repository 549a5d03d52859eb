"""When a business is open: weekly intervals in its own zone, special days, and how an agent says it.

The one rule: an hour is a time on the clock of the business, not an offset. Every question is answered by turning the
clock's time into an instant with the zone's rules of that very day, so that the two days a year on which the clocks
change come out right.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from talktime.agents import spoken_hours
from talktime.errors import BadInput
from talktime.speech.contract import Moment

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_INTERVALS_PER_DAY_MAX = 8
_SPECIAL_DAYS_MAX = 400
_DAYS_AHEAD = 400
"""How far the next opening is looked for: over a year, for one who opens on a single day of it."""


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """From `opens` until `closes`. At or before `opens`, `closes` is on the next day; 00:00 to 00:00 is a whole day."""

    opens: time
    closes: time

    @property
    def passes_midnight(self) -> bool:
        return self.closes <= self.opens


Intervals = tuple[Interval, ...]


@dataclass(frozen=True, slots=True)
class OpeningHours:
    """The hours of one business."""

    zone: str
    week: tuple[Intervals, ...]
    """Seven days from Monday, each with its intervals in order; an empty day is closed."""
    special: Mapping[date, Intervals] = field(default_factory=dict)
    """Days that go otherwise than their weekday; empty for closed."""

    def __post_init__(self) -> None:
        _check_zone(self.zone)
        if len(self.week) != 7:
            raise BadInput(f"opening hours need seven days, not {len(self.week)}")
        for intervals in (*self.week, *self.special.values()):
            _check_order(intervals)

    def local(self, at: datetime) -> datetime:
        """An instant on the clock of the business."""
        assert at.tzinfo is not None, "a time without a zone is not an instant"
        return at.astimezone(ZoneInfo(self.zone))

    def intervals_on(self, day: date) -> Intervals:
        """What opens on a day of the calendar."""
        return self.special.get(day, self.week[day.weekday()])

    def is_open(self, at: datetime) -> bool:
        yesterday = self.local(at).date() - timedelta(days=1)
        return any(opens <= at < closes for opens, closes in self._spans(yesterday, days=2))

    def closes_at(self, at: datetime) -> datetime | None:
        """When the business closes that is open at this instant, on its own clock; None when it is closed, or does not
        close within a year. Intervals that touch count as one."""
        end: datetime | None = None
        for opens, closes in self._spans(self.local(at).date() - timedelta(days=1), _DAYS_AHEAD):
            if end is None and opens <= at < closes:
                end = closes
            elif end is not None and opens <= end:
                end = max(end, closes)
            elif opens > (end or at):
                return self.local(end) if end else None
        return self.local(end) if end and end - at < timedelta(days=_DAYS_AHEAD - 3) else None

    def next_opening(self, at: datetime) -> datetime | None:
        """When it opens next, on its own clock; None when it is open now, or does not open within a year."""
        if self.is_open(at):
            return None
        spans = self._spans(self.local(at).date() - timedelta(days=1), _DAYS_AHEAD)
        return next((self.local(opens) for opens, _closes in spans if opens > at), None)

    def spoken(self, language: str) -> dict[str, str]:
        """The hours as an agent says them: `monday` … `sunday`, and `week` for all of it."""
        days = {name: spoken_hours.day(number, self.week[number], language) for number, name in enumerate(DAYS)}
        return days | {"week": spoken_hours.week(self.week, language)}

    def moment(self, at: datetime, language: str) -> Moment:
        """What an agent knows of the present."""
        local = self.local(at)
        closes = self.closes_at(at)
        if self.is_open(at):
            opening = spoken_hours.open_until(local, closes, language)
        else:
            opening = spoken_hours.closed_until(local, self.next_opening(at), language)
        coming = (local.date() + timedelta(days=away) for away in range(7))
        return Moment(
            today=DAYS[local.weekday()],
            local_time=spoken_hours.written_time(local, language),
            opening=opening,
            special={
                DAYS[day.weekday()]: spoken_hours.special_day(local.date(), day, self.special[day], language)
                for day in coming
                if day in self.special
            },
        )

    def to_json(self) -> dict[str, Any]:
        """`{"zone": "Europe/London", "week": {"monday": [["09:00", "18:00"]]}, "special": {"2026-12-25": []}}`."""
        return {
            "zone": self.zone,
            "week": {name: _intervals_json(intervals) for name, intervals in zip(DAYS, self.week, strict=True)},
            "special": {day.isoformat(): _intervals_json(what) for day, what in sorted(self.special.items())},
        }

    @classmethod
    def from_json(cls, data: object) -> "OpeningHours":
        """Read what `to_json` writes; a weekday that is missing is closed. Raises BadInput, which says where."""
        parts = _mapping(data, "opening hours")
        unknown = set(parts) - {"zone", "week", "special"}
        if unknown:
            raise BadInput(f"opening hours have no {min(unknown)!r}: only zone, week and special")
        zone = parts.get("zone")
        if not isinstance(zone, str):
            raise BadInput("zone must be text, like Europe/London")
        week, special = _mapping(parts.get("week"), "week"), _mapping(parts.get("special", {}), "special")
        wrong = set(week) - set(DAYS)
        if wrong:
            raise BadInput(f"{min(wrong)!r} is not a day of the week: use {', '.join(DAYS)}")
        if len(special) > _SPECIAL_DAYS_MAX:
            raise BadInput(f"no more than {_SPECIAL_DAYS_MAX} special days")
        return cls(
            zone=zone,
            week=tuple(_read_intervals(week.get(name, []), name) for name in DAYS),
            special={_read_date(day): _read_intervals(what, day) for day, what in special.items()},
        )

    def _spans(self, first: date, days: int) -> Iterator[tuple[datetime, datetime]]:
        """Every interval from a day on, as instants in UTC, in order."""
        for day in (first + timedelta(days=number) for number in range(days)):
            for interval in self.intervals_on(day):
                opens = self._instant(day, interval.opens)
                closes = self._instant(day + timedelta(days=interval.passes_midnight), interval.closes)
                if opens < closes:  # an interval inside the hour that the clocks leave out does not happen
                    yield opens, closes

    def _instant(self, day: date, clock: time) -> datetime:
        """An hour that exists twice is its first; one that the clocks leave out is as far after midnight as it says."""
        return datetime.combine(day, clock, ZoneInfo(self.zone)).astimezone(UTC)


def _mapping(data: object, what: str) -> dict[str, object]:
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
        raise BadInput(f"{what} must be an object")
    return data


def _read_intervals(data: object, where: str) -> Intervals:
    if not isinstance(data, list) or len(data) > _INTERVALS_PER_DAY_MAX:
        raise BadInput(f"{where}: a list of at most {_INTERVALS_PER_DAY_MAX} intervals is wanted")
    intervals = []
    for pair in data:
        if not isinstance(pair, list) or len(pair) != 2:
            raise BadInput(f'{where}: an interval is a pair of times, like ["09:00", "18:00"]')
        intervals.append(Interval(_read_time(pair[0], where), _read_time(pair[1], where)))
    return tuple(sorted(intervals))


def _read_time(data: object, where: str) -> time:
    match = re.fullmatch(r"([01][0-9]|2[0-4]):([0-5][0-9])", data) if isinstance(data, str) else None
    if match is None or (match[1] == "24" and match[2] != "00"):
        raise BadInput(f"{where}: {data!r} is not a time from 00:00 to 24:00")
    return time(int(match[1]) % 24, int(match[2]))


def _read_date(data: str) -> date:
    try:
        return date.fromisoformat(data)
    except ValueError as error:
        raise BadInput(f"{data!r} is not a date like 2026-12-25") from error


def _check_order(intervals: Intervals) -> None:
    for earlier, later in pairwise(intervals):
        if earlier.passes_midnight or later.opens < earlier.closes:
            raise BadInput(f"{_text(earlier)} and {_text(later)} on one day overlap or are out of order")


def _check_zone(zone: str) -> None:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadInput(f"{zone!r} is not a time zone: use a name like Europe/London") from error


def _intervals_json(intervals: Intervals) -> list[list[str]]:
    return [[f"{one.opens:%H:%M}", f"{one.closes:%H:%M}"] for one in intervals]


def _text(interval: Interval) -> str:
    return f"{interval.opens:%H:%M} to {interval.closes:%H:%M}"
