"""A process that asks a server for things, and nothing else: `python -m bench.http_load JOB.json`.

It speaks HTTP/1.1 on connections that stay open, with requests that were made and signed before the clock starts, so
that what it costs itself is little; it says how much. `open` asks at a fixed rate whatever comes back, and counts each
answer from the moment it should have been asked for; `closed` asks on each connection as soon as the last answer came.
"""

import asyncio
import base64
import gc
import json
import resource
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal, cast

import uvloop

_ANSWER_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Job:
    """What is asked, of whom, how."""

    port: int
    requests: list[str]
    """Each in base64."""
    mode: Literal["open", "closed"]
    connections: int
    rate: float = 0.0
    """Requests a second, when `open`."""
    wants_bodies: bool = False


@dataclass(slots=True)
class Outcome:
    """What came back, by the number of the request."""

    statuses: list[int]
    """0 for one that was not answered."""
    milliseconds: list[float]
    seconds: float = 0.0
    cpu_percent: float = 0.0
    """Of this process, of one core."""
    late_milliseconds: float = 0.0
    """How late, at worst, this process asked: when that is much, it was itself too slow."""
    bodies: list[str] = field(default_factory=list)


class _Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's own, of no class of asyncio's

    def connection_lost(self, _error: Exception | None) -> None:
        self.transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((0, b""))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, mark, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        if not mark or self._answer is None or self._answer.done():
            return
        length = 0
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if len(rest) >= length:
            self._buffer.clear()
            self._answer.set_result((int(head[9:12]), rest))

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """The status and the body of the answer; 0 when the connection was closed."""
        if self.transport is None:
            return 0, b""
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await asyncio.wait_for(self._answer, _ANSWER_SECONDS)


async def run(job: Job) -> Outcome:
    """Ask for everything once."""
    requests = [base64.b64decode(request) for request in job.requests]
    outcome = Outcome(
        [0] * len(requests), [0.0] * len(requests), bodies=[""] * len(requests) if job.wants_bodies else []
    )
    free: deque[_Connection] = deque([await _connected(job.port) for _ in range(job.connections)])
    cpu, began = time.process_time(), time.perf_counter()

    async def ask(number: int, since: float, connection: _Connection) -> None:
        try:
            status, body = await connection.ask(requests[number])
        except TimeoutError:
            status, body = 0, b""
        outcome.milliseconds[number] = (time.perf_counter() - since) * 1000
        outcome.statuses[number] = status
        if job.wants_bodies:
            outcome.bodies[number] = body.decode()
        if connection.transport is None or status == 0:
            connection = await _connected(job.port)
        free.append(connection)

    if job.mode == "closed":
        waiting = deque(range(len(requests)))

        async def work() -> None:
            while waiting:
                await ask(waiting.popleft(), time.perf_counter(), free.popleft())

        await asyncio.gather(*(work() for _ in range(job.connections)))
    else:
        asked = []
        for number in range(len(requests)):
            due = began + number / job.rate
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            outcome.late_milliseconds = max(outcome.late_milliseconds, (time.perf_counter() - due) * 1000)
            connection = free.popleft() if free else await _connected(job.port)
            asked.append(asyncio.create_task(ask(number, due, connection)))
        await asyncio.gather(*asked)
    outcome.seconds = time.perf_counter() - began
    outcome.cpu_percent = (time.process_time() - cpu) / outcome.seconds * 100
    return outcome


async def _connected(port: int) -> _Connection:
    _, connection = await asyncio.get_running_loop().create_connection(_Connection, "127.0.0.1", port)
    return connection


def main() -> None:
    """Read the job from the file that is named, write the outcome to standard output."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 8192)), hard))
    job = Job(**json.loads(Path(sys.argv[1]).read_text()))
    gc.disable()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.stdout.write(json.dumps(asdict(runner.run(run(job)))))


if __name__ == "__main__":
    main()
