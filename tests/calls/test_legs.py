"""Legs while the sweep owns them: proven, extended, cut in time, found again after everything died, and never lost."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from talktime.calls import legs, lifecycle, sweep, sweep_legs, transfers
from talktime.calls.models import CallStatus
from talktime.carriers.contract import Carrier, LegState
from talktime.carriers.simulated import Simulated, SimulatedAccount
from talktime.credits import ledger, money
from talktime.credits.models import HoldState
from talktime.credits.pricing import Rate
from talktime.db.base import new_id
from talktime.hooks.calls import forward_to
from talktime.simulate.orders import Faults, Stay
from tests.calls.putting_through import (
    THEIRS,
    Talking,
    assert_books_are_right,
    customer,
    pass_time,
    record_of,
    settled,
    sweeps,
    talking,
    transferred,
    until_state,
)
from tests.house import House, free_ports, open_house
from tests.people import WHY, Person, account_of, charges, hold_of, new_person

MUTE = Faults(reports_dropped=("*",))
"""The phone company reports nothing of the leg."""
A_MINUTE = Rate(60)


@pytest.fixture(scope="module")
async def house(new_database_url: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """An installation whose own sweep does nothing: these tests do it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweep, "PASS_SECONDS", 3600.0)
        async with open_house(new_database_url(), Path(tmp_path_factory.mktemp("home"))) as house:
            await asyncio.sleep(0.5)  # its first pass
            yield house
            await assert_books_are_right(house.database)


@pytest.fixture
async def tara(house: House) -> Person:
    return await customer(house.database)


@pytest.fixture
async def nobody() -> AsyncIterator[dict[str, Carrier]]:
    """A carrier that does not answer."""
    carrier = Simulated(SimulatedAccount("AC" + "0" * 32, "token", "control", f"http://127.0.0.1:{free_ports(1)[0]}"))
    yield {"simulated": carrier}
    await carrier.close()


@contextlib.asynccontextmanager
async def talking_to_a_person(
    house: House, person: Person, *, dial_seconds: float = 60, dial_faults: Faults | None = None
) -> AsyncIterator[tuple[Talking, uuid.UUID]]:
    """A caller who has been put through, and whom the person talks to."""
    async with talking(house, person, dial_seconds=dial_seconds, dial_faults=dial_faults or Faults()) as call:
        done = await call.put_through()
        assert done.is_dialled
        yield call, done.leg_id


async def test_a_leg_that_goes_on_is_proven_and_extended(house: House, tara: Person) -> None:
    async with talking_to_a_person(house, tara) as (call, leg):
        await until_state(house.database, tara, leg, "ACTIVE")
        for minutes in (1, 2, 3):
            await pass_time(house.database, leg, 40)
            await sweeps(house)
            hold = await hold_of(house.database, tara, leg)
            assert (hold.state, hold.granted_seconds) == (HoldState.ACTIVE, 60 + 60 * minutes)
            assert hold.used_seconds >= 40 * minutes
            await pass_time(house.database, leg, 20)
        call.dialled.hang_up("person")
        record = await settled(house.database, tara, leg)
    # By the carrier's clock, for which no hour has gone by.
    assert record.call.seconds == record.call.carrier_seconds == call.dialled.record.seconds


async def test_a_leg_that_nobody_told_of_is_found_answered(house: House, tara: Person) -> None:
    async with talking_to_a_person(house, tara, dial_faults=MUTE) as (call, leg):
        await settled(house.database, tara, call.call)
        await pass_time(house.database, leg, 21)
        await sweeps(house)
        hold = await hold_of(house.database, tara, leg)
        assert (hold.state, hold.lease_owner, hold.granted_seconds) == (HoldState.ACTIVE, legs.OWNER, 120)
        assert (await record_of(house.database, tara, leg)).call.carrier_call_id == call.dialled.record.sid


