"""How long the credit lasts, by what calls cost of late."""

import uuid
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from talktime.credits.forecast import days_left
from talktime.db.session import Database
from tests.people import WHY, Person, new_call, new_person

ZONE = "Europe/Berlin"
NOW = datetime(2026, 3, 9, 11, 0, tzinfo=UTC)
"""Noon in Berlin."""
MIDNIGHT = datetime(2026, 2, 9, 0, 0, tzinfo=ZoneInfo(ZONE))
"""Where the last four weeks begin."""


async def write_lines(
    database: Database, person: Person, *lines: tuple[datetime, str, int], balance: int, held: int = 0
) -> None:
    """Put a past into the ledger, as its owner could and nobody else; the hashes are not what this is about."""
    calls = [await new_call(database, person) for _ in lines]
    async with database.transaction(everyone=WHY) as db:
        await db.execute(text("RESET ROLE"))
        await db.execute(text("SET LOCAL ROLE talktime_owner"))
        await db.execute(
            text("INSERT INTO credit_accounts (user_id) VALUES (:user) ON CONFLICT DO NOTHING"), {"user": person.id}
        )
        for seq, ((at, kind, amount), call) in enumerate(zip(lines, calls, strict=True), 1):
            is_correction = kind == "ADMIN_ADJUSTMENT" and amount != 7777
            await db.execute(
                text(
                    "INSERT INTO credit_transactions (user_id, seq, type, amount, balance_after, call_id, reference,"
                    " reason, actor_id, created_at, hash) VALUES (:user, :seq, CAST(:type AS transaction_type),"
                    " :amount, 0, :call, :reference, :reason, :actor, :at, decode(repeat('00', 32), 'hex'))"
                ),
                {
                    "user": person.id,
                    "seq": seq,
                    "type": kind,
                    "amount": amount,
                    "call": call if kind != "ADMIN_ADJUSTMENT" or is_correction else None,
                    "reference": None
                    if "USAGE" in kind
                    else f"correction:{call}:1"
                    if is_correction
                    else f"gift {seq}",
                    "reason": None if "USAGE" in kind else "a test",
                    "actor": None if "USAGE" in kind else person.id,
                    "at": at,
                },
            )
        await db.execute(
            text("UPDATE credit_accounts SET balance = :balance, held = :held, seq = :seq WHERE user_id = :user"),
            {"user": person.id, "balance": balance, "held": held, "seq": len(lines)},
        )


async def lasts(database: Database, person: Person, now: datetime = NOW, zone: str = ZONE) -> int | None:
    async with database.transaction(user=person.id) as db:
        return await days_left(db, person.id, now, zone=zone)


@pytest.fixture
async def carol(empty_database: Database) -> Person:
    return await new_person(empty_database, "Carol", credits=0)


OLD = NOW - timedelta(days=400)
GIFT = (OLD, "ADMIN_ADJUSTMENT", 7777)


async def test_somebody_without_an_account_has_no_forecast(empty_database: Database, carol: Person) -> None:
    assert await lasts(empty_database, carol) is None
    async with empty_database.transaction(user=carol.id) as db:
        assert await days_left(db, uuid.uuid4(), NOW, zone=ZONE) is None


async def test_who_used_nothing_has_no_forecast(empty_database: Database, carol: Person) -> None:
    await write_lines(empty_database, carol, GIFT, (OLD, "CALL_USAGE", -100), balance=900)
    assert await lasts(empty_database, carol) is None


async def test_what_was_used_in_four_weeks_says_how_long_the_rest_lasts(
    empty_database: Database, carol: Person
) -> None:
    # 28.5 days from midnight four weeks ago until noon; 57 credits in them, so 2 a day.
    await write_lines(
        empty_database, carol,
        GIFT,
        (MIDNIGHT - timedelta(seconds=1), "CALL_USAGE", -100_000),
        (MIDNIGHT, "CALL_USAGE", -50),
        (NOW - timedelta(days=3), "GRACE_USAGE", -10),
        (NOW - timedelta(days=2), "ADMIN_ADJUSTMENT", 3),
        (NOW - timedelta(days=1), "ADMIN_ADJUSTMENT", 7777),
        balance=101, held=0,
    )  # fmt: skip
    assert await lasts(empty_database, carol) == 50


async def test_what_running_calls_hold_is_as_good_as_spent(empty_database: Database, carol: Person) -> None:
    await write_lines(empty_database, carol, GIFT, (MIDNIGHT, "CALL_USAGE", -57), balance=101, held=60)
    assert await lasts(empty_database, carol) == 20


