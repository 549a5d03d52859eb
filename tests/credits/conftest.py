"""What the tests of the books ask for besides a database and people."""

from collections.abc import Iterator

import pytest

from talktime.db.session import Database
from tests.credits.books import Eyes


@pytest.fixture
def eyes(database: Database) -> Iterator[Eyes]:
    """Somebody who sees the whole of the worker's database."""
    eyes = Eyes(address(database))
    yield eyes
    eyes.close()


def address(database: Database) -> str:
    """Where a database is, as libpq has it."""
    return database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
