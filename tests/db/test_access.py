"""What the application's roles may not do, however they are asked: the functions that run with their owner's rights
serve nobody for somebody else, and nothing of the schema, the books or the audit log is theirs to change.

Generated from the catalog: a function that is granted to the tenant's role and has no entry in `CALLS` fails.
"""

import contextlib
import re
from collections.abc import AsyncIterator, Mapping

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from talktime.db.base import new_id
from talktime.db.roles import EVERYONE, LOGIN, OWNER, TENANT
from talktime.db.session import Database
from tests.db.everything import TABLES, TENANT_TABLES, Two, digests, digests_of
from tests.people import WHY

CALLS: Mapping[str, str] = {
    "answer_call_v1": ":user, :call, 'thief'",
    "answer_v1": ":user, :call, 'thief'",
    "audit_v1": ":user, :user, 'session.began', NULL, NULL, 'web', NULL",
    "authorise_v1": ":user, :call",
    "begin_leg_v1": ":user, :call, :new, '+4930123456'",
    "claim_v1": ":user, :call, 'spam'",
    "close_v1": ":user",
    "correct_call_v1": ":user, :call",
    "correct_v1": ":user, :call, 5",
    "cut_v1": ":user, :call, 'owner'",
    "end_leg_v1": ":user, :call, 'owner', 5, 'because'",
    "extend_many_v1": "'owner', :users, :calls, '{9,9}'",
    "empty_webhooks_v1": ":user",
    "extend_v1": ":user, :call, 'owner', 9",
    "find_words_v1": ":user, 'hello', NULL, 9, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL",
    "finish_v1": ":user, :call, 5, false, 'because'",
    "forget_calls_v1": ":user, :calls, '+4915112345678'",
    "give_up_v1": ":user, :call",
    "heartbeat_v1": "'owner', :users, :calls, '{9,9}'",
    "lose_v1": ":user, :call",
    "name_leg_v1": ":user, :call, 'simulated', :sid",
    "note_costs_v1": ":user, :call, '{x}', '{PROMPT_TOKENS}', '{5}', '{false}'",
    "redact_calls_v1": ":user, '00000000-0000-0000-0000-000000000000', 10, 'Hello', 'x'",
    "redact_notices_v1": ":user, '.', 'x'",
    "redact_webhooks_v1": ":user, '00000000-0000-0000-0000-000000000000', 10, 'Hello', 'x'",
    "rent_v1": ":user, :number, '2026-01-01', 5",
    "return_call_v1": ":user, :call, 'owner', '00000000-0000-0000-0000-000000000001'",
    "said_on_v1": ":user, :calls, 'hello'",
    "set_guards_v1": ":user, 5, 5, 5",
    "set_low_balance_v1": ":user, 5",
    "settle_many_v1": ":users, :calls, '{5,5}'",
    "settle_v1": ":user, :call, 5",
    "webhook_event_v1": ":user, 'call.ended', '{}'",
}
"""How each function that runs with its owner's rights and is granted to the tenant's role is called: for `:user`, or
for two `:users`, and about `:call`, `:purchase`, `:number` and the carrier's `:sid`, which are somebody's."""

ARITHMETIC = ("credit_affords", "credit_cost", "turn_words", "word_text")
"""Functions that only compute: they look at no table."""

TENANT_WRITES = {
    "agent_drafts": "INSERT, UPDATE",
    "agent_versions": "INSERT",
    "agents": "INSERT, UPDATE",
    "alerts": "INSERT",
    "billing_details": "INSERT, UPDATE",
    "call_turns": "INSERT",
    "calls": "UPDATE",
    # Its own answers to its own questions, which it gives up when one could not be answered.
    "idempotency_keys": "DELETE, INSERT, UPDATE",
    "mail_choices": "INSERT, UPDATE",
    "notices": "INSERT",
    "top_ups": "INSERT, UPDATE",
    "turn_corrections": "DELETE, INSERT, UPDATE",
    "webhook_deliveries": "INSERT, UPDATE",
    "webhook_endpoints": "INSERT, UPDATE",
    "webhook_events": "INSERT, UPDATE",
}
"""What the tenant's role may write by itself: all else is written by functions, or by who sees everyone's."""

