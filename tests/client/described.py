"""A server that is nothing but docs/openapi.json: it takes what stands there, and answers with the examples.

The rule: it knows neither the application nor the client, so that neither can talk the other into something.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"
METHODS = ("get", "post", "put", "patch", "delete")
ETAG = '"6f1c"'
TEXTS = {
    "uuid": "0199c8f4-11d2-7b02-9c0e-5b7a1c2d3e4f",
    "date-time": "2026-11-20T09:31:38.115000Z",
    "date": "2026-12-02",
}


@dataclass(frozen=True)
class Seen:
    """A request, and what stands in the document about it."""

    operation: Mapping[str, Any]
    method: str
    template: str
    query: dict[str, str]
    headers: httpx.Headers
    body: Any
    answer: Any


@dataclass
class Described:
    """What it was asked."""

    document: Any = field(default_factory=lambda: json.loads(DOCUMENT.read_text()))
    seen: list[Seen] = field(default_factory=list)
    more: dict[str, Any] = field(default_factory=dict)
    """Fields that are put into every document: a later version has them."""

    def __post_init__(self) -> None:
        found = [(method, path) for path, methods in self.document["paths"].items() for method in methods]
        # What has a name of its own comes before what is named by its id.
        routes = [(re.compile(re.sub(r"\{\w+\}", r"[^/]+?", path)), method, path) for method, path in found]
        self._routes = sorted(routes, key=lambda each: (each[2].count("{"), -len(each[2])))

    @property
    def operations(self) -> set[tuple[str, str]]:
        """Everything that can be asked for."""
        return {(method.upper(), path) for _, method, path in self._routes}

    def answer(self, request: httpx.Request) -> httpx.Response:
        """What httpx's transport within the process asks."""
        path = request.url.raw_path.partition(b"?")[0].decode()
        matching = [(method, template) for form, method, template in self._routes if form.fullmatch(path)]
        method, template = next(each for each in matching if each[0] == request.method.lower())
        operation = self.document["paths"][template][method]
        status, response = next((s, r) for s, r in operation["responses"].items() if s.startswith("2"))
        headers = {"etag": ETAG} if "ETag" in response.get("headers", {}) else {}
        contents: dict[str, Any] = response.get("content", {})
        kind, content = next(iter(contents.items())) if contents else ("", dict[str, Any]())
        said = self.sample(content.get("schema", {})) if kind == "application/json" else None
        if isinstance(said, dict):
            said |= self.more
        body = json.loads(request.content) if request.content else None
        self.seen.append(
            Seen(operation, method.upper(), template, dict(request.url.params), request.headers, body, said)
        )
        if kind != "application/json":
            return httpx.Response(int(status), headers={"content-type": kind}, content=b"%PDF" if kind else b"")
        headers["content-type"] = kind
        return httpx.Response(int(status), headers=headers, content=json.dumps(said))

    def sample(self, schema: Mapping[str, Any]) -> Any:
        """A value that a schema describes: its own example, if it has one."""
        if "$ref" in schema:
            return self.sample(self.schema(schema))
        if "examples" in schema:
            return json.loads(json.dumps(schema["examples"][0]))
        if "anyOf" in schema:
            return self.sample(schema["anyOf"][0])
        if "enum" in schema or "const" in schema:
            return (schema.get("enum") or [schema["const"]])[0]
        match schema.get("type"):
            case "object" if schema.get("properties", {}).keys() >= {"data", "has_more"}:
                page = {name: self.sample(each) for name, each in schema["properties"].items()}
                return {**page, "next_cursor": None, "has_more": False}
            case "object":
                return {name: self.sample(each) for name, each in schema.get("properties", {}).items()}
            case "array":
                return [self.sample(schema["items"])]
            case "string":
                return TEXTS.get(schema.get("format", ""), "x")
            case "integer" | "number":
                return 7
            case "boolean":
                return True
            case _:
                return None

    def schema(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """A schema in the place of its name."""
        found: Mapping[str, Any] = self.document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return found
