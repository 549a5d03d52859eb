from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.house import House, open_house


@pytest.fixture(scope="session")
async def house(new_database_url: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A running installation that this worker's tests share."""
    async with open_house(new_database_url(), Path(tmp_path_factory.mktemp("home"))) as house:
        yield house
