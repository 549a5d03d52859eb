"""What was used by day and agent: the same whether days were counted or not, and true at once after a correction."""

import uuid
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from talktime.calls import usage
from talktime.calls.usage import UsedDay
from talktime.credits import money
from talktime.credits.models import NotCharged
from talktime.db.session import Database
from tests.calls.calling import called
from tests.db.everything import become_owner
from tests.people import WHY, Person, new_person

BERLIN = "Europe/Berlin"
NOON = datetime.now(ZoneInfo(BERLIN)).replace(hour=12, minute=0, second=0, microsecond=0)


@pytest.fixture
async def alice(empty_database: Database) -> Person:
    return await new_person(empty_database, "Alice", credits=10_000)


async def used(database: Database, person: Person, *, days: int = 30, zone: str = BERLIN) -> list[UsedDay]:
    async with database.transaction(user=person.id) as db:
        return await usage.used(db, person.id, zone=zone, days=days, now=NOON)


def day(days_ago: int) -> date:
    return NOON.date() - timedelta(days=days_ago)


async def test_each_day_and_agent_has_its_calls_seconds_and_credits(empty_database: Database, alice: Person) -> None:
    await called(empty_database, alice, seconds=50, at=NOON - timedelta(days=3))
    await called(empty_database, alice, seconds=40, at=NOON - timedelta(days=3, hours=2))
    await called(empty_database, alice, seconds=10, at=NOON - timedelta(hours=1))
    await called(empty_database, alice, seconds=10, at=NOON - timedelta(days=40))
    expected = [UsedDay(day(3), alice.agent, 2, 90, 30), UsedDay(day(0), alice.agent, 1, 10, 15)]
    assert await used(empty_database, alice) == expected
    assert await usage.count_days(empty_database, now=NOON) == 1
    assert await used(empty_database, alice) == expected
    assert await used(empty_database, alice, days=1) == expected[1:]
    assert len(await used(empty_database, alice, days=365)) == 3


async def test_a_long_span_is_added_up_by_month(empty_database: Database, alice: Person) -> None:
    for days_ago in (0, 1, 40, 41, 100):
        await called(empty_database, alice, seconds=50, at=NOON - timedelta(days=days_ago))
    expected = Counter(day(days_ago).replace(day=1) for days_ago in (0, 1, 40, 41, 100))
    for _ in ("before they are counted", "after"):
        async with empty_database.transaction(user=alice.id) as db:
            months = await usage.used(db, alice.id, zone=BERLIN, days=365, now=NOON, by="month")
        assert {each.day: (each.calls, each.seconds, each.credits) for each in months} == {
            month: (calls, 50 * calls, 15 * calls) for month, calls in expected.items()
        }
        await usage.count_days(empty_database, now=NOON)


async def test_all_agents_are_one_where_nobody_asks_for_each(empty_database: Database, alice: Person) -> None:
    await called(empty_database, alice, seconds=50, at=NOON - timedelta(days=3))
    await called(empty_database, alice, seconds=40, at=NOON - timedelta(days=3, hours=2))
    async with empty_database.transaction(user=alice.id) as db:
        found = await usage.used(db, alice.id, zone=BERLIN, now=NOON, each_agent=False)
    assert found == [UsedDay(day(3), None, 2, 90, 30)]


async def test_days_are_those_of_the_customers_zone(empty_database: Database, alice: Person) -> None:
    night = datetime(2026, 7, 1, 22, 30, tzinfo=UTC)  # half past midnight in Berlin
    await called(empty_database, alice, at=night)
    async with empty_database.transaction(user=alice.id) as db:
        moment = night + timedelta(days=2)
        assert [each.day for each in await usage.used(db, alice.id, zone=BERLIN, now=moment)] == [date(2026, 7, 2)]
        assert [each.day for each in await usage.used(db, alice.id, zone="UTC", now=moment)] == [date(2026, 7, 1)]


