"""Whole calls over the real wire formats: rung, signed, answered, talked, settled; and everything that goes wrong."""

import asyncio

import httpx
import pytest
from sqlalchemy import func, select, text

from talktime.calls.models import CallStatus
from talktime.credits import money
from talktime.credits.pricing import Rate
from talktime.credits.verify import verify
from talktime.inbox import ProviderEvent
from talktime.simulate.orders import Faults, HangUp, Interrupt, Pause, Press, Stay, WaitForAgent
from tests.house import TALK, House, say, tone
from tests.people import WHY, Person, account_of, charges, new_person


async def test_a_call_is_answered_talked_and_charged(house: House, alice: Person) -> None:
    house.ears.words[:] = ["what are your opening hours"]
    record = await house.record(alice, await house.call(alice, *TALK))
    assert record.call.status == CallStatus.COMPLETED
    assert record.call.end_reason == "caller_hung_up"
    assert [turn.speaker.value for turn in record.turns] == ["AGENT", "CALLER", "AGENT"]
    assert record.turns[1].text == "what are your opening hours"
    assert record.turns[2].text == "You said: what are your opening hours."
    assert record.turns[2].latency is not None
    assert record.turns[2].latency["first_audio"] >= record.turns[2].latency["turn_decided"] > 0
    assert record.receipt is not None
    assert (record.receipt.charged, record.receipt.is_final) == (15, True)
    assert await charges(house.database, alice) == [-15]


async def test_the_agent_hangs_up_after_its_last_sentence(house: House, alice: Person) -> None:
    house.ears.words[:] = ["goodbye"]
    events = await house.call(alice, WaitForAgent(), say("goodbye"), Stay())
    record = await house.record(alice, events)
    assert record.call.end_reason == "agent_hung_up"
    ended = next(event for event in events if event["event"] == "ended")
    assert ended["hung_up_by"] == "api"
    last_word = max(event["at"] for event in events if event["event"] == "agent_audio_ends")
    assert next(event["at"] for event in events if event["event"] == "hung_up") >= last_word - 0.05


async def test_the_carrier_reports_it_four_times_and_it_is_charged_once(house: House, alice: Person) -> None:
    house.ears.words[:] = ["hello"]
    events = await house.call(alice, *TALK, faults=Faults(report_copies=4, reports_reversed=True))
    record = await house.record(alice, events)
    async with asyncio.timeout(10):
        while record.call.carrier_seconds is None:
            await asyncio.sleep(0.1)
            record = await house.record(alice, events)
    assert await charges(house.database, alice) == [-15]
    async with house.database.transaction(everyone=WHY) as db:
        stored = await db.scalar(
            select(func.count())
            .select_from(ProviderEvent)
            .where(ProviderEvent.event_id.contains(record.call.carrier_call_id))
        )
        reports = {event["status"] for event in events if event["event"] == "report"}
        assert stored == len(reports)


async def test_a_ring_that_comes_twenty_times_at_once_is_one_call(house: House, alice: Person) -> None:
    house.ears.words[:] = ["hello"]
    events = await house.call(alice, *TALK, faults=Faults(rings=20, rings_parallel=True))
    assert next(event for event in events if event["event"] == "ring_repeated")["same"]
    await house.record(alice, events)
    assert await charges(house.database, alice) == [-15]
    async with house.database.transaction(user=alice.id) as db:
        assert await db.scalar(text("SELECT count(*) FROM calls")) == 1


@pytest.mark.parametrize("faults", [Faults(bad_signature=True), Faults(wrong_account=True)])
async def test_a_ring_that_is_not_signed_by_the_carrier_leaves_no_trace(
    house: House, alice: Person, faults: Faults
) -> None:
    events = await house.call(alice, *TALK, faults=faults)
    assert next(event for event in events if event["event"] == "ring_answered")["status"] == 403
    async with house.database.transaction(user=alice.id) as db:
        assert await db.scalar(text("SELECT count(*) FROM calls")) == 0
    assert (await account_of(house.database, alice)).held == 0


async def test_a_ring_without_any_signature_is_refused(house: House, alice: Person) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        url = f"{house.settings.base_url}/hooks/simulated/ring"
        answer = await client.post(url, data={"To": alice.number, "CallSid": "CA1"})
        assert answer.status_code == 403
        assert answer.headers["content-type"] == "application/problem+json"
        assert (await client.post(url.replace("simulated", "nobody"), data={})).status_code == 404
        assert (await client.post(url, content=b"x" * 100_000)).status_code == 413


