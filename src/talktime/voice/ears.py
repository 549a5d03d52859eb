"""Frames become speech, speech becomes a turn: when the caller began, when they finished, and what they said.

The rule here: silence is measured in audio received, and what a quiet frame costs is one verdict of the detector. The
clock decides only when frames stop coming.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from talktime.errors import ProviderError
from talktime.speech.contract import Brief, Heard, Hearing, Transcriber
from talktime.voice.audio import FRAME, FRAME_MS, to_pcm
from talktime.voice.detector import Detector
from talktime.voice.turns import TurnSettings
from talktime.voice.words import end_silence_ms

_STARTS_MS: Final = 60
"""Less speech than this is a click."""
_GAP_MS: Final = 300
"""Speech after a longer gap does not add to what came before, as far as interrupting goes."""
_PRE_ROLL_FRAMES: Final = 15
"""300 ms: what a decoder of our own is given from before speech was detected."""
_EARLY_FRAMES_MAX: Final = 500
"""10 s: what is kept for ears that are still being opened."""
_OPEN_SECONDS_MAX: Final = 2.5
_FLUSH_SECONDS_MAX: Final = 3.0
_STALLED_SECONDS: Final = 0.3
"""Frames that come this late do not come."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """One stretch of the caller's speech. Times are of the clock."""

    began_at: float
    ended_at: float
    """When its last sound had come; it was decided only later that it was the last."""
    speech_ms: float


class Listener(Protocol):
    """Who is told what the ears notice; all on the event loop."""

    def caller_began(self) -> None:
        """Speech began; every `caller_began` is followed by a `caller_finished`."""

    def caller_speaks(self, speech_ms: float) -> None:
        """It goes on: so much of it without a longer gap. Also called when its words become known."""

    def caller_finished(self, stretch: Stretch) -> None:
        """The turn is over; `flush` tells its words."""

    def ears_failed(self, error: Exception) -> None:
        """A fault of our own, outside of `hear`."""


