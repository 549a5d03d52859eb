"""Every route of the application, asked by everybody: the table in `matrix.py` says what each of them gets.

Generated from the router, so that a route without an entry fails, and an entry without a route. What was refused has
changed nothing, and nobody reads a word of somebody else's.
"""

import contextlib
import io
import uuid
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import compile_path

from talktime.web.routing import PageRoute
from tests.db.everything import digests_of
from tests.documents.reading import texts
from tests.web.matrix import MATRIX, Entry
from tests.web.matrix_people import Cast, World, application, browser_of, fill, make_people, open_world

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
STRANGERS = (
    "signed out", "suspended", "closed", "session over", "session idle", "second factor due", "API key",
    "operator's session over", "operator's session idle",
)  # fmt: skip
FORGERS = ("no token", "garbage", "token of an earlier session", "somebody else's token")
OF_THE_OWNER = ("owner", "acting", *FORGERS, "not confirmed lately", "suspended", "second factor due")
PEOPLE = ("acting", "other", "operator", "owner")
"""In this order: an operator who closed their own account is not signed in as anybody any more."""


@dataclass(frozen=True, slots=True)
class Route:
    """One method at one path."""

    method: str
    path: str
    is_page: bool

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"


def routes_of(app: FastAPI) -> Iterator[Route]:
    """Everything that the application's router knows."""
    for each in iter_route_contexts(app.routes):
        assert each.path is not None, each
        if each.path.startswith("/v1/"):
            continue  # programs' addresses have a matrix of their own, in tests/api
        is_page = isinstance(each.original_route, PageRoute)
        methods = each.methods or (["WEBSOCKET"] if "WebSocket" in type(each.original_route).__name__ else [])
        assert methods, f"what is {each.path}?"
        for method in methods:
            yield Route(method, each.path, is_page)


ROUTES = {route.name: route for route in routes_of(application(Path("unused"), "postgresql://nobody@/nothing"))}


def test_every_route_has_an_entry_and_every_entry_a_route() -> None:
    assert sorted(set(ROUTES) - set(MATRIX)) == [], "say in tests/web/matrix.py who gets what"
    assert sorted(set(MATRIX) - set(ROUTES)) == [], "no such route"


def test_whatever_a_page_changes_is_looked_at_before_by_the_one_rule_for_all() -> None:
    """Forms of other sites, and those that nobody was shown, are refused by `PageRoute`: hooks have signatures."""
    assert [r.name for r in ROUTES.values() if r.method != "GET" and not r.is_page and "/hooks/" not in r.path] == []


@pytest.fixture(scope="module")
async def world(new_database_url: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with open_world(tmp_path_factory.mktemp("home"), new_database_url()) as world:
        yield world


@pytest.fixture
async def people(world: World) -> Cast:
    """New ones, to whom anything may happen."""
    return await make_people(world)


@pytest.fixture(scope="module")
async def settled(world: World) -> Cast:
    """Some to whom nothing happens."""
    return await make_people(world)


@pytest.mark.parametrize("name", [name for name in ROUTES if not name.startswith("WEBSOCKET")])
async def test_everybody_gets_what_the_table_says(people: Cast, name: str) -> None:
    route, entry = ROUTES[name], MATRIX[name]
    for who in STRANGERS:
        other = {"second factor due": entry.due, "suspended": entry.barred, "closed": entry.barred}.get(who)
        await ask(people, route, entry, who, entry.stranger if other is None else other)
    if route.is_page and route.method != "GET":
        for who in FORGERS:
            await ask(people, route, entry, who, 403)
    if entry.confirms:
        await ask(people, route, entry, "not confirmed lately", 303)
    for who in PEOPLE:
        await ask(people, route, entry, who, getattr(entry, who))


@pytest.mark.parametrize("path", sorted({route.path for route in ROUTES.values() if route.method != "WEBSOCKET"}))
async def test_no_other_method_is_answered(settled: Cast, path: str) -> None:
    people, address = settled, await fill(settled, path)
    known = {route.method for route in ROUTES.values() if compile_path(route.path)[0].match(address.partition("?")[0])}
    before = await digests_of(people.world.database)
    async with browser_of(people, "owner") as (browser, token):
        between = await digests_of(people.world.database)
        # HEAD is answered wherever GET is, by no route: `test_heads` says how.
        for method in set(METHODS) - known - ({"HEAD"} if "GET" in known else set()):
            answer = await browser.request(method, address, headers={"x-csrf-token": token})
            assert answer.status_code == 405, f"{method} {path}"
    assert await digests_of(people.world.database) == between != before


@pytest.mark.parametrize("name", [name for name in ROUTES if name.startswith("GET")])
@pytest.mark.parametrize("who", ["signed out", "owner"])
async def test_who_asks_for_the_head_alone_gets_that_of_the_page(settled: Cast, name: str, who: str) -> None:
    people, route, entry = settled, ROUTES[name], MATRIX[name]
    query = entry.query.format(**people.things)
    async with browser_of(people, who) as (browser, _):
        address = await fill(people, route.path) + (f"?{query}" if query else "")
        whole, head = await browser.get(address), await browser.head(address)
    assert (head.status_code, head.content) == (whole.status_code, b"")
    for header in ("content-type", "location", "content-disposition", "cache-control", "content-security-policy"):
        # Where somebody is sent back to is where they were: a link's page is another one each time.
        assert head.headers.get(header) == whole.headers.get(header), header


@pytest.mark.parametrize("name", [name for name in ROUTES if name.startswith("WEBSOCKET")])
@pytest.mark.parametrize("who", ["signed out", *PEOPLE])
async def test_a_web_socket_opens_for_no_browser(settled: Cast, name: str, who: str) -> None:
    people, route = settled, ROUTES[name]
    async with browser_of(people, who) as (browser, _):
        before = await digests_of(people.world.database)
        cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in browser.cookies.jar)
        said = await knock(people.world.app, await fill(people, route.path), cookies)
        assert said["type"] == "websocket.close" or said.get("status") == MATRIX[name].stranger, said
        assert await digests_of(people.world.database) == before


