"""A copy of a database that goes on working, a database from it, and that a copy does nothing by itself."""

import asyncio
import json
import stat
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from talktime.alerts import marks
from talktime.alerts.marks import Asleep
from talktime.app import create_app
from talktime.credits import money
from talktime.credits.verify import verify
from talktime.db import dump, embedded
from talktime.db.dump import BackupFailed, NotEmpty, NotWhole
from talktime.db.session import Database, connect
from talktime.errors import BadInput, Conflict
from talktime.jobs import Jobs
from talktime.settings import Settings
from tests.people import WHY, Person, account_of, new_person

BARE = "bare_{}"


@pytest.fixture
def new_empty_url(server: embedded.Server) -> Callable[[], str]:
    """Makes a database with nothing in it at all."""

    def make() -> str:
        name = BARE.format(uuid.uuid4().hex[:8])
        embedded.ensure_database(server, name)
        return server.url(name)

    return make


@pytest.fixture
async def original(new_database_url: Callable[[], str]) -> AsyncIterator[tuple[str, Database]]:
    url = new_database_url()
    database = connect(url)
    yield url, database
    await database.close()


async def busy(database: Database, person: Person, jobs: Jobs, over: asyncio.Event) -> int:
    """Post to somebody's account and enqueue a job with it, again and again; gives how often."""
    done = 0
    while not over.is_set():
        async with database.transaction(everyone=WHY) as db:
            await money.adjust(db, person.id, reference=f"r{done}", amount=1, reason="work goes on", actor=person.id)
            await jobs.enqueue(db, "test.job", number=done)
        done += 1
    return done


async def lines(database: Database) -> int:
    async with database.transaction(everyone=WHY) as db:
        return int(await db.scalar(text("SELECT count(*) FROM credit_transactions")) or 0)


async def test_a_copy_is_of_one_moment_of_a_database_that_goes_on_and_its_books_are_right(
    original: tuple[str, Database], new_empty_url: Callable[[], str], tmp_path: Path
) -> None:
    url, database = original
    people = [await new_person(database, name, credits=1000) for name in ("Alice", "Bob")]
    jobs, over, file = Jobs(url), asyncio.Event(), tmp_path / "copy.dump"
    working = [asyncio.create_task(busy(database, person, jobs, over)) for person in people]
    await asyncio.sleep(0.3)
    manifest = await asyncio.to_thread(dump.backup, url, file)
    await asyncio.sleep(0.1)
    over.set()
    done = sum(await asyncio.gather(*working))
    copied = manifest.counts["credit_transactions"] - 2
    # While it was copied the work went on, and each posting is in the copy with its job, or neither is.
    assert 0 < copied < done
    assert manifest.counts["procrastinate_jobs"] == copied
    assert stat.S_IMODE(file.stat().st_mode) == stat.S_IMODE(dump.manifest_path(file).stat().st_mode) == 0o600

    other = new_empty_url()
    assert await asyncio.to_thread(dump.restore, file, other) == manifest
    restored = connect(other)
    try:
        assert (await verify(restored, full=True)).is_clean
        assert await lines(restored) == copied + 2
        assert sum([(await account_of(restored, person)).balance for person in people]) == 2000 + copied
        # Who may see what came with it: a customer sees their own, and nobody at all nothing.
        async with restored.transaction(user=people[0].id) as db:
            assert await db.scalar(text("SELECT count(DISTINCT user_id) FROM credit_transactions")) == 1
            with pytest.raises(Exception, match="permission denied"):
                await db.execute(text("DELETE FROM credit_transactions"))
    finally:
        await restored.close()