async def test_who_moves_to_another_zone_has_other_days_at_once_and_counted_ones_later(
    empty_database: Database, alice: Person
) -> None:
    await called(empty_database, alice, at=NOON.replace(hour=1) - timedelta(days=2))
    await usage.count_days(empty_database, now=NOON)
    async with empty_database.transaction(everyone=WHY) as db:
        await db.execute(text("UPDATE users SET zone = 'America/New_York' WHERE id = :id"), {"id": alice.id})
    for _ in range(2):
        assert [each.day for each in await used(empty_database, alice, zone="America/New_York")] == [day(3)]
        await usage.count_days(empty_database, now=NOON)
    async with empty_database.transaction(user=alice.id) as db:
        assert (await db.scalars(text("SELECT day FROM use_days"))).all() == [day(3)]


async def test_a_late_correction_of_a_counted_day_shows_at_once_and_after_the_next_count(
    empty_database: Database, alice: Person
) -> None:
    call = await called(empty_database, alice, seconds=50, at=NOON - timedelta(days=3))
    await called(empty_database, alice, seconds=50, at=NOON - timedelta(days=1))
    await usage.count_days(empty_database, now=NOON)
    async with empty_database.transaction(everyone=WHY) as db:
        await money.waive(db, alice.id, call, NotCharged.SPAM, actor=alice.id)
    expected = [UsedDay(day(3), alice.agent, 1, 50, 0), UsedDay(day(1), alice.agent, 1, 50, 15)]
    assert await used(empty_database, alice) == expected
    await called(empty_database, alice, seconds=10, at=NOON)
    await usage.count_days(empty_database, now=NOON + timedelta(days=1))
    assert await used(empty_database, alice) == [*expected, UsedDay(day(0), alice.agent, 1, 10, 15)]


async def test_a_day_with_a_call_that_goes_on_is_not_over(empty_database: Database, alice: Person) -> None:
    await called(empty_database, alice, seconds=50, at=NOON - timedelta(days=3))
    await called(empty_database, alice, at=NOON - timedelta(days=2), is_over=False)
    await called(empty_database, alice, seconds=50, at=NOON - timedelta(days=1))
    await usage.count_days(empty_database, now=NOON)
    async with empty_database.transaction(user=alice.id) as db:
        assert (await db.scalars(text("SELECT day FROM use_days"))).all() == [day(3)]
    assert [each.calls for each in await used(empty_database, alice)] == [1, 1, 1]


async def test_counting_again_changes_nothing(empty_database: Database, alice: Person) -> None:
    await called(empty_database, alice, at=NOON - timedelta(days=3))
    assert await usage.count_days(empty_database, now=NOON) == 1
    before = await used(empty_database, alice)
    assert await usage.count_days(empty_database, now=NOON) == 0
    assert await used(empty_database, alice) == before


async def test_a_call_without_an_agent_is_nobodys(empty_database: Database, alice: Person) -> None:
    call = await called(empty_database, alice, at=NOON - timedelta(days=1))
    async with empty_database.transaction(everyone=WHY) as db:
        await become_owner(db)
        await db.execute(text("UPDATE calls SET agent_id = NULL, agent_version = NULL WHERE id = :id"), {"id": call})
    for _ in range(2):
        assert [each.agent_id for each in await used(empty_database, alice)] == [None]
        await usage.count_days(empty_database, now=NOON)


async def test_nobody_sees_what_somebody_else_used(empty_database: Database, alice: Person) -> None:
    bob = await new_person(empty_database, "Bob", credits=100)
    await called(empty_database, alice, at=NOON - timedelta(days=1))
    await usage.count_days(empty_database, now=NOON)
    assert await used(empty_database, bob) == []
    async with empty_database.transaction(user=bob.id) as db:
        assert await usage.used(db, alice.id, zone=BERLIN, now=NOON) == []
        assert await usage.used(db, uuid.uuid4(), zone=BERLIN, now=NOON) == []
