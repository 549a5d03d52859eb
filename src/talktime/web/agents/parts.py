"""The parts of the editor: which fields of a draft stand on which page, how they are shown, and how they are read back.

The rule: a part reads and shows its own fields and no others, so that saving one part never changes another. What is
wrong with a value is said by the domain; only what a form alone can get wrong (a time that is no time) is said here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from talktime.agents.content import LONG_TEXTS, Content
from talktime.web.agents import hours_form, pace_form, people_form, standing_in_form
from talktime.web.forms import Form
from talktime.web.language import _


@dataclass(frozen=True, slots=True)
class Part:
    """One page of the editor."""

    key: str
    """The end of its address."""
    fields: tuple[str, ...]
    """The fields of a draft that it has."""
    show: Callable[[Content], dict[str, str]]
    """What stands in its form."""
    read: Callable[[Form, Content], Mapping[str, Any]]
    """What a form says, as a draft stores it; notes in the form what it cannot read."""
    renamed: Callable[[Form], Mapping[str, str]] = field(default=lambda _form: {})
    """Where things stand in the form whose place in the draft is another: `people.1` → `people.3`."""

    @property
    def template(self) -> str:
        """What shows its fields."""
        return f"agents/parts/{self.key}.html"

    @property
    def title(self) -> str:
        """Its name, in the reader's language."""
        return _titles()[self.key]

    @property
    def sentence(self) -> str:
        """What it is for."""
        return _sentences()[self.key]


def of_field(name: str) -> Part:
    """The part that a field stands in: `people.1.number`."""
    root = name.partition(".")[0]
    return next(part for part in PARTS.values() if root in part.fields)


def _texts(*names: str) -> Callable[[Content], dict[str, str]]:
    return lambda content: {name: str(getattr(content, name)) for name in names}


def _read_texts(*names: str) -> Callable[[Form, Content], Mapping[str, Any]]:
    return lambda form, _content: {name: form.text(name) for name in names}


def _show_knowledge(content: Content) -> dict[str, str]:
    return {"phrases": "\n".join(content.phrases)}


def _read_knowledge(form: Form, _content: Content) -> Mapping[str, Any]:
    return {"phrases": [line.strip() for line in form.text("phrases").splitlines() if line.strip()]}


_SAYS = ("greeting", "instructions", "tone", "avoid")
_BUSINESS = ("business", "language", "zone", "facts")
assert set(_SAYS) | {"facts"} == set(LONG_TEXTS)

PARTS: Mapping[str, Part] = {
    part.key: part
    for part in (
        Part("says", _SAYS, _texts(*_SAYS), _read_texts(*_SAYS)),
        Part("business", _BUSINESS, _texts(*_BUSINESS), _read_texts(*_BUSINESS)),
        Part("hours", ("hours", "answers_after_hours"), hours_form.show, hours_form.read),
        # The answers have a page each: on this one they are listed.
        Part("knowledge", ("phrases", "knowledge"), _show_knowledge, _read_knowledge),
        Part("people", ("tools", "people"), people_form.show, people_form.read, people_form.renamed),
        Part("voice", ("voice", "turn_settings", "call_seconds_max"), pace_form.show, pace_form.read),
        Part("instead", ("fallback_texts", "fallback_forwards"), standing_in_form.show, standing_in_form.read),
    )
}
FIRST = "says"


def _titles() -> dict[str, str]:
    return {
        "says": _("How it answers"),
        "business": _("Your business"),
        "hours": _("Opening hours"),
        "knowledge": _("What it knows"),
        "people": _("What it may do"),
        "voice": _("Voice and pace"),
        "instead": _("When it cannot talk"),
    }


def _sentences() -> dict[str, str]:
    return {
        "says": _("Its greeting, what it is there for, and how it talks."),
        "business": _("What is true of your business, and which language callers hear."),
        "hours": _("When you are open, week by week, and the days that are different."),
        "knowledge": _("Answers to what callers ask, in your own words."),
        "people": _("Taking messages, and putting callers through to a person."),
        "voice": _("Who is heard, how long it waits, and how long a call may be."),
        "instead": _(
            "What callers hear, or who is rung, when the agent cannot talk. It costs you no credits to be heard."
        ),
    }
