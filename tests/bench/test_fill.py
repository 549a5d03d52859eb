"""`talktime db fill`: what is written the books agree with, and nobody's database is filled by mistake."""

from collections.abc import Callable

import pytest
from sqlalchemy import text

from talktime.calls import lifecycle
from talktime.calls.routing import Route
from talktime.carriers.contract import Ring
from talktime.cli.fill import fill, spread
from talktime.credits.verify import verify
from talktime.db.session import Database, connect
from talktime.errors import BadInput, Conflict
from tests.people import WHY, new_person


def silent(_: str) -> None:
    """Says nothing."""


async def counted(database: Database, *tables: str) -> list[int]:
    async with database.transaction(everyone=WHY) as db:
        return [int(await db.scalar(text(f"SELECT count(*) FROM {table}")) or 0) for table in tables]


async def test_the_books_of_a_filled_database_are_right(new_database_url: Callable[[], str]) -> None:
    url = new_database_url()
    said: list[str] = []
    filled = fill(url, 30, 2000, add=False, connections=2, say=said.append)
    assert (filled.users, filled.calls) == (30, 2000)
    assert "2,000 of 2,000 calls" in said[-2]
    database = connect(url)
    try:
        verdict = await verify(database, full=True)
        assert (verdict.violations, verdict.accounts) == ((), 30)
        assert verdict.lines > 1500
        users, calls, names, turns = await counted(database, "users", "calls", "call_directory", "call_turns")
        assert (users, calls, names) == (30, 2000, 2000)
        assert turns > 100
        # And once more beside them.
        fill(url, 5, 300, add=True, connections=1, say=silent)
        assert await counted(database, "users", "calls", "phone_numbers") == [35, 2300, 35]
        assert (await verify(database, full=True)).is_clean
    finally:
        await database.close()


async def test_a_filled_customers_number_rings(new_database_url: Callable[[], str]) -> None:
    url = new_database_url()
    fill(url, 3, 50, add=False, connections=1, say=silent)
    database = connect(url)
    try:
        async with database.transaction(everyone=WHY) as db:
            number = str(await db.scalar(text("SELECT number FROM phone_numbers LIMIT 1")))
            rang = Ring(account="AC1", call_id=f"CA{7:032x}", caller="+4915112345678", dialled=number)
            decision = await lifecycle.ring(db, "twilio", rang)
        assert decision.route == Route.TALK
        assert (await verify(database, full=True)).is_clean
    finally:
        await database.close()


async def test_a_database_with_customers_is_not_filled_by_mistake(
    empty_database: Database, new_database_url: Callable[[], str]
) -> None:
    url = str(empty_database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False))
    await new_person(empty_database, "Alice", credits=10)
    with pytest.raises(Conflict, match="--add"):
        fill(url, 5, 10, add=False, connections=1, say=silent)
    assert await counted(empty_database, "users", "calls") == [1, 0]


@pytest.mark.parametrize(("users", "calls"), [(0, 5), (-1, 5), (5, -1), (2_000_000, 5), (5, 10**9)])
def test_what_cannot_be_meant_is_refused(users: int, calls: int) -> None:
    with pytest.raises(BadInput):
        fill("postgresql://nowhere", users, calls, add=False, connections=1, say=silent)


@pytest.mark.parametrize(("users", "calls"), [(1, 0), (1, 100), (2, 9), (3, 1), (100, 7), (10_000, 5_000_000)])
def test_calls_are_spread_over_all_and_none_is_lost(users: int, calls: int) -> None:
    counts = spread(users, calls)
    assert (len(counts), sum(counts)) == (users, calls)
    assert min(counts) >= 0
    if users == 10_000:
        assert counts[:2] == [1_000_000, 200_000]
        assert max(counts[2:]) < 50_000
        assert sorted(counts)[5_000] < 300
