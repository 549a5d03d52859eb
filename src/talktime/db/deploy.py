"""Bringing a database up to date: roles, schema, job queue. Each step can be done again, and two deploys at once come
to the same end: one migrates while the other waits.

The rule: everything belongs to `talktime_owner`, so migrations run as that role, never as whoever deploys.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg import sql
from sqlalchemy import create_engine
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from talktime.db import job_queue
from talktime.db.roles import EVERYONE, LOGIN, MAKE_ROLES, OPEN_SCHEMA, OWNER, TENANT
from talktime.errors import TalktimeError

REVISIONS = Path(__file__).parent / "migrations" / "versions"
LOCK_SECONDS_MAX = 5.0
"""So long a migration waits for a lock: everybody else waits behind it."""

LOCK_TRIES = 5

_LOCK = 0x7A1C_71AE
"""The advisory lock of whoever migrates this database."""

_ALEMBIC = threading.Lock()
"""Alembic keeps what it is doing in module globals, so one thread at a time."""

Say = Callable[[str], None]


class DeployFailed(TalktimeError):
    """The database cannot be brought up to date."""

    status = 503


@dataclass(frozen=True)
class Status:
    """How far a database is behind the code."""

    current: str | None
    head: str | None
    pending: tuple[str, ...]
    queue: str | None
    queue_head: str

    @property
    def is_current(self) -> bool:
        return not self.pending and self.queue == self.queue_head


def deploy(
    database_url: str,
    owner_url: str | None = None,
    *,
    revisions: Path = REVISIONS,
    say: Say = lambda _: None,
    lock_seconds_max: float = 600,
) -> Status:
    """Bring a database up to date. `owner_url` is who may make roles and migrate; the same as `database_url` if None.

    Blocks: call it in a thread. Raises `DeployFailed`, which says what an administrator must do.
    """
    owner_url = owner_url or database_url
    with connected(owner_url) as connection, _alone(connection, say, lock_seconds_max):
        owner = _prepare(connection)
        with connected(database_url) as other:
            user, is_superuser = _who(other)
        if user != owner and not is_superuser:
            _admit(connection, user, (LOGIN, TENANT, EVERYONE))
        status(owner_url, revisions=revisions)  # refuses a database that is newer than this code
        upgrade(owner_url, revisions=revisions, say=say)
        with connected(owner_url) as another:
            _become_owner(another)
            _patiently(lambda: job_queue.install(another, say), say)
            # So that whoever only uses the database can see whether it is up to date.
            another.execute("GRANT SELECT ON alembic_version, procrastinate_version TO talktime_everyone")
    return status(owner_url, revisions=revisions)


def prepare(owner_url: str) -> None:
    """Make what a database needs before anything is in it: the roles, and that its owner may become them. Blocks."""
    with connected(owner_url) as connection:
        _prepare(connection)


def status(owner_url: str, *, revisions: Path = REVISIONS) -> Status:
    """Compare a database with the code. A database that was never deployed is fine: everything is pending."""
    script = ScriptDirectory.from_config(alembic_config(revisions))
    head = script.get_current_head()
    with _engine_connection(owner_url) as connection, _worded():
        raw = _raw(connection)
        raw.autocommit = True
        if _value(raw, "SELECT pg_has_role(oid, 'MEMBER') FROM pg_roles WHERE rolname = %s", OWNER):
            _become_owner(raw)
        current = MigrationContext.configure(connection).get_current_revision()
        known = {revision.revision for revision in script.walk_revisions()}
        if current is not None and current not in known:
            raise DeployFailed(f"The database is at revision {current}, which this Talktime does not know: update it.")
        pending = [revision.revision for revision in script.iterate_revisions(head, current)] if head else []
        return Status(current, head, tuple(reversed(pending)), job_queue.version(raw), job_queue.VERSION)


def _prepare(connection: psycopg.Connection[Any]) -> str:
    make_roles(connection)
    owner, is_superuser = _who(connection)
    if not is_superuser:
        _admit(connection, owner, (OWNER, LOGIN, TENANT, EVERYONE))
    return owner


def make_roles(connection: psycopg.Connection[Any]) -> None:
    """Make the roles and open the schema to them. Another database's deploy may do so at the same moment."""
    for attempt in range(20):
        try:
            connection.execute(MAKE_ROLES)
            connection.execute(OPEN_SCHEMA)
            break
        except (psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation, psycopg.errors.InternalError_):
            if attempt == 19:  # the last is "tuple concurrently updated"
                raise
            time.sleep(0.05)
        except psycopg.errors.InsufficientPrivilege as error:
            user = _who(connection)[0]
            raise DeployFailed(
                f"{_line(error)}. Deploying needs a user who may make roles and owns the database. "
                f'As an administrator: ALTER ROLE "{user}" CREATEROLE; '
                f'ALTER DATABASE "{connection.info.dbname}" OWNER TO "{user}";'
            ) from error
    wanted = ((OWNER, "USAGE"), (OWNER, "CREATE"), (TENANT, "USAGE"), (EVERYONE, "USAGE"), (LOGIN, "USAGE"))
    if not all(_value(connection, "SELECT has_schema_privilege(%s, 'public', %s)", *pair) for pair in wanted):
        user, database = _who(connection)[0], connection.info.dbname
        raise DeployFailed(
            f"{user} may not open schema public to {OWNER}. As an administrator: "
            f'ALTER DATABASE "{database}" OWNER TO "{user}"; or GRANT USAGE, CREATE ON SCHEMA public TO "{user}" '
            "WITH GRANT OPTION;"
        )


