"""A head without a network: answers from the agent's knowledge and opening hours, takes messages, says goodbye.

The one rule: what it says next is a function of the conversation and of nothing else. It keeps no state between turns;
where a conversation stands is found by going through what the caller has said, so an answer that was cut off, repeated
or thrown away cannot put it out of step.
"""

import json
import re
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from talktime.speech.contract import Brief, CallTool, Message, Moment, Say, Tool, is_german
from talktime.speech.offline import hours_question
from talktime.speech.offline.matching import Match, Matcher
from talktime.speech.offline.phrasebook import Phrasebook
from talktime.speech.offline.phrasebook_de import GERMAN
from talktime.speech.offline.phrasebook_en import ENGLISH
from talktime.speech.offline.sentences import words

_BRIEFS_MAX = 256
_ANSWERS_MAX = 3
_CERTAIN = 0.9
"""A match this good is the very question, whatever else it sounds like."""
_LIKELY = 0.6
_NAME_WORDS_MAX = 6


class _Mode(StrEnum):
    OPEN = "open"
    ELSE = "else"
    """Asked whether there is anything else: a no is a goodbye."""
    OFFERED = "offered"
    """Asked whether to take a message."""
    NAME = "name"
    MESSAGE = "message"


@dataclass(frozen=True, slots=True)
class _Answer:
    text: str
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _State:
    """Where the conversation stands after a line of it."""

    mode: _Mode = _Mode.OPEN
    name: str = ""
    misses: int = 0
    about_hours: bool = False
    answers: tuple[_Answer, ...] = ()
    """What the last line of the caller is answered with."""
    tool: str = ""
    arguments: Mapping[str, str] | None = None


class RuleBook:
    """The thinker that needs no model."""

    name = "offline (rule book)"

    def __init__(self) -> None:
        self._matchers: OrderedDict[str, Matcher] = OrderedDict()

    async def prepare(self, brief: Brief) -> None:
        self._matcher(brief)

    async def reply(
        self, brief: Brief, moment: Moment, messages: Sequence[Message], tools: Sequence[Tool]
    ) -> AsyncIterator[Say | CallTool]:
        conversation = _Conversation(brief, moment, self._matcher(brief), tools)
        state = conversation.after(messages)
        for answer in state.answers:
            for sentence in re.split(r"(?<=[.!?])\s+", answer.text.strip()):
                yield Say(f"{sentence} ", answer.sources)
        if state.tool:
            yield CallTool(f"rule-{len(messages)}", state.tool, json.dumps(state.arguments or {}, ensure_ascii=False))

    def _matcher(self, brief: Brief) -> Matcher:
        matcher = self._matchers.get(brief.key)
        if matcher is None:
            matcher = self._matchers[brief.key] = Matcher(brief, _book(brief))
        self._matchers.move_to_end(brief.key)
        while len(self._matchers) > _BRIEFS_MAX:
            self._matchers.popitem(last=False)
        return matcher


