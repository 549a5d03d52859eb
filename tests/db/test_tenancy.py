"""Who sees what: row-level security, read through the very pool the application uses.

Generated from the models: for every tenant table, as the application's role with another user's id set and with none,
no row is read and none written; neither as the grants are, nor if somebody granted everything by mistake.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from talktime.db.base import new_id
from talktime.db.session import Database
from tests.db.everything import DIRECTORY_TABLES, TABLES, TENANT_TABLES, Two
from tests.people import WHY, Person

BEHIND_A_POLICY = sorted([*TENANT_TABLES, "call_costs"])
"""The tables with rows of customers' in which a policy says whose; that of the costs says: nobody's."""
_DENIED = "42501"
"""What PostgreSQL says where a grant is missing, and where row-level security refuses a row."""
_STAYS = ("TT403", "TT409", _DENIED)
"""What a statement may be refused with before a policy is even asked: by a trigger of a table that only grows."""


@contextlib.asynccontextmanager
async def as_tenant(
    database: Database, table: str, user: str | None, *, everything_granted: bool = False
) -> AsyncIterator[AsyncConnection]:
    """The application's role with this user's id set (None: never set), in a transaction that is rolled back."""
    async with database.engine.connect() as connection:
        if everything_granted:
            await connection.execute(text("RESET ROLE"))
            await connection.execute(text("SET LOCAL ROLE talktime_owner"))
            await connection.execute(text(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO talktime"))
        await connection.execute(text("SET LOCAL ROLE talktime"))
        if user is not None:
            await connection.execute(text("SELECT set_config('talktime.user_id', :user, true)"), {"user": user})
        yield connection
        await connection.rollback()


async def tried(connection: AsyncConnection, statement: str, **values: object) -> tuple[str, int]:
    """What became of a statement: the code it was refused with ("" when it was not), and how many rows it touched."""
    try:
        async with connection.begin_nested():
            result = await connection.execute(text(statement), values)
            return "", result.rowcount
    except DBAPIError as refused:
        return str(getattr(refused.orig, "sqlstate", "")), 0


async def as_json(database: Database, table: str, person: Person) -> list[str]:
    """A customer's rows, as text that can be read back."""
    async with database.engine.connect() as connection:
        await connection.execute(text("RESET ROLE"))
        await connection.execute(text("SET LOCAL ROLE talktime_owner"))
        rows = await connection.execute(
            text(f"SELECT to_jsonb(t)::text FROM {table} t WHERE user_id = :user ORDER BY 1"), {"user": person.id}
        )
        return list(rows.scalars())


def test_every_table_is_clearly_of_one_kind() -> None:
    assert TENANT_TABLES == [
        "agent_drafts",
        "agent_versions",
        "agents",
        "audit_entries",
        "audit_heads",
        "billing_details",
        "call_turns",
        "calls",
        "charge_claims",
        "credit_accounts",
        "credit_holds",
        "credit_reversals",
        "credit_transactions",
        "idempotency_keys",
        "invoices",
        "ledger_checkpoints",
        "mail_choices",
        "notices",
        "payment_reversals",
        "purchases",
        "recovery_codes",
        "refund_requests",
        "top_ups",
        "turn_corrections",
        "use_counts",
        "use_days",
        "webhook_attempts",
        "webhook_deliveries",
        "webhook_endpoints",
        "webhook_events",
    ]
    for name in TENANT_TABLES:
        assert next(iter(TABLES[name].primary_key.columns)).name == "user_id", name


@pytest.mark.parametrize("table", TENANT_TABLES)
def test_a_row_points_only_at_rows_of_its_own_customer(table: str) -> None:
    for key in TABLES[table].foreign_key_constraints:
        if key.referred_table.name in TENANT_TABLES:
            assert ("user_id", "user_id") in [(each.parent.name, each.column.name) for each in key.elements], key.name


@pytest.mark.parametrize("table", TENANT_TABLES)
async def test_a_tenants_table_has_the_two_policies_and_no_other(two: Two, table: str) -> None:
    async with two.database.transaction(everyone=WHY) as db:
        policies = await db.execute(
            text(
                "SELECT policyname, roles::text, permissive, cmd, qual, with_check FROM pg_policies"
                " WHERE schemaname = 'public' AND tablename = :table ORDER BY 1"
            ),
            {"table": table},
        )
        found = [tuple(row) for row in policies]
        enabled = await db.scalar(
            text("SELECT relrowsecurity FROM pg_class WHERE oid = CAST(:table AS regclass)"), {"table": table}
        )
    assert enabled
    own = "(user_id = (NULLIF(current_setting('talktime.user_id'::text, true), ''::text))::uuid)"
    # Without a check of its own, what is written must satisfy what is read.
    assert found == [
        ("everyone", "{talktime_everyone}", "PERMISSIVE", "ALL", "true", None),
        ("own", "{talktime}", "PERMISSIVE", "ALL", own, None),
    ]


