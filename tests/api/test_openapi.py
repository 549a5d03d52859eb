"""The description of the API says what the routes do, and what would break a program is found before it is released."""

import copy
import importlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel
from scripts.check_openapi import breaks
from scripts.openapi import CURRENT, RELEASED, written

from talktime.accounts.keys import Scope
from talktime.api.document import _TAGS, _below, document, name_outside, operations
from talktime.api.shapes import Fields, Resource
from tests.api.program import Program, app_on
from tests.web.stage import Stage

DOCUMENT = document()


def test_the_committed_copy_is_true() -> None:
    assert CURRENT.read_text() == written(), "run python -m scripts.openapi write, and look at what has changed"


def test_nothing_breaks_programs_that_were_written_for_the_released_one() -> None:
    assert breaks(json.loads(RELEASED.read_text()), DOCUMENT) == []


async def test_it_is_given_to_anybody(stage: Stage) -> None:
    async with Program(app_on(stage), None) as program:
        answer = await program.get("/openapi.json")
    assert answer.json() == DOCUMENT
    assert answer.json()["openapi"] == "3.1.0"


def test_every_operation_says_what_it_does_and_which_scope_it_needs() -> None:
    names = []
    for path, method, operation in operations(DOCUMENT):
        where = f"{method} {path}"
        names.append(operation["operationId"])
        assert operation["description"].endswith("."), where
        assert operation["tags"], where
        assert {tag for tag in operation["tags"] if not tag.startswith("Operator: ")} <= set(_TAGS), where
        assert set(operation["x-scopes"]) <= set(Scope), where
        if path not in ("/v1/openapi.json", "/v1/me"):
            assert len(operation["x-scopes"]) == 1, where
            assert operation["x-scopes"][0].startswith("admin:") == path.startswith("/v1/admin"), where
            is_writing = operation["x-scopes"][0].endswith(":write")
            assert is_writing == (method != "get"), where
        if method in ("patch", "put"):
            assert any(each["name"] == "If-Match" for each in operation["parameters"]), where
        if method == "post" and "201" in operation["responses"]:
            assert any(each["name"] == "Idempotency-Key" for each in operation["parameters"]), where
    assert len(set(names)) == len(names)


def test_only_the_description_itself_is_open_to_anybody() -> None:
    assert [path for path, _, operation in operations(DOCUMENT) if operation.get("security") == []] == [
        "/v1/openapi.json"
    ]


def test_whatever_is_sent_or_shown_in_whole_has_an_example_that_holds() -> None:
    importlib.import_module("talktime.api")
    models: list[type[BaseModel]] = [*_below(Fields), *_below(Resource)]
    by_name = {name_outside(model.__name__): model for model in models}
    wholes = {
        content["schema"]["$ref"].rpartition("/")[2]
        for _, _, operation in operations(DOCUMENT)
        for part in (operation.get("requestBody", {}), *operation["responses"].values())
        for content in part.get("content", {}).values()
        if "$ref" in content["schema"]
    }
    assert len(wholes) > 30
    for name in wholes:
        if name.endswith("Page"):
            name = name.removesuffix("Page")
        examples = DOCUMENT["components"]["schemas"][name].get("examples")
        assert examples, f"{name} has no example"
        for example in examples:
            by_name[name].model_validate_json(json.dumps(example))


def test_no_two_shapes_have_one_name() -> None:
    """The framework would tell them apart by their modules, and programs would see those."""
    importlib.import_module("talktime.api")
    names = [model.__name__ for model in {*_below(Fields), *_below(Resource)}]
    assert [name for name in set(names) if names.count(name) > 1] == []
    assert [name for name in DOCUMENT["components"]["schemas"] if "__" in name] == []


def test_what_may_cost_too_much_or_asks_a_company_says_so() -> None:
    said = {
        status: {
            f"{method} {path}" for path, method, operation in operations(DOCUMENT) if status in operation["responses"]
        }
        for status in ("402", "502")
    }
    assert said["402"] == {
        "post /v1/admin/users/{user_id}/adjustments",
        "post /v1/admin/approvals/{approval_id}/approve",
        "post /v1/admin/numbers/{number_id}/assign",
        "post /v1/number-proofs",
    }
    assert said["502"] == {
        "post /v1/purchases",
        "delete /v1/top-up/card",
        "post /v1/admin/purchases/{user_id}/{purchase_id}/refunds",
        "get /v1/admin/available-numbers",
        "post /v1/admin/number-orders",
        "post /v1/admin/number-imports",
        "get /v1/admin/number-drift",
    }


Change = Callable[[dict[str, Any]], object]


def _old() -> dict[str, Any]:
    return {
        "paths": {
            "/v1/things": {
                "get": {
                    "x-scopes": ["things:read"],
                    "parameters": [
                        {"in": "query", "name": "limit", "required": False,
                         "schema": {"type": "integer", "minimum": 1, "maximum": 100}},
                        {"in": "query", "name": "state", "required": False,
                         "schema": {"anyOf": [{"$ref": "#/components/schemas/State"}, {"type": "null"}]}},
                    ],
                    "responses": {"200": {"content": {"application/json": {
                        "schema": {"$ref": "#/components/schemas/Thing"}}}}},
                },
                "post": {
                    "x-scopes": ["things:write"],
                    "requestBody": {"content": {"application/json": {
                        "schema": {"$ref": "#/components/schemas/NewThing"}}}},
                    "responses": {"201": {"content": {"application/json": {
                        "schema": {"$ref": "#/components/schemas/Thing"}}}}},
                },
            }
        },
        "components": {
            "schemas": {
                "State": {"type": "string", "enum": ["ON", "OFF"]},
                "Thing": {
                    "type": "object",
                    "required": ["id", "size", "parts"],
                    "properties": {
                        "id": {"type": "string"},
                        "size": {"type": "integer"},
                        "state": {"$ref": "#/components/schemas/State"},
                        "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}},
                        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                        "sums": {"type": "object", "additionalProperties": {"type": "integer"}},
                    },
                },
                "NewThing": {
                    "type": "object",
                    "required": ["name"],
                    "properties": {
                        "name": {"type": "string", "maxLength": 80},
                        "size": {"type": "number"},
                        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                        "tags": {"type": "array", "items": {"type": "string"}},
                    },
                },
            }
        },
    }  # fmt: skip


