"""The voice of a simulated caller: any text as speech, on this machine.

The one rule: a caller must sound like somebody the offline ears can understand. flite's voices are understood best;
where it is not installed, espeak-ng speaks slowly in its second female voice.
"""

import asyncio
import shutil
import subprocess
import tempfile
import wave
from pathlib import Path

from talktime.errors import ProviderError
from talktime.speech.contract import SAMPLE_RATE
from talktime.speech.offline import espeak_library
from talktime.speech.resample import resample

FLITE_VOICE = "slt"
_ESPEAK_VOICE = "en-us+f2"
_ESPEAK_WORDS_PER_MINUTE = 130
_LENGTH_MAX = 2000
_SECONDS_MAX = 20.0


async def speak(text: str, voice: str = FLITE_VOICE) -> bytes:
    """PCM16 at 8,000 samples a second. `voice` is one of flite's. Raises ProviderError."""
    if not text.strip():
        return b""
    if len(text) > _LENGTH_MAX:
        raise ProviderError(f"{len(text)} characters are too long for a caller to say at once", permanent=True)
    if has_flite():
        return await asyncio.to_thread(_flite, text, voice)
    if espeak_library.is_installed():
        return await asyncio.to_thread(_espeak, text)
    raise ProviderError(
        'a simulated caller needs a voice: install the command flite, or pip install "talktime[offline]"',
        permanent=True,
    )


def has_flite() -> bool:
    return shutil.which("flite") is not None


def _flite(text: str, voice: str) -> bytes:
    with tempfile.TemporaryDirectory(prefix="talktime-caller-") as folder:
        # The text goes in by a file: as an argument it could be taken for an option or for a file's name.
        spoken, sound = Path(folder, "text"), Path(folder, "sound.wav")
        spoken.write_text(text, encoding="utf-8")
        try:
            done = subprocess.run(
                ["flite", "-voice", voice, "-f", str(spoken), "-o", str(sound)],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_SECONDS_MAX,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise ProviderError(f"flite took longer than {_SECONDS_MAX:g} s") from error
        if done.returncode or not sound.exists():
            raise ProviderError(f"flite failed: {done.stderr.decode(errors='replace').strip()[:200]}")
        with wave.open(str(sound), "rb") as file:
            pcm, rate = file.readframes(file.getnframes()), file.getframerate()
    return pcm if rate == SAMPLE_RATE else resample(pcm, rate, SAMPLE_RATE)


def _espeak(text: str) -> bytes:
    pieces: list[bytes] = []

    def keep(pcm: bytes) -> bool:
        pieces.append(pcm)
        return True

    library = espeak_library.espeak()
    library.synthesise(text, _ESPEAK_VOICE, words_per_minute=_ESPEAK_WORDS_PER_MINUTE, sink=keep)
    return resample(b"".join(pieces), library.sample_rate, SAMPLE_RATE)
