"""µ-law and PCM, as lookup tables: what a phone line carries, what speech vendors want, and how loud a frame is.

The rule here: nothing is computed per sample in Python, and loudness is read off µ-law bytes without decoding them.
Audio is mono, 8,000 samples a second: a millisecond is 8 bytes of µ-law or 16 of PCM (signed, 16 bit, little-endian).
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

FRAME: Final = 160
"""Bytes of µ-law in 20 ms: what carriers send at a time, and what they like to be sent multiples of."""
FRAME_MS: Final = 20
ULAW_BYTES_PER_MS: Final = 8
SILENCE: Final = b"\xff"
"""One sample of µ-law silence."""

_BIAS: Final = 0x84
_CLIP: Final = 32635


def to_pcm(ulaw: bytes | bytearray) -> bytes:
    """µ-law as PCM."""
    return _PCM_OF[np.frombuffer(ulaw, np.uint8)].tobytes()


def to_float(ulaw: bytes | bytearray) -> npt.NDArray[np.float32]:
    """µ-law as numbers between -1 and 1, which is what a neural detector wants."""
    return _FLOAT_OF[np.frombuffer(ulaw, np.uint8)]


def to_ulaw(pcm: bytes | bytearray) -> bytes:
    """PCM as µ-law. `pcm` holds whole samples: an even number of bytes."""
    ulaw: npt.NDArray[np.uint8] = _ULAW_OF[np.frombuffer(pcm, "<u2")]
    return ulaw.tobytes()


def loudness(ulaw: bytes) -> float:
    """How loud a frame is: the mean of the square roots of its samples' amplitudes, 0 to 181.

    A tenth of full scale is 57, room noise on a phone 2 to 8, speech 15 to 80; 6 dB are a factor of 1.41. The root
    keeps a single click from looking like a word.
    """
    return sum(ulaw.translate(_ROOT_OF)) / len(ulaw)


def padded(ulaw: bytes) -> bytes:
    """The same audio, filled up with silence to whole frames."""
    return ulaw + SILENCE * (-len(ulaw) % FRAME)


def tone(*, hertz: float, ms: int, amplitude: float = 0.1) -> bytes:
    """A soft tone that swells and fades, as µ-law: the last resort when no voice is to be had."""
    seconds = np.arange(ms * ULAW_BYTES_PER_MS) / (ULAW_BYTES_PER_MS * 1000)
    shape = np.sin(np.pi * np.arange(len(seconds)) / len(seconds)) * amplitude * 32767
    return to_ulaw((np.sin(2 * np.pi * hertz * seconds) * shape).astype("<i2").tobytes())


def _decoded() -> npt.NDArray[Any]:
    """G.711 in one table: sign, three bits of exponent, four of mantissa, all inverted on the wire."""
    code = ~np.arange(256) & 0xFF
    magnitude = ((((code & 0x0F) << 3) + _BIAS) << ((code & 0x70) >> 4)) - _BIAS
    return np.where(code & 0x80, -magnitude, magnitude).astype("<i2")


def _encoded() -> npt.NDArray[np.uint8]:
    sample = np.arange(65536).astype(np.uint16).view(np.int16).astype(np.int32)
    magnitude = np.minimum(np.abs(sample), _CLIP) + _BIAS
    exponent = np.floor(np.log2(magnitude)).astype(np.int32) - 7
    mantissa = (magnitude >> (exponent + 3)) & 0x0F
    code: npt.NDArray[np.int32] = np.where(sample < 0, 0x80, 0) | (exponent << 4) | mantissa
    return (~code & 0xFF).astype(np.uint8)


_PCM_OF: Final[npt.NDArray[np.int16]] = _decoded()
_FLOAT_OF: Final[npt.NDArray[np.float32]] = (_PCM_OF / 32768.0).astype(np.float32)
_ULAW_OF: Final[npt.NDArray[np.uint8]] = _encoded()
_ROOT_OF: Final = bytes(np.sqrt(np.abs(_PCM_OF.astype(np.float64))).round().astype(np.uint8))
