"""Agents of somebody for tests: made and published through the verbs that the product uses."""

import uuid
from typing import Any

from talktime.agents import drafts, life, publish
from talktime.agents.drafts import CurrentDraft
from talktime.db.session import Database
from tests.people import Person

WHOLE: dict[str, Any] = {
    "greeting": "Hello, Wonderland Tea. You are talking to an assistant.",
    "instructions": "Take orders for tea.\nBe quick.",
    "facts": "We are next to the post office.",
    "tone": "Warm.",
    "avoid": "Do not talk about the Queen.",
    "voice": "en+f3",
    "hours": {"week": {"monday": [["09:00", "18:00"]]}, "special": {"2026-12-25": []}},
    "answers_after_hours": False,
    "knowledge": [
        {"key": "parking", "questions": ["where can i park"], "answer": "Behind the house."},
        {"key": "cake", "questions": ["do you have cake"], "answer": "On Sundays."},
    ],
    "phrases": ["a cup of tea please"],
    "tools": [],
    "turn_settings": {"silence_seconds": 9},
    "fallback_texts": {"no_agent": "Nobody is here."},
    "call_seconds_max": 600,
}
"""Every field that a draft has, but for those that an agent is made with."""


async def new_agent(database: Database, person: Person, **more: Any) -> uuid.UUID:
    """An agent that nobody has published anything of."""
    words = {"name": "Tea", "business": "Wonderland Tea", "language": "en", "zone": "Europe/London"} | more
    async with database.transaction(user=person.id) as db:
        return (await life.create(db, person.id, **words)).id


async def write(
    database: Database, person: Person, agent: uuid.UUID, revision: int | None = None, **sent: Any
) -> CurrentDraft:
    async with database.transaction(user=person.id) as db:
        return await drafts.save(db, person.id, agent, sent, revision=revision)


async def draft_of(database: Database, person: Person, agent: uuid.UUID) -> CurrentDraft:
    async with database.transaction(user=person.id) as db:
        return await drafts.read(db, person.id, agent)


async def publish_draft(database: Database, person: Person, agent: uuid.UUID, revision: int | None = None) -> int:
    async with database.transaction(user=person.id) as db:
        return await publish.publish_draft(db, person.id, agent, revision=revision)


async def publish_greeting(database: Database, person: Person, agent: uuid.UUID, greeting: str) -> int:
    await write(database, person, agent, greeting=greeting)
    return await publish_draft(database, person, agent)
