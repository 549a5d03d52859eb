"""A browser for the tests: the real pages in an application of their own, on the real database."""

import itertools
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from talktime.accounts import sessions
from talktime.db import embedded
from talktime.db.session import Database, connect
from talktime.http.security import cookie_name
from talktime.security import new_token, sign
from talktime.settings import Settings
from tests.payments.counter import counter, the_counter
from tests.people import WHY, Person
from tests.web.stage import SECRET, SITE, Stage, app_on
from tests.web.tabs import served, tab

__all__ = ["counter", "served", "tab", "the_counter"]


_BROWSERS = itertools.count(1)


class Browser(httpx.AsyncClient):
    """A browser whose forms carry what our pages put into them, as if each had been loaded a moment ago.

    With `csrf=False` a form is sent as it is given. Each is at an address of its own, or what is counted by address
    would be counted for all of them together.
    """

    def __init__(self, on: Stage, address: str | None = None) -> None:
        number = next(_BROWSERS)
        client = (address or f"198.18.{number // 250 % 250}.{number % 250}", 4711)
        transport = httpx.ASGITransport(app_on(on), raise_app_exceptions=False, client=client)
        super().__init__(transport=transport, base_url=on.settings.base_url, headers={"accept": "text/html"})
        self._settings = on.settings
        self._seed_cookie = f"{cookie_name(on.settings)}_form"

    def token(self) -> str:
        """What a form carries that this browser is shown now."""
        seed = self.cookies.get(cookie_name(self._settings)) or self.cookies.get(self._seed_cookie)
        if seed is None:
            seed = new_token()
            self.cookies.set(self._seed_cookie, seed)
        return sign(self._settings.secret, "csrf", seed)

    async def post(self, url: Any, *, csrf: bool = True, **more: Any) -> httpx.Response:
        """Send a form."""
        if csrf and "content" not in more:
            more["data"] = {**(more.get("data") or {}), "csrf": self.token()}
        return await super().post(url, **more)


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
    return Stage(Settings(public_url=SITE, secret_key=SECRET), database)


@pytest.fixture
async def open_browser(stage: Stage) -> AsyncIterator[OpenBrowser]:
    """Opens browsers that know nothing of each other."""
    opened = []

    def open_one(on: Stage = stage, address: str | None = None) -> Browser:
        browser = Browser(on, address)
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
