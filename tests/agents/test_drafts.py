"""Drafts save themselves, a field at a time; two who write at once learn of each other; nothing is half-written."""

import asyncio
import uuid
from typing import Any

import pytest
from sqlalchemy import select

from talktime.accounts.models import AuditEntry
from talktime.agents import drafts, life, limits, publish
from talktime.agents.drafts import DraftChanged
from talktime.agents.problems import UnfitAgent
from talktime.agents.reading import ArchivedAgent, NoSuchAgent
from talktime.db.session import Database
from tests.agents.writing import WHOLE, draft_of, new_agent, publish_draft, publish_greeting, write
from tests.people import Person


async def test_a_new_agent_has_a_draft_that_says_who_speaks(database: Database, alice: Person) -> None:
    agent = await new_agent(database, alice)
    draft = await draft_of(database, alice, agent)
    assert (draft.revision, draft.is_open, draft.based_on) == (1, True, None)
    assert draft.content.greeting.startswith("Hello, this is Wonderland Tea. You are talking to an assistant")
    german = await draft_of(database, alice, await new_agent(database, alice, language="de-AT"))
    assert german.content.greeting.startswith("Guten Tag, hier ist Wonderland Tea. Sie sprechen mit einem Assistenten")


async def test_a_save_changes_only_the_fields_that_are_sent(database: Database, alice: Person) -> None:
    agent = await new_agent(database, alice)
    before = await draft_of(database, alice, agent)
    saved = await write(database, alice, agent, revision=1, tone="Warm.")
    assert (saved.revision, saved.saved_by) == (2, alice.id)
    assert saved.content.to_json() == before.content.to_json() | {"tone": "Warm."}
    assert await draft_of(database, alice, agent) == saved


async def test_every_field_is_kept_as_it_was_written(database: Database, alice: Person) -> None:
    agent = await new_agent(database, alice)
    saved = await write(database, alice, agent, **WHOLE)
    written = saved.content.to_json()
    hours = written.pop("hours")
    assert hours["week"]["monday"] == [["09:00", "18:00"]] and hours["special"] == {"2026-12-25": []}
    assert written.items() >= {name: value for name, value in WHOLE.items() if name != "hours"}.items()
    assert (await draft_of(database, alice, agent)).content == saved.content


async def test_the_second_of_two_who_write_at_once_is_told_what_the_first_one_changed(
    database: Database, alice: Person
) -> None:
    agent = await new_agent(database, alice)
    await write(database, alice, agent, revision=1, greeting="Hi.", tone="Loud.")
    await write(database, alice, agent, revision=2, tone="Soft.")
    with pytest.raises(DraftChanged, match=r"greeting, tone.*revision 3") as refused:
        await write(database, alice, agent, revision=1, greeting="Good day.")
    assert refused.value.changed == {"greeting": "Hi.", "tone": "Soft."}
    assert refused.value.fields == {"greeting": 'It is now "Hi.".', "tone": 'It is now "Soft.".'}
    assert refused.value.current.revision == 3
    with pytest.raises(DraftChanged) as refused:
        await write(database, alice, agent, revision=2, greeting="Good day.")
    assert refused.value.changed == {"tone": "Soft."}, "what was there when they read it is no news"
    assert (await draft_of(database, alice, agent)).content.greeting == "Hi."
    assert (await write(database, alice, agent, revision=3, greeting="Good day.")).revision == 4


async def test_of_many_saves_from_one_revision_at_the_same_moment_one_is_taken(
    database: Database, alice: Person
) -> None:
    agent = await new_agent(database, alice)
    tries = [write(database, alice, agent, revision=1, tone=f"Tone {number}.") for number in range(12)]
    answers = await asyncio.gather(*tries, return_exceptions=True)
    taken = [answer for answer in answers if not isinstance(answer, DraftChanged)]
    assert len(taken) == 1 and not isinstance(taken[0], BaseException)
    assert (await draft_of(database, alice, agent)) == taken[0]


