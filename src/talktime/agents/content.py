"""What an agent says and knows, as one value: what a draft holds, what a version was published with.

The rule: a version and a draft are told apart only by where they are stored; whatever reads, checks, compares or turns
them into a prompt sees this value and no table.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType
from typing import Any

from talktime.agents.models import Agent, AgentVersion
from talktime.agents.opening_hours import OpeningHours
from talktime.speech.contract import Entry

TAKE_MESSAGE = "take_message"
TRANSFER = "transfer"
"""Not withheld like the others: whoever may put callers through has people to put them through to."""
TOOLS = (TAKE_MESSAGE,)
"""What an agent may be allowed to do besides talking, looking up and hanging up; all of it unless it is withheld."""
_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody to whom callers may be put through."""

    name: str
    """As callers and the agent say it: `Doctor Marsh`, `the workshop`."""
    number: str
    """E.164, of an ordinary kind (`dialling.py`)."""


@dataclass(frozen=True, slots=True)
class Content:
    """Everything that a version says."""

    business: str = ""
    language: str = "en"
    """BCP 47."""
    zone: str = "Europe/Berlin"
    greeting: str = ""
    instructions: str = ""
    facts: str = ""
    tone: str = ""
    avoid: str = ""
    voice: str = ""
    """Name of a voice, "" for the one that is spoken with by itself."""
    hours: OpeningHours | None = None
    """In `zone`; None when it is not said."""
    answers_after_hours: bool = True
    knowledge: tuple[Entry, ...] = ()
    phrases: tuple[str, ...] = ()
    tools: tuple[str, ...] = TOOLS
    people: tuple[Person, ...] = ()
    turn_settings: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    fallback_texts: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    """What a caller hears when the agent cannot talk, by the reason (`no_credit`)."""
    fallback_forwards: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    """Who is rung instead, by the reason (`after_hours`): a number, as of people. The customer pays for that leg; where
    they cannot, the caller hears the text."""
    call_seconds_max: int = 1800

    def __post_init__(self) -> None:
        if self.hours is not None and self.hours.zone != self.zone:
            # Nine o'clock stays nine o'clock when a business moves.
            object.__setattr__(self, "hours", replace(self.hours, zone=self.zone))

    def to_json(self) -> dict[str, Any]:
        """As it is stored in a draft, and sent."""
        values: dict[str, Any] = {name: getattr(self, name) for name in FIELDS}
        hours = self.hours.to_json() if self.hours else None
        return values | {
            "hours": {"week": hours["week"], "special": hours["special"]} if hours else None,
            "knowledge": [_entry_json(entry) for entry in self.knowledge],
            "phrases": list(self.phrases),
            "tools": list(self.tools),
            "people": [asdict(person) for person in self.people],
            "turn_settings": dict(self.turn_settings),
            "fallback_texts": dict(self.fallback_texts),
            "fallback_forwards": dict(self.fallback_forwards),
        }


FIELDS = tuple(Content.__dataclass_fields__)
LONG_TEXTS = ("greeting", "instructions", "facts", "tone", "avoid")
"""Those of the fields that are texts of several lines."""


def from_stored(stored: Mapping[str, Any]) -> Content:
    """Read what `to_json` wrote, also in an older version of this program: it was checked then."""
    values: dict[str, Any] = {name: stored[name] for name in FIELDS if name in stored}
    zone = values.get("zone", Content().zone)
    readers: Mapping[str, Callable[[Any], Any]] = {
        "hours": lambda hours: OpeningHours.from_json({"zone": zone, **hours}) if hours else None,
        "knowledge": _entries,
        "phrases": tuple,
        "tools": tuple,
        "people": _people,
    }
    return Content(**{name: readers[name](value) if name in readers else value for name, value in values.items()})


def of_version(agent: Agent, version: AgentVersion) -> Content:
    """What a version says. One from before business, language and zone were published with it has its agent's."""
    hours = OpeningHours.from_json(version.hours) if version.hours else None
    return Content(
        business=version.business if version.business is not None else agent.business,
        language=version.language or agent.language,
        zone=version.zone or (hours.zone if hours else agent.zone),
        greeting=version.greeting,
        instructions=version.instructions,
        facts=version.facts,
        tone=version.tone,
        avoid=version.avoid,
        voice=version.voice,
        hours=hours,
        answers_after_hours=version.answers_after_hours,
        knowledge=_entries(version.knowledge),
        phrases=tuple(version.phrases),
        tools=(*(tool for tool in TOOLS if tool not in version.withheld), *version.tools),
        people=_people(version.people),
        turn_settings=version.turn_settings,
        fallback_texts=version.fallback.get("texts", {}),
        fallback_forwards=version.fallback.get("forward", {}),
        call_seconds_max=version.call_seconds_max,
    )


def columns(content: Content) -> dict[str, Any]:
    """The columns of the version that says this."""
    values: dict[str, Any] = {name: getattr(content, name) for name in FIELDS}
    del values["fallback_texts"], values["fallback_forwards"]
    fallback = {"texts": dict(content.fallback_texts), "forward": dict(content.fallback_forwards)}
    return values | {
        "hours": content.hours.to_json() if content.hours else {},
        "knowledge": [_entry_json(entry) for entry in content.knowledge],
        "phrases": list(content.phrases),
        "tools": [tool for tool in content.tools if tool not in TOOLS],
        "withheld": [tool for tool in TOOLS if tool not in content.tools],
        "people": [asdict(person) for person in content.people],
        "turn_settings": dict(content.turn_settings),
        "fallback": {name: said for name, said in fallback.items() if said},
    }


def _entry_json(entry: Entry) -> dict[str, Any]:
    return {**asdict(entry), "questions": list(entry.questions)}


def _people(stored: list[Any]) -> tuple[Person, ...]:
    return tuple(Person(each["name"], each["number"]) for each in stored)


def _entries(stored: list[Any]) -> tuple[Entry, ...]:
    return tuple(Entry(key=each["key"], questions=tuple(each["questions"]), answer=each["answer"]) for each in stored)
