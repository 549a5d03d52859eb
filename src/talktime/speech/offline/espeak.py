"""A mouth without a network: espeak-ng, at the pace and pitch of a voice on the phone.

The one rule: the event loop never synthesises. One thread does, sentence after sentence, and one that nobody listens to
any more is given up within a tenth of a second of its speech.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from talktime.errors import ProviderError
from talktime.speech.contract import BYTES_PER_MS, SAMPLE_RATE, Brief, is_german
from talktime.speech.offline.espeak_library import espeak, is_installed
from talktime.speech.resample import Resampler

_WORDS_PER_MINUTE = 160
_LENGTH_MAX = 5000
"""Characters of one sentence; five minutes of speech."""
_QUIET = 150
"""A sample below this, of 32,768, is not heard on a phone."""
_LEAD_MS, _TAIL_MS, _PAUSE_MS_MAX = 10, 80, 1000

# The library has one state for the whole process, so a second thread would only wait for the first.
_THREAD = ThreadPoolExecutor(1, "espeak")


class EspeakSpeaker:
    """The speaker that needs no vendor. Voices are espeak's own names, `en-us+f3`."""

    name = "offline (espeak-ng)"

    def __init__(self) -> None:
        if not is_installed():
            raise ProviderError(
                'speaking offline needs espeak-ng: pip install "talktime[offline]", or set ELEVENLABS_API_KEY',
                permanent=True,
            )
        self._voices: dict[tuple[str, str], str] = {}

    async def prepare(self, brief: Brief) -> None:
        """Load the library and say one word, so that the first sentence of a call does not wait for a voice."""
        async for _piece in self.speak(brief, "Hallo" if is_german(brief.language) else "Hello"):
            pass

    async def speak(self, brief: Brief, text: str) -> AsyncIterator[bytes]:
        if len(text) > _LENGTH_MAX:
            raise ProviderError(f"{len(text)} characters are too long for one sentence", permanent=True)
        text = "".join(character if character.isprintable() else " " for character in text).strip()
        if not text:
            return
        loop = asyncio.get_running_loop()
        pieces: asyncio.Queue[bytes | None] = asyncio.Queue()
        unwanted = threading.Event()

        def put(piece: bytes | None) -> None:
            if not unwanted.is_set():
                loop.call_soon_threadsafe(pieces.put_nowait, piece)

        work = loop.run_in_executor(_THREAD, self._synthesise, brief, text, put, unwanted)
        work.add_done_callback(lambda _work: pieces.put_nowait(None))
        try:
            while (piece := await pieces.get()) is not None:
                yield piece
            await work  # raises what went wrong
        finally:
            unwanted.set()
            work.add_done_callback(lambda done: done.cancelled() or done.exception())

    def _synthesise(self, brief: Brief, text: str, put: Callable[[bytes], None], unwanted: threading.Event) -> None:
        """In the thread: speak, take to the phone's rate, trim, hand over."""
        if unwanted.is_set():
            return
        library = espeak()
        resampler = Resampler(library.sample_rate, SAMPLE_RATE)
        trimmer = Trimmer()

        def sink(pcm: bytes) -> bool:
            if piece := trimmer.feed(resampler.feed(pcm)):
                put(piece)
            return not unwanted.is_set()

        library.synthesise(text, self._voice(brief), words_per_minute=_WORDS_PER_MINUTE, sink=sink)
        if rest := trimmer.feed(resampler.finish()) + trimmer.finish():
            put(rest)

    def _voice(self, brief: Brief) -> str:
        """The voice that the agent asks for. One that espeak does not have is another vendor's: the language's own."""
        chosen = self._voices.get((brief.voice, brief.language))
        if chosen is None:
            own = "de" if is_german(brief.language) else "en"
            chosen = brief.voice if brief.voice and espeak().has_voice(brief.voice) else own
            self._voices[brief.voice, brief.language] = chosen
        return chosen


class Trimmer:
    """Takes the silence off both ends of a stream of PCM16, and shortens long pauses. The engine makes its own."""

    def __init__(self) -> None:
        self._has_begun = False
        self._silence = b""

    def feed(self, pcm: bytes) -> bytes:
        """What is to be heard by now: silence is held back until something follows it."""
        if not pcm:
            return b""
        loud = np.flatnonzero(np.abs(np.frombuffer(pcm, "<i2").astype(np.int32)) > _QUIET)
        if loud.size == 0:
            self._silence += pcm
            return b""
        end = (int(loud[-1]) + 1) * 2
        before, heard, after = self._silence, pcm[:end], pcm[end:]
        self._silence = after
        if not self._has_begun:
            self._has_begun = True
            before, heard = (before + heard[: int(loud[0]) * 2])[-_LEAD_MS * BYTES_PER_MS :], heard[int(loud[0]) * 2 :]
        return before[: _PAUSE_MS_MAX * BYTES_PER_MS] + heard

    def finish(self) -> bytes:
        return self._silence[: _TAIL_MS * BYTES_PER_MS] if self._has_begun else b""