async def test_an_end_that_nobody_told_of_is_asked_for_and_settled(house: House, tara: Person) -> None:
    async with talking_to_a_person(house, tara, dial_seconds=2, dial_faults=MUTE) as (call, leg):
        await call.until("ended")
        await pass_time(house.database, leg, 30)
        assert (await sweeps(house)).finished == 1
    record = await record_of(house.database, tara, leg)
    assert (record.call.status, record.call.end_reason, record.call.seconds) == (CallStatus.COMPLETED, "leg_ended", 2)
    assert (await charges(house.database, tara))[1:] == [-2]


async def test_talk_that_was_never_extended_is_charged_if_there_is_credit(house: House, tara: Person) -> None:
    async with talking_to_a_person(house, tara, dial_faults=MUTE) as (call, leg):
        await settled(house.database, tara, call.call)
        await pass_time(house.database, leg, 100)
        async with house.database.transaction(everyone=WHY) as db:
            assert await legs.name(db, "simulated", tara.id, leg, call.dialled.record.sid)
            # The report of the end is the first that comes, of a leg that was longer than its first slice.
            sid = call.dialled.record.sid
            assert await lifecycle.report(db, "simulated", sid, is_over=True, seconds=95) == "leg settled"
            assert await lifecycle.report(db, "simulated", sid, is_over=False, seconds=None) == "nothing to do"
            assert await lifecycle.report(db, "simulated", sid, is_over=True, seconds=95) == "duration noted"
    record = await record_of(house.database, tara, leg)
    assert record.receipt is not None
    assert (record.call.seconds, record.receipt.charged, record.receipt.unbilled) == (95, 95, 0)


async def test_a_carrier_counts_no_more_than_can_have_passed(house: House, tara: Person) -> None:
    async with talking_to_a_person(house, tara) as (call, leg):
        await until_state(house.database, tara, leg, "ACTIVE")
        await pass_time(house.database, leg, 30)
        async with house.database.transaction(everyone=WHY) as db:
            sid = call.dialled.record.sid
            await lifecycle.report(db, "simulated", sid, is_over=True, seconds=30_000)  # milliseconds, perhaps
    record = await record_of(house.database, tara, leg)
    assert record.call.seconds is not None
    assert 30 <= record.call.seconds <= 33
    assert record.call.carrier_seconds == 30_000


async def test_a_leg_whose_money_ends_is_cut_off_in_time(house: House) -> None:
    # The agent's minute, and 62 seconds of the leg.
    poor = await customer(house.database, credits=15 + 62)
    async with talking_to_a_person(house, poor) as (call, leg):
        await until_state(house.database, poor, leg, "ACTIVE")
        await pass_time(house.database, leg, 55)
        done = await sweeps(house)  # it has four seconds to live, and nobody comes by again before that
        assert not call.person_talks()
        hold = await hold_of(house.database, poor, leg)
        assert hold.cut_claimed_at is not None and hold.cut_at is not None
        assert (hold.cut_claimed_at - hold.cut_at).total_seconds() < 1
        record = await settled(house.database, poor, leg)
    assert done.cut == 1
    assert record.call.end_reason == "credit_ended"
    assert record.receipt is not None
    assert (record.receipt.final_reason, record.receipt.unbilled) == ("no_credit", 0)
    async with house.database.transaction(everyone=WHY) as db:
        told = await db.scalar(text("SELECT count(*) FROM notices WHERE subject = :leg"), {"leg": str(leg)})
    assert told == 1, "the customer is told once that the credit ended"


async def test_a_top_up_in_the_last_seconds_lets_a_leg_go_on(house: House) -> None:
    poor = await customer(house.database, credits=15 + 62)
    async with talking_to_a_person(house, poor) as (call, leg):
        await until_state(house.database, poor, leg, "ACTIVE")
        await pass_time(house.database, leg, 54)
        sweeping = asyncio.create_task(sweeps(house))
        await until_state(house.database, poor, leg, "FINAL")
        async with house.database.transaction(everyone=WHY) as db:
            await money.adjust(db, poor.id, reference="top-up", amount=500, reason="a top-up", actor=poor.id)
        assert (await sweeping).cut == 0
        assert call.person_talks()
        assert (await hold_of(house.database, poor, leg)).state is HoldState.ACTIVE