async def test_a_save_whose_answer_was_lost_may_come_again(database: Database, alice: Person) -> None:
    agent = await new_agent(database, alice)
    saved = await write(database, alice, agent, revision=1, tone="Warm.")
    assert await write(database, alice, agent, revision=1, tone="Warm.") == saved
    assert await write(database, alice, agent, revision=2) == saved


async def test_a_draft_begins_from_what_is_published_and_is_gone_when_it_is_published(
    database: Database, alice: Person
) -> None:
    agent = await new_agent(database, alice)
    assert await publish_greeting(database, alice, agent, "First.") == 1
    none = await draft_of(database, alice, agent)
    assert (none.is_open, none.content.greeting, none.saved_by, none.saved_at) == (False, "First.", None, None)
    begun = await write(database, alice, agent, revision=none.revision, tone="Warm.")
    assert (begun.is_open, begun.based_on, begun.content.greeting) == (True, 1, "First.")


@pytest.mark.parametrize("how", ["published", "discarded", "rolled back"])
async def test_who_still_writes_a_draft_that_is_gone_is_told_so(database: Database, alice: Person, how: str) -> None:
    agent = await new_agent(database, alice)
    await publish_greeting(database, alice, agent, "First.")
    await publish_greeting(database, alice, agent, "Second.")
    mine = await write(database, alice, agent, tone="Warm.")
    async with database.transaction(user=alice.id) as db:
        if how == "published":
            await publish.publish_draft(db, alice.id, agent, revision=None)
        elif how == "discarded":
            await drafts.discard(db, alice.id, agent, revision=mine.revision)
        else:
            await publish.roll_back(db, alice.id, agent, 1, open_draft=publish.OpenDraft.DISCARD)
    with pytest.raises(DraftChanged, match="published or discarded") as refused:
        await write(database, alice, agent, revision=mine.revision, greeting="Third.")
    assert refused.value.changed is None
    # And also when somebody has begun another one meanwhile, whatever its number.
    other = await write(database, alice, agent, facts="Here.")
    with pytest.raises(DraftChanged) as refused:
        await write(database, alice, agent, revision=mine.revision, greeting="Third.")
    assert refused.value.changed is None
    for never in (0, -1, other.revision + 1):
        with pytest.raises(DraftChanged):
            await write(database, alice, agent, revision=never, greeting="Third.")


async def test_who_saw_what_is_published_is_told_of_the_draft_that_somebody_began(
    database: Database, alice: Person
) -> None:
    agent = await new_agent(database, alice)
    await publish_greeting(database, alice, agent, "First.")
    seen = await draft_of(database, alice, agent)
    await write(database, alice, agent, revision=seen.revision, tone="Soft.")
    with pytest.raises(DraftChanged) as refused:
        await write(database, alice, agent, revision=seen.revision, greeting="Mine.")
    assert refused.value.changed == {"tone": "Soft."}


async def test_a_draft_that_is_thrown_away_leaves_what_is_published(database: Database, alice: Person) -> None:
    agent = await new_agent(database, alice)
    await publish_greeting(database, alice, agent, "First.")
    draft = await write(database, alice, agent, greeting="Second.")
    async with database.transaction(user=alice.id) as db:
        with pytest.raises(DraftChanged):
            await drafts.discard(db, alice.id, agent, revision=draft.revision - 1)
        gone = await drafts.discard(db, alice.id, agent, revision=draft.revision)
        assert (gone.is_open, gone.content.greeting) == (False, "First.")
        again = await drafts.discard(db, alice.id, agent, revision=gone.revision)
        assert again == gone
        acts = (await db.scalars(select(AuditEntry.act).where(AuditEntry.user_id == alice.id))).all()
    assert acts.count("agent.draft_discarded") == 1
    assert "agent.draft_saved" not in acts


async def test_an_agent_from_before_there_were_drafts_has_one_when_it_is_asked_for(
    database: Database, alice: Person
) -> None:
    draft = await draft_of(database, alice, alice.agent)
    assert (draft.revision, draft.is_open, draft.content.greeting) == (0, False, "Alice's shop, hello.")
    assert (draft.content.business, draft.content.tools) == ("Alice's shop", ("take_message",))
    tries = [write(database, alice, alice.agent, revision=0, tone=f"{number}") for number in range(5)]
    answers = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(not isinstance(answer, DraftChanged) for answer in answers) == 1
    assert await publish_draft(database, alice, alice.agent) == 2


