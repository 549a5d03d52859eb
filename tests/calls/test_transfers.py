"""A caller is put through to a person, over the phone company's wire: two holds, each settled once by its own clock."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.calls import lifecycle, transfers
from talktime.calls.models import CallStatus, Direction
from talktime.calls.receipt import document_of
from talktime.carriers.contract import Forward
from talktime.carriers.simulated import Simulated, SimulatedAccount
from talktime.credits import money
from talktime.credits.models import HoldState
from talktime.credits.pricing import Rate
from talktime.db.base import new_id
from talktime.documents.receipt import render_receipt_pdf
from talktime.errors import Conflict, NotFound, TalktimeError
from talktime.privacy.closing import close_account
from talktime.simulate.orders import Faults
from tests.calls.putting_through import (
    THEIRS,
    assert_books_are_right,
    customer,
    pass_time,
    record_of,
    set_price,
    settled,
    sweeps,
    talking,
    until_state,
)
from tests.hooks.company import post
from tests.house import House, free_ports, open_house
from tests.people import WHY, Person, account_of, charges, hold_of, new_person


@pytest.fixture(scope="module")
async def house(new_database_url: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with open_house(new_database_url(), Path(tmp_path_factory.mktemp("home"))) as house:
        yield house
        await assert_books_are_right(house.database)


@pytest.fixture
async def tara(house: House) -> Person:
    return await customer(house.database)


async def legs_of(house: House, person: Person) -> int:
    async with house.database.transaction(user=person.id) as db:
        return int(await db.scalar(text("SELECT count(*) FROM calls WHERE parent_id IS NOT NULL")) or 0)


async def returned(house: House, person: Person, leg: uuid.UUID) -> uuid.UUID:
    """The call on which the caller of a leg is back."""
    async with asyncio.timeout(10):
        while True:
            async with house.database.transaction(user=person.id) as db:
                found: uuid.UUID | None = await db.scalar(
                    text("SELECT id FROM calls WHERE resumes_id = :leg"), {"leg": leg}
                )
            if found is not None:
                return found
            await asyncio.sleep(0.05)


async def test_a_caller_is_put_through_and_both_parts_are_charged_once(house: House, tara: Person) -> None:
    async with talking(house, tara, dial_ring_seconds=0.3, dial_seconds=2) as call:
        done = await call.put_through()
        assert (done.is_dialled, done.reason, done.granted_seconds) == (True, None, 60)
        agents = await settled(house.database, tara, call.call)
        assert (agents.call.status, agents.call.end_reason) == (CallStatus.COMPLETED, "transferred")
        # The agent's part is settled while the person is still being rung.
        assert (await hold_of(house.database, tara, done.leg_id)).state is HoldState.AUTHORISED
        answered = await until_state(house.database, tara, done.leg_id, "ACTIVE")
        assert answered.lease_owner == "sweep"
        leg = await settled(house.database, tara, done.leg_id)
        dialled = call.dialled
        await call.until("ended")
    assert (leg.call.status, leg.call.end_reason, leg.call.seconds) == (CallStatus.COMPLETED, "leg_ended", 2)
    assert (leg.call.direction, leg.call.parent_id) == (Direction.OUTBOUND, call.call)
    assert (leg.call.dialled, leg.call.caller, leg.call.carrier_call_id) == (
        THEIRS, agents.call.caller, dialled.record.sid,
    )  # fmt: skip
    assert await charges(house.database, tara) == [-15, -2]
    account = await account_of(house.database, tara)
    assert (account.held, account.open_calls) == (0, 0)


async def test_the_receipts_name_each_other_and_can_be_printed(house: House, tara: Person) -> None:
    async with talking(house, tara, dial_seconds=1) as call:
        done = await call.put_through()
        leg = await settled(house.database, tara, done.leg_id)
        await call.until("ended")
        await call.until("report")
    agents = await record_of(house.database, tara, call.call)
    assert agents.receipt is not None and leg.receipt is not None
    assert (agents.receipt.legs, agents.receipt.parent_id) == ((done.leg_id,), None)
    assert (leg.receipt.legs, leg.receipt.parent_id) == ((), call.call)
    assert (leg.receipt.rate.credits_per_minute, leg.receipt.charged) == (60, 1)
    for receipt in (agents.receipt, leg.receipt):
        document = document_of(receipt, business="Tara's shop", zone="Europe/Berlin")
        assert document.carrier_seconds is None, "the phone company counts both parts as one"
        assert render_receipt_pdf(document, "de").startswith(b"%PDF")


async def test_the_carriers_longer_duration_of_a_transferred_call_corrects_nothing(house: House, tara: Person) -> None:
    async with talking(house, tara, dial_seconds=1) as call:
        await call.put_through()
        await settled(house.database, tara, call.call)
    async with asyncio.timeout(15):  # until the carrier's own report was handled, which says so too
        while (receipt := (await record_of(house.database, tara, call.call)).receipt) is None or (
            receipt.carrier_seconds is None
        ):
            await asyncio.sleep(0.05)
    async with house.database.transaction(everyone=WHY) as db:
        # More than the agent talked, and less than from ring to end: any other call would be corrected.
        await pass_time(house.database, call.call, 300)
        assert await lifecycle.report(db, "simulated", call.sid, is_over=True, seconds=200) == "duration noted"
    record = await record_of(house.database, tara, call.call)
    assert record.receipt is not None
    assert (record.receipt.corrected, record.receipt.carrier_seconds) == (0, 200)


@pytest.mark.parametrize("outcome", ["busy", "no-answer", "failed"])
async def test_a_person_who_does_not_answer_costs_nothing_and_the_caller_is_with_the_agent_again(
    house: House, tara: Person, outcome: str
) -> None:
    async with talking(house, tara, dial=outcome) as call:
        done = await call.put_through()
        leg = await settled(house.database, tara, done.leg_id)
        back = await returned(house, tara, done.leg_id)
        await until_state(house.database, tara, back, "ACTIVE")
    assert (await settled(house.database, tara, back)).call.carrier_call_id == call.sid
    assert (leg.call.status, leg.call.end_reason, leg.call.answered_at) == (
        CallStatus.NO_ANSWER, "nobody_answered", None,
    )  # fmt: skip
    hold = await hold_of(house.database, tara, done.leg_id)
    assert (hold.state, hold.charged) == (HoldState.RELEASED, 0)
    assert await charges(house.database, tara) == [-15, -15]


async def test_who_talked_to_the_person_hears_nothing_more_and_the_line_ends(house: House, tara: Person) -> None:
    async with talking(house, tara, dial_seconds=0.6) as call:
        await call.put_through()
        ended = await call.until("ended")
    assert ended["hung_up_by"] == "agent"
    assert not [event for event in call.events if event["event"] == "announced"]


async def test_reports_that_come_thrice_and_in_the_wrong_order_charge_once(house: House, tara: Person) -> None:
    bent = Faults(report_copies=3, reports_reversed=True)
    async with talking(house, tara, dial_seconds=2, dial_faults=bent) as call:
        done = await call.put_through()
        leg = await settled(house.database, tara, done.leg_id)
        await asyncio.sleep(0.5)  # the other copies, and the older report
    assert (leg.call.status, leg.call.seconds) == (CallStatus.COMPLETED, 2)
    assert leg.call.answered_at is not None
    assert await charges(house.database, tara) == [-15, -2]
    again = await record_of(house.database, tara, done.leg_id)
    assert again.call.status is CallStatus.COMPLETED


async def test_without_credit_nobody_is_rung_and_the_agent_goes_on(house: House) -> None:
    # Enough for the agent's first minute, and then not for a leg's first.
    poor = await customer(house.database, credits=20, rate=Rate(60))
    async with talking(house, poor) as call:
        done = await call.put_through()
        assert (done.is_dialled, done.reason, done.granted_seconds) == (False, "no_credit", 0)
        assert house.carrier.legs_of(call.sid) == []
        assert (await hold_of(house.database, poor, call.call)).state is HoldState.ACTIVE
        refused = await record_of(house.database, poor, done.leg_id)
        assert (refused.call.status, refused.call.end_reason) == (CallStatus.FAILED, "no_credit")
        # The same again gets the same answer; another try is another leg.
        assert await call.put_through(leg=done.leg_id) == done
        async with house.database.transaction(everyone=WHY) as db:
            await money.adjust(db, poor.id, reference="top-up", amount=500, reason="a top-up", actor=poor.id)
        assert (await call.put_through()).is_dialled


async def test_where_no_price_is_set_for_transfers_there_are_none(house: House) -> None:
    alice = await new_person(house.database, "Alice", credits=1000)
    async with talking(house, alice) as call:
        done = await call.put_through()
    assert (done.is_dialled, done.reason) == (False, "no_price")
    hold = await hold_of(house.database, alice, done.leg_id)
    assert (hold.state, hold.denied_reason, hold.held) == (HoldState.DENIED, "no_price", 0)


@pytest.mark.parametrize("guard", ["per_day", "per_call", "per_caller"])
async def test_spend_guards_hold_for_legs(house: House, tara: Person, guard: str) -> None:
    day, each, caller = (15 if guard == name else None for name in ("per_day", "per_call", "per_caller"))
    await set_price(house.database, tara, Rate(16))
    async with talking(house, tara) as call:
        async with house.database.transaction(user=tara.id) as db:
            await money.set_guards(db, tara.id, per_day=day, per_call=each, per_caller=caller)
        done = await call.put_through()
    names = {"per_day": "day_limit", "per_call": "call_limit", "per_caller": "caller_limit"}
    assert (done.is_dialled, done.reason) == (False, names[guard])


async def test_a_leg_needs_a_free_line_like_any_call(house: House, tara: Person) -> None:
    async with house.database.transaction(everyone=WHY) as db:
        await money.set_limits(db, tara.id, max_open_calls=1)
    async with talking(house, tara) as call:
        assert (await call.put_through()).reason == "too_many_calls"


async def test_a_price_that_changes_in_mid_leg_is_for_the_next(house: House, tara: Person) -> None:
    async with talking(house, tara, dial_seconds=2) as call:
        done = await call.put_through()
        await until_state(house.database, tara, done.leg_id, "ACTIVE")
        await set_price(house.database, tara, Rate(6000, initial_seconds=1, increment_seconds=1))
        await settled(house.database, tara, done.leg_id)
    assert (await charges(house.database, tara))[1:] == [-2]


async def test_the_same_transfer_asked_twice_rings_once(house: House, tara: Person) -> None:
    async with talking(house, tara, dial_seconds=1.5) as call:
        leg = new_id()
        both = await asyncio.gather(call.put_through(leg=leg), call.put_through(leg=leg))
        assert max(each.is_dialled for each in both)
        assert {each.reason for each in both} <= {None, "carrier_silent"}  # the second may not know yet
        await until_state(house.database, tara, leg, "ACTIVE")
        assert (await call.put_through(leg=leg)).is_dialled
        assert len(house.carrier.legs_of(call.sid)) == 1
        with pytest.raises(Conflict):
            await call.put_through("+4930111222", leg=leg)
        await settled(house.database, tara, leg)


async def test_two_transfers_at_once_ring_one_person(house: House, tara: Person) -> None:
    async with talking(house, tara, dial_seconds=1) as call:
        both = await asyncio.gather(call.put_through(), call.put_through("+4930111222"))
        assert sorted(each.is_dialled for each in both) == [False, True]
        assert next(each.reason for each in both if not each.is_dialled) in ("transferring", "over")
    assert await legs_of(house, tara) == 1


async def test_nobody_elses_call_is_transferred(house: House, tara: Person) -> None:
    bob = await customer(house.database)
    async with talking(house, tara) as call:
        forward = Forward(THEIRS)
        carrier = house.context.carriers["simulated"]
        with pytest.raises(NotFound):
            await transfers.begin(house.database, carrier, bob.id, call.call, leg=new_id(), forward=forward)
    assert (await legs_of(house, tara), await legs_of(house, bob)) == (0, 0)


@pytest.mark.parametrize("number", ["", "110", "+49 30 1234", "+4930999</Number>", "030999888", "+123456789012345678"])
async def test_what_is_no_number_is_not_dialled(house: House, tara: Person, number: str) -> None:
    with pytest.raises(transfers.NotANumber):
        await transfers.begin(
            house.database,
            house.context.carriers["simulated"],
            tara.id,
            new_id(),
            leg=new_id(),
            forward=Forward(number),
        )


async def test_an_agent_rings_no_agent(house: House, tara: Person) -> None:
    async with talking(house, tara) as call:
        assert (await call.put_through(tara.number)).reason == "own_number"
        assert await legs_of(house, tara) == 0


async def test_a_call_that_is_over_and_a_leg_are_not_transferred(house: House, tara: Person) -> None:
    async with talking(house, tara, dial_seconds=3) as call:
        done = await call.put_through()
        await until_state(house.database, tara, done.leg_id, "ACTIVE")
        assert (await call.put_through("+4930111222")).reason == "over"
        call.call = done.leg_id
        assert (await call.put_through("+4930111222")).reason == "over"


async def test_a_carrier_that_refuses_leaves_the_caller_with_the_agent(house: House, tara: Person) -> None:
    async with talking(house, tara, faults=Faults(api_status=400, api_refusals=99)) as call:
        done = await call.put_through()
        assert (done.is_dialled, done.reason) == (False, "carrier_refused")
        hold = await hold_of(house.database, tara, done.leg_id)
        assert (hold.state, hold.charged) == (HoldState.RELEASED, 0)
        assert (await hold_of(house.database, tara, call.call)).state is HoldState.ACTIVE
    # Nobody was put through, so this call is compared like any other.
    agents = await settled(house.database, tara, call.call)
    assert (agents.call.end_reason, agents.receipt is not None and agents.receipt.is_comparable) == (
        "caller_hung_up", True,
    )  # fmt: skip


async def test_a_carrier_that_hangs_may_have_dialled_and_is_asked_before_anybody_is_rung_again(
    house: House, tara: Person
) -> None:
    account = SimulatedAccount("AC" + "0" * 32, "token", "control", f"http://127.0.0.1:{free_ports(1)[0]}")
    nobody = Simulated(account)
    async with talking(house, tara, dial_seconds=1) as call:
        done = await call.put_through(carrier=nobody)
        await nobody.close()
        assert (done.is_dialled, done.reason) == (False, "carrier_silent")
        assert (await call.put_through()).reason == "transferring"
        assert (await call.put_through(leg=done.leg_id)).reason == "carrier_silent"
        await sweeps(house)
        assert (await hold_of(house.database, tara, done.leg_id)).state is HoldState.AUTHORISED, "it is too early"
        await pass_time(house.database, done.leg_id, 21)
        await sweeps(house)
        gone = await settled(house.database, tara, done.leg_id)
        assert (gone.call.status, gone.call.end_reason) == (CallStatus.NO_ANSWER, "never_dialled")
        assert (await hold_of(house.database, tara, call.call)).state is HoldState.ACTIVE
        assert (await call.put_through()).is_dialled


async def test_closing_an_account_ends_its_legs(house: House, tara: Person) -> None:
    ada = await new_person(house.database, "Ada", credits=0, admin=True)
    async with talking(house, tara, dial_seconds=50) as call:
        done = await call.put_through()
        await until_state(house.database, tara, done.leg_id, "ACTIVE")
        await asyncio.sleep(1)
        await close(house, tara, ada)
        assert not call.person_talks()
    leg = await record_of(house.database, tara, done.leg_id)
    assert (leg.call.status, leg.call.end_reason) == (CallStatus.COMPLETED, "credit_ended")
    assert (await charges(house.database, tara))[1:] == [-leg.call.seconds] if leg.call.seconds else []
    account = await account_of(house.database, tara)
    assert (account.held, account.open_calls, account.blocked_reason) == (0, 0, "closed")


async def test_closing_an_account_while_a_person_is_rung_ends_that_free(house: House, tara: Person) -> None:
    ada = await new_person(house.database, "Ada", credits=0, admin=True)
    async with talking(house, tara, dial_ring_seconds=25) as call:
        done = await call.put_through()
        await close(house, tara, ada)
        assert not call.person_talks()
    assert (await hold_of(house.database, tara, done.leg_id)).state is HoldState.RELEASED


async def close(house: House, person: Person, actor: Person) -> None:
    async def no_card(_: uuid.UUID) -> bool:
        return True

    async def no_checkouts(_db: AsyncSession, _user: uuid.UUID) -> int:
        return 0

    done = await close_account(
        house.database,
        house.context.carriers,
        person.id,
        actor.id,
        forget_card=no_card,
        end_checkouts=no_checkouts,
        seconds_max=10,
    )
    assert list(done.left) == []


async def test_only_the_carrier_says_how_a_leg_stands(house: House, tara: Person) -> None:
    async with talking(house, tara, dial_ring_seconds=2, dial_seconds=1) as call:
        done = await call.put_through()
        door = f"leg/{tara.id}/{done.leg_id}"
        fields = {"AccountSid": "AC" + "1" * 32, "CallSid": f"CA{uuid.uuid4().hex}", "CallStatus": "in-progress"}
        assert (await post(house, door, fields)).status_code == 403, "another account"
        named = {**fields, "AccountSid": SimulatedAccount.of(house.settings).account_sid}
        # A name that another leg has, or that is not this leg's, changes nothing.
        await call.until("forwarded")
        await sweeps(house)
        assert (await post(house, f"leg/{tara.id}/{new_id()}", named)).status_code == 204
        assert (await hold_of(house.database, tara, done.leg_id)).state is HoldState.AUTHORISED
        await settled(house.database, tara, done.leg_id)


@pytest.mark.parametrize(
    "number",
    [
        "+4990012345678",
        "+4911833",
        "+19005551234",
        "+390899123456",
        "+41900123456",
        "+881612345678",
        "+88213123456",
        "+979123456789",
    ],
    ids=["0900", "enquiries", "US 900", "IT 899", "CH 900", "satellite", "network", "international premium"],
)
async def test_nobody_is_put_through_to_a_number_that_costs_more_than_a_leg_brings(house: House, number: str) -> None:
    tara = await customer(house.database)
    async with talking(house, tara) as call:
        with contextlib.suppress(TalktimeError):
            assert not (await call.put_through(number)).is_dialled
        assert house.carrier.legs_of(call.sid) == []
        assert (await account_of(house.database, tara)).open_calls == 1
