"""The keys a caller presses.

The rule here: keys pressed together count together, and come as words like any others.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol


class Later(Protocol):
    """Calls a function after so many seconds."""

    def __call__(self, seconds: float, function: Callable[..., None], *arguments: object) -> asyncio.TimerHandle: ...


class Keys:
    """Gathers the keys of one call."""

    def __init__(
        self,
        on_pressed: Callable[[str, float, float], None],
        *,
        wait_seconds: float,
        later: Later,
        now: Callable[[], float],
    ) -> None:
        """`on_pressed` gets `("pressed 1 2 3", began_at, ended_at)` so long after the last key, or at once after #."""
        self._on_pressed = on_pressed
        self._wait_seconds = wait_seconds
        self._later = later
        self._now = now
        self._keys = ""
        self._began_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def press(self, key: str) -> None:
        if not self._keys:
            self._began_at = self._now()
        self._keys += key
        self.stop()
        self._timer = self._later(0 if key == "#" else self._wait_seconds, self._done, self._now())

    def stop(self) -> None:
        """No more keys are waited for."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _done(self, ended_at: float) -> None:
        keys, self._keys = self._keys, ""
        self._on_pressed(f"pressed {' '.join(keys)}", self._began_at, ended_at)