async def test_a_guard_that_is_reached_in_mid_leg_ends_it(house: House, tara: Person) -> None:
    async with house.database.transaction(user=tara.id) as db:
        await money.set_guards(db, tara.id, per_day=None, per_call=70, per_caller=None)
    async with talking_to_a_person(house, tara) as (call, leg):
        await until_state(house.database, tara, leg, "ACTIVE")
        await pass_time(house.database, leg, 62)
        await sweeps(house)
        assert not call.person_talks()
        record = await settled(house.database, tara, leg)
    assert record.receipt is not None
    assert (record.receipt.final_reason, record.receipt.charged <= 70) == ("call_limit", True)


async def test_a_carrier_that_does_not_hang_up_is_told_again(house: House, nobody: dict[str, Carrier]) -> None:
    poor = await customer(house.database, credits=15 + 62)
    async with talking_to_a_person(house, poor) as (call, leg):
        await until_state(house.database, poor, leg, "ACTIVE")
        await pass_time(house.database, leg, 20)
        await sweeps(house)
        await pass_time(house.database, leg, 40)
        assert (await sweeps(house, nobody)).cut == 1
        assert call.person_talks()
        assert not (await hold_of(house.database, poor, leg)).settled_at
        await sweeps(house)
        assert not call.person_talks()
        await settled(house.database, poor, leg)


async def test_after_everything_died_a_leg_that_goes_on_is_taken_up_again(house: House, tara: Person) -> None:
    async with talking_to_a_person(house, tara) as (call, leg):
        await until_state(house.database, tara, leg, "ACTIVE")
        await pass_time(house.database, leg, 300)
        await sweeps(house)
        hold = await hold_of(house.database, tara, leg)
        assert (hold.state, hold.lost_at) == (HoldState.ACTIVE, None)
        # The time that nobody asked for is held as well, so that it can be charged.
        assert hold.granted_seconds >= 300
        assert call.person_talks()


async def test_after_everything_died_a_leg_that_is_over_is_charged_by_its_carrier(house: House, tara: Person) -> None:
    async with talking_to_a_person(house, tara, dial_seconds=2, dial_faults=MUTE) as (call, leg):
        await call.until("leg_ended")
        async with house.database.transaction(everyone=WHY) as db:
            assert await lifecycle.answer(db, tara.id, leg, legs.OWNER) is not None
        await pass_time(house.database, leg, 500)
        await sweeps(house)
    record = await record_of(house.database, tara, leg)
    assert (record.call.status, record.call.seconds) == (CallStatus.COMPLETED, 2)
    assert (await charges(house.database, tara))[1:] == [-2]


async def test_a_silent_carrier_is_waited_for_and_then_done_without(
    house: House, tara: Person, nobody: dict[str, Carrier]
) -> None:
    async with talking_to_a_person(house, tara) as (call, leg):
        await until_state(house.database, tara, leg, "ACTIVE")
        await pass_time(house.database, leg, 20)
        await sweeps(house)  # proven up to here
        await pass_time(house.database, leg, 30)
        await sweeps(house, nobody)
        assert (await hold_of(house.database, tara, leg)).state is HoldState.ACTIVE, "its lease is not over"
        await pass_time(house.database, leg, 20)
        await sweeps(house, nobody)
        lost = await account_of(house.database, tara)
        assert (await hold_of(house.database, tara, leg)).state is HoldState.RECONCILE
        assert (lost.open_calls, lost.held > 0) == (0, True)
        await pass_time(house.database, leg, 50)
        await sweeps(house, nobody)
        record = await record_of(house.database, tara, leg)
        assert (record.call.status, record.call.end_reason) == (CallStatus.FAILED, "lost")
        assert record.call.seconds is not None
        assert 20 + sweep_legs.PROOF_SECONDS <= record.call.seconds <= 22 + sweep_legs.PROOF_SECONDS
        # It still goes on, and nobody holds money for it: it is hung up as soon as the carrier is there again.
        assert call.person_talks()
        await sweeps(house)
        assert not call.person_talks()
        await sweeps(house)
        over = await record_of(house.database, tara, leg)
        assert over.call.carrier_seconds is not None
        assert over.call.seconds == record.call.seconds, "what was settled stays"
    assert (await charges(house.database, tara))[1:] == [-record.call.seconds]


