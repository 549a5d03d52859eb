"""What a key may ask for holds for all processes together, and a restart gives none of it back."""

import asyncio
import subprocess
import sys

import pytest

from talktime.accounts import keys
from talktime.accounts.keys import TooManyRequests
from talktime.db.session import Database
from tests.api.program import key_of
from tests.people import Person

_PROCESSES = 8
_TRIES = 12
_BURST = 20
_WORKER = """
import asyncio, sys
from talktime.accounts import keys
from talktime.accounts.keys import TooManyRequests
from talktime.db.session import connect

async def main(url, key, burst, tries):
    database = connect(url)
    let_in = 0
    for _ in range(int(tries)):
        try:
            found = await keys.enter(
                database, b"a secret of this test, long enough", key, address="203.0.113.9", per_minute=1,
                burst=int(burst),
            )
            let_in += found is not None
        except TooManyRequests:
            pass
    await database.close()
    print(let_in)

asyncio.run(main(*sys.argv[1:]))
"""


def _processes(url: str, key: str) -> list[int]:
    """How many requests of each of so many processes at once are let in."""
    command = [sys.executable, "-c", _WORKER, url, key, str(_BURST), str(_TRIES)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(_PROCESSES)]
    said = [process.communicate(timeout=120)[0] for process in running]
    assert all(process.returncode == 0 for process in running)
    return [int(each) for each in said]


async def test_eight_processes_let_in_no_more_than_one_and_new_ones_none(database: Database, alice: Person) -> None:
    url = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    key = await key_of(database, alice)
    let_in = await asyncio.to_thread(_processes, url, key)
    # One leaks out each minute: how many that is depends on how long it took.
    assert _BURST <= sum(let_in) <= _BURST + 2
    assert sum(each > 0 for each in let_in) > 1, "they were at it together"
    assert sum(await asyncio.to_thread(_processes, url, key)) <= 2


async def test_a_key_is_let_in_within_one_round_trip(database: Database, alice: Person) -> None:
    key = await key_of(database, alice)
    secret = b"a secret of this test, long enough"
    for remaining in (2, 1, 0):
        found = await keys.enter(database, secret, key, address=None, per_minute=1, burst=3)
        assert found is not None
        assert found[1].remaining == remaining
        assert found[0].user_id == alice.id
    with pytest.raises(TooManyRequests) as wait:
        await keys.enter(database, secret, key, address=None, per_minute=1, burst=3)
    assert 55 <= wait.value.retry_after <= 60
    assert wait.value.allowance is not None
