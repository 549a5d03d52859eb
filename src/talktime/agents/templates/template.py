"""What a template is: an agent for one trade in one language, ready to be tried before its owner has written a word.

The rule: a template promises nothing that its owner did not say. No price, no address and no free hour stands in one;
what only the business knows is answered with a message that somebody calls back to.
"""

from dataclasses import dataclass, replace
from datetime import time

from talktime.agents.content import Content
from talktime.agents.opening_hours import Interval, Intervals, OpeningHours
from talktime.speech.contract import Entry

_BUSINESS = "{business}"
_GREETINGS = {
    "de": "Guten Tag, hier ist {business}. Sie sprechen mit einem Assistenten, nicht mit einem Menschen. "
    "Wie kann ich Ihnen helfen?",
    "en": "Hello, this is {business}. You are talking to an assistant, not a person. How can I help?",
}


@dataclass(frozen=True, slots=True)
class Template:
    """One trade in one language."""

    key: str
    """`dentist`; the same in both languages."""
    language: str
    name: str
    summary: str
    """What the agent does, in a sentence."""
    greeting: str
    """`{business}` stands for what the business is called."""
    instructions: str
    tone: str
    avoid: str
    week: tuple[Intervals, ...]
    """From Monday, in the zone of the business: a guess, to be mended."""
    knowledge: tuple[Entry, ...]
    phrases: tuple[str, ...]

    def content(self, said: Content) -> Content:
        """The draft of an agent made from this, with what its owner said already: business, language and zone."""
        return replace(
            said,
            greeting=self.greeting.replace(_BUSINESS, said.business.strip()),
            instructions=self.instructions.replace(_BUSINESS, said.business.strip()),
            tone=self.tone,
            avoid=self.avoid,
            hours=OpeningHours(zone=said.zone, week=self.week),
            knowledge=self.knowledge,
            phrases=self.phrases,
        )


def greeting_of(language: str, business: str) -> str:
    """How an agent without a template answers: with the notice that no person is speaking."""
    return _GREETINGS[language.partition("-")[0]].replace(_BUSINESS, business.strip())


def entry(key: str, answer: str, *questions: str) -> Entry:
    """Something that the agent knows."""
    return Entry(key=key, questions=questions, answer=answer)


def week(
    weekdays: str, *, friday: str = "", saturday: str = "", sunday: str = "", monday: str = ""
) -> tuple[Intervals, ...]:
    """Hours by day, such as `9-12:30 14-18`; Monday and Friday go like the other weekdays unless they are given, and a
    dash alone is a day that is closed."""
    middle = _intervals(weekdays)
    return (
        _intervals(monday or weekdays),
        middle,
        middle,
        middle,
        _intervals(friday or weekdays),
        _intervals(saturday),
        _intervals(sunday),
    )


def _intervals(said: str) -> Intervals:
    if said in ("", "-"):
        return ()
    pairs = (span.split("-") for span in said.split())
    return tuple(Interval(_time(opens), _time(closes)) for opens, closes in pairs)


def _time(said: str) -> time:
    hour, _, minute = said.partition(":")
    return time(int(hour) % 24, int(minute or 0))
