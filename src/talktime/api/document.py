"""`/v1/openapi.json`: the description of the API, made from the routes themselves. Open to anybody.

The rule: what a route refuses or needs is said here because it is so there: scopes, bodies, headers and parameters are
read from the routes. `docs/openapi.json` is a copy, and a test says when it is stale.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import orjson
from fastapi import FastAPI, Response
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from talktime.api.routing import api_router
from talktime.api.shapes import Fields, Resource
from talktime.http.problems import API

VERSION = "1.0.0"
"""Of the API: the first figure changes with what breaks programs, and then so does `/v1`."""

router = api_router("/openapi.json", "About")

_ABOUT = """Prepaid AI phone agents: agents, numbers, calls, credits, webhooks.

Send a key as `Authorization: Bearer tt_live_…`; `GET /v1/me` says what it may do. Lists come in pages (`next_cursor`),
changes need the `ETag` of the state they are made from (`If-Match`), and a `POST` with an `Idempotency-Key` is done
once. What cannot be done is answered with a problem document (RFC 9457) that says what to do. Unknown fields and
parameters are refused by name. New fields may appear in answers at any time: let your program pass over them."""

_TAGS = {
    "About": "The description of the API.",
    "Me": "What a key may do.",
    "Account": "The customer.",
    "Agents": "Who answers: drafts, versions, templates.",
    "Numbers": "Telephone numbers, and which agent answers them.",
    "Calls": "What was talked about, and what it cost.",
    "Credits": "What there is, and every line of the ledger.",
    "Purchases": "Buying credits.",
    "Statements": "Months of the ledger.",
    "Invoices": "Documents of money.",
    "Webhooks": "What we tell your servers.",
    "API keys": "What programs come in with.",
}

_PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "What was wrong, and what to do (RFC 9457).",
    "required": ["type", "title", "status", "request_id"],
    "properties": {
        "type": {
            "type": "string",
            "description": "The kind of problem, the same for good: a reference relative to this site.",
        },
        "title": {"type": "string", "description": "The kind of problem in words."},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What to do."},
        "errors": {
            "type": "array",
            "description": "Which fields or parameters are wrong.",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
        "request_id": {"type": "string", "description": "What to tell us when you write to us about it."},
    },
    "examples": [
        {
            "type": "/problems/invalid-request",
            "title": "Invalid request",
            "status": 422,
            "detail": "name: This is needed.",
            "errors": [{"field": "name", "message": "This is needed."}],
            "request_id": "0199c8f4-11d2-7b02-9c0e-5b7a1c2d3e4f",
        }
    ],
}
_REFUSALS = {
    "401": ("NoKey", "There is no key, or it opens nothing."),
    "402": ("NotEnoughCredit", "There are not so many free credits."),
    "403": ("Refused", "The key lacks a scope, or this is not allowed."),
    "404": ("NotFound", "There is no such thing, or it is somebody else's."),
    "409": ("Conflict", "Something stands in the way, or the Idempotency-Key was used for something else."),
    "412": ("StateChanged", "Somebody changed it since it was read."),
    "413": ("TooLarge", "The body is longer than 256 kB."),
    "415": ("NotJson", "The body is not JSON."),
    "422": ("Invalid", "What was sent cannot be right; `errors` names the fields."),
    "428": ("StateUnknown", "If-Match is missing."),
    "429": ("TooManyRequests", "That is more than may be asked in so short a time; see Retry-After."),
    "502": ("ProviderDown", "A company that this needs does not answer at the moment; see Retry-After."),
    "default": ("Problem", "Anything else that went wrong."),
}
_HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-Id": {"description": "What to tell us when you write to us about this request."},
    "RateLimit-Limit": {"description": "How many requests a key has at once."},
    "RateLimit-Remaining": {"description": "How many of them are left."},
    "RateLimit-Reset": {"description": "In how many seconds all of them are there again."},
    "ETag": {"description": "The state of the resource, for If-Match and If-None-Match."},
}
_DONE = {"200": "It is so.", "201": "It was made.", "202": "It will be done.", "204": "It is done."}
_PAGE = re.compile(r"\bPage_(\w+?)_(?=\")")
_CLEARER = {
    "By": "MarginsBy",
    "Change": "DiffChange",
    "Difference": "NumberDriftKind",
    "Entry": "KnowledgeEntry",
    "Line": "DiffLine",
    "Link": "SelfTestLink",
    "NumberOrderShown": "NumberOrder",
    "NumberOrderShownPage": "NumberOrderPage",
    "State": "ProviderEventState",
}
"""What some are called in here, and by programs that know nothing of our folders."""
_REFERENCE = re.compile(r"(?<=#/components/schemas/)\w+")
_NAMES = {"if-match": "If-Match", "idempotency-key": "Idempotency-Key"}


@router.get("")
async def openapi() -> Response:
    """Gives this description."""
    return Response(_written(), media_type="application/json")


@cache
def document() -> dict[str, Any]:
    """The description, as OpenAPI 3.1."""
    from talktime.api import router as all_of_it

    app = FastAPI()
    app.include_router(all_of_it)
    made = get_openapi(
        title="Talktime",
        version=VERSION,
        openapi_version="3.1.0",
        description=_ABOUT,
        routes=app.routes,
        tags=[{"name": name, "description": about} for name, about in _TAGS.items()],
    )
    components = made.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = _PROBLEM
    components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer", "description": "An API key."}}
    components["headers"] = {
        name: {**about, "schema": {"type": "string" if name in ("X-Request-Id", "ETag") else "integer"}}
        for name, about in _HEADERS.items()
    }
    components["responses"] = {
        name: {"description": about, "content": {"application/problem+json": {"schema": _ref("schemas", "Problem")}}}
        for name, about in _REFUSALS.values()
    }
    _show_examples(schemas)
    made["security"] = [{"key": []}]
    for path, method, operation in operations(made):
        is_tagged = bool({"patch", "put"} & set(made["paths"][path])) and method != "delete"
        _complete(path, method, operation, is_tagged=is_tagged)
    # `AgentPage` instead of what the framework calls a page of agents.
    text = _PAGE.sub(r"\1Page", orjson.dumps(_tidied(made)).decode())
    tidied: dict[str, Any] = orjson.loads(_REFERENCE.sub(lambda found: name_outside(found[0]), text))
    named = tidied["components"]
    named["schemas"] = {name_outside(name): schema for name, schema in named["schemas"].items()}
    return tidied


def operations(described: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, method and description of everything that can be asked for."""
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


