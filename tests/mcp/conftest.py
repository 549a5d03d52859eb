"""An installation that answers on a real port, and people in it."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.house import House, open_house
from tests.mcp.relay import Relay
from tests.people import Person, new_person


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


@pytest.fixture
async def alice(house: House) -> Person:
    return await new_person(house.database, "Alice", credits=1000)


@pytest.fixture
async def bob(house: House) -> Person:
    return await new_person(house.database, "Bob", credits=1000)


@pytest.fixture
async def ada(house: House) -> Person:
    return await new_person(house.database, "Ada", credits=0, admin=True)
