"""The database goes away: who rings hears a voice, who talks goes on talking, and nothing is lost or charged twice."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text

from talktime.calls import sweep
from talktime.calls.models import CallStatus
from talktime.credits.pricing import Rate
from talktime.credits.verify import verify
from talktime.db import embedded
from talktime.db.postmaster import Postmaster
from talktime.simulate.orders import HangUp, Pause, Step, WaitForAgent
from tests.house import TALK, House, open_house, say
from tests.people import WHY, Person, account_of, charges, hold_of, new_person
from tests.schema import deploy

pytestmark = pytest.mark.xdist_group("database away")


@pytest.fixture(scope="module")
async def mortal(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[House, Postmaster]]:
    """An installation whose database can be killed without hurting other tests."""
    with embedded.temporary(durable=True) as server:
        embedded.ensure_database(server, "talktime")
        deploy(server.url("talktime"))
        async with open_house(server.url("talktime"), Path(tmp_path_factory.mktemp("mortal"))) as house:
            yield house, server._postmaster


@pytest.fixture
async def carol(mortal: tuple[House, Postmaster]) -> Person:
    house, _ = mortal
    return await new_person(house.database, "Carol", credits=1000)


async def test_a_ring_while_it_is_away_is_answered_by_a_voice(mortal: tuple[House, Postmaster], carol: Person) -> None:
    house, postmaster = mortal
    await asyncio.to_thread(postmaster.kill)

    async def come_back() -> None:
        await asyncio.sleep(3)
        await asyncio.to_thread(postmaster.start)

    events, _ = await asyncio.gather(house.call(carol, *TALK, seconds_max=15), come_back())
    (words,) = [event["text"] for event in events if event["event"] == "announced"]
    assert words.startswith("We are sorry")
    async with house.database.transaction(user=carol.id) as db:
        assert await db.scalar(text("SELECT count(*) FROM calls")) == 0
    # The carrier's report could not be stored at first; it was not acknowledged, and came again.
    reports = [event for event in events if event["event"] == "report"]
    assert reports
    assert reports[-1]["answer"] == 204


async def test_a_call_goes_on_without_it_and_is_charged_once_it_is_back(
    mortal: tuple[House, Postmaster], carol: Person
) -> None:
    house, postmaster = mortal
    house.ears.words[:] = ["while it was away", "and when it was back"]

    async def outage() -> None:
        await asyncio.sleep(2.0)
        await asyncio.to_thread(postmaster.kill)
        await asyncio.sleep(4.0)
        await asyncio.to_thread(postmaster.start)

    steps = (
        WaitForAgent(),
        Pause(seconds=1.0),
        say(),
        WaitForAgent(),
        Pause(seconds=3.0),
        say(),
        WaitForAgent(),
        HangUp(),
    )
    events, _ = await asyncio.gather(house.call(carol, *steps, seconds_max=30), outage())
    record = await house.record(carol, events)
    assert (record.call.status, record.call.end_reason) == (CallStatus.COMPLETED, "caller_hung_up")
    heard = [turn.text for turn in record.turns if turn.speaker.value == "CALLER"]
    assert heard == ["while it was away", "and when it was back"]
    assert await charges(house.database, carol) == [-15]


async def test_a_call_that_ends_while_it_is_away_is_settled_when_it_is_back(
    mortal: tuple[House, Postmaster], carol: Person
) -> None:
    house, postmaster = mortal
    house.ears.words[:] = ["hello"]

    async def outage() -> None:
        await asyncio.sleep(2.0)
        await asyncio.to_thread(postmaster.kill)
        await asyncio.sleep(6.0)  # the call ends meanwhile
        await asyncio.to_thread(postmaster.start)

    events, _ = await asyncio.gather(house.call(carol, *TALK, seconds_max=30), outage())
    record = await house.record(carol, events)
    assert record.call.end_reason == "caller_hung_up"
    assert [turn.speaker.value for turn in record.turns] == ["AGENT", "CALLER", "AGENT"]
    assert record.call.seconds is not None
    assert record.call.seconds < 10
    assert await charges(house.database, carol) == [-15]
    account = await account_of(house.database, carol)
    assert (account.held, account.open_calls) == (0, 0)


async def test_a_call_outlives_an_outage_that_is_longer_than_its_lease(mortal: tuple[House, Postmaster]) -> None:
    house, postmaster = mortal
    # Two minutes are granted at the start: without the database nothing more is.
    dave = await new_person(house.database, "Dave", credits=1000, rate=Rate(15, initial_seconds=120))
    rounds = 10
    house.ears.words[:] = [f"sentence {number}" for number in range(rounds)]
    steps: tuple[Step, ...] = (
        WaitForAgent(),
        *(step for _ in range(rounds) for step in (Pause(seconds=5.5), say(), WaitForAgent())),
        HangUp(),
    )

    async def outage() -> None:
        await asyncio.sleep(4.0)
        await asyncio.to_thread(postmaster.kill)
        await asyncio.sleep(55.0)
        await asyncio.to_thread(postmaster.start)
        # A sweep is the first to look: the call's lease ran out ten seconds ago.
        await sweep.sweep(house.database, house.context.carriers)

    events, _ = await asyncio.gather(house.call(dave, *steps, seconds_max=115), outage())
    record = await house.record(dave, events)
    assert (record.call.status, record.call.end_reason) == (CallStatus.COMPLETED, "caller_hung_up")
    heard = [turn.text for turn in record.turns if turn.speaker.value == "CALLER"]
    assert heard == [f"sentence {number}" for number in range(rounds)]
    assert record.call.seconds is not None
    assert 70 < record.call.seconds < 115
    hold = await hold_of(house.database, dave, record.call.id)
    assert (hold.settled_seconds, hold.charged, hold.lost_at) == (record.call.seconds, 30, None)
    assert await charges(house.database, dave) == [-dave.rate.cost(record.call.seconds)] == [-30]
    account = await account_of(house.database, dave)
    assert (account.held, account.open_calls) == (0, 0)


async def test_the_job_queue_works_again_afterwards(mortal: tuple[House, Postmaster], carol: Person) -> None:
    house, _ = mortal
    house.ears.words[:] = ["hello"]
    events = await house.call(carol, *TALK)
    async with asyncio.timeout(15):
        while (await house.record(carol, events)).call.carrier_seconds is None:
            await asyncio.sleep(0.2)
    async with house.database.transaction(everyone=WHY) as db:
        assert await db.scalar(text("SELECT count(*) FROM provider_events WHERE handled_at IS NULL")) == 0
    assert (await verify(house.database, full=True)).violations == ()
