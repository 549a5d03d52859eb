"""A phone company, a server for it to ring, and a shop, once for all tests of this folder."""

from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from talktime.simulate.carrier import SimulatedCarrier
from talktime.simulate.orders import Order
from tests.gateways.conftest import shop, the_shop
from tests.simulate.exchange import ACCOUNT, TOKEN, Exchange, Plan, serve

Events = list[dict[str, Any]]
CONTROL = "secret-of-the-control-door"


@pytest.fixture(scope="session")
async def the_exchange() -> AsyncGenerator[Exchange, None]:
    async with serve(Exchange()) as exchange:
        yield exchange


@pytest.fixture
def exchange(the_exchange: Exchange) -> Exchange:
    the_exchange.reset(Plan())
    return the_exchange


@pytest.fixture(scope="session")
async def carrier() -> AsyncGenerator[SimulatedCarrier, None]:
    async with SimulatedCarrier(ACCOUNT, TOKEN, control_secret=CONTROL) as carrier:
        yield carrier


@pytest.fixture
def order(exchange: Exchange) -> Callable[..., Order]:
    """An order to the exchange; what is not given is as a good call has it."""

    def make(*script: Any, **more: Any) -> Order:
        wanted: dict[str, Any] = {
            "dialled": "+4930123456",
            "voice_url": f"{exchange.url}/ring",
            "status_callback": f"{exchange.url}/report",
            "script": script,
            "seconds_max": 10,
            **more,
        }
        return Order.model_validate(wanted)

    return make


def named(events: Events, name: str) -> Events:
    """The events of one name."""
    return [event for event in events if event["event"] == name]


async def all_of(carrier: SimulatedCarrier, order: Order) -> Events:
    """Every event of a call, to its end."""
    return [event async for event in carrier.place(order)]


__all__ = ["CONTROL", "Events", "all_of", "carrier", "exchange", "named", "order", "shop", "the_exchange", "the_shop"]
