"""The same asked through the pool of an installation whose DATABASE_URL is a login of its own: whatever the application
is made to say there, nothing of the schema changes.
"""

import os
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from talktime.db import embedded
from talktime.db.deploy import deploy
from talktime.db.roles import EVERYONE, LOGIN, TENANT
from talktime.db.session import Database, connect
from tests.db.conftest import run
from tests.db.everything import TABLES, TENANT_TABLES
from tests.people import WHY, new_person


@dataclass(frozen=True)
class Guarded:
    """An installation deployed by one login and used by another."""

    database: Database
    user: uuid.UUID


@pytest.fixture(scope="module")
def guarded_server() -> Iterator[embedded.Server]:
    programs = os.environ.get("TALKTIME_TEST_POSTGRES")
    with embedded.temporary(
        logins=("deployer", "application"), programs=Path(programs) if programs else None
    ) as server:
        run(server.url("postgres"), "CREATE ROLE deployer LOGIN CREATEROLE; CREATE ROLE application LOGIN")
        run(server.url("postgres"), "CREATE DATABASE shop OWNER deployer")
        deploy(server.url("shop", "application"), server.url("shop", "deployer"))
        yield server


@pytest.fixture(scope="module")
async def guarded(guarded_server: embedded.Server) -> AsyncIterator[Guarded]:
    database = connect(guarded_server.url("shop", "application"))
    alice = await new_person(database, "Alice", credits=1000)
    yield Guarded(database, alice.id)
    await database.close()


ON_A_TABLE = (
    "ALTER TABLE {0} ADD COLUMN mine integer",
    "ALTER TABLE {0} DISABLE TRIGGER ALL",
    "ALTER TABLE {0} DISABLE ROW LEVEL SECURITY",
    "ALTER TABLE {0} OWNER TO CURRENT_USER",
    "ALTER TABLE {0} RENAME TO mine",
    "CREATE POLICY mine ON {0} USING (true)",
    "CREATE INDEX ON {0} ((1))",
    "CREATE TRIGGER mine BEFORE UPDATE ON {0} FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "CREATE RULE mine AS ON UPDATE TO {0} DO INSTEAD NOTHING",
    "TRUNCATE {0} CASCADE",
    "DROP TABLE {0} CASCADE",
)
ON_A_TENANTS_TABLE = (
    "DROP POLICY own ON {0}",
    "ALTER POLICY own ON {0} USING (true)",
    # With it off a query that a policy would narrow is refused, and not answered in full.
    "SET LOCAL row_security = off; SELECT count(*) FROM {0}",
)
ON_ANYTHING = (
    "SET ROLE talktime_owner",
    "SET ROLE deployer",
    "SET ROLE postgres",
    "SET SESSION AUTHORIZATION talktime_owner",
    "SET SESSION AUTHORIZATION postgres",
    "SET session_replication_role = replica",
    "ALTER ROLE talktime BYPASSRLS",
    "ALTER ROLE talktime_login INHERIT",
    "ALTER ROLE application SUPERUSER",
    "GRANT talktime_owner TO application",
    "GRANT talktime_everyone TO talktime",
    "CREATE ROLE mine",
    "CREATE TABLE public.mine (id integer)",
    "CREATE VIEW public.mine AS SELECT 1",
    "CREATE FUNCTION public.mine() RETURNS integer LANGUAGE sql RETURN 1",
    "CREATE OR REPLACE FUNCTION assert_tenant(p_user uuid) RETURNS void LANGUAGE sql AS 'SELECT'",
    "ALTER FUNCTION assert_tenant(uuid) OWNER TO CURRENT_USER",
    "DROP FUNCTION assert_tenant(uuid) CASCADE",
    "CREATE SCHEMA mine",
    "ALTER SCHEMA public OWNER TO CURRENT_USER",
    "DROP SCHEMA public CASCADE",
    "ALTER DATABASE shop SET row_security = off",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "COPY (SELECT 1) TO '/tmp/talktime-mine'",
    "SELECT pg_read_file('/etc/hostname')",
    "SELECT lo_import('/etc/hostname')",
    "SELECT pg_reload_conf()",
    "SELECT pg_switch_wal()",
)


@pytest.mark.parametrize("role", [LOGIN, "NONE", TENANT, EVERYONE])
async def test_through_the_pool_nothing_of_the_schema_can_be_changed(guarded: Guarded, role: str) -> None:
    async with guarded.database.engine.connect() as connection:
        assert (
            await connection.scalar(text("SELECT session_user || ' as ' || current_user")) == f"application as {LOGIN}"
        )
        every = list(
            await connection.scalars(
                text("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'")
            )
        )
        assert set(TABLES) < set(every)
        await connection.execute(text(f"SET LOCAL ROLE {role}"))
        await connection.execute(text("SELECT set_config('talktime.user_id', :id, true)"), {"id": str(guarded.user)})
        statements = [each.format(table) for table in every for each in ON_A_TABLE]
        statements += [each.format(table) for table in TENANT_TABLES for each in ON_A_TENANTS_TABLE]
        for statement in (*statements, *ON_ANYTHING):
            with pytest.raises(DBAPIError) as refused:
                async with connection.begin_nested():
                    for part in statement.split("; "):
                        await connection.execute(text(part))
                    pytest.fail(f"{role} may {statement}")
            assert getattr(refused.value.orig, "sqlstate", "") == "42501", statement
        await connection.rollback()


async def test_through_the_pool_a_customer_sees_neither_statistics_of_rows_nor_what_others_ask(
    guarded: Guarded, guarded_server: embedded.Server
) -> None:
    run(guarded_server.url("shop"), "ANALYZE")
    async with guarded.database.transaction(everyone=WHY) as other:
        await other.execute(text("SELECT 'a secret of somebody else'"))
        async with guarded.database.transaction(user=guarded.user) as db:
            seen = await db.scalars(text("SELECT query FROM pg_stat_activity WHERE pid <> pg_backend_pid()"))
            assert not [query for query in seen if query and "secret" in query]
            tables = await db.scalars(text("SELECT DISTINCT tablename FROM pg_stats WHERE schemaname = 'public'"))
            # Behind a policy there are none; the price list and the packs are everybody's to read.
            assert set(tables) <= {"credit_packs", "procrastinate_jobs"}