async def test_a_wrong_token_opens_nothing_and_costs_nothing(house: House, alice: Person) -> None:
    events = await house.call(alice, *TALK, faults=Faults(wrong_parameters=True))
    assert not [event for event in events if event["event"] == "agent_audio_begins"]
    record = await house.record(alice, events)
    assert (record.call.status, record.call.answered_at) == (CallStatus.NO_ANSWER, None)
    assert await charges(house.database, alice) == []
    assert (await account_of(house.database, alice)).held == 0


async def test_a_token_works_once(house: House, alice: Person) -> None:
    house.ears.words[:] = ["hello"]
    events = await house.call(alice, *TALK, faults=Faults(second_socket=True))
    second = next(event for event in events if event["event"] == "second_socket")
    assert second["refused"]
    record = await house.record(alice, events)
    assert record.call.end_reason == "caller_hung_up"
    assert await charges(house.database, alice) == [-15]


async def test_garbage_on_the_socket_disturbs_nobody(house: House, alice: Person) -> None:
    house.ears.words[:] = ["hello"]
    record = await house.record(alice, await house.call(alice, *TALK, faults=Faults(garbage=True)))
    assert [turn.speaker.value for turn in record.turns] == ["AGENT", "CALLER", "AGENT"]
    assert await charges(house.database, alice) == [-15]


async def test_marks_that_never_come_hang_nothing(house: House, alice: Person) -> None:
    house.ears.words[:] = ["goodbye"]
    events = await house.call(alice, WaitForAgent(), say("goodbye"), Stay(), faults=Faults(marks_lost=True))
    assert (await house.record(alice, events)).call.end_reason == "agent_hung_up"


async def test_a_number_that_nobody_has_is_announced_as_such(house: House) -> None:
    events = await house.call("+15550009999", *TALK)
    assert [event["text"] for event in events if event["event"] == "announced"] == ["This number is not in service."]


async def test_without_credit_the_caller_hears_something_useful_and_nothing_of_money(house: House) -> None:
    carol = await new_person(house.database, "Carol", credits=14)
    events = await house.call(carol, *TALK)
    (words,) = [event["text"] for event in events if event["event"] == "announced"]
    assert "Carol's shop" in words
    assert "credit" not in words.lower()
    record = await house.record(carol, events)
    assert (record.call.route, record.call.answered_at) == ("no_credit", None)
    assert await charges(house.database, carol) == []


async def test_a_line_without_frames_is_dead_and_charged_to_its_last_frame(house: House, alice: Person) -> None:
    events = await house.call(alice, Stay(), faults=Faults(frames_lost=1.0), seconds_max=40)
    record = await house.record(alice, events)
    assert (record.call.status, record.call.end_reason) == (CallStatus.FAILED, "line_dead")
    assert record.call.seconds is not None
    assert record.call.seconds <= 2
    assert next(event for event in events if event["event"] == "ended")["hung_up_by"] == "api"


async def test_the_socket_closes_without_a_word_and_the_call_is_settled(house: House, alice: Person) -> None:
    events = await house.call(alice, WaitForAgent(), Stay(), faults=Faults(closes_after_seconds=1.5))
    record = await house.record(alice, events)
    assert record.call.status == CallStatus.COMPLETED
    assert await charges(house.database, alice) == [-15]


async def test_a_line_that_lingers_is_hung_up_by_the_api(house: House, alice: Person) -> None:
    events = await house.call(
        alice, WaitForAgent(), Stay(), faults=Faults(closes_after_seconds=1.5, linger=True), seconds_max=20
    )
    assert next(event for event in events if event["event"] == "ended")["hung_up_by"] == "api"


async def test_the_carriers_api_fails_at_first_and_the_line_is_hung_up_later(house: House, alice: Person) -> None:
    house.ears.words[:] = ["goodbye"]
    faults = Faults(api_status=503, api_refusals=2, linger=True)
    events = await house.call(alice, WaitForAgent(), say("goodbye"), Stay(), faults=faults)
    record = await house.record(alice, events)
    assert record.receipt is not None
    assert record.receipt.not_charged_reason is None
    assert next(event for event in events if event["event"] == "ended")["hung_up_by"] == "api"
    assert await charges(house.database, alice) == [-15]


