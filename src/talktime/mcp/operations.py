"""The operations of the API, as its description has them, and what arguments a tool takes for each.

The rule: a schema is whole in itself. What it refers to comes with it, so that whoever reads it needs nothing else.
Path, query and body become one flat object; the headers are the tool's own business, but for the state that a change
is made from, which is the argument `etag`.
"""

import contextlib
import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

ETAG = "etag"
_REF = "#/components/schemas/"
_LIMIT_DEFAULT = 20
_LIMIT_MAX = 50
"""Of a page: a model reads every row of it."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that the API does."""

    name: str
    method: str
    path: str
    about: str
    scopes: frozenset[str]
    in_path: frozenset[str]
    in_query: frozenset[str]
    in_body: frozenset[str]
    has_body: bool
    needs_etag: bool
    is_once: bool
    """Takes an Idempotency-Key."""
    schema: Mapping[str, Any]
    """Of the tool's arguments."""

    @property
    def is_reading(self) -> bool:
        return self.method == "GET"


class NotDescribed(ValueError):
    """The answer is no description of this API."""


def operations_of(document: Any) -> dict[str, Operation]:
    """Every operation of a description, by its name; one of a later kind, which this cannot read, is passed over.
    Raises NotDescribed."""
    found: dict[str, Operation] = {}
    try:
        schemas = document["components"]["schemas"]
        for path, methods in document["paths"].items():
            for method, each in methods.items():
                with contextlib.suppress(KeyError, TypeError, AttributeError, NotDescribed):
                    operation = _operation(method, path, each, schemas)
                    found[operation.name] = operation
    except (KeyError, TypeError, AttributeError):
        raise NotDescribed("It is no description of an API.") from None
    if "me_read" not in found:
        raise NotDescribed("It describes another API.")
    return found


def reading_of(operation: Operation, operations: Mapping[str, Operation]) -> Operation | None:
    """Which operation gives the etag that this one needs: the one that reads the same resource."""
    for each in operations.values():
        if each.is_reading and each.path == operation.path:
            return each
    return None


def _operation(method: str, path: str, said: Mapping[str, Any], schemas: Mapping[str, Any]) -> Operation:
    parameters = said.get("parameters", [])
    headers = {each["name"] for each in parameters if each["in"] == "header"}
    body = _resolved(said["requestBody"]["content"]["application/json"]["schema"], schemas) if _has_body(said) else {}
    arguments = {each["name"]: _argument(each) for each in parameters if each["in"] in ("path", "query")}
    required = [each["name"] for each in parameters if each["in"] in ("path", "query") and each.get("required")]
    fields = body.get("properties", {})
    if set(fields) & (set(arguments) | {ETAG}):
        raise NotDescribed("Two arguments have one name.")
    arguments |= fields
    required += body.get("required", [])
    if "If-Match" in headers:
        arguments[ETAG] = _ETAG_SCHEMA
        required.append(ETAG)
    return Operation(
        name=said["operationId"],
        method=method.upper(),
        path=path,
        about=" ".join(said.get("description", "").split()),
        scopes=frozenset(said.get("x-scopes", [])),
        in_path=frozenset(each["name"] for each in parameters if each["in"] == "path"),
        in_query=frozenset(each["name"] for each in parameters if each["in"] == "query"),
        in_body=frozenset(fields),
        has_body=_has_body(said),
        needs_etag="If-Match" in headers,
        is_once="Idempotency-Key" in headers,
        schema=_whole(arguments, required, schemas),
    )


def _has_body(said: Mapping[str, Any]) -> bool:
    return "requestBody" in said


def _argument(parameter: Mapping[str, Any]) -> dict[str, Any]:
    """A parameter as a field of the tool's arguments."""
    schema = dict(parameter["schema"])
    if about := parameter.get("description"):
        schema["description"] = about
    if parameter["name"] == "limit" and schema.get("type") == "integer":
        schema["maximum"] = min(schema.get("maximum", _LIMIT_MAX), _LIMIT_MAX)
        schema["default"] = min(schema.get("default", _LIMIT_DEFAULT), _LIMIT_DEFAULT)
    return schema


_ETAG_SCHEMA = {
    "type": "string",
    "minLength": 1,
    "maxLength": 1000,
    "description": "The `etag` that came with the state you are changing, quotes and all.",
}


def _whole(arguments: Mapping[str, Any], required: list[str], schemas: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of an object with these fields, and with everything that they refer to."""
    schema: dict[str, Any] = {
        "type": "object",
        "properties": _bundled(dict(arguments)),
        "additionalProperties": False,
    }
    if required:
        schema["required"] = sorted(required)
    if needed := _needed(arguments, schemas):
        schema["$defs"] = {name: _bundled(schemas[name]) for name in sorted(needed)}
    return schema


def _needed(value: Any, schemas: Mapping[str, Any]) -> set[str]:
    """The names of all schemas that something refers to, and that those refer to."""
    found: set[str] = set()
    waiting = list(_references(value))
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _references(schemas[name])
    return found


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        reference = value.get("$ref")
        if isinstance(reference, str):
            yield reference.removeprefix(_REF)
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _references(each)


def _bundled(value: Any) -> Any:
    """The same with references into the schema itself, and without the examples, which a model pays for by the word."""
    if isinstance(value, list):
        return [_bundled(each) for each in value]
    if not isinstance(value, dict):
        return copy.copy(value)
    return {
        name: each.replace(_REF, "#/$defs/") if name == "$ref" and isinstance(each, str) else _bundled(each)
        for name, each in value.items()
        if name != "examples" or not isinstance(each, list)
    }


def _resolved(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = schemas[schema["$ref"].removeprefix(_REF)]
    return found
