"""Finding the database and the server of this installation, from a command.

With DATABASE_URL set it is that one; else the embedded server is started, or joined if it runs, and left cleanly.
"""

import asyncio
import contextlib
import gc
import json
import os
from collections.abc import AsyncIterator, Coroutine, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import httpx

from talktime import configuration
from talktime.db import embedded
from talktime.db.current import is_current
from talktime.db.session import Database, connect
from talktime.errors import Conflict
from talktime.settings import Settings

DATABASE_NAME = "talktime"
Result = TypeVar("Result")


def read_settings() -> Settings:
    """The settings. Raises WrongSettings, which names every one that cannot be right."""
    return configuration.read()


def run(work: Coroutine[Any, Any, Result], *, door: Literal["command", "worker"] = "command") -> Result:
    """Run a command's work on a fast loop. What is done in it came in by this door, unless a door inside says so."""
    import uvloop

    from talktime.accounts import audit

    with audit.came_from(door), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


@contextlib.contextmanager
def database_url(settings: Settings) -> Iterator[str]:
    """The address of this installation's database, which runs for as long as the block."""
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    with embedded.acquire(settings.home) as server:
        embedded.ensure_database(server, DATABASE_NAME)
        yield server.url(DATABASE_NAME)


@contextlib.asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """A pool to this installation's database, as the application sees it."""
    with contextlib.ExitStack() as stack:
        url = await asyncio.to_thread(stack.enter_context, database_url(settings))
        if not await asyncio.to_thread(is_current, url):
            raise Conflict("The database is not up to date: run `talktime db deploy`.")
        database = connect(url, connections_max=4)
        gc.enable()
        try:
            yield database
        finally:
            await database.close()


@dataclass(frozen=True, slots=True)
class Instance:
    """A running server, as it says of itself in `server.json`."""

    pid: int
    url: str
    demo: bool


def announce(home: Path, instance: Instance) -> None:
    """Let commands find this server."""
    home.mkdir(parents=True, exist_ok=True)
    draft = home / f"server.json.{os.getpid()}"
    draft.write_text(json.dumps(asdict(instance)))
    draft.replace(home / "server.json")


def withdraw(home: Path) -> None:
    """Take back `announce`, if it was ours."""
    found = _read_instance(home)
    if found is not None and found.pid == os.getpid():
        (home / "server.json").unlink(missing_ok=True)


async def find_instance(home: Path) -> Instance | None:
    """The server that runs here; None when there is none, or only the note of one that died."""
    instance = _read_instance(home)
    if instance is None:
        return None
    async with httpx.AsyncClient(timeout=3, trust_env=False) as client:
        try:
            answer = await client.get(f"{instance.url}/healthz")
        except httpx.HTTPError:
            return None
    return instance if answer.status_code == 200 else None


def _read_instance(home: Path) -> Instance | None:
    try:
        return Instance(**json.loads((home / "server.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None
