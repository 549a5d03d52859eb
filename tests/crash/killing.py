"""A process that dies where a test wants it to: before or after the commit, the request, the mail of its choice.

The rule: the product knows nothing of it. What is its own way to the database and to the network is wrapped in the
child that is to die, and only there.
"""

import os
import signal
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.db.session import Database, connect
from talktime.jobs import Jobs
from talktime.mail.message import Mail, Sender
from talktime.mail.send import Outbox


class Points:
    """The moments at which a process may die. It counts them, writes each down, and dies at its own."""

    def __init__(self, fatal: int, diary: Path) -> None:
        """`fatal` counts from 1; 0 is never."""
        self.count = 0
        self._awake = True
        self._fatal = fatal
        self._diary = os.open(diary, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def reach(self, name: str) -> None:
        if not self._awake:
            return
        self.count += 1
        os.write(self._diary, f"{name}\n".encode())
        if self.count == self._fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    @contextmanager
    def asleep(self) -> Iterator[None]:
        """What happens in the block is somebody else's doing, and no moment to die."""
        self._awake = False
        yield
        self._awake = True


class MortalDatabase(Database):
    """A database around whose commits one dies."""

    def __init__(self, url: str, points: Points) -> None:
        made = connect(url, connections_max=4)
        super().__init__(made._engine, made._statements, made._everyones)
        self._points = points

    @asynccontextmanager
    async def transaction(
        self, *, user: uuid.UUID | None = None, everyone: str | None = None, snapshot: bool = False
    ) -> AsyncIterator[AsyncSession]:
        async with super().transaction(user=user, everyone=everyone, snapshot=snapshot) as db:
            yield db
            # All is said to the server but the last word.
            await db.flush()
            self._points.reach("before a commit")
        self._points.reach("after a commit")

    async def statement(
        self, user: uuid.UUID, function: str, arguments: Sequence[tuple[str, object]]
    ) -> dict[str, Any]:
        self._points.reach(f"before {function}")
        row = await super().statement(user, function, arguments)
        self._points.reach(f"after {function}")
        return row


class MortalOutbox(Outbox):
    """A mailer around whose mails one dies."""

    def __init__(self, folder: Path, points: Points) -> None:
        super().__init__(folder, Sender.of("Talktime <talktime@localhost>"))
        self._points = points

    async def send(self, mail: Mail) -> None:
        self._points.reach("before a mail")
        await super().send(mail)
        self._points.reach("after a mail")


@dataclass(frozen=True)
class Life:
    """What a process has while it lives."""

    url: str
    points: Points
    database: MortalDatabase
    jobs: Jobs

    @classmethod
    def begin(cls, url: str, fatal: int, diary: Path) -> "Life":
        points = Points(fatal, diary)
        _make_network_mortal(points)
        return cls(url, points, MortalDatabase(url, points), Jobs(url))

    def outbox(self, folder: Path) -> MortalOutbox:
        return MortalOutbox(folder, self.points)


def _make_network_mortal(points: Points) -> None:
    """One dies around every request of this process, whichever adapter makes it."""
    handle = httpx.AsyncHTTPTransport.handle_async_request

    async def mortal(self: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        points.reach(f"before a {request.method}")
        response = await handle(self, request)
        points.reach(f"after a {request.method}")
        return response

    httpx.AsyncHTTPTransport.handle_async_request = mortal  # type: ignore[method-assign]  # of this process only
