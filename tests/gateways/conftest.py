"""A shop, once for all tests of this folder."""

from collections.abc import AsyncIterator

import pytest

from tests.gateways.shop import Shop, open_shop


@pytest.fixture(scope="session")
async def the_shop() -> AsyncIterator[Shop]:
    async with open_shop(debit_seconds=500) as shop:
        yield shop


@pytest.fixture
async def shop(the_shop: Shop) -> Shop:
    await the_shop.reset()
    return the_shop
