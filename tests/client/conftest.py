"""Clients of the usual people, of an application in this process and of one on a port."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpx
import pytest

from talktime.accounts.keys import Scope
from talktime.cli.serving import web_server
from talktime.db.session import Database
from talktime.settings import Settings
from talktime.simulate.server import listen
from talktime_client import AsyncClient, Retry
from tests.api.program import app_on, key_of
from tests.client.wires import Wire
from tests.payments.counter import Counter, counter, the_counter
from tests.people import Person
from tests.web.stage import SECRET, SITE, Stage

__all__ = ["counter", "the_counter"]

HASTY = Retry(first_wait_seconds=0.01, wait_seconds_max=0.05, seconds_max=20)
"""As stubborn as by itself, and in less time."""


@pytest.fixture
async def stage(database: Database) -> Stage:
    """What the API asks of the process around it."""
    return Stage(Settings(public_url=SITE, secret_key=SECRET, webhooks_to_private=True), database)


@pytest.fixture
async def shop(stage: Stage, counter: Counter) -> Stage:
    """The same, with a payment company."""
    return Stage(stage.settings, stage.database, gateway=counter.gateway)


def client_on(stage: Stage, key: str) -> AsyncClient:
    """A client of an application in this process."""
    transport = httpx.ASGITransport(app_on(stage), raise_app_exceptions=False, client=("203.0.113.77", 4711))
    return AsyncClient(SITE, key=key, retry=HASTY, transport=transport)


@pytest.fixture
async def as_alice(stage: Stage, alice: Person) -> AsyncIterator[AsyncClient]:
    """Alice's program, which may do all that she may."""
    async with client_on(stage, await key_of(stage.database, alice)) as client:
        yield client


@pytest.fixture
async def as_bob(stage: Stage, bob: Person) -> AsyncIterator[AsyncClient]:
    """Somebody else's."""
    async with client_on(stage, await key_of(stage.database, bob)) as client:
        yield client


@pytest.fixture
async def as_ada(stage: Stage, ada: Person) -> AsyncIterator[AsyncClient]:
    """The operator's."""
    async with client_on(stage, await key_of(stage.database, ada, Scope)) as client:
        yield client


@contextlib.asynccontextmanager
async def port_of(stage: Stage) -> AsyncIterator[int]:
    """The application as it is served, on a port of this machine."""
    listener = listen(0)
    port: int = listener.getsockname()[1]
    async with web_server(app_on(stage), listener, drain_seconds_max=0.5, impatient=asyncio.Event()):
        yield port


@pytest.fixture
async def wire(shop: Stage) -> AsyncIterator[Wire]:
    """A line to the application on its port, which can be cut."""
    async with port_of(shop) as port, Wire(port) as wire:
        yield wire