async def test_hours_follow_the_zone(database: Database, alice: Person) -> None:
    agent = await new_agent(database, alice)
    await write(database, alice, agent, hours=WHOLE["hours"])
    moved = await write(database, alice, agent, zone="America/New_York")
    assert moved.content.hours is not None and moved.content.hours.zone == "America/New_York"
    assert (await write(database, alice, agent, hours=None)).content.hours is None


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"instructions": "x" * 200_000}, "instructions", "20,000"),
    ({"instructions": "ü" * 10_001}, "instructions", "20,000 bytes; these are 20,002"),
    ({"greeting": "x" * 2001}, "greeting", "2,000 characters; these are 2,001"),
    ({"greeting": 5}, "greeting", "text"),
    ({"greeting": "a\0b"}, "greeting", r"U\+0000"),
    ({"tone": "half \ud800 a character"}, "tone", r"U\+D800"),
    ({"business": "two\nlines"}, "business", "one line"),
    ({"language": "fr"}, "language", r"de \(German\), en \(English\)"),
    ({"language": "tlh"}, "language", "No voice"),
    ({"language": "de_AT"}, "language", "No voice"),
    ({"language": ["de"]}, "language", "No voice"),
    ({"zone": "Mars/Olympus"}, "zone", "Europe/Berlin"),
    ({"zone": "localtime"}, "zone", "Europe/Berlin"),
    ({"zone": 5}, "zone", "Europe/Berlin"),
    ({"voice": "x" * 101}, "voice", "100"),
    ({"hours": {"week": {"monday": [["18:00", "25:00"]]}}}, "hours", "25:00"),
    ({"hours": {"week": {"someday": []}}}, "hours", "not a day of the week"),
    ({"hours": {"zone": "Europe/Berlin", "week": {}}}, "hours", "own zone"),
    ({"hours": {"week": {}, "special": {"2026-02-30": []}}}, "hours", "not a date"),
    ({"hours": "always"}, "hours", "object"),
    ({"hours": {"week": {"monday": [["x" * 100_000, "18:00"]]}}}, "hours", "Monday: "),
    ({"answers_after_hours": "yes"}, "answers_after_hours", "true or false"),
    ({"call_seconds_max": 29}, "call_seconds_max", "from 30 to 14,400"),
    ({"call_seconds_max": 14_401}, "call_seconds_max", "from 30 to 14,400"),
    ({"call_seconds_max": True}, "call_seconds_max", "whole number"),
    ({"call_seconds_max": 60.5}, "call_seconds_max", "whole number"),
    ({"knowledge": [{"key": "k"}] * 201}, "knowledge", "at most 200 entries; these are 201"),
    ({"knowledge": [{"key": "k"}, {"key": "k"}]}, "knowledge.1.key", "two entries"),
    ({"knowledge": [{"key": "K!"}]}, "knowledge.0.key", "small letters"),
    ({"knowledge": [{"questions": [], "answer": ""}]}, "knowledge.0", "key"),
    ({"knowledge": [{"key": "k", "secret": 1}]}, "knowledge.0", "nothing else"),
    ({"knowledge": ["k"]}, "knowledge.0", "An entry"),
    ({"knowledge": [{"key": "k", "questions": ["?"] * 31}]}, "knowledge.0.questions", "at most 30"),
    ({"knowledge": [{"key": "k", "questions": ["x" * 301]}]}, "knowledge.0.questions.0", "300"),
    ({"knowledge": [{"key": "k", "answer": "x" * 2001}]}, "knowledge.0.answer", "2,000"),
    ({"knowledge": [{"key": f"k{n}", "answer": "x" * 2000} for n in range(76)]}, "knowledge", "150,000"),
    ({"phrases": ["x"] * 201}, "phrases", "at most 200"),
    ({"phrases": [5]}, "phrases.0", "text"),
    ({"tools": ["take_message", "launch"]}, "tools", "at most 1"),
    ({"tools": ["launch"]}, "tools.0", "take_message"),
    ({"tools": {"take_message": True}}, "tools", "list"),
    ({"turn_settings": {"patience": 1}}, "turn_settings", "patience"),
    ({"turn_settings": {"silence_seconds": 10**400}}, "turn_settings", "between 1 and 60"),
    ({"turn_settings": {"call_seconds_max": 60}}, "turn_settings", "call_seconds_max"),
    ({"fallback_texts": {"because": "x"}}, "fallback_texts.because", "no_credit"),
    ({"fallback_texts": {"debt": "x" * 501}}, "fallback_texts.debt", "500"),
    ({"fallback_texts": ["debt"]}, "fallback_texts", "object"),
    ({"colour": "red"}, "colour", "no such field"),
    ({"x" * 100_000: "red"}, "x" * 80, "no such field"),
]


