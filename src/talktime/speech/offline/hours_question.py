"""What a caller wants to know about the opening hours, and the answer.

The one rule: a holiday comes before its weekday, so an answer that names a day asks the moment first.
"""

from talktime.speech.contract import Brief, Moment
from talktime.speech.offline.phrasebook import Phrasebook

KEYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
SOURCE = "opening_hours"
"""The name of the hours among the sources of a turn."""


def asks_hours(text: str, book: Phrasebook) -> bool:
    return book.hours.search(text) is not None


def names_day(text: str, book: Phrasebook) -> bool:
    """Whether a day is named, on which its own would not yet make it a question about hours."""
    return bool(_weekdays(text, book)) or any(one.search(text) for one in (book.today, book.tomorrow, book.weekend))


def answer(text: str, brief: Brief, moment: Moment, book: Phrasebook) -> str:
    """The sentences that answer a question about hours."""
    if not brief.hours:
        return book.says_no_hours
    today = KEYS.index(moment.today)
    days = [KEYS[number] for number in _weekdays(text, book)]
    if book.weekend.search(text):
        days += ["saturday", "sunday"]
    if book.tomorrow.search(text):
        days.append(KEYS[(today + 1) % 7])
    if book.today.search(text):
        days.append(moment.today)
    if days:
        return " ".join(dict.fromkeys(_day(day, brief, moment) for day in days))
    if book.now.search(text) or book.is_open.search(text):
        return moment.opening or _day(moment.today, brief, moment)
    if book.when_closing_or_opening.search(text):
        return _day(moment.today, brief, moment)
    week = brief.hours.get("week", "")
    return " ".join(part for part in (week, *_exceptions(moment)) if part) or book.says_no_hours


def _day(day: str, brief: Brief, moment: Moment) -> str:
    return moment.special.get(day) or brief.hours.get(day) or brief.hours.get("week", "") or moment.opening


def _exceptions(moment: Moment) -> list[str]:
    today = KEYS.index(moment.today)
    ahead = [*KEYS[today:], *KEYS[:today]]
    return [moment.special[day] for day in ahead if day in moment.special]


def _weekdays(text: str, book: Phrasebook) -> list[int]:
    spoken = {word.removesuffix("s") for word in text.split()}
    return [number for number, name in enumerate(book.weekdays) if name.removesuffix("s") in spoken]
