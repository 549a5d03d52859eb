"""The PostgreSQL server that comes in a wheel, for when there is no DATABASE_URL.

Processes share one server per home folder; the last one to leave stops it. Every user of it holds a shared lock on a
file, and a killed process's lock vanishes by itself. The rule: the server is started and stopped only under the lock
`start.lock`, and no lock's descriptor is ever inherited by the server.
"""

import contextlib
import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from talktime.db.postmaster import SUPERUSER, Postmaster, make_database
from talktime.db.territory import (
    DiskFull,
    ServerFailed,
    ServerMissing,
    Territory,
    instance_folder,
    locked,
    make_open_folder,
    readable_errors,
    temporary_folder,
    territory,
    try_lock,
)

__all__ = ["DiskFull", "Server", "ServerFailed", "ServerMissing", "acquire", "discard", "ensure_database", "temporary"]

_HURRIED = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "shared_buffers": "128MB"}

_REMOVE_SECONDS = 5.0


class Server:
    """A running server, and our share in it: `stop` gives the share back."""

    def __init__(self, postmaster: Postmaster, share: int | None) -> None:
        self._postmaster = postmaster
        self._share = share
        self._process = os.getpid()

    @property
    def directory(self) -> Path:
        """Where the server keeps its data, its log and, mostly, its socket."""
        return self._postmaster.folder

    @property
    def territory(self) -> Territory:
        """Who runs it, and with which programs (`pg_dump`, `psql`)."""
        return self._postmaster.territory

    def url(self, database: str = "talktime", user: str = SUPERUSER) -> str:
        """How to connect to one of its databases, as libpq understands it."""
        return self._postmaster.url(database, user)

    def stop(self) -> None:
        """Leave; whoever leaves last stops the server and waits for it. Leaving twice is once.

        A forked child has our share but not the right to give it back.
        """
        share, self._share = self._share, None
        if share is None or os.getpid() != self._process:
            return
        try:
            with locked(self.directory / "start.lock"):
                if try_lock(share):
                    self._postmaster.stop()
        finally:
            fcntl.flock(share, fcntl.LOCK_UN)
            os.close(share)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


def acquire(home: Path, *, seconds_max: float = 60) -> Server:
    """Start the server of `home`, or join it when it runs. Blocks: call it in a thread.

    Returns a share to be given back by `stop`, or by using the server in a `with`. Raises `ServerFailed` or one of
    its kinds, whose message says what to do.
    """
    postmaster = Postmaster(territory(), instance_folder(home))
    with readable_errors():
        share = _open_lock(postmaster.folder / "users.lock")
    server = Server(postmaster, share)
    try:
        with locked(postmaster.folder / "start.lock"):
            fcntl.flock(share, fcntl.LOCK_SH)
            postmaster.start(seconds_max=seconds_max)
    except BaseException:
        server.stop()
        raise
    return server


def ensure_database(server: Server, name: str, template: str | None = None) -> None:
    """Make a database unless there is one of that name; as a copy of `template` when given."""
    make_database(server.url("postgres"), name, template)


def discard(home: Path) -> None:
    """Remove the server of `home` with all its data, for tests and demos. Refuses while somebody uses it."""
    postmaster = Postmaster(territory(), instance_folder(home))
    with readable_errors(), locked(postmaster.folder / "start.lock"):
        share = _open_lock(postmaster.folder / "users.lock")
        try:
            if not try_lock(share):
                raise ServerFailed(f"The database of {home} is in use: stop who uses it first.")
            _remove(postmaster)
        finally:
            os.close(share)


@contextlib.contextmanager
def temporary(*, durable: bool = False, logins: tuple[str, ...] = (), programs: Path | None = None) -> Iterator[Server]:
    """A throw-away server in a folder of its own, gone afterwards whatever happens.

    `durable` makes it write to the disk as carefully as a real one. `logins` are roles, beside the superuser, as
    which one may connect. `programs` is the folder of another PostgreSQL's programs.
    """
    whose = territory(programs)
    settings = {} if durable else _HURRIED
    folder, lock = _new_temporary_folder(whose)
    postmaster = Postmaster(whose, folder, settings, (SUPERUSER, *logins))
    try:
        postmaster.start()
        yield Server(postmaster, None)
    finally:
        _remove(postmaster)
        os.close(lock)


def _new_temporary_folder(whose: Territory) -> tuple[Path, int]:
    """A new folder and the lock we hold on it; the folders of processes that died are removed on the way."""
    parent = temporary_folder()
    with readable_errors(), locked(parent / "lock"):
        for left_over in parent.glob("server-*"):
            try:
                lock = _open_lock(left_over / "alive.lock")
            except FileNotFoundError:
                continue  # whoever left it was just removing it
            if try_lock(lock):
                _remove(Postmaster(whose, left_over))
            os.close(lock)
        folder = parent / f"server-{secrets.token_hex(4)}"
        make_open_folder(folder)
        lock = _open_lock(folder / "alive.lock")
        assert try_lock(lock), folder
        return folder, lock


def _open_lock(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _remove(postmaster: Postmaster) -> None:
    postmaster.kill()
    shutil.rmtree(postmaster.socket, ignore_errors=True)  # may lie elsewhere, and may be gone
    # A worker of the server that is just dying may still make or remove a file between our listing and our removing.
    deadline = time.monotonic() + _REMOVE_SECONDS
    while postmaster.folder.exists():
        shutil.rmtree(postmaster.folder, ignore_errors=time.monotonic() < deadline)
        time.sleep(0.02)
