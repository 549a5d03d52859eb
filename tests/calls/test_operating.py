"""What the operator looks at: today and the days, the same whether counted or not; calls nobody paid; providers."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from talktime import rounds
from talktime.calls import operating, provider_health, unbilled
from talktime.calls.margins import By, margins
from talktime.calls.models import CallStatus, CostKind
from talktime.calls.operating import OperatingDay
from talktime.calls.provider_health import Health, Trade
from talktime.calls.unbilled import Why
from talktime.credits import money
from talktime.credits.models import NotCharged
from talktime.credits.pricing import Rate
from talktime.db.session import Database
from talktime.inbox import Incoming, accept
from tests.calls.calling import called
from tests.calls.test_margins import buys
from tests.db.everything import become_owner
from tests.people import WHY, Person, new_person

UTC_ZONE = "UTC"
NOON = datetime.now(UTC).replace(hour=12, minute=5, second=0, microsecond=0)


@pytest.fixture
async def alice(empty_database: Database) -> Person:
    return await new_person(empty_database, "Alice", credits=10_000)


async def last_days(database: Database, days: int = 7) -> list[OperatingDay]:
    async with database.transaction(everyone=operating.WHY, snapshot=True) as db:
        return await operating.days(db, zone=UTC_ZONE, days=days, now=NOON)


async def test_days_are_the_same_counted_or_not(empty_database: Database, alice: Person) -> None:
    await buys(empty_database, alice, 10_000, 100_00)
    bob = await new_person(empty_database, "Bob", credits=1000)
    for days_ago in (0, 1, 1, 3):
        await called(empty_database, alice, seconds=50, at=NOON - timedelta(days=days_ago, hours=1))
    await called(empty_database, bob, seconds=20, at=NOON - timedelta(days=1, hours=11))
    before = await last_days(empty_database)
    assert [(line.calls, line.seconds, line.credits) for line in before] == [
        (0, 0, 0), (0, 0, 0), (0, 0, 0), (1, 50, 15), (0, 0, 0), (3, 120, 45), (1, 50, 15),
    ]  # fmt: skip
    assert before[-1].day == NOON.date()
    async with empty_database.transaction(everyone=operating.WHY) as db:
        since = NOON.replace(hour=0, minute=0) - timedelta(days=6)
        by_day = {line.key: line for line in await margins(db, since, NOON, By.DAY)}
    for line in before:
        same = by_day.get(line.day.isoformat())
        assert dict(line.earned_micros) == (dict(same.revenue) if same else {})
        assert line.unknown_costs == bool(same and same.unknown)
    assert await operating.count_quarters(empty_database, now=NOON) == 4
    assert await last_days(empty_database) == before
    assert await operating.count_quarters(empty_database, at_night=True, now=NOON) == 4
    assert await last_days(empty_database) == before


async def test_a_price_that_comes_later_is_counted_at_night(empty_database: Database, alice: Person) -> None:
    call = await called(empty_database, alice, at=NOON - timedelta(days=5))
    async with empty_database.transaction(everyone=WHY) as db:
        await become_owner(db)
        await db.execute(text("DELETE FROM call_costs"))
        await db.execute(
            text(
                "INSERT INTO call_costs (user_id, call_id, provider, kind, quantity, estimated)"
                " VALUES (:user, :call, 'openai/x', 'PROMPT_TOKENS', 5, false)"
            ),
            {"user": alice.id, "call": call},
        )
    await operating.count_quarters(empty_database, now=NOON)
    line = (await last_days(empty_database))[1]
    assert (line.unknown_costs, line.margin_micros) == (True, None)
    async with empty_database.transaction(everyone=WHY) as db:
        await db.execute(text("UPDATE call_costs SET amount_micros = 700, currency = 'USD'"))
    await operating.count_quarters(empty_database, at_night=True, now=NOON)
    line = (await last_days(empty_database))[1]
    assert (line.unknown_costs, dict(line.cost_micros), line.margin_micros) == (False, {"USD": 700}, {"USD": -700})


async def test_money_counts_on_the_day_it_came_or_went_by_currency_and_a_test_is_none(
    empty_database: Database, alice: Person
) -> None:
    await buys(empty_database, alice, 100, 10_00)
    await buys(empty_database, alice, 100, 8_00, "USD")
    await buys(empty_database, alice, 100, 5_00, refunded_minor=2_00)
    await buys(empty_database, alice, 100, 99_00, test=True)
    async with empty_database.transaction(everyone=operating.WHY) as db:
        now = datetime.now(UTC)
        today = await operating.overview(db, zone=UTC_ZONE, now=now)
        days = await operating.days(db, zone=UTC_ZONE, days=2, now=now)
    assert today.revenue_today == {"EUR": 13_00, "USD": 8_00}
    assert dict(days[-1].revenue_minor) == {"EUR": 13_00, "USD": 8_00}
    assert dict(days[0].revenue_minor) == {}


async def test_the_overview_says_what_runs_what_failed_and_whether_the_books_are_right(
    empty_database: Database, alice: Person
) -> None:
    await called(empty_database, alice, is_over=False)
    await called(empty_database, alice, seconds=20)
    await called(empty_database, alice, seconds=20, reason="ai_down")
    async with empty_database.transaction(everyone=operating.WHY) as db:
        await db.execute(
            text("INSERT INTO procrastinate_jobs (queue_name, task_name, status) VALUES ('default', 'x', 'failed')")
        )
    async with empty_database.transaction(everyone=operating.WHY) as db:
        found = await operating.overview(db, zone=UTC_ZONE)
    assert (found.ringing, found.talking) == (0, 1)
    assert (found.errors.calls, found.errors.jobs, found.errors.total) == (1, 1, 2)
    assert found.books.is_clean is None
    if found.calls_today:  # unless it was midnight
        assert (found.calls_today, found.seconds_today) == (3, 40)
    await rounds.prove(empty_database, full=True)
    async with empty_database.transaction(everyone=operating.WHY) as db:
        books = (await operating.overview(db, zone=UTC_ZONE)).books
    assert (books.is_clean, books.violations_in_all, books.verified_at) == (True, 0, None)
    assert books.verified_all_at is not None


async def test_calls_that_were_answered_and_cost_nothing_are_listed_with_the_reason(
    empty_database: Database, alice: Person
) -> None:
    free = await new_person(empty_database, "Free", credits=100, rate=Rate(credits_per_minute=0))
    short = await new_person(empty_database, "Short", credits=100, rate=Rate(credits_per_minute=15, free_seconds=10))
    expected: list[tuple[uuid.UUID, Why, str | None]] = []
    forgiven = await called(empty_database, alice, seconds=40)
    async with empty_database.transaction(everyone=WHY) as db:
        await money.waive(db, alice.id, forgiven, NotCharged.SPAM, actor=alice.id)
    expected.append((forgiven, Why.FORGIVEN, "spam"))
    expected.append((await called(empty_database, free, seconds=40), Why.FREE_PRICE, None))
    expected.append((await called(empty_database, short, seconds=9), Why.FREE_SECONDS, None))
    expected.append((await called(empty_database, alice, seconds=0), Why.NO_TIME, None))
    await called(empty_database, alice, seconds=40)
    await called(empty_database, alice, is_over=False)
    open_ended = await called(empty_database, alice, is_over=False)
    async with empty_database.transaction(everyone=WHY) as db:
        await become_owner(db)
        ended = "UPDATE calls SET status = 'COMPLETED', ended_at = now() WHERE id = :call"
        await db.execute(text(ended), {"call": open_ended})
    expected.append((open_ended, Why.NOT_SETTLED, None))
    found: list[unbilled.Unbilled] = []
    after = None
    while True:
        async with empty_database.transaction(everyone=unbilled.WHY) as db:
            page = await unbilled.unbilled(db, limit=2, after=after)
        if not page:
            break
        found += page
        after = page[-1].place
    assert [(each.call_id, each.why, each.reason) for each in found] == expected[::-1]
    assert found[-1].status == CallStatus.COMPLETED
    assert found[-1].email.startswith("alice.")


async def test_providers_are_told_apart_by_what_they_do_and_how_often_it_fails(
    empty_database: Database, alice: Person
) -> None:
    await called(empty_database, alice, seconds=20)
    broken = await called(empty_database, alice, seconds=20, reason="ai_down")
    await called(empty_database, alice, seconds=0, reason="line_dead")
    old = await called(empty_database, alice, seconds=20, at=datetime.now(UTC) - timedelta(days=2))
    async with empty_database.transaction(everyone=WHY) as db:
        await become_owner(db)
        for call in (broken, old):
            await db.execute(
                text(
                    "INSERT INTO call_costs (user_id, call_id, provider, kind, quantity, estimated)"
                    " VALUES (:user, :call, 'openai/x', CAST(:kind AS cost_kind), 5, false)"
                ),
                {"user": alice.id, "call": call, "kind": CostKind.PROMPT_TOKENS.value},
            )
    for number in range(4):
        await accept(empty_database, Incoming("stripe", "acct", f"evt_{number}", "payment.told", b"{}", {}))
    async with empty_database.transaction(everyone=WHY) as db:
        await db.execute(text("UPDATE provider_events SET handled_at = now() WHERE event_id <> 'evt_2'"))
        await db.execute(text("UPDATE provider_events SET error = 'x' WHERE event_id = 'evt_2'"))
    async with empty_database.transaction(everyone=provider_health.WHY) as db:
        carrier, gateway, speech = await provider_health.provider_health(db)
    assert (carrier.provider, carrier.trade, carrier.uses, carrier.failures) == ("simulated", Trade.CARRIER, 3, 1)
    assert (speech.provider, speech.trade, speech.uses, speech.failures) == ("openai/x", Trade.SPEECH, 1, 1)
    assert (gateway.provider, gateway.uses, gateway.failures, gateway.share) == ("stripe", 4, 1, 0.25)
    assert gateway.oldest_waiting_at is not None
    assert gateway.heard_at is not None
    assert Health("x", Trade.CARRIER, None, 0, 0, None).share == 0.0


async def test_where_nothing_ever_happened_there_is_nothing_to_see(empty_database: Database) -> None:
    async with empty_database.transaction(everyone=operating.WHY) as db:
        assert await provider_health.provider_health(db) == []
        assert await unbilled.unbilled(db) == []
        found = await operating.overview(db, zone=UTC_ZONE)
        assert (found.calls_today, found.revenue_today, found.errors.total) == (0, {}, 0)
        assert all(line.margin_micros == {} for line in await operating.days(db, zone=UTC_ZONE))
    assert await operating.count_quarters(empty_database) == 0
