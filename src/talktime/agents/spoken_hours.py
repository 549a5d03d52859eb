"""Opening hours as people say them on the phone, in English and German.

The one rule: words only. A figure, a colon or an abbreviation is read aloud in some way by every voice, and rarely in
the right one.
"""

from collections.abc import Sequence
from datetime import date, datetime, time
from typing import TYPE_CHECKING

from talktime.speech.contract import is_german

if TYPE_CHECKING:
    from talktime.agents.opening_hours import Intervals

_DAYS_EN = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_DAYS_DE = ("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag")
_MONTHS_EN = (
    *("January", "February", "March", "April", "May", "June", "July", "August", "September", "October"),
    *("November", "December"),
)
_MONTHS_DE = (
    *("Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober"),
    *("November", "Dezember"),
)
_ONES_EN = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS_EN = {2: "twenty", 3: "thirty", 4: "forty", 5: "fifty"}
_ONES_DE = (
    *("null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "zehn", "elf", "zwölf"),
    *("dreizehn", "vierzehn", "fünfzehn", "sechzehn", "siebzehn", "achtzehn", "neunzehn"),
)
_TENS_DE = {2: "zwanzig", 3: "dreißig", 4: "vierzig", 5: "fünfzig"}
_ORDINALS_EN = (
    *("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh"),
    *("twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth"),
    *("twentieth", *(f"twenty-{one}" for one in ("first", "second", "third", "fourth", "fifth", "sixth", "seventh"))),
    *("twenty-eighth", "twenty-ninth", "thirtieth", "thirty-first"),
)
_IRREGULAR_DE = {1: "ersten", 3: "dritten", 7: "siebten", 8: "achten"}


def clock(at: time, language: str) -> str:
    """`half past nine in the morning`, `neun Uhr dreißig`."""
    return _clock_de(at) if is_german(language) else _clock_en(at)


def day(weekday: int, intervals: "Intervals", language: str) -> str:
    """One day of the week as a sentence; Monday is 0."""
    if is_german(language):
        said = f"von {_ranges(intervals, language)}" if not _is_all_day(intervals) else "rund um die Uhr"
        return f"Am {_DAYS_DE[weekday]} haben wir {f'{said} geöffnet' if intervals else 'geschlossen'}."
    said = "all day" if _is_all_day(intervals) else f"from {_ranges(intervals, language)}"
    return f"On {_DAYS_EN[weekday]} we are {f'open {said}' if intervals else 'closed'}."


def special_day(today: date, then: date, intervals: "Intervals", language: str) -> str:
    """A day of the calendar that goes otherwise than its weekday, as a sentence."""
    when = _date(today, then, language)
    hours = ("rund um die Uhr" if is_german(language) else "all day") if _is_all_day(intervals) else ""
    hours = hours or f"{'von' if is_german(language) else 'from'} {_ranges(intervals, language)}"
    if is_german(language):
        return f"Ausnahmsweise haben wir {when} {f'{hours} geöffnet' if intervals else 'geschlossen'}."
    return f"As an exception, we are {'open' if intervals else 'closed'} {when}{f' {hours}' if intervals else ''}."


def week(days: Sequence["Intervals"], language: str) -> str:
    """The whole week; days with the same hours are said together."""
    groups: dict[Intervals, list[int]] = {}
    for number, intervals in enumerate(days):
        groups.setdefault(intervals, []).append(number)
    closed = groups.pop((), [])
    german = is_german(language)
    if not groups:
        return "Wir haben die ganze Woche geschlossen." if german else "We are closed all week."
    parts = []
    for intervals, numbers in groups.items():
        hours = f"{'von' if german else 'from'} {_ranges(intervals, language)}"
        if _is_all_day(intervals):
            hours = "rund um die Uhr" if german else "all day"
        parts.append(f"{_days(numbers, language)} {hours}")
    sentence = f"Wir haben {_listed(parts, 'und')} geöffnet." if german else f"We are open {_listed(parts, 'and')}."
    if closed:
        when = _days(closed, language)
        sentence += f" {_capital(when)} haben wir geschlossen." if german else f" We are closed on {when}."
    return sentence


def open_until(now: datetime, closes: datetime | None, language: str) -> str:
    """That the business is open, and until when."""
    german = is_german(language)
    if closes is None:
        return "Wir haben rund um die Uhr geöffnet." if german else "We are open around the clock."
    # Past midnight belongs to tonight in people's heads.
    tonight = (closes.date() - now.date()).days == 0 or ((closes.date() - now.date()).days == 1 and closes.hour < 6)
    when = "" if tonight else f"{_date(now.date(), closes.date(), language)} "
    if german:
        return f"Wir haben jetzt geöffnet, bis {when}{clock(closes.time(), language)}."
    return f"We are open now, until {clock(closes.time(), language)}{f' {when.strip()}' if when else ''}."


def closed_until(now: datetime, opens: datetime | None, language: str) -> str:
    """That the business is closed, and when it opens."""
    german = is_german(language)
    if opens is None:
        return "Wir haben zurzeit geschlossen." if german else "We are closed at the moment."
    when, at = _date(now.date(), opens.date(), language), clock(opens.time(), language)
    if german:
        return f"Wir haben gerade geschlossen. Wir öffnen {when} um {at}."
    return f"We are closed right now. We open {when} at {at}."


def written_time(local: datetime, language: str) -> str:
    """`Monday, 23 November 2026, 14:05`: for a model to read, not for a voice."""
    if is_german(language):
        return f"{_DAYS_DE[local.weekday()]}, {local.day}. {_MONTHS_DE[local.month - 1]} {local.year}, {local:%H:%M}"
    return f"{_DAYS_EN[local.weekday()]}, {local.day} {_MONTHS_EN[local.month - 1]} {local.year}, {local:%H:%M}"


def _date(today: date, then: date, language: str) -> str:
    german = is_german(language)
    away = (then - today).days
    if away == 0:
        return "heute" if german else "today"
    if away == 1:
        return "morgen" if german else "tomorrow"
    if away < 7:
        return f"am {_DAYS_DE[then.weekday()]}" if german else f"on {_DAYS_EN[then.weekday()]}"
    if german:
        return f"am {_DAYS_DE[then.weekday()]}, dem {_ordinal_de(then.day)} {_MONTHS_DE[then.month - 1]}"
    return f"on {_DAYS_EN[then.weekday()]} the {_ORDINALS_EN[then.day - 1]} of {_MONTHS_EN[then.month - 1]}"


def _days(numbers: list[int], language: str) -> str:
    german = is_german(language)
    names = _DAYS_DE if german else _DAYS_EN
    if len(numbers) == 7:
        return "täglich" if german else "every day"
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    said = []
    for run in runs:
        if len(run) >= 3:
            said.append(f"{names[run[0]]} {'bis' if german else 'to'} {names[run[-1]]}")
        else:
            said += [names[number] for number in run]
    return _listed(said, "und" if german else "and")


def _ranges(intervals: "Intervals", language: str) -> str:
    to, then = ("bis", " und von ") if is_german(language) else ("to", " and from ")
    return then.join(f"{clock(one.opens, language)} {to} {clock(one.closes, language)}" for one in intervals)


def _is_all_day(intervals: "Intervals") -> bool:
    return any(one.opens == one.closes == time(0) for one in intervals)


def _clock_en(at: time) -> str:
    if at.minute == 0 and at.hour in (0, 12):
        return "midnight" if at.hour == 0 else "noon"
    hour = (at.hour + 1) % 24 if at.minute == 45 else at.hour
    part = "at night" if hour >= 21 else "in the evening" if hour >= 18 else "in the afternoon" if hour >= 12 else ""
    part = part or "in the morning"
    name = _ONES_EN[hour % 12 or 12]
    head = {0: name, 15: f"a quarter past {name}", 30: f"half past {name}", 45: f"a quarter to {name}"}
    if at.minute == 45 and hour in (0, 12):
        return f"a quarter to {'noon' if hour else 'midnight'}"
    if at.minute in head:
        return f"{head[at.minute]} {part}"
    minutes = f"oh {_ONES_EN[at.minute]}" if at.minute < 10 else _number(at.minute, _ONES_EN, _TENS_EN)
    return f"{name} {minutes} {part}"


def _clock_de(at: time) -> str:
    if at == time(0):
        return "Mitternacht"
    hour = "ein" if at.hour == 1 else _number_de(at.hour)
    return f"{hour} Uhr {_number_de(at.minute)}" if at.minute else f"{hour} Uhr"


def _number(value: int, ones: Sequence[str], tens: dict[int, str]) -> str:
    if value < 20:
        return ones[value]
    return tens[value // 10] + (f" {ones[value % 10]}" if value % 10 else "")


def _number_de(value: int) -> str:
    if value < 20:
        return _ONES_DE[value]
    one = {0: "", 1: "einund"}.get(value % 10, f"{_ONES_DE[value % 10]}und")
    return one + _TENS_DE[value // 10]


def _ordinal_de(value: int) -> str:
    return _IRREGULAR_DE.get(value) or _number_de(value) + ("ten" if value < 20 else "sten")


def _listed(parts: Sequence[str], word: str) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {word} {parts[-1]}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
