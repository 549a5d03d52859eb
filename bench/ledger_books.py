"""How fast the books are read: a month's statement of somebody with a million lines, and the proof of all of it.

The books are written by SQL that chains the lines as the functions would have; the verification agrees or it fails.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

import psycopg

from bench.ledger_stage import HOLD_PRICE, Stage, user_id
from talktime.credits import statements, verify
from talktime.db import embedded
from talktime.db.deploy import deploy
from talktime.db.session import connect

STATEMENT_SECONDS_MAX = 1.0
VERIFY_LINES_PER_SECOND_MIN = 200_000
MONTH_LINES = 5_000
"""In each month of the user with the statement."""

_BEGIN = "timestamptz '2010-01-01 00:00+00'"
_BALANCE = 10**12
_CALL_EVERY = 2
"""Every second line is a call's, with its hold and its call; the others are adjustments."""


@dataclass(frozen=True, slots=True)
class Verification:
    """One verification of everything, on two connections."""

    shape: str
    lines: int
    seconds: float

    @property
    def lines_per_second(self) -> float:
        return self.lines / self.seconds


@dataclass(frozen=True, slots=True)
class Books:
    """What was measured."""

    statement_lines: int
    statement_seconds: float
    csv_lines_per_second: float
    verifications: Sequence[Verification] = field(default_factory=tuple)

    def document(self) -> Mapping[str, object]:
        """For the JSON."""
        return {
            "statement_seconds": round(self.statement_seconds, 3),
            "csv_lines_per_second": round(self.csv_lines_per_second),
            "verify_lines_per_second": round(min(run.lines_per_second for run in self.verifications)),
        }

    def rows(self) -> Sequence[str]:
        """For the table."""
        fast = self.statement_seconds < STATEMENT_SECONDS_MAX
        rows = [
            (
                f"A month's statement, {self.statement_lines:,} lines: {self.statement_seconds:.3f} s"
                f" (bar {STATEMENT_SECONDS_MAX:.0f} s)  {'pass' if fast else 'FAIL'}"
            ),
            f"All lines of that user, streamed: {self.csv_lines_per_second:,.0f} a second",
        ]
        for run in self.verifications:
            enough = run.lines_per_second >= VERIFY_LINES_PER_SECOND_MIN
            rows.append(
                f"verify --full, {run.lines:,} lines of {run.shape}: {run.lines_per_second:,.0f} a second"
                f" (bar {VERIFY_LINES_PER_SECOND_MIN:,})  {'pass' if enough else 'FAIL'}"
            )
        return rows