async def test_the_caller_talks_over_the_agent_and_it_stops(house: House, alice: Person) -> None:
    house.ears.words[:] = ["a rather long sentence that the agent repeats for a good while", "stop"]
    events = await house.call(
        alice,
        WaitForAgent(),
        say("long"),
        Interrupt(text="stop", pcm=tone(1.2, 130), after_seconds=0.8),
        WaitForAgent(),
        HangUp(),
    )
    assert [event for event in events if event["event"] == "agent_interrupted"]
    record = await house.record(alice, events)
    cut = next(turn for turn in record.turns if turn.interrupted)
    assert cut.text.startswith("You said: a")
    assert not cut.text.endswith("good while.")


async def test_keys_reach_the_agent(house: House, alice: Person) -> None:
    events = await house.call(alice, WaitForAgent(), Press(digits="12#"), WaitForAgent(), HangUp())
    record = await house.record(alice, events)
    assert any("1 2" in turn.text for turn in record.turns if turn.speaker.value == "CALLER")


async def test_a_caller_who_gives_up_while_it_rings_pays_nothing(house: House, alice: Person) -> None:
    events = await house.call(alice, *TALK, faults=Faults(no_socket=True), seconds_max=2)
    record = await house.record(alice, events)
    assert (record.call.status, record.call.answered_at) == (CallStatus.NO_ANSWER, None)
    assert (await account_of(house.database, alice)).held == 0


async def test_a_call_is_extended_while_it_lasts_and_ends_when_the_credit_does(house: House) -> None:
    # Six seconds of credit at the start; the goodbye begins at once and the call ends before the grant does.
    from talktime.credits.pricing import Rate

    carol = await new_person(house.database, "Carol", credits=6, rate=Rate(60, initial_seconds=1, increment_seconds=1))
    events = await house.call(carol, WaitForAgent(), Stay(), seconds_max=20)
    record = await house.record(carol, events)
    assert record.call.end_reason == "credit_ended"
    assert record.receipt is not None
    assert record.receipt.unbilled == 0
    assert 2 <= record.receipt.charged <= 6
    account = await account_of(house.database, carol)
    assert account.balance >= 0


async def test_a_top_up_in_the_call_continues_it(house: House) -> None:
    from talktime.credits.pricing import Rate

    carol = await new_person(house.database, "Carol", credits=14, rate=Rate(60, initial_seconds=1, increment_seconds=1))

    async def top_up() -> None:
        await asyncio.sleep(1)
        async with house.database.transaction(everyone=WHY) as db:
            await money.adjust(db, carol.id, reference="top-up", amount=500, reason="paid", actor=carol.id)

    events, _ = await asyncio.gather(
        house.call(carol, WaitForAgent(), Pause(seconds=12), say("x"), WaitForAgent(), HangUp()), top_up()
    )
    record = await house.record(carol, events)
    assert record.call.end_reason == "caller_hung_up"
    assert record.call.seconds is not None
    assert record.call.seconds >= 12


async def test_credit_that_ends_is_told_the_owner_and_not_the_caller(house: House) -> None:
    a_second = Rate(60, initial_seconds=1, increment_seconds=1)
    carol = await new_person(house.database, "Carol", credits=14, rate=a_second)
    record = await house.record(carol, await house.call(carol, WaitForAgent(), Stay(), seconds_max=30))
    assert record.call.end_reason == "credit_ended"
    async with house.database.transaction(user=carol.id) as db:
        told = (await db.execute(text("SELECT kind, subject FROM notices"))).all()
    assert [tuple(row) for row in told] == [("credit_exhausted", str(record.call.id))]
    assert not any("credit" in turn.text.lower() for turn in record.turns)


async def test_ten_calls_at_once_are_ten_charges(house: House, alice: Person) -> None:
    house.ears.words[:] = ["hello"] * 10
    everything = await asyncio.gather(*(house.call(alice, *TALK) for _ in range(10)))
    for events in everything:
        await house.record(alice, events)
    assert await charges(house.database, alice) == [-15] * 10
    account = await account_of(house.database, alice)
    assert (account.held, account.open_calls, account.balance) == (0, 0, 850)


async def test_after_all_that_the_books_are_right(house: House) -> None:
    verdict = await verify(house.database, full=True)
    assert verdict.violations == ()
