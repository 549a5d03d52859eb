"""Small schemas of the database tests' own, and servers of the versions that are there."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from talktime.db import embedded
from talktime.db.catalog import Snapshot, snapshot
from talktime.db.session import connect
from tests.db.everything import Two, fill
from tests.people import new_person

OLDER = Path("/usr/lib/postgresql/15/bin")
needs_older = pytest.mark.skipif(
    not (OLDER / "postgres").exists(), reason="PostgreSQL 15 is not installed (Debian: postgresql-15)"
)


@pytest.fixture(scope="module")
def servers() -> Iterator[embedded.Server]:
    """A throw-away server for one file of tests."""
    with embedded.temporary(logins=("alice", "bob", "carol")) as server:
        yield server


@pytest.fixture(scope="module")
def older() -> Iterator[embedded.Server]:
    """The same, of the oldest PostgreSQL that we support."""
    with embedded.temporary(logins=("alice", "bob", "carol"), programs=OLDER) as server:
        yield server


@pytest.fixture(scope="module")
async def two(new_database_url: Callable[[], str]) -> AsyncIterator[Two]:
    """Two customers in a database of their own."""
    database = connect(new_database_url())
    alice = await new_person(database, "Alice", credits=1000)
    bob = await new_person(database, "Bob", credits=1000)
    call = await fill(database, alice)
    await fill(database, bob)
    yield Two(database, alice, bob, call)
    await database.close()


def run(url: str, text: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(text.encode())


def ask(url: str, query: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(query.encode()).fetchone()
        return row[0] if row else None


def look(url: str) -> Snapshot:
    with psycopg.connect(url) as connection:
        return snapshot(connection)
