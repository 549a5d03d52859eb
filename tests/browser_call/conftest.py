from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.browser_call.page import Page, sign_in
from tests.house import House, open_house
from tests.people import Person, new_person


@pytest.fixture(scope="session")
async def house(new_database_url: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A running installation that this worker's tests share."""
    async with open_house(new_database_url(), Path(tmp_path_factory.mktemp("home"))) as house:
        yield house


@pytest.fixture
async def alice(house: House) -> Person:
    return await new_person(house.database, "Alice", credits=1000)


@pytest.fixture
async def bob(house: House) -> Person:
    return await new_person(house.database, "Bob", credits=1000)


@pytest.fixture
async def page(house: House, alice: Person) -> Page:
    """Alice's browser, signed in."""
    return await sign_in(house, alice)
