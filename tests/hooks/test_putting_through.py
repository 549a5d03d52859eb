"""A caller asks the agent for a person, over the wire: put through, refused, brought back, and charged once."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from talktime.calls.history import CallRecord
from talktime.calls.models import CallStatus
from talktime.carriers.simulated import SimulatedAccount
from talktime.credits import money
from talktime.credits.models import HoldState
from talktime.credits.pricing import Rate
from talktime.simulate.orders import Faults, HangUp, Say, Stay, Step, WaitForAgent
from talktime.speech.choose import Trio
from talktime.speech.offline.rulebook import RuleBook
from tests.calls.putting_through import (
    A_SECOND,
    THEIRS,
    assert_books_are_right,
    calls_of,
    customer,
    pass_time,
    say_in_version,
    settled,
    sweeps,
)
from tests.hooks.company import post
from tests.house import House, Scripted, Tones, open_house, say
from tests.people import WHY, Person, account_of, charges, hold_of

EMMA = [{"name": "Emma Marsh", "number": THEIRS}, {"name": "the workshop", "number": "+4930999777"}]
ASKS = "can i speak to emma please"


@pytest.fixture(scope="module")
async def house(new_database_url: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    ears = Scripted()
    home = Path(tmp_path_factory.mktemp("home"))
    async with open_house(new_database_url(), home, trio=Trio(ears, RuleBook(), Tones()), ears=ears) as house:
        yield house
        await assert_books_are_right(house.database)


async def shop(house: House, *, people: Any = None, credits: int = 1000, rate: Rate = A_SECOND) -> Person:
    """Somebody whose agent may put callers through to Emma and the workshop."""
    person = await customer(house.database, credits=credits, rate=rate)
    await say_in_version(house.database, person, people=EMMA if people is None else people)
    return person


def says(*sentences: str, comes_back: bool = False) -> tuple[Step, ...]:
    """Each once the agent has spoken; who comes back hears the agent again after each leg."""
    steps: list[Step] = []
    for each in sentences:
        steps += [WaitForAgent(), say(each)]
        if comes_back and ("emma" in each or "workshop" in each):
            steps.append(WaitForAgent(silence_seconds=6, seconds_max=20))  # the line is taken from there before that
    return (*steps, Stay())


async def rings(
    house: House, person: Person, *sentences: str, comes_back: bool = False, **more: Any
) -> list[dict[str, Any]]:
    """A caller who says this, one sentence after each of the agent's, and sees the call through."""
    house.ears.words[:] = list(sentences)
    return await house.call(person, *says(*sentences, comes_back=comes_back), **{"seconds_max": 60, **more})


def said_by_agent(record: CallRecord) -> list[str]:
    return [turn.text for turn in record.turns if turn.speaker.value == "AGENT"]


async def test_a_caller_who_asks_for_emma_is_put_through_and_both_parts_are_charged_once(house: House) -> None:
    tara = await shop(house)
    events = await rings(house, tara, ASKS, dial_seconds=2)
    agents, leg = await calls_of(house, tara)
    assert (agents.call.status, agents.call.end_reason) == (CallStatus.COMPLETED, "transferred")
    assert said_by_agent(agents) == ["Tara's shop, hello.", "One moment please, I am connecting you."]
    assert (leg.call.parent_id, leg.call.dialled, leg.call.seconds) == (agents.call.id, THEIRS, 2)
    assert await charges(house.database, tara) == [-15, -2]
    at = {event["event"]: event["at"] for event in events}
    assert at["forwarded"] >= at["agent_audio_ends"] - 0.05, "its last sentence was heard"
    (used,) = agents.turns[-1].tools
    assert (used["name"], used["succeeded"]) == ("transfer", True)
    account = await account_of(house.database, tara)
    assert (account.held, account.open_calls) == (0, 0)


async def test_who_is_named_is_rung_and_reports_that_come_four_times_count_once(house: House) -> None:
    tara = await shop(house)
    copies = Faults(report_copies=4)
    await rings(house, tara, "put me through to the workshop", dial_seconds=1, faults=copies, dial_faults=copies)
    _, leg = await calls_of(house, tara)
    assert leg.call.dialled == "+4930999777"
    assert await charges(house.database, tara) == [-15, -1]


