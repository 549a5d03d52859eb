"""A server with everything it needs around it: database, migrations, the demo's customer and phone company.

Everything that this starts it stops, in the reverse order; calls are drained before anything else is taken away.
"""

import asyncio
import contextlib
import gc
import math
import os
import resource
import socket
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from talktime import app as application
from talktime import configuration
from talktime.alerts import marks
from talktime.cli import handover, running
from talktime.cli.companies import companies_of
from talktime.cli.demo import Demo, ensure_demo
from talktime.db import embedded
from talktime.db.current import is_current
from talktime.db.session import Database, connect
from talktime.errors import Conflict, TalktimeError
from talktime.http.patience import Patience, protocol_with
from talktime.http.problems import DATABASE_AWAY
from talktime.settings import Settings
from talktime.simulate.server import serve_as

_WATCH_SECONDS = 3.0
_FRAME_BYTES_MAX = 64 * 1024
_CONNECTIONS_MAX = 2000
"""At once, media sockets among them; whoever comes then is told to come again (503)."""
_FILES_SPARE = 256
"""For the database, the vendors and our own files."""


@dataclass(frozen=True, slots=True)
class Served:
    """A server that takes requests."""

    url: str
    app: FastAPI
    settings: Settings
    database: Database
    """Another pool to the same database, for the command that serves."""
    demo: Demo | None
    beside: int | None = None
    """Another process of this installation that serves at the same address, if there is one."""


@contextlib.asynccontextmanager
async def served(
    settings: Settings,
    *,
    demo: bool,
    parts: Collection[str] = application.PARTS,
    drain_seconds_max: float = 30.0,
    impatient: asyncio.Event | None = None,
) -> AsyncIterator[Served]:
    """Serve for as long as the block. `impatient`, once set, lets live calls say goodbye and waits no longer."""
    configuration.require_safe(settings, demo=demo)
    other = await running.find_instance(settings.home)
    if other is not None and (demo or other.demo):
        # Two demos would share their simulated companies. Others may be many, and take over from each other.
        raise Conflict(f"Talktime is serving at {other.url} already (process {other.pid}).")
    async with contextlib.AsyncExitStack() as stack:
        sync = stack.enter_context(contextlib.ExitStack())
        listener = handover.take_door(settings)
        sync.callback(listener.close)
        companies = companies_of(settings) if demo else []
        for company in companies:
            stack.push_async_callback(company.end)
            await company.begin()
        url = await asyncio.to_thread(sync.enter_context, running.database_url(settings))
        await asyncio.to_thread(_migrate, settings, url, demo)
        database = connect(url, connections_max=4)
        stack.push_async_callback(database.close)
        if set(parts) != {"web"}:
            async with database.transaction(everyone=marks.WHY) as db:
                await marks.require_awake(db)
        customer = await ensure_demo(database) if demo else None
        for company in companies:
            await company.ready()
        app = application.create_app(settings, url, parts=parts, demo=demo)
        await stack.enter_async_context(web_server(app, listener, drain_seconds_max, impatient or asyncio.Event()))
        if settings.database_url is None:
            await stack.enter_async_context(_embedded_kept(settings, database))
        gc.enable()
        gc.freeze()  # what is here now stays: nobody has to look at it again while calls are live
        if "voice" in parts:
            instance = running.Instance(os.getpid(), f"http://{settings.host}:{settings.port}", demo)
            running.announce(settings.home, instance)
            stack.callback(running.withdraw, settings.home)
        is_here = other is not None and other.url == f"http://{settings.host}:{settings.port}"
        beside = other.pid if other is not None and is_here else None
        yield Served(settings.base_url, app, settings, database, customer, beside)


def _migrate(settings: Settings, url: str, demo: bool) -> None:
    """Bring our own database up to date; somebody else's only has to be."""
    if is_current(url):
        return
    from talktime.db.deploy import deploy, status

    if demo or settings.database_url is None:
        owner = settings.database_owner_url
        deploy(url, owner.get_secret_value() if owner else url)
        return
    now = status(url)
    if now.pending:
        raise Conflict(f"The database is {len(now.pending)} migrations behind: run `talktime db deploy` first.")


@contextlib.asynccontextmanager
async def _embedded_kept(settings: Settings, database: Database) -> AsyncIterator[None]:
    """Start the embedded server again when it was killed under us."""

    async def watch() -> None:
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            try:
                async with asyncio.timeout(_WATCH_SECONDS):
                    async with database.transaction(everyone="the embedded server is asked whether it lives"):
                        pass
            except DATABASE_AWAY:
                with contextlib.suppress(TalktimeError):
                    # Our own share keeps it running; this one only makes sure that it runs.
                    (await asyncio.to_thread(embedded.acquire, settings.home)).stop()

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


@contextlib.asynccontextmanager
async def web_server(
    app: FastAPI, listener: socket.socket, drain_seconds_max: float, impatient: asyncio.Event
) -> AsyncIterator[None]:
    """Serve on `listener` for as long as the block; at its end live calls may go on for a while."""
    async with serve_as(server_config(app, Patience()), listener) as door:
        yield
        is_handed_over = handover.has_successor(listener)
        application.leave(app, has_successor=is_handed_over)
        if is_handed_over:
            await handover.close_door(door, listener)
        # uvicorn would close the media sockets at once: they have to end by themselves first. Where nobody takes over,
        # the door stays open meanwhile: whoever was told to open a socket can do so, and who rings now hears a voice.
        await _drain(app, drain_seconds_max, impatient)
        if is_handed_over:
            await handover.until_quiet(door)
        else:
            await handover.close_door(door, listener)


def server_config(app: ASGIApp, patience: Patience) -> uvicorn.Config:
    """How we serve, whatever it is; whoever is slow gets `patience`."""
    return uvicorn.Config(
        app,
        http=protocol_with(patience),
        timeout_keep_alive=math.ceil(patience.idle_seconds),
        limit_concurrency=_connections_max(),
        log_config=None,
        access_log=False,
        lifespan="on",
        ws="websockets-sansio",
        ws_max_size=_FRAME_BYTES_MAX,
        ws_per_message_deflate=False,
        ws_ping_interval=None,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=5,
    )


def _connections_max() -> int:
    """As many as we are willing to, and as the system lets us open; it is asked for more than most begin with."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _CONNECTIONS_MAX + _FILES_SPARE
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return _CONNECTIONS_MAX if soft == resource.RLIM_INFINITY else max(64, min(_CONNECTIONS_MAX, soft - _FILES_SPARE))


async def _drain(app: FastAPI, seconds_max: float, impatient: asyncio.Event) -> None:
    draining = asyncio.create_task(application.drain(app, seconds_max))
    hurry = asyncio.create_task(impatient.wait())
    await asyncio.wait({draining, hurry}, return_when=asyncio.FIRST_COMPLETED)
    if not draining.done():
        draining.cancel()
        await asyncio.gather(draining, return_exceptions=True)
        await application.drain(app, 0)
    hurry.cancel()
