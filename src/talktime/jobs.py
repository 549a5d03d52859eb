"""The job queue in PostgreSQL. A job is enqueued on the caller's own connection: it exists when the transaction commits
and never did when it rolls back.

Handlers are registered by `app`, so that this file knows nobody above it. Arguments are ids and plain numbers, never
personal data. Every handler can run twice.

The queue itself forgets: a job that is done is deleted, and why one failed stands nowhere. So `JobRun` keeps of a try
that failed what kind of error it was and where, and of a job that comes by the clock when it last came to its end.
"""

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import procrastinate
import psycopg
from procrastinate import BaseRetryStrategy, JobContext, PsycopgConnector, RetryDecision
from procrastinate.jobs import Job, Status
from psycopg_pool import PoolTimeout
from sqlalchemy import BigInteger, Index, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

import talktime
from talktime import log
from talktime.db.base import CreatedAt, Model
from talktime.db.roles import EVERYONE
from talktime.errors import ProviderError

_AGAIN_SECONDS = 2.0
_STALLED_SECONDS = 30.0
_LOGGER = log.get(__name__)
Handler = Callable[..., Awaitable[None]]

_ENQUEUE_ONCE = text(
    "INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock) SELECT 'default', CAST(:name AS text), :name"
    " WHERE NOT EXISTS (SELECT FROM procrastinate_jobs WHERE queueing_lock = :name AND status = 'todo')"
    " ON CONFLICT DO NOTHING"
)
"""What the library offers for this fails where one waits already, and with it the caller's transaction."""


RUNS_KEPT_DAYS = 7
_NOTE = """
    INSERT INTO job_runs (job_id, name, tries, ended_at, error) VALUES (%(job)s, %(name)s, %(tries)s, now(), %(error)s)
    ON CONFLICT (job_id) DO UPDATE SET tries = excluded.tries, ended_at = excluded.ended_at, error = excluded.error
"""
_FORGET = text("DELETE FROM job_runs WHERE ended_at < now() - make_interval(days => :days) RETURNING 1")
_SOURCES = Path(talktime.__path__[0])


class JobRun(Model):
    """How the last try of a job ended, where the queue keeps nothing of it. Kept for a week."""

    __tablename__ = "job_runs"

    job_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    """The queue's number of it."""
    name: Mapped[str]
    tries: Mapped[int]
    ended_at: Mapped[CreatedAt]
    error: Mapped[str | None]
    """The kind of error and the place in our code, never its words: those may hold anything. None: it was done."""

    __table_args__ = (
        # Those that were done, for the operator's list.
        Index("ix_job_runs_done", "job_id", postgresql_where=text("error IS NULL")),
    )


async def forget_runs(db: AsyncSession) -> int:
    """Forget how jobs ended a week ago; gives how many. Needs a transaction that is everyone's."""
    return len((await db.execute(_FORGET, {"days": RUNS_KEPT_DAYS})).all())


