"""One clock for all calls of a phone company: every stream is called each 20 ms, on a schedule of its own.

The schedule is absolute, so a late beat is followed by one that is on time and nothing drifts. The one rule: a stream
whose beat fails loses its own beats, and its owner gets the error; the others go on.
"""

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable

from talktime.simulate.sound import FRAME_SECONDS

CATCH_UP_SECONDS_MAX = 1.0


class Beat:
    """The beats of one stream, until it is stopped."""

    def __init__(self, tick: Callable[[float], None], started: float) -> None:
        self.tick = tick
        self.started = started
        self.count = 0
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Holds the error of a beat that failed; cancelled when the beats are stopped."""

    @property
    def due(self) -> float:
        return self.started + self.count * FRAME_SECONDS

    def stop(self) -> None:
        """No more beats. Can be called twice."""
        self.failed.cancel()


class Pacer:
    """Calls `tick(now)` of every stream each 20 ms; `now` is `time.monotonic()`."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Beat]] = []
        self._numbers = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due = 0.0

    def start(self, tick: Callable[[float], None]) -> Beat:
        """The first beat comes at once."""
        beat = Beat(tick, time.monotonic())
        self._push(beat)
        self._set_timer()
        return beat

    def close(self) -> None:
        """Stop all."""
        for _, _, beat in self._heap:
            beat.stop()
        self._heap.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _push(self, beat: Beat) -> None:
        heapq.heappush(self._heap, (beat.due, next(self._numbers), beat))

    def _set_timer(self) -> None:
        if self._timer is not None and not self._timer.cancelled() and self._timer_due <= self._heap[0][0]:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_due = self._heap[0][0]
        wait = max(0.0, self._timer_due - time.monotonic())
        self._timer = asyncio.get_running_loop().call_later(wait, self._run)

    def _run(self) -> None:
        self._timer = None
        # One beat for each at the most, so that a machine that cannot keep up still reads its sockets. Timers may come
        # a fraction of a millisecond early: what is due within half of one is due now.
        for _ in range(len(self._heap)):
            if self._heap[0][0] > time.monotonic() + 0.0005:
                break
            _, _, beat = heapq.heappop(self._heap)
            if beat.failed.done():
                continue
            beat.started += _lost(time.monotonic() - beat.due)
            try:
                beat.tick(time.monotonic())
            except Exception as error:  # noqa: BLE001 - the stream's owner awaits it; the others must go on
                beat.failed.set_exception(error)
                continue
            beat.count += 1
            self._push(beat)
        if self._heap:
            self._set_timer()


def _lost(late_seconds: float) -> float:
    """How much of a delay is not made up for: all of it when it is long, as after a machine has slept."""
    return late_seconds if late_seconds > CATCH_UP_SECONDS_MAX else 0.0