async def test_a_leg_that_the_sweep_gave_up_comes_back_when_its_carrier_does(
    house: House, tara: Person, nobody: dict[str, Carrier]
) -> None:
    async with talking_to_a_person(house, tara) as (call, leg):
        await until_state(house.database, tara, leg, "ACTIVE")
        await pass_time(house.database, leg, 50)
        await sweeps(house, nobody)
        assert (await hold_of(house.database, tara, leg)).state is HoldState.RECONCILE
        await sweeps(house)
        assert (await hold_of(house.database, tara, leg)).state is HoldState.ACTIVE
        assert (await account_of(house.database, tara)).open_calls == 1
        assert call.person_talks()


async def test_a_leg_that_nobody_could_answer_in_time_is_free_and_hung_up(
    house: House, tara: Person, nobody: dict[str, Carrier]
) -> None:
    async with talking_to_a_person(house, tara, dial_faults=MUTE) as (call, leg):
        await settled(house.database, tara, call.call)
        await pass_time(house.database, leg, 121)
        await sweeps(house, nobody)
        assert (await hold_of(house.database, tara, leg)).state is HoldState.RECONCILE
        await sweeps(house)
        assert not call.person_talks()
        await sweeps(house)
        assert (await hold_of(house.database, tara, leg)).state is HoldState.RELEASED
    assert (await charges(house.database, tara))[1:] == []


@pytest.mark.parametrize("is_named", [True, False])
async def test_a_process_that_dies_right_after_dialling_leaves_caller_and_person_alone(
    house: House, tara: Person, is_named: bool
) -> None:
    faults = MUTE if not is_named else Faults()
    order = house.order(
        tara, Stay(), faults=Faults(no_socket=True), dial_seconds=60, dial_faults=faults, seconds_max=60
    )
    async with contextlib.aclosing(house.carrier.place(order)) as events:
        sid = (await anext(events))["call_sid"]
        async for event in events:
            if event["event"] == "answered":
                break
        async with house.database.transaction(everyone=WHY) as db:
            call = await db.scalar(text("SELECT id FROM calls WHERE carrier_call_id = :sid"), {"sid": sid})
            assert await lifecycle.answer(db, tara.id, call, "the dead") is not None
        await pass_time(house.database, call, 20)
        leg = new_id()
        async with house.database.transaction(user=tara.id) as db:
            await db.execute(
                text("SELECT begin_leg_v1(:user, :call, :leg, :number)"),
                {"user": tara.id, "call": call, "leg": leg, "number": THEIRS},
            )
        forward = forward_to(house.settings, "simulated", tara.id, leg, number=THEIRS)
        await house.context.carriers["simulated"].forward(sid, forward, 600)
        await _dialled(house, sid)
        if is_named:
            await until_state(house.database, tara, leg, "ACTIVE")
        # Its lease runs out, and later the time is over in which it might have come back.
        for seconds in (26, 9):
            await pass_time(house.database, call, seconds)
            await sweeps(house)
        agents = await settled(house.database, tara, call)
        assert (agents.call.status, agents.call.end_reason) == (CallStatus.COMPLETED, "transferred")
        assert agents.call.seconds is not None
        assert agents.call.seconds <= 21, "no more than until the caller was put through"
        dialled = house.carrier.legs_of(sid)[0]
        assert not dialled.record.state.is_over
        if not is_named:
            await pass_time(house.database, leg, 21)
            await sweeps(house)
        assert (await hold_of(house.database, tara, leg)).state is HoldState.ACTIVE


