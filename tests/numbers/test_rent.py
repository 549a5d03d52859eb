"""The rent of a number: once a month, on its day, never twice; who cannot pay is warned, and loses it in the end."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select, text

from talktime.credits import money, verify
from talktime.credits.models import CreditTransaction, TransactionType
from talktime.errors import BadInput
from talktime.notices.models import Notice
from talktime.numbers import pool, rent
from talktime.numbers.models import PhoneStatus
from talktime.numbers.rent_due import Due, Outcome, charge_due
from talktime.numbers.rows import NotAssigned
from tests.db.everything import become_owner
from tests.numbers.conftest import Exchange
from tests.people import WHY, Person, account_of, charges, lines_of, new_person

LONDON = "+442079460001"


@pytest.fixture
async def alice(exchange: Exchange) -> Person:
    return await new_person(exchange.database, "Alice", credits=1000)


async def since(exchange: Exchange, day: date, number: str = LONDON) -> None:
    """They have had the number since then, and paid the first month."""
    async with exchange.database.transaction(everyone=WHY) as db:
        await db.execute(
            text("UPDATE phone_numbers SET assigned_at = :at, rent_due_on = :day WHERE number = :number"),
            {"at": datetime(day.year, day.month, day.day, 2, tzinfo=UTC), "day": day, "number": number},
        )


async def at(exchange: Exchange, year: int, month: int, day: int, hour: int = 12) -> list[Outcome]:
    """What is due at a moment, and what comes of it."""
    done = await charge_due(exchange.database, datetime(year, month, day, hour, tzinfo=UTC))
    return [each.outcome for each in done]


async def notices(exchange: Exchange, person: Person) -> list[str]:
    async with exchange.database.transaction(user=person.id) as db:
        found = select(Notice.kind).where(Notice.kind != "low_balance").order_by(Notice.created_at, Notice.id)
        return list((await db.scalars(found)).all())


async def test_a_rent_is_a_line_of_the_ledger_each_month_on_its_day(exchange: Exchange, alice: Person) -> None:
    await exchange.add(LONDON)
    given = await exchange.give(LONDON, alice, rent=30)
    await since(exchange, date(2027, 1, 31))
    for day in (date(2027, 1, 31), date(2027, 2, 28), date(2027, 3, 31), date(2027, 4, 30)):
        before = day - timedelta(days=1)
        assert await at(exchange, before.year, before.month, before.day) == []
        assert await at(exchange, day.year, day.month, day.day) == [Outcome.PAID]
        assert await at(exchange, day.year, day.month, day.day) == []
    # The month in which it was given counts, too.
    assert (await charges(exchange.database, alice)) == [-30] * 5
    line: CreditTransaction = (await lines_of(exchange.database, alice))[-1]
    assert (line.reference, line.type) == (f"rent:{given.id}:2027-04", TransactionType.ADMIN_ADJUSTMENT)
    assert line.actor_id is None
    assert (await exchange.see(LONDON)).rent_due_on == date(2027, 5, 31)
    assert (await verify.verify(exchange.database, full=True)).is_clean


async def test_the_day_is_the_customers_own(exchange: Exchange, alice: Person) -> None:
    await exchange.add(LONDON)
    await exchange.give(LONDON, alice, rent=30)
    await since(exchange, date(2027, 3, 1))
    async with exchange.database.transaction(everyone=WHY) as db:
        await db.execute(text("UPDATE users SET zone = 'Pacific/Auckland' WHERE id = :id"), {"id": alice.id})
    assert await at(exchange, 2027, 2, 28, 10) == []
    assert await at(exchange, 2027, 2, 28, 12) == [Outcome.PAID], "it is the first of March there"
    async with exchange.database.transaction(everyone=WHY) as db:
        await db.execute(text("UPDATE users SET zone = 'Pacific/Honolulu' WHERE id = :id"), {"id": alice.id})
    assert await at(exchange, 2027, 4, 1, 9) == []
    assert await at(exchange, 2027, 4, 1, 11) == [Outcome.PAID]


async def test_whatever_restarts_a_month_is_charged_once(exchange: Exchange, alice: Person) -> None:
    await exchange.add(LONDON)
    await exchange.give(LONDON, alice, rent=30)
    await since(exchange, date(2027, 2, 10))
    noon = datetime(2027, 2, 10, 12, tzinfo=UTC)
    done: list[list[Due]] = await asyncio.gather(*(charge_due(exchange.database, noon) for _ in range(5)))
    assert sum(len(each) for each in done) == 1
    # Somebody who died after the line and before the day was moved: as if it had not been moved.
    await since(exchange, date(2027, 2, 10))
    assert await at(exchange, 2027, 2, 10) == [Outcome.PAID]
    assert await charges(exchange.database, alice) == [-30, -30]
    # Nobody worked for three months: each of them is charged.
    assert await at(exchange, 2027, 5, 10) == [Outcome.PAID] * 3
    assert await charges(exchange.database, alice) == [-30] * 5


async def test_a_rent_that_nobody_can_pay_makes_no_debt_and_ends_the_number(exchange: Exchange) -> None:
    poor = await new_person(exchange.database, "Poor", credits=40)
    await exchange.add(LONDON)
    await exchange.give(LONDON, poor, rent=30)
    await since(exchange, date(2027, 2, 10))
    assert await at(exchange, 2027, 2, 10) == [Outcome.UNPAID]
    assert await at(exchange, 2027, 2, 11) == [Outcome.UNPAID]
    assert await notices(exchange, poor) == ["rent_unpaid"]
    assert await at(exchange, 2027, 2, 17) == [Outcome.UNPAID]
    assert await at(exchange, 2027, 2, 22) == [Outcome.UNPAID]
    assert await at(exchange, 2027, 2, 23) == [Outcome.UNPAID]
    assert await notices(exchange, poor) == ["rent_unpaid"] * 3
    assert (await exchange.see(LONDON)).user_id == poor.id
    assert await at(exchange, 2027, 2, 24) == [Outcome.RELEASED]
    assert await at(exchange, 2027, 2, 25) == []
    row = await exchange.see(LONDON)
    assert (row.status, row.user_id, row.rent_due_on) == (PhoneStatus.RELEASED, None, None)
    assert await notices(exchange, poor) == ["rent_unpaid"] * 3 + ["number_released"]
    account = await account_of(exchange.database, poor)
    assert (account.balance, account.clawback_debt) == (10, 0)
    async with exchange.database.transaction(user=poor.id) as db:
        details = (await db.scalars(select(Notice.detail).where(Notice.kind == "rent_unpaid"))).all()
    assert {each["release_on"] for each in details} == {"2027-02-24"}
    assert LONDON not in str(details)


async def test_who_pays_in_time_keeps_the_number_and_its_day(exchange: Exchange) -> None:
    late = await new_person(exchange.database, "Late", credits=40)
    await exchange.add(LONDON)
    await exchange.give(LONDON, late, rent=30)
    await since(exchange, date(2027, 2, 10))
    assert await at(exchange, 2027, 2, 10) == [Outcome.UNPAID]
    async with exchange.database.transaction(everyone=WHY) as db:
        await money.adjust(db, late.id, reference="more", amount=100, reason="more", actor=late.id)
    assert await at(exchange, 2027, 2, 20) == [Outcome.PAID]
    row = await exchange.see(LONDON)
    assert (row.rent_due_on, row.rent_unpaid_since) == (date(2027, 3, 10), None)
    assert await charges(exchange.database, late) == [-30, 100, -30]
    # The next time it is another fortnight, with warnings of its own.
    async with exchange.database.transaction(everyone=WHY) as db:
        await money.adjust(db, late.id, reference="less", amount=-70, reason="less", actor=late.id)
    assert await at(exchange, 2027, 3, 10) == [Outcome.UNPAID]
    assert await notices(exchange, late) == ["rent_unpaid"] * 2


async def test_what_calls_hold_is_not_there_for_the_rent(exchange: Exchange) -> None:
    busy = await new_person(exchange.database, "Busy", credits=40)
    await exchange.add(LONDON)
    await exchange.give(LONDON, busy, rent=20)
    await since(exchange, date(2027, 2, 10))
    async with exchange.database.transaction(everyone=WHY) as db:
        await become_owner(db)
        await db.execute(text("UPDATE credit_accounts SET held = 5 WHERE user_id = :user"), {"user": busy.id})
    assert await at(exchange, 2027, 2, 10) == [Outcome.UNPAID]


async def test_a_rent_can_be_changed_ended_and_begun(exchange: Exchange, alice: Person) -> None:
    await exchange.add(LONDON)
    await exchange.give(LONDON, alice, rent=30)
    await since(exchange, date(2027, 2, 10))

    async def set_rent(rate: int) -> None:
        async with exchange.database.transaction(everyone=WHY) as db:
            await rent.set_rent(db, LONDON, credits=rate, actor=alice.id)

    await set_rent(50)
    assert await at(exchange, 2027, 2, 10) == [Outcome.PAID]
    await set_rent(0)
    assert await at(exchange, 2027, 6, 10) == []
    await set_rent(20)
    due_on = (await exchange.see(LONDON)).rent_due_on
    assert due_on is not None
    assert due_on > datetime.now(UTC).date()
    assert due_on.day == 10
    for wrong in (-1, True, 10**9 + 1):
        with pytest.raises(BadInput):
            await set_rent(wrong)
    assert await charges(exchange.database, alice) == [-30, -50]
    async with exchange.database.transaction(everyone=WHY) as db:
        await pool.release(db, LONDON)
    with pytest.raises(NotAssigned):
        await set_rent(5)


async def test_without_a_rent_nothing_is_ever_due(exchange: Exchange, alice: Person) -> None:
    await exchange.add(LONDON)
    await exchange.give(LONDON, alice)
    assert await at(exchange, 2030, 1, 1) == []
    assert await charges(exchange.database, alice) == []


async def test_who_gets_it_back_within_the_month_does_not_pay_twice(exchange: Exchange, alice: Person) -> None:
    await exchange.add(LONDON)
    for rate in (30, 30, 45):
        await exchange.give(LONDON, alice, rent=rate)
        async with exchange.database.transaction(everyone=WHY) as db:
            await pool.release(db, LONDON, quarantine=timedelta(0))
        async with exchange.database.transaction(everyone=WHY) as db:
            await pool.free_rested(db, datetime.now(UTC) + timedelta(seconds=1))
    assert await charges(exchange.database, alice) == [-30]
