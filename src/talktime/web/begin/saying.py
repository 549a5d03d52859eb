"""What the few fields of the first hour say, and where it stands in an agent: the address and the prices are answers to
questions that callers ask, the rest are facts.

The one rule: what an owner wrote stays theirs. Another trade or language changes what the template said, never that.
Values in, values out; nothing here reads the database.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from talktime.agents import templates
from talktime.agents.content import Content
from talktime.speech.contract import Entry, is_german

QUESTIONS_SHOWN = 4
"""So many pairs of question and answer have a place on the page."""
_SAID = ("greeting", "instructions", "tone", "avoid", "hours", "phrases")
"""What a template says of itself, besides its knowledge."""
_OWN = "own-"
"""What the keys of an owner's questions begin with."""
_ADDRESS = {"en": "address", "de": "adresse"}
_PRICES = {"en": "prices", "de": "preise"}
_ASKED: Mapping[str, tuple[str, ...]] = {
    "address": ("where are you", "what is your address", "how do i get to you", "how do i find you"),
    "adresse": ("wo sind sie", "wie ist ihre adresse", "wo finde ich sie", "wie komme ich zu ihnen"),
    "prices": ("what are your prices", "how much is it", "what does it cost", "how much do you charge"),
    "preise": ("was sind ihre preise", "was kostet das", "wie teuer ist das", "wie viel kostet es"),
}
"""How callers ask for what no template has an entry for."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the owner wrote of their business."""

    address: str = ""
    prices: str = ""
    facts: str = ""
    questions: tuple[tuple[str, str], ...] = ()
    """What callers ask most, each with its answer."""


def known_of(content: Content) -> Known:
    """What stands in an agent already; a template's own answer is not the owner's."""
    entries = {entry.key: entry for entry in content.knowledge}
    spoken = _spoken(content.language)
    own = [entry for entry in content.knowledge if entry.key.startswith(_OWN)]
    return Known(
        address=_own_answer(content, entries.get(_ADDRESS[spoken])),
        prices=_own_answer(content, entries.get(_PRICES[spoken])),
        facts=content.facts,
        questions=tuple((entry.questions[0] if entry.questions else "", entry.answer) for entry in own),
    )


def says_something(content: Content) -> bool:
    """Whether an owner has written anything of their business yet."""
    return known_of(content) != Known()


def told(content: Content, known: Known) -> Content:
    """An agent that knows this of its business, and what it knew besides."""
    spoken = _spoken(content.language)
    entries = [entry for entry in content.knowledge if not entry.key.startswith(_OWN)]
    entries = _answered(content, entries, _ADDRESS[spoken], known.address)
    entries = _answered(content, entries, _PRICES[spoken], known.prices)
    own = [
        Entry(f"{_OWN}{place}", (question,) if question else (), answer)
        for place, (question, answer) in enumerate(known.questions, 1)
        if question or answer
    ]
    return replace(content, facts=known.facts, knowledge=(*entries, *own))


def trade_of(content: Content) -> str:
    """The template that an agent was made from, as long as its instructions are the template's; "" for none."""
    if not content.instructions:
        return ""
    for key in templates.KEYS:
        if _from_template(key, content).instructions == content.instructions:
            return key
    return ""


def moved(content: Content, *, trade: str, business: str, language: str, zone: str) -> Content:
    """An agent of a business that is called otherwise, lies elsewhere, speaks another language or is of another trade:
    what the template said is said anew, what the owner wrote stays."""
    after = replace(content, business=business, language=language, zone=zone)
    old, new = _from_template(trade_of(content), content), _from_template(trade, after)
    # What is not as the template had it, the owner has changed.
    kept = {name: getattr(content, name) for name in _SAID if getattr(content, name) != getattr(old, name)}
    own_keys = (_ADDRESS[_spoken(content.language)], _PRICES[_spoken(content.language)])
    entries = [
        entry
        for entry in content.knowledge
        if entry not in old.knowledge and entry.key not in own_keys and not entry.key.startswith(_OWN)
    ]
    there = {entry.key for entry in entries}
    knowledge = (*(entry for entry in new.knowledge if entry.key not in there), *entries)
    return told(replace(new, knowledge=knowledge, **kept), known_of(content))


def _from_template(trade: str, said: Content) -> Content:
    """What a template makes of a business; without one, an agent that only says hello."""
    blank = replace(said, instructions="", tone="", avoid="", hours=None, knowledge=(), phrases=())
    if trade:
        return templates.find(trade, said.language).content(blank)
    return replace(blank, greeting=templates.greeting_of(said.language, said.business))


def _own_answer(content: Content, entry: Entry | None) -> str:
    if entry is None:
        return ""
    return "" if entry in _template_entries(content) else entry.answer


def _answered(content: Content, entries: list[Entry], key: str, answer: str) -> list[Entry]:
    """The entries with this answer among them; without one the template's own, if it has one."""
    original = next((entry for entry in _template_entries(content) if entry.key == key), None)
    there = next((entry for entry in entries if entry.key == key), original)
    others = [entry for entry in entries if entry.key != key]
    if answer:
        return [*others, replace(there, answer=answer) if there else Entry(key, _ASKED[key], answer)]
    return [*others, original] if original else others


def _template_entries(content: Content) -> tuple[Entry, ...]:
    trade = trade_of(content)
    return templates.find(trade, content.language).knowledge if trade else ()


def _spoken(language: str) -> str:
    return "de" if is_german(language) else "en"