BY_FUNCTIONS_ALONE = (
    "audit_entries", "audit_heads", "call_directory", "charge_claims", "credit_accounts", "credit_holds",
    "credit_reversals", "credit_transactions", "use_counts", "use_days",
)  # fmt: skip
"""The books, the audit log, how a call is found, what was counted: no role of the application writes them by itself."""

APPEND_ONLY = ("audit_entries", "credit_transactions", "invoice_numbers", "invoices")
"""What is written there stays, whoever asks: a trigger stands behind the missing grants."""

_OURS = "n.nspname = 'public' AND p.proname NOT LIKE 'procrastinate%'"


# Functions that run with their owner's rights.


async def test_every_function_that_is_granted_to_the_tenant_has_an_entry_here(two: Two) -> None:
    assert set(await functions(two.database, f"has_function_privilege('{TENANT}', p.oid, 'EXECUTE')")) == {
        *CALLS,
        *ARITHMETIC,
    }
    definers = set(await functions(two.database, "p.prosecdef"))
    assert set(CALLS) <= definers
    # No table is looked at by what neither runs with another's rights nor may look.
    assert set(ARITHMETIC) <= set(await functions(two.database, "NOT p.prosecdef AND p.provolatile = 'i'"))


async def test_no_function_is_granted_to_everybody_or_to_who_has_not_said_for_whom(two: Two) -> None:
    assert await functions(two.database, f"has_function_privilege('{LOGIN}', p.oid, 'EXECUTE')") == []
    async with two.database.transaction(everyone=WHY) as db:
        granted = await db.scalars(
            text(
                "SELECT p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace,"
                " aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a"
                " WHERE n.nspname = 'public' AND a.grantee = 0"
            )
        )
        assert granted.all() == []


async def test_what_runs_with_its_owners_rights_looks_for_names_in_a_fixed_order(two: Two) -> None:
    """Else a temporary table of the caller's would be taken for one of ours."""
    fixed = "p.proconfig @> ARRAY['search_path=pg_catalog, public, pg_temp']"
    assert await functions(two.database, f"p.prosecdef AND ({fixed}) IS NOT TRUE") == []
    assert await functions(two.database, f"p.proowner <> '{OWNER}'::regrole") == []


@pytest.mark.parametrize("tenant", ["bob", "", None], ids=["bob", "nobody any more", "nobody yet"])
@pytest.mark.parametrize("name", CALLS)
async def test_a_function_serves_nobody_for_somebody_else(two: Two, name: str, tenant: str | None) -> None:
    things = await things_of_alice(two)
    if tenant is None:
        await two.database.engine.dispose()
    async with acting(two, str(two.bob.id) if tenant else tenant) as connection:
        before = await digests_of(two.database)
        for users in ([two.alice.id, two.alice.id], [two.bob.id, two.alice.id]):
            if users[0] != two.alice.id and ":users" not in CALLS[name]:
                continue
            with pytest.raises(DBAPIError) as refused:
                async with connection.begin_nested():
                    await call(connection, name, {**things, "user": two.alice.id, "users": users})
            assert getattr(refused.value.orig, "sqlstate", "") == "TT403"
        assert await digests(connection) == before


@pytest.mark.parametrize("name", CALLS)
async def test_a_function_called_for_oneself_does_nothing_with_somebody_elses_things(two: Two, name: str) -> None:
    things = await things_of_alice(two)
    passed = " ".join(str(each) for key, each in things.items() if f":{key}," in f"{CALLS[name]},")
    secrets = {each for each in await ids_of_alice(two) if each not in passed}
    assert len(secrets) > 5
    async with acting(two, str(two.bob.id)) as connection:
        before = await digests_of(two.database, about=two.alice.id)
        told = ""
        with contextlib.suppress(DBAPIError):
            async with connection.begin_nested():
                rows = await call(connection, name, {**things, "user": two.bob.id, "users": [two.bob.id, two.bob.id]})
                told = repr(rows)
        assert not [secret for secret in secrets if secret in told]
        assert await digests(connection, about=two.alice.id) == before


