"""docs/openapi.json as `client.py` needs it: which groups of requests there are, and of which types everything is.

The rule: what is not understood stops the script. Nothing of the description is left out of the client silently.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

Schema = Mapping[str, Any]

GROUPS = (
    "about", "account", "agents", "agents.draft", "agents.versions", "agent_templates", "billing_details", "calls",
    "credits", "credits.settings", "invoices", "keys", "me", "number_proofs", "numbers", "packs", "purchases",
    "statements", "top_up", "top_up.card", "transactions", "webhooks",
    "admin.adjustments", "admin.alerts", "admin.approvals", "admin.audit", "admin.available_numbers", "admin.calls",
    "admin.claims", "admin.cost_rates", "admin.credits", "admin.events", "admin.invitations", "admin.limits",
    "admin.margins", "admin.number_drift", "admin.number_imports", "admin.number_orders", "admin.numbers",
    "admin.packs", "admin.prices", "admin.purchases", "admin.refunds", "admin.reversals", "admin.transactions",
    "admin.ungranted_payments", "admin.users",
)  # fmt: skip
"""What stands before the last point is what its requests are asked of: `client.agents.draft.get(…)`. Customers' come
first, and what several of them show is theirs."""
NAMES = {"read": "get", "make": "create", "change": "update", "openapi": "openapi"}
"""Operations that are called otherwise in programs."""
PREFIXES = {"admin.ungranted_payments": "admin_ungranted_"}
"""How the operations of a group begin, where that is not its name."""
LINES = {"statements_read": "lines"}
"""Documents with a list in them that comes in pages: the list alone, under this name."""
_METHODS = ("get", "post", "put", "patch", "delete")
_PAGE = {"data", "next_cursor", "has_more"}


class NotUnderstood(Exception):
    """There is something in the description that this script has no words for."""


@dataclass(frozen=True)
class Argument:
    """What a request is given."""

    name: str
    type: str
    is_needed: bool
    about: str = ""


@dataclass(frozen=True)
class Operation:
    """Something that can be asked for."""

    id: str
    group: str
    name: str
    method: str
    path: str
    about: str
    scopes: tuple[str, ...]
    places: tuple[Argument, ...]
    """What stands in the path."""
    query: tuple[Argument, ...]
    body: tuple[Argument, ...] | None
    is_changing: bool
    """It asks for the state that is changed."""
    is_once: bool
    """It takes an idempotency key."""
    answer: str
    """The type of it, or of each of a list; a media type of a file; empty for nothing."""
    kind: str
    """`page`, `document`, `file`, `json` or `nothing`."""


@dataclass(frozen=True)
class Shape:
    """A document, or an enumeration."""

    name: str
    about: str
    fields: tuple[Argument, ...]
    values: tuple[str, ...]
    has_etag: bool
    is_sent: bool


class Description:
    """What the document says."""

    def __init__(self, text: str) -> None:
        self._document = json.loads(text)
        self._schemas: Mapping[str, Schema] = self._document["components"]["schemas"]

    @cached_property
    def operations(self) -> tuple[Operation, ...]:
        """All of them, in the order of GROUPS."""
        found = [
            self._operation(path, method, methods[method])
            for path, methods in self._document["paths"].items()
            for method in _METHODS
            if method in methods
        ]
        return tuple(sorted(found, key=lambda each: GROUPS.index(each.group)))

    @cached_property
    def shapes(self) -> Mapping[str, tuple[Shape, ...]]:
        """By the first part of the group that shows or takes them first; none refers to one of a later group."""
        places: dict[str, str] = {}
        for each in self.operations:
            schema = self._document["paths"][each.path][each.method.lower()]
            for name in sorted(self._reached({"asks": schema.get("parameters"), **self._bodies(schema)})):
                if not self._is_page(name) and name not in self._bodies_alone:
                    places.setdefault(name, file_of(each.group))
        sorted_names: dict[str, list[str]] = {}
        for name, place in places.items():
            sorted_names.setdefault(place, []).append(name)
        return {
            place: tuple(self._shape(name) for name in self._in_order(names)) for place, names in sorted_names.items()
        }

    def type_of(self, schema: Schema, *, is_sent: bool) -> str:
        """A schema in Python's words."""
        if "$ref" in schema:
            name = _name_of(schema)
            return f"{name} | {name}Name" if is_sent and "enum" in self._schemas[name] else name
        if "anyOf" in schema:
            kinds = [self.type_of(each, is_sent=is_sent) for each in schema["anyOf"]]
            return " | ".join(dict.fromkeys(kinds))
        if "enum" in schema or "const" in schema:
            return f"Literal[{', '.join(json.dumps(each) for each in schema.get('enum') or [schema['const']])}]"
        kind = schema.get("type")
        if kind == "array":
            inner = self.type_of(schema["items"], is_sent=is_sent)
            return f"Sequence[{inner}]" if is_sent else f"tuple[{inner}, ...]"
        if kind == "object":
            return f"Mapping[str, {self._type_within(schema, is_sent=is_sent)}]"
        if kind == "string":
            return _text(schema.get("format", ""), is_sent=is_sent)
        plain = {"integer": "int", "number": "float", "boolean": "bool", "null": "None", None: "Any"}
        if kind not in plain:
            raise NotUnderstood(f"a schema of type {kind}")
        return plain[kind]

    def _type_within(self, schema: Schema, *, is_sent: bool) -> str:
        inner = schema.get("additionalProperties")
        if isinstance(inner, Mapping):
            return self.type_of(inner, is_sent=is_sent)
        if patterns := schema.get("patternProperties"):
            return self.type_of(next(iter(patterns.values())), is_sent=is_sent)
        if schema.get("properties"):
            raise NotUnderstood(f"a document without a name, with {', '.join(schema['properties'])}")
        return "Any"

    def _operation(self, path: str, method: str, said: Schema) -> Operation:
        group, name = _place_of(said["operationId"])
        parameters = said.get("parameters", [])
        headers = {each["name"] for each in parameters if each["in"] == "header"}
        if unknown := headers - {"If-Match", "Idempotency-Key"}:
            raise NotUnderstood(f"the header {', '.join(unknown)} of {said['operationId']}")
        kind, answer = self._answer(said)
        return Operation(
            id=said["operationId"],
            group=group,
            name=name,
            method=method.upper(),
            path=path,
            about=said.get("description", ""),
            scopes=tuple(said.get("x-scopes", ())),
            places=tuple(self._argument(each) for each in parameters if each["in"] == "path"),
            query=tuple(self._argument(each) for each in parameters if each["in"] == "query"),
            body=self._body(said),
            is_changing="If-Match" in headers,
            is_once="Idempotency-Key" in headers,
            answer=answer,
            kind=kind,
        )

    def _argument(self, said: Schema) -> Argument:
        kind = self.type_of(said["schema"], is_sent=True)
        is_needed = bool(said.get("required"))
        return Argument(said["name"], kind.removesuffix(" | None"), is_needed, said.get("description", ""))

    def _body(self, said: Schema) -> tuple[Argument, ...] | None:
        bodies = self._bodies(said)["sends"]
        return self._fields(self._schemas[_name_of(bodies)], is_sent=True) if bodies else None

    def _bodies(self, said: Schema) -> dict[str, Any]:
        """What a request sends, and what it is answered."""
        fine = next((each for status, each in said["responses"].items() if status.startswith("2")), None)
        if fine is None:
            raise NotUnderstood(f"{said['operationId']}, which nothing good comes of")
        sends = said.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
        return {"sends": sends, "answers": fine.get("content", {})}

    def _answer(self, said: Schema) -> tuple[str, str]:
        content = self._bodies(said)["answers"]
        if not content:
            return "nothing", ""
        kind, media = next(iter(content.items()))
        if kind != "application/json":
            return "file", kind.partition(";")[0]
        schema = media.get("schema", {})
        if "$ref" not in schema:
            return "json", "Any"
        name = _name_of(schema)
        if self._is_page(name):
            return "page", self.type_of(self._schemas[name]["properties"]["data"]["items"], is_sent=False)
        return "document", name

    def rows_of(self, operation: Operation) -> str:
        """The type of the rows in a document that has a list in it."""
        return self.type_of(self._schemas[operation.answer]["properties"]["data"]["items"], is_sent=False)

    def _shape(self, name: str) -> Shape:
        schema = self._schemas[name]
        is_sent = name in self._sent
        about = schema.get("description", "")
        return Shape(
            name,
            about,
            self._fields(schema, is_sent=is_sent),
            tuple(schema.get("enum", ())),
            name in self._tagged,
            is_sent,
        )

    def _fields(self, schema: Schema, *, is_sent: bool) -> tuple[Argument, ...]:
        """Those that are needed in the order of the document, and then the others."""
        found, needed = schema.get("properties", {}), schema.get("required", [])
        names = [*needed, *sorted(set(found) - set(needed))]
        return tuple(
            Argument(
                name, self.type_of(found[name], is_sent=is_sent), name in needed, found[name].get("description", "")
            )
            for name in names
        )

    @cached_property
    def _requests(self) -> tuple[Schema, ...]:
        """Whatever can be asked for, as the document says it."""
        return tuple(each for methods in self._document["paths"].values() for each in methods.values())

    @cached_property
    def _bodies_alone(self) -> frozenset[str]:
        """What is a request's body, and is given as arguments."""
        return frozenset(_name_of(sent) for each in self._requests if (sent := self._bodies(each)["sends"]))

    @cached_property
    def _sent(self) -> frozenset[str]:
        """What programs send as a part of something."""
        return frozenset(self._reached([self._schemas[name] for name in self._bodies_alone]) | self._asked)

    @cached_property
    def _asked(self) -> frozenset[str]:
        return frozenset(self._reached([each.get("parameters") for each in self._requests]))

    @cached_property
    def _tagged(self) -> frozenset[str]:
        """What comes with the state that it is in."""
        return frozenset(
            _name_of(response["content"]["application/json"]["schema"])
            for each in self._requests
            for response in each["responses"].values()
            if "ETag" in response.get("headers", {})
        )

    def _reached(self, value: Any, found: set[str] | None = None) -> set[str]:
        """The names of all schemas in a part of the document, and in those."""
        found = set() if found is None else found
        for name in _references(value):
            if name not in found:
                found.add(name)
                self._reached(self._schemas[name], found)
        return found

    def _in_order(self, names: list[str]) -> list[str]:
        """Each behind those that it refers to; enumerations first."""
        ordered: list[str] = []

        def put(name: str) -> None:
            for inner in sorted(self._reached(self._schemas[name]) & set(names) - {name}):
                if inner not in ordered:
                    put(inner)
            if name not in ordered:
                ordered.append(name)

        for name in sorted(names, key=lambda name: ("enum" not in self._schemas[name], name)):
            put(name)
        return ordered

    def _is_page(self, name: str) -> bool:
        return set(self._schemas[name].get("properties", {})) == _PAGE


