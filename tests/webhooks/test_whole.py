"""A whole Talktime: somebody rings, and the customer's program hears of it, signed, from the worker in the process."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import orjson
import pytest

from talktime.simulate.receiver import Receiver
from talktime.webhooks import endpoints
from talktime.webhooks.endpoints import Keeping
from tests.house import TALK, House, open_house
from tests.people import new_person


@pytest.fixture
async def house(new_database_url: Callable[[], str], tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(new_database_url(), tmp_path, webhooks_to_private=True) as house:
        yield house


async def test_a_real_call_is_told_from_its_ring_to_its_end(house: House) -> None:
    house.ears.words[:] = ["hello"]
    alice = await new_person(house.database, "Alice", credits=1000)
    async with Receiver() as receiver:
        async with house.database.transaction(user=alice.id) as db:
            keeping = Keeping(house.settings.secret, to_private=True)
            _, receiver.secret = await endpoints.create(
                db, alice.id, keeping, url=receiver.url, events=["call.*", "credits.*"]
            )
        record = await house.record(alice, await house.call(alice, *TALK))
        async with asyncio.timeout(10):
            while len(receiver.genuine) < 3:
                await asyncio.sleep(0.05)
    said = [orjson.loads(each.body) for each in receiver.genuine]
    assert [each["type"] for each in said] == ["call.started", "call.answered", "call.ended"]
    assert [each["sequence"] for each in said] == [1, 2, 3]
    ended = said[-1]["data"]["call"]
    assert (ended["id"], ended["status"]) == (str(record.call.id), "COMPLETED")
    assert ended["seconds"] == record.call.seconds
