"""Every route of the API, asked by everybody: the table in `matrix.py` says what each of them gets.

Generated from the description, which is made from the routes: a route without an entry fails, and an entry without a
route. What was refused has changed nothing, and nobody reads a word of somebody else's.
"""

import json
import re
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from talktime.accounts import keys, sessions
from talktime.accounts.keys import OPERATORS_SCOPES, Scope
from talktime.api.document import document, operations
from talktime.http.security import cookie_name
from tests.api.keyring import Keyring, keyring
from tests.api.matrix import MATRIX, Entry
from tests.api.program import OF_CUSTOMERS, Program, key_of
from tests.db.everything import digests_of
from tests.people import WHY, new_person
from tests.web.matrix_people import OFTEN, World, open_world

DOCUMENT = document()
_CLAIMED = "/v1/admin/claims/{user_id}/{call_id}/decide"


@dataclass(frozen=True, slots=True)
class Route:
    """One method at one path."""

    method: str
    path: str
    scope: Scope | None
    example: Any

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"


def _route(path: str, method: str, operation: Mapping[str, Any]) -> Route:
    scopes = operation["x-scopes"]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    name = str(body.get("$ref", "")).rpartition("/")[2]
    example = DOCUMENT["components"]["schemas"][name]["examples"][0] if name else None
    # A claim is decided about a call that was claimed.
    path = path.replace("{call_id}", "{claimed_id}") if path == _CLAIMED else path
    return Route(method.upper(), path, Scope(scopes[0]) if scopes else None, example)


ROUTES = {
    route.name: route for route in (_route(*each) for each in operations(DOCUMENT)) if "openapi" not in route.path
}


def test_every_route_has_an_entry_and_every_entry_a_route() -> None:
    assert sorted(set(ROUTES) - set(MATRIX)) == [], "say in tests/api/matrix.py who gets what"
    assert sorted(set(MATRIX) - set(ROUTES)) == [], "no such route"


