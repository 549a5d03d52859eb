"""The queue as the operator sees it: in which state each job is, how its last try failed, and having one done again."""

import asyncio
import uuid
from collections.abc import Callable

import pytest
from sqlalchemy import select, text

from talktime.accounts.models import AuditEntry
from talktime.alerts import queue
from talktime.alerts.queue import JobState, NotFailed, WaitsAlready
from talktime.db.session import Database, connect
from talktime.errors import NotFound, ProviderError
from talktime.jobs import JobRun, Jobs, forget_runs
from tests.people import WHY, Person, new_person

SECRET = "sk_live_somebody's"


@pytest.fixture
async def ada(empty_database: Database) -> Person:
    return await new_person(empty_database, "Ada", credits=0, admin=True)


async def add(
    database: Database, name: str, status: str, *, lock: str | None = None, later: bool = False, tries: int = 0
) -> int:
    async with database.transaction(everyone=WHY) as db:
        added: int = await db.scalar(
            text(
                "INSERT INTO procrastinate_jobs (queue_name, task_name, status, queueing_lock, attempts, scheduled_at)"
                " VALUES ('default', :name, CAST(:status AS procrastinate_job_status), :lock, :tries,"
                " CASE WHEN :later THEN now() + interval '1 hour' END) RETURNING id"
            ),
            {"name": name, "status": status, "lock": lock, "later": later, "tries": tries},
        )
    return added


async def listed(database: Database, state: JobState) -> list[str]:
    async with database.transaction(everyone=queue.WHY) as db:
        return [job.name for job in await queue.page(db, state)]


async def test_each_job_is_listed_in_its_state_the_newest_first(empty_database: Database) -> None:
    for name, status, later in (
        ("a.todo", "todo", False), ("b.todo", "todo", False), ("c.later", "todo", True), ("d.doing", "doing", False),
        ("e.failed", "failed", False), ("f.done", "succeeded", False),
    ):  # fmt: skip
        await add(empty_database, name, status, later=later)
    assert await listed(empty_database, JobState.WAITING) == ["b.todo", "a.todo"]
    assert await listed(empty_database, JobState.LATER) == ["c.later"]
    assert await listed(empty_database, JobState.RUNNING) == ["d.doing"]
    assert await listed(empty_database, JobState.FAILED) == ["e.failed"]
    assert await listed(empty_database, JobState.DONE) == []
    async with empty_database.transaction(everyone=queue.WHY) as db:
        counts = await queue.counts(db)
        first = await queue.page(db, JobState.WAITING, limit=1)
        rest = await queue.page(db, JobState.WAITING, limit=1, before=first[0].id)
    assert [counts[state] for state in JobState] == [2, 1, 1, 1, 0]
    assert [job.name for job in [*first, *rest]] == ["b.todo", "a.todo"]
    assert first[0].changed_at is not None


async def test_a_job_that_was_given_up_is_done_again_and_that_is_in_the_audit_log(
    empty_database: Database, ada: Person
) -> None:
    failed = await add(empty_database, "calls.hang_up", "failed", tries=8)
    async with empty_database.transaction(everyone=queue.WHY) as db:
        again = await queue.do_again(db, failed, ada.id)
    assert (again.id, again.state, again.tries) == (failed, JobState.WAITING, 0)
    async with empty_database.transaction(everyone=queue.WHY) as db:
        entry = (await db.scalars(select(AuditEntry).where(AuditEntry.act == "job.done_again"))).one()
        assert (entry.user_id, entry.actor_id) == (ada.id, ada.id)
        assert entry.after == {"job": failed, "task": "calls.hang_up"}
        with pytest.raises(NotFailed):
            await queue.do_again(db, failed, ada.id)
        with pytest.raises(NotFound):
            await queue.do_again(db, 2**40, ada.id)


async def test_two_who_press_at_once_have_it_done_once(empty_database: Database, ada: Person) -> None:
    failed = await add(empty_database, "calls.hang_up", "failed")

    async def press() -> str:
        try:
            async with empty_database.transaction(everyone=queue.WHY) as db:
                await queue.do_again(db, failed, ada.id)
        except NotFailed:
            return "late"
        return "first"

    assert sorted(await asyncio.gather(press(), press(), press())) == ["first", "late", "late"]


async def test_a_job_of_which_another_waits_already_is_left_and_the_transaction_goes_on(
    empty_database: Database, ada: Person
) -> None:
    failed = await add(empty_database, "inbox.drain", "failed", lock="inbox.drain")
    await add(empty_database, "inbox.drain", "todo", lock="inbox.drain")
    async with empty_database.transaction(everyone=queue.WHY) as db:
        with pytest.raises(WaitsAlready):
            await queue.do_again(db, failed, ada.id)
        assert [job.id for job in await queue.page(db, JobState.FAILED)] == [failed]


async def test_of_a_failure_its_kind_and_place_are_kept_and_of_the_clocks_jobs_that_they_were_done(
    new_database_url: Callable[[], str],
) -> None:
    url = new_database_url()
    database, jobs = connect(url), Jobs(url)
    ada = await new_person(database, "Ada", credits=0, admin=True)
    tried: list[uuid.UUID] = []

    async def fail() -> None:
        tried.append(uuid.uuid4())
        if len(tried) == 1:
            async with database.transaction(everyone=queue.WHY) as db:
                await queue.do_again(db, 2**40, ada.id)  # an error of our own code
        raise ProviderError(SECRET, permanent=True)

    async def go_round() -> None:
        """A round."""

    jobs.handle("test.fails", fail)
    jobs.handle_regularly("0 0 1 1 *", "test.round", go_round)
    async with database.transaction(everyone=WHY) as db:
        await jobs.enqueue(db, "test.fails")
        await jobs.enqueue(db, "test.round", timestamp=0)
    working = asyncio.create_task(jobs.work())
    try:
        async with asyncio.timeout(30):
            while "test.fails" not in await listed(database, JobState.FAILED):
                if len(tried) == 1:
                    async with database.transaction(everyone=queue.WHY) as db:
                        error = await db.scalar(select(JobRun.error).where(JobRun.name == "test.fails"))
                    assert error is None or error.startswith("NotFound in alerts/queue.py:")
                await asyncio.sleep(0.05)
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    async with database.transaction(everyone=queue.WHY) as db:
        (failed,) = await queue.page(db, JobState.FAILED)
        (done,) = await queue.page(db, JobState.DONE)
        assert failed.error == "ProviderError"
        assert SECRET not in repr(failed)
        assert (done.name, done.error, done.tries) == ("test.round", None, 1)
        assert await forget_runs(db) == 0
        await db.execute(text("UPDATE job_runs SET ended_at = now() - interval '8 days'"))
        assert await forget_runs(db) == 2
    await database.close()