async def test_a_restored_copy_does_nothing_by_itself_until_it_is_woken_and_then_each_job_once(
    original: tuple[str, Database], new_empty_url: Callable[[], str], tmp_path: Path
) -> None:
    url, database = original
    await new_person(database, "Alice", credits=1000)
    file, other = tmp_path / "copy.dump", new_empty_url()
    async with database.transaction(everyone=WHY) as db:
        for number in range(3):
            await Jobs(url).enqueue(db, "test.job", number=number)
    await asyncio.to_thread(dump.backup, url, file)
    await asyncio.to_thread(dump.restore, file, other)
    restored = connect(other)
    try:
        async with restored.transaction(everyone=WHY) as db:
            await marks.note(db, marks.ASLEEP)
        for parts in (("worker",), ("voice",), ("web", "voice", "worker")):
            app = create_app(Settings(home=tmp_path), other, parts=parts, demo=True)
            with pytest.raises(Asleep, match="talktime db wake"):
                async with app.router.lifespan_context(app):
                    pass
        # Somebody may look at its pages.
        app = create_app(Settings(home=tmp_path), other, parts=("web",), demo=True)
        async with app.router.lifespan_context(app):
            pass
        async with restored.transaction(everyone=WHY) as db:
            assert await db.scalar(text("SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo'")) == 3
            assert await marks.wake(db)
            assert not await marks.wake(db)
        did: list[int] = []
        jobs = Jobs(other)

        async def do(number: int) -> None:
            did.append(number)

        jobs.handle("test.job", do)
        working = asyncio.create_task(jobs.work())
        async with asyncio.timeout(30):
            while len(did) < 3:
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        assert sorted(did) == [0, 1, 2]
    finally:
        await restored.close()


async def test_nothing_is_restored_into_a_database_that_has_anything_in_it(
    original: tuple[str, Database], new_empty_url: Callable[[], str], tmp_path: Path
) -> None:
    url, _ = original
    file = tmp_path / "copy.dump"
    await asyncio.to_thread(dump.backup, url, file)
    with pytest.raises(NotEmpty):
        await asyncio.to_thread(dump.restore, file, url)
    other = new_empty_url()
    with psycopg.connect(other, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA theirs")
        connection.execute("CREATE TABLE theirs.letters (said text)")
    with pytest.raises(NotEmpty):
        await asyncio.to_thread(dump.restore, file, other)
    with pytest.raises(Conflict, match="another file"):
        await asyncio.to_thread(dump.backup, url, file)


async def test_a_copy_that_was_damaged_or_is_half_there_is_refused_before_anything_is_made(
    original: tuple[str, Database], new_empty_url: Callable[[], str], tmp_path: Path
) -> None:
    url, _ = original
    file = tmp_path / "copy.dump"
    await asyncio.to_thread(dump.backup, url, file)
    other, content = new_empty_url(), file.read_bytes()

    def refused(kind: type[Exception], match: str | None = None) -> None:
        with pytest.raises(kind, match=match):
            dump.restore(file, other)
        with psycopg.connect(other) as connection:
            assert dump.is_empty(connection)

    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    refused(NotWhole)
    file.write_bytes(content[:-100])
    refused(NotWhole)
    file.write_bytes(content)
    said = json.loads(dump.manifest_path(file).read_text())
    changes: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"format": 99}, BadInput, "format 99"),
        ({"postgresql": 99}, BackupFailed, "PostgreSQL 99"),
        ({"surprise": 1}, NotWhole, "manifest"),
    ]
    for change, kind, match in changes:
        dump.manifest_path(file).write_text(json.dumps(said | change))
        refused(kind, match)
    dump.manifest_path(file).unlink()
    refused(BadInput, "both are needed")
    # A manifest that counts what is not there: then it was made, but it is not said to be right.
    dump.manifest_path(file).write_text(json.dumps(said | {"counts": said["counts"] | {"users": 5}}))
    with pytest.raises(BackupFailed, match="users"):
        dump.restore(file, other)


def test_a_password_stands_on_no_command_line(
    server: embedded.Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[tuple[list[str], dict[str, str]]] = []

    def run(words: list[Any], **options: Any) -> Any:
        seen.append(([str(word) for word in words], options["env"]))
        raise OSError(1, "not run")

    monkeypatch.setattr(dump.subprocess, "run", run)  # type: ignore[attr-defined]  # the module's own
    with pytest.raises(OSError, match="not run"):
        dump._run(Path("/bin/pg_dump"), "postgresql://me:hunter2@host:5433/base?sslmode=require", "--file=x")
    [(words, environment)] = seen
    assert "hunter2" not in " ".join(words)
    assert environment["PGPASSWORD"] == "hunter2"
    assert (environment["PGHOST"], environment["PGPORT"], environment["PGDATABASE"]) == ("host", "5433", "base")
    assert (environment["PGSSLMODE"], environment["PGUSER"]) == ("require", "me")


def test_a_server_that_is_newer_than_every_program_is_said_to_be() -> None:
    assert (dump.programs(18) / "pg_restore").is_file()
    with pytest.raises(BackupFailed, match="postgresql-client-99"):
        dump.programs(99)