def file_of(group: str) -> str:
    """In which file a group stands: with those that it belongs to, and an operator's by itself."""
    parts = group.split(".")
    return "_".join(parts[:2]) if parts[0] == "admin" else parts[0]


def _place_of(operation: str) -> tuple[str, str]:
    """The group and the name of an operation."""
    if operation == "openapi":
        return "about", "openapi"
    for group in sorted(GROUPS, key=len, reverse=True):
        prefix = PREFIXES.get(group) or f"{group.replace('.', '_')}_"
        if operation.startswith(prefix):
            name = operation.removeprefix(prefix)
            return group, NAMES.get(name, name)
    raise NotUnderstood(f"{operation}, which is of none of the GROUPS")


def _text(format: str, *, is_sent: bool) -> str:
    kinds = {"": "str", "uuid": "Id" if is_sent else "UUID", "date-time": "datetime", "date": "date"}
    if format not in kinds:
        raise NotUnderstood(f"a string of the format {format}")
    return kinds[format]


def _name_of(schema: Schema) -> str:
    if "$ref" not in schema:
        raise NotUnderstood(f"a document without a name: {json.dumps(schema)[:200]}")
    return str(schema["$ref"]).rpartition("/")[2]


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        if isinstance(value.get("$ref"), str) and (found := re.search(r"/schemas/(\w+)$", value["$ref"])):
            yield found[1]
        for each in value.values():
            yield from _references(each)
    elif isinstance(value, list):
        for each in value:
            yield from _references(each)
