"""The whole program as a person runs it: started, killed in the middle of a call, started again; stopped with Ctrl-C
while somebody talks.

Everything here is real: processes, signals, the embedded server, the simulated phone company. The installation is made
ready before its first start: each second of a call costs a credit, so that a second too many shows in the books.
"""

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from talktime.calls.sweep import PROOF_SECONDS
from talktime.carriers.simulated import SimulatedAccount
from talktime.cli.companies import company_pid
from talktime.cli.demo import CREDITS, Demo, ensure_demo
from talktime.cli.running import DATABASE_NAME, open_database
from talktime.credits.models import Price
from talktime.credits.pricing import Rate
from talktime.credits.verify import verify
from talktime.db import embedded
from talktime.db.deploy import deploy
from talktime.db.session import Database
from talktime.db.territory import instance_folder
from talktime.settings import Settings
from tests.house import free_ports
from tests.people import WHY

RATE = Rate(60, initial_seconds=1, increment_seconds=1)
"""A credit for each second."""
TALK_SECONDS_MIN = 20
"""Before the kill: then a heartbeat, one every 15 seconds, has proven some of it."""
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
        "HOME": str(Path.home()),
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
        return await company_pid(SimulatedAccount.of(settings), client)


@contextlib.asynccontextmanager
async def installation(home: Path) -> AsyncIterator[Settings]:
    """An installation that was never started, ready to be; whatever is left of it is stopped at the end."""
    port, carrier_port = free_ports(2)
    settings = Settings(home=home, port=port, simulated_carrier_port=carrier_port)
    try:
        await asyncio.to_thread(make_database, home)
        async with open_database(settings) as database:
            demo = await ensure_demo(database)
            async with database.transaction(everyone=WHY) as db:
                db.add(
                    Price(
                        user_id=demo.user_id,
                        credits_per_minute=RATE.credits_per_minute,
                        initial_seconds=RATE.initial_seconds,
                        increment_seconds=RATE.increment_seconds,
                    )
                )
        yield settings
    finally:
        pid = await carrier_of(settings)
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
        await asyncio.to_thread(embedded.discard, home)


def make_database(home: Path) -> None:
    with embedded.acquire(home) as server:
        embedded.ensure_database(server, DATABASE_NAME)
        deploy(server.url(DATABASE_NAME))


async def remember_a_call(database: Database, demo: Demo) -> None:
    """The demo's customer has been rung before. The rule that needs it: a start that finds no call of theirs places one
    of its own, and Ctrl-C breaks that one off instead of draining it."""
    async with database.transaction(everyone=WHY) as db:
        await db.execute(text("RESET ROLE"))
        await db.execute(text("SET LOCAL ROLE talktime_owner"))
        await db.execute(
            text(
                "INSERT INTO calls (user_id, id, direction, carrier, carrier_call_id, status, route, end_reason,"
                " seconds, started_at, ended_at) VALUES (:user, gen_random_uuid(), 'INBOUND', 'simulated',"
                " 'CA-long-ago', 'COMPLETED', 'after_hours', 'after_hours', 0, now() - interval '1 day',"
                " now() - interval '1 day')"
            ),
            {"user": demo.user_id},
        )


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


async def until_proven(database: Database) -> int:
    """Wait until the running call has lasted for a while and a heartbeat of it is stored; what that one proved."""
    async with asyncio.timeout(90):
        while True:
            async with database.transaction(everyone=WHY) as db:
                used = await db.scalar(
                    text(
                        "SELECT h.used_seconds FROM credit_holds h JOIN calls c ON c.id = h.call_id"
                        " WHERE c.status = 'IN_PROGRESS' AND c.answered_at < now() - :talk * interval '1 second'"
                    ),
                    {"talk": TALK_SECONDS_MIN},
                )
            if used:
                return int(used)
            await asyncio.sleep(0.1)


async def killed_in_mid_call(home: Path, *, carrier_dies: bool) -> None:
    async with installation(home) as settings:
        program = await start(settings)
        await program.says(r"caller +0:\d")
        async with open_database(settings) as database:
            carrier = await carrier_of(settings)
            assert carrier is not None
            used_seconds = await until_proven(database)
            program.process.kill()
            if carrier_dies:
                os.kill(carrier, signal.SIGKILL)
            killed = time.monotonic()
            await program.ends()

            again = await start(settings)
            await again.says("is serving at")
            aftermath = await wait_for_the_sweep(database, killed)
            assert aftermath.slot_seconds <= SLOT_SECONDS_MAX, aftermath
            assert aftermath.hold_seconds <= HOLD_SECONDS_MAX, aftermath
            await assert_charged_what_is_proven(database, used_seconds, carrier_dies=carrier_dies)

        again.process.send_signal(signal.SIGINT)
        assert await again.ends() == 0
        assert again.lines[-1] == "Stopped."
        assert await carrier_of(settings) is None


