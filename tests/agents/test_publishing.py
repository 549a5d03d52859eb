"""What is published is whole, in one step, and never changed; an older version comes back as a newer one."""

import asyncio
import uuid
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, InvalidRequestError

from talktime.accounts.models import AuditEntry
from talktime.agents import content, drafts, life, limits, publish, reading, versions
from talktime.agents.content import Content
from talktime.agents.drafts import DraftChanged
from talktime.agents.models import Agent, AgentVersion
from talktime.agents.problems import UnfitAgent
from talktime.agents.publish import (
    AlreadyPublished,
    DraftIsOpen,
    NoSuchVersion,
    NothingToPublish,
    OpenDraft,
    TooManyVersions,
)
from talktime.agents.reading import ArchivedAgent, NoSuchAgent
from talktime.db.session import Database
from talktime.privacy.emptying import empty_agents
from talktime.webhooks.models import WebhookEndpoint
from tests.agents.writing import WHOLE, draft_of, new_agent, publish_draft, publish_greeting, write
from tests.db.everything import become_owner
from tests.people import WHY, Person

SHOP = Content(business="Alice's shop")
MOCK_TURTLE = {"name": "Mock Turtle", "number": "+4930901820"}


async def roll_back(database: Database, person: Person, agent: uuid.UUID, version_no: int, **how: Any) -> int:
    async with database.transaction(user=person.id) as db:
        return await publish.roll_back(db, person.id, agent, version_no, **how)


async def version_of(database: Database, person: Person, agent: uuid.UUID, number: int) -> tuple[Agent, AgentVersion]:
    async with database.transaction(user=person.id) as db:
        return await publish.read_version(db, person.id, agent, number)


async def test_what_was_written_is_what_is_published(database: Database, alice: Person) -> None:
    agent = await new_agent(database, alice)
    draft = await write(database, alice, agent, language="de", zone="Europe/Vienna", business="Teehaus", **WHOLE)
    assert await publish_draft(database, alice, agent, draft.revision) == 1
    published, version = await version_of(database, alice, agent, 1)
    assert content.of_version(published, version) == draft.content
    assert (published.published_version, version.copied_from) == (1, None)
    assert (published.business, published.language, published.zone) == ("Teehaus", "de", "Europe/Vienna")
    # As the telephone reads it.
    assert version.hours["zone"] == "Europe/Vienna" and version.fallback == {"texts": {"no_agent": "Nobody is here."}}
    assert (version.tools, version.withheld) == ([], ["take_message"])


async def test_a_version_says_what_it_said_whatever_comes_later(database: Database, alice: Person) -> None:
    agent = await new_agent(database, alice)
    await publish_greeting(database, alice, agent, "First.")
    first = content.of_version(*await version_of(database, alice, agent, 1))
    await write(database, alice, agent, business="Other", language="de", zone="Asia/Tokyo", greeting="Zweitens.")
    assert await publish_draft(database, alice, agent) == 2
    assert content.of_version(*await version_of(database, alice, agent, 1)) == first
    with pytest.raises(DBAPIError, match="permission denied"):
        async with database.transaction(user=alice.id) as db:
            await db.execute(text("UPDATE agent_versions SET greeting = 'changed'"))


async def test_blanks_at_the_ends_are_not_published(database: Database, alice: Person) -> None:
    agent = await new_agent(database, alice)
    entries = [{"key": "k", "questions": [" why ", " "], "answer": " because "}]
    await write(database, alice, agent, greeting="  Hello.\n", knowledge=entries, phrases=["", " tea "])
    await publish_draft(database, alice, agent)
    _, version = await version_of(database, alice, agent, 1)
    assert (version.greeting, version.phrases) == ("Hello.", ["tea"])
    assert version.knowledge == [{"key": "k", "questions": ["why"], "answer": "because"}]
    with pytest.raises(NothingToPublish):
        await publish_draft(database, alice, agent)


