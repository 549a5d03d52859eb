"""The job queue's own tables. They are the library's, not ours: its schema is applied once, later its shipped
migrations, and which one came last is kept in `procrastinate_version`.

The rule: whoever works for one user may add a job and read no job's task or arguments.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
from procrastinate.schema import SchemaManager

from talktime.db.roles import EVERYONE, TENANT
from talktime.errors import TalktimeError

_MIGRATIONS = Path(SchemaManager.get_migrations_path())


def _versions() -> list[str]:
    """The library's migrations in the order in which they are applied."""
    return sorted(path.stem for path in _MIGRATIONS.glob("*.sql"))


VERSION = _versions()[-1]
"""The newest migration that the installed library ships; its full schema contains it."""


class QueueUnknown(TalktimeError):
    """The job queue's tables are there, but nobody wrote down which version they are.

    Find the newest file of procrastinate/sql/migrations that was applied, and:
    CREATE TABLE procrastinate_version AS SELECT '<its name without .sql>' AS version, now() AS applied_at;
    """

    status = 409


def version(connection: psycopg.Connection[Any]) -> str | None:
    """The version of the queue's tables in a database; None when there are none."""
    if not _exists(connection, "procrastinate_version"):
        return None
    row = connection.execute("SELECT max(version) FROM procrastinate_version").fetchone()
    return row[0] if row else None


def install(connection: psycopg.Connection[Any], say: Callable[[str], None] = lambda _: None) -> None:
    """Bring the queue's tables up to date, as their owner. A database newer than the library is left as it is."""
    with connection.transaction():
        if not _exists(connection, "procrastinate_jobs"):
            say("Making the job queue …")
            connection.execute(SchemaManager.get_schema())
            connection.execute(_VERSION_TABLE)
            _record(connection, VERSION)
        current = version(connection)
        if current is None:
            raise QueueUnknown
        for migration in _versions():
            if migration > current:
                say(f"Job queue: {migration} …")
                connection.execute((_MIGRATIONS / f"{migration}.sql").read_bytes())
                _record(connection, migration)
        connection.execute(_GRANTS.encode())


def _record(connection: psycopg.Connection[Any], migration: str) -> None:
    connection.execute("INSERT INTO procrastinate_version (version) VALUES (%s)", [migration])


def _exists(connection: psycopg.Connection[Any], table: str) -> bool:
    query = "SELECT FROM pg_tables WHERE schemaname = 'public' AND tablename = %s"
    return connection.execute(query, [table]).fetchone() is not None


_VERSION_TABLE = """
CREATE TABLE procrastinate_version (version text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"""

# Deferring a job calls one function with the caller's rights: it inserts into the jobs and gets back the id, and
# triggers insert into the events. The library reads from an error's detail which queueing lock was taken, and
# PostgreSQL tells that only to who may read the column: so a queueing lock must hold nothing but ids.
# Said at each deploy, because a migration may bring new things.
_GRANTS = f"""
DO $$
DECLARE
    v_thing text;
BEGIN
    FOR v_thing IN
        SELECT format('%I', tablename) FROM pg_tables WHERE schemaname = 'public' AND tablename LIKE 'procrastinate\\_%'
    LOOP
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO {EVERYONE}', v_thing);
    END LOOP;
    FOR v_thing IN
        SELECT format('%I', sequencename) FROM pg_sequences
        WHERE schemaname = 'public' AND sequencename LIKE 'procrastinate\\_%'
    LOOP
        EXECUTE format('GRANT USAGE, SELECT ON SEQUENCE %s TO {EVERYONE}', v_thing);
    END LOOP;
    FOR v_thing IN
        SELECT oid::regprocedure::text FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace AND proname LIKE 'procrastinate\\_%'
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', v_thing);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO {EVERYONE}', v_thing);
        IF v_thing LIKE 'procrastinate\\_defer\\_jobs\\_%' THEN
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO {TENANT}', v_thing);
        END IF;
    END LOOP;
END
$$;
GRANT INSERT, SELECT (id, queueing_lock) ON procrastinate_jobs TO {TENANT};
GRANT INSERT ON procrastinate_events TO {TENANT};
GRANT USAGE ON SEQUENCE procrastinate_jobs_id_seq, procrastinate_events_id_seq TO {TENANT};
"""  # noqa: S608  the roles are constants
