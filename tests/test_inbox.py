"""Turns at the inbox: what can be handled together is, one that fails spoils no other, and any number of workers at
once handle everything once. (What waits, is tried again and given up: tests/payments/test_inbox.py.)
"""

import asyncio
import contextlib
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from talktime import inbox
from talktime.db.session import Database
from talktime.inbox import Incoming, ProviderEvent
from tests.people import WHY


class Desk:
    """Handles events of a kind of its own, and counts what was committed of it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.kind = f"test.{uuid.uuid4().hex}"
        self.alone: Counter[str] = Counter()
        self.at_once: list[int] = []
        self.clear = frozenset("abcdefghijklmnopqrstuvwxyz")
        """Events whose names end so can be handled together."""
        self.broken: frozenset[str] = frozenset()

    async def arrive(self, *names: str) -> None:
        async with self.database.transaction(everyone=WHY) as db:
            for name in names:
                assert await inbox.store(db, self.event(name))

    def event(self, name: str) -> Incoming:
        return Incoming("test", self.kind, name, self.kind, b"{}", {"user-agent": "test", "cookie": "secret"})

    async def turn(self) -> inbox.Turn:
        return await inbox.turn(self.database, {self.kind: self.handle}, {self.kind: self.handle_together})

    async def handle(self, db: AsyncSession, event: ProviderEvent) -> str:
        if event.event_id in self.broken:
            raise ValueError(event.event_id)
        self.alone[event.event_id] += 1
        return "alone"

    async def handle_together(self, db: AsyncSession, events: Sequence[ProviderEvent]) -> Mapping[uuid.UUID, str]:
        self.at_once.append(len(events))
        if any(event.event_id == "poison" for event in events):
            raise RuntimeError
        return {event.id: "together" for event in events if event.event_id[-1] in self.clear}

    async def verdicts(self) -> dict[str, str | None]:
        query = text("SELECT event_id, verdict FROM provider_events WHERE kind = :kind")
        async with self.database.transaction(everyone=WHY) as db:
            return {row.event_id: row.verdict for row in await db.execute(query, {"kind": self.kind})}


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database)


async def test_what_can_be_is_handled_together_and_the_rest_alone(desk: Desk) -> None:
    await desk.arrive("1a", "2b", "3", "4d")
    assert await desk.turn() == inbox.Turn(taken=4, handled=4)
    assert await desk.verdicts() == {"1a": "together", "2b": "together", "3": "alone", "4d": "together"}
    assert desk.at_once == [4]
    assert await desk.turn() == inbox.Turn(taken=0, handled=0)


async def test_what_cannot_be_handled_together_is_handled_alone_and_nothing_twice(desk: Desk) -> None:
    await desk.arrive("1a", "poison", "2b")
    assert (await desk.turn()).handled == 3
    assert desk.alone == {"1a": 1, "poison": 1, "2b": 1}


async def test_one_that_fails_spoils_neither_those_together_nor_those_alone(desk: Desk) -> None:
    desk.broken = frozenset({"2"})
    await desk.arrive("1a", "2", "3")
    assert await desk.turn() == inbox.Turn(taken=3, handled=2)
    assert await desk.verdicts() == {"1a": "together", "2": None, "3": "alone"}
    assert (await desk.turn()).taken == 0  # it is tried again later, not at once


async def test_a_turn_takes_a_hundred_and_says_that_there_may_be_more(desk: Desk) -> None:
    await desk.arrive(*(f"{number}a" for number in range(130)))
    first, second, third = [await desk.turn() for _ in range(3)]
    assert [(turn.taken, turn.is_full) for turn in (first, second, third)] == [(100, True), (30, False), (0, False)]


async def test_eight_workers_at_once_handle_everything_once(desk: Desk) -> None:
    desk.clear = frozenset("0123")
    await desk.arrive(*(str(number) for number in range(400)))

    async def work() -> int:
        handled = 0
        for _ in range(30):
            handled += (await desk.turn()).handled
        return handled

    assert sum(await asyncio.gather(*(work() for _ in range(8)))) == 400
    verdicts = await desk.verdicts()
    assert Counter(verdicts.values()) == {"together": 160, "alone": 240}
    assert set(desk.alone.values()) == {1}


async def test_who_dies_in_the_middle_of_a_turn_leaves_everything_to_the_next(desk: Desk) -> None:
    await desk.arrive("1a", "2b")

    async def die(db: AsyncSession, events: Sequence[ProviderEvent]) -> Mapping[uuid.UUID, str]:
        raise asyncio.CancelledError

    with contextlib.suppress(asyncio.CancelledError):
        await inbox.turn(desk.database, {desk.kind: desk.handle}, {desk.kind: die})
    assert await desk.verdicts() == {"1a": None, "2b": None}
    assert (await desk.turn()).handled == 2


async def jobs_waiting(database: Database) -> int:
    async with database.transaction(everyone=WHY) as db:
        found = await db.scalar(
            text("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'inbox.drain' AND status = 'todo'")
        )
        return int(found or 0)


async def test_what_is_accepted_is_stored_once_and_asks_for_one_job(empty_database: Database) -> None:
    desk = Desk(empty_database)
    assert await inbox.accept(empty_database, desk.event("one"))
    assert not await inbox.accept(empty_database, desk.event("one"))
    assert await jobs_waiting(empty_database) == 1
    accepted = await asyncio.gather(*(inbox.accept(empty_database, desk.event(f"{n % 20}a")) for n in range(60)))
    assert sum(accepted) == 20
    assert await jobs_waiting(empty_database) == 1
    async with empty_database.transaction(everyone=WHY) as db:
        # What is kept of the headers is an allow-list.
        assert (await db.scalars(text("SELECT DISTINCT headers::text FROM provider_events"))).all() == [
            '{"user-agent": "test"}'
        ]
        # A job that somebody is at may have looked already: the next event asks again.
        await db.execute(text("UPDATE procrastinate_jobs SET status = 'doing'"))
    assert await inbox.accept(empty_database, desk.event("two"))
    assert await jobs_waiting(empty_database) == 1


async def test_twenty_that_ask_at_once_where_nobody_has_asked_get_one_job(empty_database: Database) -> None:
    desk = Desk(empty_database)
    await asyncio.gather(*(inbox.accept(empty_database, desk.event(str(n))) for n in range(20)))
    assert await jobs_waiting(empty_database) == 1
    assert len(await desk.verdicts()) == 20


async def test_what_went_wrong_is_kept_without_the_people_in_it(desk: Desk) -> None:
    async def unique(db: AsyncSession, _event: ProviderEvent) -> str:
        for _ in range(2):
            await db.execute(
                text("INSERT INTO users (id, email, name) VALUES (gen_random_uuid(), :email, 'Karl')"), KARL
            )
        return "never"

    async def words(_db: AsyncSession, _event: ProviderEvent) -> str:
        return str(int(KARL["email"]))

    for handle in (unique, words):
        await desk.arrive(handle.__name__)
        for _ in range(10):
            await inbox.turn(desk.database, {desk.kind: handle})
            async with desk.database.transaction(everyone=WHY) as db:
                await db.execute(
                    text("UPDATE provider_events SET not_before = now() WHERE kind = :kind"), {"kind": desk.kind}
                )
    async with desk.database.transaction(everyone=WHY) as db:
        query = text(
            "SELECT error FROM provider_events WHERE kind = :kind AND gave_up_at IS NOT NULL ORDER BY event_id"
        )
        errors = list(await db.scalars(query, {"kind": desk.kind}))
        told = await db.scalar(text("SELECT string_agg(detail::text, '') FROM alerts WHERE kind = 'event_failed'"))
    assert errors == ["psycopg.errors.UniqueViolation (23505, uq_users_email_lower)", "ValueError"]
    assert "karl" not in told


KARL = {"email": "karl.meier@example.org"}
