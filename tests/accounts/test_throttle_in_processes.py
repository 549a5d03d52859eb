"""Tries count for all processes together, and a restart forgets none: real processes, a real server that is stopped."""

import asyncio
import contextlib
import subprocess
import sys
from pathlib import Path

import pytest

from talktime.accounts import sign_in
from talktime.accounts.throttle import TooManyTries
from talktime.db import embedded
from talktime.db.session import connect
from tests.accounts.doors import HERE, SECRET, give_password
from tests.people import new_person
from tests.schema import deploy

_TRIES = 6
_WORKER = """
import asyncio, sys
from talktime.accounts import sign_in
from talktime.accounts.throttle import TooManyTries
from talktime.db.session import connect

async def main(url, email, secret, address, tries):
    database = connect(url)
    checked = 0
    for number in range(int(tries)):
        try:
            await sign_in.sign_in(
                database, secret.encode(), email, f"wrong words {number}", address=address, browser=None
            )
        except sign_in.WrongSignIn:
            checked += 1
        except TooManyTries:
            pass
    await database.close()
    print(checked)

asyncio.run(main(*sys.argv[1:]))
"""


def _processes(url: str, email: str, count: int) -> int:
    """How many passwords so many processes at once get checked."""
    command = [sys.executable, "-c", _WORKER, url, email, SECRET.decode(), HERE, str(_TRIES)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(count)]
    said = [process.communicate(timeout=120)[0] for process in running]
    assert all(process.returncode == 0 for process in running)
    return sum(int(each) for each in said)


async def test_four_processes_get_no_more_tries_than_one_and_a_restart_gives_none_back(tmp_path: Path) -> None:
    try:
        with embedded.acquire(tmp_path) as server:
            embedded.ensure_database(server, "talktime")
            await asyncio.to_thread(deploy, server.url("talktime"))
            database = connect(server.url("talktime"))
            email = await give_password(database, await new_person(database, "Carol", credits=0))
            await database.close()
            # Five at once; while they are made, one or two more may leak out.
            assert 5 <= await asyncio.to_thread(_processes, server.url("talktime"), email, 4) <= 7
        # Nobody had a share in the server any more, so it stopped; now it starts again.
        with embedded.acquire(tmp_path) as server:
            assert await asyncio.to_thread(_processes, server.url("talktime"), email, 1) <= 2
            database = connect(server.url("talktime"))
            with pytest.raises(TooManyTries) as refused:
                for number in range(5):
                    with contextlib.suppress(sign_in.WrongSignIn):
                        await sign_in.sign_in(database, SECRET, email, f"{number}", address=HERE, browser=None)
            assert refused.value.retry_after > 0
            await database.close()
    finally:
        embedded.discard(tmp_path)
