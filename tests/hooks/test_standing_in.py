"""A rung of the fallback ladder rings a person, where the customer wants that and can pay for it; else it speaks."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from talktime.calls.ladder import ladder
from talktime.calls.models import CallStatus, Direction
from talktime.credits import money
from talktime.credits.models import HoldState
from talktime.errors import ProviderError
from talktime.simulate.orders import Faults, Stay, WaitForAgent
from talktime.speech.choose import Trio
from talktime.speech.contract import Brief, CallTool, Message, Moment, Tool
from talktime.speech.contract import Say as Words
from tests.calls.putting_through import (
    THEIRS,
    assert_books_are_right,
    calls_of,
    customer,
    pass_time,
    record_of,
    say_in_version,
    sweeps,
)
from tests.calls.test_margins import FAR_AWAY, LONG_AGO
from tests.hooks.company import post, ring_fields
from tests.house import House, Scripted, Tones, new_sid, open_house, say
from tests.people import WHY, Person, account_of, charges, hold_of

NEVER: dict[str, Any] = {
    "hours": {"zone": "Europe/Berlin", "week": {}, "special": {}},
    "answers_after_hours": False,
}
CLOSED = "We are closed, please write to us."
PUT_THROUGH = "One moment, please, you are being put through."
BUSY = "All our lines are busy."


def forwarding(number: str = THEIRS, *reasons: str) -> dict[str, Any]:
    return {
        "fallback": {
            "texts": {"after_hours": CLOSED},
            "forward": dict.fromkeys(reasons or ("after_hours", "no_agent", "too_many_calls"), number),
        }
    }


@pytest.fixture(scope="module")
async def house(new_database_url: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with open_house(new_database_url(), Path(tmp_path_factory.mktemp("home"))) as house:
        yield house
        await assert_books_are_right(house.database)


async def closed_shop(house: House, number: str = THEIRS, *, credits: int = 1000, **said: Any) -> Person:
    """Somebody whose business is never open, and who wants calls put through to a person then."""
    person = await customer(house.database, credits=credits)
    await say_in_version(house.database, person, **{**NEVER, **forwarding(number), **said})
    return person


def told(events: list[dict[str, Any]]) -> list[str]:
    return [event["text"] for event in events if event["event"] == "announced"]


async def pause(house: House, person: Person) -> None:
    async with house.database.transaction(everyone=WHY) as db:
        await db.execute(text("UPDATE agents SET active = false WHERE user_id = :user"), {"user": person.id})


async def test_after_hours_the_person_whom_the_customer_names_is_rung_and_the_leg_is_charged(house: House) -> None:
    tara = await closed_shop(house)
    events = await house.call(tara, dial_seconds=2)
    call, leg = await calls_of(house, tara)
    assert told(events) == [PUT_THROUGH]
    assert (call.call.status, call.call.route, call.call.answered_at) == (CallStatus.COMPLETED, "after_hours", None)
    assert call.receipt is None, "the agent did not talk"
    assert (leg.call.direction, leg.call.parent_id, leg.call.dialled, leg.call.seconds) == (
        Direction.OUTBOUND, call.call.id, THEIRS, 2,
    )  # fmt: skip
    assert await charges(house.database, tara) == [-2]
    account = await account_of(house.database, tara)
    assert (account.held, account.open_calls) == (0, 0)
    async with house.database.transaction(everyone=WHY) as db:
        days = [day for day in await ladder(db, LONG_AGO, FAR_AWAY) if day.user_id == tara.id]
    assert days == [], "the customer has paid for it"


async def test_while_the_agent_is_paused_somebody_else_is_rung(house: House) -> None:
    tara = await customer(house.database)
    await say_in_version(house.database, tara, **forwarding())
    await pause(house, tara)
    await house.call(tara, dial_seconds=1)
    call, leg = await calls_of(house, tara)
    assert (call.call.route, leg.call.end_reason) == ("no_agent", "leg_ended")


@pytest.mark.parametrize("outcome", ["busy", "no-answer", "failed"])
async def test_who_is_not_answered_hears_what_the_rung_says_and_nobody_pays(house: House, outcome: str) -> None:
    tara = await closed_shop(house)
    events = await house.call(tara, dial=outcome)
    _, leg = await calls_of(house, tara)
    assert told(events) == [PUT_THROUGH, CLOSED]
    assert (leg.call.status, leg.call.end_reason) == (CallStatus.NO_ANSWER, "nobody_answered")
    assert (await hold_of(house.database, tara, leg.call.id)).state is HoldState.RELEASED
    assert await charges(house.database, tara) == []


async def test_without_credit_for_the_leg_the_rung_speaks(house: House) -> None:
    tara = await closed_shop(house, credits=0)
    events = await house.call(tara)
    assert told(events) == [CLOSED]
    call, leg = await calls_of(house, tara)
    assert (call.call.route, leg.call.status, leg.call.end_reason) == ("after_hours", CallStatus.FAILED, "no_credit")
    assert not [event for event in events if event["event"] == "forwarded"]


async def test_who_names_nobody_for_a_reason_is_spoken_for(house: House) -> None:
    tara = await closed_shop(house, **forwarding(THEIRS, "no_agent"))
    assert told(await house.call(tara)) == [CLOSED]
    (call,) = await calls_of(house, tara)
    assert call.call.route == "after_hours"


@pytest.mark.parametrize("number", ["+4990012345678", "+881612345678", "12345", "", "own"])
async def test_a_number_that_must_not_be_rung_is_not(house: House, number: str) -> None:
    tara = await closed_shop(house)
    await say_in_version(house.database, tara, **{**NEVER, **forwarding(tara.number if number == "own" else number)})
    assert told(await house.call(tara)) == [CLOSED]
    assert len(await calls_of(house, tara)) == 1


async def test_a_suspended_account_rings_nobody(house: House) -> None:
    tara = await closed_shop(house, **forwarding(THEIRS, "after_hours", "suspended", "blocked", "no_agent"))
    async with house.database.transaction(everyone=WHY) as db:
        await db.execute(text("UPDATE users SET status = 'SUSPENDED' WHERE id = :user"), {"user": tara.id})
        await money.block(db, tara.id, "suspended")
    events = await house.call(tara)
    assert not [event for event in events if event["event"] == "forwarded"]
    assert await charges(house.database, tara) == []


async def test_a_ring_that_comes_twenty_times_at_once_rings_one_person_once(house: House) -> None:
    tara = await closed_shop(house)
    events = await house.call(tara, dial_seconds=1, faults=Faults(rings=20, rings_parallel=True, report_copies=3))
    assert next(event for event in events if event["event"] == "ring_repeated")["same"]
    _, leg = await calls_of(house, tara)
    assert leg.call.seconds == 1
    assert await charges(house.database, tara) == [-1]


async def test_a_ring_that_comes_again_after_the_person_was_rung_gets_a_hang_up(house: House) -> None:
    tara, sid = await closed_shop(house), new_sid()
    first = await post(house, "ring", ring_fields(house, tara, sid))
    again = await post(house, "ring", ring_fields(house, tara, sid))
    assert first.content == again.content and THEIRS.encode() in first.content
    async with house.database.transaction(user=tara.id) as db:
        leg = await db.scalar(text("SELECT id FROM calls WHERE parent_id IS NOT NULL"))
    # The phone company has no such call: nobody was ever rung.
    await pass_time(house.database, leg, 30)
    await sweeps(house)
    assert (await record_of(house.database, tara, leg)).call.end_reason == "never_dialled"
    assert (await account_of(house.database, tara)).held == 0
    late = await post(house, "ring", ring_fields(house, tara, sid))
    assert b"<Reject" in late.content and THEIRS.encode() not in late.content


async def test_a_caller_who_gives_up_while_it_rings_costs_nothing(house: House) -> None:
    tara = await closed_shop(house)
    events = await house.call(tara, dial_ring_seconds=20, seconds_max=4, words_per_second=50)
    assert [event for event in events if event["event"] == "forwarded"]
    _, leg = await calls_of(house, tara)
    assert leg.call.status is CallStatus.NO_ANSWER
    assert await charges(house.database, tara) == []


async def test_a_caller_who_gives_up_before_that_leaves_nothing_held(house: House) -> None:
    tara = await closed_shop(house)
    events = await house.call(tara, seconds_max=1)
    assert not [event for event in events if event["event"] == "forwarded"]
    async with house.database.transaction(user=tara.id) as db:
        leg = await db.scalar(text("SELECT id FROM calls WHERE parent_id IS NOT NULL"))
    assert (await account_of(house.database, tara)).held == 60
    await pass_time(house.database, leg, 21)
    await sweeps(house)
    assert (await record_of(house.database, tara, leg)).call.end_reason == "never_dialled"
    account = await account_of(house.database, tara)
    assert (account.held, account.open_calls) == (0, 0)


async def test_when_all_lines_are_taken_calls_go_to_the_person_as_many_again_and_no_more(house: House) -> None:
    tara = await customer(house.database)
    await say_in_version(house.database, tara, **forwarding())
    async with house.database.transaction(everyone=WHY) as db:
        await money.set_limits(db, tara.id, max_open_calls=1)
    answers = [await post(house, "ring", ring_fields(house, tara, new_sid())) for _ in range(4)]
    kinds = [next(verb for verb in (b"<Stream", b"<Dial", b"<Say") if verb in answer.content) for answer in answers]
    assert kinds == [b"<Stream", b"<Dial", b"<Say", b"<Say"]
    account = await account_of(house.database, tara)
    assert (account.open_calls, account.max_open_calls) == (2, 1)


async def test_the_leg_of_a_rung_is_begun_at_its_ring_or_never(house: House) -> None:
    tara, sid = await closed_shop(house, **forwarding(THEIRS, "no_agent")), new_sid()
    assert CLOSED.encode() in (await post(house, "ring", ring_fields(house, tara, sid))).content
    await say_in_version(house.database, tara, **{**NEVER, **forwarding()})
    assert CLOSED.encode() in (await post(house, "ring", ring_fields(house, tara, sid))).content


@dataclass(eq=False)
class NoHead:
    """A model that is down."""

    name: str = "no head"
    thoughts: Sequence[str] = ()

    async def prepare(self, brief: Brief) -> None:
        pass

    async def reply(
        self, brief: Brief, moment: Moment, messages: Sequence[Message], tools: Sequence[Tool]
    ) -> AsyncIterator[Words | CallTool]:
        for said in self.thoughts:
            yield Words(said)
        raise ProviderError("no model today")


@pytest.fixture(scope="module")
async def headless(
    new_database_url: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[House]:
    ears, home = Scripted(), Path(tmp_path_factory.mktemp("headless"))
    async with open_house(new_database_url(), home, trio=Trio(ears, NoHead(), Tones()), ears=ears) as house:
        yield house
        await assert_books_are_right(house.database)


@pytest.mark.parametrize("named", [True, False], ids=["somebody stands in", "nobody does"])
async def test_where_no_model_answers_somebody_stands_in_and_the_agents_part_is_free(
    headless: House, named: bool
) -> None:
    tara = await customer(headless.database)
    await say_in_version(headless.database, tara, **(forwarding(THEIRS, "ai_down") if named else {}))
    headless.ears.words[:] = ["hello", "hello again"]
    steps = (WaitForAgent(), say("hello"), WaitForAgent(), say("hello again"), Stay())
    events = await headless.call(tara, *steps, dial_seconds=2, seconds_max=30)
    agents, *legs = await calls_of(headless, tara)
    assert (agents.call.status, agents.call.end_reason) == (CallStatus.FAILED, "ai_down")
    last = agents.turns[-1].text
    if named:
        (leg,) = legs
        assert (leg.call.parent_id, leg.call.dialled, leg.call.seconds) == (agents.call.id, THEIRS, 2)
        assert told(events) == [PUT_THROUGH]
        assert last == "I am sorry, I am having technical trouble."
        assert await charges(headless.database, tara) == [-2]
    else:
        assert legs == [] and last.endswith("Please call again later. Goodbye.")
        assert await charges(headless.database, tara) == []
