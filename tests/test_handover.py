"""Stopping and starting as an operator does it: the next server begins before the last one ends, and nobody notices; a
call goes on to its end; each part can be served by itself.

Real processes and real signals, on a database of their own.
"""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from talktime.carriers.simulated import SimulatedAccount
from talktime.cli import handover
from talktime.db.session import Database, connect
from talktime.errors import Conflict
from talktime.settings import Settings
from talktime.simulate.carrier import SimulatedCarrier
from talktime.simulate.orders import Faults, HangUp, Order, Step, WaitForAgent
from talktime.simulate.post import Post
from tests.house import free_ports, say
from tests.people import WHY, Person, new_person
from tests.test_kill import Program

KEY = "T3/vR9wqLm0zXe8bYc5uKd7iHn2oPj4sQa6fGt1=rWh"
pytestmark = pytest.mark.xdist_group("kill")


def _plain(environment: Mapping[str, str]) -> dict[str, str]:
    """What a process needs, without what this machine is set up with."""
    return {name: environment[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in environment}


@dataclass
class Site:
    """One installation: a database, a folder and an address, for any number of processes."""

    url: str
    home: Path
    port: int
    carrier_port: int
    running: list[Program] = field(default_factory=list)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self, *parts: str, **environment: str) -> Program:
        """Another process of it; returns once it serves."""
        options = [word for part in parts for word in ("--only", part)]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "talktime", "serve", *options, "--drain-seconds", "20",
            env={
                **_plain(os.environ), "TALKTIME_HOME": str(self.home),
                "TALKTIME_PORT": str(self.port), "DATABASE_URL": self.url, "TALKTIME_SECRET_KEY": KEY, **environment,
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        program = Program(Settings(home=self.home, port=self.port), process)
        program.reader = asyncio.create_task(program._read())
        self.running.append(program)
        # Seconds on a machine that has nothing else to do.
        await program.says("Stop with", seconds_max=300)
        return program


@pytest.fixture
async def site(new_database_url: Callable[[], str], tmp_path: Path) -> AsyncIterator[Site]:
    port, carrier_port = free_ports(2)
    made = Site(new_database_url(), tmp_path / "home", port, carrier_port)
    try:
        yield made
    finally:
        for program in made.running:
            if program.process.returncode is None:
                program.process.kill()
            await program.ends()


@dataclass
class Visitors:
    """People who come again and again, each with a connection of their own, and one who keeps theirs."""

    answered: int = 0
    refused: list[str] = field(default_factory=list)


@asynccontextmanager
async def visitors(site: Site) -> AsyncIterator[Visitors]:
    seen, over = Visitors(), asyncio.Event()

    async def ask(client: httpx.AsyncClient) -> None:
        try:
            answer = await client.get("/readyz")
            # One that leaves says so, and answers all the same.
            assert answer.status_code in (200, 503), answer.text
            seen.answered += 1
        except httpx.HTTPError as error:
            seen.refused.append(repr(error))

    async def come() -> None:
        while not over.is_set():
            async with httpx.AsyncClient(base_url=site.base_url, trust_env=False, timeout=10) as client:
                await ask(client)
            await asyncio.sleep(0.05)

    async def stay() -> None:
        async with httpx.AsyncClient(base_url=site.base_url, trust_env=False, timeout=10) as client:
            while not over.is_set():
                await ask(client)
                await asyncio.sleep(0.05)

    tasks = [asyncio.create_task(each) for each in (come(), come(), stay())]
    try:
        yield seen
    finally:
        over.set()
        await asyncio.gather(*tasks)


async def test_the_next_server_begins_before_the_last_one_ends_and_nobody_is_refused(site: Site) -> None:
    first = await site.start("web")
    async with visitors(site) as seen:
        second = await site.start("web")
        await asyncio.sleep(0.3)
        first.process.send_signal(signal.SIGTERM)
        assert await first.ends() == 0
        assert first.lines[-1] == "Stopped."
        await asyncio.sleep(0.3)
    assert seen.refused == []
    assert seen.answered > 20
    # A third signal ends everything there and then.
    for _ in range(3):
        second.process.send_signal(signal.SIGINT)
    assert await second.ends(10) in (0, 130)


async def settled(database: Database, person: Person, count: int) -> list[tuple[str, str, int]]:
    async with asyncio.timeout(40):
        while True:
            async with database.transaction(user=person.id) as db:
                rows = await db.execute(
                    text("SELECT status, end_reason, seconds FROM calls WHERE ended_at IS NOT NULL ORDER BY started_at")
                )
                found = [(row.status, row.end_reason, row.seconds) for row in rows]
            if len(found) >= count:
                return found
            await asyncio.sleep(0.1)


async def test_a_call_goes_on_in_the_old_process_while_the_new_one_takes_the_next(site: Site, tmp_path: Path) -> None:
    settings = Settings(home=site.home, port=site.port, simulated_carrier_port=site.carrier_port)
    database = connect(site.url)
    try:
        alice = await new_person(database, "Alice", credits=10_000)
        async with database.transaction(everyone=WHY) as db:
            await db.execute(text("UPDATE phone_numbers SET carrier = 'twilio' WHERE user_id = :u"), {"u": alice.id})
        account = SimulatedAccount.of(settings)
        async with SimulatedCarrier.of(settings) as carrier:
            keys = {
                "TWILIO_ACCOUNT_SID": account.account_sid,
                "TWILIO_AUTH_TOKEN": account.auth_token,
                "TWILIO_API_BASE": carrier.api_base,
            }
            old = await site.start("web", "voice", **keys)

            async def ring(*steps: Step) -> list[dict[str, object]]:
                order = Order(
                    dialled=alice.number,
                    voice_url=f"{site.base_url}/hooks/twilio/ring",
                    status_callback=f"{site.base_url}/hooks/twilio/report",
                    script=steps,
                    seconds_max=60,
                )
                return [event async for event in carrier.place(order)]

            async def until_live() -> None:
                async with asyncio.timeout(30):
                    while True:
                        async with database.transaction(user=alice.id) as db:
                            if await db.scalar(text("SELECT count(*) FROM calls WHERE status = 'IN_PROGRESS'")):
                                return
                        await asyncio.sleep(0.05)

            long = asyncio.create_task(ring(WaitForAgent(), say("", 4.0), WaitForAgent(), say("", 4.0), HangUp()))
            await until_live()
            new = await site.start("web", "voice", **keys)
            old.process.send_signal(signal.SIGTERM)
            await old.says("Stopping")
            await asyncio.sleep(0.5)
            # The old one has closed its door, and carries its call; who rings now is the new one's.
            await ring(WaitForAgent(), HangUp())
            assert old.process.returncode is None or long.done()
            await long
            assert await old.ends() == 0
            calls = await settled(database, alice, 2)
            assert [(status, reason) for status, reason, _ in calls] == [("COMPLETED", "caller_hung_up")] * 2
            assert calls[0][2] >= 8
            new.process.send_signal(signal.SIGTERM)
            assert await new.ends() == 0
    finally:
        await database.close()


async def test_a_ring_on_an_old_connection_is_the_next_process_s_to_carry(site: Site) -> None:
    database = connect(site.url)
    try:
        alice = await new_person(database, "Alice", credits=10_000)
        async with database.transaction(everyone=WHY) as db:
            await db.execute(text("UPDATE phone_numbers SET carrier = 'twilio' WHERE user_id = :u"), {"u": alice.id})
        account = SimulatedAccount.of(Settings(home=site.home, port=site.port))
        keys = {"TWILIO_ACCOUNT_SID": account.account_sid, "TWILIO_AUTH_TOKEN": account.auth_token}
        old = await site.start("web", "voice", **keys)
        async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
            # The carrier keeps its connection; whatever the machine does meanwhile, it is used every half second.
            warm, over = f"{site.base_url}/healthz", asyncio.Event()

            async def keep_warm() -> None:
                while not over.is_set():
                    assert (await client.get(warm)).status_code == 200
                    await asyncio.sleep(0.5)

            keeping = asyncio.create_task(keep_warm())
            await site.start("web", "voice", **keys)
            over.set()
            await keeping
            old.process.send_signal(signal.SIGTERM)
            await old.says("Stopping")
            await asyncio.sleep(0.5)
            fields = {
                "AccountSid": account.account_sid, "CallSid": "CA" + "7" * 32, "CallStatus": "ringing",
                "Direction": "inbound", "From": "+15550100123", "To": alice.number,
            }  # fmt: skip
            post = Post(account.account_sid, account.auth_token, client)
            answer = await post.send(f"{site.base_url}/hooks/twilio/ring", fields, Faults())
        assert answer.headers["connection"] == "close", "it came to the one that leaves"
        assert "<Stream" in answer.text, answer.text
        assert await old.ends() == 0
    finally:
        await database.close()


async def test_each_part_is_served_by_itself_and_stops_by_itself(site: Site) -> None:
    async with httpx.AsyncClient(base_url=site.base_url, trust_env=False, timeout=10) as client:
        answers: dict[str, list[int]] = {}
        for part in ("web", "voice", "worker"):
            program = await site.start(part)
            answers[part] = [
                (await client.get(path)).status_code for path in ("/healthz", "/readyz", "/metrics", "/sign-in")
            ]
            answers[part].append((await client.post("/hooks/twilio/ring")).status_code)
            program.process.send_signal(signal.SIGTERM)
            assert await program.ends() == 0
            assert program.lines[-1] == "Stopped."
    # No carrier is set up, so a ring is for nobody, but only `voice` has that door at all.
    assert answers == {
        "web": [200, 200, 200, 200, 404],
        "voice": [200, 200, 200, 404, 404],
        "worker": [200, 200, 200, 404, 404],
    }


def test_a_door_of_two_is_seen_and_one_of_its_own_is_not() -> None:
    [port] = free_ports(1)
    first = handover.take_door(Settings(port=port))
    try:
        first.listen()
        second = handover.take_door(Settings(port=port))
        # It has the door, and does not open it yet.
        assert not handover.has_successor(first)
        second.listen()
        assert handover.has_successor(first)
        second.close()
        assert not handover.has_successor(first)
    finally:
        first.close()
    with socket.create_server(("127.0.0.1", port)), pytest.raises(Conflict, match="TALKTIME_PORT"):
        handover.take_door(Settings(port=port))


def test_a_door_that_systemd_holds_is_taken_from_it_and_kept_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        # As systemd does it: the socket is number 3, and who it is for is said by process id.
        code = (
            "import os, socket; from talktime.cli import handover; from talktime.settings import Settings;"
            "os.environ['LISTEN_PID'] = str(os.getpid());"
            "found = handover.take_door(Settings(port=1));"
            "print(found.getsockname()[1], found.fileno(), os.environ.get('LISTEN_FDS'), handover._is_ours(found))"
        )
        done = subprocess.run(
            [sys.executable, "-c", f"import os; os.dup2({door.fileno()}, 3); {code}"],
            pass_fds=[door.fileno()],
            env={**os.environ, "LISTEN_FDS": "1"},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.stdout.split() == [str(door.getsockname()[1]), "3", "None", "False"], done.stderr
