"""Reading what somebody wrote for an agent, and saying what is wrong with it.

The rules: a draft may be unfinished (an empty greeting, an entry without an answer), but nothing in it is of the wrong
kind, too long, or for a language that no voice speaks; and what is published is whole. Everything wrong is said at
once.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts.profile import NoZone, read_zone, require_known_zone
from talktime.agents import dialling, limits
from talktime.agents.content import FIELDS, LONG_TEXTS, TOOLS, Content, Person
from talktime.agents.opening_hours import OpeningHours
from talktime.agents.problems import FieldError, UnfitAgent, problem
from talktime.agents.turn_settings import TurnSettings
from talktime.errors import BadInput
from talktime.speech.choose import LANGUAGES, is_spoken
from talktime.speech.contract import Entry

FALLBACKS = (
    *("after_hours", "suspended", "no_agent", "draining", "no_credit", "too_many_calls", "debt", "blocked", "no_price"),
    *("day_limit", "call_limit", "caller_limit"),
)
"""Why an agent may not talk, each with a sentence of its own for the caller (`calls/routing.py`)."""
AI_DOWN = "ai_down"
"""The agent talks already, and nobody can think, hear or speak for it any more."""
FORWARDS = ("after_hours", "no_agent", "draining", "too_many_calls", AI_DOWN)
"""For which somebody can be rung instead: what the customer's money ends would end that, too."""
_MESSAGE_LENGTH_MAX = 300
_ERRORS_MAX = 50
_KEY = re.compile(rf"[a-z0-9][a-z0-9_-]{{0,{limits.ENTRY_KEY_LENGTH_MAX - 1}}}")
_MOST_ENTRIES = "There may be at most {most} entries; these are {count}."
_MOST_QUESTIONS = "There may be at most {most} questions; these are {count}."
_MOST_PHRASES = "There may be at most {most} phrases; these are {count}."
_MOST_TOOLS = "There may be at most {most} tools; these are {count}."
_MOST_PEOPLE = "There may be at most {most} people; these are {count}."
_UNSAYABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
"""What no database stores, no page shows and no voice says; line breaks and tabs are neither."""


def revised(content: Content, sent: Mapping[str, Any]) -> Content:
    """The same with these fields changed; those that are not sent stay. Raises UnfitAgent."""
    reading = _Reading()
    values = {name: reading.field(name, value) for name, value in sent.items()}
    reading.finish()
    return replace(content, **values)


def require_fit(content: Content) -> None:
    """Whether this may be published. Raises UnfitAgent, with everything that is still missing."""
    reading = _Reading()
    # What was kept under wider limits, or for a voice that is gone, is looked at again.
    for name, value in content.to_json().items():
        reading.field(name, value)
    if not content.business.strip():
        reading.wrong("business", "Write what the business is called.")
    if not content.greeting.strip():
        reading.wrong("greeting", "Write what the agent says when it answers.")
    for place, entry in enumerate(content.knowledge):
        if not any(question.strip() for question in entry.questions):
            reading.wrong(f"knowledge.{place}.questions", "Write at least one way to ask for {key}.", key=entry.key)
        if not entry.answer.strip():
            reading.wrong(f"knowledge.{place}.answer", "Write what the agent answers to {key}.", key=entry.key)
    for place, person in enumerate(content.people):
        if not person.name.strip():
            reading.wrong(f"people.{place}.name", "Write what the agent calls this person.")
        if not person.number:
            reading.wrong(f"people.{place}.number", "Write the number that is rung, such as +4930123456.")
    if not content.answers_after_hours and not _opens(content.hours):
        reading.wrong("hours", "Say when you are open, or let the agent answer at any time.")
    reading.finish()


def tidied(content: Content) -> Content:
    """The same without the blanks that people leave: what is published."""
    return replace(
        content,
        **{name: getattr(content, name).strip() for name in ("business", "voice", *LONG_TEXTS)},
        knowledge=tuple(
            Entry(entry.key, tuple(filter(None, map(str.strip, entry.questions))), entry.answer.strip())
            for entry in content.knowledge
        ),
        phrases=tuple(filter(None, map(str.strip, content.phrases))),
        people=tuple(replace(person, name=person.name.strip()) for person in content.people),
        fallback_texts={why: said.strip() for why, said in content.fallback_texts.items() if said.strip()},
    )


