"""A browser for the tests: the real pages in an application of their own, on the real database."""

import uuid
from collections.abc import AsyncIterator, Callable
from typing import cast

import httpx
import pytest
from fastapi import FastAPI

from talktime import web
from talktime.accounts import sessions
from talktime.db import embedded
from talktime.db.session import Database, connect
from talktime.http import problems
from talktime.http.context import Context
from talktime.settings import Settings
from tests.payments.counter import counter, the_counter
from tests.people import WHY, Person
from tests.web.stage import SITE, Stage

__all__ = ["counter", "the_counter"]

Browser = httpx.AsyncClient
OpenBrowser = Callable[..., Browser]


@pytest.fixture(scope="module")
async def own_database(new_database_url: Callable[[], str]) -> AsyncIterator[Database]:
    """For a module about pages that show everybody's: what other tests leave behind is not on them."""
    database = connect(new_database_url())
    yield database
    await database.close()


@pytest.fixture
async def stage(database: Database) -> Stage:
    """What the pages ask of the process around them."""
    return Stage(Settings(public_url=SITE), database)


def app_on(stage: Stage) -> FastAPI:
    """The pages as the product mounts them."""
    app = FastAPI(openapi_url=None)
    problems.install(app)
    app.include_router(web.router)
    web.install(app)
    app.state.context = cast(Context, stage)

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("a fault of ours, with a secret in it")

    return app


@pytest.fixture
async def open_browser(stage: Stage) -> AsyncIterator[OpenBrowser]:
    """Opens browsers that know nothing of each other."""
    opened = []

    def open_one(on: Stage = stage) -> Browser:
        transport = httpx.ASGITransport(app_on(on), raise_app_exceptions=False)
        browser = httpx.AsyncClient(transport=transport, base_url=on.settings.base_url, headers={"accept": "text/html"})
        opened.append(browser)
        return browser

    yield open_one
    for browser in opened:
        await browser.aclose()


@pytest.fixture
def browser(open_browser: OpenBrowser) -> Browser:
    """Somebody who is not signed in."""
    return open_browser()


async def link_for(database: Database, person: Person) -> str:
    """The path of a sign-in link."""
    async with database.transaction(everyone=WHY) as db:
        return f"/sign-in/{await sessions.make_link_token(db, person.id)}"


@pytest.fixture
async def as_alice(open_browser: OpenBrowser, database: Database, alice: Person) -> Browser:
    """Alice's browser, signed in."""
    return await signed_in(open_browser(), database, alice)


@pytest.fixture
async def as_bob(open_browser: OpenBrowser, database: Database, bob: Person) -> Browser:
    """Somebody else's browser, signed in."""
    return await signed_in(open_browser(), database, bob)


async def signed_in(browser: Browser, database: Database, person: Person) -> Browser:
    """Sign a browser in by a link, as people do."""
    answer = await browser.post(await link_for(database, person))
    assert answer.status_code == 303, answer.text
    return browser


@pytest.fixture
def server_url_of_nothing(server: embedded.Server, template: str) -> str:
    """A database that nobody has migrated, on a server that has our roles."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    embedded.ensure_database(server, name)
    return server.url(name)
