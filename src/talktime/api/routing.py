"""What every route of the API has in common: whose key it is, what is read of a request, and that every error is a
problem document (RFC 9457) which says what to do. Nothing under /v1 is ever a page.

The rules: a request is looked at in one order: key, allowance, scope, and only then what it says. What nobody reads is
refused by name, never dropped: parameters, fields, fields that stand there twice.
"""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from talktime import log
from talktime.accounts import audit
from talktime.accounts.keys import Allowance
from talktime.api import body
from talktime.api.caller import Needs, NoKey, enter
from talktime.errors import BadInput, NotFound, ProviderError, TalktimeError
from talktime.http.address import client_address
from talktime.http.context import context_of
from talktime.http.problems import DATABASE_AWAY, Wrong, kind_of, problem, problem_of, title_of

_LOGGER = log.get(__name__)
_FIELD_LENGTH_MAX = 100
CALLS_OUT: dict[str, Any] = {"x-refusals": ["502"]}
"""For `openapi_extra` of a route that asks a company, which may not answer. `x-refusals` are statuses that the
description would not know of by itself."""
COSTS: dict[str, Any] = {"x-refusals": ["402"]}
"""For one that takes credits, of which there may not be so many."""
_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class UnknownParameter(BadInput):
    """There is no such parameter here."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        there_are = f"There are {', '.join(known)}." if known else "There are none."
        super().__init__(f"There is no parameter {name!r} here. {there_are}")
        self.field = name


class RepeatedParameter(BadInput):
    """A parameter stands there twice."""

    def __init__(self, name: str) -> None:
        super().__init__(f"The parameter {name!r} stands there twice: send it once.")
        self.field = name


class UnreadableText(BadInput):
    """The character U+0000 is kept nowhere: leave it out."""


class ProviderDown(TalktimeError):
    """A company that this needs does not answer at the moment. Nothing was done: try again in a minute."""

    status = 502
    retry_after = 60


def api_router(path: str, tag: str) -> APIRouter:
    """A router for one resource, below /v1. The name of each function on it is its operation's in the description of
    the API: `agents_list`."""
    return APIRouter(
        prefix=path, tags=[tag], route_class=ApiRoute, generate_unique_id_function=lambda route: route.name
    )


class ApiRoute(APIRoute):
    """A route for programs."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **more: Any) -> None:
        super().__init__(path, endpoint, **more)
        need = need_of(self.dependant)
        scopes = [need.scope.value] if need is not None and need.scope is not None else []
        self.openapi_extra = {"x-scopes": scopes, **(self.openapi_extra or {})}

    def get_route_handler(self) -> _Handler:
        """The route's handler, with what goes before it, and with its errors turned into problems."""
        handle = super().get_route_handler()
        need = need_of(self.dependant)
        parameters = sorted(_parameters_of(self.dependant))
        has_body = self.body_field is not None

        async def answer(request: Request) -> Response:
            settings = context_of(request).settings
            request_id: str = request.state.request_id
            with audit.came_from("api", client_address(request, settings)):
                try:
                    if need is not None:
                        request.state.caller = await enter(request, need)
                    _refuse_unread(request, parameters)
                    await body.take(request, is_read=has_body)
                    response = _unless_known(request, await handle(request))
                except TalktimeError as error:
                    response = problem_of(error, request_id)
                    if isinstance(error, NoKey):
                        response.headers["www-authenticate"] = 'Bearer realm="talktime"'
                except RequestValidationError as error:
                    response = _invalid(error, request_id)
                except ProviderError as error:
                    _LOGGER.warning("a provider failed a program", route=self.path, error=type(error).__name__)
                    response = problem_of(ProviderDown(), request_id)
                except DATABASE_AWAY as error:
                    _LOGGER.error("the database is away", route=self.path, error=type(error).__name__)
                    response = _away(request_id)
            _tell_allowance(response, getattr(request.state, "allowance", None))
            return response

        return answer


def need_of(dependant: Dependant) -> Needs | None:
    """What a route asks of its caller; None when it is open to anybody."""
    needs = [each.call for each in dependant.dependencies if isinstance(each.call, Needs)]
    assert len(needs) <= 1, needs
    return needs[0] if needs else None


def _parameters_of(dependant: Dependant) -> set[str]:
    """What may stand in the address's query."""
    found = {field.alias for field in dependant.query_params}
    return found.union(*(_parameters_of(each) for each in dependant.dependencies))


def _refuse_unread(request: Request, known: Sequence[str]) -> None:
    seen = set()
    for name, value in request.query_params.multi_items():
        if name not in known:
            raise UnknownParameter(name[:80], known)
        if name in seen:
            raise RepeatedParameter(name)
        if "\0" in value:
            raise UnreadableText
        seen.add(name)
    if any("\0" in str(value) for value in request.path_params.values()):
        raise NotFound


def _unless_known(request: Request, response: Response) -> Response:
    """A 304 for who has this very answer already."""
    tag = response.headers.get("etag")
    if tag is None or request.method != "GET" or response.status_code != 200:
        return response
    known = [each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")]
    return Response(status_code=304, headers={"etag": tag}) if tag in known else response


def _invalid(error: RequestValidationError, request_id: str) -> Response:
    """What is wrong with each field. A thing whose name is not of its form is not there."""
    errors = [_wrong(each) for each in error.errors()]
    if any(each["loc"][0] == "path" for each in error.errors()):
        return problem_of(NotFound("There is no such thing here."), request_id)
    name = "InvalidRequest"
    detail = " ".join(f"{each.field}: {each.message}" for each in errors[:3])
    return problem(422, title_of(name), detail, kind=kind_of(name), errors=errors, request_id=request_id)


def _wrong(error: dict[str, Any]) -> Wrong:
    """One of pydantic's errors, in words for who sent it. What they sent is not repeated."""
    place = [str(part) for part in error["loc"]]
    # An unknown field's name is what they sent, too.
    field = (".".join(place[1:]) or place[0])[:_FIELD_LENGTH_MAX]
    if error["type"] == "extra_forbidden":
        return Wrong(field, "There is no such field here.")
    if error["type"] == "missing":
        return Wrong(field, "This is needed.")
    if error["type"] == "value_error":
        return Wrong(field, str(error.get("ctx", {}).get("error", "This cannot be right.")))
    said = str(error["msg"])
    return Wrong(field, f"{said}.")


def _away(request_id: str) -> Response:
    name, detail = "DatabaseAway", "The database cannot be reached at the moment. Try again in a few seconds."
    return problem(503, title_of(name), detail, {"retry-after": "5"}, kind=kind_of(name), request_id=request_id)


def _tell_allowance(response: Response, allowance: Allowance | None) -> None:
    if allowance is not None:
        response.headers["ratelimit-limit"] = str(allowance.limit)
        response.headers["ratelimit-remaining"] = str(allowance.remaining)
        response.headers["ratelimit-reset"] = str(allowance.reset_seconds)