@pytest.mark.parametrize("table", TENANT_TABLES)
async def test_one_sees_ones_own_rows_and_nobody_elses(two: Two, table: str) -> None:
    whose = text(f"SELECT DISTINCT user_id FROM {table}")
    for person in (two.alice, two.bob):
        async with two.database.transaction(user=person.id) as db:
            assert (await db.scalars(whose)).all() == [person.id]
    async with two.database.transaction(everyone=WHY) as db:
        assert set((await db.scalars(whose)).all()) == {two.alice.id, two.bob.id}


@pytest.mark.parametrize("everything_granted", [False, True], ids=["as granted", "all granted"])
@pytest.mark.parametrize("unset", [None, ""], ids=["never set", "set to nothing"])
@pytest.mark.parametrize("table", BEHIND_A_POLICY)
async def test_with_no_user_set_nothing_is_seen_and_nothing_written(
    two: Two, table: str, unset: str | None, everything_granted: bool
) -> None:
    rows = await as_json(two.database, table, two.alice)
    assert rows
    # After a transaction with a user, the setting is '' and not unset; on a new connection it was never set.
    await two.database.engine.dispose()
    async with as_tenant(two.database, table, unset, everything_granted=everything_granted) as connection:
        await assert_out_of_reach(connection, table, two.alice, rows)
    assert await as_json(two.database, table, two.alice) == rows


@pytest.mark.parametrize("everything_granted", [False, True], ids=["as granted", "all granted"])
@pytest.mark.parametrize("table", BEHIND_A_POLICY)
async def test_bob_reads_and_writes_nothing_of_alices(two: Two, table: str, everything_granted: bool) -> None:
    rows = await as_json(two.database, table, two.alice)
    bob = str(two.bob.id)
    async with as_tenant(two.database, table, bob, everything_granted=everything_granted) as connection:
        await assert_out_of_reach(connection, table, two.alice, rows)
        # Nor is a row of his made hers.
        code, touched = await tried(connection, f"UPDATE {table} SET user_id = :alice", alice=two.alice.id)
        assert touched == 0
        assert code in _STAYS or table == "call_costs"  # of which he sees not even his own
    assert await as_json(two.database, table, two.alice) == rows


async def assert_out_of_reach(connection: AsyncConnection, table: str, owner: Person, rows: list[str]) -> None:
    """Whoever this connection is for cannot see, make, change, take over, lock or remove a row of `owner`'s."""
    whose = "WHERE user_id = :owner"
    for statement in (
        f"SELECT 1 FROM {table} {whose}",
        f"SELECT 1 FROM {table} {whose} FOR UPDATE",
        f"UPDATE {table} SET user_id = user_id {whose}",
        f"UPDATE {table} SET user_id = nullif(current_setting('talktime.user_id', true), '')::uuid {whose}",
        f"DELETE FROM {table} {whose}",
    ):
        code, touched = await tried(connection, statement, owner=owner.id)
        assert touched <= 0, statement
        assert code in ("", *_STAYS), statement
    for row in rows:
        code, _ = await tried(
            connection,
            f"INSERT INTO {table} SELECT (jsonb_populate_record(NULL::{table}, CAST(:row AS jsonb))).*",
            row=row,
        )
        assert code == _DENIED, table


@pytest.mark.parametrize("table", TENANT_TABLES + DIRECTORY_TABLES)
async def test_outside_a_transaction_of_ours_the_pool_may_read_nothing(
    database: Database, alice: Person, table: str
) -> None:
    async with database.transaction(user=alice.id):
        pass
    async with database.engine.connect() as connection:
        with pytest.raises(DBAPIError) as refused:
            await connection.execute(text(f"SELECT * FROM {table}"))
    assert getattr(refused.value.orig, "sqlstate", "") == "42501"


async def test_bob_cannot_insert_a_row_that_is_alices(database: Database, alice: Person, bob: Person) -> None:
    with pytest.raises(DBAPIError, match="row-level security"):
        async with database.transaction(user=bob.id) as db:
            await db.execute(
                text(
                    "INSERT INTO agents (user_id, id, name, business, language, zone)"
                    " VALUES (:u, :i, 'x', 'x', 'en', 'UTC')"
                ),
                {"u": alice.id, "i": new_id()},
            )


