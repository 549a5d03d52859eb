"""The carrier is told what became of a number, once and for all, however often it fails in between."""

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from talktime.db.session import Database
from talktime.numbers import drift, pool
from talktime.numbers.models import CarrierPhase
from talktime.numbers.telling import tell_due
from talktime.simulate.orders import NumberFault
from tests.numbers.conftest import BASE, REPORT, RING, Exchange
from tests.people import WHY, Person, new_person

LONDON = "+442079460001"


@pytest.fixture
async def alice(exchange: Exchange) -> Person:
    return await new_person(exchange.database, "Alice", credits=1000)


async def alerts(database: Database) -> list[tuple[str, dict[str, Any]]]:
    async with database.transaction(everyone=WHY) as db:
        rows = await db.execute(text("SELECT kind, detail FROM alerts ORDER BY created_at"))
        return [(row.kind, row.detail) for row in rows]


async def test_a_number_rings_here_as_soon_as_it_is_in_the_pool(exchange: Exchange, alice: Person) -> None:
    added = await exchange.add(LONDON)
    assert (added.carrier_phase, added.carrier_wanted) == (CarrierPhase.WANTED, {"rings": "here"})
    await exchange.give(LONDON, alice)
    assert await tell_due(exchange.database, exchange.carriers, BASE) == 1
    row, there = await exchange.see(LONDON), exchange.company.numbers.by_number(LONDON)
    assert there is not None
    assert (there.voice_url, there.status_callback, there.voice_method) == (RING, REPORT, "POST")
    assert row.carrier_told == {"rings": "here", "voice_url": RING, "status_callback": REPORT}
    assert (row.carrier_phase, row.carrier_error) == (CarrierPhase.AGREED, None)
    assert await tell_due(exchange.database, exchange.carriers, BASE) == 0
    async with exchange.database.transaction(everyone=WHY) as db:
        await pool.release(db, LONDON)
    assert await tell_due(exchange.database, exchange.carriers, BASE) == 0, "it rings here still: we say who it is not"
    assert exchange.company.numbers.changes == 1


@pytest.mark.parametrize("after", [False, True], ids=["not done", "done, and the answer lost"])
@pytest.mark.parametrize("status", [500, 503, 429, None])
async def test_a_carrier_that_fails_between_the_two_steps_is_told_again(
    exchange: Exchange, alice: Person, impatient: httpx.AsyncClient, status: int | None, after: bool
) -> None:
    await exchange.add(LONDON)
    await exchange.give(LONDON, alice)
    delay = 1.0 if status is None else 0
    exchange.company.numbers.go_wrong(NumberFault(what="change", status=status, after=after, delay_seconds=delay))
    assert await tell_due(exchange.database, exchange.carriers, BASE) == 0
    row = await exchange.see(LONDON)
    assert (row.carrier_phase, row.carrier_tries, row.user_id) == (CarrierPhase.WANTED, 1, alice.id)
    assert row.carrier_error
    assert await tell_due(exchange.database, exchange.carriers, BASE) == 0, "not at once"
    await exchange.hurry()
    assert await tell_due(exchange.database, exchange.carriers, BASE) == 1
    row, there = await exchange.see(LONDON), exchange.company.numbers.by_number(LONDON)
    assert there is not None
    assert (row.carrier_phase, row.carrier_error, there.voice_url) == (CarrierPhase.AGREED, None, RING)


async def test_a_carrier_that_asks_for_patience_gets_it(exchange: Exchange) -> None:
    await exchange.add(LONDON)
    exchange.company.numbers.go_wrong(NumberFault(what="change", status=429, retry_after_seconds=600))
    await tell_due(exchange.database, exchange.carriers, BASE)
    row = await exchange.see(LONDON)
    assert (row.carrier_try_at - row.updated_at).total_seconds() > 590


async def test_a_carrier_that_is_silent_for_weeks_is_asked_every_hour_and_ends_nothing(exchange: Exchange) -> None:
    await exchange.add(LONDON)
    async with exchange.database.transaction(everyone=WHY) as db:
        await db.execute(text("UPDATE phone_numbers SET carrier_tries = 500"))
    exchange.company.numbers.go_wrong(NumberFault(what="change", status=500))
    assert await tell_due(exchange.database, exchange.carriers, BASE) == 0
    row = await exchange.see(LONDON)
    assert row.carrier_tries == 501
    assert 3590 < (row.carrier_try_at - row.updated_at).total_seconds() < 3610
    await exchange.hurry()
    assert await tell_due(exchange.database, exchange.carriers, BASE) == 1


