"""The inbox: what fails is tried again, what came too early waits, and nothing is dropped in silence."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from talktime import inbox
from talktime.alerts import Alert
from talktime.db.session import Database
from talktime.inbox import Incoming, NotYet, ProviderEvent
from tests.people import WHY


class Handlers:
    """Handles one kind of event, as it is told to."""

    def __init__(self) -> None:
        self.kind = f"test.{uuid.uuid4().hex}"
        self.error: Exception | None = None
        self.seen = 0

    async def handle(self, db: AsyncSession, event: ProviderEvent) -> str:
        self.seen += 1
        if self.error is not None:
            raise self.error
        return "handled"

    async def drain(self, database: Database) -> int:
        return await inbox.drain(database, {self.kind: self.handle})


@pytest.fixture
def handlers() -> Handlers:
    return Handlers()


async def arrive(database: Database, kind: str, event_id: str = "one") -> bool:
    async with database.transaction(everyone=WHY) as db:
        return await inbox.store(db, Incoming("test", kind, event_id, kind, b"{}", {}))


async def event_of(database: Database, kind: str) -> ProviderEvent:
    async with database.transaction(everyone=WHY) as db:
        return (await db.execute(select(ProviderEvent).where(ProviderEvent.kind == kind))).scalar_one()


async def make_due(database: Database, kind: str, *, age: timedelta = timedelta(0)) -> None:
    """As if the time to wait was over, and the event so old."""
    now = datetime.now(UTC)
    async with database.transaction(everyone=WHY) as db:
        await db.execute(
            update(ProviderEvent)
            .where(ProviderEvent.kind == kind)
            .values(not_before=now - timedelta(seconds=1), received_at=now - age)
        )


async def alerts_about(database: Database, event: ProviderEvent) -> list[str]:
    async with database.transaction(everyone=WHY) as db:
        return list(await db.scalars(select(Alert.kind).where(Alert.detail["event_id"].astext == str(event.id))))


async def test_an_event_is_stored_and_handled_once(database: Database, handlers: Handlers) -> None:
    assert [await arrive(database, handlers.kind) for _ in range(3)] == [True, False, False]
    assert [await handlers.drain(database) for _ in range(2)] == [1, 0]
    assert (await event_of(database, handlers.kind)).verdict == "handled"


async def test_what_fails_is_tried_ten_times_and_then_put_before_the_operator(
    database: Database, handlers: Handlers
) -> None:
    await arrive(database, handlers.kind)
    handlers.error = RuntimeError("broken\0")
    for tries in range(1, 11):
        assert await handlers.drain(database) == 0
        event = await event_of(database, handlers.kind)
        assert event.tries == tries
        assert event.not_before > datetime.now(UTC) + timedelta(seconds=2**tries - 2)
        assert (event.gave_up_at is not None) == (tries == 10)
        await make_due(database, handlers.kind)
    await handlers.drain(database)
    assert handlers.seen == 10
    assert event.error == "RuntimeError"
    assert await alerts_about(database, event) == ["event_failed"]


async def test_what_was_given_up_can_be_handled_again(database: Database, handlers: Handlers) -> None:
    await arrive(database, handlers.kind)
    handlers.error = RuntimeError("broken")
    for _ in range(10):
        await handlers.drain(database)
        await make_due(database, handlers.kind)
    event = await event_of(database, handlers.kind)
    handlers.error = None
    assert await handlers.drain(database) == 0
    async with database.transaction(everyone=WHY) as db:
        assert await inbox.again(db, event.id)
        assert not await inbox.again(db, event.id)
    assert await handlers.drain(database) == 1


async def test_what_came_too_early_waits_for_a_week_and_counts_no_tries(database: Database, handlers: Handlers) -> None:
    await arrive(database, handlers.kind)
    handlers.error = NotYet("payment pi_1")
    waits = []
    for age in (timedelta(0), timedelta(minutes=10), timedelta(days=1), timedelta(days=6, hours=23)):
        await make_due(database, handlers.kind, age=age)
        await handlers.drain(database)
        event = await event_of(database, handlers.kind)
        assert (event.tries, event.gave_up_at, event.waits_for) == (0, None, "payment pi_1")
        waits.append(round((event.not_before - datetime.now(UTC)).total_seconds(), -1))
    assert waits == [0, 150, 600, 600]
    await make_due(database, handlers.kind, age=timedelta(days=7))
    await handlers.drain(database)
    event = await event_of(database, handlers.kind)
    assert event.gave_up_at is not None
    assert await alerts_about(database, event) == ["event_failed"]


async def test_what_waits_is_woken_by_what_it_waits_for_and_by_nothing_else(
    database: Database, handlers: Handlers
) -> None:
    await arrive(database, handlers.kind)
    await make_due(database, handlers.kind, age=timedelta(hours=1))
    handlers.error = NotYet(handlers.kind)
    await handlers.drain(database)
    handlers.error = None
    for provider, waits_for, handled in (("test", "other", 0), ("other", handlers.kind, 0), ("test", handlers.kind, 1)):
        async with database.transaction(everyone=WHY) as db:
            await inbox.wake(db, provider, waits_for)
        assert await handlers.drain(database) == handled


async def test_a_kind_that_nobody_here_handles_is_left_for_who_does(database: Database, handlers: Handlers) -> None:
    await arrive(database, handlers.kind)
    assert await inbox.drain(database, {f"{handlers.kind}.other": handlers.handle}) == 0
    event = await event_of(database, handlers.kind)
    assert (event.tries, event.error) == (0, None)


async def test_one_that_fails_spoils_no_other(database: Database, handlers: Handlers) -> None:
    for name in ("bad", "good"):
        await arrive(database, handlers.kind, name)

    async def handle(db: AsyncSession, event: ProviderEvent) -> str:
        if event.event_id == "bad":
            raise ValueError
        return "handled"

    assert await inbox.drain(database, {handlers.kind: handle}) == 1
