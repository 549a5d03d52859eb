"""Silero's network as a detector: one session per process, run over the windows of all live calls together.

The rule here: the network sees only what is louder than the room, and a call's windows in their order, each preceded by
the last 32 samples of the one before (without them it never fires). Its file is found in the silero-vad wheel, which is
never imported: that package wants torch.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from talktime.voice.audio import FRAME, ULAW_BYTES_PER_MS, to_float
from talktime.voice.detector import Detector, EnergyDetector, Gate, OnVerdict

if TYPE_CHECKING:
    import onnxruntime

_WINDOW: Final = 256
"""Samples that the network judges at a time at 8 kHz: 32 ms."""
_CONTEXT: Final = 32
_STARTS: Final = 0.5
_GOES_ON: Final = 0.35
_COLLECT_SECONDS: Final = 0.016
"""How long windows of other calls are waited for: the more, the cheaper each is."""
_BATCH_MAX: Final = 48
"""Windows judged at a time, about 2 ms of work; then frames and timers have their turn."""


def best_detector() -> Detector:
    """Silero where it is installed, else energy. Opening the network takes 0.1 s: do it at start, not on a call."""
    path = model_path()
    return EnergyDetector() if path is None else SileroDetector(path)


def model_path() -> Path | None:
    """Where the network's file is; None when it, or what runs it, is not installed."""
    package = find_spec("silero_vad")
    if package is None or package.origin is None or find_spec("onnxruntime") is None:
        return None
    path = Path(package.origin).with_name("data") / "silero_vad.onnx"
    return path if path.is_file() else None


class SileroDetector:
    """One network for the whole process."""

    name = "silero"

    def __init__(self, path: Path) -> None:
        self._session = _session(path)
        self._due: list[_Window] = []
        self._scheduled = False
        self.windows_judged = 0
        self._judge([_Window(SileroDetection(self, _ignore, _raise), bytes(_CONTEXT + _WINDOW), 0.0, 0.0, True, True)])

    def open(self, on_verdict: OnVerdict, on_error: Callable[[Exception], None]) -> "SileroDetection":
        return SileroDetection(self, on_verdict, on_error)

    def add(self, window: "_Window") -> None:
        """Have a window judged, with those of other calls, within a moment."""
        self._due.append(window)
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_later(_COLLECT_SECONDS, self._run)

    def _run(self) -> None:
        """Judge one batch: at most one window of each call, since each needs the state that the one before left."""
        self._scheduled = False
        batch: list[_Window] = []
        later: list[_Window] = []
        calls: set[SileroDetection] = set()
        for window in self._due:
            if len(batch) < _BATCH_MAX and window.call not in calls:
                calls.add(window.call)
                batch.append(window)
            else:
                later.append(window)
        self._due = later
        if later:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._run)
        try:
            likelihoods = self._judge(batch)
        except Exception as error:  # noqa: BLE001 - each call in the batch is told, and ends with it
            for window in batch:
                window.call.fail(error)
            return
        for window, likelihood in zip(batch, likelihoods, strict=True):
            window.call.judged(window, likelihood)

    def _judge(self, batch: "list[_Window]") -> list[float]:
        audio = to_float(b"".join([window.ulaw for window in batch])).reshape(len(batch), _CONTEXT + _WINDOW)
        states = np.stack([_FRESH if window.is_first else window.call.state for window in batch], axis=1)
        result: Any = self._session.run(None, {"input": audio, "state": states, "sr": _RATE})
        likelihoods, states = result
        for index, window in enumerate(batch):
            window.call.state = states[:, index].copy()
        self.windows_judged += len(batch)
        return [float(likelihood) for likelihood in likelihoods[:, 0]]


class SileroDetection:
    """The same, for one call."""

    _HOLD_FRAMES: Final = 10
    """The network goes on through pauses of 200 ms, then forgets and rests."""

    def __init__(self, detector: SileroDetector, on_verdict: OnVerdict, on_error: Callable[[Exception], None]) -> None:
        self._detector = detector
        self._on_verdict = on_verdict
        self._on_error = on_error
        self._gate = Gate(ratio=1.25)
        self.state = _FRESH
        self._before = b"\xff" * FRAME
        self._until = 0
        """Bytes of audio so far."""
        self._hold = 0
        self._gathered = bytearray()
        """Audio not yet in a window, and the context before it; empty while the network rests."""
        self._gathered_loud = False
        self._is_first = False
        self._waiting = 0
        """Windows not judged yet."""
        self._is_speech = False
        self._closed = False

    def hear(self, frame: bytes, at: float) -> None:
        if self._closed:
            return
        self._until += FRAME
        loud = self._gate.is_loud(frame)
        if loud:
            self._hold = self._HOLD_FRAMES
        elif self._hold > 0:
            self._hold -= 1
        if self._hold > 0:
            self._gather(frame, at, loud=loud)
        else:
            self._rest()
            if self._waiting == 0:
                self._on_verdict(self._until / ULAW_BYTES_PER_MS, 0.0, at)
        self._before = frame

    def judged(self, window: "_Window", likelihood: float) -> None:
        """The network says how likely the window is speech."""
        self._waiting -= 1
        if self._closed:
            return
        self._is_speech = likelihood >= (_GOES_ON if self._is_speech else _STARTS)
        # It goes on firing for 100 ms after the last sound; a quiet window ends the speech all the same.
        speech_ms = _WINDOW / ULAW_BYTES_PER_MS if self._is_speech and window.is_loud else 0.0
        try:
            self._on_verdict(window.until_ms, speech_ms, window.at)
        except Exception as error:  # noqa: BLE001 - one call's fault must not reach the others in the batch
            self.fail(error)

    def fail(self, error: Exception) -> None:
        if not self._closed:
            self._closed = True
            self._on_error(error)

    def close(self) -> None:
        self._closed = True

    def _gather(self, frame: bytes, at: float, *, loud: bool) -> None:
        if not self._gathered:  # begin with the frame before: speech is older than what crossed the gate
            self._gathered += self._before
            self._is_first = True
        self._gathered += frame
        self._gathered_loud |= loud
        while len(self._gathered) >= _CONTEXT + _WINDOW:
            ulaw = bytes(self._gathered[: _CONTEXT + _WINDOW])
            del self._gathered[:_WINDOW]
            until_ms = (self._until - len(self._gathered) + _CONTEXT) / ULAW_BYTES_PER_MS
            self._waiting += 1
            self._detector.add(_Window(self, ulaw, until_ms, at, self._gathered_loud, self._is_first))
            self._gathered_loud = loud
            self._is_first = False

    def _rest(self) -> None:
        if self._gathered:
            self._gathered.clear()
            self._gathered_loud = False


@dataclass(slots=True, eq=False)
class _Window:
    call: SileroDetection
    ulaw: bytes
    until_ms: float
    at: float
    is_loud: bool
    is_first: bool


def _session(path: Path) -> "onnxruntime.InferenceSession":
    import onnxruntime  # an optional extra

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # it warns about the file's own left-overs
    return onnxruntime.InferenceSession(str(path), sess_options=options, providers=["CPUExecutionProvider"])


def _ignore(until_ms: float, speech_ms: float, at: float) -> None:
    pass


def _raise(error: Exception) -> None:
    raise error


_FRESH: Final[npt.NDArray[np.float32]] = np.zeros((2, 128), np.float32)
_RATE: Final = np.array(8000, np.int64)
