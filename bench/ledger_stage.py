"""The stage of `make bench-ledger`: a server of its own, as durable as a real one, with customers, calls and holds in
it, and pgbench as the audience that asks.

Everything a run needs stands here before its clock starts. What stands in the books was chained as the functions would
have chained it, so that the books can be verified when all is over.
"""

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote
from uuid import UUID

import psycopg

from talktime.db import embedded
from talktime.db.deploy import deploy
from talktime.db.roles import EVERYONE, TENANT

CLIENTS = 8
"""Connections of pgbench, always."""

HOLD_PRICE = 15
BALANCE = 1_000_000_000
OWNER = "bench"

# Neighbouring calls belong to users far apart: this number shares no factor with the number of users.
_STRIDE = 48_271

_LIMITS = "-c statement_timeout=30s -c lock_timeout=10s -c idle_in_transaction_session_timeout=30s"

_CHECKPOINTS = (
    # None while the clock runs, for anybody: each that fell into one side's runs would be a stroke of fortune.
    "ALTER SYSTEM SET checkpoint_timeout = '1h'",
    "ALTER SYSTEM SET max_wal_size = '30GB'",
    "SELECT pg_reload_conf()",
)


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything."""

    users: int = 100_000
    scale: int = 20
    """pgbench's own: 100,000 accounts each."""
    rounds: int = 5
    seconds: int = 5
    """The length of one run."""
    calls_per_second: int = 6_000
    """For so many each run has fresh calls; a machine that is faster needs more."""

    def __post_init__(self) -> None:
        assert self.users % _STRIDE, self.users
        assert self.users % CLIENTS == 0, self.users

    @property
    def block(self) -> int:
        """Fresh calls for one run."""
        return self.calls_per_second * max(1, self.seconds) // CLIENTS * CLIENTS

    @property
    def fresh(self) -> int:
        """Fresh calls of one kind: for each round, and for warming up."""
        return self.block * (self.rounds + 1)

    def first_to_settle(self, part: int) -> int:
        """The number before the first call that the settlements of one run may take."""
        return self.users + part * self.block

    def first_to_authorise(self, part: int) -> int:
        """The same for authorisations. Before them all, each user has one call that is extended again and again."""
        return self.users + self.fresh + part * self.block


@dataclass(frozen=True)
class Stage:
    """The server with the two databases."""

    server: embedded.Server
    size: Size

    @property
    def url(self) -> str:
        """Our database, as an administrator."""
        return self.server.url("talktime")

    def pgbench(self, script: str | None, variables: Mapping[str, int], *, everyone: bool = False) -> float:
        """Transactions a second of one run; without a script, those of tpcb-like.

        The connections carry the role that the product's carry on this path, and its time limits.
        """
        length = f"--time={self.size.seconds}" if self.size.seconds else "--transactions=10"
        arguments = ["--no-vacuum", "--protocol=prepared", f"--client={CLIENTS}", "--jobs=2", length]
        if script is None:
            arguments += ["--builtin=tpcb-like", self.server.url("tpcb")]
        else:
            path = self.server.directory / "bench.sql"
            path.write_text(script)
            path.chmod(0o644)
            arguments += [f"--define={name}={value}" for name, value in variables.items()]
            options = quote(f"-c role={EVERYONE if everyone else TENANT} {_LIMITS}")
            arguments += [f"--file={path}", f"{self.url}&options={options}"]
        done = self.server.territory.run("pgbench", *arguments, seconds_max=self.size.seconds + 120)
        speed = re.search(r"^tps = ([0-9.]+)", done.stdout, re.MULTILINE)
        if done.returncode or speed is None:
            raise SystemExit(f"pgbench failed:\n{(done.stderr or done.stdout)[:1000]}")
        return float(speed.group(1))

    def run(self, *statements: str) -> None:
        """As an administrator, without the checks of foreign keys: for setting the stage and for tidying up."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("SET session_replication_role = replica")
            for statement in statements:
                connection.execute(statement.encode())


@contextlib.contextmanager
def stage(size: Size) -> Iterator[Stage]:
    """A server with pgbench's tables in one database and ours in the other."""
    with embedded.temporary(durable=True) as server:
        here = Stage(server, size)
        for name in ("talktime", "tpcb"):
            embedded.ensure_database(server, name)
        deploy(here.url)
        here.run(*_CHECKPOINTS)
        made = server.territory.run(
            "pgbench", "--initialize", "--quiet", f"--scale={size.scale}", server.url("tpcb"), seconds_max=600
        )
        assert made.returncode == 0, made.stderr
        here.run(*_population(size), "VACUUM (ANALYZE)", "CHECKPOINT")
        yield here


