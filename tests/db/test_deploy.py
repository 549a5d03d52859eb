"""Deploying: by whoever may, twice, two at once, over what is locked or broken; and what the roles may do then."""

import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import procrastinate
import psycopg
import pytest
from procrastinate import exceptions

from talktime.db import deploy as deploying
from talktime.db import embedded, job_queue
from talktime.db.deploy import DeployFailed, deploy, status
from tests.db.conftest import OLDER, ask, needs_older, run

HEAD = "0002"

FIRST = """
CREATE TABLE people (id uuid PRIMARY KEY, name text CHECK (name NOT LIKE '%x%'));
ALTER TABLE people ENABLE ROW LEVEL SECURITY;
CREATE POLICY everyone ON people TO talktime_everyone USING (true);
GRANT SELECT, INSERT ON people TO talktime_everyone;
GRANT SELECT ON people TO talktime;
"""


def write_revision(folder: Path, number: int, text: str) -> None:
    down = f"{number - 1:04}" if number > 1 else None
    (folder / f"{number:04}_step.sql").write_text(text)
    (folder / f"{number:04}_step.py").write_text(
        f'from talktime.db.migrations import run_frozen\nrevision = "{number:04}"\ndown_revision = {down!r}\n'
        "def upgrade():\n    run_frozen(__file__)\n"
    )


@pytest.fixture
def revisions(tmp_path: Path) -> Path:
    folder = tmp_path / "100% versions"
    folder.mkdir()
    write_revision(folder, 1, FIRST)
    write_revision(folder, 2, "ALTER TABLE people ADD COLUMN age integer;")
    return folder


@pytest.fixture(params=["18", pytest.param("15", marks=needs_older)])
def fresh(request: pytest.FixtureRequest) -> Iterator[embedded.Server]:
    """A server on which nothing of ours was ever made, with two ordinary users."""
    programs = OLDER if request.param == "15" else None
    with embedded.temporary(logins=("alice", "bob"), programs=programs) as server:
        run(server.url("postgres"), "CREATE ROLE alice LOGIN; CREATE ROLE bob LOGIN")
        yield server


_names = iter(range(1000))


@pytest.fixture
def url(servers: embedded.Server) -> str:
    """A new, empty database."""
    name = f"empty_{next(_names)}"
    embedded.ensure_database(servers, name)
    return servers.url(name)


def test_a_database_owner_who_may_make_roles_can_deploy(fresh: embedded.Server, revisions: Path) -> None:
    run(fresh.url("postgres"), "ALTER ROLE alice CREATEROLE")
    run(fresh.url("postgres"), "CREATE DATABASE shop OWNER alice")
    owner_url, user_url = fresh.url("shop", "alice"), fresh.url("shop", "bob")
    done = deploy(user_url, owner_url, revisions=revisions)
    assert done.is_current
    assert (done.current, done.queue) == (HEAD, job_queue.VERSION)
    assert deploy(user_url, owner_url, revisions=revisions) == done
    assert ask(
        owner_url, "SELECT array_agg(DISTINCT tableowner) FROM pg_tables WHERE schemaname = 'public'"
    ) == ["talktime_owner"]  # fmt: skip

    as_login = f"{user_url}&options=-c%20role%3Dtalktime_login"
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        ask(as_login, "SELECT count(*) FROM people")
    with psycopg.connect(as_login) as connection:
        connection.execute("SET LOCAL ROLE talktime_everyone")
        connection.execute("INSERT INTO people (id) VALUES (gen_random_uuid())")
        connection.execute("SET LOCAL ROLE talktime")
        assert connection.execute("SELECT count(*) FROM people").fetchone() == (0,)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        ask(user_url, "SET ROLE talktime_owner")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        ask(user_url, "CREATE TABLE mine ()")


def test_one_user_for_everything_can_deploy(fresh: embedded.Server, revisions: Path) -> None:
    run(fresh.url("postgres"), "ALTER ROLE alice CREATEROLE")
    run(fresh.url("postgres"), "CREATE DATABASE shop OWNER alice")
    assert deploy(fresh.url("shop", "alice"), revisions=revisions).is_current
    as_login = f"{fresh.url('shop', 'alice')}&options=-c%20role%3Dtalktime_login"
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        ask(as_login, "SELECT count(*) FROM people")


def test_a_superuser_deploys_into_somebody_elses_database(fresh: embedded.Server, revisions: Path) -> None:
    run(fresh.url("postgres"), "CREATE DATABASE shop OWNER bob")
    assert deploy(fresh.url("shop", "bob"), fresh.url("shop"), revisions=revisions).is_current
    assert ask(fresh.url("shop", "bob"), "SELECT pg_has_role('talktime_everyone', 'MEMBER')") is True
    assert ask(fresh.url("shop", "bob"), "SELECT pg_has_role('talktime_owner', 'MEMBER')") is False


