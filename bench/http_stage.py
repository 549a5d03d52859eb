"""The stage of `make bench-http`: a server of its own, as durable as a real one, filled with customers and their calls,
and `talktime serve` in processes of its own, as somebody runs it who has keys.
"""

import asyncio
import base64
import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psycopg

from bench.http_load import Job, Outcome
from talktime.accounts import keys
from talktime.accounts.keys import Scope
from talktime.cli.fill import fill
from talktime.credits import money, verify
from talktime.db import embedded
from talktime.db.deploy import deploy
from talktime.db.session import Database, connect

ACCOUNT_SID, AUTH_TOKEN = "AC" + "5" * 32, "a token of the bench, and of nobody else"
WHY = "a bench sets the stage"
_START_SECONDS = 300.0
_READING = (Scope.ACCOUNT_READ, Scope.AGENTS_READ, Scope.CALLS_READ, Scope.CREDITS_READ, Scope.NUMBERS_READ)


@dataclass(frozen=True, slots=True)
class Person:
    """A customer, and the key that their program has."""

    id: uuid.UUID
    calls: int
    """Those that cost something."""
    key: str


@dataclass(frozen=True, slots=True)
class Program:
    """`talktime serve` with one part."""

    part: str
    port: int
    process: "subprocess.Popen[bytes]"

    def cpu_seconds(self) -> float:
        """What it has used so far."""
        spent = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(spent[11]) + int(spent[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Stage:
    """Everything that stands."""

    url: str
    folder: Path
    say: Callable[[str], None]
    fill_seconds: float = 0.0
    people: list[Person] = field(default_factory=list)
    """The one with most calls first."""

    @contextlib.contextmanager
    def serving(self, part: str) -> Iterator[Program]:
        """Serve one part for as long as the block."""
        port = _free_port()
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            # The very code that fills and measures.
            "PYTHONPATH": os.pathsep.join(each for each in sys.path if each),
            "TALKTIME_HOME": str(self.folder / part),
            "TALKTIME_PORT": str(port),
            "TALKTIME_LOG_LEVEL": "ERROR",
            "TALKTIME_SECRET_KEY": secrets.token_urlsafe(48),
            # What is measured is how fast lists are, not how often somebody may ask.
            "TALKTIME_API_REQUESTS_PER_MINUTE": "1000000",
            "TALKTIME_API_REQUESTS_BURST": "1000000",
            "DATABASE_URL": self.url,
            "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
            "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
            # Nobody answers there: what is asked of the carrier fails at once.
            "TWILIO_API_BASE": "http://127.0.0.1:9",
        }
        (self.folder / part).mkdir(exist_ok=True)
        command = [sys.executable, "-m", "talktime", "serve", "--only", part, "--drain-seconds", "0"]
        with (self.folder / f"{part}.log").open("ab") as log:
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=self.folder)
            try:
                self._wait(process, port, part)
                yield Program(part, port, process)
            finally:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def load(self, job: Job, seconds_max: float = 900.0) -> Outcome:
        """Have a process of its own ask, and wait for what came back."""
        path = self.folder / "job.json"
        path.write_text(json.dumps(asdict(job)))
        done = subprocess.run(
            [sys.executable, "-m", "bench.http_load", str(path)], capture_output=True, timeout=seconds_max, check=False
        )
        if done.returncode:
            raise SystemExit(f"The load generator failed:\n{done.stderr.decode()[-2000:]}")
        return Outcome(**json.loads(done.stdout))

    def query(self, query: str, *values: object) -> list[tuple[object, ...]]:
        """As an administrator, past all policies."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            return connection.execute(query.encode(), values or None).fetchall()

    def _wait(self, process: "subprocess.Popen[bytes]", port: int, part: str) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as asking:
                asking.sendall(b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")
                if b" 200 " in asking.recv(64):
                    return
            time.sleep(0.1)
        said = (self.folder / f"{part}.log").read_text()[-2000:]
        raise SystemExit(f"`talktime serve --only {part}` does not answer:\n{said}")


@contextlib.contextmanager
def stage(users: int, calls: int, folder: Path, say: Callable[[str], None]) -> Iterator[Stage]:
    """A filled database, with keys for some of its customers, and credit for all."""
    with embedded.temporary(durable=True) as server:
        embedded.ensure_database(server, "talktime")
        url = server.url("talktime")
        deploy(url)
        here = Stage(url, folder, say)
        here.fill_seconds = fill(url, users, calls, add=False, connections=2, say=say).seconds
        here.people = asyncio.run(_prepared(url))
        yield here


async def _prepared(url: str) -> list[Person]:
    """The books are verified, so that no worker begins with that; keys are made; those who are called most run out of
    neither credit nor lines."""
    database = connect(url)
    try:
        verdict = await verify.verify(database, full=True)
        assert verdict.is_clean, verdict.violations[:5]
        with psycopg.connect(url, autocommit=True) as connection:
            counted = connection.execute("SELECT user_id, seq FROM credit_accounts ORDER BY 2 DESC, 1").fetchall()
            connection.execute("UPDATE credit_accounts SET max_open_calls = 100000")
        chosen = [*counted[:20], *counted[20 :: max(1, len(counted) // 80)]]
        people = [Person(user, calls, await _key(database, user)) for user, calls in chosen]
        for user, _ in counted[:20]:
            async with database.transaction(everyone=WHY) as db:
                await money.adjust(db, user, reference="bench", amount=1_000_000, reason="for the bench", actor=user)
        return people
    finally:
        await database.close()


async def _key(database: Database, user: uuid.UUID) -> str:
    async with database.transaction(everyone=WHY) as db:
        _, text = await keys.make(db, user, "bench", _READING)
    return text


def packed(requests: Sequence[bytes]) -> list[str]:
    """As a job carries them."""
    return [base64.b64encode(request).decode() for request in requests]


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