class Ears:
    """The ears of one call."""

    def __init__(
        self,
        transcribers: Sequence[Transcriber],
        brief: Brief,
        *,
        detector: Detector,
        settings: TurnSettings,
        listener: Listener,
        clock: Callable[[], float],
    ) -> None:
        self._transcribers = tuple(transcribers)
        self._brief = brief
        self._settings = settings
        self._listener = listener
        self._clock = clock
        self._detection = detector.open(self._on_verdict, listener.ears_failed)
        self._hearing: Hearing | None = None
        self._preferred = 0
        self._flushing = asyncio.Lock()
        self._opened = asyncio.Event()
        self._owes_turn = False
        """A turn was over before the ears were open: its frames are still to be given to them."""
        self._leftover = b""
        self._before: deque[bytes] = deque(maxlen=_EARLY_FRAMES_MAX)
        """Frames not yet given to the ears; the last 300 ms of them once they are open."""
        self._feeds = False
        """Whether frames go to the ears now."""
        self._last_frame_at = 0.0
        # The turn in progress.
        self._is_turn = False
        self._began_at = 0.0
        self._speech_ms = 0.0
        """Of the turn."""
        self._burst_ms = 0.0
        """Of its latest part without a longer gap; before a turn, of what may become one."""
        self._last_speech_ms = 0.0
        """Position in the call's audio."""
        self._known_ms = 0.0
        """Up to where it is known."""
        self._is_by_words = False
        """The detector did not notice the turn; its words did."""
        self._last_speech_at = 0.0
        self._end_silence_ms = 0
        self._watch: asyncio.TimerHandle | None = None
        # Its words, as far as the ears told.
        self.gives_guesses = False
        """Whether these ears tell words while the caller speaks; known once they did."""
        self._words: list[str] = []
        self._guess = ""
        self.dictation_expected = False
        """The agent has just asked for a number or an address."""

    @property
    def text(self) -> str:
        """The words of the turn in progress, as far as they are known."""
        return " ".join(filter(None, (*self._words, self._guess)))

    @property
    def is_turn(self) -> bool:
        """Whether the caller is speaking, short pauses included."""
        return self._is_turn

    async def open(self) -> None:
        """Get ready to understand; frames may come before. Raises ProviderError when no transcriber opens."""
        failure: Exception = ProviderError("no transcriber is set", permanent=True)
        count = len(self._transcribers)
        for offset in range(count):
            choice = (self._preferred + offset) % count
            try:
                async with asyncio.timeout(_OPEN_SECONDS_MAX):
                    hearing = await self._transcribers[choice].open(self._brief, self._on_heard)
            except (ProviderError, TimeoutError) as error:
                failure = error
                continue
            self._preferred = choice
            self._begin(hearing)
            return
        raise ProviderError(f"nobody could listen: {failure}") from failure

    def hear(self, ulaw: bytes) -> None:
        """Take audio of the caller, any length."""
        at = self._last_frame_at = self._clock()
        if len(ulaw) == FRAME and not self._leftover:
            self._hear_frame(ulaw, at)
            return
        self._leftover += ulaw
        while len(self._leftover) >= FRAME:
            frame, self._leftover = self._leftover[:FRAME], self._leftover[FRAME:]
            self._hear_frame(frame, at)

    async def flush(self) -> str:
        """The words since the last flush, "" when there were none. Raises ProviderError; others are open then."""
        async with self._flushing:
            hearing = None
            try:
                async with asyncio.timeout(_OPEN_SECONDS_MAX + _FLUSH_SECONDS_MAX):
                    await self._opened.wait()
                    if (hearing := self._hearing) is None:
                        return ""
                    return (await hearing.flush()).strip()
            except (ProviderError, TimeoutError) as error:
                if hearing is None:
                    raise ProviderError("the ears did not open in time") from error
                self._hearing = None
                self._opened.clear()
                await hearing.close()
                self._preferred = (self._preferred + 1) % len(self._transcribers)
                await self.open()
                raise ProviderError(f"the ears failed: {error}") from error

    def finish(self) -> None:
        """Whatever the caller was saying, it is over."""
        if self._is_turn:
            self._finish()

    async def close(self) -> None:
        """Let go of everything. Twice is fine."""
        self._detection.close()
        self._stop_watching()
        hearing, self._hearing = self._hearing, None
        if hearing is not None:
            await hearing.close()

    def _begin(self, hearing: Hearing) -> None:
        """The ears are open: catch up on what was said meanwhile."""
        self._hearing = hearing
        self._opened.set()
        self._feeds = hearing.wants_silence or self._is_turn
        if self._feeds or self._owes_turn:
            self._catch_up(hearing)
        self._owes_turn = False
        self._before = deque(self._before, maxlen=_PRE_ROLL_FRAMES)

    def _catch_up(self, hearing: Hearing) -> None:
        if self._before:
            hearing.hear(to_pcm(b"".join(self._before)))
            self._before.clear()

    def _hear_frame(self, frame: bytes, at: float) -> None:
        if self._feeds and self._hearing is not None:
            self._hearing.hear(to_pcm(frame))
        else:
            self._before.append(frame)
        self._detection.hear(frame, at)

    # What the detector says.

    def _on_verdict(self, until_ms: float, speech_ms: float, at: float) -> None:
        self._known_ms = until_ms
        if speech_ms > 0:
            self._on_speech(until_ms, speech_ms, at)
        elif self._burst_ms or self._is_turn:
            silence_ms = until_ms - self._last_speech_ms
            if silence_ms > _GAP_MS:
                self._burst_ms = 0.0
            if self._is_turn and silence_ms >= self._end_silence_ms:
                self._finish()

    def _on_speech(self, until_ms: float, speech_ms: float, at: float) -> None:
        self._burst_ms += speech_ms
        self._speech_ms += speech_ms
        self._last_speech_ms = until_ms
        self._last_speech_at = at
        if not self._is_turn:
            if self._burst_ms < _STARTS_MS:
                return
            self._speech_ms = self._burst_ms
            self._start(at - self._burst_ms / 1000)
        elif at - self._began_at > self._settings.turn_seconds_max:
            self._finish()
            return
        self._listener.caller_speaks(self._burst_ms)

    def _start(self, began_at: float) -> None:
        self._is_turn = True
        self._began_at = began_at
        self._set_end_silence()
        if self._hearing is not None and not self._feeds:
            self._feeds = True
            self._catch_up(self._hearing)
        self._watch_frames()
        self._listener.caller_began()

    def _finish(self) -> None:
        """The turn is over."""
        stretch = Stretch(self._began_at, self._last_speech_at, self._speech_ms)
        self._is_turn = self._is_by_words = False
        self._burst_ms = self._speech_ms = 0.0
        self._words.clear()
        self._guess = ""
        self._stop_watching()
        if self._hearing is not None:
            self._feeds = self._hearing.wants_silence
        else:
            self._owes_turn = True
        self._listener.caller_finished(stretch)

    # What the transcriber says.

    def _on_heard(self, heard: Heard) -> None:
        try:
            self._take(heard)
        except Exception as error:  # noqa: BLE001 - the provider's reading loop is not where our fault belongs
            self._listener.ears_failed(error)

    def _take(self, heard: Heard) -> None:
        if not heard.final:
            self.gives_guesses = True
        if not self._is_turn:
            if not heard.text.strip() or (heard.final and self._flushing.locked()):
                return  # the last words of the turn that is being flushed: `flush` returns them
            # Too soft for the detector, not for the ears: from now on it is a turn like any other.
            self._is_by_words = True
            self._start(self._clock())
        if self._is_by_words and self._burst_ms == 0:
            self._last_speech_at = self._clock()
            self._last_speech_ms = self._known_ms
        if heard.final:
            self._words.append(heard.text.strip())
            self._guess = ""
        else:
            self._guess = heard.text.strip()
        self._set_end_silence()
        if heard.turn_over:
            self._finish()
        elif self._burst_ms > 0:
            self._listener.caller_speaks(self._burst_ms)

    def _set_end_silence(self) -> None:
        self._end_silence_ms = end_silence_ms(self.text, self._settings, dictation_expected=self.dictation_expected)

    # When frames stop coming.

    def _watch_frames(self) -> None:
        self._watch = asyncio.get_running_loop().call_later(_STALLED_SECONDS, self._look)

    def _look(self) -> None:
        """Decide by the clock what frames that do not come cannot tell."""
        missing = self._clock() - self._last_frame_at
        if missing > _STALLED_SECONDS + self._end_silence_ms / 1000:
            self._finish()
        else:
            self._watch_frames()

    def _stop_watching(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None


assert _PRE_ROLL_FRAMES * FRAME_MS == 300