def test_whoever_may_not_deploy_reads_what_to_ask_for(fresh: embedded.Server, revisions: Path) -> None:
    run(fresh.url("postgres"), "CREATE DATABASE shop")
    with pytest.raises(DeployFailed, match='As an administrator: ALTER ROLE "alice" CREATEROLE'):
        deploy(fresh.url("shop", "alice"), revisions=revisions)
    run(fresh.url("postgres"), "ALTER ROLE alice CREATEROLE; GRANT CREATE ON DATABASE shop TO alice")
    with pytest.raises(DeployFailed, match='ALTER DATABASE "shop" OWNER TO "alice"'):
        deploy(fresh.url("shop", "alice"), revisions=revisions)
    run(fresh.url("shop"), "GRANT USAGE, CREATE ON SCHEMA public TO alice WITH GRANT OPTION")
    assert deploy(fresh.url("shop", "alice"), revisions=revisions).is_current


def test_two_databases_may_deploy_at_once_on_a_server_without_our_roles(
    fresh: embedded.Server, revisions: Path
) -> None:
    for name in ("one", "two", "three"):
        embedded.ensure_database(fresh, name)
    with ThreadPoolExecutor(3) as pool:
        urls = [fresh.url(name) for name in ("one", "two", "three")]
        assert all(done.is_current for done in pool.map(lambda url: deploy(url, revisions=revisions), urls))


def test_two_deploys_of_one_database_come_to_the_same_end(url: str, revisions: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: deploy(url, revisions=revisions), range(2))
    assert first == second
    assert ask(url, "SELECT count(*) FROM procrastinate_version") == 1


def test_a_deploy_says_who_it_waits_for_and_gives_up_in_the_end(url: str, revisions: Path) -> None:
    said: list[str] = []
    with psycopg.connect(url, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [deploying._LOCK])
        with pytest.raises(DeployFailed, match=f"process {other.info.backend_pid} of postgres"):
            deploy(url, revisions=revisions, say=said.append, lock_seconds_max=0.2)
    assert [words for words in said if "waiting for it" in words]
    assert deploy(url, revisions=revisions).is_current


def test_a_table_in_use_is_waited_for(url: str, revisions: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deploying, "LOCK_SECONDS_MAX", 0.1)
    deploy(url, revisions=revisions)
    write_revision(revisions, 3, "ALTER TABLE people ADD COLUMN tall boolean;")
    asked = threading.Event()

    def say(words: str) -> None:
        if "in use" in words:
            asked.set()

    with psycopg.connect(url) as reader, ThreadPoolExecutor(1) as pool:
        reader.execute("SELECT * FROM people")
        done = pool.submit(deploy, url, revisions=revisions, say=say)
        assert asked.wait(timeout=20)
        reader.rollback()
        assert done.result(timeout=20).current == "0003"


def test_a_table_that_stays_in_use_fails_the_deploy(url: str, revisions: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deploying, "LOCK_SECONDS_MAX", 0.05)
    monkeypatch.setattr(deploying, "LOCK_TRIES", 1)
    deploy(url, revisions=revisions)
    write_revision(revisions, 3, "ALTER TABLE people ADD COLUMN tall boolean;")
    with psycopg.connect(url) as reader:
        reader.execute("SELECT * FROM people")
        with pytest.raises(DeployFailed, match="lock timeout"):
            deploy(url, revisions=revisions)


def test_a_broken_revision_leaves_the_last_good_one(url: str, revisions: Path) -> None:
    write_revision(revisions, 3, "ALTER TABLE people ADD COLUMN tall boolean; SELECT 1 / 0;")
    with pytest.raises(DeployFailed, match="division by zero"):
        deploy(url, revisions=revisions)
    assert ask(url, "SELECT version_num FROM alembic_version") == "0002"
    assert ask(url, "SELECT count(*) FROM information_schema.columns WHERE column_name = 'tall'") == 0
    write_revision(revisions, 3, "ALTER TABLE people ADD COLUMN tall boolean;")
    assert deploy(url, revisions=revisions).current == "0003"


def test_a_new_enum_value_is_committed_before_it_is_used(url: str, revisions: Path) -> None:
    write_revision(revisions, 3, "CREATE TYPE mood AS ENUM ('calm'); CREATE TABLE days (mood mood);")
    deploy(url, revisions=revisions)
    use = "CREATE INDEX on_angry ON days (mood) WHERE mood = 'angry; 100%';"
    add = "ALTER TYPE mood ADD VALUE IF NOT EXISTS 'angry; 100%';"
    write_revision(
        revisions, 4, f"{add}\n-- Committed here: a new value of an enum may be used only after that.\n{use}"
    )
    assert deploy(url, revisions=revisions).current == "0004"


def test_status_before_and_after(url: str, revisions: Path) -> None:
    before = status(url, revisions=revisions)
    assert (before.current, before.head, before.pending, before.queue) == (None, HEAD, ("0001", "0002"), None)
    assert not before.is_current
    assert deploy(url, revisions=revisions) == status(url, revisions=revisions)


