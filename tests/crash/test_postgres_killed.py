"""SIGKILL of PostgreSQL in the middle of the work: the postmaster and every process of its server, twice.

A dozen clients go on with the same references and numbers, as a client must that got no answer. What anybody had been
answered is in the books, and nothing is there twice.
"""

import asyncio
import contextlib
import os
import signal
import uuid
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from talktime.calls import lifecycle
from talktime.carriers.contract import Ring
from talktime.cli.running import DATABASE_NAME
from talktime.credits import batches, ledger, money
from talktime.credits.batches import Adjustment
from talktime.credits.pricing import Rate
from talktime.db import embedded
from talktime.db.base import new_id
from talktime.db.session import Database, connect
from talktime.db.territory import instance_folder
from tests.crash.exact import assert_books_are_exact
from tests.crash.switchboard import new_sid
from tests.people import WHY, Person, new_person
from tests.schema import deploy

IS_LONG = bool(os.environ.get("TALKTIME_TEST_LONG"))
ROUNDS = 8 if IS_LONG else 1
KILLS = 2
LOAD_SECONDS = 1.0
"""Before each kill, and after the last."""
RATE = Rate(60, initial_seconds=1, increment_seconds=1)
START_CREDITS = 10_000_000
TALK_SECONDS = 95
PACK_CREDITS = 700
BACK_SECONDS_MAX = 20.0
Answer = TypeVar("Answer")


@dataclass
class Office:
    """Who works while the server dies, and for whom."""

    database: Database
    people: list[Person]
    operator: uuid.UUID
    is_over: bool = False
    lost_answers: int = 0


