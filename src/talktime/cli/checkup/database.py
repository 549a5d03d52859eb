"""The database: that it is there, is ours, and lets nobody do more than they should; and what lies in it and waits."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from talktime.cli.checkup.finding import Finding, fail, ok, warn
from talktime.cli.running import DATABASE_NAME
from talktime.db import embedded
from talktime.db.current import is_current
from talktime.db.roles import EVERYONE, LOGIN, OWNER, TENANT
from talktime.settings import Settings

_CONNECT_SECONDS = 5
_OLDEST, _NEWEST = 15, 18
_CLOCK_WARN, _CLOCK_FAIL = 2.0, 30.0
Connection = psycopg.AsyncConnection[dict[str, Any]]


async def database(settings: Settings, *, demo: bool) -> Sequence[Finding]:
    """Everything that the database can tell."""
    with ExitStack() as stack:
        if settings.database_url is not None:
            url = settings.database_url.get_secret_value()
        else:
            if not any((settings.home / name).exists() for name in ("postgres", "instance")):
                return [warn("database", "there is none yet", "the first `talktime serve` makes it.")]
            try:
                server = await asyncio.to_thread(embedded.acquire, settings.home, seconds_max=8)
            except embedded.ServerFailed as error:
                return [fail("database", "the embedded server does not start", str(error))]
            stack.callback(server.stop)
            await asyncio.to_thread(embedded.ensure_database, server, DATABASE_NAME)
            url = server.url(DATABASE_NAME)
        return await _look(url, demo=demo, is_embedded=settings.database_url is None)


async def _look(url: str, *, demo: bool, is_embedded: bool) -> list[Finding]:
    try:
        connection: Connection = await psycopg.AsyncConnection.connect(
            url,
            autocommit=True,
            connect_timeout=_CONNECT_SECONDS,
            row_factory=dict_row,
            application_name="talktime doctor",
            options="-c statement_timeout=5s -c lock_timeout=2s",
        )
    except psycopg.Error as error:
        return [
            fail(
                "database",
                f"cannot be reached: {' '.join(str(error).split())[:200]}",
                "see that it runs, and that DATABASE_URL names it.",
            )
        ]
    async with connection:
        found = [_version(connection), await _clock(connection), await _roles(connection, is_embedded)]
        if not await asyncio.to_thread(is_current, url):
            return [*found, fail("migrations", "the database is not up to date", "run `talktime db deploy`.")]
        found.append(ok("migrations", "the database is up to date"))
        found += [await _tenancy(connection), await _rights(connection)]
        await connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(EVERYONE)))
        found += [await _jobs(connection), await _inbox(connection), await _books(connection)]
        found += await _operators(connection, demo=demo)
        return found


def _version(connection: Connection) -> Finding:
    version = connection.info.server_version // 10000
    if version < _OLDEST:
        return fail("database", f"is PostgreSQL {version}", f"use one from {_OLDEST} to {_NEWEST}.")
    if version > _NEWEST:
        return warn(
            "database", f"is PostgreSQL {version}", f"we know {_OLDEST} to {_NEWEST}; see that tests pass on it."
        )
    return ok("database", f"answers, PostgreSQL {version}")


async def _clock(connection: Connection) -> Finding:
    began, sent = time.monotonic(), datetime.now(UTC)
    theirs = (await _one(connection, "SELECT clock_timestamp() AS now"))["now"]
    off = abs((theirs - sent).total_seconds() - (time.monotonic() - began) / 2)
    says = f"this machine's and the database's are {off:.1f} s apart"
    mend = "let both follow a time server (NTP)."
    if off > _CLOCK_FAIL:
        return fail("clocks", says, mend)
    return warn("clocks", says, mend) if off > _CLOCK_WARN else ok("clocks", says)


async def _roles(connection: Connection, is_embedded: bool) -> Finding:
    """Whom the login may become: what it works as, and, in somebody's own database, not what it migrates as."""
    row = await _one(
        connection,
        "SELECT session_user AS name, (SELECT rolsuper FROM pg_roles WHERE rolname = session_user) AS is_super,"
        " array(SELECT rolname::text FROM pg_roles r"
        "       WHERE rolname = ANY (%s) AND pg_has_role(session_user, r.oid, 'MEMBER')) AS may",
        [OWNER, TENANT, EVERYONE, LOGIN],
    )
    missing = sorted({TENANT, EVERYONE, LOGIN} - set(row["may"]))
    if missing:
        return fail("roles", f"{row['name']} may not become {', '.join(missing)}", "run `talktime db deploy`.")
    if is_embedded:
        return ok("roles", "are there; the embedded server belongs to this installation alone")
    if row["is_super"] or OWNER in row["may"]:
        what = "is a superuser" if row["is_super"] else f"may become {OWNER}"
        return warn(
            "roles",
            f"{row['name']}, as whom the application connects, {what}: a mistake of ours could change the schema",
            "name another login in DATABASE_URL, and this one in DATABASE_OWNER_URL only; then `talktime db deploy`.",
        )
    return ok("roles", f"{row['name']} may become what it works as, and nothing else")