@pytest.fixture(scope="module")
async def world(new_database_url: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with open_world(tmp_path_factory.mktemp("home"), new_database_url(), **OFTEN) as world:
        yield world


@pytest.fixture(scope="module")
async def settled(world: World) -> Keyring:
    """People to whom nothing happens."""
    return await keyring(world)


@pytest.mark.parametrize("name", sorted(ROUTES))
async def test_everybody_gets_what_the_table_says(world: World, settled: Keyring, name: str) -> None:
    route, entry = ROUTES[name], MATRIX[name]
    ring = settled if route.method == "GET" else await keyring(world)
    await strangers_are_refused(ring, route, entry)
    # The owner last: what is theirs may be gone afterwards.
    await ask(ring, route, entry, "other", entry.other)
    if entry.is_desk:
        await ask(ring, route, entry, "owner", entry.owner)
        await ask(ring, route, entry, "operator", entry.operator)
    else:
        await ask(ring, route, entry, "operator", entry.operator)
        await ask(ring, route, entry, "owner", entry.owner)


@pytest.fixture(scope="module")
async def single(settled: Keyring) -> Mapping[tuple[Scope, bool], str]:
    """A key with one scope for each that there is: of an operator's (True), and of a customer's where they may."""
    database = settled.cast.world.database
    carol = await new_person(database, "Carol", credits=0)
    dora = await new_person(database, "Dora", credits=0, admin=True)
    made = {(Scope(scope), False): await key_of(database, carol, [scope]) for scope in OF_CUSTOMERS}
    return made | {(scope, True): await key_of(database, dora, [scope]) for scope in Scope}


@pytest.mark.parametrize("name", [name for name, route in sorted(ROUTES.items()) if route.scope is not None])
async def test_no_other_scope_opens_it(settled: Keyring, single: Mapping[tuple[Scope, bool], str], name: str) -> None:
    route, entry = ROUTES[name], MATRIX[name]
    others = [scope for scope in Scope if scope is not route.scope]
    before = await digests_of(settled.cast.world.database)
    for scope in others:
        key = single[scope, entry.is_desk or scope in OPERATORS_SCOPES]
        answer = await send(settled, route, entry, key)
        assert answer.status_code == 403, f"{name} with {scope}: {answer.status_code} {answer.text}"
        nothing_is_told(settled, answer, route)
    assert await digests_of(settled.cast.world.database) == before, f"{name}: who was refused changed something"


async def strangers_are_refused(ring: Keyring, route: Route, entry: Entry) -> None:
    """Who has no key that works, or one that lacks the scope, and is told nothing and changes nothing."""
    world, alice, ada = ring.cast.world, ring.cast.alice, ring.cast.ada
    is_desk = route.scope in OPERATORS_SCOPES
    if route.scope not in ring.lacking:
        scopes = sorted(set(Scope if is_desk else OF_CUSTOMERS) - {route.scope})
        ring.lacking[route.scope] = await key_of(world.database, ada if is_desk else alice, scopes)
    lacking = ring.lacking[route.scope]
    async with world.database.transaction(everyone=WHY) as db:
        session = await sessions.begin(db, alice.id, address=None, browser=None)
    before = await digests_of(world.database)
    for who, key in (("nobody", None), ("garbage", f"{keys.BEGINNING}{'x' * 43}"), ("revoked", ring.revoked)):
        answer = await send(ring, route, entry, key)
        assert answer.status_code == 401, f"{route.name} as {who}: {answer.status_code}"
        nothing_is_told(ring, answer, route)
    cookie = {"cookie": f"{cookie_name(world.settings)}={session}"}
    assert (await send(ring, route, entry, None, cookie)).status_code == 401, f"{route.name} with a browser's session"
    if route.scope is not None:
        answer = await send(ring, route, entry, lacking)
        assert answer.status_code == 403, f"{route.name} without the scope: {answer.status_code} {answer.text}"
        assert route.scope.value in answer.json()["detail"]
        nothing_is_told(ring, answer, route)
    assert await digests_of(world.database) == before, f"{route.name}: who was refused changed something"
    person = ada if is_desk else alice
    for status in ("SUSPENDED", "CLOSED"):
        await world.do("UPDATE users SET status = CAST(:to AS user_status) WHERE id = :id", to=status, id=person.id)
        answer = await send(ring, route, entry, ring.operator if is_desk else ring.owner)
        await world.do("UPDATE users SET status = 'ACTIVE' WHERE id = :id", id=person.id)
        assert answer.status_code == 401, f"{route.name} as {status}: {answer.status_code}"
    if is_desk:
        await world.do("UPDATE users SET role = 'USER' WHERE id = :id", id=ada.id)
        answer = await send(ring, route, entry, ring.operator)
        await world.do("UPDATE users SET role = 'ADMIN' WHERE id = :id", id=ada.id)
        assert answer.status_code == 403, f"{route.name} as who is no operator any more: {answer.status_code}"


async def ask(ring: Keyring, route: Route, entry: Entry, who: str, expected: int) -> None:
    """Ask as one of them, and look at what comes back and at what it did."""
    database, alice = ring.cast.world.database, ring.cast.alice
    about = alice.id if who == "other" else None
    before = await digests_of(database, about=about)
    answer = await send(ring, route, entry, getattr(ring, who))
    after = await digests_of(database, about=about)
    assert answer.status_code == expected, f"{route.name} as {who}: {answer.status_code} {answer.text[:600]}"
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json", route.name
    assert answer.headers["cache-control"] == "no-store"
    changed = [table for table in before if before[table] != after[table]]
    if entry.is_noted and answer.status_code < 400:
        assert "audit_entries" in changed, f"{route.name} as {who} is not written down"
        changed = [table for table in changed if not table.startswith("audit_")]
    if (answer.status_code >= 400 and not entry.counts) or route.method == "GET" or who == "other":
        assert not changed, f"{route.name} as {who} changed {changed}"
    if who == "other" or (who == "operator" and not entry.is_desk):
        nothing_is_told(ring, answer, route)
    if who == "owner" and entry.other == 404 and route.method == "GET" and "json" in answer.headers["content-type"]:
        assert any(word in answer.text for word in (*ring.cast.words, *map(str, ring.things.values()))), (
            f"{route.name}: hers?"
        )


def nothing_is_told(ring: Keyring, answer: httpx.Response, route: Route) -> None:
    """Not a word of Alice's stands in it that was not asked for."""
    asked = str(answer.request.url) + (answer.request.content or b"").decode()
    said = answer.text + " ".join(answer.headers.values())
    seen = {word for word in ring.cast.words if word in said and word not in asked}
    assert not seen, f"{route.name} shows {seen}"


async def send(
    ring: Keyring, route: Route, entry: Entry, key: str | None, headers: Mapping[str, str] | None = None
) -> httpx.Response:
    path = re.sub(r"{(\w+)}", lambda found: str(ring.things[found[1]]), route.path)
    query = entry.query.format(**ring.things)
    body = filled(route.example if entry.body is None else entry.body, ring.things)
    more = {"idempotency-key": uuid.uuid4().hex} if route.method == "POST" else {}
    more |= {"if-match": "*"} if route.method in ("PATCH", "PUT", "DELETE") else {}
    async with Program(ring.cast.world.app, key) as program:
        return await program.request(
            route.method,
            f"{path.removeprefix('/v1')}?{query}" if query else path.removeprefix("/v1"),
            json=body if body is not None else None,
            headers={**more, **(headers or {})},
        )


def filled(body: Any, things: Mapping[str, Any]) -> Any:
    """A body with Alice's things in it."""
    written = re.sub(r'"{(\w+)}"', lambda found: json.dumps(things[found[1]]), json.dumps(body))
    return json.loads(written)
