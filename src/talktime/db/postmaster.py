"""One PostgreSQL server on one folder: made, started, recovered, stopped.

Whoever calls these verbs has made sure that nobody else does so at the same time. The rule: nothing of a running
server is touched; what looks dead is proven dead first.
"""

import contextlib
import os
import re
import secrets
import shlex
import shutil
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql
from psycopg.pq import PGconn, Ping

from talktime.db.territory import DiskFull, ServerFailed, Territory, readable_errors, socket_folder

SUPERUSER = "postgres"
_PORT = 5432  # only the name of the socket
_LOG_BYTES_MAX = 5_000_000
_CONTAINER_MEMORY = Path("/sys/fs/cgroup/memory.max")
_NOT_YET = ('lock file "', "pre-existing shared memory block")


@dataclass(frozen=True)
class Postmaster:
    """A server on `folder`, whether it runs or not."""

    territory: Territory
    folder: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    logins: tuple[str, ...] = (SUPERUSER,)
    """The roles as which root and the server's own user may connect; nobody else may at all."""

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        return self.folder / "log" / "server.log"

    @property
    def socket(self) -> Path:
        return socket_folder(self.folder)

    def url(self, database: str, user: str = SUPERUSER) -> str:
        """How libpq reaches it. The port is said because PGPORT may be set for another server."""
        return f"postgresql://{quote(user)}@/{quote(database)}?host={quote(str(self.socket), safe='')}&port={_PORT}"

    def ping(self) -> Ping:
        return Ping(PGconn.ping(self.url("postgres").encode() + b"&connect_timeout=5"))

    def start(self, *, seconds_max: float = 60) -> None:
        """Make the data folder if there is none, start the server if it does not run, wait until it answers."""
        deadline = time.monotonic() + seconds_max
        with readable_errors():
            self._make()
            while (answer := self.ping()) is not Ping.OK:
                if answer is Ping.NO_RESPONSE:
                    self._bury()
                    self._launch(deadline)
                elif time.monotonic() > deadline:
                    raise ServerFailed(f"PostgreSQL is still busy starting or stopping: see {self.log}.")
                else:
                    time.sleep(0.05)

    def stop(self) -> None:
        """Stop the server and wait until it is gone. Live connections are ended, their transactions rolled back."""
        if not self._runs():
            return
        for mode in ("fast", "immediate"):  # after the second, the next start replays the log
            done = self.territory.run("pg_ctl", "stop", "-D", str(self.data), "-m", mode, "-w", "-t", "60")
            if done.returncode == 0 or not self._runs():
                return
        raise ServerFailed(f"PostgreSQL does not stop: {done.stderr.strip()}")

    def kill(self) -> None:
        """End a server whose data nobody wants any more."""
        processes = self._processes()
        if processes is None:
            self.stop()
        else:
            self._end(processes)

    def _make(self) -> None:
        """initdb under another name first: a folder named `data` is whole."""
        for folder in (self.log.parent, self.socket):
            self.territory.make_folder(folder)
        _write(self.folder / "pg_hba.conf", f"local all all peer map={SUPERUSER}\n")
        users = dict.fromkeys(("root", self.territory.user_name))
        lines = [f"{SUPERUSER} {user} {login}\n" for user in users for login in self.logins]
        _write(self.folder / "pg_ident.conf", "".join(lines))
        if self.data.is_dir():
            return
        for left_over in self.folder.glob("draft-*"):
            shutil.rmtree(left_over)
        draft = self.folder / f"draft-{secrets.token_hex(4)}"
        self.territory.make_folder(draft)
        builtin = self.territory.version_major >= 17
        locale = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8") if builtin else ()
        arguments = ["-D", str(draft), "-U", SUPERUSER, "-E", "UTF8", "--locale=C", *locale, "-A", "peer", "-N"]
        done = self.territory.run("initdb", *arguments)
        if done.returncode:
            shutil.rmtree(draft)
            raise _failure("PostgreSQL's initdb failed", done.stderr or done.stdout)
        if self.settings.get("fsync") != "off":
            self.territory.run("initdb", "--sync-only", "-D", str(draft))
        draft.rename(self.data)

    def _launch(self, deadline: float) -> None:
        """pg_ctl puts the server into a session of its own, so it outlives Ctrl-C in the terminal."""
        if self.log.exists() and self.log.stat().st_size > _LOG_BYTES_MAX:
            self.log.replace(self.log.with_suffix(".log.1"))
        begin = self.log.stat().st_size if self.log.exists() else 0
        left = max(1, int(deadline - time.monotonic()))
        arguments = ["-D", str(self.data), "-l", str(self.log), "-w", "-t", str(left), "-o", self._options()]
        done = self.territory.run("pg_ctl", "start", *arguments, seconds_max=left + 30)
        if done.returncode == 0:
            return
        said = self.log.read_bytes()[begin:].decode(errors="replace") if self.log.exists() else ""
        if time.monotonic() > deadline or not any(words in said for words in _NOT_YET):
            raise _failure("PostgreSQL does not start", said or done.stderr, see=self.log)
        time.sleep(0.1)  # what is left of the last server is still leaving

    def _options(self) -> str:
        settings = {
            "listen_addresses": "",
            "port": str(_PORT),
            "unix_socket_directories": f'"{self.socket}"',
            "unix_socket_permissions": "0700",
            "hba_file": str(self.folder / "pg_hba.conf"),
            "ident_file": str(self.folder / "pg_ident.conf"),
            "max_connections": "200",
            "shared_buffers": f"{_shared_buffers_mb()}MB",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "lc_messages": "C",
            "logging_collector": "off",
            "log_line_prefix": "%m [%p] ",
            **self.settings,
        }
        return shlex.join(word for name, value in settings.items() for word in ("-c", f"{name}={value}"))

    def _bury(self) -> None:
        """After a killed postmaster: end what it left running, and forget its number if that is somebody else's now.

        PostgreSQL itself recovers from its own dead lock file, but not when a stranger got the same process id (as
        in every restarted container) nor while orphans still run a query.
        """
        number = self._number()
        processes = self._processes() if number else None
        if number is None or processes is None or number in processes:
            return
        self._end(processes)
        if _is_alive(number):
            for path in (self.data / "postmaster.pid", self.socket / f".s.PGSQL.{_PORT}.lock"):
                path.unlink(missing_ok=True)

    def _end(self, processes: set[int]) -> None:
        """SIGQUIT: to a server "immediate shutdown", to its orphans "leave at once"."""
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGQUIT)
        deadline = time.monotonic() + 20
        while self._processes():
            if time.monotonic() > deadline:
                raise ServerFailed(f"The processes of PostgreSQL on {self.data} do not end.")
            time.sleep(0.02)

    def _number(self) -> int | None:
        """The process id that the last server left in its lock file."""
        try:
            first_line = (self.data / "postmaster.pid").read_text().partition("\n")[0].strip()
        except FileNotFoundError:
            return None
        return int(first_line) if first_line.isdecimal() else None

    def _runs(self) -> bool:
        number = self._number()
        processes = self._processes() if number else None
        return number is not None and (processes is None or number in processes)

    def _processes(self) -> set[int] | None:
        """The processes that work in the data folder, or None where the system does not tell.

        Asked as the server's user: root without CAP_SYS_PTRACE may not see where another user's process works.
        """
        if not Path("/proc/self/cwd").exists():
            return None
        said = self.territory.run("/bin/sh", "-c", "ls -l /proc/[0-9]*/cwd 2>/dev/null; true").stdout
        here = rf"/proc/(\d+)/cwd -> {re.escape(str(self.data.resolve()))}$"
        return {int(number) for number in re.findall(here, said, re.MULTILINE)}


