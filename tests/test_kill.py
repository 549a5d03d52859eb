"""The whole program as a person runs it: started, killed in the middle of a call, started again, stopped with Ctrl-C.

Everything here is real: processes, signals, the embedded server, the simulated phone company.
"""

import asyncio
import contextlib
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from talktime.carriers.simulated import SimulatedAccount
from talktime.cli.running import open_database
from talktime.cli.serving import carrier_pid
from talktime.credits.pricing import Rate
from talktime.credits.verify import verify
from talktime.db import embedded
from talktime.db.session import Database
from talktime.settings import Settings
from tests.house import free_ports
from tests.people import WHY

RATE = Rate(15)
SLOT_SECONDS_MAX = 60
HOLD_SECONDS_MAX = 120


@dataclass
class Program:
    """`talktime serve --demo` in a process of its own."""

    settings: Settings
    process: asyncio.subprocess.Process
    lines: list[str] = field(default_factory=list)
    reader: "asyncio.Task[None] | None" = None

    async def says(self, pattern: str, seconds_max: float = 60) -> str:
        """Wait for a line of its output."""
        async with asyncio.timeout(seconds_max):
            while True:
                for line in self.lines:
                    if re.search(pattern, line):
                        return line
                assert self.process.returncode is None, "\n".join(self.lines)
                await asyncio.sleep(0.05)

    async def ends(self, seconds_max: float = 60) -> int:
        async with asyncio.timeout(seconds_max):
            code = await self.process.wait()
            if self.reader is not None:
                await self.reader
        return code

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.lines.append(line.decode().rstrip())


def environment(settings: Settings) -> dict[str, str]:
    """What a person has in an otherwise empty environment."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/root"),
        "TALKTIME_HOME": str(settings.home),
        "TALKTIME_PORT": str(settings.port),
        "TALKTIME_CARRIER_PORT": str(settings.carrier_port),
    }


async def start(settings: Settings) -> Program:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "talktime", "serve", "--demo",
        env=environment(settings),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    program = Program(settings, process)
    program.reader = asyncio.create_task(program._read())
    return program


async def carrier_of(settings: Settings) -> int | None:
    """The process of the simulated phone company; None when there is none."""
    async with httpx.AsyncClient(timeout=2, trust_env=False) as client:
        return await carrier_pid(SimulatedAccount.of(settings), client)


@contextlib.asynccontextmanager
async def installation(home: Path) -> AsyncIterator[Settings]:
    """A fresh installation; whatever is left of it is stopped at the end."""
    port, carrier_port = free_ports(2)
    settings = Settings(home=home, port=port, simulated_carrier_port=carrier_port)
    try:
        yield settings
    finally:
        pid = await carrier_of(settings)
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
        await asyncio.to_thread(embedded.discard, home)


@dataclass
class Aftermath:
    """When, after the kill, the customer's slot was free and the hold closed."""

    slot_seconds: float
    hold_seconds: float


async def wait_for_the_sweep(database: Database, killed: float) -> Aftermath:
    slot = None
    async with asyncio.timeout(HOLD_SECONDS_MAX + 30):
        while True:
            async with database.transaction(everyone=WHY) as db:
                open_calls = await db.scalar(text("SELECT sum(open_calls) FROM credit_accounts"))
                unsettled = await db.scalar(text("SELECT count(*) FROM credit_holds WHERE settled_at IS NULL"))
            now = time.monotonic() - killed
            if open_calls == 0 and slot is None:
                slot = now
            if unsettled == 0:
                assert slot is not None
                return Aftermath(slot, now)
            await asyncio.sleep(0.25)


async def killed_in_mid_call(home: Path, *, carrier_dies: bool) -> None:
    async with installation(home) as settings:
        program = await start(settings)
        await program.says(r"caller +0:\d")
        await asyncio.sleep(4)
        carrier = await carrier_of(settings)
        assert carrier is not None
        program.process.kill()
        if carrier_dies:
            os.kill(carrier, signal.SIGKILL)
        killed = time.monotonic()
        await program.ends()

        again = await start(settings)
        await again.says("is serving at")
        async with open_database(settings) as database:
            aftermath = await wait_for_the_sweep(database, killed)
            assert aftermath.slot_seconds <= SLOT_SECONDS_MAX, aftermath
            assert aftermath.hold_seconds <= HOLD_SECONDS_MAX, aftermath
            async with database.transaction(everyone=WHY) as db:
                call = (
                    await db.execute(
                        text(
                            "SELECT c.status, c.end_reason, c.seconds, c.carrier_seconds, h.charged, h.used_seconds"
                            " FROM calls c JOIN credit_holds h ON h.user_id = c.user_id AND h.call_id = c.id"
                        )
                    )
                ).one()
                balance = await db.scalar(text("SELECT sum(balance) FROM credit_accounts"))
            assert (call.status, call.end_reason) == ("FAILED", "lost")
            assert call.charged == RATE.cost(call.seconds) == 1000 - balance
            if carrier_dies:
                assert call.seconds == call.used_seconds
                assert call.carrier_seconds is None
            else:
                assert call.seconds <= call.carrier_seconds
            verdict = await verify(database, full=True)
            assert verdict.violations == ()
            assert verdict.lines == 2

        again.process.send_signal(signal.SIGINT)
        assert await again.ends() == 0
        assert again.lines[-1] == "Stopped."
        assert await carrier_of(settings) is None


@pytest.mark.xdist_group("kill")
async def test_killed_in_mid_call_with_the_carrier_alive_or_dead(tmp_path: Path) -> None:
    """Both at once, because most of it is waiting for leases to run out."""
    alive, dead = tmp_path / "alive", tmp_path / "dead"
    await asyncio.gather(killed_in_mid_call(alive, carrier_dies=False), killed_in_mid_call(dead, carrier_dies=True))