class _Ladder(BaseRetryStrategy):
    """Try again after 1, 2, 4 … seconds, eight times at most; a provider's permanent failure is final at once."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        if isinstance(exception, asyncio.CancelledError):
            # Not its fault: our process is being stopped. Somebody else does it, however often it was begun.
            return RetryDecision(retry_in={"seconds": 1})
        if (isinstance(exception, ProviderError) and exception.permanent) or job.attempts >= 8:
            return None
        return RetryDecision(retry_in={"seconds": 2**job.attempts})


class Jobs:
    """The queue of one process."""

    def __init__(self, url: str, *, stalled_seconds: float = _STALLED_SECONDS) -> None:
        """`stalled_seconds` after its last sign of life a worker counts as dead, and its jobs are somebody else's."""
        self._stalled_seconds = stalled_seconds
        self._app = procrastinate.App(
            connector=PsycopgConnector(
                conninfo=url,
                min_size=1,
                max_size=4,
                kwargs={"options": f"-c role={EVERYONE}", "application_name": "talktime jobs"},
            )
        )
        # Its own logger repeats arguments at each step; ours says what matters.
        logging.getLogger("procrastinate").setLevel(logging.ERROR)

    async def _revive(self) -> None:
        """Give jobs of workers that died to somebody else, whatever goes wrong meanwhile."""
        while True:
            try:
                for job in await self._app.job_manager.get_stalled_jobs(seconds_since_heartbeat=self._stalled_seconds):
                    await self._give_back(job)
            except (procrastinate.exceptions.ProcrastinateException, psycopg.Error, PoolTimeout, OSError) as error:
                _LOGGER.warning("jobs of workers that died were not looked for", error=type(error).__name__)
            await asyncio.sleep(self._stalled_seconds)

    async def _give_back(self, job: Job) -> None:
        try:
            try:
                await self._app.job_manager.retry_job(job)
            except procrastinate.exceptions.UniqueViolation:
                # Another of its kind waits already, and one is enough.
                await self._app.job_manager.finish_job(job, Status.FAILED, delete_job=True)
        except procrastinate.exceptions.ConnectorException as error:
            # All workers look: of those that find it at the same moment one is the first, and the others are told so.
            if not isinstance(error.__cause__, psycopg.errors.RaiseException):
                raise
        else:
            _LOGGER.warning("a job of a worker that died is done again", job=job.task_name)

    def handle(self, name: str, handler: Handler) -> None:
        """Say who does the jobs of this name."""

        async def noted(context: JobContext, /, **arguments: Any) -> None:
            try:
                await handler(**arguments)
            except Exception as error:
                await self._note(context, error)
                raise

        self._app.task(name=name, retry=_Ladder(), pass_context=True)(noted)

    def handle_regularly(self, cron: str, name: str, handler: Callable[[], Awaitable[object]]) -> None:
        """Say who does a job that comes by the clock (UTC), once for all workers."""

        async def at(context: JobContext, timestamp: int) -> None:
            del timestamp  # which minute it was meant for makes no difference to any of them
            try:
                await handler()
            except Exception as error:
                await self._note(context, error)
                raise
            await self._note(context, None)

        self._app.periodic(cron=cron)(self._app.task(name=name, queueing_lock=name, pass_context=True)(at))

    async def _note(self, context: JobContext, error: Exception | None) -> None:
        """Keep how a try ended. What keeps this from being written is no reason for the job to have another end."""
        job = context.job
        try:
            await self._app.connector.execute_query_async(
                _NOTE,
                job=job.id,
                name=job.task_name,
                tries=job.attempts + 1,
                error=None if error is None else _kind_and_place(error),
            )
        except (procrastinate.exceptions.ConnectorException, psycopg.Error, PoolTimeout, OSError) as trouble:
            _LOGGER.warning("how a job ended was not kept", job=job.task_name, error=type(trouble).__name__)

    async def enqueue(self, db: AsyncSession, name: str, **arguments: str | int) -> None:
        """Add a job inside the caller's transaction."""
        raw = await (await db.connection()).get_raw_connection()
        options: Any = {"connection": raw.driver_connection}
        await self._app.configure_task(name, **options).defer_async(**arguments)

    async def enqueue_once(self, db: AsyncSession, name: str) -> None:
        """Add a job without arguments inside the caller's transaction, unless one of this name waits already."""
        await db.execute(_ENQUEUE_ONCE, {"name": name})

    async def work(self) -> None:
        """Do jobs until cancelled; those that are running are given a few seconds to end.

        A database that goes away ends the library's worker: a new one begins as soon as it is back.
        """
        while True:
            try:
                async with self._app.open_async():
                    reviving = asyncio.create_task(self._revive())
                    try:
                        await self._app.run_worker_async(
                            wait=True,
                            concurrency=4,
                            install_signal_handlers=False,
                            fetch_job_polling_interval=2.0,
                            shutdown_graceful_timeout=5.0,
                            delete_jobs="successful",
                            update_heartbeat_interval=self._stalled_seconds / 3,
                            stalled_worker_timeout=self._stalled_seconds,
                        )
                    finally:
                        reviving.cancel()
                        await asyncio.gather(reviving, return_exceptions=True)
            except (procrastinate.exceptions.ProcrastinateException, psycopg.Error, PoolTimeout, OSError) as error:
                _LOGGER.warning("the job queue lost its database", error=type(error).__name__)
            # The library ends quietly when it is cancelled; whoever cancelled us is to see it.
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise asyncio.CancelledError
            await asyncio.sleep(_AGAIN_SECONDS)


def _kind_and_place(error: BaseException) -> str:
    """What kind of error it was, and the last line of our own code that it came through."""
    ours = [
        f"{Path(frame.filename).relative_to(_SOURCES)}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(_SOURCES) and Path(frame.filename).name != "jobs.py"
    ]
    kind = type(error).__name__
    return f"{kind} in {ours[-1]}" if ours else kind