@pytest.mark.parametrize("outcome", ["busy", "no-answer", "failed"])
async def test_a_caller_whom_emma_does_not_answer_is_back_with_the_agent_and_leaves_a_message(
    house: House, outcome: str
) -> None:
    tara = await shop(house)
    said = (ASKS, "yes please", "john smith", "please call me back tomorrow", "no thank you goodbye")
    await rings(house, tara, *said, comes_back=True, dial=outcome)
    agents, leg, back = await calls_of(house, tara)
    assert (agents.call.end_reason, leg.call.end_reason) == ("transferred", "nobody_answered")
    assert (back.call.resumes_id, back.call.carrier_call_id) == (leg.call.id, agents.call.carrier_call_id)
    assert said_by_agent(back)[0] == "I am sorry, Emma Marsh cannot be reached right now. Shall I take a message?"
    assert said_by_agent(back)[1] == "Of course. What is your name, please?"
    assert (back.call.outcome, back.call.end_reason) == ("message", "agent_hung_up")
    assert back.call.summary == "Message from John Smith: please call me back tomorrow"
    assert (await hold_of(house.database, tara, leg.call.id)).state is HoldState.RELEASED
    assert await charges(house.database, tara) == [-15, -15], "each part with the agent, and nobody's ringing"
    assert (await account_of(house.database, tara)).open_calls == 0
    async with house.database.transaction(everyone=WHY) as db:
        costs = await db.scalars(
            text("SELECT call_id FROM call_costs WHERE user_id = :user AND kind = 'CARRIER_SECONDS'"),
            {"user": tara.id},
        )
        assert set(costs) <= {agents.call.id, leg.call.id}, "to the carrier both parts are one call"


async def test_who_came_back_may_try_somebody_else(house: House) -> None:
    tara = await shop(house)
    said = (ASKS, "then put me through to the workshop")
    await rings(house, tara, *said, comes_back=True, dial="busy", seconds_max=30)
    found = await calls_of(house, tara)
    assert [record.call.dialled for record in found if record.call.parent_id] == [THEIRS, "+4930999777"]
    agents, first, back, second, last = found
    assert (back.call.resumes_id, last.call.resumes_id) == (first.call.id, second.call.id)
    assert second.call.parent_id == back.call.id
    assert "the workshop cannot be reached" in said_by_agent(last)[0]
    assert agents.call.status is back.call.status is CallStatus.COMPLETED


async def test_without_credit_for_the_leg_nobody_is_rung_and_the_agent_takes_a_message(house: House) -> None:
    tara = await shop(house, credits=15)
    said = (ASKS, "yes please", "john smith", "please call me back tomorrow", "no thank you goodbye")
    events = await rings(house, tara, *said)
    agents, refused = await calls_of(house, tara)
    assert said_by_agent(agents)[1].startswith("I cannot connect you at the moment. Shall I take a message")
    assert not any("credit" in sentence for sentence in said_by_agent(agents))
    assert (agents.call.outcome, agents.call.end_reason) == ("message", "agent_hung_up")
    assert (refused.call.status, refused.call.end_reason) == (CallStatus.FAILED, "no_credit")
    assert not [event for event in events if event["event"] == "forwarded"]
    assert await charges(house.database, tara) == [-15]


async def test_without_credit_to_come_back_the_caller_is_told_and_hears_nothing_of_money(house: House) -> None:
    poor = await shop(house, credits=70)
    house.ears.words[:] = [ASKS]
    events = []
    async for event in house.carrier.place(
        house.order(poor, *says(ASKS), dial="busy", dial_ring_seconds=3, seconds_max=30)
    ):
        events.append(event)
        if event["event"] == "forwarded":
            async with house.database.transaction(everyone=WHY) as db:
                await money.adjust(
                    db, poor.id, reference="gone", amount=-60, reason="gone", actor=poor.id, as_debt=True
                )
    (told,) = [event["text"] for event in events if event["event"] == "announced"]
    assert told == "We are sorry, nobody can be reached there right now. Please try again later."
    agents, _, back = await calls_of(house, poor)
    assert (agents.call.end_reason, back.call.status, back.call.route) == (
        "transferred", CallStatus.COMPLETED, "debt",
    )  # fmt: skip
    assert sorted(await charges(house.database, poor)) == [-60, -15]


async def test_a_caller_who_hangs_up_while_emma_is_rung_pays_for_the_agent_alone(house: House) -> None:
    tara = await shop(house)
    house.ears.words[:] = [ASKS]
    await house.call(tara, WaitForAgent(), say(ASKS), Stay(), dial_ring_seconds=20, seconds_max=7)
    agents, leg = await calls_of(house, tara)
    assert (agents.call.end_reason, leg.call.status) == ("transferred", CallStatus.NO_ANSWER)
    assert await charges(house.database, tara) == [-15]


