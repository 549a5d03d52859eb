"""`talktime db fill`: customers who never were, with agents, numbers and years of calls, to see how lists behave when
there are millions.

The rules: what is written is what the product would have written, so `talktime ledger verify` accepts it; a customer is
written whole or not at all; and nobody's database is filled by mistake.
"""

import random
import secrets
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from importlib.resources import files
from itertools import pairwise
from threading import Lock
from typing import Any

import psycopg

from talktime.db.base import new_id
from talktime.db.roles import OWNER
from talktime.errors import BadInput, Conflict

USERS_MAX = 1_000_000
CALLS_MAX = 100_000_000
CHUNK_CALLS = 100_000
"""Customers are written together up to so many calls; who has more is written alone."""
_AGENTS_MAX = 20
_CALLS_AN_AGENT = 5_000
_FIRST_NUMBER, _NUMBERS = 1_555_000_0000, 10_000_000
"""Numbers that are not in service: those of the area code 555."""
_FILLED = (
    "users", "agents", "agent_versions", "phone_numbers", "calls", "call_directory", "credit_holds",
    "credit_transactions", "credit_accounts", "call_turns",
)  # fmt: skip
"""The tables that come to hold something."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Filled:
    """What was written."""

    users: int
    calls: int
    seconds: float


def fill(owner_url: str, users: int, calls: int, *, add: bool, connections: int, say: Say) -> Filled:
    """Write so many customers with so many calls between them. Blocks: call it in a thread.

    Raises BadInput, or Conflict for a database that has customers, unless it is to `add` to them.
    """
    if not 1 <= users <= USERS_MAX or not 0 <= calls <= CALLS_MAX:
        raise BadInput(f"Fill with 1 to {USERS_MAX:,} users and up to {CALLS_MAX:,} calls.")
    began = time.monotonic()
    with closing(_connected(owner_url)) as connection:
        if not add and _one(connection, "SELECT count(*) FROM users WHERE role = 'USER'"):
            raise Conflict(
                "This database has customers, and nobody can tell the filled ones from them afterwards: fill an empty"
                " one, or say --add."
            )
        connection.execute(
            "INSERT INTO prices (id, credits_per_minute) SELECT gen_random_uuid(), 15"
            " WHERE NOT EXISTS (SELECT FROM prices WHERE user_id IS NULL AND kind = 'CALL')"
        )
        taken = _one(connection, "SELECT max(number) FROM phone_numbers WHERE number LIKE '+1555_______'")
    people = list(_people(spread(users, calls), int(taken[1:]) + 1 if taken else _FIRST_NUMBER))
    progress = _Progress(calls, say)
    with ThreadPoolExecutor(connections) as pool:
        for written in [pool.submit(_write, owner_url, part, progress) for part in _parts(people, connections)]:
            written.result()
    say("Tidying up …")
    with closing(_connected(owner_url)) as connection:
        for table in _FILLED:
            connection.execute(f"VACUUM (ANALYZE) {table}".encode())
    return Filled(users, calls, time.monotonic() - began)


def spread(users: int, calls: int) -> list[int]:
    """How many calls each has: one has a fifth of all, one a twenty-fifth, some a few hundred times what most have."""
    big = [calls // 5, calls // 25][: max(0, users - 1)]
    weights = [(place + 20) ** -0.9 for place in range(users - len(big))]
    rest, whole = calls - sum(big), sum(weights)
    edges, reached = [0], 0.0
    for weight in weights:
        reached += weight
        edges.append(round(rest * reached / whole))
    edges[-1] = rest
    return [*big, *(high - low for low, high in pairwise(edges))]


@dataclass(frozen=True, slots=True)
class _Person:
    """Somebody who is about to be made."""

    user: uuid.UUID
    email: str
    calls: int
    agents: Sequence[uuid.UUID]
    numbers: Sequence[uuid.UUID]
    first_number: int


class _Progress:
    """Says now and then how far it is."""

    def __init__(self, calls: int, say: Say) -> None:
        self._calls, self._say = calls, say
        self._done = 0
        self._began = self._said = time.monotonic()
        self._lock = Lock()

    def add(self, calls: int) -> None:
        with self._lock:
            self._done += calls
            now = time.monotonic()
            if now - self._said >= 10 or self._done == self._calls:
                self._said = now
                rate = self._done / (now - self._began)
                self._say(f"{self._done:,} of {self._calls:,} calls, {rate:,.0f} a second")


def _people(calls: Sequence[int], first_number: int) -> Iterator[_Person]:
    fill_name, number = secrets.token_hex(4), first_number
    for place, count in enumerate(calls):
        agents = [new_id() for _ in range(min(_AGENTS_MAX, 1 + count // _CALLS_AN_AGENT))]
        if number + len(agents) > _FIRST_NUMBER + _NUMBERS:
            raise BadInput("There are not so many numbers to give: fill with fewer users.")
        numbers = [new_id() for _ in agents]
        yield _Person(new_id(), f"filled-{fill_name}-{place + 1}@example.org", count, agents, numbers, number)
        number += len(agents)


def _parts(people: Sequence[_Person], connections: int) -> list[list[list[_Person]]]:
    """The work of each connection, as chunks that are written together."""
    chunks: list[list[_Person]] = []
    size = CHUNK_CALLS
    for person in people:
        if size + person.calls > CHUNK_CALLS or len(chunks[-1]) >= 1000:
            chunks.append([])
            size = 0
        chunks[-1].append(person)
        size += person.calls
    # The largest first, each to whoever has least: so all end at about the same time.
    shares: list[list[list[_Person]]] = [[] for _ in range(connections)]
    loads = [0] * connections
    for chunk in sorted(chunks, key=lambda chunk: -sum(person.calls + 1 for person in chunk)):
        least = loads.index(min(loads))
        shares[least].append(chunk)
        loads[least] += sum(person.calls + 1 for person in chunk)
    return shares


def _write(owner_url: str, chunks: Sequence[Sequence[_Person]], progress: _Progress) -> None:
    """Write chunks of customers, each in a transaction of its own."""
    with closing(_connected(owner_url)) as connection:
        connection.execute(_sql("fill_stage.sql"))
        for chunk in chunks:
            with connection.transaction():
                # So that two fills make different calls, and carriers' names of them are in order for their index.
                names = f"CA{time.time_ns() // 1000 % 16**14:014x}{random.getrandbits(32):08x}"
                connection.execute("SELECT set_config('fill.carrier_calls', %s, true)", [names])
                with connection.cursor().copy("COPY fill_people FROM STDIN") as copy:
                    for person in chunk:
                        copy.write_row(
                            (
                                person.user,
                                person.email,
                                person.calls,
                                person.agents,
                                person.numbers,
                                person.first_number,
                            )
                        )
                connection.execute(_sql("fill_chunk.sql"))
            progress.add(sum(person.calls for person in chunk))


def _connected(owner_url: str) -> psycopg.Connection[Any]:
    """A connection as the owner of the tables, without the checks of foreign keys where that may be switched off."""
    connection = psycopg.connect(owner_url, autocommit=True, connect_timeout=10, application_name="talktime fill")
    with suppress(psycopg.errors.InsufficientPrivilege):  # who is no superuser writes more slowly, that is all
        connection.execute("SET session_replication_role = replica")
    for setting in (f"ROLE {OWNER}", "search_path TO public", "synchronous_commit TO off", "work_mem TO '64MB'"):
        connection.execute(f"SET {setting}".encode())
    return connection


def _sql(name: str) -> bytes:
    return (files("talktime.cli") / name).read_bytes()


def _one(connection: psycopg.Connection[Any], query: str) -> Any:
    row = connection.execute(query.encode()).fetchone()
    return row[0] if row else None
