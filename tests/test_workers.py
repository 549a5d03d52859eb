"""A worker that is killed loses no job, and one that is stopped gives back what it cannot end: real processes, real
signals.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

from sqlalchemy import text

from talktime.db.session import Database, connect
from talktime.jobs import Jobs
from tests.people import WHY

_WORKER = """
import asyncio, json, signal, sys
from talktime import log
from talktime.jobs import Jobs

log.configure("INFO")

async def main():
    url, name, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    jobs = Jobs(url, stalled_seconds=3)

    def say(what, number):
        print(json.dumps({"worker": name, "what": what, "job": number}), flush=True)

    async def do(number):
        say("begins", number)
        await asyncio.sleep(seconds)
        say("done", number)

    jobs.handle("test.job", do)
    working = asyncio.create_task(jobs.work())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, working.cancel)
    await asyncio.gather(working, return_exceptions=True)

asyncio.run(main())
"""


class Worker:
    """A process that does jobs, each for so long."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    @classmethod
    async def start(cls, url: str, name: str, seconds: float) -> "Worker":
        return cls(
            await asyncio.create_subprocess_exec(
                sys.executable, "-c", _WORKER, url, name, str(seconds),
                stdout=asyncio.subprocess.PIPE,
                env={name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ},
            )
        )  # fmt: skip

    async def says(self, what: str, seconds_max: float = 90) -> dict[str, Any]:
        assert self.process.stdout is not None
        async with asyncio.timeout(seconds_max):
            while line := await self.process.stdout.readline():
                said: dict[str, Any] = json.loads(line)
                if said["what"] == what:
                    return said
        raise AssertionError(f"it ended without saying {what}")

    async def ends(self, number: signal.Signals) -> None:
        if self.process.returncode is None:
            self.process.send_signal(number)
        async with asyncio.timeout(60):
            await self.process.wait()


async def enqueue(database: Database, url: str, count: int) -> None:
    jobs = Jobs(url)
    jobs.handle("test.job", _nobody)
    async with database.transaction(everyone=WHY) as db:
        for number in range(count):
            await jobs.enqueue(db, "test.job", number=number)


async def _nobody(number: int) -> None:
    raise AssertionError(number)


async def left(database: Database, status: str | None = None) -> int:
    query = text(
        "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'test.job'"
        " AND status::text = coalesce(CAST(:status AS text), status::text)"
    )
    async with database.transaction(everyone=WHY) as db:
        return int(await db.scalar(query, {"status": status}) or 0)


async def test_the_job_of_a_worker_that_was_killed_is_done_by_another(new_database_url: Callable[[], str]) -> None:
    url = new_database_url()
    database = connect(url)
    workers: list[Worker] = []
    try:
        await enqueue(database, url, 1)
        workers.append(await Worker.start(url, "first", 600))
        await workers[0].says("begins")
        await workers[0].ends(signal.SIGKILL)
        workers.append(await Worker.start(url, "second", 0.1))
        assert await workers[1].says("done") == {"worker": "second", "what": "done", "job": 0}
        async with asyncio.timeout(10):
            while await left(database):
                await asyncio.sleep(0.1)
    finally:
        for worker in workers:
            await worker.ends(signal.SIGKILL)
        await database.close()


async def test_a_worker_that_is_stopped_ends_what_it_can_and_gives_back_the_rest(
    new_database_url: Callable[[], str],
) -> None:
    url = new_database_url()
    database = connect(url)
    workers: list[Worker] = []
    try:
        # A job that takes two seconds is ended; one of ten minutes is given back within some seconds.
        for number, seconds in enumerate((2, 600)):
            await enqueue(database, url, 1)
            worker = await Worker.start(url, f"worker {number}", seconds)
            workers.append(worker)
            await worker.says("begins")
            began = asyncio.get_running_loop().time()
            await worker.ends(signal.SIGTERM)
            assert asyncio.get_running_loop().time() - began < 30
            assert await left(database) == number
        async with database.transaction(everyone=WHY) as db:
            [status] = await db.scalars(text("SELECT status FROM procrastinate_jobs WHERE task_name = 'test.job'"))
        assert status == "todo"
        workers.append(await Worker.start(url, "last", 0.1))
        await workers[-1].says("done")
    finally:
        for worker in workers:
            await worker.ends(signal.SIGKILL)
        await database.close()


async def test_workers_that_find_the_same_dead_one_go_on_looking_for_others(
    new_database_url: Callable[[], str],
) -> None:
    url = new_database_url()
    database = connect(url)
    looking = [Jobs(url, stalled_seconds=0.2) for _ in range(4)]
    try:
        async with AsyncExitStack() as stack:
            for each in looking:
                each.handle("test.job", _nobody)
                await stack.enter_async_context(each._app.open_async())
            tasks = [asyncio.create_task(each._revive()) for each in looking]
            for _ in range(3):
                await enqueue(database, url, 20)
                async with database.transaction(everyone=WHY) as db:
                    # As one that was killed leaves them, when its own row is gone.
                    await db.execute(text("UPDATE procrastinate_jobs SET status = 'doing', worker_id = NULL"))
                async with asyncio.timeout(30):
                    while await left(database, "doing"):
                        await asyncio.sleep(0.05)
            assert [task for task in tasks if task.done()] == []
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        await database.close()