@cache
def _written() -> bytes:
    return orjson.dumps(document())


def _complete(path: str, method: str, operation: dict[str, Any], *, is_tagged: bool) -> None:
    """Say what the framework does not know of a route. Tagged are those of a resource that can be changed."""
    is_open = path == f"{API}/openapi.json"
    if is_open:
        operation["security"] = []
    is_changed = False
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "header":
            parameter["name"] = _NAMES[parameter["name"]]
            if parameter["name"] == "If-Match":
                is_changed = parameter["required"] = True
            # What is left out is left out: no header is null.
            parameter["schema"] = {"type": "string", "maxLength": 1000}
    operation["summary"] = operation["operationId"].replace("_", " ").capitalize()
    responses = operation["responses"]
    responses.pop("422", None)
    for status, response in responses.items():
        response["description"] = _DONE[status]
        names = ["X-Request-Id"] if is_open else ["X-Request-Id", *(name for name in _HEADERS if "Rate" in name)]
        if status == "200" and is_tagged:
            names.append("ETag")
        response["headers"] = {name: _ref("headers", name) for name in names}
    refusals = ["default"] if is_open else ["401", "403", "422", "429", "default"]
    refusals += ["404"] if "{" in path else []
    refusals += ["409"] if method != "get" else []
    refusals += ["413", "415"] if "requestBody" in operation else []
    refusals += ["412", "428"] if is_changed else []
    refusals += operation.pop("x-refusals", [])
    for status in sorted(refusals):
        responses[status] = _ref("responses", _REFUSALS[status][0])


def _show_examples(schemas: dict[str, Any]) -> None:
    """Examples as they stand with the models, since the framework takes every null out of them."""
    for name, schema in schemas.items():
        if name.endswith("Change"):
            # What is left out stays as it is: no value stands in for it.
            for field in schema.get("properties", {}).values():
                field.pop("default", None)
    for base in (Resource, Fields):
        for model in _below(base):
            extra = model.model_config.get("json_schema_extra")
            if model.__name__ in schemas and isinstance(extra, dict) and "examples" in extra:
                schemas[model.__name__]["examples"] = extra["examples"]


def _below(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for each in model.__subclasses__():
        yield each
        yield from _below(each)


def name_outside(name: str) -> str:
    """What a model is called in the description."""
    return _CLEARER.get(name, name)


def _ref(where: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/{where}/{name}"}


def _tidied(value: Any, *, is_schema: bool = False) -> Any:
    """Without the titles that say a field's name again, and with whole numbers as what they are."""
    if isinstance(value, list):
        return [_tidied(each, is_schema=is_schema) for each in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, dict):
        return value
    tidied = {}
    for name, each in value.items():
        if is_schema and name == "title" and isinstance(each, str):
            continue
        if is_schema and name in ("example", "examples", "default", "enum", "const"):
            tidied[name] = each
        elif name in ("properties", "schemas", "$defs") and isinstance(each, dict):
            tidied[name] = {field: _tidied(schema, is_schema=True) for field, schema in each.items()}
        else:
            tidied[name] = _tidied(each, is_schema=is_schema or name == "schema")
    return tidied
