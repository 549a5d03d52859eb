"""Sending on a web socket without ever waiting for it.

A message is handed to the server's `send` and that coroutine is run at once: as long as the other side reads, it ends
without giving up control, and no task and no queue is involved. When it would wait, what is left goes on in a task and
further messages queue up behind it, up to a limit; then the caller is told so, and hangs up.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Generator
from typing import Any

from starlette.websockets import WebSocketDisconnect

GONE = (WebSocketDisconnect, RuntimeError, OSError)
"""What sending raises when the other side is gone already."""

_WAITING_MAX = 60
"""Messages: about five seconds of audio."""


class Outbox:
    """The sending side of one socket."""

    def __init__(self, send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
        self._send = send
        self._waiting: deque[str | bytes] = deque()
        self._task: asyncio.Task[None] | None = None
        self.is_broken = False

    def put(self, message: str | bytes) -> bool:
        """Send a message, of text or of bytes; False when the other side is gone, or has not read for too long."""
        if self.is_broken or len(self._waiting) >= _WAITING_MAX:
            return False
        if self._task is not None:
            self._waiting.append(message)
            return True
        steps = self._send(_said(message)).__await__()
        try:
            waits_for = next(steps)
        except StopIteration:
            return True
        except GONE:
            self.is_broken = True
            return False
        self._task = asyncio.get_running_loop().create_task(self._go_on(_Rest(waits_for, steps)))
        return True

    async def close(self) -> None:
        """Send no more, and let go of what waits."""
        self.is_broken = True
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _go_on(self, rest: "_Rest") -> None:
        try:
            await rest
            while self._waiting:
                await self._send(_said(self._waiting.popleft()))
        except GONE:
            self.is_broken = True
        finally:
            self._task = None


def _said(message: str | bytes) -> dict[str, Any]:
    return {"type": "websocket.send", "text" if isinstance(message, str) else "bytes": message}


class _Rest:
    """What is left of a coroutine after its first step: what it waits for, then the rest of its steps."""

    def __init__(self, waits_for: Any, steps: Generator[Any, Any, None]) -> None:
        self._waits_for = waits_for
        self._steps = steps

    def __await__(self) -> Generator[Any, Any, None]:
        yield self._waits_for
        yield from self._steps
