"""What every test may ask for: a database of its own worker, and people.

Tests commit. Nothing is rolled back and nothing cleaned: each test makes new people, and nobody sees anybody else's.
"""

import os
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import structlog

from talktime.db import embedded
from talktime.db.session import Database, connect
from tests.people import Person, new_person
from tests.schema import deploy

pytest_plugins = ["tests.rendered"]


@pytest.fixture(autouse=True)
def unkept_logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process sets up its logs once, and its loggers keep that. A command that is run within a test does so, too; no
    other test's lines are to go where that one's went."""
    configure = structlog.configure
    monkeypatch.setattr(
        structlog, "configure", lambda **words: configure(**{**words, "cache_logger_on_first_use": False})
    )
    # Until a test sets up others: as ever, but without every variable of every frame of an error, which takes a second
    # to draw, and as long stands all that runs in the same loop.
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    # And on standard error: what a command prints is its answer, whoever else in this process logs meanwhile.
    structlog.configure(
        processors=[*structlog.get_config()["processors"][:-1], plain],
        logger_factory=lambda *_names: structlog.PrintLogger(sys.stderr),
    )
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def server() -> Iterator[embedded.Server]:
    """A PostgreSQL of this worker's own, thrown away at the end; not the wheel's when another is asked for."""
    programs = os.environ.get("TALKTIME_TEST_POSTGRES")
    with embedded.temporary(programs=Path(programs) if programs else None) as server:
        yield server


@pytest.fixture(scope="session")
def template(server: embedded.Server) -> str:
    """The name of a migrated database with nothing in it."""
    embedded.ensure_database(server, "template_talktime")
    deploy(server.url("template_talktime"))
    return "template_talktime"


@pytest.fixture(scope="session")
def new_database_url(server: embedded.Server, template: str) -> Callable[[], str]:
    """Makes an empty migrated database and gives its address."""

    def make() -> str:
        name = f"test_{uuid.uuid4().hex[:12]}"
        embedded.ensure_database(server, name, template=template)
        return server.url(name)

    return make


@pytest.fixture(scope="session")
async def database(new_database_url: Callable[[], str]) -> AsyncIterator[Database]:
    """The database that this worker's tests share."""
    database = connect(new_database_url(), connections_max=60)
    yield database
    await database.close()


@pytest.fixture
async def empty_database(new_database_url: Callable[[], str]) -> AsyncIterator[Database]:
    """A database that nobody else writes to, for what looks at all of it."""
    database = connect(new_database_url())
    yield database
    await database.close()


@pytest.fixture
async def alice(database: Database) -> Person:
    """A customer with 1,000 credits, at 15 credits a minute."""
    return await new_person(database, "Alice", credits=1000)


@pytest.fixture
async def bob(database: Database) -> Person:
    """Somebody else."""
    return await new_person(database, "Bob", credits=1000)


@pytest.fixture
async def ada(database: Database) -> Person:
    """The operator."""
    return await new_person(database, "Ada", credits=0, admin=True)
