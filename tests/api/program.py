"""A program of somebody's that uses the API: real requests against the real application, with a key of its own."""

import itertools
import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, cast

import httpx
from fastapi import FastAPI

from talktime import api, web
from talktime.accounts import keys
from talktime.accounts.keys import OPERATORS_SCOPES, Scope
from talktime.db.session import Database
from talktime.http import problems
from talktime.http.context import Context
from talktime.http.naming import name_requests
from tests.people import WHY, Person
from tests.web.stage import SITE, Stage

_PLACES = itertools.count()
OF_CUSTOMERS = sorted(set(Scope) - OPERATORS_SCOPES)


def app_on(stage: Stage) -> FastAPI:
    """The API as the product mounts it, beside the pages."""
    app = FastAPI(openapi_url=None)
    problems.install(app)
    web.install(app)
    name_requests(app)
    app.include_router(api.router)
    app.include_router(web.router)
    app.state.context = cast(Context, stage)
    return app


async def key_of(database: Database, person: Person, scopes: Iterable[str] = OF_CUSTOMERS) -> str:
    """A new key of somebody's; with all that a customer's can do unless told otherwise."""
    async with database.transaction(everyone=WHY) as db:
        return (await keys.make(db, person.id, "a program", scopes))[1]


class Program(httpx.AsyncClient):
    """Somebody's program, at an address of its own unless told otherwise."""

    def __init__(self, app: FastAPI, key: str | None, address: str | None = None) -> None:
        number = next(_PLACES)
        client = (address or f"203.0.{number // 250 % 250}.{number % 250}", 4711)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=client)
        headers = {"authorization": f"Bearer {key}"} if key is not None else {}
        super().__init__(transport=transport, base_url=f"{SITE}/v1", headers=headers)

    async def read(self, path: str, **query: Any) -> Any:
        """The document at an address."""
        answer = await self.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def all(self, path: str, **query: Any) -> list[Any]:
        """A whole list, page by page."""
        found: list[Any] = []
        while True:
            page = await self.read(path, **query)
            found += page["data"]
            assert page["has_more"] == (page["next_cursor"] is not None)
            if not page["has_more"]:
                return found
            query["cursor"] = page["next_cursor"]

    async def make(self, path: str, body: Any, *, once: str | None = None) -> httpx.Response:
        """Make something, under a name of its own unless told otherwise."""
        return await self.post(path, json=body, headers={"idempotency-key": once or uuid.uuid4().hex})

    async def change(self, path: str, body: Any, method: str = "PATCH") -> httpx.Response:
        """Change something from how it is now."""
        now = await self.get(path)
        assert now.status_code == 200, now.text
        return await self.request(method, path, json=body, headers={"if-match": now.headers["etag"]})


@asynccontextmanager
async def program_of(
    stage: Stage, person: Person, scopes: Iterable[str] = OF_CUSTOMERS, address: str | None = None
) -> AsyncIterator[Program]:
    """A program of somebody's, for as long as the block lasts."""
    async with Program(app_on(stage), await key_of(stage.database, person, scopes), address) as program:
        yield program


def refused(answer: httpx.Response, status: int, kind: str) -> dict[str, Any]:
    """The problem that an answer is, which must be of this kind."""
    assert answer.status_code == status, f"{answer.status_code} {answer.text}"
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["type"] == f"/problems/{kind}", problem
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert problem["request_id"]
    return problem


def fields_of(problem: dict[str, Any]) -> list[str]:
    """Which fields a problem names."""
    return [each["field"] for each in problem.get("errors", [])]