def make_database(url: str, name: str, template: str | None = None) -> None:
    """Make a database if there is none of that name, by way of the database that `url` names."""
    wanted = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
        sql.Identifier(name), sql.Identifier(template or "template1")
    )
    with psycopg.connect(url, autocommit=True) as connection:
        if connection.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone():
            return
        for attempt in range(100):
            try:
                connection.execute(wanted)
            except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                return  # another process was first
            except psycopg.errors.ObjectInUse:
                if attempt == 99:
                    raise
                time.sleep(0.05)  # the template is being copied by another, or is just being left
            else:
                return


def _write(path: Path, text: str) -> None:
    if not path.exists() or path.read_text() != text:
        draft = path.with_name(f"{path.name}.draft")
        draft.write_text(text)
        draft.chmod(0o644)
        draft.replace(path)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _failure(what: str, said: str, see: Path | None = None) -> ServerFailed:
    if "No space left on device" in said:
        return DiskFull()
    tail = "\n".join(said.strip().splitlines()[-12:])
    return ServerFailed(f"{what}:\n{tail}" + (f"\n(all of it in {see})" if see else ""))


def _shared_buffers_mb() -> int:
    """A sixteenth of the machine's memory, 128 MB (PostgreSQL's own default) to 1 GB: the accounts, the holds and the
    newest lines stay in it, and the voice processes beside it keep the rest."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with contextlib.suppress(OSError, ValueError):
        memory = min(memory, int(_CONTAINER_MEMORY.read_text()))
    return min(1024, max(128, memory // 16 // 2**20))
