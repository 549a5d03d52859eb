"""What stands in a draft, in words a shop owner would use: the names of its fields, and what is in them.

The rule: values in, words out; the language is the reader's, and nothing here reads the database.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, get_day_names

from talktime.agents.content import LONG_TEXTS
from talktime.agents.differences import Change
from talktime.agents.opening_hours import DAYS
from talktime.agents.problems import FieldError, UnfitAgent
from talktime.agents.turn_settings import TurnSettings
from talktime.numbers.shown import international
from talktime.web import local
from talktime.web.language import _

_DATE = {"en": "EEEE, d MMMM y", "de": "EEEE, d. MMMM y"}
_USUAL = TurnSettings()


def day_name(name: str) -> str:
    """A day of the week: `monday` → `Monday`, `Montag`."""
    return str(get_day_names("wide", "stand-alone", locale=local.language())[DAYS.index(name)])


def date_name(day: date) -> str:
    """A day of the calendar: `Friday, 25 December 2026`."""
    return format_date(day, _DATE[local.language()], locale=local.language())


def language_name(tag: str) -> str:
    """A language in the reader's: `German`, `Deutsch (Österreich)`."""
    try:
        name = Locale.parse(tag, sep="-").get_display_name(local.language())
    except (UnknownLocaleError, ValueError):
        name = None
    return f"{name[:1].upper()}{name[1:]}" if name else tag


def error(wrong: FieldError) -> str:
    """What is wrong with a field, in the reader's language."""
    if not wrong.values:
        return _(wrong.sentence or wrong.message)
    told = {name: local.figure(value) if isinstance(value, int) else value for name, value in wrong.values.items()}
    return _(wrong.sentence).format(**told)


def errors(unfit: UnfitAgent) -> list[tuple[str, str]]:
    """Everything that is wrong: where, and what to do."""
    return [(each.field, error(each)) for each in unfit.errors]


def field_name(field: str) -> str:
    """What a field is called: `greeting`, `knowledge.parking`, `hours.week.monday`."""
    name, _dot, rest = field.partition(".")
    if name == "hours" and rest:
        part, _dot, day = rest.partition(".")
        return day_name(day) if part == "week" else date_name(date.fromisoformat(day))
    if name == "knowledge" and rest:
        return _("The order of the answers") if rest == "order" else _("Answer: {name}").format(name=rest)
    if name == "turn_settings" and rest:
        return turn_setting(rest)
    if name in ("fallback_texts", "fallback_forwards") and rest:
        said = _("What callers hear: {reason}") if name == "fallback_texts" else _("Who is rung instead: {reason}")
        return said.format(reason=reason(rest))
    return _names()[name]


def values(field: str, value: Any) -> list[str]:
    """What stands in a field, line by line; nothing for a field without anything."""
    name, _dot, rest = field.partition(".")
    if name == "hours" and rest and value is not None:
        return [day_hours(value)]  # of a day, nothing means closed
    if value is None or value in ("", [], {}):
        return []
    if isinstance(value, bool):
        return [_("yes") if value else _("no")]
    return list(_lines(name, rest, value))


def reason(why: str) -> str:
    """Why an agent cannot talk."""
    return {
        "after_hours": _("You are closed"),
        "no_agent": _("The agent is switched off"),
        "too_many_calls": _("Too many people call at once"),
        "ai_down": _("The agent has to stop in the middle of a call"),
        "draining": _("We are being updated"),
        "no_credit": _("Your credits are used up"),
        "debt": _("Your account is below zero"),
        "day_limit": _("Your limit for a day is reached"),
        "call_limit": _("Your limit for a call is reached"),
        "caller_limit": _("Your limit for one caller is reached"),
        "suspended": _("Your account is suspended"),
        "blocked": _("Your account is blocked"),
        "no_price": _("No price is set for your calls"),
    }[why]


def turn_setting(name: str) -> str:
    """A setting of how the agent takes turns."""
    return {
        "silence_seconds": _("Asks whether somebody is still there after"),
        "still_there_times": _("Asks so many times before it says goodbye"),
        "end_silence_ms": _("Waits for the caller to go on"),
        "end_silence_ms_min": _("Waits after what sounds like a whole sentence"),
        "end_silence_ms_max": _("Waits in the middle of a sentence"),
        "dictation_silence_ms": _("Waits while a number or an address is dictated"),
        "interrupt_ms": _("Stops talking when the caller cuts in for"),
        "interrupt_ms_no_words": _("Stops talking when no word was understood yet, after"),
        "interrupt_ms_no_guesses": _("Stops talking when words are only understood at the end, after"),
        "turn_seconds_max": _("Answers at the latest when the caller has talked for"),
        "keys_seconds": _("Waits after the last key that was pressed"),
        "call_seconds_max": _("Longest call"),
    }[name]


