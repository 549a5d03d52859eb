"""Who sees what: row-level security, read through the very pool the application uses."""

import asyncio
import uuid

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from talktime.calls import lifecycle
from talktime.carriers.contract import Ring
from talktime.cli.models import metadata
from talktime.db.base import new_id
from talktime.db.session import Database
from talktime.payments.models import Purchase
from tests.people import WHY, Person

TABLES = metadata().tables
OPERATORS_TABLES = ("call_costs", "purchase_directory")
"""Rows about a customer that only the operator may read: what calls cost, and how a payment finds its purchase."""
TENANT_TABLES = sorted(
    table.name
    for table in TABLES.values()
    if "user_id" in table.primary_key.columns and table.name not in OPERATORS_TABLES
)
DIRECTORY_TABLES = sorted(set(TABLES) - set(TENANT_TABLES))


_ROWS = (
    (
        "INSERT INTO charge_claims (user_id, call_id, reason, state, automatic, credits)"
        " VALUES (:user, :call, 'spam', 'REQUESTED', false, 5)"
    ),
    (
        "INSERT INTO credit_reversals (user_id, reference, purchase_id, type, asked, taken)"
        " VALUES (:user, 'refund:x', :purchase, 'REFUND', 5, 0)"
    ),
    "INSERT INTO notices (user_id, id, kind, subject) VALUES (:user, :new, 'low_balance', '1')",
    (
        "INSERT INTO payment_reversals (user_id, id, purchase_id, kind, state, amount_minor, currency)"
        " VALUES (:user, 're_x', :purchase, 'REFUND', 'PENDING', 5, 'EUR')"
    ),
    (
        "INSERT INTO refund_requests (user_id, request_key, purchase_id, amount_minor, actor_id)"
        " VALUES (:user, 'x', :purchase, 5, :user)"
    ),
    "INSERT INTO top_ups (user_id) VALUES (:user)",
    "INSERT INTO billing_details (user_id) VALUES (:user)",
    (
        "INSERT INTO invoices (user_id, id, number, series, no, kind, purchase_id, paid_at, seller, buyer, description,"
        " payment_reference, currency, vat_basis_points, net_minor, vat_minor, gross_minor)"
        " VALUES (:user, :new, 'TT-1', 'TT', 1, 'INVOICE', :purchase, now(), '{}', '{}', 'x', 'x', 'EUR', 0, 5, 0, 5)"
    ),
)
"""Rows that only functions or handlers write; the owner of the tables stands in for them."""


@pytest.fixture
async def alice_with_everything(database: Database, alice: Person) -> Person:
    """Alice, with a row in every tenant table."""
    async with database.transaction(everyone=WHY) as db:
        rang = Ring(account="AC", call_id=f"CA{uuid.uuid4().hex}", caller="+4915112345678", dialled=alice.number)
        decision = await lifecycle.ring(db, "simulated", rang)
        assert decision.call_id is not None
        call = await lifecycle.answer(db, alice.id, decision.call_id, "owner")
        assert call is not None
        turn = {
            "turn_no": 1,
            "speaker": "AGENT",
            "text": "Hello.",
            "began_ms": 0,
            "ended_ms": 900,
            "interrupted": False,
        }
        extra: dict[str, object] = {"latency": None, "tools": [], "sources": []}
        await lifecycle.write_turn(db, {"user_id": alice.id, "call_id": call.call_id, **turn, **extra})
        purchase = new_id()
        db.add(Purchase(user_id=alice.id, id=purchase, credits=5, price_minor=5, currency="EUR", gateway="test"))
        await db.flush()
        await db.execute(text("RESET ROLE"))
        await db.execute(text("SET LOCAL ROLE talktime_owner"))
        for statement in _ROWS:
            await db.execute(
                text(statement), {"user": alice.id, "call": call.call_id, "purchase": purchase, "new": new_id()}
            )
        await db.execute(
            text(
                "INSERT INTO ledger_checkpoints (user_id, seq, balance, hash, verified_at)"
                " VALUES (:user, 1, 1000, '\\x00', now())"
            ),
            {"user": alice.id},
        )
    return alice


