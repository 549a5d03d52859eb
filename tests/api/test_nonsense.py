"""Nonsense in every field, parameter and place of an address: each is answered with a problem, and none with a fault of
ours.

The rule: what is sent is made from the description, so that a new route gets its nonsense without
anybody thinking of it.
"""

import contextlib
import copy
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from talktime.accounts.keys import Scope
from talktime.api.document import document, operations
from talktime.db.session import connect
from tests.api.program import OF_CUSTOMERS, Program, key_of
from tests.people import new_person
from tests.web.matrix_people import OFTEN, application

DOCUMENT = document()
VALUES: tuple[Any, ...] = (
    None, "", "x", "\u202e\u200b", "x" * 60_000, -1, 0, 10**17, 1.5, True, [], [[]], {}, {"a": None},
    "9999-12-31T23:59:59-12:00", "2026-02-30T00:00:00Z", str(uuid.UUID(int=0)), "+0", "https://[::1", "javascript:x",
)  # fmt: skip
WORDS = ("", "x", "-1", "9" * 30, "null", "é", "%", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+23:59", "{}",
         str(uuid.UUID(int=0)), "2026-11-01T00:00:00Z")  # fmt: skip
PLACES = (str(uuid.UUID(int=0)), "0", "-1", "9" * 40, "x", "💩", "..", "2026-11", "a" * 300)
_MAY_FAIL = 502
"""A company that does not answer is no fault of ours."""


def _example(operation: dict[str, Any]) -> Any:
    schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    return DOCUMENT["components"]["schemas"][name] if name else None


ROUTES = {f"{method.upper()} {path}": (path, method, operation) for path, method, operation in operations(DOCUMENT)}


@pytest.fixture(scope="module")
async def programs(
    new_database_url: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[dict[str, Program]]:
    """Alice's program, and the operator's; both may ask as often as they like."""
    url, home = new_database_url(), Path(tmp_path_factory.mktemp("home"))
    database, app = connect(url), application(home, url, **OFTEN)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(database.close)
        await stack.enter_async_context(app.router.lifespan_context(app))
        alice = await new_person(database, "Alice", credits=1000)
        ada = await new_person(database, "Ada", credits=1000, admin=True)
        made = {}
        for name, person, scopes in (("customer", alice, OF_CUSTOMERS), ("operator", ada, list(Scope))):
            program = await stack.enter_async_context(Program(app, await key_of(database, person, scopes)))
            program.things = {"agent_id": str(alice.agent), "user_id": str(alice.id), "version_no": "1", "seq": "1"}  # type: ignore[attr-defined]  # what stands in addresses
            made[name] = program
        yield made


@pytest.mark.parametrize("name", sorted(ROUTES))
async def test_nonsense_is_answered_with_a_problem(programs: dict[str, Program], name: str) -> None:
    path, method, operation = ROUTES[name]
    program = programs["operator" if path.startswith("/v1/admin") else "customer"]
    for address, query, body in _asked(path, operation, program.things):  # type: ignore[attr-defined]  # see above
        headers = {"if-match": "*"} if method in ("patch", "put") else {}
        answer = await program.request(method, address, params=query, json=body, headers=headers)
        assert answer.status_code < 500 or answer.status_code == _MAY_FAIL, (
            f"{method} {address} {query} {str(body)[:300]}: {answer.status_code} {answer.text[:300]}"
        )
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json", answer.text
            assert answer.json()["type"].startswith("/problems/")


def _asked(
    path: str, operation: dict[str, Any], things: dict[str, str]
) -> Iterator[tuple[str, dict[str, str] | None, Any]]:
    """Addresses, queries and bodies: each with one thing that is wrong, as far as one can know."""
    names = [each["name"] for each in operation.get("parameters", ()) if each["in"] == "path"]
    usual = _filled(path, {name: things.get(name, str(uuid.UUID(int=0))) for name in names})
    schema = _example(operation)
    example: dict[str, Any] = {} if schema is None else schema["examples"][0]
    for name in names:
        for place in PLACES:
            values = {each: things.get(each, str(uuid.UUID(int=0))) for each in names}
            yield _filled(path, {**values, name: place}), None, example
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "query":
            for word in WORDS:
                yield usual, {parameter["name"]: word}, None
    if schema is None:
        return
    for value in VALUES:
        yield usual, None, value
    for field in schema.get("properties", {}):
        for value in VALUES:
            yield usual, None, {**copy.deepcopy(example), field: value}
    for field in example:
        yield usual, None, {name: value for name, value in example.items() if name != field}


def _filled(path: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        path = path.replace(f"{{{name}}}", quote(value, safe=""))
    return path.removeprefix("/v1")