async def _dialled(house: House, sid: str) -> None:
    await house.until(lambda: any(leg.record.state is LegState.IN_PROGRESS for leg in house.carrier.legs_of(sid)))


async def test_ten_sweeps_at_once_extend_once_and_cut_once(house: House) -> None:
    poor = await customer(house.database, credits=15 + 122)
    async with talking_to_a_person(house, poor) as (call, leg):
        await until_state(house.database, poor, leg, "ACTIVE")
        await pass_time(house.database, leg, 40)
        await asyncio.gather(*(sweeps(house) for _ in range(10)))
        assert (await hold_of(house.database, poor, leg)).granted_seconds == 120
        await pass_time(house.database, leg, 76)
        cut = await asyncio.gather(*(sweeps(house) for _ in range(10)))
        assert sum(each.cut for each in cut) == 1
        assert not call.person_talks()
        await settled(house.database, poor, leg)


async def test_a_price_with_a_fee_and_long_steps_is_kept_to(house: House) -> None:
    rich = await customer(house.database, rate=Rate(30, connection_fee=5, initial_seconds=30, increment_seconds=30))
    async with talking_to_a_person(house, rich) as (call, leg):
        await until_state(house.database, rich, leg, "ACTIVE")
        await pass_time(house.database, leg, 45)
        await sweeps(house)
        async with house.database.transaction(everyone=WHY) as db:
            await lifecycle.report(db, "simulated", call.dialled.record.sid, is_over=True, seconds=31)
    assert (await charges(house.database, rich))[1:] == [-(5 + 30)]


async def test_nobody_but_the_sweep_owns_a_leg(house: House, tara: Person) -> None:
    async with talking_to_a_person(house, tara) as (_, leg):
        await until_state(house.database, tara, leg, "ACTIVE")
        async with house.database.transaction(user=tara.id) as db:
            with pytest.raises(ledger.NotTheOwner):
                await ledger.extend(db, tara.id, leg, house.context.meter.owner, 1)


async def test_whatever_happens_at_once_a_leg_is_settled_once_and_nothing_waits_for_itself(
    house: House, tara: Person
) -> None:
    for _ in range(4):
        _, leg = await transferred(house.database, tara, leg_seconds=None)
        name = (await record_of(house.database, tara, leg)).call.carrier_call_id

        async def reports(*, is_over: bool, name: str = name) -> None:
            async with house.database.transaction(everyone=WHY) as db:
                await lifecycle.report(db, "simulated", name, is_over=is_over, seconds=45 if is_over else None)

        async def extends(leg: uuid.UUID = leg) -> None:
            for number in range(1, 4):
                async with house.database.transaction(user=tara.id) as db:
                    await ledger.extend(db, tara.id, leg, legs.OWNER, number)

        await pass_time(house.database, leg, 45)
        await asyncio.gather(
            reports(is_over=False),
            reports(is_over=True),
            reports(is_over=True),
            extends(),
            sweeps(house),
            sweeps(house),
        )
        record = await record_of(house.database, tara, leg)
        assert record.receipt is not None and record.receipt.is_final
        assert len(record.receipt.lines) == 1
    account = await account_of(house.database, tara)
    assert (account.held, account.open_calls) == (0, 0)


async def test_words_before_the_ring_do_not_make_a_leg_free(house: House, tara: Person) -> None:
    async with talking(house, tara, dial_seconds=60) as call:
        leg = new_id()
        forward = forward_to(house.settings, "simulated", tara.id, leg, number=THEIRS)
        # Four seconds here stand for half a minute: until they are said nobody is rung, so the carrier shows no leg.
        forward = replace(forward, text=" ".join(["Moment"] * 10))
        carrier = house.context.carriers["simulated"]
        assert (await transfers.begin(house.database, carrier, tara.id, call.call, leg=leg, forward=forward)).is_dialled
        await pass_time(house.database, leg, sweep_legs.UNASKED_SECONDS + 1)
        await sweeps(house)
        await call.until("forwarded")
        await asyncio.sleep(0.5)
        for _ in range(2):
            await sweeps(house)
        is_held = (await hold_of(house.database, tara, leg)).settled_at is None
        assert is_held or not call.person_talks(), "somebody talks, and nobody holds or will ever charge money for it"