def user_id(number: int) -> UUID:
    """The id of user 1, 2, …: pgbench can only make numbers, so the ids are numbers too."""
    return UUID(f"{number:032d}")


def call_id(number: int) -> UUID:
    """The id of call 1, 2, …."""
    return UUID(f"{number:032d}")


def set_user(size: Size) -> str:
    """The line of a script that says whose `:call` is."""
    return f"\\set user 1 + :call * {_STRIDE} % {size.users}\n"


def owner_of(size: Size, call: int) -> UUID:
    """The same here."""
    return user_id(1 + call * _STRIDE % size.users)


def _population(size: Size) -> tuple[str, ...]:
    user, call = f"lpad((1 + k * {_STRIDE} % {size.users})::text, 32, '0')::uuid", "lpad(k::text, 32, '0')::uuid"
    running = size.first_to_authorise(0)
    return (
        (
            "INSERT INTO users (id, email, name) SELECT lpad(n::text, 32, '0')::uuid, 'u' || n || '@example.org',"
            " 'Somebody'"
            f" FROM generate_series(1, {size.users}) n"
        ),
        f"INSERT INTO prices (id, credits_per_minute) VALUES (gen_random_uuid(), {HOLD_PRICE})",
        (
            "INSERT INTO credit_transactions (user_id, seq, type, amount, balance_after, reference, reason, actor_id,"
            " created_at, hash)"
            f" SELECT id, 1, 'ADMIN_ADJUSTMENT', {BALANCE}, {BALANCE}, 'start', 'to begin with', id, t,"
            " credit_line_hash("
            f"'\\x', id, 1, 'ADMIN_ADJUSTMENT', {BALANCE}, {BALANCE}, NULL, NULL, 'start', 'to begin with', id, t)"
            " FROM (SELECT id, now() AS t FROM users ORDER BY id) u"
        ),
        (
            "INSERT INTO calls (user_id, id, direction, carrier, carrier_call_id, status, route, started_at,"
            " answered_at)"
            f" SELECT {user}, {call}, 'INBOUND', 'simulated', 'CA' || k,"
            f" (CASE WHEN k <= {running} THEN 'IN_PROGRESS' ELSE 'RINGING' END)::call_status, 'talk', now(),"
            f" CASE WHEN k <= {running} THEN now() END FROM generate_series(1::bigint, {running + size.fresh}) k"
        ),
        (
            "INSERT INTO credit_holds (user_id, call_id, credits_per_minute, connection_fee, initial_seconds,"
            " increment_seconds, free_seconds, state, granted_seconds, held, held_peak, lease_owner, lease_until,"
            " cut_at)"
            f" SELECT {user}, {call}, {HOLD_PRICE}, 0, 60, 60, 0, 'ACTIVE', 60, {HOLD_PRICE}, {HOLD_PRICE},"
            f" '{OWNER}', now() + interval '1 day', now() + interval '1 day'"
            f" FROM generate_series(1::bigint, {running}) k"
        ),
        (
            "INSERT INTO credit_accounts (user_id, balance, seq, head, held, open_calls, max_open_calls)"
            " SELECT t.user_id, t.balance_after, 1, t.hash, h.held, h.calls, 100000"
            " FROM credit_transactions t JOIN ("
            "   SELECT user_id, sum(held) AS held, count(*) AS calls FROM credit_holds GROUP BY user_id"
            " ) h ON h.user_id = t.user_id ORDER BY t.user_id"
        ),
    )


TIDY = (
    # The functions of the books were measured alone, so nobody ended the calls, and minutes went by.
    (
        "UPDATE calls c SET status = 'COMPLETED', ended_at = now() FROM credit_holds h"
        " WHERE h.user_id = c.user_id AND h.call_id = c.id AND h.settled_at IS NOT NULL"
    ),
    (
        "UPDATE calls c SET status = 'NO_ANSWER', ended_at = now() WHERE status = 'RINGING'"
        " AND NOT EXISTS (SELECT FROM credit_holds h WHERE h.user_id = c.user_id AND h.call_id = c.id)"
    ),
    "UPDATE credit_holds SET lease_until = now() + interval '1 day' WHERE settled_at IS NULL",
)
"""What brings calls and leases to where the product would have them, before the books are verified."""
