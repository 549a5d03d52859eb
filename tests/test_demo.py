"""The demo's call with nothing but what the packages hold: espeak speaks, pocketsphinx hears, the rule book answers."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from sqlalchemy import select, update

from talktime.accounts.models import User
from talktime.agents.demo import PEOPLE
from talktime.agents.models import Agent
from talktime.cli.calling import steps_of_demo
from talktime.cli.demo import NUMBER, OPERATOR_EMAIL, ensure_demo
from talktime.credits.pricing import Rate
from talktime.numbers import pool
from talktime.numbers.models import PhoneNumber, PhoneStatus
from talktime.settings import Settings
from talktime.simulate.carrier import DEMO_FREE_NUMBERS, SimulatedCarrier
from talktime.simulate.orders import HangUp, WaitForAgent
from talktime.speech.choose import choose
from tests.calls.putting_through import settled
from tests.house import House, open_house
from tests.people import PER_MINUTE, Person, charges

PER_TEN_SECONDS = Rate(6, initial_seconds=10, increment_seconds=10)
"""What the demo's legs to a person cost."""


@pytest.fixture(scope="module")
async def demo_house(
    new_database_url: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[House]:
    home = Path(tmp_path_factory.mktemp("demo"))
    async with open_house(new_database_url(), home, trio=choose(Settings(home=home))) as house:
        yield house


async def test_the_demo_caller_is_understood_answered_and_charged(demo_house: House) -> None:
    demo = await ensure_demo(demo_house.database)
    customer = Person(demo.user_id, demo.user_id, NUMBER, PER_MINUTE)
    events = await demo_house.call(NUMBER, *steps_of_demo(), seconds_max=90)
    record = await demo_house.record(customer, events)
    forwarded = [event for event in events if event["event"] == "forwarded"]
    assert [event["number"] for event in forwarded] == [PEOPLE[0].number]
    said = [turn.text for turn in record.turns if turn.speaker.value == "AGENT"]
    assert any("nine" in text and "six" in text for text in said), said
    assert any("forty five pounds" in text for text in said), said
    assert record.call.end_reason == "transferred"
    answers = [turn for turn in record.turns if turn.latency]
    assert len(answers) == 5
    assert {source for turn in record.turns for source in turn.sources} >= {"checkup_price", "parking"}
    assert record.receipt is not None
    assert record.receipt.charged == PER_MINUTE.cost(record.receipt.seconds)
    (leg,) = record.receipt.legs
    person = await settled(demo_house.database, customer, leg)
    assert person.receipt is not None and person.call.dialled == PEOPLE[0].number
    assert person.receipt.charged == PER_TEN_SECONDS.cost(person.receipt.seconds) > 0
    assert await charges(demo_house.database, customer) == [-record.receipt.charged, -person.receipt.charged]


async def test_the_demo_is_made_once(demo_house: House) -> None:
    first = await ensure_demo(demo_house.database)
    assert await ensure_demo(demo_house.database) == first


async def test_a_demo_has_free_numbers_to_choose_from_and_an_older_one_gets_them_once(demo_house: House) -> None:
    database = demo_house.database
    await ensure_demo(database)
    given_up, missing, *rest = DEMO_FREE_NUMBERS
    async with database.transaction(everyone="a demo from before there were any") as db:
        operator = await db.scalar(select(User.id).where(User.email == OPERATOR_EMAIL))
        assert operator is not None
        await pool.give_up(db, given_up, actor=operator)
        await db.execute(update(PhoneNumber).where(PhoneNumber.number == missing).values(number="+442079460999"))
    await ensure_demo(database)
    await ensure_demo(database)
    async with database.transaction(everyone="the pool is looked at") as db:
        found = await db.execute(select(PhoneNumber.number, PhoneNumber.status, PhoneNumber.carrier))
        pool_now = {number: (status, carrier) for number, status, carrier in found}
    assert pool_now[given_up] == (PhoneStatus.RETURNED, "simulated"), "an operator who gave it up is not overruled"
    assert [pool_now[number] for number in (missing, *rest)] == [(PhoneStatus.AVAILABLE, "simulated")] * 5


async def test_a_free_number_of_the_demo_rings_once_somebody_has_it(demo_house: House) -> None:
    demo = await ensure_demo(demo_house.database)
    number = DEMO_FREE_NUMBERS[-1]
    async with demo_house.database.transaction(everyone="the demo's customer gets another number") as db:
        agent = await db.scalar(select(Agent.id).where(Agent.user_id == demo.user_id))
        assert agent is not None
        await pool.assign(db, number, user=demo.user_id, agent=agent)
    assert demo_house.carrier.numbers.by_number(number) is not None, "the phone company has it for us"
    customer = Person(demo.user_id, agent, number, PER_MINUTE)
    events = await demo_house.call(number, WaitForAgent(), HangUp(), seconds_max=30)
    record = await demo_house.record(customer, events)
    assert record.call.dialled == number and record.call.answered_at is not None


def test_the_phone_company_of_an_older_demo_gets_the_free_numbers_too(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    books = SimulatedCarrier.of(settings).numbers
    for number in DEMO_FREE_NUMBERS:
        books.drop(number)
    books.put("+442079460001")
    again = SimulatedCarrier.of(settings).numbers
    assert [each.number for each in again.all()] == [NUMBER, "+442079460001", *DEMO_FREE_NUMBERS]
    again.drop(DEMO_FREE_NUMBERS[0])
    assert SimulatedCarrier.of(settings).numbers.by_number(DEMO_FREE_NUMBERS[0]) is None, "what was given back stays so"
