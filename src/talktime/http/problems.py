"""Errors as RFC 9457 problem details: a title, a status, and what to do. Nothing of the inside gets out."""

import uuid
from collections.abc import Mapping
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


def problem(status: int, title: str, detail: str = "", headers: Mapping[str, str] = MappingProxyType({})) -> Response:
    """One problem document."""
    body = {"type": "about:blank", "title": title, "status": status}
    if detail:
        body["detail"] = detail
    return Response(orjson.dumps(body), status, headers, media_type="application/problem+json")


def install(app: FastAPI) -> None:
    """Turn every error into a problem document."""

    @app.exception_handler(BodyRefused)
    async def _body(_request: Request, error: BodyRefused) -> Response:
        return problem(error.status, str(error), headers=error.headers)

    @app.exception_handler(TalktimeError)
    async def _talktime(_request: Request, error: TalktimeError) -> Response:
        return problem(error.status, str(error))

    @app.exception_handler(HTTPException)
    async def _http(_request: Request, error: HTTPException) -> Response:
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
        incident = uuid.uuid4().hex[:12]
        _LOGGER.error("unexpected error", path=request.url.path, incident=incident, exc_info=error)
        return problem(500, "Something went wrong here.", f"We have a record of it: {incident}.")
