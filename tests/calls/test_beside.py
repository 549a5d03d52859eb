"""The calls beside one: as a list goes from its oldest to its newest and back, each once, nobody else's."""

import uuid
from datetime import timedelta

import pytest

from talktime.calls import beside, history, search
from talktime.calls.history import CallFilter, Place
from talktime.calls.search import CameTo, NothingToLookFor, filter_of
from talktime.db.session import Database
from tests.calls.calling import called
from tests.people import Person, new_person


@pytest.fixture
async def alice(database: Database) -> Person:
    return await new_person(database, "Alice", credits=100_000)


async def go(
    database: Database, person: Person, call: uuid.UUID, which: CallFilter | None = None, words: str = ""
) -> tuple[uuid.UUID | None, uuid.UUID | None]:
    async with database.transaction(user=person.id) as db:
        record = (await history.one(db, person.id, call)).call
        return await beside.beside(db, person.id, Place(record.started_at, record.id), which, words=words)


async def walk(
    database: Database, person: Person, begin: uuid.UUID, which: CallFilter | None = None, words: str = ""
) -> list[uuid.UUID]:
    """From a call to the newest one."""
    found, here = [begin], begin
    while (after := (await go(database, person, here, which, words))[0]) is not None:
        assert (await go(database, person, after, which, words))[1] == here, "and back again"
        found.append(here := after)
    return found


@pytest.mark.parametrize("words", ["", "ocean", "ocean deep", "oce"])
async def test_from_the_oldest_to_the_newest_and_back(database: Database, alice: Person, words: str) -> None:
    bob = await new_person(database, "Bob", credits=1000)
    wanted = []
    for number in range(7):
        wanted.append(await called(database, alice, "Hello.", f"The ocean is deep, {number}."))
        if words:
            await called(database, alice, "Hello.", "Something else.")
        await called(database, bob, "Hello.", "The ocean is deep.")
    assert await walk(database, alice, wanted[0], words=words) == wanted


async def test_what_is_said_seldom_is_found_far_away(
    database: Database, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if many calls lay between: nothing is looked through one by one, and the index is asked a little at a time.
    monkeypatch.setattr(search, "LOOKED_THROUGH", 1)
    monkeypatch.setattr(beside, "_STRETCH", timedelta(microseconds=1))
    monkeypatch.setattr(beside, "_HITS", 1)
    first = await called(database, alice, "Hello.", "A zebra.")
    for _ in range(6):
        await called(database, alice, "Hello.", "A horse.")
    second = await called(database, alice, "Hello.", "A zebra and a horse.")
    for _ in range(3):
        await called(database, alice, "Hello.", "A horse.")
    third = await called(database, alice, "Hello.", "One more zebra.")
    await called(database, alice, "Hello.", "A horse.")
    assert await walk(database, alice, first, words="zebra") == [first, second, third]


async def test_a_filter_and_words_go_together(database: Database, alice: Person) -> None:
    calls = [
        await called(database, alice, "Hello.", said, reason=reason)
        for said, reason in (("Dogs.", "silence"), ("Dogs.", "lost"), ("Cats.", "silence"), ("Dogs.", "silence"))
    ]
    early = filter_of(came_to=CameTo.ENDED_EARLY)
    assert await go(database, alice, calls[0], early, "dogs") == (calls[1], None)
    assert await go(database, alice, calls[3], filter_of(came_to=CameTo.FAILED), "dogs") == (None, None)


@pytest.mark.parametrize("words", ["?", "x" * 201])
async def test_words_that_are_none_are_not_looked_for(database: Database, alice: Person, words: str) -> None:
    call = await called(database, alice, "Hello.")
    with pytest.raises(NothingToLookFor):
        await go(database, alice, call, words=words)