async def test_a_leg_that_rings_for_ever_gives_its_money_back(house: House, tara: Person) -> None:
    async with talking(house, tara, dial_ring_seconds=29) as call:
        leg = (await call.put_through()).leg_id
        await call.until("forwarded")
        for seconds in (25, 100, 60, 120):
            await pass_time(house.database, leg, seconds)
            await sweeps(house)
        # As long as its carrier says that it rings; it was to ring for half a minute.
        assert (await hold_of(house.database, tara, leg)).settled_at is not None
        assert not call.person_talks()


async def test_credits_that_drip_in_do_not_hold_everybodys_sweep_up(house: House) -> None:
    tara = await customer(house.database, credits=75)
    ada = await new_person(house.database, "Ada", credits=0, admin=True)
    async with talking_to_a_person(house, tara) as (call, leg):
        await until_state(house.database, tara, leg, "ACTIVE")
        await settled(house.database, tara, call.call)
        async with house.database.transaction(user=tara.id) as db:
            assert (await ledger.extend(db, tara.id, leg, legs.OWNER, 1)).state is HoldState.FINAL
        await pass_time(house.database, leg, 52)
        one_pass = asyncio.create_task(sweeps(house))
        for number in range(15):
            await asyncio.sleep(1)
            async with house.database.transaction(everyone=WHY) as db:
                await money.adjust(db, tara.id, reference=f"drip {number}", amount=1, reason="drip", actor=ada.id)
        is_over = one_pass.done()
        await one_pass
        assert is_over, "as long as a credit a second comes, nobody's lost call is found and nobody's leg is cut"


async def test_a_leg_that_was_given_up_takes_no_other_legs_name(
    house: House, tara: Person, nobody: dict[str, Carrier]
) -> None:
    async with talking(house, tara, dial_seconds=60, dial_ring_seconds=3) as call:
        first = await call.put_through(carrier=nobody["simulated"])
        assert first.reason == "carrier_silent"
        for seconds in (121, 60):
            await pass_time(house.database, first.leg_id, seconds)
            await sweeps(house, nobody)
        second = await call.put_through()
        assert second.is_dialled
        await call.until("forwarded")
        await sweeps(house)
        assert call.person_talks(), "the second leg was hung up as if it were the first"
        assert (await record_of(house.database, tara, first.leg_id)).call.carrier_call_id == ""
        await until_state(house.database, tara, second.leg_id, "ACTIVE")


async def test_an_agent_that_talks_on_while_nobody_knows_of_the_leg_is_charged(
    house: House, tara: Person, nobody: dict[str, Carrier]
) -> None:
    async with talking(house, tara) as call:
        silent = await call.put_through(carrier=nobody["simulated"])
        assert silent.reason == "carrier_silent", "so the agent goes on, and nobody was rung"
        for each in (silent.leg_id, call.call):
            await pass_time(house.database, each, 100)
        owner = (await hold_of(house.database, tara, call.call)).lease_owner
        async with house.database.transaction(user=tara.id) as db:
            await ledger.heartbeat(db, str(owner), {(tara.id, call.call): 100})
        done = await lifecycle.finish(house.database, tara.id, call.call, seconds=101, reason="caller_hung_up")
    assert done.seconds >= 100, "these seconds were proven by whoever carried the call"


async def test_a_clock_that_was_set_back_before_a_leg_leaves_its_call_one_that_can_be_finished(
    house: House, tara: Person, nobody: dict[str, Carrier]
) -> None:
    async with talking(house, tara) as call:
        leg = (await call.put_through(carrier=nobody["simulated"])).leg_id
        await pass_time(house.database, leg, 5)
        done = await lifecycle.finish(house.database, tara.id, call.call, seconds=1, reason="caller_hung_up")
    assert done.seconds >= 0
