"""The tasks and timers of one call.

The rule here: nothing that was started is forgotten, and whatever fails in it, its owner hears of it.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

_END_SECONDS_MAX: Final = 3.0


class Tasks:
    """Starts tasks and timers, and ends them all."""

    def __init__(self, on_fault: Callable[[Exception], None]) -> None:
        """`on_fault` gets every exception that leaves a task or a timer."""
        self._on_fault = on_fault
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_over = False

    def spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Start a task."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def later(self, seconds: float, function: Callable[..., None], *arguments: object) -> asyncio.TimerHandle:
        """Call a function after so long, unless all is over by then."""
        return asyncio.get_running_loop().call_later(seconds, self.guarded(function), *arguments)

    def guarded(self, function: Callable[..., None]) -> Callable[..., None]:
        """The same function, which reports its exceptions to the owner, and does nothing when all is over."""

        def guarded(*arguments: object) -> None:
            if self._is_over:
                return
            try:
                function(*arguments)
            except Exception as error:  # noqa: BLE001 - a timer has nobody above it; the owner is told
                self._on_fault(error)

        return guarded

    async def end(self) -> None:
        """Cancel every task, wait until it has ended, and let no timer do anything any more.

        A task that will not be cancelled is reported, and left to itself: nobody waits for it for ever.
        """
        self._is_over = True
        deadline = asyncio.get_running_loop().time() + _END_SECONDS_MAX
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            seconds = deadline - asyncio.get_running_loop().time()
            if seconds <= 0:
                self._on_fault(RuntimeError(f"{len(self._tasks)} tasks would not be cancelled"))
                return
            await asyncio.wait(self._tasks, timeout=seconds)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and isinstance(error := task.exception(), Exception):
            self._on_fault(error)
