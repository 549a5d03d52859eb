"""Somebody else changed this: two people at one draft, and neither loses a word."""

import pytest

from talktime.db.session import Database
from tests.agents.writing import draft_of, publish_draft, write
from tests.people import Person
from tests.web.agents.pages import Editing, fields_of
from tests.web.test_pages import words_of


async def test_two_at_different_fields_of_a_part_both_keep_what_they_wrote(
    editing: Editing, elsewhere: Editing, database: Database, alice: Person
) -> None:
    seen = await editing.fields("/says")
    assert (await elsewhere.save("/says", tone="Brief.")).status_code == 303
    assert (await editing.send("/says", {**seen, "greeting": "Good morning."})).status_code == 303
    said = (await draft_of(database, alice, editing.agent)).content
    assert (said.greeting, said.tone) == ("Good morning.", "Brief.")


async def test_two_who_write_the_same_do_not_notice(editing: Editing, elsewhere: Editing) -> None:
    seen = await editing.fields("/says")
    await elsewhere.save("/says", tone="Brief.")
    assert (await editing.send("/says", {**seen, "tone": "Brief."})).status_code == 303


async def test_of_two_at_one_field_the_later_sees_both_and_nothing_is_lost(
    editing: Editing, elsewhere: Editing, database: Database, alice: Person
) -> None:
    seen = await editing.fields("/says")
    await elsewhere.save("/says", tone="Theirs, at length.", greeting="Hello, theirs.")
    answer = await editing.send("/says", {**seen, "tone": "Mine.", "avoid": "Only mine."})
    assert answer.status_code == 409
    words = words_of(answer.text)
    assert "Somebody else changed this, too" in words
    assert "What you wrote Mine. What they wrote Theirs, at length." in words
    assert "Hello, theirs." not in words, "this was not touched here"
    assert (await draft_of(database, alice, editing.agent)).content.tone == "Theirs, at length."

    again = fields_of(answer.text, f"{editing.address}/says")
    assert again["avoid"] == "Only mine."
    assert (await editing.send("/says", again)).status_code == 303
    said = (await draft_of(database, alice, editing.agent)).content
    assert (said.greeting, said.tone, said.avoid) == ("Hello, theirs.", "Mine.", "Only mine.")


async def test_the_others_words_can_stay(
    editing: Editing, elsewhere: Editing, database: Database, alice: Person
) -> None:
    seen = await editing.fields("/says")
    await elsewhere.save("/says", tone="Theirs.")
    answer = await editing.send("/says", {**seen, "tone": "Mine.", "avoid": "Only mine."})
    again = fields_of(answer.text, f"{editing.address}/says") | {"keep-tone": "theirs"}
    assert (await editing.send("/says", again)).status_code == 303
    said = (await draft_of(database, alice, editing.agent)).content
    assert (said.tone, said.avoid) == ("Theirs.", "Only mine.")


async def test_who_chooses_while_it_changes_again_is_asked_again(
    editing: Editing, elsewhere: Editing, database: Database, alice: Person
) -> None:
    seen = await editing.fields("/says")
    await elsewhere.save("/says", tone="Theirs.")
    answer = await editing.send("/says", {**seen, "tone": "Mine."})
    again = fields_of(answer.text, f"{editing.address}/says")
    await elsewhere.save("/says", tone="Theirs, once more.")
    answer = await editing.send("/says", again)
    assert answer.status_code == 409 and "Theirs, once more." in answer.text
    assert (await draft_of(database, alice, editing.agent)).content.tone == "Theirs, once more."


async def test_a_draft_that_was_published_meanwhile_takes_what_is_written_on_top(
    editing: Editing, database: Database, alice: Person
) -> None:
    seen = await editing.fields("/says")
    await publish_draft(database, alice, editing.agent)
    assert (await editing.send("/says", {**seen, "tone": "Mine."})).status_code == 303
    now = await draft_of(database, alice, editing.agent)
    assert now.is_open and now.content.tone == "Mine." and now.based_on == 1


async def test_a_draft_that_was_published_with_other_words_is_contested(
    editing: Editing, database: Database, alice: Person
) -> None:
    seen = await editing.fields("/says")
    await write(database, alice, editing.agent, tone="Published.")
    await publish_draft(database, alice, editing.agent)
    answer = await editing.send("/says", {**seen, "tone": "Mine."})
    assert answer.status_code == 409 and "Published." in answer.text


@pytest.mark.parametrize("revision", ["", "x", "9" * 30, "-1"])
async def test_a_form_that_says_nothing_sensible_of_what_it_saw_is_saved_as_it_is(
    editing: Editing, database: Database, alice: Person, revision: str
) -> None:
    seen = await editing.fields("/says")
    assert (await editing.send("/says", {**seen, "tone": "Mine.", "revision": revision})).status_code == 303
    assert (await draft_of(database, alice, editing.agent)).content.tone == "Mine."


async def test_sent_twice_it_is_saved_once(editing: Editing, database: Database, alice: Person) -> None:
    seen = await editing.fields("/says")
    for _ in range(2):
        assert (await editing.send("/says", {**seen, "tone": "Mine."})).status_code == 303
    assert (await draft_of(database, alice, editing.agent)).revision == int(seen["revision"]) + 1
