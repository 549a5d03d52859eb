"""What the agent says next: its memory of the call, the model behind it, and the rounds with tools.

The rule here: the memory holds what the caller really heard, and what tools really did; never what was only meant. A
model that fails or is slow is replaced; when all fail, the conversation is told and says so.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

from talktime.errors import ProviderError
from talktime.speech.contract import Brief, CallTool, Message, Moment, Say, Thinker
from talktime.voice.mouth import Spawn, Uttered
from talktime.voice.sentences import Cutter, Sentence
from talktime.voice.streams import timed
from talktime.voice.tools import HANG_UP, LOOK_UP, Arguments, Toolbox, Tools, Use, look_up

_FIRST_SECONDS_MAX: Final = 2.5
"""A model that says nothing for so long is replaced…"""
_LAST_SECONDS_MAX: Final = 6.0
"""…or, when there is no other, waited for a little longer, with a filler."""
_PIECE_SECONDS_MAX: Final = 5.0
_TOOL_FILLER_SECONDS: Final = 1.2
"""A tool that takes longer is bridged with a filler."""
_ROUNDS_MAX: Final = 5


class ThinkersFailed(ProviderError):
    """Nobody could think of an answer."""


@dataclass(slots=True)
class Progress:
    """One answer on its way: filled as it goes. Times are of the clock, None until it happened."""

    say: Callable[[Sentence], None]
    fill_in: Callable[[], None]
    now: Callable[[], float]
    first_token: float | None = None
    first_sentence: float | None = None
    spoken: list[str] = field(default_factory=list)

    def token_came(self) -> None:
        if self.first_token is None:
            self.first_token = self.now()

    def sentence_came(self, sentence: Sentence) -> None:
        if self.first_sentence is None:
            self.first_sentence = self.now()
        self.spoken.append(sentence.text)
        self.say(sentence)


class Brain:
    """The brain of one call."""

    def __init__(
        self,
        thinkers: Sequence[Thinker],
        brief: Brief,
        moment: Callable[[], Moment],
        tools: Tools,
        *,
        call_key: str,
        spawn: Spawn,
        now: Callable[[], float],
        recalled: Sequence[Message] = (),
    ) -> None:
        """`recalled` is what was said before this call, by the same two."""
        self._thinkers = tuple(thinkers)
        self._brief = brief
        self.language = brief.language
        self._moment = moment
        own = tools.with_(HANG_UP, self._hang_up).with_(LOOK_UP, self._look_up)
        self.toolbox = Toolbox(own, call_key=call_key, spawn=spawn, clock=now)
        self.wants_hang_up = False
        """The model has asked to end the call after what it says now."""
        self.may_be_silent = False
        """What is done next speaks for itself: no answer is an answer, too."""
        self._memory: list[Message | _Part | Use] = list(recalled)
        self._parts = 0
        self._preferred = 0
        self._sources: list[str] = []

    def messages(self) -> list[Message]:
        """The conversation so far, as models are told it."""
        messages: list[Message] = []
        for line in self._memory:
            if isinstance(line, Message):
                messages.append(line)
            elif isinstance(line, Use):
                call = line.call
                messages.append(_tool_message("agent", "", call))
                messages.append(_tool_message("tool", line.outcome.result or "error: it is still running", call))
            elif line.text and messages and _is_plain(messages[-1], "agent"):
                messages[-1] = Message("agent", f"{messages[-1].text} {line.text}")
            elif line.text:
                messages.append(Message("agent", line.text))
        return messages

    def hear(self, text: str) -> None:
        """The caller said this. Said right after other words of theirs, it belongs to them."""
        if self._memory and isinstance(last := self._memory[-1], Message) and last.role == "caller":
            self._memory[-1] = Message("caller", f"{last.text} {text}")
        else:
            self._memory.append(Message("caller", text))

    def sentence(self, text: str, sources: tuple[str, ...] = ()) -> Sentence:
        """A sentence that no model thought of, as a part of the memory by itself."""
        part = self.begin_part()
        part.text = text
        return Sentence(text, part.number, sources)

    def begin_part(self) -> "_Part":
        """Begin a part of what the agent says; its sentences carry the number."""
        self._parts += 1
        part = _Part(self._parts)
        self._memory.append(part)
        return part

    def settle(self, uttered: Uttered) -> None:
        """An utterance is over: from its parts only what was heard is kept."""
        texts: dict[int, list[str]] = {}
        for part, text in uttered.heard:
            texts.setdefault(part, []).append(text)
        kept: list[Message | _Part | Use] = []
        for line in self._memory:
            if isinstance(line, _Part) and not line.is_settled:
                line.text, line.is_settled = " ".join(texts.get(line.number, ())), True
                if not line.text:
                    continue
            kept.append(line)
        self._memory = kept
        if uttered.heard:
            self.toolbox.told()

    def revoke(self, key: str, result: str) -> None:
        """What a tool was to lead to does not happen after all: that is its result now, and it may be wished again."""
        for line in self._memory:
            if isinstance(line, Use) and line.outcome.key == key:
                line.outcome.result, line.outcome.succeeded = result, False
        self.toolbox.forget(key)

    def take_sources(self, uttered: Uttered) -> tuple[str, ...]:
        """Where an utterance comes from: what its sentences name, and what was looked up for it."""
        sources = dict.fromkeys((*uttered.sources, *self._sources))
        self._sources = []
        return tuple(sources)

    async def reply(self, progress: Progress) -> None:
        """Say what comes next, sentence by sentence, using tools on the way. Raises ThinkersFailed."""
        self.wants_hang_up = self.may_be_silent = False
        await self._bridge(progress)  # a tool begun before the caller spoke: its result is needed, not its repetition
        for round_no in range(_ROUNDS_MAX):
            calls = await self._think(progress, may_use_tools=round_no < _ROUNDS_MAX - 1)
            for call in calls:
                self._memory.append(self.toolbox.use(call))
            await self._bridge(progress)
            if not calls or (self.wants_hang_up and progress.spoken):
                return

    async def _bridge(self, progress: Progress) -> None:
        """Wait for tools, and say so when it takes long."""
        if not await self.toolbox.wait(_TOOL_FILLER_SECONDS):
            progress.fill_in()
            await self.toolbox.wait()

    async def _think(self, progress: Progress, *, may_use_tools: bool) -> list[CallTool]:
        """One round of one model, or of the next when it fails. The tools it asks for."""
        failure: Exception = ProviderError("no thinker is set", permanent=True)
        order = self._order()
        for choice in order:
            thinker = self._thinkers[choice]
            try:
                calls = await self._listen(thinker, progress, may_use_tools=may_use_tools, is_last=choice == order[-1])
            except (ProviderError, TimeoutError) as error:
                failure = error
                progress.fill_in()
                continue
            self._preferred = choice
            return calls
        raise ThinkersFailed(f"nobody could think: {failure}") from failure

    def _order(self) -> list[int]:
        others = (index for index in range(len(self._thinkers)) if index != self._preferred)
        return [self._preferred, *others] if self._thinkers else []

    async def _listen(
        self, thinker: Thinker, progress: Progress, *, may_use_tools: bool, is_last: bool
    ) -> list[CallTool]:
        """Stream one round of one model into sentences."""
        calls: list[CallTool] = []
        tools = self.toolbox.specs if may_use_tools else ()
        answer = _Answer(self, progress)
        stream: AsyncIterator[Say | CallTool] = thinker.reply(self._brief, self._moment(), self.messages(), tools)
        first_seconds_max = _LAST_SECONDS_MAX if is_last else _FIRST_SECONDS_MAX
        filler = asyncio.get_running_loop().call_later(_FIRST_SECONDS_MAX, progress.fill_in)
        try:
            limited = timed(stream, first_seconds_max=first_seconds_max, next_seconds_max=_PIECE_SECONDS_MAX)
            async with aclosing(limited) as pieces:
                async for piece in pieces:
                    filler.cancel()
                    progress.token_came()
                    if isinstance(piece, CallTool):
                        answer.finish()
                        calls.append(piece)
                    else:
                        answer.feed(piece)
        finally:
            filler.cancel()
        answer.finish()
        if not calls and not progress.spoken and not self.wants_hang_up and not self.may_be_silent:
            raise ProviderError(f"{thinker.name} gave no answer")
        return calls

    async def _hang_up(self, arguments: Arguments, idempotency_key: str) -> str:
        del arguments, idempotency_key
        self.wants_hang_up = True
        return "The call ends when your next sentence was played. Say goodbye, in one sentence."

    async def _look_up(self, arguments: Arguments, idempotency_key: str) -> str:
        del idempotency_key  # looking up twice does no harm
        entries = look_up(self._brief, str(arguments["question"]))
        self._sources += [entry.key for entry in entries]
        return "\n".join(f"{entry.key}: {entry.answer}" for entry in entries) or "Nothing is known about that."


class _Answer:
    """One round's text on its way from the model to the mouth, and into memory."""

    def __init__(self, brain: Brain, progress: Progress) -> None:
        self._brain = brain
        self._progress = progress
        self._cutter = Cutter(brain.language)
        self._part: _Part | None = None
        self._sources: tuple[str, ...] = ()
        self._said_before = frozenset(progress.spoken)
        """A second model, or a second round, likes to repeat what was said already."""

    def feed(self, piece: Say) -> None:
        self._sources = tuple(dict.fromkeys((*self._sources, *piece.sources)))
        for text in self._cutter.feed(piece.text):
            self._say(text)

    def finish(self) -> None:
        for text in self._cutter.finish():
            self._say(text)

    def _say(self, text: str) -> None:
        if text in self._said_before:
            return
        if self._part is None:
            self._part = self._brain.begin_part()
        self._part.text = f"{self._part.text} {text}".strip()
        sources, self._sources = self._sources, ()
        self._progress.sentence_came(Sentence(text, self._part.number, sources))


@dataclass(slots=True, eq=False)
class _Part:
    """A stretch of the agent's speech in memory: what was meant until it is settled, then what was heard."""

    number: int
    text: str = ""
    is_settled: bool = False


def _tool_message(role: str, text: str, call: CallTool) -> Message:
    return Message(role, text, tool_call_id=call.id, tool_name=call.name, tool_arguments=call.arguments)


def _is_plain(message: Message, role: str) -> bool:
    return message.role == role and not message.tool_call_id
