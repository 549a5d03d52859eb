"""A number calls itself, and says which link of the chain is broken."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from talktime.accounts.throttle import TooManyTries
from talktime.carriers.numbers import Numbers
from talktime.numbers import pool, self_test
from talktime.numbers.rounds import all_numbers
from talktime.numbers.rows import NoSuchNumber, NotAssigned
from talktime.numbers.self_test import Link, NoWayToCall, SelfTest
from talktime.simulate.orders import NumberFault
from tests.house import House, open_house
from tests.people import WHY, Person, new_person


@pytest.fixture(scope="module")
async def house(new_database_url: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    home = Path(tmp_path_factory.mktemp("house"))
    async with open_house(new_database_url(), home) as house:
        yield house


@pytest.fixture
async def alice(house: House) -> Person:
    """With a number of the pool that rings at the house, told so by the house itself."""
    person = await new_person(house.database, "Alice", credits=100)
    async with house.database.transaction(everyone=WHY) as db:
        await db.execute(text("DELETE FROM throttles"))
        taken = await db.scalar(text("SELECT count(*) FROM phone_numbers"))
        number = f"+4420794{taken + 60000:05d}"
        owned = house.carrier.numbers.put(number)
        await pool.add(db, number, carrier="simulated", carrier_number_id=owned.sid)
        await pool.assign(db, number, user=person.id, agent=person.agent)
    person = Person(person.id, person.agent, number, person.rate)
    await house.until(lambda: bool(owned.voice_url))
    return person


async def run(house: House, person: Person, *, seconds_max: float = 12) -> SelfTest:
    numbers: dict[str, Numbers] = all_numbers(house.context.carriers)
    return await self_test.run(
        house.database, numbers, person.number, secret=b"s" * 32, user=person.id, seconds_max=seconds_max
    )


async def test_a_chain_that_holds_is_passed_link_by_link(house: House, alice: Person) -> None:
    done = await run(house, alice)
    assert (list(done.passed), done.broken, done.detail) == (list(Link), None, "")
    async with house.database.transaction(user=alice.id) as db:
        call = (await db.execute(text("SELECT id, caller, dialled FROM calls"))).one()
    assert (call.id, call.dialled) == (done.call_id, alice.number)


async def test_each_broken_link_is_named(house: House, alice: Person) -> None:
    books = house.carrier.numbers
    books.go_wrong(NumberFault(what="call", status=400))
    done = await run(house, alice)
    assert (done.broken, list(done.passed), done.call_id) == (Link.CARRIER, [], None)
    owned = books.by_number(alice.number)
    assert owned is not None
    right, owned.voice_url = owned.voice_url, "http://127.0.0.1:9/elsewhere"
    done = await run(house, alice)
    assert (done.broken, list(done.passed)) == (Link.RING, [Link.CARRIER])
    assert "PUBLIC_URL" in done.detail
    owned.voice_url = right
    async with house.database.transaction(everyone=WHY) as db:
        await db.execute(text("UPDATE agents SET active = false WHERE user_id = :user"), {"user": alice.id})
    done = await run(house, alice)
    assert (done.broken, list(done.passed)) == (Link.ANSWER, [Link.CARRIER, Link.RING])
    assert "no_agent" in done.detail
    assert done.call_id is not None


async def test_sound_that_never_comes_is_the_last_link(
    house: House, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_anything: object, **_more: object) -> None:
        await asyncio.sleep(30)

    monkeypatch.setattr("talktime.simulate.stream.Stream.open", never)
    done = await run(house, alice, seconds_max=4)
    assert (done.broken, list(done.passed)) == (Link.MEDIA, [Link.CARRIER, Link.RING, Link.ANSWER])


async def test_only_its_owner_tests_a_number_and_not_all_day(house: House, alice: Person) -> None:
    bob = await new_person(house.database, "Bob", credits=100)
    with pytest.raises(NoSuchNumber):
        await run(house, Person(bob.id, bob.agent, alice.number, bob.rate))
    house.carrier.numbers.go_wrong(NumberFault(what="call", status=400, times=3))
    for _ in range(3):
        await run(house, alice)
    with pytest.raises(TooManyTries):
        await run(house, alice)
    with pytest.raises(NoWayToCall):
        await self_test.run(house.database, {}, alice.number, secret=b"s" * 32)
    async with house.database.transaction(everyone=WHY) as db:
        await pool.release(db, alice.number)
    with pytest.raises(NotAssigned):
        await self_test.run(house.database, {}, alice.number, secret=b"s" * 32)
