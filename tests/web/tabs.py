"""The pages on a port of this machine, for a tab of a real browser."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn

from talktime.db.session import Database
from talktime.gateways.contract import Gateway
from talktime.settings import Settings
from tests.web.chromium import Tab, open_tab
from tests.web.stage import Stage, app_on


@dataclass
class Served:
    """The pages on a port of this machine."""

    address: str
    server: uvicorn.Server


@asynccontextmanager
async def serving(database: Database, gateway: Gateway | None = None) -> AsyncIterator[Served]:
    """Serve the pages for as long as the block."""
    config = uvicorn.Config("", host="127.0.0.1", port=0, log_level="warning", lifespan="off")
    socket = config.bind_socket()
    port = socket.getsockname()[1]
    config.loaded_app = app_on(Stage(Settings(host="127.0.0.1", port=port), database, gateway))
    config.app = config.loaded_app
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve([socket]))
    yield Served(f"http://127.0.0.1:{port}", server)
    server.should_exit = True
    await running


@pytest.fixture
async def served(database: Database) -> AsyncIterator[Served]:
    async with serving(database) as served:
        yield served


@pytest.fixture
async def tab(tmp_path: Path) -> AsyncIterator[Tab]:
    async with open_tab(tmp_path) as tab:
        yield tab


async def come_in(tab: Tab, served: Served, path: str) -> None:
    """Sign in with a link."""
    await tab.open(served.address + path)
    await tab.run("document.querySelector('main form button').click()")
    await tab.until("location.pathname === '/'")
