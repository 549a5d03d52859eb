"""Change the sample rate of speech as it streams by, with a proper low-pass.

The one rule: what the new rate cannot carry is filtered out before it can fold back. A voice at 22 kHz taken to 8 kHz
by leaving samples out hisses, and a recogniser hears the hiss.
"""

from functools import cache
from math import gcd

import numpy as np
from numpy.typing import NDArray

_ZERO_CROSSINGS = 16
"""Of the low-pass, on each side. 16 put the stop band 60 dB down, well below the noise of a phone line."""
_PASSED = 0.92
"""The share of the band that is kept; the rest is where the filter falls."""


class Resampler:
    """Takes PCM16 at one rate, in pieces of any length, and gives PCM16 at another. One stream per instance."""

    def __init__(self, rate_in: int, rate_out: int) -> None:
        divisor = gcd(rate_in, rate_out)
        self._up, self._down = rate_out // divisor, rate_in // divisor
        self._filters = _filters(self._up, self._down)
        self._taps = self._filters.shape[1]
        # Half a filter of silence before the first sample centres the filter on it: no delay, no lost beginning.
        self._held: NDArray[np.float32] = np.zeros(self._taps // 2 - 1, np.float32)
        self._position = 0  # of the next output sample, in steps of 1 / up input samples from the start of `held`
        self._odd = b""

    def feed(self, pcm: bytes) -> bytes:
        """What can be said of the output by now. A sample cut in two by the network is joined again."""
        pcm = self._odd + pcm
        whole = len(pcm) - len(pcm) % 2
        self._odd = pcm[whole:]
        return self._run(np.frombuffer(pcm[:whole], "<i2").astype(np.float32))

    def finish(self) -> bytes:
        """The rest, after the last piece."""
        return self._run(np.zeros(self._taps // 2, np.float32))

    def _run(self, samples: NDArray[np.float32]) -> bytes:
        held = np.concatenate((self._held, samples))
        count = ((len(held) - self._taps) * self._up - self._position) // self._down + 1
        if count <= 0:
            self._held = held
            return b""
        positions = self._position + np.arange(count) * self._down
        windows = np.lib.stride_tricks.sliding_window_view(held, self._taps)[positions // self._up]
        output = np.einsum("ij,ij->i", windows, self._filters[positions % self._up])
        following = self._position + count * self._down
        self._held = held[following // self._up :]
        self._position = following % self._up
        return bytes(np.clip(np.rint(output), -32768, 32767).astype("<i2").tobytes())


def resample(pcm: bytes, rate_in: int, rate_out: int) -> bytes:
    """All of a recording at once."""
    resampler = Resampler(rate_in, rate_out)
    return resampler.feed(pcm) + resampler.finish()


@cache
def _filters(up: int, down: int) -> NDArray[np.float32]:
    """One row of taps for each of the `up` places an output sample can have between two input samples."""
    slower = max(1.0, down / up)
    half = int(_ZERO_CROSSINGS * slower)
    offsets = np.arange(1 - half, half + 1)
    fractions = np.arange(up)[:, None] / up
    distance = (offsets[None, :] - fractions) / slower
    window = np.where(np.abs(distance) < _ZERO_CROSSINGS, np.cos(np.pi * distance / (2 * _ZERO_CROSSINGS)) ** 2, 0.0)
    taps = np.sinc(distance * _PASSED) * window
    filters: NDArray[np.float32] = (taps / taps.sum(axis=1, keepdims=True)).astype(np.float32)
    return filters
