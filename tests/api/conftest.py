"""Programs of the usual people, and an installation that may be asked for anything."""

from collections.abc import AsyncIterator, Callable

import pytest

from talktime.accounts.keys import Scope
from talktime.db.session import Database
from talktime.settings import Settings
from tests.api.besieged import Besieged, open_besieged
from tests.api.program import Program, program_of
from tests.people import Person
from tests.web.stage import SECRET, SITE, Stage


@pytest.fixture
async def stage(database: Database) -> Stage:
    """What the API asks of the process around it."""
    return Stage(Settings(public_url=SITE, secret_key=SECRET), database)


@pytest.fixture
async def as_alice(stage: Stage, alice: Person) -> AsyncIterator[Program]:
    """A program of Alice's that may do all that she may."""
    async with program_of(stage, alice) as program:
        yield program


@pytest.fixture
async def as_bob(stage: Stage, bob: Person) -> AsyncIterator[Program]:
    """The same of somebody else's."""
    async with program_of(stage, bob) as program:
        yield program


@pytest.fixture
async def as_ada(stage: Stage, ada: Person) -> AsyncIterator[Program]:
    """The operator's."""
    async with program_of(stage, ada, Scope) as program:
        yield program


@pytest.fixture(scope="module")
async def besieged(
    new_database_url: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Besieged]:
    async with open_besieged(new_database_url(), tmp_path_factory.mktemp("home")) as besieged:
        yield besieged
