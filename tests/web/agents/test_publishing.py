"""Publishing what one saw, throwing a draft away, what was published before, and going back."""

import uuid

import pytest
from sqlalchemy import func, select

from talktime.agents import reading
from talktime.agents.models import AgentVersion
from talktime.db.session import Database
from tests.agents.writing import draft_of, new_agent, publish_draft, publish_greeting, write
from tests.people import Person
from tests.web.agents.pages import Editing
from tests.web.conftest import Browser
from tests.web.test_pages import words_of


async def answering(database: Database, alice: Person, agent: uuid.UUID) -> int | None:
    """The version that answers."""
    async with database.transaction(user=alice.id) as db:
        return (await reading.agent_of(db, alice.id, agent)).published_version


async def versions(database: Database, agent: uuid.UUID, alice: Person) -> int:
    async with database.transaction(user=alice.id) as db:
        count = select(func.count()).select_from(AgentVersion).where(AgentVersion.agent_id == agent)
        return await db.scalar(count) or 0


async def test_the_first_version_is_looked_through_and_published(
    editing: Editing, database: Database, alice: Person
) -> None:
    page = words_of(await editing.page("/publish"))
    assert "This will be its first version" in page and "Hello, Wonderland Tea." in page
    sent = await editing.send("/publish", await editing.fields("/publish"))
    assert sent.headers["location"] == f"{editing.address}/versions?version=1&done=published"
    assert await answering(database, alice, editing.agent) == 1
    said = (await editing.browser.get(sent.headers["location"])).text
    assert "Version 1 is published. Calls that ring from now on get it." in said


async def test_what_changes_for_callers_is_said_in_words_first(
    editing: Editing, published: uuid.UUID, database: Database, alice: Person
) -> None:
    await write(
        database, alice, published, instructions="Take orders for tea.\nBe kind.", answers_after_hours=True,
        hours={"week": {"tuesday": [["09:00", "12:00"], ["13:00", "00:00"]]}, "special": {}}, tools=["take_message"],
        people=[{"name": "the workshop", "number": "+442079460958"}], turn_settings={}, call_seconds_max=90,
        knowledge=[{"key": "cake", "questions": ["cake"], "answer": "Never."}], language="de",
        fallback_forwards={"after_hours": "+442079460958"},
    )  # fmt: skip
    page = await editing.page("/publish")
    words = words_of(page)
    assert "What changes for callers" in words and "Compared with version 1, which answers now." in words
    for said in (
        "Instructions changed Take orders for tea. taken out: Be quick. new: Be kind.",
        "Language it speaks changed taken out: English new: German",
        "Monday changed taken out: 09:00–18:00 new: closed",
        "Tuesday changed taken out: closed new: 09:00–12:00, 13:00–00:00",
        "Friday, 25 December 2026 taken out taken out: closed",
        "Answers after hours changed taken out: no new: yes",
        "Answer: parking taken out taken out: where can i park taken out: Behind the house.",
        "Answer: cake changed",
        "What it may do new new: takes messages",
        "People it puts callers through to new new: the workshop: +44 20 7946 0958",
        "Asks whether somebody is still there after taken out taken out: 9 seconds",
        "Who is rung instead: You are closed new new: +44 20 7946 0958",
        "Longest call changed taken out: 10 minutes new: 90 seconds",
    ):
        assert said in words, said


async def test_what_is_published_twice_is_published_once(editing: Editing, database: Database, alice: Person) -> None:
    fields = await editing.fields("/publish")
    for _ in range(2):
        sent = await editing.send("/publish", fields)
    assert sent.status_code == 412, "it is another draft since"
    assert await versions(database, editing.agent, alice) == 1
    again = await editing.send("/publish", {"revision": str((await draft_of(database, alice, editing.agent)).revision)})
    assert again.headers["location"].endswith("/versions?done=nothing")
    assert "Nothing had to be published" in (await editing.browser.get(again.headers["location"])).text
    assert await versions(database, editing.agent, alice) == 1


@pytest.mark.parametrize("place", ["/publish", "/discard"])
async def test_nobody_publishes_or_discards_what_somebody_else_wrote_a_moment_ago(
    editing: Editing, published: uuid.UUID, database: Database, alice: Person, place: str
) -> None:
    await write(database, alice, published, tone="Mine.")
    fields = await editing.fields("/publish")
    await write(database, alice, published, tone="Theirs.")
    sent = await editing.send(place, fields)
    assert sent.status_code == 412
    assert "Somebody changed the draft since you looked at it." in sent.text and "Theirs." in sent.text
    assert (await draft_of(database, alice, published)).content.tone == "Theirs."
    assert await answering(database, alice, published) == 1


async def test_a_form_that_looked_at_no_draft_publishes_nothing(
    editing: Editing, database: Database, alice: Person
) -> None:
    assert (await editing.send("/publish", {})).status_code == 412
    assert await answering(database, alice, editing.agent) is None


async def test_what_is_not_whole_is_not_published_and_says_why(
    as_alice: Browser, database: Database, alice: Person
) -> None:
    agent = await new_agent(database, alice)
    await write(database, alice, agent, greeting="")
    editing = Editing(as_alice, agent)
    page = await editing.page("/publish")
    assert f'action="{editing.address}/publish"' not in page, "there is nothing to press"
    revision = (await draft_of(database, alice, agent)).revision
    sent = await editing.send("/publish", {"revision": str(revision)})
    assert sent.status_code == 422
    assert "Write what the agent says when it answers." in sent.text
    assert await answering(database, alice, agent) is None