def unit(name: str) -> str:
    """What a setting of turns is counted in."""
    if name.endswith("_times"):
        return _("times")
    return _("milliseconds") if "_ms" in name else _("seconds")


def usual(name: str) -> str:
    """What a setting of turns is when nothing is said."""
    return plain_figure(getattr(_USUAL, name))


def plain_figure(number: float) -> str:
    """A figure as it is typed into a field: `550`, `1.5`, in German `1,5`."""
    said = f"{number:g}"
    return said.replace(".", ",") if local.language() == "de" else said


def day_hours(intervals: Sequence[Sequence[str]]) -> str:
    """What opens on one day: `09:00–12:30, 14:00–18:00`."""
    spans = [_("all day") if [*span] == ["00:00", "00:00"] else "–".join(span) for span in intervals]
    return ", ".join(spans) if spans else _("closed")


def changed(changes: Sequence[Change]) -> str:
    """What changed, as a list of names: `Greeting, Instructions, Monday`."""
    return ", ".join(dict.fromkeys(field_name(change.field) for change in changes))


def length(seconds: int) -> str:
    """`30 minutes`, `90 seconds`."""
    if seconds % 60:
        return _("{seconds} seconds").format(seconds=local.figure(seconds))
    minutes = seconds // 60
    return _("1 minute") if minutes == 1 else _("{minutes} minutes").format(minutes=local.figure(minutes))


def _lines(name: str, rest: str, value: Any) -> Iterator[str]:
    if name in LONG_TEXTS:
        yield from str(value).splitlines()
    elif name == "hours":
        yield from _week(value)
    elif name == "knowledge":
        yield from _knowledge(rest, value)
    elif name == "people":
        yield from (f"{person['name']}: {international(person['number']) or '–'}" for person in value)
    elif name == "tools":
        yield from (_("takes messages") for tool in value if tool == "take_message")
    elif name in ("fallback_texts", "fallback_forwards", "turn_settings"):
        for key, said in {rest: value}.items() if rest else value.items():
            shown = _setting(name, key, said)
            yield shown if rest else f"{field_name(f'{name}.{key}')}: {shown}"
    elif name == "call_seconds_max":
        yield length(value)
    elif name == "language":
        yield language_name(value)
    elif isinstance(value, list):
        yield from map(str, value)
    else:
        yield str(value)


def _setting(name: str, key: str, value: Any) -> str:
    if name == "turn_settings":
        return f"{plain_figure(value)} {unit(key)}"
    return international(value) if name == "fallback_forwards" else str(value)


def _week(hours: Mapping[str, Any]) -> Iterator[str]:
    for name in DAYS:
        yield f"{day_name(name)}: {day_hours(hours['week'].get(name, []))}"
    for day, intervals in sorted(hours["special"].items()):
        yield f"{date_name(date.fromisoformat(day))}: {day_hours(intervals)}"


def _knowledge(key: str, value: Any) -> Iterator[str]:
    if key == "order":
        yield from value
        return
    for number, entry in enumerate([value] if key else value):
        if number:
            yield ""
        if entry["questions"]:
            yield " · ".join(entry["questions"])
        yield from str(entry["answer"]).splitlines()


def _names() -> dict[str, str]:
    return {
        "business": _("Business"),
        "language": _("Language it speaks"),
        "zone": _("Time zone"),
        "greeting": _("Greeting"),
        "instructions": _("Instructions"),
        "facts": _("About the business"),
        "tone": _("Tone"),
        "avoid": _("What it must not do"),
        "voice": _("Voice"),
        "hours": _("Opening hours"),
        "answers_after_hours": _("Answers after hours"),
        "knowledge": _("Answers it knows"),
        "phrases": _("Sentences callers say"),
        "tools": _("What it may do"),
        "people": _("People it puts callers through to"),
        "turn_settings": _("Pace"),
        "fallback_texts": _("What callers hear instead"),
        "fallback_forwards": _("Who is rung instead"),
        "call_seconds_max": _("Longest call"),
    }
