"""What waits is counted, with its age."""

import dataclasses

from sqlalchemy import text

from talktime.alerts.backlog import backlog
from talktime.db.session import Database
from tests.people import WHY

_JOB = text(
    "INSERT INTO procrastinate_jobs (queue_name, task_name, status, scheduled_at) VALUES"
    " ('default', 'x', CAST(:status AS procrastinate_job_status), now() + CAST(CAST(:later AS text) AS interval))"
)
_EVENT = text(
    "INSERT INTO provider_events (id, provider, account, event_id, kind, body, received_at, gave_up_at) VALUES"
    " (gen_random_uuid(), 'x', 'x', CAST(:age AS text), 'x', '', now() - CAST(CAST(:age AS text) AS interval),"
    " CASE WHEN :given_up THEN now() END)"
)


async def test_nothing_waits_where_nothing_happens(empty_database: Database) -> None:
    async with empty_database.transaction(everyone=WHY) as db:
        assert set(dataclasses.asdict(await backlog(db)).values()) == {0}


async def test_what_waits_is_counted_with_its_age(empty_database: Database) -> None:
    async with empty_database.transaction(everyone=WHY) as db:
        for status, later in (("todo", None), ("todo", "1 hour"), ("todo", "-1 minute"), ("failed", None)):
            await db.execute(_JOB, {"status": status, "later": later})
        await db.execute(text("UPDATE procrastinate_events SET at = now() - interval '90 seconds'"))
        for age, given_up in (("2 minutes", False), ("1 hour", True)):
            await db.execute(_EVENT, {"age": age, "given_up": given_up})
        found = await backlog(db)
    assert (found.jobs_waiting, found.jobs_later, found.jobs_failed, found.jobs_doing) == (2, 1, 1, 0)
    assert found.jobs_oldest_seconds == 90
    assert (found.events_waiting, found.events_given_up, found.events_oldest_seconds) == (1, 1, 120)
