"""The job queue as the operator sees it: what waits, runs, was given up, was done; and having one done again.

The rule: what a job was given is not shown, and why it failed only as the kind of error and its place: the words of an
error may hold anything. A try that somebody asked for by hand is in the audit log.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts import audit
from talktime.errors import Conflict, NotFound

WHY = "the operator looks at jobs, whoever they are for"


class NotFailed(Conflict):
    """This job was not given up: it waits, runs, or is done already."""


class WaitsAlready(Conflict):
    """Another job of this kind waits already, and will do the same."""


class JobState(StrEnum):
    """How a job stands."""

    WAITING = "waiting"
    """It could be done now."""
    LATER = "later"
    """It waits for its time, or for another try."""
    RUNNING = "running"
    FAILED = "failed"
    """It was tried as often as it may be."""
    DONE = "done"
    """Lately; only of those that come by the clock: the others leave nothing behind."""


@dataclass(frozen=True, slots=True)
class QueuedJob:
    """One job."""

    id: int
    state: JobState
    queue: str
    name: str
    tries: int
    due_at: datetime | None
    """When it is to be done; None: at once."""
    changed_at: datetime | None
    """When it came to stand as it does."""
    error: str | None
    """How its last try failed: the kind of error, and where in our code."""


async def counts(db: AsyncSession) -> Mapping[JobState, int]:
    """How many there are of each. Needs a transaction that is everyone's, as all of these."""
    found = dict.fromkeys(JobState, 0)
    for state, count in await db.execute(_COUNTS):
        found[JobState(state)] = count
    return found


async def page(db: AsyncSession, state: JobState, *, limit: int = 50, before: int | None = None) -> Sequence[QueuedJob]:
    """Jobs in a state, the newest first, `before` the last of the page before."""
    query = _DONE if state is JobState.DONE else _JOBS
    rows = await db.execute(query, {"state": state.value, "limit": limit, "before": before or 2**63 - 1, "id": None})
    return [_job(row) for row in rows]


async def do_again(db: AsyncSession, job_id: int, actor: uuid.UUID) -> QueuedJob:
    """Have a job done that was given up, with all its tries before it. `actor` is the operator who wants it.

    Raises NotFound, NotFailed, WaitsAlready.
    """
    name = (
        await db.execute(
            text("SELECT task_name, status FROM procrastinate_jobs WHERE id = :id FOR UPDATE"), {"id": job_id}
        )
    ).one_or_none()
    if name is None:
        raise NotFound("There is no such job any more.")
    if name.status != "failed":
        raise NotFailed
    try:
        async with db.begin_nested():
            await db.execute(_AGAIN, {"id": job_id})
    except IntegrityError:
        # One of its kind may wait at a time.
        raise WaitsAlready from None
    await audit.record(db, actor, actor, "job.done_again", after={"job": job_id, "task": name.task_name})
    rows = await db.execute(_JOBS, {"state": JobState.WAITING.value, "limit": 1, "before": 2**63 - 1, "id": job_id})
    return _job(rows.one())


def _job(row: object) -> QueuedJob:
    values = {name: getattr(row, name) for name in QueuedJob.__slots__}
    return QueuedJob(**values | {"state": JobState(values["state"])})


# The table is short: what is done is deleted. When a job came to stand as it does is told by its newest event.
_STATE = """
    CASE j.status WHEN 'doing' THEN 'running' WHEN 'failed' THEN 'failed' WHEN 'todo' THEN
        CASE WHEN j.scheduled_at > now() THEN 'later' ELSE 'waiting' END
    END
"""
_COUNTS = text(
    f"""
    SELECT {_STATE} AS state, count(*) FROM procrastinate_jobs j
    WHERE j.status IN ('todo', 'doing', 'failed') GROUP BY 1
    UNION ALL
    SELECT 'done', count(*) FROM job_runs r WHERE r.error IS NULL
    """  # noqa: S608  our own words only
)
_JOBS = text(
    f"""
    SELECT j.id, {_STATE} AS state, j.queue_name AS queue, j.task_name AS name, j.attempts AS tries,
        j.scheduled_at AS due_at, (SELECT max(e.at) FROM procrastinate_events e WHERE e.job_id = j.id) AS changed_at,
        r.error
    FROM procrastinate_jobs j LEFT JOIN job_runs r ON r.job_id = j.id
    WHERE j.status IN ('todo', 'doing', 'failed') AND {_STATE} = :state AND j.id < :before
        AND (CAST(:id AS bigint) IS NULL OR j.id = :id)
    ORDER BY j.id DESC LIMIT :limit
    """  # noqa: S608  our own words only
)
_DONE = text(
    """
    SELECT r.job_id AS id, 'done' AS state, 'default' AS queue, r.name, r.tries, CAST(NULL AS timestamptz) AS due_at,
        r.ended_at AS changed_at, r.error
    FROM job_runs r WHERE r.error IS NULL AND r.job_id < :before ORDER BY r.job_id DESC LIMIT :limit
    """
)
_AGAIN = text(
    "UPDATE procrastinate_jobs SET status = 'todo', attempts = 0, scheduled_at = NULL, abort_requested = false,"
    " worker_id = NULL WHERE id = :id AND status = 'failed'"
)
