"""The prompt of an agent: everything that a language model is told before a caller speaks, built from its parts.

Pure, and the same for the same content; the sections always come in the same order, the present last, so that a
model's cache keeps the rest. The rule: what a customer writes stays in its section. A heading is a line that begins
with `#`, and only ours do.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from talktime.agents.content import TAKE_MESSAGE, Content
from talktime.agents.opening_hours import OpeningHours
from talktime.agents.prompt_words import Words, words_of
from talktime.speech.contract import Brief, Entry, Moment

_KNOWLEDGE_LENGTH_MAX = 16_000
"""Characters of entries that are told in full. The model reads them before every sentence, so what comes after is only
named, and looked up when it is asked for."""
_TITLE_LENGTH_MAX = 100
_HEADINGS = re.compile(r"^(?:[\s>*+-]*[#\N{FULLWIDTH NUMBER SIGN}\N{SMALL NUMBER SIGN}]+[ \t]*)+")
_UNDERLINE = re.compile(r"^\s*(=+|-{2,}|_{2,}|\*{2,}|`{3,}|~{3,})\s*$")
"""What makes a heading of the line before it, or fences what follows off."""
_ROLE_MARKS = re.compile(r"<+(?=\|)|(?<=\|)>+|\[+(?=/?INST\])|<+(?=/?SYS>>)")
"""How some models are told who speaks."""


def whole(content: Content, at: datetime) -> str:
    """All of it, for a call at that time."""
    return joined(standing(content), moment_of(content.hours, content.zone, content.language, at).prompt)


def joined(standing: str, present: str) -> str:
    """What a model gets, of its two halves."""
    return "\n\n".join(part for part in (standing, present) if part)


def standing(content: Content) -> str:
    """Everything but the present: the same for all calls of a version."""
    words = words_of(content.language)
    business = one_line(content.business)
    sections = (
        _section(words.who, words.you_are.format(business=business)),
        _section(words.business, words.called.format(business=business), lines(content.facts)),
        _section(words.instructions, lines(content.instructions)),
        _section(words.hours, _hours(content, words)),
        _section(words.knowledge, *_knowledge(content.knowledge, words)),
        _section(words.tools, "\n".join(_tools(content, words))),
        _section(words.tone, lines(content.tone), words.manners),
        _section(words.avoid, lines(content.avoid), "\n".join(words.never)),
    )
    return "\n\n".join(section for section in sections if section)


def moment_of(hours: OpeningHours | None, zone: str, language: str, at: datetime) -> Moment:
    """What an agent knows of the present. Made for each turn: whoever is prepared today may still talk tomorrow."""
    if hours is None:
        moment = replace(OpeningHours(zone=zone, week=((),) * 7).moment(at, language), opening="")
    else:
        moment = hours.moment(at, language)
    words = words_of(language)
    told = " ".join((words.it_is.format(local_time=moment.local_time), moment.opening, *moment.special.values()))
    return replace(moment, prompt=_section(words.now, told.strip()))


def brief_of(content: Content, key: str) -> Brief:
    """What speech and language providers may know of the agent that says this. `key` changes when any of it does."""
    return Brief(
        key=key,
        business=content.business,
        language=content.language,
        voice=content.voice,
        greeting=content.greeting,
        entries=content.knowledge,
        hours=content.hours.spoken(content.language) if content.hours else {},
        phrases=content.phrases,
        prompt=standing(content),
    )


def lines(text: str) -> str:
    """Somebody's text, in which no line can pass for a heading of ours."""
    return "\n".join(_tamed(line) for line in text.splitlines()).strip("\n")


def one_line(text: str) -> str:
    """The same on one line."""
    return " ".join(_tamed(line) for line in text.splitlines()).strip()


def _tamed(line: str) -> str:
    if not line.isprintable():
        # What is not seen could hide a sign from us that a model still sees.
        line = "".join(sign for sign in line if unicodedata.category(sign) not in ("Cf", "Cc") or sign == "\t")
    line = _ROLE_MARKS.sub("", line)
    if _UNDERLINE.match(line):
        return ""
    return _HEADINGS.sub("", line).rstrip()


def _section(heading: str, *parts: str) -> str:
    """A heading and what stands below it; nothing when there is nothing."""
    said = "\n\n".join(part for part in parts if part)
    return f"# {heading}\n{said}" if said else ""


def _hours(content: Content, words: Words) -> str:
    return content.hours.spoken(content.language)["week"] if content.hours else words.no_hours


def _knowledge(entries: tuple[Entry, ...], words: Words) -> Iterator[str]:
    """As much as there is room for, in the order of the customer; the rest by name."""
    told: list[str] = []
    named: list[str] = []
    room = _KNOWLEDGE_LENGTH_MAX
    for entry in entries:
        title = one_line(entry.questions[0] if entry.questions else entry.key)[:_TITLE_LENGTH_MAX]
        line = f"- {title}: {one_line(entry.answer)}" if not named else ""
        if line and len(line) <= room:
            told.append(line)
            room -= len(line)
        else:
            named.append(f"- {title}")
    yield "\n".join(told)
    if named:
        yield "\n".join((words.looked_up, *named))


def _tools(content: Content, words: Words) -> Iterator[str]:
    """What can be done, as sentences; the tools themselves are told with it."""
    if content.knowledge:
        yield f"- {words.look_up}"
    if TAKE_MESSAGE in content.tools:
        yield f"- {words.take_message}"
    if content.people:
        yield f"- {words.transfer.format(people=', '.join(one_line(person.name) for person in content.people))}"
    yield f"- {words.hang_up}"
    if TAKE_MESSAGE not in content.tools:
        yield words.no_message
