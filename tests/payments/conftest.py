"""A counter, once for all tests of this folder."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from talktime.db.session import Database
from tests.payments.counter import Counter, calm, open_counter


@pytest.fixture(scope="session")
async def the_counter(database: Database, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Counter]:
    home: Path = tmp_path_factory.mktemp("counter")
    async with open_counter(database, home) as counter:
        yield counter


@pytest.fixture
async def counter(the_counter: Counter) -> Counter:
    await calm(the_counter)
    return the_counter