@pytest.mark.parametrize("table", sorted(set(DIRECTORY_TABLES) - {"prices", "credit_packs"}))
async def test_a_customer_does_not_read_the_directories(database: Database, alice: Person, table: str) -> None:
    with pytest.raises(DBAPIError, match="permission denied"):
        async with database.transaction(user=alice.id) as db:
            await db.execute(text(f"SELECT count(*) FROM {table}"))


async def test_of_the_prices_a_customer_sees_everybodys_and_their_own(two: Two) -> None:
    async with two.database.transaction(user=two.bob.id) as db:
        assert set(await db.scalars(text("SELECT DISTINCT user_id FROM prices"))) <= {two.bob.id, None}
    async with two.database.transaction(everyone=WHY) as db:
        assert two.alice.id in set(await db.scalars(text("SELECT DISTINCT user_id FROM prices")))


async def test_a_customer_raises_no_alert_about_somebody_else(two: Two) -> None:
    statement = text("INSERT INTO alerts (id, kind, user_id, detail) VALUES (:id, 'x', :user, '{}')")
    for user in (two.alice.id, None):
        with pytest.raises(DBAPIError, match="row-level security"):
            async with two.database.transaction(user=two.bob.id) as db:
                await db.execute(statement, {"id": new_id(), "user": user})


async def test_a_number_points_only_at_an_agent_of_its_own_user(database: Database, alice: Person, bob: Person) -> None:
    with pytest.raises(DBAPIError, match="fk_phone_numbers_user_id_agent_id"):
        async with database.transaction(everyone=WHY) as db:
            await db.execute(
                text("UPDATE phone_numbers SET agent_id = :agent WHERE number = :number"),
                {"agent": bob.agent, "number": alice.number},
            )


async def test_a_transaction_says_whose_it_is(database: Database, alice: Person) -> None:
    for arguments in ({}, {"user": alice.id, "everyone": WHY}):
        with pytest.raises(AssertionError):
            async with database.transaction(**arguments):  # type: ignore[arg-type]
                pass


async def test_what_fails_leaves_nothing_and_what_succeeds_is_there(database: Database, alice: Person) -> None:
    async def rename(name: str, *, fails: bool) -> None:
        async with database.transaction(user=alice.id) as db:
            await db.execute(text("UPDATE agents SET name = :name"), {"name": name})
            if fails:
                raise RuntimeError(name)

    await rename("kept", fails=False)
    with pytest.raises(RuntimeError):
        await rename("lost", fails=True)
    async with database.transaction(user=alice.id) as db:
        assert await db.scalar(text("SELECT name FROM agents")) == "kept"


async def test_a_connection_that_died_in_the_pool_is_replaced(empty_database: Database) -> None:
    async with empty_database.transaction(everyone=WHY) as db:
        pid = await db.scalar(text("SELECT pg_backend_pid()"))
    async with empty_database.engine.connect() as connection:
        # The pool hands out the same connection again, and this one is it: end it from inside.
        with pytest.raises(DBAPIError):
            await connection.execute(text("RESET ROLE"))
            await connection.execute(text("SET ROLE postgres"))
            await connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
            await connection.execute(text("SELECT 1"))
    async with empty_database.transaction(everyone=WHY) as db:
        assert await db.scalar(text("SELECT pg_backend_pid()")) != pid


async def die_in_the_pool(database: Database, count: int) -> None:
    """So many connections are made, lie in the pool, and end there, as when the server is restarted."""
    together = asyncio.Barrier(count)

    async def one() -> int:
        async with database.transaction(everyone=WHY) as db:
            pid: int = (await db.execute(text("SELECT pg_backend_pid()"))).scalar_one()
            await together.wait()
        return pid

    pids = await asyncio.gather(*(one() for _ in range(count)))
    assert len(set(pids)) == count
    address = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    async with await psycopg.AsyncConnection.connect(address, autocommit=True) as other:
        await other.execute("SELECT pg_terminate_backend(pid, 5000) FROM unnest(%s) pid", (list(pids),))


async def test_nobody_notices_that_all_connections_in_the_pool_died(empty_database: Database) -> None:
    await die_in_the_pool(empty_database, 5)
    for _ in range(5):
        async with empty_database.transaction(everyone=WHY) as db:
            assert await db.scalar(text("SELECT current_setting('role')")) == "talktime_everyone"


async def test_a_snapshot_is_one_also_on_a_connection_that_was_replaced(empty_database: Database) -> None:
    await die_in_the_pool(empty_database, 1)
    async with empty_database.transaction(everyone=WHY, snapshot=True) as db:
        assert await db.scalar(text("SHOW transaction_isolation")) == "repeatable read"
    async with empty_database.transaction(everyone=WHY) as db:
        assert await db.scalar(text("SHOW transaction_isolation")) == "read committed"