async def test_a_number_that_the_carrier_does_not_have_is_put_before_the_operator(
    exchange: Exchange, alice: Person
) -> None:
    await exchange.add(LONDON, there=False)
    await exchange.give(LONDON, alice)
    assert await tell_due(exchange.database, exchange.carriers, BASE) == 1
    row = await exchange.see(LONDON)
    assert (row.carrier_phase, row.user_id) == (CarrierPhase.GONE, alice.id)
    assert [kind for kind, _ in await alerts(exchange.database)] == ["carrier_disagrees"]
    assert await tell_due(exchange.database, exchange.carriers, BASE) == 0
    async with exchange.database.transaction(everyone=WHY) as db:
        await drift.tell_again(db, LONDON, actor=alice.id)
    assert (await exchange.see(LONDON)).carrier_phase is CarrierPhase.WANTED


async def test_a_refusal_for_good_is_not_repeated_and_silence_is_told_of_once(exchange: Exchange) -> None:
    await exchange.add(LONDON)
    exchange.company.numbers.go_wrong(NumberFault(what="change", status=403))
    assert await tell_due(exchange.database, exchange.carriers, BASE) == 1
    assert (await exchange.see(LONDON)).carrier_phase is CarrierPhase.REFUSED
    await exchange.add("+442079460002")
    exchange.company.numbers.go_wrong(NumberFault(what="change", status=500, times=10))
    for _ in range(10):
        await exchange.hurry()
        await tell_due(exchange.database, exchange.carriers, BASE)
    assert [kind for kind, _ in await alerts(exchange.database)] == ["carrier_disagrees", "carrier_silent"]
    await exchange.hurry()
    assert await tell_due(exchange.database, exchange.carriers, BASE) == 1


@pytest.mark.parametrize("status", [None, 500, 404])
async def test_giving_a_number_up_is_finished_whatever_the_carrier_says(
    exchange: Exchange, alice: Person, impatient: httpx.AsyncClient, status: int | None
) -> None:
    await exchange.add(LONDON)
    await tell_due(exchange.database, exchange.carriers, BASE)
    async with exchange.database.transaction(everyone=WHY) as db:
        await pool.give_up(db, LONDON, actor=alice.id)
    fault = NumberFault(what="release", status=status, after=True, delay_seconds=0 if status else 1.0)
    exchange.company.numbers.go_wrong(fault)
    for _ in range(2):
        await exchange.hurry()
        await tell_due(exchange.database, exchange.carriers, BASE)
    row = await exchange.see(LONDON)
    assert (row.carrier_phase, row.carrier_told, row.carrier_number_id) == (
        CarrierPhase.AGREED,
        {"release": True},
        None,
    )
    assert exchange.company.numbers.all() == []


async def test_what_changes_while_the_carrier_is_told_is_told_afterwards(exchange: Exchange, alice: Person) -> None:
    await exchange.add(LONDON)
    exchange.company.numbers.go_wrong(NumberFault(what="change", after=True, delay_seconds=0.5))
    telling = asyncio.create_task(tell_due(exchange.database, exchange.carriers, BASE))
    await asyncio.sleep(0.2)
    async with exchange.database.transaction(everyone=WHY) as db:
        await pool.give_up(db, LONDON, actor=alice.id)
    await telling
    await exchange.hurry()
    await tell_due(exchange.database, exchange.carriers, BASE)
    assert exchange.company.numbers.all() == []
    assert (await exchange.see(LONDON)).carrier_phase is CarrierPhase.AGREED


async def test_two_workers_tell_a_carrier_once(exchange: Exchange) -> None:
    for nth in range(8):
        await exchange.add(f"+44207946{nth:04d}")
    told = await asyncio.gather(*(tell_due(exchange.database, exchange.carriers, BASE) for _ in range(3)))
    assert (sum(told), exchange.company.numbers.changes) == (8, 8)


async def test_what_was_added_by_hand_is_nobodys_to_tell(exchange: Exchange) -> None:
    async with exchange.database.transaction(everyone=WHY) as db:
        added = await pool.add(db, LONDON, carrier="simulated")
    assert added.carrier_phase is CarrierPhase.AGREED
    assert await tell_due(exchange.database, exchange.carriers, BASE) == 0
    await exchange.add("+442079460002")
    assert await tell_due(exchange.database, {}, BASE) == 0, "a carrier that is not here is not told"
