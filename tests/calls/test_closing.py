"""An account is closed while its calls run: they end at the phone company, are charged once, and none begins."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.calls import closing, lifecycle
from talktime.calls.closing import AlreadyClosed
from talktime.calls.routing import Route
from talktime.carriers.contract import Carrier, Ring
from talktime.carriers.simulated import Simulated, SimulatedAccount
from talktime.credits import ledger, money
from talktime.credits.operators import NotAnOperator
from talktime.credits.pricing import Rate
from talktime.credits.verify import verify
from talktime.errors import BadInput, Conflict, NotFound
from talktime.privacy.closing import Closed, close_account
from talktime.simulate.orders import Stay, WaitForAgent
from tests.house import TALK, House, free_ports, new_sid, open_house
from tests.people import WHY, Person, account_of, charges, new_person


@pytest.fixture(scope="module")
async def house(new_database_url: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with open_house(new_database_url(), Path(tmp_path_factory.mktemp("home"))) as house:
        yield house


@pytest.fixture
async def alice(house: House) -> Person:
    return await new_person(house.database, "Alice", credits=1000)


@pytest.fixture
async def ada(house: House) -> Person:
    return await new_person(house.database, "Ada", credits=0, admin=True)


async def close(house: House, person: Person, actor: Person, seconds_max: float = 10) -> Closed:
    return await close_account(
        house.database,
        house.context.carriers,
        person.id,
        actor.id,
        forget_card=no_card,
        end_checkouts=no_checkouts,
        seconds_max=seconds_max,
    )


async def no_card(_: uuid.UUID) -> bool:
    return True


async def no_checkouts(_db: AsyncSession, _: uuid.UUID) -> int:
    return 0


async def in_progress(house: House, person: Person, calls: int) -> None:
    async with asyncio.timeout(15):
        while True:
            async with house.database.transaction(user=person.id) as db:
                count = await db.scalar(text("SELECT count(*) FROM calls WHERE status = 'IN_PROGRESS'"))
            if count == calls:
                return
            await asyncio.sleep(0.05)


async def status_of(house: House, person: Person) -> str:
    async with house.database.transaction(everyone=WHY) as db:
        return str(await db.scalar(text("SELECT status FROM users WHERE id = :id"), {"id": person.id}))


async def test_live_calls_are_hung_up_and_charged_once_and_then_the_account_is_closed(
    house: House, alice: Person, ada: Person
) -> None:
    talking = [asyncio.create_task(house.call(alice, WaitForAgent(), Stay(), seconds_max=40)) for _ in range(3)]
    await in_progress(house, alice, 3)
    done = await close(house, alice, ada)
    assert (done.hung_up, list(done.left)) == (3, [])
    for events in await asyncio.gather(*talking):
        record = await house.record(alice, events)
        assert not record.is_live
    assert await charges(house.database, alice) == [-15] * 3
    account = await account_of(house.database, alice)
    assert (account.held, account.open_calls, account.blocked_reason) == (0, 0, "closed")
    assert await status_of(house, alice) == "CLOSED"

    again = await close(house, alice, ada)
    assert (again.hung_up, list(again.left)) == (0, [])
    assert await charges(house.database, alice) == [-15] * 3
    assert not [event for event in await house.call(alice, *TALK) if event["event"] == "agent_audio_begins"]


async def test_a_call_that_rings_while_the_account_is_closed_is_not_answered(
    house: House, alice: Person, ada: Person
) -> None:
    sid = new_sid()
    rang = Ring(account="AC1", call_id=sid, caller="+15550100123", dialled=alice.number)
    async with house.database.transaction(everyone=WHY) as db:
        decision = await lifecycle.ring(db, "simulated", rang)
    assert decision.route == Route.TALK and decision.call_id is not None
    done = await close(house, alice, ada, seconds_max=0.5)
    assert list(done.left) == [decision.call_id], "nobody has said yet that it is over"
    async with house.database.transaction(user=alice.id) as db:
        assert await lifecycle.answer(db, alice.id, decision.call_id, "a process") is None
    async with house.database.transaction(everyone=WHY) as db:
        await lifecycle.report(db, "simulated", sid, is_over=True, seconds=0)
    assert list((await close(house, alice, ada)).left) == []
    assert await charges(house.database, alice) == []


async def test_a_carrier_that_does_not_answer_leaves_the_end_to_who_carries_the_call(
    house: House, alice: Person, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing, "_HANG_UP_SECONDS", 0.5)
    monkeypatch.setattr("talktime.voice.meter.HEARTBEAT_SECONDS", 0.5)
    account = SimulatedAccount.of(house.settings)
    gone = Simulated(SimulatedAccount(**{**_fields(account), "api_base": f"http://127.0.0.1:{free_ports(1)[0]}"}))
    carriers: dict[str, Carrier] = {"simulated": gone}
    talking = asyncio.create_task(house.call(alice, WaitForAgent(), Stay(), seconds_max=40))
    await in_progress(house, alice, 1)
    done = await close_account(
        house.database, carriers, alice.id, ada.id, forget_card=no_card, end_checkouts=no_checkouts, seconds_max=15
    )
    await gone.close()
    assert (done.hung_up, list(done.left)) == (0, []), "the meter saw at its next heartbeat that it was cut off"
    record = await house.record(alice, await talking)
    assert record.call.end_reason == "credit_ended"
    assert await charges(house.database, alice) == [-15]


async def test_rings_that_come_while_an_account_is_closed_are_either_ended_or_never_begin(
    house: House, ada: Person
) -> None:
    for _ in range(5):
        dora = await new_person(house.database, "Dora", credits=1000)

        async def ring(person: Person = dora) -> lifecycle.Decision:
            rang = Ring(account="AC1", call_id=new_sid(), caller="+15550100123", dialled=person.number)
            async with house.database.transaction(everyone=WHY) as db:
                return await lifecycle.ring(db, "simulated", rang)

        closing_it = asyncio.create_task(close(house, dora, ada, seconds_max=0))
        decisions = await asyncio.gather(*(ring() for _ in range(6)))
        done = await closing_it
        begun = {decision.call_id for decision in decisions if decision.route == Route.TALK}
        async with house.database.transaction(user=dora.id) as db:
            for call in begun:
                assert call is not None
                assert await lifecycle.answer(db, dora.id, call, "a process") is None
        assert set(done.left) <= begun


async def test_only_an_operator_closes_an_account_and_only_one_that_there_is(
    house: House, alice: Person, ada: Person
) -> None:
    bob = await new_person(house.database, "Bob", credits=0)
    with pytest.raises(NotAnOperator):
        await close(house, alice, bob)
    assert await status_of(house, alice) == "ACTIVE"
    with pytest.raises(NotFound):
        await close_account(house.database, {}, bob.agent, ada.id, forget_card=no_card, end_checkouts=no_checkouts)


async def test_what_is_left_is_paid_out_after_closing_and_not_before(house: House, alice: Person, ada: Person) -> None:
    async with house.database.transaction(everyone=WHY) as db:
        with pytest.raises(Conflict):
            async with db.begin_nested():
                await money.payout(db, alice.id, "final", ada.id)
    await close(house, alice, ada)
    for fresh in (True, False):
        async with house.database.transaction(everyone=WHY) as db:
            paid = await money.payout(db, alice.id, "final", ada.id)
        assert (paid.fresh, paid.amount, paid.balance_after) == (fresh, -1000, 0)
    assert (await verify(house.database, full=True)).is_clean


async def test_a_suspended_customers_running_call_uses_its_grant_and_who_rings_gets_the_ladder(
    house: House, ada: Person
) -> None:
    a_second = Rate(60, initial_seconds=1, increment_seconds=1)
    carol = await new_person(house.database, "Carol", credits=1000, rate=a_second)
    bob = await new_person(house.database, "Bob", credits=1000)
    rang = Ring(account="AC1", call_id=new_sid(), caller="+15550100123", dialled=carol.number)
    async with house.database.transaction(everyone=WHY) as db:
        running = (await lifecycle.ring(db, "simulated", rang)).call_id
    assert running is not None
    async with house.database.transaction(user=carol.id) as db:
        assert await lifecycle.answer(db, carol.id, running, "a process")
    for _ in range(2):
        async with house.database.transaction(everyone=WHY) as db:
            await closing.suspend(db, carol.id, ada.id, "stolen card")
    assert await status_of(house, carol) == "SUSPENDED"
    async with house.database.transaction(user=carol.id) as db:
        more = await ledger.extend(db, carol.id, running, "a process", 1)
    assert (more.extended, more.reason, more.granted_seconds) == (False, "blocked", 60)
    events = await house.call(carol, *TALK)
    (words,) = [event["text"] for event in events if event["event"] == "announced"]
    assert "Carol's shop" in words
    assert "suspended" not in words.lower()
    assert (await house.record(carol, events)).call.route == "suspended"
    async with house.database.transaction(everyone=WHY) as db:
        decision = await lifecycle.ring(
            db, "simulated", Ring(account="AC1", call_id=new_sid(), caller="+15550100123", dialled=bob.number)
        )
    assert decision.route == Route.TALK, "Bob is not concerned"
    async with house.database.transaction(user=carol.id) as db:
        await lifecycle.finish(db, carol.id, running, seconds=60, reason="credit_ended")
    assert await charges(house.database, carol) == [-60]

    async with house.database.transaction(everyone=WHY) as db:
        await closing.activate(db, carol.id, ada.id)
    assert (await status_of(house, carol), (await account_of(house.database, carol)).blocked_reason) == ("ACTIVE", None)
    events = await house.call(carol, *TALK)
    assert (await house.record(carol, events)).call.route == "talk"


async def test_a_suspension_is_an_operators_and_never_of_a_closed_account(
    house: House, alice: Person, ada: Person
) -> None:
    bob = await new_person(house.database, "Bob", credits=0)
    wrong: list[tuple[Person, Person, str, type[Exception]]] = [
        (alice, bob, "a reason", NotAnOperator),
        (alice, ada, " ", BadInput),
        (alice, ada, "x" * 201, BadInput),
        (alice, ada, "a\0b", BadInput),
        (ada, ada, "a reason", Conflict),
    ]
    for whose, actor, because, error in wrong:
        with pytest.raises(error):
            async with house.database.transaction(everyone=WHY) as db:
                await closing.suspend(db, whose.id, actor.id, because)
    with pytest.raises(NotFound):
        async with house.database.transaction(everyone=WHY) as db:
            await closing.suspend(db, alice.agent, ada.id, "a reason")
    with pytest.raises(NotAnOperator):
        async with house.database.transaction(everyone=WHY) as db:
            await closing.activate(db, alice.id, bob.id)
    assert await status_of(house, alice) == "ACTIVE"
    await close(house, alice, ada)
    with pytest.raises(AlreadyClosed):
        async with house.database.transaction(everyone=WHY) as db:
            await closing.suspend(db, alice.id, ada.id, "a reason")
    with pytest.raises(AlreadyClosed):
        async with house.database.transaction(everyone=WHY) as db:
            await closing.activate(db, alice.id, ada.id)
    assert await status_of(house, alice) == "CLOSED"


def _fields(account: SimulatedAccount) -> dict[str, str]:
    return {name: getattr(account, name) for name in account.__dataclass_fields__}
