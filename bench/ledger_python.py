"""The same functions asked from Python: one process, a pool of sixteen connections, sixteen tasks that never rest."""

import asyncio
import itertools
import random
import time
from collections.abc import Awaitable, Callable

import uvloop

from bench.ledger_stage import OWNER, Size, call_id, owner_of, user_id
from talktime.credits import ledger, money
from talktime.db.session import Database, connect

POOL = 16
WHY = "an operator gives somebody credits"


def transactions_per_second(url: str, size: Size) -> float:
    """Postings through `transaction()`."""

    async def post(database: Database) -> None:
        user = user_id(random.randint(1, size.users))
        async with database.transaction(everyone=WHY) as db:
            await money.adjust(
                db,
                user,
                reference=str(random.getrandbits(63)),
                amount=1,
                reason="a posting of the bench",
                actor=user_id(random.randint(1, POOL)),
            )

    return uvloop.run(_measure(url, size, post))


def statements_per_second(url: str, size: Size, first_request: int) -> float:
    """Extensions in one statement each, as the meter asks for them."""
    requests = itertools.count(first_request)

    async def extend(database: Database) -> None:
        call = random.randint(1, size.users)
        extension = await ledger.extend(database, owner_of(size, call), call_id(call), OWNER, next(requests))
        assert extension.extended or extension.reason == "stale", extension

    return uvloop.run(_measure(url, size, extend))


async def _measure(url: str, size: Size, work: Callable[[Database], Awaitable[None]]) -> float:
    database = connect(url, connections_max=POOL)
    try:
        await asyncio.gather(*(work(database) for _ in range(POOL * 10)))  # connections opened, statements prepared
        began = time.monotonic()
        done = await asyncio.gather(*(_repeat(database, work, began + size.seconds) for _ in range(POOL)))
        return sum(done) / (time.monotonic() - began)
    finally:
        await database.close()


async def _repeat(database: Database, work: Callable[[Database], Awaitable[None]], end: float) -> int:
    count = 0
    while count == 0 or time.monotonic() < end:
        await work(database)
        count += 1
    return count