def read_name(value: object) -> str:
    """What somebody calls an agent. Raises UnfitAgent."""
    reading = _Reading()
    name = reading.line(value, "name", limits.NAME_LENGTH_MAX).strip()
    if not name:
        reading.wrong("name", "Write what you call this agent.")
    reading.finish()
    return name


async def require_zone(db: AsyncSession, zone: str) -> None:
    """Raise UnfitAgent for a zone that the database does not know, whose list may be another than this machine's."""
    try:
        await require_known_zone(db, zone)
    except NoZone as error:
        raise UnfitAgent([FieldError("zone", str(error))]) from None


class _Reading:
    """Reads fields, and gathers what is wrong with them. What is given for a value that is wrong is never used."""

    def __init__(self) -> None:
        self._errors: list[FieldError] = []

    def wrong(self, field: str, sentence: str, **values: str | int) -> None:
        if len(self._errors) < _ERRORS_MAX:
            # All may quote what was sent, which need not be text that can be sent back.
            field, sentence = (said.encode(errors="replace").decode() for said in (field, sentence))
            sentence = sentence[:1].upper() + sentence[1:_MESSAGE_LENGTH_MAX]
            sendable = {
                name: value.encode(errors="replace").decode() if isinstance(value, str) else value
                for name, value in values.items()
            }
            self._errors.append(problem(field, sentence, sendable))

    def finish(self) -> None:
        if self._errors:
            raise UnfitAgent(self._errors)

    def field(self, name: str, value: object) -> Any:
        reader = _READERS.get(name)
        if reader is None:
            self.wrong(name[:80], "There is no such field. There are: {fields}.", fields=", ".join(FIELDS))
            return None
        return reader(self, value, name)

    def text(self, value: object, field: str, length_max: int) -> str:
        """Text of several lines."""
        if not isinstance(value, str):
            self.wrong(field, "This must be text.")
            return ""
        value = value.replace("\r\n", "\n").replace("\r", "\n")
        found = _UNSAYABLE.search(value)
        if found is not None:
            sign = f"U+{ord(found[0]):04X}"
            self.wrong(field, "Take out the character {sign}: it can be neither shown nor spoken.", sign=sign)
        elif len(value) > length_max:
            self.wrong(field, "Write at most {most} characters; these are {count}.", most=length_max, count=len(value))
        return value

    def line(self, value: object, field: str, length_max: int) -> str:
        """Text of one line."""
        text = self.text(value, field, length_max)
        if len(text.splitlines()) > 1:
            self.wrong(field, "Write it on one line.")
        return text

    def instructions(self, value: object, field: str) -> str:
        text = self.text(value, field, limits.INSTRUCTIONS_BYTES_MAX)
        size = len(text.encode(errors="replace"))
        if len(text) <= limits.INSTRUCTIONS_BYTES_MAX < size:
            most = limits.INSTRUCTIONS_BYTES_MAX
            self.wrong(field, "Write at most {most} bytes; these are {count}.", most=most, count=size)
        return text

    def language(self, value: object, field: str) -> str:
        if not isinstance(value, str) or not is_spoken(value):
            named = ", ".join(f"{tag} ({name})" for tag, name in LANGUAGES.items())
            said = "No voice here speaks this language. Choose one of: {named}; or a kind of it: de-AT."
            self.wrong(field, said, named=named)
            return ""
        return value

    def zone(self, value: object, field: str) -> str:
        try:
            return read_zone(value if isinstance(value, str) else "")
        except NoZone as error:
            self.wrong(field, str(error))
            return ""

    def boolean(self, value: object, field: str) -> bool:
        if not isinstance(value, bool):
            self.wrong(field, "This must be true or false.")
        return value is True

    def seconds(self, value: object, field: str) -> int:
        low, high = limits.CALL_SECONDS_MIN, limits.CALL_SECONDS_MAX
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.wrong(field, "This must be a whole number of seconds from {low} to {high}.", low=low, high=high)
            return low
        return value

    def hours(self, value: object, field: str) -> OpeningHours | None:
        if value is None:
            return None
        if isinstance(value, dict) and "zone" in value:
            self.wrong(field, "The hours are in the agent's own zone: send that as the field zone.")
            return None
        try:
            # The agent's zone is put in by what it says; here any will do.
            return OpeningHours.from_json({"zone": "UTC", **value} if isinstance(value, dict) else value)
        except BadInput as error:
            self.wrong(field, f"{str(error).removesuffix('.')}.")
            return None

    def knowledge(self, value: object, field: str) -> tuple[Entry, ...]:
        entries: list[Entry] = []
        size = 0
        for place, each in enumerate(self.items_of(value, field, limits.ENTRIES_MAX, _MOST_ENTRIES)):
            entry = self._entry(each, f"{field}.{place}")
            if any(entry.key == other.key for other in entries):
                said = "There are two entries with the key {key}: rename one."
                self.wrong(f"{field}.{place}.key", said, key=entry.key)
            entries.append(entry)
            size += sum(len(text.encode(errors="replace")) for text in (*entry.questions, entry.answer))
        if size > limits.KNOWLEDGE_BYTES_MAX:
            most = limits.KNOWLEDGE_BYTES_MAX
            self.wrong(field, "Write at most {most} bytes in all; these are {count}.", most=most, count=size)
        return tuple(entries)

    def _entry(self, value: object, field: str) -> Entry:
        if not isinstance(value, dict) or not set(value) <= {"key", "questions", "answer"} or "key" not in value:
            self.wrong(field, "An entry has a key, questions and an answer, and nothing else.")
            return Entry("", (), "")
        key = self.line(value["key"], f"{field}.key", limits.ENTRY_KEY_LENGTH_MAX)
        if not _KEY.fullmatch(key):
            self.wrong(
                f"{field}.key",
                "Write a key in small letters, digits, - and _, at most {most}: parking_place.",
                most=limits.ENTRY_KEY_LENGTH_MAX,
            )
        said = self.items_of(value.get("questions", []), f"{field}.questions", limits.QUESTIONS_MAX, _MOST_QUESTIONS)
        questions = tuple(
            self.line(each, f"{field}.questions.{place}", limits.QUESTION_LENGTH_MAX) for place, each in enumerate(said)
        )
        return Entry(key, questions, self.text(value.get("answer", ""), f"{field}.answer", limits.ANSWER_LENGTH_MAX))

    def phrases(self, value: object, field: str) -> tuple[str, ...]:
        said = self.items_of(value, field, limits.PHRASES_MAX, _MOST_PHRASES)
        return tuple(self.line(each, f"{field}.{place}", limits.PHRASE_LENGTH_MAX) for place, each in enumerate(said))

    def tools(self, value: object, field: str) -> tuple[str, ...]:
        said = self.items_of(value, field, len(TOOLS), _MOST_TOOLS)
        for place, each in enumerate(said):
            if each not in TOOLS:
                self.wrong(f"{field}.{place}", "There is no such tool. There are: {tools}.", tools=", ".join(TOOLS))
        return tuple(tool for tool in TOOLS if tool in said)

    def people(self, value: object, field: str) -> tuple[Person, ...]:
        people: list[Person] = []
        for place, each in enumerate(self.items_of(value, field, limits.PEOPLE_MAX, _MOST_PEOPLE)):
            at = f"{field}.{place}"
            if not isinstance(each, dict) or set(each) != {"name", "number"}:
                self.wrong(at, "A person has a name and a number, and nothing else.")
                continue
            person = Person(
                self.line(each["name"], f"{at}.name", limits.PERSON_NAME_LENGTH_MAX),
                self.ordinary_number(each["number"], f"{at}.number"),
            )
            if any(person.name.strip().casefold() == other.name.strip().casefold() for other in people):
                self.wrong(f"{at}.name", "There are two people of this name: the agent could not tell them apart.")
            people.append(person)
        return tuple(people)

    def ordinary_number(self, value: object, field: str) -> str:
        """A number that callers may be put through to; "" for one that is still to be written."""
        if value == "":
            return ""
        number = dialling.normalised(value) if isinstance(value, str) else None
        if number is None:
            self.wrong(field, "Write a whole number, with the country's code: +4930123456.")
            return ""
        if not dialling.is_ordinary(number):
            self.wrong(field, "Callers are not put through to premium, enquiry, satellite or unknown numbers.")
        return number

    def turn_settings(self, value: object, field: str) -> Mapping[str, Any]:
        settings = self.mapping_of(value, field)
        if "call_seconds_max" in settings:
            self.wrong(field, "The longest call is set as the field call_seconds_max.")
            return {}
        try:
            TurnSettings.from_json(settings)
        except BadInput as error:
            self.wrong(field, str(error))
        return settings

    def fallback_texts(self, value: object, field: str) -> Mapping[str, str]:
        texts = self.mapping_of(value, field)
        for why in texts:
            if why not in FALLBACKS:
                said = "There is no such reason. There are: {reasons}."
                self.wrong(f"{field}.{why[:80]}", said, reasons=", ".join(FALLBACKS))
        return {why: self.line(said, f"{field}.{why[:80]}", limits.FALLBACK_LENGTH_MAX) for why, said in texts.items()}

    def fallback_forwards(self, value: object, field: str) -> Mapping[str, str]:
        numbers = self.mapping_of(value, field)
        for why in numbers:
            if why not in FORWARDS:
                said = "Nobody can be rung for this. There are: {reasons}."
                self.wrong(f"{field}.{why[:80]}", said, reasons=", ".join(FORWARDS))
        read = {why: self.ordinary_number(number, f"{field}.{why[:80]}") for why, number in numbers.items()}
        return {why: number for why, number in read.items() if number}

    def items_of(self, value: object, field: str, length_max: int, too_many: str) -> list[Any]:
        if not isinstance(value, list):
            self.wrong(field, "This must be a list.")
            return []
        if len(value) > length_max:
            self.wrong(field, too_many, most=length_max, count=len(value))
            return []
        return value

    def mapping_of(self, value: object, field: str) -> dict[str, Any]:
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            self.wrong(field, "This must be an object.")
            return {}
        return value


