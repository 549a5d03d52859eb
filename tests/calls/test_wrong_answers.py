"""“This answer was wrong”: noted beside a turn by its owner, changed, taken back, done with; gone with the turn."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from talktime.calls import corrections, retention
from talktime.calls.corrections import NotTheAgents, WrongText
from talktime.calls.retention import Keep
from talktime.db.session import Database
from talktime.errors import NotFound
from tests.calls.calling import CALLER, called
from tests.people import Person, new_person

SAID = ("Hello.", "When do you close?", "At six.", "On Sundays?", "At six.")


@pytest.fixture
async def alice(empty_database: Database) -> Person:
    return await new_person(empty_database, "Alice", credits=1000)


async def texts(database: Database, person: Person, call: uuid.UUID) -> dict[int, str]:
    async with database.transaction(user=person.id) as db:
        return {no: each.text for no, each in (await corrections.of_call(db, person.id, call)).items()}


async def test_what_should_have_been_said_is_noted_changed_and_taken_back(
    empty_database: Database, alice: Person
) -> None:
    call = await called(empty_database, alice, *SAID)
    async with empty_database.transaction(user=alice.id) as db:
        first = await corrections.record(db, alice.id, call, 3, "  At seven. ")
    assert (first.text, first.agent_id, first.agent_version) == ("At seven.", alice.agent, 1)
    async with empty_database.transaction(user=alice.id) as db:
        again = await corrections.record(db, alice.id, call, 3, "At eight.")
        assert (again.text, again.created_at) == ("At eight.", first.created_at)
        assert again.updated_at > first.updated_at
        await corrections.record(db, alice.id, call, 5, "We are closed.")
    assert await texts(empty_database, alice, call) == {3: "At eight.", 5: "We are closed."}
    async with empty_database.transaction(user=alice.id) as db:
        await corrections.withdraw(db, alice.id, call, 3)
        with pytest.raises(NotFound):
            await corrections.withdraw(db, alice.id, call, 3)
    assert await texts(empty_database, alice, call) == {5: "We are closed."}


@pytest.mark.parametrize("wrong", ["", " \n ", "x" * 1001, "a\0b"])
async def test_a_note_has_words_and_not_too_many(empty_database: Database, alice: Person, wrong: str) -> None:
    call = await called(empty_database, alice, *SAID)
    async with empty_database.transaction(user=alice.id) as db:
        with pytest.raises(WrongText) as told:
            await corrections.record(db, alice.id, call, 3, wrong)
        assert told.value.field == "text"
        await corrections.record(db, alice.id, call, 3, "x" * 1000)


async def test_only_what_the_agent_said_can_be_wrong(empty_database: Database, alice: Person) -> None:
    call = await called(empty_database, alice, *SAID)
    async with empty_database.transaction(user=alice.id) as db:
        with pytest.raises(NotTheAgents):
            await corrections.record(db, alice.id, call, 2, "Nobody asks that.")
        with pytest.raises(NotFound):
            await corrections.record(db, alice.id, call, 9, "There is no such turn.")


async def test_an_agents_open_ones_come_page_by_page_and_one_that_is_done_with_is_none(
    empty_database: Database, alice: Person
) -> None:
    made = []
    for number in range(3):
        call = await called(empty_database, alice, *SAID)
        for turn in (3, 5):
            async with empty_database.transaction(user=alice.id) as db:
                await corrections.record(db, alice.id, call, turn, f"Better {number}.")
            made.append((call, turn))
    async with empty_database.transaction(user=alice.id) as db:
        found = await corrections.open_of_agent(db, alice.id, alice.agent, limit=4)
        rest = await corrections.open_of_agent(db, alice.id, alice.agent, limit=4, after=found[-1].place)
        assert [(each.call_id, each.turn_no) for each in [*found, *rest]] == made[::-1]
        assert (found[0].said, found[0].text, found[0].agent_version) == ("At six.", "Better 2.", 1)
        for _ in range(2):
            await corrections.settle(db, alice.id, *made[0])
        assert len(await corrections.open_of_agent(db, alice.id, alice.agent)) == 5
        assert await corrections.open_of_agent(db, alice.id, uuid.uuid4()) == []
    async with empty_database.transaction(user=alice.id) as db:
        await corrections.record(db, alice.id, *made[0], "Still wrong.")
        assert len(await corrections.open_of_agent(db, alice.id, alice.agent)) == 6


async def test_a_note_goes_with_what_was_said(empty_database: Database, alice: Person) -> None:
    old = await called(empty_database, alice, *SAID, at=datetime.now(UTC) - timedelta(days=20))
    new = await called(empty_database, alice, *SAID)
    async with empty_database.transaction(user=alice.id) as db:
        for call in (old, new):
            await corrections.record(db, alice.id, call, 3, f"Say {CALLER}.")
    await retention.forget_old(empty_database, Keep(turns_days=10))
    assert await texts(empty_database, alice, old) == {}
    async with empty_database.transaction(user=alice.id) as db:
        redact = "SELECT * FROM redact_calls_v1(:user, '00000000-0000-0000-0000-000000000000', 9, :number, 'them')"
        await db.execute(text(redact), {"user": alice.id, "number": f"[+]{CALLER[1:]}"})
    assert await texts(empty_database, alice, new) == {3: "Say them."}
    async with empty_database.transaction(user=alice.id) as db:
        forget = text("SELECT forget_calls_v1(:user, CAST(:calls AS uuid[]))")
        await db.execute(forget, {"user": alice.id, "calls": [new]})
    assert await texts(empty_database, alice, new) == {}


async def test_nobody_notes_reads_or_removes_anything_beside_somebody_elses_turn(
    empty_database: Database, alice: Person
) -> None:
    bob = await new_person(empty_database, "Bob", credits=100)
    call = await called(empty_database, alice, *SAID)
    async with empty_database.transaction(user=alice.id) as db:
        await corrections.record(db, alice.id, call, 3, "At seven.")
    for pretended in (bob.id, alice.id):
        async with empty_database.transaction(user=bob.id) as db:
            with pytest.raises(NotFound):
                await corrections.record(db, pretended, call, 3, "At nine.")
            with pytest.raises(NotFound):
                await corrections.withdraw(db, pretended, call, 3)
            with pytest.raises(NotFound):
                await corrections.settle(db, pretended, call, 3)
            assert await corrections.of_call(db, pretended, call) == {}
            assert await corrections.open_of_agent(db, pretended, alice.agent) == []
    assert await texts(empty_database, alice, call) == {3: "At seven."}