_OPEN_TABLES = """
    SELECT c.relname::text AS name FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relrowsecurity
        AND EXISTS (
            SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'user_id' AND NOT a.attisdropped)
        AND (has_any_column_privilege(%s, c.oid, 'SELECT, INSERT, UPDATE') OR has_table_privilege(%s, c.oid, 'DELETE'))
    ORDER BY 1"""


async def _tenancy(connection: Connection) -> Finding:
    """Whatever a customer's role can touch, and that belongs to customers, is theirs row by row."""
    rows = await _all(connection, _OPEN_TABLES, TENANT, TENANT)
    if rows:
        names = ", ".join(row["name"] for row in rows)
        return fail(
            "tenancy", f"row-level security is off for {names}", "somebody changed the schema: `talktime db validate`."
        )
    count = (await _one(connection, "SELECT count(*) AS n FROM pg_class WHERE relrowsecurity"))["n"]
    return ok("tenancy", f"row-level security is on for {count} tables")


_RIGHTS = """
    SELECT r.rolname::text AS role, c.relname::text AS name FROM pg_class c
    CROSS JOIN (SELECT oid, rolname FROM pg_roles WHERE rolname = ANY (%s)) r
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
        AND (c.relowner = r.oid OR has_table_privilege(r.oid, c.oid, 'TRUNCATE, TRIGGER')
            OR has_schema_privilege(r.oid, 'public', 'CREATE'))
    ORDER BY 2, 1"""


async def _rights(connection: Connection) -> Finding:
    rows = await _all(connection, _RIGHTS, [TENANT, EVERYONE, LOGIN])
    if rows:
        return fail(
            "rights",
            f"{rows[0]['role']} may alter or empty {rows[0]['name']}"
            + (f" and {len(rows) - 1} more" if rows[1:] else ""),
            "somebody granted that: take it back, and see `talktime db validate`.",
        )
    return ok("rights", "the application can neither alter nor empty a table")


_JOBS = """
    SELECT (SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - interval '60 s') AS workers,
        (SELECT count(*) FROM procrastinate_jobs WHERE status = 'failed') AS failed,
        (SELECT count(*) FROM procrastinate_jobs j LEFT JOIN procrastinate_workers w ON w.id = j.worker_id
            WHERE j.status = 'doing' AND (w.id IS NULL OR w.last_heartbeat < now() - interval '60 s')) AS stalled,
        (SELECT count(*) FROM procrastinate_jobs j WHERE j.status = 'todo' AND coalesce(j.scheduled_at, (
            SELECT min(e.at) FROM procrastinate_events e WHERE e.job_id = j.id)) < now() - interval '2 min') AS late"""