async def test_a_draft_is_thrown_away(
    editing: Editing, published: uuid.UUID, database: Database, alice: Person
) -> None:
    await write(database, alice, published, tone="Never mind.")
    sent = await editing.send("/discard", {"revision": (await editing.fields("/publish"))["revision"]})
    assert sent.headers["location"] == f"{editing.address}?done=discarded"
    assert not (await draft_of(database, alice, published)).is_open
    assert "The draft is thrown away." in await editing.page("?done=discarded")


async def test_the_timeline_says_who_when_and_what(
    editing: Editing, published: uuid.UUID, database: Database, alice: Person
) -> None:
    await publish_greeting(database, alice, published, "Good morning.")
    page = words_of(await editing.page("/versions"))
    assert "Version 2" in page and "answers now by you Changed: Greeting" in page
    assert "Version 1" in page and "The first that was published." in page and "today, " in page
    shown = words_of(await editing.page("/versions/1"))
    assert "Hello, Wonderland Tea." in shown and "Monday: 09:00–18:00" in shown and "10 minutes" in shown


async def test_many_versions_are_paged(
    editing: Editing, published: uuid.UUID, database: Database, alice: Person
) -> None:
    for number in range(2, 13):
        await publish_greeting(database, alice, published, f"Hello, the {number}th.")
    first, second = await editing.page("/versions"), await editing.page("/versions?before=3")
    assert first.count('class="moment"') == 10 and 'rel="next"' in first
    assert second.count('class="moment"') == 2 and 'rel="next"' not in second
    assert "The first that was published." in second and "Changed: Greeting" in words_of(second)


async def test_any_two_are_compared_from_the_older_to_the_newer(
    editing: Editing, published: uuid.UUID, database: Database, alice: Person
) -> None:
    await publish_greeting(database, alice, published, "Good morning.")
    await write(database, alice, published, greeting="Good evening.")
    for place in ("/versions/1?with=2", "/versions/2?with=1"):
        page = words_of(await editing.page(place))
        assert "From version 1 to version 2" in page and "new: Good morning." in page
    page = words_of(await editing.page("/versions/2?with=draft"))
    assert "From version 2 to the draft" in page and "new: Good evening." in page
    await write(database, alice, published, greeting="Good morning.")
    assert "They say the same." in await editing.page("/versions/2?with=draft")


@pytest.mark.parametrize(
    "place", ["/versions/3", "/versions/0", "/versions/1?with=9", "/versions/1?with=x", "/versions/99999999999"]
)
async def test_a_version_that_there_is_not_is_not_there(editing: Editing, published: uuid.UUID, place: str) -> None:
    assert (await editing.browser.get(f"/agents/{published}{place}")).status_code == 404


async def test_going_back_makes_a_new_version_and_can_be_undone(
    editing: Editing, published: uuid.UUID, database: Database, alice: Person
) -> None:
    await publish_greeting(database, alice, published, "Good morning.")
    sent = await editing.send("/versions/1/roll-back", await editing.fields("/versions/1", "/versions/1/roll-back"))
    assert sent.status_code == 303 and await answering(database, alice, published) == 3
    page = (await editing.browser.get(sent.headers["location"])).text
    assert "Went back to version 1." in page and 'class="toast"' in page
    undo = f"{editing.address}/versions/2/roll-back"
    assert f'action="{undo}"' in page
    assert (await editing.browser.post(undo, data={"draft": "keep"})).status_code == 303
    assert await answering(database, alice, published) == 4
    assert "Good morning." in await editing.page("/versions/4")
    # The address says it once more, but there is another version since.
    assert 'class="toast"' not in (await editing.browser.get(sent.headers["location"])).text


async def test_going_back_to_what_answers_already_changes_nothing(
    editing: Editing, published: uuid.UUID, database: Database, alice: Person
) -> None:
    sent = await editing.send("/versions/1/roll-back")
    assert sent.headers["location"].endswith("?done=nothing")
    assert await versions(database, published, alice) == 1


async def test_while_somebody_writes_a_draft_it_is_said_what_becomes_of_it(
    editing: Editing, published: uuid.UUID, database: Database, alice: Person
) -> None:
    await publish_greeting(database, alice, published, "Good morning.")
    await write(database, alice, published, tone="Being written.")
    sent = await editing.send("/versions/1/roll-back", {})
    assert sent.status_code == 409
    assert "Somebody is writing a draft. Choose what becomes of it." in sent.text
    assert await answering(database, alice, published) == 2
    fields = await editing.fields("/versions/1", "/versions/1/roll-back")
    assert fields["draft"] == "keep"
    assert (await editing.send("/versions/1/roll-back", fields)).status_code == 303
    assert (await draft_of(database, alice, published)).content.tone == "Being written."
    assert (await editing.send("/versions/2/roll-back", {"draft": "discard"})).status_code == 303
    assert not (await draft_of(database, alice, published)).is_open


@pytest.mark.parametrize("done", ["done=published&version=<b>", "done=rolled-back&version=1&instead=x", "done=%3Cb%3E"])
async def test_what_was_done_is_one_of_our_own_sentences(editing: Editing, published: uuid.UUID, done: str) -> None:
    page = await editing.page(f"/versions?{done}")
    assert "<b>." not in page and "instead" not in page


async def test_the_prompt_is_shown_to_the_letter_with_its_length(
    editing: Editing, database: Database, alice: Person
) -> None:
    await write(database, alice, editing.agent, instructions="Say <b>hello</b> & more.")
    page = await editing.page("/prompt")
    assert "# Who you are" in page and "Say &lt;b&gt;hello&lt;/b&gt; &amp; more." in page
    assert " characters, " in page and " words" in page
    assert "Nothing is published yet." in await editing.page("/prompt?which=published")
    await publish_draft(database, alice, editing.agent)
    assert "# Who you are" in await editing.page("/prompt?which=published")
    assert (await editing.browser.get(f"{editing.address}/prompt?which=mine")).status_code == 404
