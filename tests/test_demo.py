"""The demo's call with nothing but what the packages hold: espeak speaks, pocketsphinx hears, the rule book answers."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from talktime.agents.demo import PEOPLE
from talktime.cli.calling import steps_of_demo
from talktime.cli.demo import NUMBER, ensure_demo
from talktime.credits.pricing import Rate
from talktime.settings import Settings
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