def test_every_table_is_clearly_of_one_kind() -> None:
    assert TENANT_TABLES == [
        "agent_versions",
        "agents",
        "billing_details",
        "call_turns",
        "calls",
        "charge_claims",
        "credit_accounts",
        "credit_holds",
        "credit_reversals",
        "credit_transactions",
        "invoices",
        "ledger_checkpoints",
        "notices",
        "payment_reversals",
        "purchases",
        "refund_requests",
        "top_ups",
    ]
    for name in TENANT_TABLES:
        assert next(iter(TABLES[name].primary_key.columns)).name == "user_id", name


@pytest.mark.parametrize("table", TENANT_TABLES)
async def test_one_sees_ones_own_rows_and_nobody_elses(
    database: Database, alice_with_everything: Person, bob: Person, table: str
) -> None:
    count = text(f"SELECT count(*) FROM {table} WHERE user_id = :user")
    async with database.transaction(user=alice_with_everything.id) as db:
        assert await db.scalar(count, {"user": alice_with_everything.id}) > 0
        assert (
            await db.scalar(
                text(f"SELECT count(*) FROM {table} WHERE user_id <> :user"), {"user": alice_with_everything.id}
            )
            == 0
        )
    async with database.transaction(user=bob.id) as db:
        assert await db.scalar(count, {"user": alice_with_everything.id}) == 0
    async with database.transaction(everyone=WHY) as db:
        assert await db.scalar(count, {"user": alice_with_everything.id}) > 0


@pytest.mark.parametrize("table", TENANT_TABLES)
async def test_with_no_user_set_nothing_is_seen(database: Database, alice_with_everything: Person, table: str) -> None:
    async with database.engine.connect() as connection:
        await connection.execute(text("SET LOCAL ROLE talktime"))
        assert await connection.scalar(text(f"SELECT count(*) FROM {table}")) == 0
        # After a transaction with a user, the setting is '' and not unset.
        await connection.execute(text("SELECT set_config('talktime.user_id', '', true)"))
        assert await connection.scalar(text(f"SELECT count(*) FROM {table}")) == 0


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


@pytest.mark.parametrize("table", TENANT_TABLES)
@pytest.mark.parametrize("verb", ["insert", "update", "delete"])
async def test_bob_writes_nothing_of_alices(
    database: Database, alice_with_everything: Person, bob: Person, table: str, verb: str
) -> None:
    statement = {
        "insert": f"INSERT INTO {table} SELECT * FROM {table} WHERE user_id = :user",
        "update": f"UPDATE {table} SET user_id = user_id WHERE user_id = :user",
        "delete": f"DELETE FROM {table} WHERE user_id = :user",
    }[verb]
    touched = 0
    try:
        async with database.transaction(user=bob.id) as db:
            result = await db.execute(text(statement), {"user": alice_with_everything.id})
            touched = getattr(result, "rowcount", 0)
    except DBAPIError as refused:
        assert getattr(refused.orig, "sqlstate", "") == "42501"  # noqa: PT017  either is right
    assert touched == 0


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


@pytest.mark.parametrize(
    "table",
    [
        *OPERATORS_TABLES,
        "users",
        "sessions",
        "phone_numbers",
        "call_directory",
        "provider_events",
        "cost_rates",
        "approvals",
        "invoice_series",
        "invoice_numbers",
        "payment_rounds",
        "ungranted_payments",
        "ungranted_reversals",
        "alerts",
    ],
)
async def test_a_customer_does_not_read_the_directories(database: Database, alice: Person, table: str) -> None:
    with pytest.raises(DBAPIError, match="permission denied"):
        async with database.transaction(user=alice.id) as db:
            await db.execute(text(f"SELECT * FROM {table}"))


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
