"""An event loop that does not wait: when nothing is left to do before a timer is due, its clock jumps there.

What takes time to compute still takes it, so lateness under load is real; what would only be slept through is not.
"""

import asyncio
import selectors
from typing import Any


class Impatient(selectors.DefaultSelector):
    """A selector that waits for nobody."""

    def __init__(self) -> None:
        super().__init__()
        self.skipped_seconds = 0.0

    def select(self, timeout: float | None = None) -> Any:
        events = super().select(0 if timeout is not None else None)
        if not events and timeout:
            self.skipped_seconds += timeout
        return events


class ImpatientLoop(asyncio.SelectorEventLoop):
    """Such a loop; its `time` is the only clock that tests here may use."""

    def __init__(self) -> None:
        self._impatient = Impatient()
        super().__init__(self._impatient)

    def time(self) -> float:
        return super().time() + self._impatient.skipped_seconds


def now() -> float:
    return asyncio.get_running_loop().time()
