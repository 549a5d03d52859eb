"""The sound of a telephone line: µ-law, 8,000 bytes a second, 160 bytes are a frame of 20 ms.

The one rule: loud or quiet is decided by what is in the frame alone, so that every measurement made with it repeats.
"""

import wave
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from talktime.errors import BadInput

RATE = 8000
FRAME = 160
FRAME_SECONDS = 0.02
SILENCE = b"\xff" * FRAME
WAV_BYTES_MAX = 20_000_000
LOUD_AMPLITUDE = 250
"""Root mean square, of 32,768, from which a frame counts as speech: about -42 dB; line noise lies below -55."""


def ulaw_of(pcm: bytes) -> bytes:
    """Encode PCM of 16 bits, little-endian, as G.711 µ-law."""
    samples = np.frombuffer(pcm[: len(pcm) & ~1], dtype="<i2")
    encoded: bytes = _encoding()[samples.astype(np.int32) + 32768].tobytes()
    return encoded


def is_loud(ulaw: bytes) -> bool:
    """Whether somebody speaks in this piece, of any length."""
    return sum(map(_POWER.__getitem__, ulaw)) > LOUD_AMPLITUDE * LOUD_AMPLITUDE * len(ulaw)


def frames_of(ulaw: bytes) -> list[bytes]:
    """Cut into frames, the last one filled up with silence."""
    return [ulaw[start : start + FRAME].ljust(FRAME, b"\xff") for start in range(0, len(ulaw), FRAME)]


def read_wav(path: Path) -> bytes:
    """The PCM of a WAV file: mono, 16 bits, 8,000 samples a second. Raises BadInput."""
    try:
        if path.stat().st_size > WAV_BYTES_MAX:
            raise BadInput(f"{path.name} is larger than {WAV_BYTES_MAX} bytes.")
        with wave.open(str(path), "rb") as file:
            form = (file.getnchannels(), file.getsampwidth(), file.getframerate())
            if form != (1, 2, RATE):
                raise BadInput(f"{path.name} must be mono, 16 bits, {RATE} samples a second; it is {form}.")
            return file.readframes(file.getnframes())
    except (OSError, EOFError, wave.Error) as error:
        raise BadInput(f"{path.name} cannot be read as a WAV file: {error}.") from error


@cache
def _encoding() -> NDArray[np.uint8]:
    """The µ-law byte of each 16-bit sample, from -32,768 up (ITU-T G.711)."""
    samples = np.arange(-32768, 32768, dtype=np.int32)
    magnitude = np.minimum(np.abs(samples), 32635) + 132
    exponent = np.floor(np.log2(magnitude)).astype(np.int32) - 7
    mantissa = (magnitude >> (exponent + 3)) & 0x0F
    sign = np.where(samples < 0, 0x80, 0)
    encoded: NDArray[np.uint8] = (~(sign | (exponent << 4) | mantissa) & 0xFF).astype(np.uint8)
    return encoded


def _power(byte: int) -> int:
    """The square of the amplitude that a µ-law byte stands for."""
    exponent, mantissa = (~byte >> 4) & 0x07, ~byte & 0x0F
    amplitude: int = (((mantissa << 3) + 132) << exponent) - 132
    return amplitude * amplitude


_POWER = tuple(_power(byte) for byte in range(256))
