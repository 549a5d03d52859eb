"""An agent is made, renamed, paused, put away and brought back; there are only so many, however many ask at once."""

import asyncio
import uuid
from typing import Any

import pytest
from sqlalchemy import select

from talktime.accounts.models import AuditEntry
from talktime.agents import drafts, life, limits, reading
from talktime.agents.life import TooManyAgents, TooManyKept
from talktime.agents.models import Agent
from talktime.agents.problems import UnfitAgent
from talktime.agents.reading import ArchivedAgent, NoSuchAgent
from talktime.calls import lifecycle
from talktime.calls.routing import Route
from talktime.carriers.contract import Ring
from talktime.db.session import Database
from tests.agents.writing import new_agent
from tests.people import WHY, Person


async def ring(database: Database, person: Person) -> Route:
    rang = Ring(account="AC", call_id=f"CA{uuid.uuid4().hex}", caller="+4915112345678", dialled=person.number)
    async with database.transaction(everyone=WHY) as db:
        return (await lifecycle.ring(db, "simulated", rang)).route


async def change(database: Database, person: Person, agent: uuid.UUID, **what: Any) -> Agent:
    async with database.transaction(user=person.id) as db:
        return await life.change(db, person.id, agent, **what)


async def archive(database: Database, person: Person, agent: uuid.UUID) -> Agent:
    async with database.transaction(user=person.id) as db:
        return await life.archive(db, person.id, agent)


async def acts(database: Database, person: Person) -> list[str]:
    async with database.transaction(user=person.id) as db:
        entries = select(AuditEntry.act).where(AuditEntry.act.startswith("agent.")).order_by(AuditEntry.seq)
        return list((await db.scalars(entries)).all())


async def test_a_paused_agent_answers_no_call_and_one_that_goes_on_does(database: Database, alice: Person) -> None:
    assert await ring(database, alice) == Route.TALK
    before = (await change(database, alice, alice.agent, name="Reception")).updated_at
    paused = await change(database, alice, alice.agent, active=False)
    assert paused.updated_at > before
    assert await ring(database, alice) == Route.NO_AGENT
    assert (await change(database, alice, alice.agent, active=False)).updated_at == paused.updated_at
    await change(database, alice, alice.agent, active=True)
    assert await ring(database, alice) == Route.TALK
    assert await acts(database, alice) == ["agent.changed", "agent.changed"], "what changes nothing is no deed"


async def test_an_archived_agent_comes_back_paused(database: Database, alice: Person) -> None:
    first = await archive(database, alice, alice.agent)
    assert (first.active, first.archived_at is not None) == (False, True)
    assert (await archive(database, alice, alice.agent)).archived_at == first.archived_at
    assert await ring(database, alice) == Route.NO_AGENT
    async with database.transaction(user=alice.id) as db:
        assert list(await reading.agents_of(db, alice.id)) == []
        assert [agent.id for agent in await reading.page(db, alice.id, limit=9, archived=True)] == [alice.agent]
    with pytest.raises(ArchivedAgent):
        await change(database, alice, alice.agent, active=True)
    async with database.transaction(user=alice.id) as db:
        restored = await life.restore(db, alice.id, alice.agent)
        assert (restored.active, restored.archived_at) == (False, None)
        assert (await life.restore(db, alice.id, alice.agent)).updated_at == restored.updated_at
    await change(database, alice, alice.agent, active=True)
    assert await ring(database, alice) == Route.TALK
    assert await acts(database, alice) == ["agent.archived", "agent.restored", "agent.changed"]


async def test_there_are_only_so_many_agents_however_many_are_made_at_once(database: Database, alice: Person) -> None:
    """She has one already."""
    tries = [new_agent(database, alice, agents_max=4) for _ in range(8)]
    answers = await asyncio.gather(*tries, return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, BaseException)]
    assert len(refused) == 5
    assert all(isinstance(answer, TooManyAgents) and "archive one" in str(answer) for answer in refused)
    async with database.transaction(user=alice.id) as db:
        assert await reading.count(db, alice.id) == 4
    await archive(database, alice, alice.agent)
    await new_agent(database, alice, agents_max=4)
    async with database.transaction(user=alice.id) as db:
        with pytest.raises(TooManyAgents):
            await life.restore(db, alice.id, alice.agent, agents_max=4)
        await life.restore(db, alice.id, alice.agent, agents_max=5)