async def assert_charged_what_is_proven(database: Database, used_seconds: int, *, carrier_dies: bool) -> None:
    async with database.transaction(everyone=WHY) as db:
        call = (
            await db.execute(
                text(
                    "SELECT c.status, c.end_reason, c.seconds, c.carrier_seconds, h.charged, h.used_seconds,"
                    " h.settled_seconds, h.unbilled FROM calls c"
                    " JOIN credit_holds h ON h.user_id = c.user_id AND h.call_id = c.id"
                )
            )
        ).one()
        balance = await db.scalar(text("SELECT sum(balance) FROM credit_accounts"))
    assert (call.status, call.end_reason) == ("FAILED", "lost")
    # Not equal: a last heartbeat may have come between our look and the kill.
    assert call.used_seconds >= used_seconds > 0
    assert call.used_seconds <= call.seconds <= call.used_seconds + PROOF_SECONDS
    if carrier_dies:
        # Nobody knows better, so it is as much as may have gone unproven.
        assert (call.seconds, call.carrier_seconds) == (call.used_seconds + PROOF_SECONDS, None)
    else:
        assert call.seconds <= call.carrier_seconds
        assert call.carrier_seconds >= TALK_SECONDS_MIN
    assert (call.settled_seconds, call.unbilled) == (call.seconds, 0)
    assert call.charged == RATE.cost(call.seconds) == call.seconds == CREDITS - balance
    verdict = await verify(database, full=True)
    assert (verdict.violations, verdict.lines) == ((), 2)


@pytest.mark.xdist_group("kill")
async def test_killed_in_mid_call_with_the_carrier_alive_or_dead(tmp_path: Path) -> None:
    """Both at once, because most of it is waiting for leases to run out."""
    alive, dead = tmp_path / "alive", tmp_path / "dead"
    await asyncio.gather(killed_in_mid_call(alive, carrier_dies=False), killed_in_mid_call(dead, carrier_dies=True))


@dataclass(frozen=True)
class Stopped:
    """What a call and its server came to after Ctrl-C."""

    call: Any
    """The JSON document that the caller's command printed."""
    seconds: float
    """From the first Ctrl-C until everything had ended."""
    lines: list[str]
    lines_of_ledger: int


async def stopped_in_mid_call(home: Path, *, signals: int) -> Stopped:
    """Ring from another terminal; six seconds into the call press Ctrl-C at the server, once or twice."""
    async with installation(home) as settings:
        async with open_database(settings) as database:
            await remember_a_call(database, await ensure_demo(database))
        server = await start(settings)
        await server.says("Stop with")
        ringing = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "talktime", "call", "--json", "--say", "where can i park",
            env=environment(settings),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        printed = asyncio.create_task(ringing.communicate())
        async with open_database(settings) as database:
            await until_answered(database, seconds=6)
        pressed = time.monotonic()
        for number in range(signals):
            if number:
                await asyncio.sleep(1)
            server.process.send_signal(signal.SIGINT)
        (out, err), code = await asyncio.gather(printed, server.ends())
        seconds = time.monotonic() - pressed
        assert (ringing.returncode, code) == (0, 0), err.decode()
        assert server.lines[-1] == "Stopped."
        assert await carrier_of(settings) is None
        # Whoever leaves last stops the database.
        folder = await asyncio.to_thread(instance_folder, home)
        assert (folder / "data").is_dir()
        assert not (folder / "data" / "postmaster.pid").exists()
        async with open_database(settings) as database:
            verdict = await verify(database, full=True)
        assert verdict.violations == ()
        return Stopped(json.loads(out), seconds, server.lines, verdict.lines)


async def until_answered(database: Database, *, seconds: int) -> None:
    """Wait until a call has been in progress for so long."""
    async with asyncio.timeout(60):
        while True:
            async with database.transaction(everyone=WHY) as db:
                found = await db.scalar(
                    text(
                        "SELECT count(*) FROM calls WHERE status = 'IN_PROGRESS'"
                        " AND answered_at < now() - :seconds * interval '1 second'"
                    ),
                    {"seconds": seconds},
                )
            if found:
                return
            await asyncio.sleep(0.05)


def said_by_the_agent(call: Any) -> str:
    return " ".join(turn["text"] for turn in call["transcript"] if turn["speaker"] == "AGENT")


def assert_charged_once(stopped: Stopped) -> None:
    receipt = stopped.call["receipt"]
    assert receipt["charged"] == RATE.cost(receipt["seconds"]) > 6
    assert [line["amount"] for line in receipt["lines"]] == [-receipt["charged"]]
    assert receipt["lines"][0]["balance_after"] == CREDITS - receipt["charged"]
    assert stopped.lines_of_ledger == 2


@pytest.mark.xdist_group("kill")
async def test_after_ctrl_c_a_call_goes_on_to_its_own_end(tmp_path: Path) -> None:
    stopped = await stopped_in_mid_call(tmp_path, signals=1)
    assert (stopped.call["status"], stopped.call["end_reason"]) == ("COMPLETED", "caller_hung_up")
    assert "car park" in said_by_the_agent(stopped.call)
    assert "Goodbye" not in said_by_the_agent(stopped.call)
    assert any(line.startswith("Stopping:") for line in stopped.lines)
    assert_charged_once(stopped)


@pytest.mark.xdist_group("kill")
async def test_after_a_second_ctrl_c_the_agent_says_goodbye_at_once(tmp_path: Path) -> None:
    stopped = await stopped_in_mid_call(tmp_path, signals=2)
    assert (stopped.call["status"], stopped.call["end_reason"]) == ("COMPLETED", "shutdown")
    assert said_by_the_agent(stopped.call).endswith("Goodbye.")
    assert stopped.seconds < 15
    assert_charged_once(stopped)