# How it is asked.


async def ask(people: Cast, route: Route, entry: Entry, who: str, expected: int) -> None:
    """Ask for a route as one of them, and look at what comes back and at what it did."""
    name = f"{route.name} as {who}"
    async with browser_of(people, who) as (browser, token):
        path = await fill(people, route.path)
        query = entry.query.format(**people.things)
        address = f"{path}?{query}" if query else path
        person = {"other": people.bob, "operator": people.ada}.get(who, people.alice)
        more = {"new": uuid.uuid4().hex, "my_email": people.emails[person.id]}
        fields = {key: value.format(**people.things, **more) for key, value in entry.form.items()}
        if token:
            fields["csrf"] = token
        about = people.alice.id if who == "other" else None
        before = await digests_of(people.world.database, about=about)
        answer = await browser.request(route.method, address, data=fields if route.method != "GET" else None)
        after = await digests_of(people.world.database, about=about)
    assert answer.status_code == expected, f"{name}: {answer.status_code} {answer.headers.get('location', '')}"
    is_refused = answer.status_code >= 400 or answer.headers.get("location", "").startswith(("/sign-in", "/confirm"))
    changed = [table for table in before if before[table] != after[table]]
    if (is_refused or route.method == "GET" or who == "other") and not entry.writes:
        assert not changed, f"{name} changed {changed}"
    asked = f"{address} {fields}"
    seen = {word for word in people.words if word in words_of(answer) and word not in asked}
    # Whoever has somebody's link may see whose it is.
    if who not in OF_THE_OWNER and not (who == "operator" and entry.shows) and "{token}" not in route.path:
        assert not seen, f"{name} shows {seen}"
    if who == "owner" and entry.other == 404 and expected == 200:
        assert seen or route.method != "GET", f"{name}: is that hers?"
    if not route.path.startswith("/static"):
        assert answer.headers["cache-control"] == "no-store", name


def words_of(answer: httpx.Response) -> str:
    """All that somebody can read in an answer: its headers, and a PDF's or an archive's words, too."""
    headers = " ".join(f"{name}: {value}" for name, value in answer.headers.items())
    if answer.content.startswith(b"%PDF"):
        return headers + " ".join(" ".join(texts(answer.content)).split())
    if answer.content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            return headers + " ".join(archive.read(name).decode(errors="replace") for name in archive.namelist())
    return headers + answer.text


async def knock(app: FastAPI, path: str, cookies: str) -> dict[str, Any]:
    """Ask for a web socket; gives the first thing that the server says."""
    said: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        said.append(message)

    scope = {
        "type": "websocket", "path": path, "raw_path": path.encode(), "query_string": b"", "scheme": "wss",
        "headers": [(b"host", b"talktime.example"), (b"cookie", cookies.encode())], "client": ("198.18.0.1", 4711),
        "server": ("talktime.example", 443), "subprotocols": [], "root_path": "", "extensions": {},
    }  # fmt: skip
    with contextlib.suppress(RuntimeError):
        await app(scope, receive, send)
    return said[0]