@dataclass
class Client(ABC):
    """One who does a piece of work after another, and does not give up on any."""

    office: Office
    number: int
    done: list[Any] = field(default_factory=list)
    """What each piece was answered, in order."""
    earned: dict[uuid.UUID, int] = field(default_factory=dict)
    """What the work must have changed in whose balance."""

    @property
    def person(self) -> Person:
        return self.office.people[self.number % len(self.office.people)]

    async def work(self) -> None:
        while not self.office.is_over:
            await self.piece(len(self.done))

    @abstractmethod
    async def piece(self, number: int) -> None:
        """Do one and note its answer."""

    def earn(self, person: Person, credits: int) -> None:
        self.earned[person.id] = self.earned.get(person.id, 0) + credits

    async def insist(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """Ask until there is an answer."""
        async with asyncio.timeout(60):
            while True:
                try:
                    return await ask()
                except (SQLAlchemyError, OSError):
                    self.office.lost_answers += 1
                    await asyncio.sleep(0.05)

    @abstractmethod
    async def look(self) -> None:
        """Find in the books what was answered."""


class Poster(Client):
    """Gives and takes credits, one after the other."""

    async def piece(self, number: int) -> None:
        amount = 7 if number % 3 else -5

        async def post() -> money.Posting:
            async with self.office.database.transaction(everyone=WHY) as db:
                return await money.adjust(
                    db,
                    self.person.id,
                    reference=f"{self.number}:{number}",
                    amount=amount,
                    reason="work",
                    actor=self.office.operator,
                )

        posting = await self.insist(post)
        assert posting.amount == amount
        self.done.append((posting.seq, amount, posting.balance_after, f"{self.number}:{number}"))
        self.earn(self.person, amount)

    async def look(self) -> None:
        found = await lines(self.office.database, self.person, f"{self.number}:%")
        assert found == sorted(self.done)


class Batcher(Client):
    """Posts for everybody at once."""

    async def piece(self, number: int) -> None:
        items = [
            Adjustment(person.id, f"{self.number}:{number}:{place}", 1 + place, "work")
            for person in self.office.people
            for place in range(3)
        ]

        async def post() -> list[batches.Posted]:
            async with self.office.database.transaction(everyone=WHY) as db:
                return await batches.post_many(db, items, self.office.operator)

        for posted in await self.insist(post):
            self.done.append((posted.user_id, posted.seq, posted.amount, posted.balance_after, posted.reference))
        for person in self.office.people:
            self.earn(person, 1 + 2 + 3)

    async def look(self) -> None:
        for person in self.office.people:
            mine = sorted(answer[1:] for answer in self.done if answer[0] == person.id)
            assert await lines(self.office.database, person, f"{self.number}:%") == mine


class Buyer(Client):
    """Buys a pack after another: the purchase is written and granted in one transaction."""

    async def piece(self, number: int) -> None:
        purchase = new_id()

        async def buy() -> money.Posting:
            async with self.office.database.transaction(everyone=WHY) as db:
                await db.execute(
                    text(
                        "INSERT INTO purchases (user_id, id, credits, price_minor, currency, gateway, state)"
                        " VALUES (:user, :id, :credits, 900, 'EUR', 'test', 'PAID') ON CONFLICT DO NOTHING"
                    ),
                    {"user": self.person.id, "id": purchase, "credits": PACK_CREDITS},
                )
                return await money.purchase(db, self.person.id, purchase)

        posting = await self.insist(buy)
        self.done.append((posting.seq, posting.amount, posting.balance_after, purchase))
        self.earn(self.person, PACK_CREDITS)

    async def look(self) -> None:
        async with self.office.database.transaction(user=self.person.id) as db:
            for seq, amount, balance, purchase in self.done:
                found = await db.execute(
                    text(
                        "SELECT seq, amount, balance_after FROM credit_transactions"
                        " WHERE purchase_id = :purchase AND type = 'PURCHASE'"
                    ),
                    {"purchase": purchase},
                )
                assert [tuple(row) for row in found] == [(seq, amount, balance)]


class Caller(Client):
    """Carries calls, one after the other, from the ring to the receipt."""

    async def piece(self, number: int) -> None:
        database, user, owner, sid = self.office.database, self.person.id, f"client {self.number}", new_sid()

        async def ring() -> lifecycle.Decision:
            async with database.transaction(everyone=lifecycle.RING_WHY) as db:
                return await lifecycle.ring(db, "simulated", Ring("AC", sid, "", self.person.number))

        decision = await self.insist(ring)
        call = decision.call_id
        assert call is not None, decision

        async def answer() -> None:
            async with database.transaction(user=user) as db:
                # None when the answer of before was lost on its way; the hold is ours all the same.
                await lifecycle.answer(db, user, call, owner)

        await self.insist(answer)
        extension = await self.insist(lambda: ledger.extend(database, user, call, owner, 1))
        assert extension.granted_seconds == 120, extension
        finished = await self.insist(
            lambda: lifecycle.finish(database, user, call, seconds=TALK_SECONDS, reason="caller_hung_up")
        )
        assert (finished.charged, finished.unbilled) == (RATE.cost(TALK_SECONDS), 0), finished
        self.done.append(call)
        self.earn(self.person, -finished.charged)

    async def look(self) -> None:
        async with self.office.database.transaction(user=self.person.id) as db:
            rows = await db.execute(
                text(
                    "SELECT c.status, h.state, h.charged, -sum(t.amount), count(*) FROM calls c"
                    " JOIN credit_holds h ON h.user_id = c.user_id AND h.call_id = c.id"
                    " JOIN credit_transactions t ON t.user_id = c.user_id AND t.call_id = c.id"
                    " WHERE c.id = ANY (:calls) GROUP BY c.id, c.status, h.state, h.charged"
                ),
                {"calls": self.done},
            )
            found = [tuple(row) for row in rows]
        cost = RATE.cost(TALK_SECONDS)
        assert found == [("COMPLETED", "SETTLED", cost, cost, 1)] * len(self.done)


async def lines(database: Database, person: Person, pattern: str) -> list[tuple[object, ...]]:
    async with database.transaction(user=person.id) as db:
        rows = await db.execute(
            text(
                "SELECT seq, amount, balance_after, reference FROM credit_transactions"
                " WHERE reference LIKE :pattern ORDER BY seq"
            ),
            {"pattern": pattern},
        )
        return [tuple(row) for row in rows]


STAFF: tuple[type[Client], ...] = (Poster, Caller, Poster, Caller, Buyer, Batcher) * 2


def processes_of(home: Path) -> list[int]:
    """The postmaster of this home, and its children: nobody else's."""
    postmaster = int((instance_folder(home) / "data" / "postmaster.pid").read_text().split("\n", 1)[0])
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    return [postmaster, *map(int, children)]


def kill_server(home: Path) -> None:
    """SIGKILL, the postmaster first, so that it can neither clean up nor tell anybody."""
    for process in processes_of(home):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


@contextlib.asynccontextmanager
async def server_of(home: Path) -> AsyncIterator[str]:
    """A server that writes to the disk as carefully as the product's does; its address."""
    server = await asyncio.to_thread(embedded.acquire, home)
    try:
        await asyncio.to_thread(embedded.ensure_database, server, DATABASE_NAME)
        await asyncio.to_thread(deploy, server.url(DATABASE_NAME))
        yield server.url(DATABASE_NAME)
    finally:
        await asyncio.to_thread(server.stop)
        await asyncio.to_thread(embedded.discard, home)


@contextlib.asynccontextmanager
async def opened(url: str) -> AsyncIterator[Office]:
    """An office with new customers, for as long as the block."""
    database = connect(url, connections_max=len(STAFF))
    people = [await new_person(database, "Alice", credits=START_CREDITS, rate=RATE) for _ in range(4)]
    ada = await new_person(database, "Ada", credits=0, admin=True)
    try:
        yield Office(database, people, ada.id)
    finally:
        await database.close()


async def killed_and_started_again(home: Path, clients: list[Client]) -> None:
    """One death in mid-work; comes back when everybody works again."""
    await asyncio.sleep(LOAD_SECONDS)
    kill_server(home)
    before = [len(client.done) for client in clients]
    share = await asyncio.to_thread(embedded.acquire, home)
    try:
        async with asyncio.timeout(BACK_SECONDS_MAX):
            # Two more pieces: the first may have been answered before the kill.
            while not all(len(client.done) >= done + 2 for client, done in zip(clients, before, strict=True)):
                await asyncio.sleep(0.05)
    finally:
        await asyncio.to_thread(share.stop)


async def assert_nothing_lost_or_doubled(office: Office, clients: list[Client]) -> None:
    for client in clients:
        await client.look()
    for person in office.people:
        earned = sum(client.earned.get(person.id, 0) for client in clients)
        async with office.database.transaction(user=person.id) as db:
            account = (await db.execute(text("SELECT balance, held, open_calls FROM credit_accounts"))).one()
        assert tuple(account) == (START_CREDITS + earned, 0, 0)
    await assert_books_are_exact(office.database)


@pytest.mark.xdist_group("kill")
async def test_postgresql_killed_twice_in_mid_work_loses_and_doubles_nothing(tmp_path: Path) -> None:
    async with server_of(tmp_path) as url:
        for _ in range(ROUNDS):
            async with opened(url) as office:
                await one_round(tmp_path, office)


async def one_round(home: Path, office: Office) -> None:
    """Let everybody work while the server dies and comes back, and look at the books."""
    clients = [kind(office, number) for number, kind in enumerate(STAFF)]
    working = [asyncio.create_task(client.work()) for client in clients]
    try:
        for _ in range(KILLS):
            await killed_and_started_again(home, clients)
        await asyncio.sleep(LOAD_SECONDS)
    finally:
        office.is_over = True
        await asyncio.gather(*working)
    assert office.lost_answers >= KILLS
    await assert_nothing_lost_or_doubled(office, clients)
