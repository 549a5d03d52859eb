"""One fork server and one phone company for all tests of this folder that a worker runs; a payment company for each."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from talktime.db import embedded
from talktime.db.session import Database
from tests.crash.fork_server import ForkServer, fork_server
from tests.crash.paydesk import Paydesk, paydesk
from tests.crash.restart import Books, opened
from tests.crash.shop import Shop, open_shop
from tests.crash.switchboard import Switchboard, switchboard

Clones = Callable[[Database, int], list[str]]


@pytest.fixture(scope="session")
async def forks(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ForkServer]:
    async with fork_server(Path(tmp_path_factory.mktemp("deaths"))) as server:
        yield server


@pytest.fixture(scope="session")
async def board() -> AsyncIterator[Switchboard]:
    async with switchboard() as board:
        yield board


@pytest.fixture
async def books(new_database_url: Callable[[], str]) -> AsyncIterator[Books]:
    """A database that nobody else writes to, and where it is."""
    async with opened(new_database_url()) as books:
        yield books


@pytest.fixture
async def desk() -> AsyncIterator[Paydesk]:
    async with paydesk(debit_seconds=500) as desk:
        yield desk


@pytest.fixture
def clones(server: embedded.Server) -> Clones:
    """Copies of a database that nobody is connected to any more."""

    def make(database: Database, count: int) -> list[str]:
        template = database.engine.url.database
        names = [f"{template}_{number}" for number in range(count)]
        for name in names:
            embedded.ensure_database(server, name, template=template)
        return [server.url(name) for name in names]

    return make


@pytest.fixture
async def shop(new_database_url: Callable[[], str], desk: Paydesk) -> AsyncIterator[Shop]:
    async with open_shop(new_database_url(), desk) as shop:
        yield shop