@pytest.mark.parametrize(("sent", "field", "says"), BAD, ids=lambda value: str(value)[:40])
async def test_what_cannot_be_is_refused_by_name_with_what_to_do(
    database: Database, alice: Person, sent: dict[str, Any], field: str, says: str
) -> None:
    with pytest.raises(UnfitAgent, match=says) as refused:
        await write(database, alice, alice.agent, **{"tone": "This must not be kept.", **sent})
    assert list(refused.value.fields) == [field]
    assert len(str(refused.value)) < 1000
    assert (await draft_of(database, alice, alice.agent)).revision == 0, "nothing is half-written"


async def test_everything_that_is_wrong_is_said_at_once(database: Database, alice: Person) -> None:
    with pytest.raises(UnfitAgent) as refused:
        await write(database, alice, alice.agent, greeting="x" * 3000, language="fr", tone=1, tools=["x"])
    assert set(refused.value.fields) == {"greeting", "language", "tone", "tools.0"}
    entries = [{"key": "!", "questions": [1, 2], "answer": 5}] * 200
    with pytest.raises(UnfitAgent) as refused:
        await write(database, alice, alice.agent, knowledge=entries)
    assert len(refused.value.errors) == 50 and len(str(refused.value)) < 2000


async def test_the_limits_themselves_are_allowed(database: Database, alice: Person) -> None:
    knowledge = [{"key": f"k{n}", "questions": ["why"], "answer": "x" * 700} for n in range(limits.ENTRIES_MAX)]
    saved = await write(
        database,
        alice,
        alice.agent,
        instructions="x" * limits.INSTRUCTIONS_BYTES_MAX,
        greeting="x" * limits.GREETING_LENGTH_MAX,
        knowledge=knowledge,
        call_seconds_max=limits.CALL_SECONDS_MAX,
    )
    assert len(saved.content.knowledge) == 200


async def test_lines_end_as_they_should_wherever_they_come_from(database: Database, alice: Person) -> None:
    saved = await write(database, alice, alice.agent, instructions="one\r\ntwo\rthree\n")
    assert saved.content.instructions == "one\ntwo\nthree\n"


async def test_somebody_elses_draft_is_not_there(database: Database, alice: Person, bob: Person) -> None:
    for agent in (alice.agent, uuid.uuid4()):
        async with database.transaction(user=bob.id) as db:
            for attempt in (
                drafts.read(db, bob.id, agent),
                drafts.save(db, bob.id, agent, {"tone": "Bob's"}, revision=None),
                drafts.discard(db, bob.id, agent, revision=None),
                # Not even with her own id: the database shows him nothing of hers.
                drafts.read(db, alice.id, alice.agent),
                drafts.save(db, alice.id, alice.agent, {"tone": "Bob's"}, revision=None),
            ):
                with pytest.raises(NoSuchAgent):
                    await attempt
    assert (await draft_of(database, alice, alice.agent)).content.tone == ""


async def test_nothing_is_written_for_an_agent_that_was_archived(database: Database, alice: Person) -> None:
    async with database.transaction(user=alice.id) as db:
        await life.archive(db, alice.id, alice.agent)
    with pytest.raises(ArchivedAgent, match="restore it first"):
        await write(database, alice, alice.agent, tone="Warm.")