def _opens(hours: OpeningHours | None) -> bool:
    return hours is not None and any((*hours.week, *hours.special.values()))


def _text(length_max: int) -> Callable[[_Reading, object, str], str]:
    return lambda reading, value, field: reading.text(value, field, length_max)


def _line(length_max: int) -> Callable[[_Reading, object, str], str]:
    return lambda reading, value, field: reading.line(value, field, length_max)


_READERS: Mapping[str, Callable[[_Reading, object, str], Any]] = {
    "business": _line(limits.BUSINESS_LENGTH_MAX),
    "language": _Reading.language,
    "zone": _Reading.zone,
    "greeting": _text(limits.GREETING_LENGTH_MAX),
    "instructions": _Reading.instructions,
    "facts": _text(limits.FACTS_LENGTH_MAX),
    "tone": _text(limits.TONE_LENGTH_MAX),
    "avoid": _text(limits.AVOID_LENGTH_MAX),
    "voice": _line(limits.VOICE_LENGTH_MAX),
    "hours": _Reading.hours,
    "answers_after_hours": _Reading.boolean,
    "knowledge": _Reading.knowledge,
    "phrases": _Reading.phrases,
    "tools": _Reading.tools,
    "people": _Reading.people,
    "turn_settings": _Reading.turn_settings,
    "fallback_texts": _Reading.fallback_texts,
    "fallback_forwards": _Reading.fallback_forwards,
    "call_seconds_max": _Reading.seconds,
}
assert set(_READERS) == set(FIELDS)