class _Conversation:
    """Goes through a conversation from its beginning."""

    def __init__(self, brief: Brief, moment: Moment, matcher: Matcher, tools: Sequence[Tool]) -> None:
        self._brief = brief
        self._moment = moment
        self._matcher = matcher
        self._book = _book(brief)
        self._tools = {tool.name: tool for tool in tools}

    def after(self, messages: Sequence[Message]) -> _State:
        state = _State(answers=(_Answer(self._brief.greeting),))
        for message in messages:
            if message.role == "caller":
                state = self._hear(replace(state, tool="", arguments=None), message.text)
            elif message.role == "tool":
                state = self._learn(replace(state, tool="", arguments=None), message)
        return state

    def _learn(self, state: _State, result: Message) -> _State:
        """A tool has answered."""
        failed = result.text.startswith("error")
        if result.tool_name == "take_message":
            return self._say(state, self._book.says_not_taken if failed else self._book.says_taken, mode=_Mode.ELSE)
        if result.tool_name == "transfer" and failed:
            return self._say(state, self._book.offers_message_for_person, mode=_Mode.OFFERED)
        if result.tool_name == "transfer":
            return self._say(state, self._book.says_transferring)
        return self._say(state, self._book.says_goodbye if result.tool_name == "hang_up" else self._book.asks_on)

    def _hear(self, state: _State, said: str) -> _State:
        """The caller has said something."""
        text = " ".join(words(said, self._brief.language))
        if state.mode in (_Mode.NAME, _Mode.MESSAGE):
            dictated = self._dictation(state, text, said)
            if dictated is not None:
                return dictated
        if state.mode == _Mode.OFFERED and self._is_only(text, self._book.yes):
            return self._take_message(state)
        return self._small_talk(state, text) or self._answer(state, text, said) or self._courtesy(state, text)

    def _dictation(self, state: _State, text: str, said: str) -> _State | None:
        """A name or a message is expected; None when the caller wants something else."""
        book = self._book
        if book.never_mind.search(text):
            return self._say(state, book.says_dropped, mode=_Mode.ELSE)
        if book.repeat.search(text) or not text:
            return self._say(state, book.asks_name if state.mode == _Mode.NAME else book.asks_message, mode=state.mode)
        if state.mode == _Mode.MESSAGE:
            return replace(
                self._silent(state, _Mode.ELSE), tool="take_message", arguments=self._note(state.name, said.strip())
            )
        if hours_question.asks_hours(text, book) or self._is_certain(said) or book.goodbye.search(text):
            return None
        name = " ".join(book.my_name_is.sub("", text).split()[:_NAME_WORDS_MAX])
        if not name:
            return self._say(state, book.asks_name, mode=_Mode.NAME)
        return replace(self._say(state, book.asks_message, mode=_Mode.MESSAGE), name=name.title())

    def _small_talk(self, state: _State, text: str) -> _State | None:
        """What callers say to any agent, unless it is the very words of something this one knows."""
        book = self._book
        if self._is_certain(text):
            return None
        if book.who_are_you.search(text):
            return self._say(state, book.says_who.format(business=self._brief.business))
        if book.repeat.search(text):
            return replace(state, misses=0, mode=_Mode.OPEN if state.mode == _Mode.ELSE else state.mode)
        if book.leave_message.search(text):
            return self._take_message(state)
        if book.person.search(text):
            if "transfer" in self._tools:
                return replace(self._silent(state, _Mode.OPEN), tool="transfer", arguments=self._reason(text))
            return self._say(state, book.offers_message_for_person, mode=_Mode.OFFERED)
        return None

    def _answer(self, state: _State, text: str, said: str) -> _State | None:
        """Everything asked in this turn that has an answer."""
        answers: dict[str, _Answer] = {}
        about_hours = state.about_hours
        pieces = [piece for piece in re.split(r"[?!;]|\.(?!\d)", said) if piece.strip()]
        asked = [part for piece in pieces for part in self._parts(piece)]
        for part in [*asked, text]:
            if part == text and answers:
                break  # the whole is tried only when its parts say nothing
            found, about_hours = self._one_answer(part, about_hours)
            if found is not None and len(answers) < _ANSWERS_MAX:
                answers.setdefault(found.text, found)
        if not answers:
            return None
        given = replace(state, mode=_Mode.OPEN, misses=0, about_hours=about_hours, answers=tuple(answers.values()))
        if self._book.goodbye.search(text):
            return self._end(given, after=given.answers)
        return given

    def _one_answer(self, text: str, about_hours: bool) -> tuple[_Answer | None, bool]:
        book = self._book
        match: Match | None = self._matcher.find(text)
        names_day = hours_question.names_day(text, book)
        asks_hours = hours_question.asks_hours(text, book)
        asks_hours = asks_hours or (names_day and match is None and (about_hours or len(text.split()) <= 3))
        if match is not None and (not asks_hours or (match.score >= _LIKELY and not names_day)):
            return _Answer(match.entry.answer, (match.entry.key,)), False
        if asks_hours:
            hours = hours_question.answer(text, self._brief, self._moment, book)
            return _Answer(hours, (hours_question.SOURCE,)), True
        return None, about_hours

    def _courtesy(self, state: _State, text: str) -> _State:
        """Nothing was asked: hello, thanks, goodbye, yes, no, or not understood."""
        book = self._book
        if book.goodbye.search(text) or book.nothing_else.search(text):
            return self._end(state)
        if state.mode == _Mode.OFFERED and book.no.search(text):
            return self._say(state, book.asks_anything_else, mode=_Mode.ELSE)
        if state.mode == _Mode.ELSE and book.no.search(text):
            return self._end(state)
        if book.help.search(text):
            return self._say(state, book.says_help.format(business=self._brief.business))
        if self._is_only(text, book.thanks):
            return self._say(state, book.says_welcome, mode=_Mode.ELSE)
        if self._is_only(text, book.greeting):
            return self._say(state, book.says_hello)
        if self._is_only(text, book.no):
            return self._say(state, book.asks_anything_else, mode=_Mode.ELSE)
        if self._is_only(text, book.yes):
            return self._say(state, book.asks_on)
        if state.misses < len(book.asks_again):
            return replace(self._say(state, book.asks_again[state.misses]), misses=state.misses + 1)
        if "take_message" in self._tools:
            return self._say(state, book.offers_message, mode=_Mode.OFFERED)
        return self._say(state, book.says_cannot_take, mode=_Mode.ELSE)

    def _take_message(self, state: _State) -> _State:
        if "take_message" not in self._tools:
            return self._say(state, self._book.says_cannot_take, mode=_Mode.ELSE)
        return self._say(state, self._book.asks_name, mode=_Mode.NAME)

    def _end(self, state: _State, after: tuple[_Answer, ...] = ()) -> _State:
        ended = replace(self._silent(state, _Mode.OPEN), answers=(*after, _Answer(self._book.says_goodbye)))
        return replace(ended, tool="hang_up") if "hang_up" in self._tools else ended

    def _say(self, state: _State, text: str, *, mode: _Mode = _Mode.OPEN) -> _State:
        return replace(self._silent(state, mode), answers=(_Answer(text),))

    def _silent(self, state: _State, mode: _Mode) -> _State:
        return replace(state, mode=mode, misses=0, about_hours=False, answers=())

    def _is_certain(self, text: str) -> bool:
        match = self._matcher.find(text)
        return match is not None and match.score >= _CERTAIN

    def _is_only(self, text: str, pattern: re.Pattern[str]) -> bool:
        """Whether a sentence says this and, politeness aside, little else."""
        if not pattern.search(text):
            return False
        rest = pattern.sub(" ", text)
        for polite in (self._book.thanks, self._book.yes, self._book.greeting):
            rest = polite.sub(" ", rest)
        return len(self._matcher.stems(rest.split())) <= 1

    def _parts(self, piece: str) -> list[str]:
        text = " ".join(words(piece, self._brief.language))
        return [part.strip() for part in self._book.separators.split(text) if part.strip()]

    def _note(self, name: str, message: str) -> dict[str, str]:
        """A message in the words of the tool that takes it."""
        wanted = _property_names(self._tools["take_message"]) if "take_message" in self._tools else ()
        name_key = next((key for key in wanted if "name" in key), "name")
        message_key = next((key for key in wanted if key in ("message", "text", "body", "note")), "message")
        return {name_key: name, message_key: message}

    def _reason(self, text: str) -> dict[str, str]:
        """Whom the caller wants, and why, in the words of the tool that puts them through."""
        wanted = _property_names(self._tools["transfer"])
        said = {key: text for key in wanted if key in ("reason", "summary")}
        people = _choices(self._tools["transfer"], "person")
        return said | {"person": self._named(text, people)} if people else said

    def _named(self, text: str, people: Sequence[str]) -> str:
        """The person who shares the most words with what was said; the first when nobody is named."""
        said = set(text.split())
        shared = [len(said & set(words(person, self._brief.language))) for person in people]
        return people[shared.index(max(shared))]


def _property_names(tool: Tool) -> tuple[str, ...]:
    properties = tool.parameters.get("properties")
    return tuple(properties) if isinstance(properties, Mapping) else ()


def _choices(tool: Tool, name: str) -> tuple[str, ...]:
    """What may be given for a property, where that is listed."""
    properties = tool.parameters.get("properties")
    described = properties.get(name) if isinstance(properties, Mapping) else None
    listed = described.get("enum", ()) if isinstance(described, Mapping) else ()
    return tuple(map(str, listed))


def _book(brief: Brief) -> Phrasebook:
    return GERMAN if is_german(brief.language) else ENGLISH
