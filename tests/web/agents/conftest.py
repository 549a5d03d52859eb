"""Alice at the pages of an agent, in one browser and in another."""

import uuid

import pytest

from talktime.db.session import Database
from tests.agents.writing import WHOLE, new_agent, publish_draft, write
from tests.people import Person
from tests.web.agents.pages import Editing
from tests.web.conftest import Browser, OpenBrowser, signed_in


@pytest.fixture
async def agent(database: Database, alice: Person) -> uuid.UUID:
    """An agent of Alice's that nobody has published anything of."""
    made = await new_agent(database, alice)
    await write(database, alice, made, **WHOLE)
    return made


@pytest.fixture
async def published(database: Database, alice: Person, agent: uuid.UUID) -> uuid.UUID:
    """The same, published."""
    await publish_draft(database, alice, agent)
    return agent


@pytest.fixture
def editing(as_alice: Browser, agent: uuid.UUID) -> Editing:
    return Editing(as_alice, agent)


@pytest.fixture
async def elsewhere(open_browser: OpenBrowser, database: Database, alice: Person, agent: uuid.UUID) -> Editing:
    """Alice once more, at another browser."""
    return Editing(await signed_in(open_browser(), database, alice), agent)
