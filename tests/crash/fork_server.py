"""Many deaths for the price of one start: a process that has imported everything, and has neither loop nor thread,
forks a child for each point at which a history is to break off.

As a program it reads one order a line (JSON) and answers each with a line. `ForkServer` is the other end of it.
"""

import asyncio
import contextlib
import functools
import gc
import importlib
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy.orm import configure_mappers

_AT_ONCE = 3
_BATCH_SECONDS_MAX = 240.0
_CHILD_SECONDS_MAX = 60
_HISTORIES = ("tests.crash.history_books", "tests.crash.history_calls", "tests.crash.history_payments")


@dataclass(frozen=True)
class Death:
    """How a child ended, and all the points it reached, in order."""

    point: int
    killed: bool
    passed: Sequence[str]

    @property
    def where(self) -> str:
        """The point it died at."""
        return f"{self.point}: {self.passed[-1]}"


@dataclass
class ForkServer:
    """The test's end of it."""

    process: asyncio.subprocess.Process
    folder: Path
    _orders: int = 0

    async def live(self, history: str, url: str, stage: dict[str, Any]) -> Death:
        """Let a history run unharmed, and count its points."""
        (life,) = await self.run(history, [(0, url, stage)])
        assert not life.killed, life
        return life

    async def run(self, history: str, lives: Sequence[tuple[int, str, dict[str, Any]]]) -> list[Death]:
        """Let a history run once for each fatal point, database and stage; some run at the same time."""
        self._orders += 1
        folder = self.folder / str(self._orders)
        folder.mkdir()
        order = {"history": history, "folder": str(folder), "lives": lives}
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        async with asyncio.timeout(_BATCH_SECONDS_MAX):
            await self.process.stdin.drain()
            answer = await self.process.stdout.readline()
        assert answer, "the fork server died"
        deaths = []
        for (point, _, _), (number, status) in zip(lives, enumerate(json.loads(answer)), strict=True):
            said = (folder / str(number)).read_text()
            assert status in (0, -signal.SIGKILL), f"{history} at point {point} ended with {status}:\n{said}"
            assert (status == 0) == (point == 0), f"{history} at point {point}: {said}"
            deaths.append(Death(point, status != 0, said.splitlines()))
        return deaths


@contextlib.asynccontextmanager
async def fork_server(folder: Path) -> AsyncIterator[ForkServer]:
    """One for as long as the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.crash.fork_server",
        # Libraries that calculate would start threads, which a fork does not survive.
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        cwd=Path(__file__).parents[2],
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=2**24,
    )  # fmt: skip
    try:
        yield ForkServer(process, folder)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        async with asyncio.timeout(_CHILD_SECONDS_MAX + 10):
            await process.wait()


# As a program.


def main() -> None:
    gc.disable()  # a life is short, and looking through everything once would copy all of it
    for name in _HISTORIES:
        importlib.import_module(name)
    _prepare()
    assert threading.active_count() == 1, threading.enumerate()
    for line in sys.stdin.buffer:
        order = json.loads(line)
        statuses = [0] * len(order["lives"])
        running: dict[int, int] = {}
        for number, (fatal, url, stage) in enumerate(order["lives"]):
            while len(running) >= _AT_ONCE:
                _reap(running, statuses)
            child = os.fork()
            if child == 0:
                _be_a_child(order["history"], Path(order["folder"]) / str(number), fatal, url, stage)
            running[child] = number
        while running:
            _reap(running, statuses)
        sys.stdout.write(json.dumps(statuses) + "\n")
        sys.stdout.flush()


def _prepare() -> None:
    """Do what every child would have to: it takes longer than all the rest of most lives."""
    configure_mappers()
    # Reading the world's certificates for each client, none of which leaves this machine.
    transports = importlib.import_module("httpx._transports.default")
    cached = functools.lru_cache(transports.create_ssl_context)
    vars(transports)["create_ssl_context"] = cached
    for trusts_env in (True, False):
        httpx.AsyncHTTPTransport(trust_env=trusts_env)


def _reap(running: dict[int, int], statuses: list[int]) -> None:
    child, status = os.wait()
    statuses[running.pop(child)] = os.waitstatus_to_exitcode(status)


def _be_a_child(name: str, diary: Path, fatal: int, url: str, stage: dict[str, Any]) -> None:
    """Live one life, and never come back."""
    from tests.crash.killing import Life

    signal.alarm(_CHILD_SECONDS_MAX)
    # Answers go the way of the parent; what the product logs goes nowhere.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    status = 1
    with _exceptions_written_to(diary):
        module, _, function = name.rpartition(".")
        history = getattr(sys.modules[f"tests.crash.{module}"], function)
        life = Life.begin(url, fatal, diary)
        asyncio.run(_whole(history, life, stage))
        status = 0
    os._exit(status)


async def _whole(history: Any, life: Any, stage: dict[str, Any]) -> None:
    await history(life, **stage)
    await life.database.close()


@contextlib.contextmanager
def _exceptions_written_to(diary: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:  # noqa: BLE001  whatever it is, it is read in the test that asked for this life
        with diary.open("a") as file:
            traceback.print_exc(file=file)


if __name__ == "__main__":
    main()
