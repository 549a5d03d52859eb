"""A uvicorn inside a running loop, on a socket that is already bound.

The one rule: it leaves signals to the program around it, which alone knows what else is to be ended, and when.
"""

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Generator
from typing import Protocol

import orjson
import uvicorn
from starlette.applications import Starlette

from talktime.errors import ProviderError


class Company(Protocol):
    """A simulated company: it serves for as long as somebody is inside."""

    @property
    def api_base(self) -> str:
        """Where it answers, once it runs."""

    async def __aenter__(self) -> object:
        """Begin to serve."""

    async def __aexit__(self, *_exception: object) -> None:
        """Let go of everything."""


class Door(Protocol):
    """What one knocks at."""

    def close(self) -> None:
        """Take no new connection; those that there are go on."""

    def is_quiet(self) -> bool:
        """Whether there are no connections any more."""


@contextlib.asynccontextmanager
async def serve(app: Starlette, listener: socket.socket) -> AsyncGenerator[None, None]:
    """Serve a simulated company's application for as long as the block; then the socket is closed, too."""
    config = uvicorn.Config(
        app,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=2,
    )
    async with serve_as(config, listener):
        yield


@contextlib.asynccontextmanager
async def serve_as(config: uvicorn.Config, listener: socket.socket) -> AsyncGenerator["Door", None]:
    """Serve in a way of one's own for as long as the block. Raises ProviderError when the server does not start."""
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    up = asyncio.create_task(server.is_up.wait())
    await asyncio.wait({serving, up}, return_when=asyncio.FIRST_COMPLETED)
    up.cancel()
    try:
        if serving.done():
            raise ProviderError("The server did not start.", permanent=True) from serving.exception()
        yield server
    finally:
        server.should_exit = True
        await asyncio.wait({serving})
        listener.close()
    if not serving.cancelled():
        serving.result()  # an error of ours is raised here, not lost


def listen(port: int) -> socket.socket:
    """A socket on 127.0.0.1; port 0 takes a free one. Raises OSError when it is taken."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
    except OSError:
        listener.close()
        raise
    return listener


async def until_stopped(company: Company) -> None:
    """A program of its own: serve until SIGTERM or SIGINT. The first line on standard output says where."""
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, over.set)
    async with company:
        sys.stdout.write(orjson.dumps({"api_base": company.api_base}).decode() + "\n")
        sys.stdout.flush()
        await over.wait()


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers, and with a way to know that it runs."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    def close(self) -> None:
        for server in self.servers:
            server.close()

    def is_quiet(self) -> bool:
        return not self.server_state.connections

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_up.set()
