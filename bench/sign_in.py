"""Does the time of a refused sign-in tell whether an address has an account?

Known and unknown addresses take turns, each once and each from a network of its own, so that nothing is throttled. The
verdict is a permutation test of the difference of medians: how often chance alone makes one as large.
"""

import asyncio
import json
import random
import statistics
import sys
import time

from talktime.accounts import passwords, sign_in
from talktime.accounts.models import User
from talktime.db import embedded
from talktime.db.deploy import deploy
from talktime.db.session import Database, connect

TRIES = 200
_SHUFFLES = 10_000
_CHANCE_MIN = 0.01
_SECRET = b"a secret of the bench, and of nobody else"
_WHY = "a bench sets the stage"


async def main() -> int:
    """Exit code 1 when the two can be told apart."""
    with embedded.temporary(durable=True) as server:
        embedded.ensure_database(server, "talktime")
        url = server.url("talktime")
        await asyncio.to_thread(deploy, url, url)
        database = connect(url)
        try:
            return _said(*await _measured(database))
        finally:
            await database.close()


async def _measured(database: Database) -> tuple[list[float], list[float]]:
    """Milliseconds of refused sign-ins: of known addresses, and of unknown ones."""
    hashed = await passwords.hash_of("vier ungleiche Dinge am Abend")
    async with database.transaction(everyone=_WHY) as db:
        db.add_all(User(email=f"known{n}@example.org", name="x", password_hash=hashed) for n in range(TRIES))
    known: list[float] = []
    unknown: list[float] = []
    for number in range(-5, TRIES):
        pair = [("known", known), ("unknown", unknown)]
        random.shuffle(pair)
        for kind, took in pair:
            address = f"10.{number % 250}.{random.randrange(250)}.{random.randrange(250)}"
            began = time.perf_counter()
            try:
                await sign_in.sign_in(
                    database, _SECRET, f"{kind}{number}@example.org", "wrong", address=address, browser=None
                )
            except sign_in.WrongSignIn:
                if number >= 0:  # the first few warm up
                    took.append((time.perf_counter() - began) * 1000)
    return known, unknown


def _said(known: list[float], unknown: list[float]) -> int:
    difference = statistics.median(known) - statistics.median(unknown)
    both = known + unknown
    larger = 0
    for _ in range(_SHUFFLES):
        random.shuffle(both)
        by_chance = statistics.median(both[: len(known)]) - statistics.median(both[len(known) :])
        larger += abs(by_chance) >= abs(difference)
    chance = larger / _SHUFFLES
    print(f"known   {statistics.median(known):7.2f} ms (median of {len(known)})")
    print(f"unknown {statistics.median(unknown):7.2f} ms (median of {len(unknown)})")
    print(f"difference {difference:.2f} ms; chance alone makes one as large in {chance:.1%} of cases")
    print(
        json.dumps({"known_ms": round(statistics.median(known), 2), "difference_ms": round(difference, 3), "p": chance})
    )
    return int(chance < _CHANCE_MIN)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
