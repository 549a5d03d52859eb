"""What a worker does by itself: it says what is wrong, once, to the operator."""

import asyncio
from collections.abc import Callable

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from talktime import inbox, rounds
from talktime.alerts import open_alerts
from talktime.db.session import Database, connect
from talktime.jobs import Jobs
from tests.people import WHY, new_person


async def as_owner(db: AsyncSession) -> None:
    await db.execute(text("RESET ROLE"))
    await db.execute(text("SET LOCAL ROLE talktime_owner"))


async def alerts_of(database: Database, kind: str) -> list[dict[str, object]]:
    async with database.transaction(everyone=WHY) as db:
        return [dict(alert.detail) | {"user": alert.user_id} for alert in await open_alerts(db) if alert.kind == kind]


async def test_books_that_are_right_raise_nothing(empty_database: Database) -> None:
    await new_person(empty_database, "Alice", credits=100)
    assert await rounds.prove(empty_database, full=False) == 0
    assert await rounds.prove(empty_database, full=True) == 0
    assert await alerts_of(empty_database, "ledger_wrong") == []


async def test_a_wrong_book_is_an_alert_that_names_whose_it_is_and_comes_once(empty_database: Database) -> None:
    alice = await new_person(empty_database, "Alice", credits=100)
    await new_person(empty_database, "Bob", credits=100)
    async with empty_database.transaction(everyone=WHY) as db:
        await as_owner(db)
        await db.execute(text("ALTER TABLE credit_transactions DISABLE TRIGGER USER"))
        await db.execute(text("UPDATE credit_transactions SET reason = 'other' WHERE user_id = :u"), {"u": alice.id})
        await db.execute(text("ALTER TABLE credit_transactions ENABLE TRIGGER USER"))
    assert await rounds.prove(empty_database, full=True) > 0
    found = await alerts_of(empty_database, "ledger_wrong")
    assert {alert["user"] for alert in found} == {alice.id}
    await rounds.prove(empty_database, full=True)
    assert len(await alerts_of(empty_database, "ledger_wrong")) == len(found)


async def test_a_job_that_failed_to_the_end_is_an_alert_once_however_many_look(empty_database: Database) -> None:
    async with empty_database.transaction(everyone=WHY) as db:
        await db.execute(
            text(
                "INSERT INTO procrastinate_jobs (queue_name, task_name, status) VALUES"
                " ('default', 'calls.hang_up', 'failed'), ('default', 'inbox.drain', 'todo')"
            )
        )
    for _ in range(3):
        await asyncio.gather(*(rounds.note_failed_jobs(empty_database) for _ in range(4)))
    found = await alerts_of(empty_database, "job_failed")
    assert [alert["task"] for alert in found] == ["calls.hang_up"]


async def test_a_round_that_fails_goes_on_with_the_next() -> None:
    tries = 0
    done = asyncio.Event()

    async def step() -> None:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise ConnectionRefusedError
        done.set()

    going = asyncio.create_task(rounds.every(0.001, "test", step))
    async with asyncio.timeout(5):
        await done.wait()
    going.cancel()
    await asyncio.gather(going, return_exceptions=True)


async def test_the_job_that_comes_by_the_clock_proves_the_books(new_database_url: Callable[[], str]) -> None:
    url = new_database_url()
    database, jobs = connect(url), Jobs(url)
    alice = await new_person(database, "Alice", credits=100)
    rounds.prove_regularly(jobs, database)
    async with database.transaction(everyone=WHY) as db:
        await as_owner(db)
        await db.execute(text("UPDATE credit_accounts SET balance = balance + 1 WHERE user_id = :u"), {"u": alice.id})
    async with database.transaction(everyone=WHY) as db:
        await jobs.enqueue(db, rounds.VERIFY_JOB, timestamp=0)
    working = asyncio.create_task(jobs.work())
    async with asyncio.timeout(30):
        while not await alerts_of(database, "ledger_wrong"):
            await asyncio.sleep(0.05)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    await database.close()


async def test_what_was_handled_a_month_ago_is_forgotten_and_nothing_else(empty_database: Database) -> None:
    async with empty_database.transaction(everyone=WHY) as db:
        await db.execute(
            text(
                "INSERT INTO provider_events (id, provider, account, event_id, kind, body, received_at, handled_at)"
                " SELECT gen_random_uuid(), 'x', 'x', d || ' ' || h, 'x', '', now() - d * interval '1 day',"
                " CASE WHEN h THEN now() - d * interval '1 day' END"
                " FROM unnest(ARRAY[1, 29, 31, 400]) d CROSS JOIN unnest(ARRAY[true, false]) h"
            )
        )
    assert await inbox.prune(empty_database) == 2
    assert await inbox.prune(empty_database) == 0
    async with empty_database.transaction(everyone=WHY) as db:
        left = await db.scalars(text("SELECT event_id FROM provider_events ORDER BY event_id"))
        assert list(left) == ["1 false", "1 true", "29 false", "29 true", "31 false", "400 false"]