async def test_twenty_agents_are_the_limit_where_none_is_set(database: Database, alice: Person) -> None:
    for _ in range(19):
        await new_agent(database, alice)
    with pytest.raises(TooManyAgents, match="20"):
        await new_agent(database, alice)


async def test_putting_agents_away_makes_room_for_so_many_and_no_more(
    database: Database, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "AGENTS_KEPT_MAX", 3)
    for _ in range(2):
        await archive(database, alice, await new_agent(database, alice))
    with pytest.raises(TooManyKept, match="bring one of these back"):
        await new_agent(database, alice)


async def test_somebody_else_having_many_agents_takes_nobodys_place(
    database: Database, alice: Person, bob: Person
) -> None:
    await new_agent(database, bob, agents_max=2)
    await new_agent(database, alice, agents_max=2)


@pytest.mark.parametrize(
    ("words", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "  "}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": "two\nlines"}, "name"),
        ({"business": " "}, "business"),
        ({"business": "x" * 201}, "business"),
        ({"language": "fr"}, "language"),
        ({"language": ""}, "language"),
        ({"zone": "Nowhere/At_all"}, "zone"),
        ({"template": "astronaut"}, "template"),
    ],
)
async def test_an_agent_that_cannot_be_is_not_made(
    database: Database, alice: Person, words: dict[str, Any], field: str
) -> None:
    with pytest.raises(UnfitAgent) as refused:
        await new_agent(database, alice, **words)
    assert list(refused.value.fields) == [field]
    async with database.transaction(user=alice.id) as db:
        assert await reading.count(db, alice.id) == 1


async def test_a_name_may_be_anything_that_can_be_shown(database: Database, alice: Person) -> None:
    named = await change(database, alice, alice.agent, name=" <b>Straße</b> {{ 7 }} ☎ ")
    assert named.name == "<b>Straße</b> {{ 7 }} ☎"
    with pytest.raises(UnfitAgent):
        await change(database, alice, alice.agent, name="a\0b")


async def test_a_new_agent_is_made_with_its_draft_or_not_at_all(database: Database, alice: Person) -> None:
    agent = await new_agent(database, alice, template="dentist")
    async with database.transaction(user=alice.id) as db:
        draft = await drafts.read(db, alice.id, agent)
        entry = await db.scalar(select(AuditEntry).where(AuditEntry.act == "agent.made"))
    assert draft.content.knowledge and draft.content.business == "Wonderland Tea"
    assert entry is not None and entry.after == {"agent_id": str(agent), "template": "dentist"}


async def test_pages_of_agents_go_on_behind_the_last_one(database: Database, alice: Person) -> None:
    for number in range(5):
        await new_agent(database, alice, name=f"Agent {number}")
    async with database.transaction(user=alice.id) as db:
        for newest_first in (True, False):
            whole = await reading.page(db, alice.id, limit=100, newest_first=newest_first)
            found: list[uuid.UUID] = []
            after = None
            while page := await reading.page(db, alice.id, limit=2, after=after, newest_first=newest_first):
                found += [agent.id for agent in page]
                after = (page[-1].created_at, page[-1].id)
            assert found == [agent.id for agent in whole] and len(found) == 6
        assert await reading.page(db, alice.id, limit=9, active=False) == []


async def test_somebody_elses_agent_is_not_there(database: Database, alice: Person, bob: Person) -> None:
    for user in (bob.id, alice.id):
        async with database.transaction(user=bob.id) as db:
            for attempt in (
                life.change(db, user, alice.agent, name="Bob's"),
                life.archive(db, user, alice.agent),
                life.restore(db, user, alice.agent),
            ):
                with pytest.raises(NoSuchAgent):
                    await attempt
    async with database.transaction(user=alice.id) as db:
        assert (await reading.agent_of(db, alice.id, alice.agent)).name == "Reception"