@pytest.mark.parametrize("name", CALLS)
async def test_a_function_called_by_nobody_for_nobody_does_nothing(two: Two, name: str) -> None:
    """Where no user is set, none is not the same as none."""
    things = await things_of_alice(two)
    async with acting(two, "") as connection:
        before = await digests_of(two.database)
        told = ""
        with contextlib.suppress(DBAPIError):
            async with connection.begin_nested():
                told = repr(await call(connection, name, {**things, "user": None, "users": [None, None]}))
        assert not [secret for secret in await ids_of_alice(two) if secret in told]
        assert await digests(connection) == before


# What the roles own, and what they may do.


async def test_the_applications_roles_own_nothing_and_are_nothing_more(two: Two) -> None:
    async with two.database.transaction(everyone=WHY) as db:
        owned = await db.execute(
            text(
                "SELECT refobjid::regrole::text FROM pg_shdepend"
                " WHERE deptype = 'o' AND refobjid::regrole::text = ANY (:roles)"
            ),
            {"roles": [TENANT, EVERYONE, LOGIN]},
        )
        assert owned.all() == []
        owners = await db.scalars(
            text("SELECT DISTINCT relowner::regrole::text FROM pg_class WHERE relnamespace = 'public'::regnamespace")
        )
        assert owners.all() == [OWNER]
        roles = await db.execute(
            text(
                "SELECT rolname, rolsuper OR rolcreaterole OR rolcreatedb OR rolcanlogin OR rolreplication"
                " OR rolbypassrls, rolinherit FROM pg_roles WHERE rolname LIKE 'talktime%' ORDER BY 1"
            )
        )
        assert [tuple(row) for row in roles] == [
            (TENANT, False, True),
            (EVERYONE, False, True),
            (LOGIN, False, False),
            (OWNER, False, True),
        ]
        members = await db.execute(
            text(
                "SELECT roleid::regrole::text, member::regrole::text, admin_option FROM pg_auth_members"
                " WHERE member::regrole::text LIKE 'talktime%' ORDER BY 1"
            )
        )
        assert [tuple(row) for row in members] == [(TENANT, LOGIN, False), (EVERYONE, LOGIN, False)]