async def _jobs(connection: Connection) -> Finding:
    row = await _one(connection, _JOBS)
    says = f"workers: {row['workers']}; jobs late: {row['late']}, stalled: {row['stalled']}, given up: {row['failed']}"
    if not row["workers"]:
        mend = "start `talktime serve`, or one with `--only worker`."
        return fail("jobs", says, mend) if row["late"] or row["stalled"] else warn("jobs", says, mend)
    if row["late"] or row["stalled"]:
        return warn("jobs", says, "look into the workers' logs; more of them can be started.")
    return warn("jobs", says, "see `talktime ledger alerts list`.") if row["failed"] else ok("jobs", says)


_INBOX = """
    SELECT count(*) FILTER (WHERE gave_up_at IS NULL) AS waiting,
        count(*) FILTER (WHERE gave_up_at IS NOT NULL) AS given_up,
        coalesce(extract(epoch FROM now()
            - min(received_at) FILTER (WHERE gave_up_at IS NULL AND waits_for IS NULL)), 0)::int AS oldest
    FROM provider_events WHERE handled_at IS NULL"""


async def _inbox(connection: Connection) -> Finding:
    row = await _one(connection, _INBOX)
    says = f"events that wait: {row['waiting']}, the oldest for {row['oldest']} s; given up: {row['given_up']}"
    if row["given_up"]:
        return warn("inbox", says, "see `talktime ledger alerts list`: a person has to decide what becomes of them.")
    if row["oldest"] > 300:
        return warn("inbox", says, "what providers told us is not handled: look into the workers' logs.")
    return ok("inbox", says)


_BOOKS = """
    SELECT (SELECT max(verified_at) FROM ledger_checkpoints) AS last,
        (SELECT count(*) FROM alerts
            WHERE kind IN ('ledger_wrong', 'audit_wrong') AND acknowledged_at IS NULL) AS wrong,
        (SELECT count(*) FROM credit_accounts a LEFT JOIN ledger_checkpoints c USING (user_id)
            WHERE a.seq > coalesce(c.seq, 0) AND EXISTS (
                SELECT FROM credit_transactions t WHERE t.user_id = a.user_id AND t.seq = coalesce(c.seq, 0) + 1
                    AND t.created_at < now() - interval '1 hour')) AS unproven"""


async def _books(connection: Connection) -> Finding:
    row = await _one(connection, _BOOKS)
    last = f"{row['last']:%Y-%m-%d %H:%M} UTC" if row["last"] else "never"
    if row["wrong"]:
        return fail("books", f"{row['wrong']} alerts say that they are wrong", "see `talktime ledger alerts list`.")
    if row["unproven"]:
        says = f"{row['unproven']} accounts have lines older than an hour that nobody proved; last proven: {last}"
        return warn("books", says, "a worker proves them every quarter of an hour; or run `talktime ledger verify`.")
    return ok("books", f"every line older than an hour is proven; last: {last}")


async def _operators(connection: Connection, *, demo: bool) -> list[Finding]:
    row = await _one(
        connection,
        "SELECT count(*) AS everybody, count(*) FILTER (WHERE totp_since IS NULL) AS unguarded FROM users"
        " WHERE role = 'ADMIN' AND status = 'ACTIVE'",
    )
    if not row["everybody"]:
        mend = "open the link that `talktime serve` prints at its start, or run `talktime users create-admin`."
        return [warn("operators", "there is none", mend)]
    if row["unguarded"] and not demo:
        says = f"{row['unguarded']} of {row['everybody']} have no second factor"
        return [
            warn("operators", says, "let them switch it on in their settings: they can change everybody's credits.")
        ]
    there = "there is one" if row["everybody"] == 1 else f"there are {row['everybody']}"
    return [ok("operators", there + (", with a second factor" if not row["unguarded"] else ""))]


async def _one(connection: Connection, query: str, *values: object) -> dict[str, Any]:
    rows = await _all(connection, query, *values)
    return rows[0]


async def _all(connection: Connection, query: str, *values: object) -> list[dict[str, Any]]:
    return await (await connection.execute(query.encode(), values or None)).fetchall()
