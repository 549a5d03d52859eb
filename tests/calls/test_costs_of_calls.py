"""Whole calls, with vendors and a carrier that speak their wire formats: what they leave behind, also when lost."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from talktime.calls import costs, lifecycle, sweep
from talktime.calls.models import CallCost, CostKind
from talktime.carriers.simulated import Simulated, SimulatedAccount
from talktime.errors import Refused
from talktime.settings import Settings
from talktime.simulate.deepgram import SimulatedDeepgram
from talktime.simulate.elevenlabs import SimulatedElevenLabs
from talktime.simulate.openai import SimulatedOpenAI
from talktime.simulate.orders import Faults, HangUp, Pause, Stay, WaitForAgent
from talktime.simulate.record import PRICE_SECONDS
from talktime.speech.choose import choose
from tests.calls.test_costs import let_time_pass, row, rows, talked
from tests.house import House, free_ports, open_house, say
from tests.people import WHY, Person, charges, new_person


@pytest.fixture(scope="module")
async def vendors() -> AsyncIterator[tuple[SimulatedDeepgram, SimulatedOpenAI, SimulatedElevenLabs]]:
    deepgram, gpt, elevenlabs = SimulatedDeepgram(), SimulatedOpenAI(), SimulatedElevenLabs(ulaw=b"\x80\x00\xff" * 4000)
    await deepgram.start()
    await gpt.server.start()
    await elevenlabs.server.start()
    yield deepgram, gpt, elevenlabs
    await elevenlabs.server.close()
    await gpt.server.close()
    await deepgram.close()


@pytest.fixture(scope="module")
async def house(
    new_database_url: Callable[[], str],
    tmp_path_factory: pytest.TempPathFactory,
    vendors: tuple[SimulatedDeepgram, SimulatedOpenAI, SimulatedElevenLabs],
) -> AsyncIterator[House]:
    """An installation with keys of all three vendors."""
    deepgram, gpt, elevenlabs = vendors
    home = Path(tmp_path_factory.mktemp("home"))
    keys: dict[str, Any] = {
        "deepgram_api_key": deepgram.key,
        "deepgram_url": deepgram.url,
        "openai_api_key": gpt.key,
        "openai_base_url": gpt.url,
        "elevenlabs_api_key": elevenlabs.key,
        "elevenlabs_url": elevenlabs.url,
    }
    async with open_house(new_database_url(), home, trio=choose(Settings(home=home, **keys)), **keys) as house:
        yield house


async def costs_of(house: House, person: Person, sid: str, count: int) -> dict[tuple[str, CostKind], CallCost]:
    """The costs of a call, once so many are there: the vendors' come right after the settling."""
    record = await house.settled(person, sid)
    async with asyncio.timeout(5):
        while len(found := await rows(house.database, record.call.id)) < count:
            await asyncio.sleep(0.05)
    return found


async def test_a_call_leaves_behind_what_each_of_its_vendors_is_paid_for(
    house: House, vendors: tuple[SimulatedDeepgram, SimulatedOpenAI, SimulatedElevenLabs]
) -> None:
    deepgram, _, elevenlabs = vendors
    carol = await new_person(house.database, "Carol", credits=1000)
    deepgram.sentences.append("when do you open")
    before = len(elevenlabs.server.asked)
    events = await house.call(carol, WaitForAgent(), say("x"), WaitForAgent(), HangUp())
    sid = next(event["call_sid"] for event in events if event["event"] == "placed")
    found = await costs_of(house, carol, sid, 5)
    seconds = found["simulated", CostKind.CARRIER_SECONDS].quantity
    assert set(found) == {
        ("deepgram/nova-3", CostKind.AUDIO_SECONDS),
        ("openai/gpt-4.1-mini", CostKind.PROMPT_TOKENS),
        ("openai/gpt-4.1-mini", CostKind.COMPLETION_TOKENS),
        ("elevenlabs/eleven_flash_v2_5", CostKind.CHARACTERS),
        ("simulated", CostKind.CARRIER_SECONDS),
    }
    assert 1 <= found["deepgram/nova-3", CostKind.AUDIO_SECONDS].quantity <= seconds + 1
    assert found["openai/gpt-4.1-mini", CostKind.COMPLETION_TOKENS].quantity > 0
    assert found["elevenlabs/eleven_flash_v2_5", CostKind.CHARACTERS].quantity >= len("You said: when do you open.")
    assert len(elevenlabs.server.asked) > before
    assert all(row.amount_micros is None for row in found.values()), "nobody has said what anything costs"