def upgrade(owner_url: str, *, revisions: Path = REVISIONS, say: Say = lambda _: None) -> None:
    """Run the pending revisions as the owner, each in its own transaction; a lock that is not free is tried again."""
    config = alembic_config(revisions)
    config.attributes["say"] = say

    def run() -> None:
        with _engine_connection(owner_url) as connection, _ALEMBIC:
            _become_owner(_raw(connection))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    _patiently(run, say)


def _patiently(run: Callable[[], None], say: Say) -> None:
    """Do it again when a table is in use."""
    for attempt in range(LOCK_TRIES):
        try:
            return run()
        except (psycopg.Error, DBAPIError) as error:
            reason = getattr(error, "orig", error)
            if not isinstance(reason, psycopg.errors.LockNotAvailable) or attempt == LOCK_TRIES - 1:
                raise DeployFailed(f"Migrating failed: {_line(reason)}") from error
            say("A table is in use: trying again …")
            time.sleep(1 + attempt)
    return None


def alembic_config(revisions: Path) -> Config:
    """How Alembic finds our one history; without a file, because there is nothing in it for anybody to set."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("version_locations", str(revisions).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    return config


@contextlib.contextmanager
def connected(url: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection of its own, each statement its own transaction. Raises DeployFailed in words."""
    try:
        connection = psycopg.connect(url, autocommit=True, connect_timeout=10, application_name="talktime deploy")
    except psycopg.OperationalError as error:
        raise DeployFailed(f"No connection to the database: {_line(error)}") from error
    with connection, _worded():
        yield connection


@contextlib.contextmanager
def _worded() -> Iterator[None]:
    """What the database refuses, as a message."""
    try:
        yield
    except (psycopg.Error, DBAPIError) as error:
        raise DeployFailed(_line(getattr(error, "orig", error))) from error


@contextlib.contextmanager
def _engine_connection(url: str) -> Iterator[Connection]:
    engine = create_engine(
        make_url(url).set(drivername="postgresql+psycopg"),
        poolclass=NullPool,
        connect_args={"connect_timeout": 10, "application_name": "talktime deploy"},
    )
    try:
        try:
            connection = engine.connect()
        except DBAPIError as error:
            raise DeployFailed(f"No connection to the database: {_line(error.orig or error)}") from error
        with connection:
            yield connection
    finally:
        engine.dispose()


@contextlib.contextmanager
def _alone(connection: psycopg.Connection[Any], say: Say, seconds_max: float) -> Iterator[None]:
    """Be the only one who migrates this database; PostgreSQL lets go of the lock when we die."""
    deadline = time.monotonic() + seconds_max
    told = False
    while not _value(connection, "SELECT pg_try_advisory_lock(%s)", _LOCK):
        holder = _value(connection, _HOLDER, _LOCK)
        if time.monotonic() > deadline:
            raise DeployFailed(f"Another deploy has not ended in {seconds_max:.0f} seconds ({holder or 'gone now'}).")
        if holder and not told:
            say(f"Another deploy is at work ({holder}): waiting for it …")
            told = True
        time.sleep(0.1)
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


_HOLDER = """
    SELECT concat('process ', a.pid, ' of ', a.usename, ', connected since ', a.backend_start::timestamptz(0))
    FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.database = (
        SELECT oid FROM pg_database WHERE datname = current_database())
        AND (l.classid::bigint << 32 | l.objid::bigint) = %s"""


def _admit(connection: psycopg.Connection[Any], user: str, roles: tuple[str, ...]) -> None:
    """Let a user become the roles it works as. From 16 on it gets none of their rights before it does."""
    modern = connection.info.server_version >= 160000
    for role in roles:
        if _value(connection, "SELECT pg_has_role(%s, %s, %s)", user, role, "SET" if modern else "MEMBER"):
            continue
        option = sql.SQL(" WITH INHERIT FALSE, SET TRUE" if modern else "")
        grant = sql.SQL("GRANT {} TO {}{}").format(sql.Identifier(role), sql.Identifier(user), option)
        for attempt in range(20):
            try:
                connection.execute(grant)
                break
            except psycopg.errors.InternalError_:
                if attempt == 19:
                    raise
                time.sleep(0.05)
            except psycopg.errors.InsufficientPrivilege as error:
                wanted = grant.as_string(connection)
                raise DeployFailed(f"{_line(error)}. As an administrator: {wanted};") from error


def _become_owner(connection: psycopg.Connection[Any]) -> None:
    """For the rest of the connection, whatever is rolled back: hence outside any transaction."""
    connection.autocommit = True
    connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(OWNER)))
    connection.execute("SET search_path TO public")
    connection.execute(sql.SQL("SET lock_timeout TO {}").format(int(LOCK_SECONDS_MAX * 1000)))
    connection.execute("SET statement_timeout TO '15min'")
    connection.autocommit = False


def _raw(connection: Connection) -> psycopg.Connection[Any]:
    raw: Any = connection.connection.driver_connection
    return raw  # type: ignore[no-any-return]  # SQLAlchemy knows no driver's types


def _who(connection: psycopg.Connection[Any]) -> tuple[str, bool]:
    row = connection.execute("SELECT rolname, rolsuper FROM pg_roles WHERE rolname = session_user").fetchone()
    assert row is not None
    return row[0], row[1]


def _value(connection: psycopg.Connection[Any], query: str, *values: object) -> Any:
    row = connection.execute(query.encode(), values).fetchone()
    return row[0] if row else None


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())
