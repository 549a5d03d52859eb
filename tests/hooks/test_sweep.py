"""Calls whose process died: found, asked about, hung up, charged right; whatever the carrier says or does not say."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from talktime.calls import lifecycle, sweep
from talktime.calls.history import CallRecord
from talktime.calls.models import CallStatus
from talktime.carriers.contract import Carrier, Ring
from talktime.carriers.simulated import Simulated, SimulatedAccount
from talktime.credits import ledger
from talktime.credits.models import HoldState
from talktime.simulate.orders import Faults, Stay
from tests.house import House, free_ports, new_sid
from tests.people import WHY, Person, account_of, charges, hold_of

DEAD = "a process that died"


async def answered_by_the_dead(house: House, person: Person, sid: str, used_seconds: int) -> uuid.UUID:
    """The call is in progress, owned by a process that no longer is, with so much talk proven."""
    async with house.database.transaction(everyone=WHY) as db:
        call = await db.scalar(text("SELECT call_id FROM call_directory WHERE carrier_call_id = :sid"), {"sid": sid})
        assert isinstance(call, uuid.UUID)
        assert await lifecycle.answer(db, person.id, call, DEAD) is not None
        await ledger.heartbeat(db, DEAD, {(person.id, call): used_seconds})
    return call


async def age_lease(house: House, call: uuid.UUID, seconds: int) -> None:
    async with house.database.transaction(everyone=WHY) as db:
        await db.execute(text("RESET ROLE"))
        await db.execute(text("SET LOCAL ROLE talktime_owner"))
        await db.execute(
            text("UPDATE credit_holds SET lease_until = now() - :age * interval '1 second' WHERE call_id = :call"),
            {"age": seconds, "call": call},
        )


@contextlib.asynccontextmanager
async def ringing(house: House, person: Person, faults: Faults) -> AsyncIterator[str]:
    """A call that the phone company carries and that our side has not answered; its name at the company."""
    events = house.carrier.place(house.order(person, Stay(), faults=faults, seconds_max=60))
    async with contextlib.aclosing(events):
        async for event in events:
            if event["event"] == "placed":
                sid = event["call_sid"]
            if event["event"] == "answered":
                break
        yield sid


async def pass_time(house: House, call: uuid.UUID) -> None:
    """The time is over in which the owner of a lost call could come back."""
    async with house.database.transaction(everyone=WHY) as db:
        await db.execute(text("RESET ROLE"))
        await db.execute(text("SET LOCAL ROLE talktime_owner"))
        await db.execute(
            text("UPDATE credit_holds SET lost_at = lost_at - interval '9 seconds' WHERE call_id = :call"),
            {"call": call},
        )


async def swept(house: House, call: uuid.UUID, carriers: dict[str, Carrier] | None = None) -> None:
    """Two passes: one that loses, and a later one that finishes."""
    await sweep.sweep(house.database, house.context.carriers if carriers is None else carriers)
    await pass_time(house, call)
    await sweep.sweep(house.database, house.context.carriers if carriers is None else carriers)


async def record_of(house: House, person: Person, sid: str) -> CallRecord:
    return await house.settled(person, sid, seconds_max=2)


async def test_a_call_that_still_goes_on_is_hung_up_at_the_carrier_and_charged(house: House, alice: Person) -> None:
    async with ringing(house, alice, Faults(no_socket=True)) as sid:
        await asyncio.sleep(1)  # so that the carrier counts a second
        call = await answered_by_the_dead(house, alice, sid, used_seconds=30)
        await age_lease(house, call, 1)
        await swept(house, call)
        leg = house.carrier.leg(sid)
        assert leg is not None
        assert leg.record.state.is_over
    record = await record_of(house, alice, sid)
    assert (record.call.status, record.call.end_reason) == (CallStatus.FAILED, "lost")
    # The carrier knows better than we how short it was.
    assert record.call.seconds == leg.record.seconds
    assert (await account_of(house.database, alice)).open_calls == 0
    assert leg.record.seconds < 30
    assert await charges(house.database, alice) == [-alice.rate.cost(leg.record.seconds)]


async def test_a_call_that_the_carrier_never_heard_of_is_charged_what_is_proven(house: House, alice: Person) -> None:
    sid = new_sid()
    async with house.database.transaction(everyone=WHY) as db:
        rang = Ring(account="AC", call_id=sid, caller="", dialled=alice.number)
        await lifecycle.ring(db, "simulated", rang)
    call = await answered_by_the_dead(house, alice, sid, used_seconds=50)
    async with house.database.transaction(user=alice.id) as db:
        await ledger.extend(db, alice.id, call, DEAD, 1)
    await age_lease(house, call, 1)
    await swept(house, call)
    record = await record_of(house, alice, sid)
    assert record.call.seconds == 50 + 15
    assert await charges(house.database, alice) == [-30]


async def test_the_slot_is_free_at_the_first_pass_and_the_money_held_until_the_second(
    house: House, alice: Person
) -> None:
    async with ringing(house, alice, Faults(no_socket=True)) as sid:
        call = await answered_by_the_dead(house, alice, sid, used_seconds=5)
        await age_lease(house, call, 1)
        await sweep.sweep(house.database, house.context.carriers)
        account = await account_of(house.database, alice)
        assert (account.open_calls, account.held) == (0, 15)
        # Another process's pass right behind it leaves the owner time to come back.
        await sweep.sweep(house.database, house.context.carriers)
        assert (await hold_of(house.database, alice, call)).state == HoldState.RECONCILE
        await pass_time(house, call)
        await sweep.sweep(house.database, house.context.carriers)
        account = await account_of(house.database, alice)
        assert (account.open_calls, account.held) == (0, 0)


async def test_an_owner_that_comes_back_between_two_passes_keeps_its_call(house: House, alice: Person) -> None:
    async with ringing(house, alice, Faults(no_socket=True)) as sid:
        call = await answered_by_the_dead(house, alice, sid, used_seconds=5)
        await age_lease(house, call, 1)
        await sweep.sweep(house.database, house.context.carriers)
        async with house.database.transaction(user=alice.id) as db:
            back = await ledger.extend(db, alice.id, call, DEAD, 1)
        assert back.state == HoldState.ACTIVE
        await sweep.sweep(house.database, house.context.carriers)
        assert (await hold_of(house.database, alice, call)).settled_at is None
        leg = house.carrier.leg(sid)
        assert leg is not None
        assert not leg.record.state.is_over
        async with house.database.transaction(user=alice.id) as db:
            await lifecycle.finish(db, alice.id, call, seconds=5, reason="caller_hung_up")


async def test_a_carrier_that_is_dead_is_waited_for_and_then_done_without(house: House, alice: Person) -> None:
    account = SimulatedAccount("AC" + "0" * 32, "token", "control", f"http://127.0.0.1:{free_ports(1)[0]}")
    nobody = Simulated(account)
    try:
        async with ringing(house, alice, Faults(no_socket=True)) as sid:
            call = await answered_by_the_dead(house, alice, sid, used_seconds=20)
            await age_lease(house, call, 1)
            await swept(house, call, {"simulated": nobody})
            assert (await hold_of(house.database, alice, call)).state == HoldState.RECONCILE
            await age_lease(house, call, 61)
            await swept(house, call, {"simulated": nobody})
    finally:
        await nobody.close()
    record = await record_of(house, alice, sid)
    assert (record.call.status, record.call.seconds) == (CallStatus.FAILED, 35)
    assert await charges(house.database, alice) == [-15]


async def test_a_ring_that_nobody_answered_is_released(house: House, alice: Person) -> None:
    async with ringing(house, alice, Faults(no_socket=True)) as sid:
        async with house.database.transaction(everyone=WHY) as db:
            call = await db.scalar(
                text("SELECT call_id FROM call_directory WHERE carrier_call_id = :sid"), {"sid": sid}
            )
        assert isinstance(call, uuid.UUID)
        await age_lease(house, call, 1)
        await swept(house, call)
    record = await record_of(house, alice, sid)
    assert record.call.status == CallStatus.NO_ANSWER
    # Whichever came first: the sweep, or the carrier's report that the line it hung up is gone.
    assert record.call.end_reason in ("never_answered", "caller_gave_up")
    assert await charges(house.database, alice) == []


async def test_ten_sweeps_at_once_finish_a_call_once(house: House, alice: Person) -> None:
    async with ringing(house, alice, Faults(no_socket=True)) as sid:
        await asyncio.sleep(1)  # so that the carrier counts a second
        call = await answered_by_the_dead(house, alice, sid, used_seconds=30)
        await age_lease(house, call, 1)
        await sweep.sweep(house.database, house.context.carriers)
        await pass_time(house, call)
        done = await asyncio.gather(*(sweep.sweep(house.database, house.context.carriers) for _ in range(10)))
    assert sum(one.finished for one in done) <= 1  # the installation's own sweep may have been the one
    await record_of(house, alice, sid)
    assert await charges(house.database, alice) == [-15]


async def test_a_call_past_its_credit_is_hung_up_by_anybody(house: House, alice: Person) -> None:
    async with ringing(house, alice, Faults(no_socket=True)) as sid:
        call = await answered_by_the_dead(house, alice, sid, used_seconds=30)
        async with house.database.transaction(everyone=WHY) as db:
            await db.execute(text("RESET ROLE"))
            await db.execute(text("SET LOCAL ROLE talktime_owner"))
            await db.execute(
                text("UPDATE credit_holds SET cut_at = now() - interval '3 seconds' WHERE call_id = :call"),
                {"call": call},
            )
        await sweep.sweep(house.database, house.context.carriers)
        leg = house.carrier.leg(sid)
        assert leg is not None
        assert leg.record.state.is_over
        await age_lease(house, call, 1)
        await swept(house, call)


@pytest.mark.parametrize("refusals", [1])
async def test_a_carrier_that_fails_once_is_asked_again(house: House, alice: Person, refusals: int) -> None:
    faults = Faults(no_socket=True, api_status=500, api_refusals=refusals)
    async with ringing(house, alice, faults) as sid:
        call = await answered_by_the_dead(house, alice, sid, used_seconds=30)
        await age_lease(house, call, 1)
        await swept(house, call)
        await sweep.sweep(house.database, house.context.carriers)
    assert (await record_of(house, alice, sid)).call.end_reason == "lost"


async def test_an_owner_that_is_back_when_the_carrier_was_asked_keeps_its_caller(house: House, alice: Person) -> None:
    """The call is given up before it is hung up: from then on its owner is refused, and never the other way round."""
    async with ringing(house, alice, Faults(no_socket=True)) as sid:
        call = await answered_by_the_dead(house, alice, sid, used_seconds=5)
        await age_lease(house, call, 1)
        await sweep.sweep(house.database, house.context.carriers)
        async with house.database.transaction(user=alice.id) as db:
            assert await ledger.give_up(db, alice.id, call)
            late = await ledger.extend(db, alice.id, call, DEAD, 1)
            assert (late.extended, late.reason, late.state) == (False, "cut", HoldState.RECONCILE)
        await pass_time(house, call)
        await sweep.sweep(house.database, house.context.carriers)
        async with house.database.transaction(user=alice.id) as db:
            assert not await ledger.give_up(db, alice.id, call)
    assert (await record_of(house, alice, sid)).call.end_reason == "lost"
