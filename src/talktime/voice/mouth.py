"""Sentences become speech, speech becomes paced frames, and what the caller really heard is known at any moment.

The rule here: sending runs at most 180 ms ahead of hearing, and never waits for anything. A voice that fails or is slow
is replaced in the middle of a sentence; until then the caller hears a filler, not silence.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from talktime.errors import ProviderError
from talktime.speech.contract import BYTES_PER_MS, Brief, Speaker
from talktime.voice.audio import FRAME, FRAME_MS, SILENCE, ULAW_BYTES_PER_MS, to_ulaw, tone
from talktime.voice.greetings import GreetingCache
from talktime.voice.line import Line
from talktime.voice.pacer import Pacer
from talktime.voice.phrases import phrases
from talktime.voice.sentences import Sentence, divided
from talktime.voice.streams import timed

Spawn = Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"]
"""Starts a task whose failure somebody hears of."""

_AHEAD_MS_MIN: Final = 100
"""Frames are sent when less than this is left to be played…"""
_AHEAD_MS_MAX: Final = 180
"""…up to this: four frames in a message cost a quarter of four messages."""
_PIECE_SECONDS_MAX: Final = 2.5
"""A voice that gives nothing for so long is replaced."""
_BYTES_PER_LETTER: Final = 8000 // 14
"""People speak about 14 letters a second: a guess of how long a sentence is while its speech is not all there."""
_FILLER: Final = -1


@dataclass(frozen=True, slots=True)
class Uttered:
    """What became of an utterance."""

    heard: tuple[tuple[int, str], ...]
    """`(part, text)` of each sentence of which the caller heard anything, in order."""
    unheard: tuple[Sentence, ...]
    """The rest: the words of the interrupted sentence that were not heard, and the sentences after it."""
    sources: tuple[str, ...]
    """Of what was heard."""

    @property
    def text(self) -> str:
        return " ".join(text for _, text in self.heard)


class Mouth:
    """The mouth of one call. It says one utterance at a time: `say`, `say`, …, `finish`, `played`, `take`."""

    def __init__(
        self,
        line: Line,
        speakers: Sequence[Speaker],
        brief: Brief,
        *,
        pacer: Pacer,
        cache: GreetingCache,
        spawn: Spawn,
        on_fault: Callable[[Exception], None],
    ) -> None:
        self._line = line
        self._speakers = tuple(speakers)
        self._brief = brief
        self._pacer = pacer
        self._cache = cache
        self._spawn = spawn
        self._on_fault = on_fault
        self.on_audible: Callable[[], None] = _nothing
        """Called when the first frame of an utterance's first sentence goes out."""
        self.on_sentence: Callable[[str], None] = _ignored
        """Called with each sentence when its first frame goes out, fillers aside."""
        self._preferred = 0
        """The speaker that served last; whoever failed is not tried first again."""
        self._sentences: list[Sentence] = []
        self._next = 0
        """Index of the sentence whose audio is to be sent next."""
        self._is_finished = True
        self._is_audible = False
        self._failure: ProviderError | None = None
        """No voice is to be had: what is said from now on stays unsaid."""
        self._more = asyncio.Event()
        """Set when there may be something to synthesise."""
        self._worker: asyncio.Task[None] | None = None
        self._done: asyncio.Future[None] | None = None
        self._done_timer: asyncio.TimerHandle | None = None

    @property
    def is_busy(self) -> bool:
        """Whether there is anything said or to be said that the caller has not heard yet."""
        return bool(self._sentences) and not self._all_heard()

    @property
    def is_audible(self) -> bool:
        """Whether the caller has been sent anything of this utterance, fillers aside."""
        return self._is_audible

    def say(self, sentence: Sentence) -> None:
        """Say this after what was said before; synthesis begins at once if nothing is in its way."""
        if self._failure is not None:
            return
        self._is_finished = False
        self._sentences.append(sentence)
        if (ready := self._cache.get(self._brief, sentence.text)) is not None and not sentence.audio:
            sentence.audio += ready
            sentence.is_whole = True
        if self._worker is None and not sentence.is_whole:
            self._worker = self._spawn(self._work())
        self._more.set()
        self._push()

    def fill_in(self) -> None:
        """Say that it takes a moment, unless the caller is hearing something already."""
        if self._next == len(self._sentences) and self._line.ahead_ms() <= 0:
            self._sentences.append(self._filler())
            self._push()

    def finish(self) -> None:
        """The utterance has no more sentences."""
        self._is_finished = True
        self._more.set()
        self._check_done()

    async def played(self) -> None:
        """Wait until the caller has heard all of the utterance. Raises ProviderError when no voice was to be had."""
        if self._failure is not None:
            raise self._failure
        done = self._done = asyncio.get_running_loop().create_future()
        self._check_done()
        try:
            await done
        finally:
            if self._done is done:  # else somebody waits for a later utterance by now
                self._done = None

    def take(self) -> Uttered:
        """What was heard of the utterance up to now; the mouth is free for the next one."""
        uttered = self._uttered()
        self._reset()
        return uttered

    def stop(self) -> Uttered:
        """Fall silent at once, whatever is on its way. What was heard of it."""
        uttered = self._uttered()
        if self._sentences and self._line.unheard_seconds() > 0:
            self._line.clear()
        self._reset()
        return uttered

    def trim(self) -> None:
        """Say the sentence that has begun to its end, and no more."""
        begun = self._next < len(self._sentences) and self._sentences[self._next].began is not None
        del self._sentences[self._next + begun :]
        if not begun or self._sentences[self._next].is_whole:
            self._stop_work()
        self.finish()

    def played_mark(self) -> None:
        """The carrier told how far it is: perhaps that was the end."""
        self._check_done()

    def is_ready(self, text: str) -> bool:
        """Whether the speech of this sentence is there already, so that no speaker is needed."""
        return self._cache.get(self._brief, text) is not None

    def ready_seconds(self, text: str) -> float:
        """How long this sentence takes to say."""
        ready = self._cache.get(self._brief, text)
        return (len(ready) if ready is not None else len(text) * _BYTES_PER_LETTER) / (ULAW_BYTES_PER_MS * 1000)

    # The pacer's side.

    def advance(self) -> bool:
        """Send what is due."""
        if self._line.ahead_ms() < _AHEAD_MS_MIN:
            while self._next < len(self._sentences):
                sentence = self._sentences[self._next]
                frames = int((_AHEAD_MS_MAX - max(self._line.ahead_ms(), 0)) // FRAME_MS)
                if frames <= 0:
                    return True
                if not self._send(sentence, frames):
                    break
        if self._next < len(self._sentences):
            sentence = self._sentences[self._next]
            return len(sentence.audio) - sentence.sent >= FRAME or sentence.is_whole
        self._check_done()
        return False

    def fail(self, error: Exception) -> None:
        self._on_fault(error)

    def _send(self, sentence: Sentence, frames: int) -> bool:
        """Send up to so many frames of a sentence and go on to the next after its last. False: nothing to send yet."""
        if sentence.is_whole and len(sentence.audio) % FRAME:
            sentence.audio += SILENCE * (-len(sentence.audio) % FRAME)
        whole = (len(sentence.audio) - sentence.sent) // FRAME * FRAME
        ulaw = bytes(sentence.audio[sentence.sent : sentence.sent + min(whole, frames * FRAME)])
        if ulaw:
            is_first = sentence.began is None
            if is_first:
                sentence.began = self._line.sent
            self._line.play(ulaw)
            sentence.sent += len(ulaw)
            if is_first:
                self._began(sentence)
        if sentence.is_whole and sentence.sent == len(sentence.audio):
            self._next += 1
            self._line.mark()
            self._more.set()
            return True
        return bool(ulaw)

    def _began(self, sentence: Sentence) -> None:
        self._more.set()
        if sentence.part != _FILLER:
            self.on_sentence(sentence.text)
        if not self._is_audible and sentence.part != _FILLER:
            self._is_audible = True
            self._line.mark()  # comes back early, and tells how far the carrier lags behind
            self.on_audible()

    def _push(self) -> None:
        """There is new audio, perhaps: its first frame does not wait for the pacer."""
        if self.advance():
            self._pacer.add(self)

    # Synthesis.

    async def _work(self) -> None:
        """Synthesise one sentence after the other, each while the one before is being played."""
        index = 0
        while True:
            self._more.clear()
            if index == len(self._sentences):
                if self._is_finished:
                    self._worker = None
                    return
                await self._more.wait()
            elif self._sentences[index].is_whole:
                index += 1
            elif not self._is_due(index):
                await self._more.wait()
            else:
                try:
                    await self._synthesise(self._sentences[index])
                except ProviderError as error:
                    self._worker = None
                    self._give_up(error)
                    return

    def _is_due(self, index: int) -> bool:
        """Whether to synthesise this sentence: it is the next to be played, or the one before it is playing now."""
        if index == self._next + 1:
            return self._sentences[self._next].began is not None
        return index <= self._next

    async def _synthesise(self, sentence: Sentence) -> None:
        """Get the speech of one sentence, from the first speaker that gives it."""
        failure: Exception = ProviderError("no speaker is set", permanent=True)
        rest: Sentence | None
        for choice in self._order():
            speaker = self._speakers[choice]
            try:
                await self._stream(speaker, sentence)
            except (ProviderError, TimeoutError) as error:
                failure = error
                if (rest := self._after_failure(sentence)) is None:
                    return
                sentence = rest
                continue
            if sentence.audio:
                self._preferred = choice
                self._cache.put(self._brief, sentence.text, bytes(sentence.audio))
                sentence.is_whole = True
                self._push()
                return
            failure = ProviderError(f"{speaker.name} gave no audio")
            self._after_failure(sentence)
        raise ProviderError(f"nobody could speak: {failure}") from failure

    def _order(self) -> list[int]:
        """Who is tried, in order: who served last, then the others; a single speaker gets a second chance."""
        others = [index for index in range(len(self._speakers)) if index != self._preferred]
        first = [self._preferred] if self._speakers else []
        return first + (others or first)

    async def _stream(self, speaker: Speaker, sentence: Sentence) -> None:
        half = b""
        stream: AsyncIterator[bytes] = speaker.speak(self._brief, sentence.text)
        limits = {"first_seconds_max": _PIECE_SECONDS_MAX, "next_seconds_max": _PIECE_SECONDS_MAX}
        async with aclosing(timed(stream, **limits)) as pieces:
            async for piece in pieces:
                pcm = half + piece
                even = len(pcm) // 2 * 2
                pcm, half = pcm[:even], pcm[even:]
                sentence.audio += to_ulaw(pcm)
                self._push()

    def _after_failure(self, sentence: Sentence) -> Sentence | None:
        """Keep what was spoken, fill in if the caller would hear nothing, and return what is still to be spoken."""
        index = self._sentences.index(sentence)
        if sentence.audio:
            share = len(sentence.audio) / (len(sentence.text) * _BYTES_PER_LETTER)
            sentence.text, unspoken = divided(sentence.text, share)
            sentence.is_whole = True
            if not unspoken:
                self._push()
                return None
            sentence = Sentence(unspoken, sentence.part, sentence.sources)
            index += 1
            self._sentences.insert(index, sentence)
        if self._next >= index - 1 and not any(earlier.part == _FILLER for earlier in self._sentences):
            self._sentences.insert(index, self._filler())
        self._push()
        return sentence

    def _filler(self) -> Sentence:
        text = phrases(self._brief.language).filler
        ready = self._cache.get(self._brief, text) or tone(hertz=440, ms=400)
        return Sentence(text, _FILLER, audio=bytearray(ready), is_whole=True)

    def _give_up(self, error: ProviderError) -> None:
        """No voice at all: what was said so far stands, and whoever waits is told."""
        self._failure = error
        self._is_finished = True
        del self._sentences[self._next + 1 :]
        if self._next < len(self._sentences):
            self._sentences[self._next].is_whole = True
        if self._done is not None and not self._done.done():
            self._done.set_exception(error)

    # What was heard.

    def _uttered(self) -> Uttered:
        position = self._line.heard()
        heard: list[tuple[int, str]] = []
        unheard: list[Sentence] = []
        sources: list[str] = []
        for sentence in self._sentences:
            if sentence.part == _FILLER:
                continue
            said, rest = divided(sentence.text, self._share_heard(sentence, position))
            if said:
                heard.append((sentence.part, said))
                sources += [source for source in sentence.sources if source not in sources]
            if rest:
                unheard.append(Sentence(rest, sentence.part, sentence.sources))
        return Uttered(tuple(heard), tuple(unheard), tuple(sources))

    def _share_heard(self, sentence: Sentence, position: int) -> float:
        if sentence.began is None:
            return 0.0
        heard = min(max(position - sentence.began, 0), sentence.sent)
        if sentence.is_whole:
            return heard / max(len(sentence.audio), 1)
        return heard / max(len(sentence.audio), len(sentence.text) * _BYTES_PER_LETTER)

    def _all_heard(self) -> bool:
        return self._is_finished and self._next == len(self._sentences) and self._line.unheard_seconds() <= 0

    def _check_done(self) -> None:
        """Tell whoever waits when all was heard: by the clock, which a mark may have set right."""
        if self._done is None or self._done.done() or not self._is_finished or self._next < len(self._sentences):
            return
        if self._done_timer is not None:
            self._done_timer.cancel()
            self._done_timer = None
        seconds = self._line.unheard_seconds()
        if seconds <= 0:
            self._done.set_result(None)
        else:
            self._done_timer = asyncio.get_running_loop().call_later(seconds + 0.001, self._check_done)

    def _stop_work(self) -> None:
        if self._worker is not None:
            self._worker.cancel()
            self._worker = None

    def _reset(self) -> None:
        self._pacer.remove(self)
        self._stop_work()
        if self._done_timer is not None:
            self._done_timer.cancel()
            self._done_timer = None
        self._sentences = []
        self._next = 0
        self._is_finished = True
        self._is_audible = False
        self._failure = None


def _nothing() -> None:
    pass


def _ignored(_text: str) -> None:
    pass


assert BYTES_PER_MS == 2 * ULAW_BYTES_PER_MS  # `to_ulaw` makes one byte of two