def test_a_database_newer_than_the_code_is_left_alone(url: str, revisions: Path) -> None:
    deploy(url, revisions=revisions)
    run(url, "UPDATE alembic_version SET version_num = '0099'")
    with pytest.raises(DeployFailed, match="0099, which this Talktime does not know"):
        status(url, revisions=revisions)
    with pytest.raises(DeployFailed, match="0099"):
        deploy(url, revisions=revisions)


def test_no_server_is_a_message(revisions: Path) -> None:
    with pytest.raises(DeployFailed, match="No connection to the database"):
        deploy("postgresql://nobody@127.0.0.1:1/nothing", revisions=revisions)
    with pytest.raises(DeployFailed, match="No connection to the database"):
        status("postgresql://nobody@127.0.0.1:1/nothing", revisions=revisions)


# The job queue.


@asynccontextmanager
async def queue(url: str, role: str) -> AsyncIterator[procrastinate.App]:
    options = {"options": f"-c role={role}"}
    app = procrastinate.App(
        connector=procrastinate.PsycopgConnector(conninfo=url, kwargs=options, min_size=1, max_size=2)
    )
    async with app.open_async():
        yield app


async def test_a_user_adds_jobs_and_reads_nobodys(url: str, revisions: Path) -> None:
    deploy(url, revisions=revisions)
    done: list[int] = []
    async with queue(url, "talktime") as app:
        await app.configure_task("work").defer_async(number=1)
        await app.configure_task("work", schedule_in={"seconds": 3600}, lock="a", priority=2).defer_async(number=2)
        await app.configure_task("other", queueing_lock="once").defer_async()
        with pytest.raises(exceptions.AlreadyEnqueued):
            await app.configure_task("other", queueing_lock="once").defer_async()
    for forbidden in (
        "SELECT args FROM procrastinate_jobs",
        "SELECT * FROM procrastinate_events",
        "UPDATE procrastinate_jobs SET priority = 9",
        "DELETE FROM procrastinate_jobs",
        "SELECT procrastinate_fetch_job_v2(NULL, 1)",
        "SELECT version FROM procrastinate_version",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            ask(url, f"SET ROLE talktime; {forbidden}")
    async with queue(url, "talktime_everyone") as app:
        app.task(name="work")(_collect(done))
        app.task(name="other")(_collect(done))
        await app.run_worker_async(wait=False, install_signal_handlers=False, listen_notify=False)
    assert done == [1, 0]
    assert ask(url, "SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo'") == 1


def _collect(done: list[int]) -> Any:
    async def collect(number: int = 0) -> None:
        done.append(number)

    return collect


def test_an_older_queue_is_brought_up_to_date(url: str, revisions: Path) -> None:
    deploy(url, revisions=revisions)
    newest = ask(url, "SELECT array_agg(proname ORDER BY proname) FROM pg_proc WHERE proname LIKE 'procrastinate%'")
    with psycopg.connect(url) as connection:
        connection.execute("DROP TABLE procrastinate_version")
        for table in ("periodic_defers", "events", "jobs", "workers"):
            connection.execute(f"DROP TABLE procrastinate_{table} CASCADE".encode())
        connection.execute(
            """DO $$ DECLARE v text; BEGIN
            FOR v IN SELECT oid::regprocedure FROM pg_proc WHERE proname LIKE 'procrastinate%'
            LOOP EXECUTE 'DROP FUNCTION ' || v; END LOOP;
            FOR v IN SELECT typname FROM pg_type WHERE typname LIKE 'procrastinate%' AND typtype IN ('e', 'c')
            LOOP EXECUTE 'DROP TYPE ' || v || ' CASCADE'; END LOOP; END $$"""
        )
        connection.execute("SET ROLE talktime_owner")
        old = [name for name in job_queue._versions() if name < "03.02"]
        for name in old:
            connection.execute((job_queue._MIGRATIONS / f"{name}.sql").read_bytes())
    with pytest.raises(job_queue.QueueUnknown, match="CREATE TABLE procrastinate_version"):
        deploy(url, revisions=revisions)
    run(url, f"CREATE TABLE procrastinate_version AS SELECT '{old[-1]}' AS version, now() AS applied_at")
    run(url, "ALTER TABLE procrastinate_version OWNER TO talktime_owner")
    assert status(url, revisions=revisions).queue == old[-1]
    assert not status(url, revisions=revisions).is_current
    assert deploy(url, revisions=revisions).is_current
    assert ask(url, "SELECT count(*) FROM procrastinate_version") == 1 + len(job_queue._versions()) - len(old)
    assert ask(url, "SELECT array_agg(proname ORDER BY proname) FROM pg_proc WHERE proname LIKE 'procrastinate%'") == (
        newest
    )
