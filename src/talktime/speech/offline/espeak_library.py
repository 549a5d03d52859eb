"""espeak-ng as its C library gives it: text in, PCM16 at its own rate out, and how a word sounds.

The one rule: the library has one state for the whole process, so every call into it holds the one lock, and a voice is
chosen again whenever the last one was another.
"""

import ctypes
import importlib.util
import sys
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path

from talktime.errors import ProviderError

_SYNCHRONOUS = 2  # AUDIO_OUTPUT_SYNCHRONOUS: audio goes to the callback, in the thread that asks for it
_DONT_EXIT = 0x8000  # espeakINITIALIZE_DONT_EXIT
_UTF8 = 1  # espeakCHARS_UTF8
_IPA = 0x02  # espeakPHONEMES_IPA
_CHARACTER = 1  # POS_CHARACTER
_RATE, _PITCH = 1, 3  # espeakRATE in words a minute, espeakPITCH from 0 to 100
_BUFFER_MS = 60

_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


def is_installed() -> bool:
    """Whether the wheel with the library is there. Looks, and loads nothing."""
    return importlib.util.find_spec("espeakng_loader") is not None


class Espeak:
    """The library, loaded. One per process: see `espeak()`."""

    def __init__(self) -> None:
        folder = _folder()
        self._lock = threading.Lock()
        try:
            self._library = ctypes.CDLL(str(folder / _library_name()))
        except OSError as error:
            raise ProviderError(f"espeak-ng does not load: {error}", permanent=True) from error
        self._library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        self.sample_rate = int(
            self._library.espeak_Initialize(_SYNCHRONOUS, _BUFFER_MS, str(folder).encode(), _DONT_EXIT)
        )
        if self.sample_rate <= 0:
            raise ProviderError(f"espeak-ng does not start with its data in {folder}", permanent=True)
        self._sink: Callable[[bytes], bool] | None = None
        # Kept for as long as the library lives: C holds only a pointer to it.
        self._callback = _Callback(self._on_audio)
        self._library.espeak_SetSynthCallback(self._callback)
        self._voice = ""

    def synthesise(self, text: str, voice: str, *, words_per_minute: int, sink: Callable[[bytes], bool]) -> None:
        """Speak `text` into `sink`, piece by piece, in this thread. `sink` returns False to stop."""
        encoded = text.encode()
        with self._lock:
            self._choose(voice)
            self._library.espeak_SetParameter(_RATE, words_per_minute, 0)
            self._sink = sink
            try:
                failed = self._library.espeak_Synth(
                    encoded, ctypes.c_size_t(len(encoded) + 1), 0, _CHARACTER, 0, _UTF8, None, None
                )
            finally:
                self._sink = None
        if failed:
            raise ProviderError(f"espeak-ng gave up on a sentence of {len(text)} characters (code {failed})")

    def has_voice(self, voice: str) -> bool:
        """Whether the library knows a voice by this name, `en-gb` or `en-us+f2`."""
        with self._lock:
            self._voice = ""
            return int(self._library.espeak_SetVoiceByName(voice.encode())) == 0

    def pronounce(self, word: str, voice: str) -> str:
        """How a word sounds, in the International Phonetic Alphabet."""
        encoded = ctypes.c_char_p(word.encode())
        pieces: list[str] = []
        with self._lock:
            self._choose(voice)
            while encoded.value is not None:
                sounds = self._library.espeak_TextToPhonemes(ctypes.byref(encoded), _UTF8, _IPA)
                pieces.append((sounds or b"").decode())
        return " ".join(pieces).strip()

    def _choose(self, voice: str) -> None:
        if voice != self._voice:
            self._voice = ""
            if self._library.espeak_SetVoiceByName(voice.encode()):
                raise ProviderError(f"espeak-ng has no voice {voice!r}", permanent=True)
            self._voice = voice

    def _on_audio(self, samples: "ctypes._Pointer[ctypes.c_short]", count: int, _events: int | None) -> int:
        if self._sink is None:
            return 1
        if count <= 0:  # the last call of a sentence, with a null pointer
            return 0
        return 0 if self._sink(ctypes.string_at(samples, count * 2)) else 1


@cache
def espeak() -> Espeak:
    """The library, loaded when first asked for (20 ms). Raises ProviderError when its wheel is missing."""
    return Espeak()


def _folder() -> Path:
    spec = importlib.util.find_spec("espeakng_loader")
    if spec is None or spec.origin is None:
        raise ProviderError(
            'speaking offline needs espeak-ng: pip install "talktime[offline]", or set a key of a speech vendor',
            permanent=True,
        )
    return Path(spec.origin).parent


def _library_name() -> str:
    return {"win32": "espeak-ng.dll", "darwin": "libespeak-ng.dylib"}.get(sys.platform, "libespeak-ng.so")