async def test_the_simulated_carrier_tells_its_price_a_while_after_the_end(house: House) -> None:
    carol = await new_person(house.database, "Carol", credits=1000)
    events = await house.call(carol, WaitForAgent(), Pause(seconds=1), HangUp())
    sid = next(event["call_sid"] for event in events if event["event"] == "placed")
    record = await house.settled(carol, sid)
    await asyncio.sleep(PRICE_SECONDS)
    await let_time_pass(house.database, record.call.id)
    await costs.ask_prices(house.database, house.context.carriers)
    known = await row(house.database, record.call.id, "simulated")
    assert (known.amount_micros, known.currency, known.reported) == (8500, "USD", True)


async def test_a_lost_call_keeps_what_is_known_and_is_priced_like_any_other(house: House) -> None:
    carol = await new_person(house.database, "Carol", credits=1000)
    order = house.order(carol, Stay(), faults=Faults(no_socket=True), seconds_max=60)
    async for event in (events := house.carrier.place(order)):
        if event["event"] == "placed":
            sid = event["call_sid"]
        if event["event"] == "answered":
            break
    await asyncio.sleep(1)
    async with house.database.transaction(everyone=WHY) as db:
        call = await db.scalar(text("SELECT call_id FROM call_directory WHERE carrier_call_id = :sid"), {"sid": sid})
        assert isinstance(call, uuid.UUID)
        assert await lifecycle.answer(db, carol.id, call, "a process that died") is not None
        await db.execute(text("RESET ROLE"))
        await db.execute(text("SET LOCAL ROLE talktime_owner"))
        await db.execute(
            text(
                "UPDATE credit_holds SET state = 'RECONCILE', used_seconds = 30, lost_at = now() - interval '9 s',"
                " lease_until = now() - interval '9 s' WHERE call_id = :call"
            ),
            {"call": call},
        )
        await db.execute(text("UPDATE credit_accounts SET open_calls = 0 WHERE user_id = :user"), {"user": carol.id})
    await sweep.sweep(house.database, house.context.carriers)
    record = await house.settled(carol, sid)
    await events.aclose()
    known = await row(house.database, call, "simulated")
    assert record.call.end_reason == "lost"
    assert (known.quantity, known.estimated) == (record.call.carrier_seconds, False)
    assert await charges(house.database, carol) == [-15]


async def test_the_database_that_is_unwilling_does_not_keep_a_call_from_being_settled(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> None:
        raise Refused("no")

    monkeypatch.setattr(costs, "note", refuse)
    carol = await new_person(house.database, "Carol", credits=1000)
    events = await house.call(carol, WaitForAgent(), HangUp())
    record = await house.record(carol, events)
    assert await charges(house.database, carol) == [-15]
    assert (await row(house.database, record.call.id, "simulated")).quantity > 0
    await house.until(lambda: not house.context.live)


async def test_a_carrier_that_cannot_be_reached_leaves_the_estimate(house: House) -> None:
    account = SimulatedAccount("AC" + "0" * 32, "token", "control", f"http://127.0.0.1:{free_ports(1)[0]}")
    carol = await new_person(house.database, "Carol", credits=1000)
    call = await talked(house.database, carol)
    await let_time_pass(house.database, call)
    nobody = Simulated(account)
    try:
        await costs.ask_prices(house.database, {"simulated": nobody})
    finally:
        await nobody.close()
    known = await row(house.database, call, "simulated")
    assert (known.quantity, known.estimated, known.reported, known.asked) == (43, True, False, 1)