@pytest.mark.parametrize(
    ("sent", "field", "says"),
    [
        ({"greeting": ""}, "greeting", "what the agent says when it answers"),
        ({"greeting": " \n "}, "greeting", "what the agent says when it answers"),
        ({"business": " "}, "business", "what the business is called"),
        ({"knowledge": [{"key": "cake"}]}, "knowledge.0.questions", "cake"),
        ({"knowledge": [{"key": "cake", "questions": ["cake"]}]}, "knowledge.0.answer", "cake"),
        ({"answers_after_hours": False}, "hours", "when you are open"),
        ({"answers_after_hours": False, "hours": {"week": {}}}, "hours", "when you are open"),
    ],
)
async def test_a_draft_may_be_unfinished_and_what_is_published_may_not(
    database: Database, alice: Person, sent: dict[str, Any], field: str, says: str
) -> None:
    agent = await new_agent(database, alice)
    draft = await write(database, alice, agent, **sent)
    with pytest.raises(UnfitAgent, match=says) as refused:
        await publish_draft(database, alice, agent)
    assert field in refused.value.fields
    assert await draft_of(database, alice, agent) == draft
    with pytest.raises(NoSuchVersion):
        await version_of(database, alice, agent, 1)


async def test_nobody_publishes_what_somebody_else_wrote_a_moment_ago(database: Database, alice: Person) -> None:
    agent = await new_agent(database, alice)
    seen = await write(database, alice, agent, tone="Warm.")
    await write(database, alice, agent, greeting="Somebody else's.")
    with pytest.raises(DraftChanged):
        await publish_draft(database, alice, agent, seen.revision)
    assert await publish_draft(database, alice, agent, seen.revision + 1) == 1


async def test_publishing_the_same_draft_from_many_sides_publishes_it_once(database: Database, alice: Person) -> None:
    agent = await new_agent(database, alice)
    tries = [publish_draft(database, alice, agent, 1) for _ in range(8)]
    answers = await asyncio.gather(*tries, return_exceptions=True)
    assert [answer for answer in answers if not isinstance(answer, DraftChanged)] == [1]
    with pytest.raises(NothingToPublish):
        await publish_draft(database, alice, agent)


async def test_saving_and_publishing_at_once_lose_nothing(database: Database, alice: Person) -> None:
    """Every save that was taken stands in a version or in the draft."""
    agent = await new_agent(database, alice)
    saves = [write(database, alice, agent, facts=f"Fact {number}.") for number in range(10)]
    publishes = [publish_draft(database, alice, agent) for _ in range(5)]
    answers = await asyncio.gather(*saves, *publishes, return_exceptions=True)
    assert {type(answer) for answer in answers} <= {drafts.CurrentDraft, int, NothingToPublish}
    last = max((answer for answer in answers if isinstance(answer, drafts.CurrentDraft)), key=lambda one: one.revision)
    assert (await draft_of(database, alice, agent)).content.facts == last.content.facts
    async with database.transaction(user=alice.id) as db:
        page = await versions.page(db, alice.id, agent, limit=99)
    assert [each.version_no for each in page] == list(range(len(page), 0, -1))


