"""An installation that answers on a real port, and people in it."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from talktime.db.session import Database
from tests.house import House, open_house
from tests.mcp.relay import Relay


@pytest.fixture(scope="session")
async def house(new_database_url: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A running installation that this worker's tests share."""
    async with open_house(new_database_url(), Path(tmp_path_factory.mktemp("home"))) as house:
        yield house


@pytest.fixture
async def relay(house: House) -> AsyncIterator[Relay]:
    """A way to it that can be held up and cut."""
    async with Relay(house.settings.port) as relay:
        yield relay


@pytest.fixture(scope="session")
def database(house: House) -> Database:
    """Its own: who is made for a test is somebody there."""
    return house.database
