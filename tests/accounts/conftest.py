"""What the tests about signing in may ask for."""

from collections.abc import AsyncIterator, Callable

import pytest

from talktime.db.session import Database, connect
from tests.accounts.doors import Doors, delivering


@pytest.fixture(scope="module")
async def doors(new_database_url: Callable[[], str]) -> AsyncIterator[Doors]:
    """A database of this file's own, in which mails are delivered."""
    url = new_database_url()
    database = connect(url, connections_max=40)
    async with delivering(database, url) as doors:
        yield doors
    await database.close()


@pytest.fixture
def house(doors: Doors) -> Database:
    """Its database."""
    return doors.database