async def test_nothing_in_the_schema_passes_row_level_security_by(two: Two) -> None:
    """A view runs with its owner's rights unless it says otherwise; a materialised one keeps what its owner saw."""
    async with two.database.transaction(everyone=WHY) as db:
        views = await db.scalars(
            text(
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND ("
                "relkind IN ('m', 'f')"
                " OR relkind = 'v' AND NOT coalesce(reloptions @> '{security_invoker=true}', false))"
            )
        )
        assert views.all() == []


async def test_the_tenants_role_writes_a_few_tables_and_removes_from_fewer(two: Two) -> None:
    found = await privileges(two.database, TENANT)
    writes = {table: kinds - {"SELECT"} for table, kinds in found.items() if kinds - {"SELECT"}}
    ours = {table: ", ".join(sorted(kinds)) for table, kinds in writes.items() if table in TABLES}
    assert ours == TENANT_WRITES
    # The job queue: a job may be added, and none read, changed or removed.
    assert {table: kinds for table, kinds in writes.items() if table not in TABLES} == {
        "procrastinate_events": {"INSERT"},
        "procrastinate_jobs": {"INSERT"},
    }


async def test_who_has_not_said_for_whom_may_do_nothing_with_any_table(two: Two) -> None:
    assert {table: kinds for table, kinds in (await privileges(two.database, LOGIN)).items() if kinds} == {}


async def test_who_sees_everyones_writes_neither_the_books_nor_the_audit_log(two: Two) -> None:
    found = await privileges(two.database, EVERYONE)
    for table in BY_FUNCTIONS_ALONE:
        assert found[table] == {"SELECT"}, table
    for table in APPEND_ONLY:
        assert found[table] <= {"SELECT", "INSERT"}, table
    for table, kinds in found.items():
        assert kinds <= {"SELECT", "INSERT", "UPDATE", "DELETE"}, table


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize("role", [TENANT, EVERYONE, OWNER])
async def test_what_is_append_only_stays_even_for_its_owner(two: Two, table: str, role: str) -> None:
    async with two.database.engine.connect() as connection:
        await connection.execute(text("RESET ROLE"))
        await connection.execute(text(f"SET LOCAL ROLE {OWNER}"))
        await connection.execute(text(f"GRANT SELECT, UPDATE, DELETE, TRUNCATE ON {table} TO {TENANT}, {EVERYONE}"))
        await connection.execute(text(f"SET LOCAL ROLE {role}"))
        await connection.execute(text("SELECT set_config('talktime.user_id', :id, true)"), {"id": str(two.alice.id)})
        column = next(iter(TABLES[table].columns)).name
        for statement in (
            f"UPDATE {table} SET {column} = {column}",
            f"DELETE FROM {table}",
            f"TRUNCATE {table} CASCADE",
        ):
            with pytest.raises(DBAPIError) as refused:
                async with connection.begin_nested():
                    result = await connection.execute(text(statement))
                    assert result.rowcount, f"{table} is empty: {statement}"
            assert getattr(refused.value.orig, "sqlstate", "") in ("TT403", "TT409"), statement
        await connection.rollback()


# How the above is asked.


async def functions(database: Database, condition: str) -> list[str]:
    """The names of our functions of which something is true."""
    async with database.transaction(everyone=WHY) as db:
        found = await db.scalars(
            text(
                "SELECT p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
                f" WHERE {_OURS} AND {condition} ORDER BY 1"
            )
        )
        return list(found)


async def privileges(database: Database, role: str) -> dict[str, set[str]]:
    """What a role may do with each table of the schema, or with a column of it."""
    async with database.transaction(everyone=WHY) as db:
        rows = await db.execute(
            text(
                "SELECT c.relname, k.kind FROM pg_class c,"
                " unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) k (kind)"
                " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND ("
                " has_table_privilege(:role, c.oid, k.kind) OR k.kind NOT IN ('DELETE', 'TRUNCATE', 'TRIGGER')"
                " AND has_any_column_privilege(:role, c.oid, k.kind))"
            ),
            {"role": role},
        )
        found: dict[str, set[str]] = {table: set() for table in TABLES}
        for table, kind in rows:
            found.setdefault(table, set()).add(kind)
        return found


@contextlib.asynccontextmanager
async def acting(two: Two, tenant: str | None) -> AsyncIterator[AsyncConnection]:
    """The tenant's role for a user, or for nobody (None: none was ever set); rolled back."""
    async with two.database.engine.connect() as connection:
        await connection.execute(text(f"SET LOCAL ROLE {TENANT}"))
        if tenant is not None:
            await connection.execute(text("SELECT set_config('talktime.user_id', :id, true)"), {"id": tenant})
        yield connection
        await connection.rollback()


async def call(connection: AsyncConnection, name: str, values: Mapping[str, object]) -> list[tuple[object, ...]]:
    """Call a function as `CALLS` says."""
    kinds = {"users": "uuid[]", "calls": "uuid[]", "sid": "text"}
    arguments = re.sub(
        r"(?<!\w):([a-z]+)\b", lambda found: f"CAST(:{found[1]} AS {kinds.get(found[1], 'uuid')})", CALLS[name]
    )
    used = {key: value for key, value in values.items() if f"CAST(:{key} AS" in arguments}
    return [tuple(row) for row in await connection.execute(text(f"SELECT * FROM {name}({arguments})"), used)]


async def things_of_alice(two: Two) -> dict[str, object]:
    """What somebody else would have to guess."""
    async with two.database.transaction(everyone=WHY) as db:
        row = (
            await db.execute(
                text(
                    "SELECT c.id AS call, c.carrier_call_id AS sid, c.number_id AS number,"
                    " (SELECT p.id FROM purchases p WHERE p.user_id = c.user_id) AS purchase"
                    " FROM calls c WHERE c.id = :id"
                ),
                {"id": two.call},
            )
        ).one()
    return {**row._mapping, "calls": [two.call, new_id()], "new": new_id()}


async def ids_of_alice(two: Two) -> set[str]:
    """Every id that stands in her rows."""
    async with two.database.transaction(everyone=WHY) as db:
        rows = [
            str(row)
            for table in TENANT_TABLES
            for row in await db.scalars(
                text(f"SELECT t::text FROM {table} t WHERE user_id = :id"), {"id": two.alice.id}
            )
        ]
    return set(re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}", " ".join(rows))) - {str(two.alice.id)}