async def test_a_caller_who_hangs_up_in_the_sentence_is_not_put_through(house: House) -> None:
    tara = await shop(house)
    house.ears.words[:] = [ASKS]
    loud = Say(text=ASKS, pcm=say(ASKS).pcm)
    await house.call(tara, WaitForAgent(), loud, HangUp())
    (agents,) = await calls_of(house, tara)
    assert agents.call.end_reason == "caller_hung_up"
    assert await charges(house.database, tara) == [-15]


async def test_a_carrier_that_refuses_leaves_the_caller_with_the_agent(house: House) -> None:
    tara = await shop(house)
    said = (ASKS, "no thank you goodbye")
    # The limit that every call is given is refused, too: that is the first of the two.
    await rings(house, tara, *said, faults=Faults(api_status=400), seconds_max=25)
    agents, leg = await calls_of(house, tara)
    assert "I am sorry, I cannot put you through right now. Shall I take a message?" in " ".join(said_by_agent(agents))
    assert (leg.call.status, leg.call.end_reason) == (CallStatus.NO_ANSWER, "carrier_refused")
    assert await charges(house.database, tara) == [-15]


async def test_an_agent_without_people_offers_a_message_instead(house: House) -> None:
    tara = await shop(house, people=[])
    await rings(house, tara, ASKS, "no", "goodbye")
    (agents,) = await calls_of(house, tara)
    assert "Shall I take a message" in said_by_agent(agents)[1]


@pytest.mark.parametrize("number", ["+4990012345678", "+881612345678", "12345", "premium"])
async def test_a_number_that_costs_more_than_a_leg_brings_is_never_rung(house: House, number: str) -> None:
    """No door takes such a number; one that is stored all the same is refused where it would be rung."""
    tara = await shop(house, people=[{"name": "Emma Marsh", "number": number}])
    events = await rings(house, tara, ASKS, "no", "goodbye")
    (agents,) = await calls_of(house, tara)
    assert "I cannot connect you" in said_by_agent(agents)[1]
    assert not [event for event in events if event["event"] == "forwarded"]


async def test_the_agents_own_number_is_never_rung(house: House) -> None:
    tara = await shop(house)
    await say_in_version(house.database, tara, people=[{"name": "Emma", "number": tara.number}])
    events = await rings(house, tara, ASKS, "no", "goodbye")
    await calls_of(house, tara)
    assert not [event for event in events if event["event"] == "forwarded"]


async def test_the_carrier_that_asks_twice_what_comes_next_gets_one_call_and_one_that_never_comes_is_free(
    house: House,
) -> None:
    tara = await shop(house)
    house.ears.words[:] = [ASKS]
    # The caller hangs up before the phone company opens the second socket.
    await house.call(tara, *says(ASKS), dial_ring_seconds=20, seconds_max=7)
    agents, leg = await calls_of(house, tara)
    door = f"leg/{tara.id}/{leg.call.id}/after"
    fields = {
        "AccountSid": SimulatedAccount.of(house.settings).account_sid,
        "CallSid": agents.call.carrier_call_id,
        "DialCallStatus": "no-answer",
    }
    answers = await asyncio.gather(*(post(house, door, fields) for _ in range(8)))
    assert len({answer.content for answer in answers}) == 1 and b"<Stream" in answers[0].content
    async with house.database.transaction(user=tara.id) as db:
        back = await db.scalar(text("SELECT id FROM calls WHERE resumes_id = :leg"), {"leg": leg.call.id})
    assert (await hold_of(house.database, tara, back)).state is HoldState.AUTHORISED
    await pass_time(house.database, back, 130)
    await sweeps(house)
    await pass_time(house.database, back, 10)
    await sweeps(house)
    gone = await settled(house.database, tara, back)
    assert (gone.call.status, gone.call.seconds) == (CallStatus.NO_ANSWER, 0)
    assert b"<Stream" not in (await post(house, door, fields)).content, "who is over does not come back again"
    assert await charges(house.database, tara) == [-15]


async def test_bobs_leg_brings_nobody_back_to_tara(house: House) -> None:
    tara, bob = await shop(house), await shop(house)
    await rings(house, tara, ASKS, dial_ring_seconds=20, seconds_max=7)
    agents, leg = await calls_of(house, tara)
    fields = {
        "AccountSid": SimulatedAccount.of(house.settings).account_sid,
        "CallSid": agents.call.carrier_call_id,
        "DialCallStatus": "busy",
    }
    for user, unknown in ((bob.id, leg.call.id), (tara.id, uuid.uuid4()), (tara.id, agents.call.id)):
        answer = await post(house, f"leg/{user}/{unknown}/after", fields)
        assert answer.status_code == 200 and b"nobody can be reached" in answer.content
    assert len(await calls_of(house, tara)) == 2 and await calls_of(house, bob) == []