async def test_nothing_left_lasts_no_day(empty_database: Database, carol: Person) -> None:
    await write_lines(empty_database, carol, GIFT, (MIDNIGHT, "CALL_USAGE", -57), balance=10, held=10)
    assert await lasts(empty_database, carol) == 0


async def test_a_young_account_counts_the_days_it_has(empty_database: Database, carol: Person) -> None:
    gift = (NOW - timedelta(days=10), "ADMIN_ADJUSTMENT", 7777)
    await write_lines(empty_database, carol, gift, (NOW - timedelta(days=1), "CALL_USAGE", -100), balance=55)
    assert await lasts(empty_database, carol) == 5


async def test_an_account_of_an_hour_counts_a_day(empty_database: Database, carol: Person) -> None:
    gift = (NOW - timedelta(hours=1), "ADMIN_ADJUSTMENT", 7777)
    await write_lines(empty_database, carol, gift, (NOW, "CALL_USAGE", -100), balance=350)
    assert await lasts(empty_database, carol) == 3


async def test_four_weeks_begin_at_midnight_where_the_user_lives(empty_database: Database, carol: Person) -> None:
    await write_lines(empty_database, carol, GIFT, (MIDNIGHT, "CALL_USAGE", -57), balance=101)
    assert await lasts(empty_database, carol, zone="Europe/Berlin") == 50
    # In Lisbon it is still the day before, at eleven in the evening.
    assert await lasts(empty_database, carol, zone="Europe/Lisbon") is None


async def test_summer_time_takes_an_hour_and_no_day(empty_database: Database, carol: Person) -> None:
    noon_after = datetime(2026, 4, 6, 10, 0, tzinfo=UTC)
    began = datetime(2026, 3, 9, 0, 0, tzinfo=ZoneInfo(ZONE))
    await write_lines(empty_database, carol, GIFT, (began, "CALL_USAGE", -57), balance=1000)
    elapsed_hours = 28 * 24 - 1 + 12
    assert await lasts(empty_database, carol, noon_after) == 1000 * elapsed_hours // (57 * 24)


async def test_the_largest_sums_there_are_fit(empty_database: Database, carol: Person) -> None:
    await write_lines(empty_database, carol, GIFT, (MIDNIGHT, "CALL_USAGE", -1), balance=10**15)
    assert await lasts(empty_database, carol) == 10**15 * 57 // 2


async def test_credits_given_back_for_more_than_was_used_give_no_forecast(
    empty_database: Database, carol: Person
) -> None:
    await write_lines(
        empty_database, carol, GIFT, (MIDNIGHT, "CALL_USAGE", -5), (NOW, "ADMIN_ADJUSTMENT", 9), balance=100
    )
    assert await lasts(empty_database, carol) is None


async def test_a_long_ledger_is_not_read_from_its_beginning(empty_database: Database, carol: Person) -> None:
    """100,000 lines, of which 280 are of the last four weeks: read are those, and a path to them."""
    call = await new_call(empty_database, carol)
    async with empty_database.transaction(everyone=WHY) as db:
        await db.execute(text("RESET ROLE"))
        await db.execute(text("SET LOCAL ROLE talktime_owner"))
        await db.execute(
            text("INSERT INTO credit_accounts (user_id) VALUES (:user) ON CONFLICT DO NOTHING"), {"user": carol.id}
        )
        await db.execute(
            text(
                "INSERT INTO credit_transactions (user_id, seq, type, amount, balance_after, call_id, reference,"
                " reason, actor_id, created_at, hash) SELECT :user, n, 'ADMIN_ADJUSTMENT', -2, 0, :call,"
                " 'correction:' || n, 'a test', :user,"
                " CAST(:now AS timestamptz) - (100000 - n) * interval '144 minutes',"
                " decode(repeat('00', 32), 'hex') FROM generate_series(1, 100000) n"
            ),
            {"user": carol.id, "call": call, "now": NOW},
        )
        await db.execute(
            text("UPDATE credit_accounts SET balance = 1000, seq = 100000 WHERE user_id = :user"), {"user": carol.id}
        )
        # A planner that knows nothing of the table may take any index; in production it is told by and by.
        await db.execute(text("ANALYZE credit_transactions"))
    read = text(
        "SELECT sum(pg_stat_get_xact_tuples_returned(c) + pg_stat_get_xact_tuples_fetched(c)) FROM"
        " unnest(ARRAY['credit_transactions'::regclass, 'pk_credit_transactions'::regclass]) c"
    )
    async with empty_database.transaction(user=carol.id) as db:
        before = await db.scalar(read)
        # 20 credits a day.
        assert await days_left(db, carol.id, NOW, zone=ZONE) == 49
        assert (await db.scalar(read)) - before < 1500