def measure_books(here: Stage, statement_lines: int, verify_lines: int, say: Callable[[str], None]) -> Books:
    """Write books and read them. `verify_lines` of 0 proves only those of the statement."""
    began = time.monotonic()
    url = _written(here, "books_of_one", 1, statement_lines)
    say(f"Books of one user with {statement_lines:,} lines written in {time.monotonic() - began:.0f} s.")
    found, seconds, streamed = asyncio.run(_statement(url, statement_lines))
    verifications = [asyncio.run(_verified(url, "one user"))]
    for users in (100, 100_000) if verify_lines else ():
        began = time.monotonic()
        url = _written(here, f"books_of_{users}", users, verify_lines // users)
        say(f"Books of {users:,} users with {verify_lines:,} lines written in {time.monotonic() - began:.0f} s.")
        verifications.append(asyncio.run(_verified(url, f"{users:,} users")))
    return Books(found, seconds, streamed, verifications)


async def _statement(url: str, lines: int) -> tuple[int, float, float]:
    """A month in the middle, and then all of it as a stream."""
    database = connect(url)
    try:
        user = user_id(1)
        months = lines // MONTH_LINES
        month = date(2010 + months // 2 // 12, months // 2 % 12 + 1, 1)
        async with database.transaction(user=user) as db:
            await statements.statement(db, user, date(2010, 2, 1), "Europe/Berlin")
            began = time.monotonic()
            statement = await statements.statement(db, user, month, "Europe/Berlin")
            seconds = time.monotonic() - began
        began = time.monotonic()
        count = 0
        async for _ in statements.stream_lines(database, user):
            count += 1
        assert count == lines, count
        return len(statement.lines), seconds, count / (time.monotonic() - began)
    finally:
        await database.close()


async def _verified(url: str, shape: str) -> Verification:
    database = connect(url)
    try:
        began = time.monotonic()
        verdict = await verify.verify(database, full=True, connections=2)
        assert verdict.is_clean, verdict.violations[:5]
        return Verification(shape, verdict.lines, time.monotonic() - began)
    finally:
        await database.close()


def _written(here: Stage, name: str, users: int, lines: int) -> str:
    """A database with so many users, each with so many lines. Gives its address."""
    embedded.ensure_database(here.server, name)
    url = here.server.url(name)
    deploy(url)
    write_books(url, users, lines)
    return url


def write_books(url: str, users: int, lines: int) -> None:
    """Chained lines, the calls and holds they come from, the accounts they lead to; indexes come last."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("SET maintenance_work_mem = '256MB'")
        indexes = connection.execute(
            "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index"
            " LEFT JOIN pg_constraint ON conindid = indexrelid"
            " WHERE indrelid IN ('credit_transactions'::regclass, 'calls'::regclass) AND pg_constraint.oid IS NULL"
        ).fetchall()
        for index, _ in indexes:
            connection.execute(f"DROP INDEX {index}".encode())
        connection.execute(
            "INSERT INTO users (id, email, name) SELECT lpad(n::text, 32, '0')::uuid, 'u' || n || '@example.org',"
            f" 'Somebody' FROM generate_series(1, {users}) n".encode()
        )
        together = max(1, min(users, 1_000_000 // lines))
        for first in range(1, users + 1, together):
            last = min(users, first + together - 1)
            connection.execute(_CHAIN.encode(), _values(user_id(first), user_id(last), lines))
        for statement in (*_AROUND, *(definition for _, definition in indexes), "VACUUM (ANALYZE)", "CHECKPOINT"):
            connection.execute(statement.encode())


def _values(first: UUID, last: UUID, lines: int) -> Mapping[str, object]:
    return {"first": first, "last": last, "lines": lines}


_CHAIN = f"""
WITH RECURSIVE chain AS (
    SELECT u.id AS user_id, 1::bigint AS seq, 'ADMIN_ADJUSTMENT'::transaction_type AS type,
        {_BALANCE}::bigint AS amount, {_BALANCE}::bigint AS balance_after, NULL::uuid AS call_id,
        'line:1' AS reference, 'a line' AS reason, u.id AS actor_id, {_BEGIN} AS created_at,
        credit_line_hash('\\x', u.id, 1, 'ADMIN_ADJUSTMENT', {_BALANCE}, {_BALANCE}, NULL, NULL, 'line:1', 'a line',
                         u.id, {_BEGIN}) AS hash
    FROM users u WHERE u.id BETWEEN %(first)s AND %(last)s
    UNION ALL
    SELECT l.user_id, l.seq, l.type, l.amount, l.balance_after, l.call_id, l.reference, l.reason, l.actor_id,
        l.created_at, credit_line_hash(l.before, l.user_id, l.seq, l.type, l.amount, l.balance_after, l.call_id, NULL,
                                       l.reference, l.reason, l.actor_id, l.created_at)
    FROM (
        SELECT c.user_id, c.seq + 1 AS seq, c.hash AS before, -{HOLD_PRICE}::bigint AS amount,
            c.balance_after - {HOLD_PRICE} AS balance_after,
            c.created_at + interval '1 month' / {MONTH_LINES} AS created_at,
            CASE WHEN u.is_call THEN 'CALL_USAGE' ELSE 'ADMIN_ADJUSTMENT' END::transaction_type AS type,
            CASE WHEN u.is_call THEN (lpad(to_hex(c.seq), 16, '0') || right(c.user_id::text, 4)
                                      || right(replace(c.user_id::text, '-', ''), 12))::uuid END AS call_id,
            CASE WHEN NOT u.is_call THEN 'line:' || c.seq + 1 END AS reference,
            CASE WHEN NOT u.is_call THEN 'a line' END AS reason,
            CASE WHEN NOT u.is_call THEN c.user_id END AS actor_id
        FROM chain c CROSS JOIN LATERAL (SELECT c.seq %% {_CALL_EVERY} = 0 AS is_call) u
        WHERE c.seq < %(lines)s
    ) l
)
INSERT INTO credit_transactions (
    user_id, seq, type, amount, balance_after, call_id, reference, reason, actor_id, created_at, hash
) SELECT user_id, seq, type, amount, balance_after, call_id, reference, reason, actor_id, created_at, hash FROM chain
"""

_AROUND = (
    (
        "INSERT INTO calls (user_id, id, direction, carrier, carrier_call_id, status, route, started_at, answered_at,"
        " ended_at, seconds) SELECT user_id, call_id, 'INBOUND', 'simulated', 'CA', 'COMPLETED', 'talk', created_at,"
        " created_at, created_at, 60 FROM credit_transactions WHERE call_id IS NOT NULL"
    ),
    (
        "INSERT INTO credit_holds (user_id, call_id, credits_per_minute, connection_fee, initial_seconds,"
        " increment_seconds, free_seconds, state, granted_seconds, held_peak, charged, lease_owner, settled_at,"
        f" settled_seconds) SELECT user_id, call_id, {HOLD_PRICE}, 0, 60, 60, 0, 'SETTLED', 60, -amount, -amount,"
        " 'bench',"
        " created_at, 60 FROM credit_transactions WHERE call_id IS NOT NULL"
    ),
    (
        "INSERT INTO credit_accounts (user_id, balance, seq, head)"
        " SELECT DISTINCT ON (user_id) user_id, balance_after, seq, hash FROM credit_transactions"
        " ORDER BY user_id, seq DESC"
    ),
)
"""Calls are in no directory: theirs is looked at from its own side."""