def _get(new: dict[str, Any]) -> Any:
    return new["paths"]["/v1/things"]["get"]


def _post(new: dict[str, Any]) -> Any:
    return new["paths"]["/v1/things"]["post"]


def _schema(new: dict[str, Any], name: str) -> Any:
    return new["components"]["schemas"][name]


def _field(new: dict[str, Any], name: str, of: str = "NewThing") -> Any:
    return _schema(new, of)["properties"][name]


BREAKS: dict[str, Change] = {
    "a path is gone": lambda new: new["paths"].pop("/v1/things"),
    "a method is gone": lambda new: new["paths"]["/v1/things"].pop("post"),
    "a parameter is gone": lambda new: _get(new)["parameters"].pop(0),
    "a parameter is needed": lambda new: _get(new)["parameters"][0].update(required=True),
    "a new parameter is needed": lambda new: _post(new).update(
        parameters=[{"in": "header", "name": "If-Match", "required": True, "schema": {"type": "string"}}]
    ),
    "a parameter takes less": lambda new: _get(new)["parameters"][0]["schema"].update(maximum=50),
    "a parameter has another type": lambda new: _get(new)["parameters"][0]["schema"].update(type="string"),
    "another scope is asked for": lambda new: _get(new).update({"x-scopes": ["admin:read"]}),
    "a body is needed": lambda new: _post(new)["requestBody"].update(required=True),
    "no body is read": lambda new: _post(new).pop("requestBody"),
    "another kind of body is read": lambda new: _post(new)["requestBody"].update(content={"text/csv": {}}),
    "a field that was sent is refused": lambda new: _schema(new, "NewThing")["properties"].pop("size"),
    "a field that was optional is needed": lambda new: _schema(new, "NewThing")["required"].append("size"),
    "a new field is needed": lambda new: (
        _schema(new, "NewThing")["properties"].update(more={"type": "string"}),
        _schema(new, "NewThing")["required"].append("more"),
    ),
    "a text may be less long": lambda new: _field(new, "name").update(maxLength=40),
    "a text has a form now": lambda new: _field(new, "name").update(pattern="^x$"),
    "only some values are taken": lambda new: _field(new, "name").update(enum=["a"]),
    "a number is a whole one now": lambda new: _field(new, "size").update(type="integer"),
    "null is not taken any more": lambda new: _field(new, "note").update(anyOf=[{"type": "string"}]),
    "what is in a list has another type": lambda new: _field(new, "tags").update(items={"type": "integer"}),
    "a value of an enumeration is gone": lambda new: _schema(new, "State").update(enum=["ON"]),
    "an answer is gone": lambda new: _post(new)["responses"].pop("201"),
    "an answer is of another kind": lambda new: _get(new)["responses"]["200"].update(content={"text/csv": {}}),
    "a field is shown no more": lambda new: _schema(new, "Thing")["properties"].pop("size"),
    "a field may be missing": lambda new: _schema(new, "Thing")["required"].remove("size"),
    "a field has another type": lambda new: _field(new, "size", "Thing").update(type="string"),
    "a field may be null": lambda new: _field(new, "size", "Thing").update(
        {"anyOf": [{"type": "integer"}, {"type": "null"}]}
    ),
    "a map has other values": lambda new: _field(new, "sums", "Thing").update(additionalProperties={"type": "string"}),
}

HARMLESS: dict[str, Change] = {
    "nothing": lambda new: None,
    "a new path": lambda new: new["paths"].update({"/v1/others": {"get": {"responses": {}}}}),
    "a new parameter that is not needed": lambda new: _get(new)["parameters"].append(
        {"in": "query", "name": "sort", "schema": {"type": "string"}}
    ),
    "a new field that is not needed": lambda new: _schema(new, "NewThing")["properties"].update(
        more={"type": "string"}
    ),
    "a new field is shown": lambda new: _schema(new, "Thing")["properties"].update(more={"type": "string"}),
    "more is taken": lambda new: _field(new, "name").update(maxLength=100),
    "null is taken, too": lambda new: _field(new, "size").update(anyOf=[{"type": "number"}, {"type": "null"}]),
    "a field is never null any more": lambda new: _field(new, "note", "Thing").update(anyOf=[{"type": "string"}]),
    "a new value of an enumeration": lambda new: _schema(new, "State")["enum"].append("DIM"),
    "a scope less": lambda new: _get(new).update({"x-scopes": []}),
}


@pytest.mark.parametrize("change", BREAKS.values(), ids=BREAKS)
def test_what_breaks_programs_is_found(change: Change) -> None:
    old, new = _old(), copy.deepcopy(_old())
    change(new)
    assert len(breaks(old, new)) >= 1


@pytest.mark.parametrize("change", HARMLESS.values(), ids=HARMLESS)
def test_what_breaks_nothing_is_not_found(change: Change) -> None:
    old, new = _old(), copy.deepcopy(_old())
    change(new)
    assert breaks(old, new) == []
