"""`make bench-pages`: how long the server takes for each page, with a year of calls in one account.

One run makes a server of its own, fills it with one customer's 200,000 calls (what was said in them included), signs in
as that customer and as an operator, follows every link, and asks for one page of each kind again and again over one
connection. What is measured is from the request until the whole page is here. The bar: each page's p95 within 50 ms.
The last line printed is JSON.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx
import psycopg
from scripts.showcase import crawl, kind_of, one_of_each, sign_in

from bench.http_stage import WHY, Stage, stage
from talktime.accounts import links, sessions
from talktime.accounts.models import LinkPurpose, Role, User
from talktime.calls import operating, usage
from talktime.db.base import new_id
from talktime.db.session import Database, connect

CALLS = 200_000
P95_BAR_MS = 50.0
_TIMES = 40
_WARM = 40
"""A statement is prepared at its sixth time, and its plan kept after as many more, on each connection: what serves for
longer than a minute has done so."""


def main() -> int:
    """Exit code 1 when a page takes longer than it may, or is none."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="A tenth of the calls.")
    parser.add_argument("--calls", type=int, default=CALLS)
    parser.add_argument("paths", nargs="*", help="Only these pages; else every one that is linked to.")
    asked = parser.parse_args()
    calls = asked.calls // 10 if asked.quick else asked.calls
    with tempfile.TemporaryDirectory() as folder, stage(1, calls, Path(folder), print) as here:
        asyncio.run(_counted(here))
        taken = asyncio.run(_measured(here, asked.paths))
    slow = {kind: ms for kind, ms in taken.items() if ms[1] > P95_BAR_MS}
    print(f"\n{'page':60} {'median':>8} {'p95':>8}   (ms, bar {P95_BAR_MS:.0f}, {calls:,} calls)")
    for kind, (median, p95) in sorted(taken.items(), key=lambda each: -each[1][1]):
        print(f"{kind:60} {median:8.1f} {p95:8.1f}{'  slow' if kind in slow else ''}")
    print(json.dumps({"calls": calls, "pages": taken, "slow": sorted(slow)}))
    return 1 if slow else 0


async def _counted(here: Stage) -> None:
    """What a worker counts by the clock has been counted, and the tables are as PostgreSQL's own rounds leave them in a
    year: of a fill a minute ago they would still have all to do, beside what is measured."""
    database = connect(here.url)
    try:
        await usage.count_days(database)
        await operating.count_quarters_at_night(database)
    finally:
        await database.close()
    with psycopg.connect(here.url, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE)")
        connection.execute("CHECKPOINT")


async def _measured(here: Stage, paths: Sequence[str]) -> Mapping[str, tuple[float, float]]:
    """Each kind of page with its median and p95 in milliseconds."""
    database = connect(here.url)
    try:
        ways_in = [(await _link(database, here.people[0].id), ["/"]), (await _operator(database), ["/operator"])]
    finally:
        await database.close()
    taken: dict[str, tuple[float, float]] = {}
    with here.serving("web") as program:
        address = f"http://127.0.0.1:{program.port}"
        for link, start in ways_in:
            cookies = await sign_in(address, link)
            visited = await crawl(address, cookies, start, each_kind_max=1)
            # A year of one account's statement is more than a PDF holds: that is said with a 422.
            broken = [f"{each.status} {each.address}" for each in visited if each.status >= 400 and each.status != 422]
            assert not broken, broken
            for page in paths or one_of_each(visited):
                taken.setdefault(kind_of(page), await _timed(address, cookies, page))
    return taken


async def _timed(address: str, cookies: Mapping[str, str], page: str) -> tuple[float, float]:
    """Median and p95 of one page."""
    taken = []
    headers = {"accept": "text/html"}
    async with httpx.AsyncClient(base_url=address, cookies=dict(cookies), headers=headers, timeout=60) as client:
        for number in range(_TIMES + _WARM):
            began = time.perf_counter()
            await client.get(page)
            if number >= _WARM:
                taken.append((time.perf_counter() - began) * 1000)
    return round(statistics.median(taken), 1), round(statistics.quantiles(taken, n=20)[-1], 1)


async def _operator(database: Database) -> str:
    """A new operator, and where they sign in."""
    operator = User(id=new_id(), email="operator@bench.example", name="Olga", role=Role.ADMIN)
    async with database.transaction(everyone=WHY) as db:
        db.add(operator)
    return await _link(database, operator.id)


async def _link(database: Database, user: uuid.UUID) -> str:
    async with database.transaction(everyone=WHY) as db:
        return links.path_of(LinkPurpose.SIGN_IN, await sessions.make_link_token(db, user))


if __name__ == "__main__":
    sys.exit(main())
