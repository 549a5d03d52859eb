"""Errors as RFC 9457 problem details: a title, a status, and what to do. Nothing of the inside gets out."""

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import orjson
from fastapi import FastAPI, Request, Response
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException

from talktime import log
from talktime.errors import TalktimeError
from talktime.http.body import BodyRefused

DATABASE_AWAY = (OperationalError, InterfaceError, PoolTimeoutError, OSError, TimeoutError)
"""What comes up when the database cannot be reached, as far as it can be told from our own mistakes."""

DATABASE_SAYS_NO = (SQLAlchemyError, TalktimeError)
"""What comes up when the database will not have something, however often it is offered; and what is above, too."""

_LOGGER = log.get(__name__)


API = "/v1"
"""Where programs are answered: whatever they ask for, they get no page."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """One field that is wrong, and what to do about it."""

    field: str
    message: str


def problem(
    status: int,
    title: str,
    detail: str = "",
    headers: Mapping[str, str] = MappingProxyType({}),
    *,
    kind: str = "about:blank",
    errors: Sequence[Wrong] = (),
    request_id: str | None = None,
) -> Response:
    """One problem document."""
    body: dict[str, object] = {"type": kind, "title": title, "status": status}
    if detail:
        body["detail"] = detail
    if errors:
        body["errors"] = errors
    if request_id is not None:
        body["request_id"] = request_id
    return Response(orjson.dumps(body), status, headers, media_type="application/problem+json")


def problem_of(error: TalktimeError, request_id: str) -> Response:
    """What a program is told of an error: its kind stays the same for good, its detail says what to do."""
    headers = dict(getattr(error, "headers", {}))
    if (wait := getattr(error, "retry_after", None)) is not None:
        headers["retry-after"] = str(max(1, round(wait)))
    name = type(error).__name__
    return problem(
        error.status,
        title_of(name),
        str(error),
        headers,
        kind=kind_of(name),
        errors=_fields_of(error),
        request_id=request_id,
    )


def astray(request: Request, error: Exception) -> Response:
    """What a program is told that asks for what there is not: no such address, or no such method at it."""
    status = error.status_code if isinstance(error, HTTPException) else 404
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    name, detail = _ASTRAY.get(status, ("BadRequest", "This request cannot be read."))
    said = getattr(request.state, "request_id", None) or uuid.uuid4().hex
    return problem(status, title_of(name), detail, headers, kind=kind_of(name), request_id=said)


def kind_of(name: str) -> str:
    """The stable address of a kind of problem: `/problems/too-many-keys` for TooManyKeys."""
    return f"/problems/{'-'.join(_words_of(name))}"


def title_of(name: str) -> str:
    """A kind of problem in words: `Too many keys`."""
    return " ".join(_words_of(name)).capitalize()


def is_for_a_program(request: Request) -> bool:
    """Whether this is the API's to answer."""
    return request.url.path == API or request.url.path.startswith(f"{API}/")


def install(app: FastAPI) -> None:
    """Turn every error into a problem document."""

    @app.exception_handler(BodyRefused)
    async def _body(_request: Request, error: BodyRefused) -> Response:
        return problem(error.status, str(error), headers=error.headers)

    @app.exception_handler(TalktimeError)
    async def _talktime(_request: Request, error: TalktimeError) -> Response:
        return problem(error.status, str(error))

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        if is_for_a_program(request):
            return astray(request, error)
        return problem(error.status_code, str(error.detail), headers=error.headers or {})

    @app.exception_handler(DBAPIError)
    @app.exception_handler(PoolTimeoutError)
    async def _database(request: Request, error: Exception) -> Response:
        if isinstance(error, DATABASE_AWAY):
            _LOGGER.error("the database is away", path=request.url.path, error=type(error).__name__)
            return problem(503, "The database cannot be reached at the moment.", "Try again in a few seconds.")
        return await _unexpected(request, error)

    @app.exception_handler(Exception)
    async def _unexpected(request: Request, error: Exception) -> Response:
        incident = getattr(request.state, "request_id", None) or uuid.uuid4().hex[:12]
        _LOGGER.error("unexpected error", path=request.url.path, incident=incident, exc_info=error)
        title, detail = "Something went wrong here.", f"We have a record of it: {incident}."
        if is_for_a_program(request):
            return problem(500, title, detail, kind=kind_of("OurFault"), request_id=incident)
        return problem(500, title, detail)


def _words_of(name: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(name)]


def _fields_of(error: TalktimeError) -> Sequence[Wrong]:
    """Which fields are wrong: those the error names, in `fields` with a message each, or in `field` with its own."""
    if isinstance(fields := getattr(error, "fields", None), Mapping):
        return [Wrong(str(name), str(message)) for name, message in fields.items()]
    field = getattr(error, "field", None)
    return [Wrong(field, str(error))] if isinstance(field, str) else []


_WORD = re.compile("[A-Z][a-z0-9]*|[A-Z]+(?![a-z])")
_ASTRAY = {
    404: ("NoSuchAddress", f"There is nothing at this address. `{API}/openapi.json` lists what there is."),
    405: ("NoSuchMethod", "This address does not know the method: the header Allow says which it knows."),
}
