"""Is the caller speaking? Two detectors with one interface: energy and pitch by arithmetic alone, and Silero's network.

The rule here: a quiet line costs one table lookup per frame and nothing else. Time is counted in audio received, never
on the wall, so a frame that comes late says nothing about the caller.
"""

from collections.abc import Callable
from typing import Final, Protocol

import numpy as np

from talktime.voice.audio import FRAME, FRAME_MS, loudness, to_float

OnVerdict = Callable[[float, float, float], None]
"""Told `(until_ms, speech_ms, at)`, in order: up to which moment of the call's audio it is known whether there was
speech, how much of it since the last verdict, and when (by the clock) that audio had come."""


class Detection(Protocol):
    """The detector of one call."""

    def hear(self, frame: bytes, at: float) -> None:
        """Take 20 ms of µ-law that came at `at`. The verdict may come at once or a moment later."""

    def close(self) -> None:
        """The call is over; there are no more verdicts. Twice is fine."""


class Detector(Protocol):
    """Opens one detection per call; one detector serves the whole process."""

    name: str

    def open(self, on_verdict: OnVerdict, on_error: Callable[[Exception], None]) -> Detection:
        """Begin with a new call. `on_error` gets what goes wrong outside of `hear`."""


class Gate:
    """Tells loud frames from the room's own noise, which it follows: down at once, up within a second and a half."""

    LOUDNESS_MIN: Final = 5.0
    """Whoever speaks into a phone is louder than this (-53 dB of full scale)."""
    _BUCKET_FRAMES: Final = 35
    """The floor is the quietest frame of the last one to two buckets: even fast talk dips to the floor in 700 ms."""

    def __init__(self, ratio: float) -> None:
        self._ratio = ratio
        self._floor_before = 0.0
        self._floor_now = 181.0
        self._frames = 0
        self._threshold = self.LOUDNESS_MIN

    def is_loud(self, frame: bytes) -> bool:
        level = loudness(frame)
        self._frames += 1
        if level < self._floor_now:
            self._floor_now = level
            if level < self._floor_before:
                self._floor_before = level
                self._set_threshold()
        if self._frames == self._BUCKET_FRAMES:
            self._frames = 0
            self._floor_before, self._floor_now = self._floor_now, 181.0
            self._set_threshold()
        return level > self._threshold

    def _set_threshold(self) -> None:
        self._threshold = max(self.LOUDNESS_MIN, self._floor_before * self._ratio + 1)


class EnergyDetector:
    """Speech is what is louder than the room and has, or just had, the pitch of a voice."""

    name = "energy"

    def open(self, on_verdict: OnVerdict, on_error: Callable[[Exception], None]) -> "EnergyDetection":
        del on_error  # nothing happens outside of `hear`
        return EnergyDetection(on_verdict)


class EnergyDetection:
    """The same, for one call."""

    _VOICED_FRAMES: Final = 12
    """Consonants have no pitch: what is loud counts for so many frames after the last one that had."""
    _SURE_FRAMES: Final = 4
    """So soon after a frame that had pitch, nobody looks for it again."""

    def __init__(self, on_verdict: OnVerdict) -> None:
        self._on_verdict = on_verdict
        self._gate = Gate(ratio=1.5)
        self._until_ms = 0.0
        self._before = b""
        self._voiced_left = 0
        self._closed = False

    def hear(self, frame: bytes, at: float) -> None:
        if self._closed:
            return
        self._until_ms += FRAME_MS
        if self._gate.is_loud(frame):
            is_sure = self._voiced_left > self._VOICED_FRAMES - self._SURE_FRAMES
            if not is_sure and has_pitch(self._before + frame):
                self._voiced_left = self._VOICED_FRAMES
            speech_ms = float(FRAME_MS) if self._voiced_left > 0 else 0.0
        else:
            speech_ms = 0.0
        self._voiced_left -= self._voiced_left > 0
        self._before = frame
        self._on_verdict(self._until_ms, speech_ms, at)

    def close(self) -> None:
        self._closed = True


def has_pitch(ulaw: bytes) -> bool:
    """Whether 40 ms of audio repeat themselves 70 to 400 times a second, as a voice does and noise does not."""
    if len(ulaw) < 2 * FRAME:
        return False
    # The difference of neighbours takes away hum and the rumble of cars, which repeat themselves too.
    samples = to_float(ulaw[-2 * FRAME :])
    wave = samples[1:] - samples[:-1]
    head = wave[: len(wave) - _LAG_MAX]
    energy = np.zeros(len(wave) + 1, np.float32)
    (wave * wave).cumsum(out=energy[1:])
    energy_at = (energy[len(head) :] - energy[: _LAG_MAX + 1])[_LAG_MIN:]
    likeness = np.correlate(wave, head, "valid")[_LAG_MIN:]
    return bool((likeness > _LIKENESS_MIN * np.sqrt(energy[len(head)] * energy_at + 1e-9)).any())


_LAG_MIN: Final = 20
"""Samples: 400 Hz, a child's voice."""
_LAG_MAX: Final = 114
"""Samples: 70 Hz, a deep one."""
_LIKENESS_MIN: Final = 0.5
