"""What waits to be done, and since when: jobs, providers' events, and what customers' webhooks are to be told.

The rule: this is asked every few seconds by whoever watches us, so each is counted by its own partial index, or is a
table that is nearly empty when all is well.
"""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession


@dataclass(frozen=True, slots=True)
class Backlog:
    """Counts, and how long the oldest has waited, in seconds (0 when nothing waits)."""

    jobs_waiting: int
    """That could be done now."""
    jobs_later: int
    """That wait for their time, or for another try."""
    jobs_doing: int
    jobs_failed: int
    """That were given up."""
    jobs_oldest_seconds: int
    events_waiting: int
    events_given_up: int
    events_oldest_seconds: int
    deliveries_due: int
    deliveries_failed: int
    """That were given up within the last day."""
    deliveries_oldest_seconds: int


async def backlog(db: AsyncSession) -> Backlog:
    """Everybody's, so in a transaction that sees everyone."""
    jobs = (await db.execute(_JOBS)).one()
    events = (await db.execute(_EVENTS)).one()
    deliveries = (await db.execute(_DELIVERIES)).one()
    return Backlog(
        jobs_waiting=jobs.waiting,
        jobs_later=jobs.later,
        jobs_doing=jobs.doing,
        jobs_failed=jobs.failed,
        jobs_oldest_seconds=_seconds(jobs.oldest),
        events_waiting=events.waiting,
        events_given_up=events.given_up,
        events_oldest_seconds=_seconds(events.oldest),
        deliveries_due=deliveries.due,
        deliveries_failed=deliveries.failed,
        deliveries_oldest_seconds=_seconds(deliveries.oldest),
    )


def _seconds(found: object) -> int:
    return max(0, int(found)) if isinstance(found, (int, float)) else 0


# Successful jobs are deleted, so the table is short. The one with the smallest number came first, and when it came is
# told by its events.
_JOBS = text(
    """
    WITH jobs AS (
        SELECT j.id, j.status, j.scheduled_at,
            j.status = 'todo' AND (j.scheduled_at IS NULL OR j.scheduled_at <= now()) AS is_due
        FROM procrastinate_jobs j WHERE j.status IN ('todo', 'doing', 'failed')
    ), oldest AS (
        SELECT j.id, j.scheduled_at FROM jobs j WHERE j.is_due ORDER BY j.id LIMIT 1
    )
    SELECT count(*) FILTER (WHERE is_due) AS waiting,
        count(*) FILTER (WHERE status = 'todo' AND NOT is_due) AS later,
        count(*) FILTER (WHERE status = 'doing') AS doing, count(*) FILTER (WHERE status = 'failed') AS failed,
        (
            SELECT CAST(extract(epoch FROM now() - coalesce(o.scheduled_at, (
                SELECT max(e.at) FROM procrastinate_events e WHERE e.job_id = o.id
            ))) AS float8) FROM oldest o
        ) AS oldest
    FROM jobs
    """
)
_EVENTS = text(
    """
    SELECT count(*) AS waiting, CAST(extract(epoch FROM now() - min(received_at)) AS float8) AS oldest,
        (SELECT count(*) FROM provider_events g WHERE g.gave_up_at IS NOT NULL AND g.handled_at IS NULL) AS given_up
    FROM provider_events WHERE handled_at IS NULL AND gave_up_at IS NULL
    """
)
_DELIVERIES = text(
    """
    SELECT count(*) AS due, CAST(extract(epoch FROM now() - min(due_at)) AS float8) AS oldest,
        (
            SELECT count(*) FROM webhook_deliveries f
            WHERE f.state IN ('FAILED', 'SKIPPED') AND f.state = 'FAILED' AND f.ended_at > now() - interval '1 day'
        ) AS failed
    FROM webhook_deliveries WHERE due_at IS NOT NULL AND due_at <= now()
    """
)