async def test_versions_are_published_so_often_a_day_and_what_was_written_stays(
    database: Database, alice: Person, bob: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """She has published one already, and of all her agents together they count."""
    monkeypatch.setattr(limits, "VERSIONS_A_DAY_MAX", 3)
    agents = [await new_agent(database, alice) for _ in range(3)]
    for agent in agents[:2]:
        await publish_draft(database, alice, agent)
    await write(database, alice, agents[2], greeting="Later, then.")
    with pytest.raises(TooManyVersions, match="publish it later"):
        await publish_draft(database, alice, agents[2])
    assert (await draft_of(database, alice, agents[2])).content.greeting == "Later, then."
    await publish_greeting(database, bob, await new_agent(database, bob), "Hello.")
    async with database.transaction(everyone=WHY) as db:
        await become_owner(db)
        aged = text("UPDATE agent_versions SET created_at = created_at - interval '25 hours' WHERE user_id = :user")
        await db.execute(aged, {"user": alice.id})
    assert await publish_draft(database, alice, agents[2]) == 1


async def test_rolling_back_publishes_a_copy_as_the_newest_version(database: Database, alice: Person) -> None:
    agent = await new_agent(database, alice)
    await write(database, alice, agent, **WHOLE)
    await publish_draft(database, alice, agent)
    await write(database, alice, agent, language="de", business="Teehaus", greeting="Guten Tag.", knowledge=[])
    await publish_draft(database, alice, agent)
    assert await roll_back(database, alice, agent, 1) == 3
    first = content.of_version(*await version_of(database, alice, agent, 1))
    published, third = await version_of(database, alice, agent, 3)
    assert content.of_version(published, third) == first
    assert (third.copied_from, published.published_version, published.language) == (1, 3, "en")
    with pytest.raises(AlreadyPublished):
        await roll_back(database, alice, agent, 3)
    with pytest.raises(NoSuchVersion):
        await roll_back(database, alice, agent, 4)


async def test_rolling_back_while_a_draft_is_open_asks_what_becomes_of_it(database: Database, alice: Person) -> None:
    agent = await new_agent(database, alice)
    await publish_greeting(database, alice, agent, "First.")
    await publish_greeting(database, alice, agent, "Second.")
    draft = await write(database, alice, agent, greeting="Third.")
    with pytest.raises(DraftIsOpen, match="keep, or discard"):
        await roll_back(database, alice, agent, 1)
    assert (await version_of(database, alice, agent, 2))[0].published_version == 2
    assert await roll_back(database, alice, agent, 1, open_draft=OpenDraft.KEEP) == 3
    assert await draft_of(database, alice, agent) == draft
    assert await roll_back(database, alice, agent, 2, open_draft=OpenDraft.DISCARD) == 4
    left = await draft_of(database, alice, agent)
    assert (left.is_open, left.content.greeting) == (False, "Second.")
    # A draft that says nothing else than what is published is nothing to ask about.
    await write(database, alice, agent, greeting="Third.")
    await write(database, alice, agent, greeting="Second.")
    assert await roll_back(database, alice, agent, 1) == 5
    assert not (await draft_of(database, alice, agent)).is_open


async def test_an_agent_that_was_never_published_and_its_draft_are_told_apart(
    database: Database, alice: Person
) -> None:
    agent = await new_agent(database, alice)
    with pytest.raises(NoSuchVersion):
        await roll_back(database, alice, agent, 1)
    async with database.transaction(user=alice.id) as db:
        with pytest.raises(NoSuchVersion, match="No version of this agent is published"):
            await versions.said_by(db, alice.id, agent, "published")
        await drafts.discard(db, alice.id, agent, revision=None)
        assert (await drafts.read(db, alice.id, agent)).content.greeting == ""
    with pytest.raises(UnfitAgent, match="greeting"):
        await publish_draft(database, alice, agent)


async def test_nothing_of_an_archived_agent_is_published(database: Database, alice: Person) -> None:
    async with database.transaction(user=alice.id) as db:
        await life.archive(db, alice.id, alice.agent)
    with pytest.raises(ArchivedAgent):
        await publish_draft(database, alice, alice.agent)
    with pytest.raises(ArchivedAgent):
        await roll_back(database, alice, alice.agent, 1)


async def test_publishing_is_written_down_and_told_to_the_customers_programs(
    database: Database, alice: Person, bob: Person
) -> None:
    for person in (alice, bob):
        async with database.transaction(user=person.id) as db:
            db.add(WebhookEndpoint(user_id=person.id, url="https://example.org", events=["agent.*"], secret=b"sealed"))
    agent = await new_agent(database, alice)
    await publish_greeting(database, alice, agent, "First.")
    await publish_greeting(database, alice, agent, "Second.")
    await roll_back(database, alice, agent, 1)
    async with database.transaction(user=alice.id) as db:
        entries = (
            await db.scalars(select(AuditEntry).where(AuditEntry.act == "agent.published").order_by(AuditEntry.seq))
        ).all()
        events = (await db.execute(text("SELECT type, data FROM webhook_events ORDER BY created_at"))).all()
    about = {"agent_id": str(agent)}
    assert [(entry.before, entry.after) for entry in entries] == [
        ({"version": None}, about | {"version": 1}),
        ({"version": 1}, about | {"version": 2}),
        ({"version": 2}, about | {"version": 3, "copied_from": 1}),
    ]
    assert [tuple(event) for event in events] == [
        ("agent.published", about | {"version": number}) for number in (1, 2, 3)
    ]
    async with database.transaction(user=bob.id) as db:
        assert await db.scalar(text("SELECT count(*) FROM webhook_events")) == 0


async def test_a_draft_of_values_is_published_as_before_and_ends_one_that_is_open(
    database: Database, alice: Person
) -> None:
    agent = await new_agent(database, alice)
    mine = await write(database, alice, agent, tone="Warm.")
    async with database.transaction(user=alice.id) as db:
        assert await publish.publish(db, alice.id, agent, replace(SHOP, greeting="Values.")) == 1
    with pytest.raises(DraftChanged):
        await write(database, alice, agent, revision=mine.revision, tone="Cold.")
    for said in (SHOP, replace(SHOP, greeting="x", instructions="x" * 200_000)):
        with pytest.raises(UnfitAgent):
            async with database.transaction(user=alice.id) as db:
                await publish.publish(db, alice.id, agent, said)


async def test_somebody_elses_agent_is_neither_published_nor_rolled_back(
    database: Database, alice: Person, bob: Person
) -> None:
    for user in (bob.id, alice.id):
        async with database.transaction(user=bob.id) as db:
            for attempt in (
                publish.publish(db, user, alice.agent, replace(SHOP, greeting="Bob's")),
                publish.publish_draft(db, user, alice.agent, revision=None),
                publish.roll_back(db, user, alice.agent, 1),
                versions.page(db, user, alice.agent, limit=1),
                versions.said_by(db, user, alice.agent, "published"),
                versions.said_by(db, user, alice.agent, 1),
            ):
                with pytest.raises(NoSuchAgent):
                    await attempt


async def test_a_version_from_before_there_were_drafts_is_read_as_its_agent_was(
    database: Database, alice: Person
) -> None:
    async with database.transaction(user=alice.id) as db:
        said = await versions.said_by(db, alice.id, alice.agent, 1)
    assert (said.business, said.language, said.zone) == ("Alice's shop", "en", "Europe/Berlin")
    assert said.tools == ("take_message",)


async def test_pages_of_versions_carry_none_of_their_texts(database: Database, alice: Person) -> None:
    for number in range(2, 7):
        await publish_greeting(database, alice, alice.agent, f"Version {number}.")
    async with database.transaction(user=alice.id) as db:
        newest = await versions.page(db, alice.id, alice.agent, limit=4)
        older = await versions.page(db, alice.id, alice.agent, limit=4, before=newest[-1].version_no)
        with pytest.raises(InvalidRequestError, match="raiseload"):
            _ = older[0].instructions
    assert [each.version_no for each in (*newest, *older)] == [6, 5, 4, 3, 2, 1]


async def test_an_operator_publishes_for_a_customer_under_their_own_name(
    database: Database, alice: Person, ada: Person
) -> None:
    async with database.transaction(everyone=WHY) as db:
        await drafts.save(db, alice.id, alice.agent, {"tone": "Warm."}, revision=0, actor=ada.id)
        assert (await drafts.read(db, alice.id, alice.agent)).saved_by == ada.id
        await publish.publish_draft(db, alice.id, alice.agent, revision=1, actor=ada.id)
        agent = await reading.agent_of(db, alice.id, alice.agent)
        entry = await db.scalar(select(AuditEntry).where(AuditEntry.user_id == alice.id))
    assert (agent.published_version, entry is not None and entry.actor_id) == (2, ada.id)


async def test_of_a_closed_account_neither_versions_nor_drafts_say_anything(
    database: Database, alice: Person, bob: Person
) -> None:
    for person in (alice, bob):
        await write(database, person, person.agent, business="Wonderland", people=[MOCK_TURTLE], **WHOLE)
        await publish_draft(database, person, person.agent)
        draft = await write(database, person, person.agent, facts="Wonderland again.")
    async with database.transaction(everyone=WHY) as db:
        await empty_agents(db, alice.id)
        await empty_agents(db, alice.id)
    words = ("Wonderland", "tea", "Queen", "Warm", "post office", "Nobody", "Turtle", "4930901820")
    async with database.transaction(user=alice.id) as db:
        left = await db.execute(
            text("SELECT v::text FROM agent_versions v UNION ALL SELECT d::text FROM agent_drafts d")
        )
        stored = " ".join(left.scalars())
    assert [word for word in words if word in stored] == []
    with pytest.raises(ArchivedAgent):
        await write(database, alice, alice.agent, revision=draft.revision, tone="Back.")
    assert (await draft_of(database, bob, bob.agent)).content.facts == "Wonderland again."
