"""What is offered as a tool: every operation or a reason why not, whole schemas, and what the key may do alone."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from talktime.accounts.keys import OPERATORS_SCOPES, Scope
from talktime.mcp import deeds
from talktime.mcp.deeds import Deed
from talktime.mcp.deeds_of_operators import OF_OPERATORS
from talktime.mcp.offers import offers_for
from talktime.mcp.operations import NotDescribed, Operation, operations_of

DESCRIPTION = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"
EVERY = (*deeds.OF_CUSTOMERS, *OF_OPERATORS)


@pytest.fixture(scope="module")
def description() -> Any:
    return json.loads(DESCRIPTION.read_text())


@pytest.fixture(scope="module")
def operations(description: Any) -> dict[str, Operation]:
    return operations_of(description)


def test_every_operation_is_a_tool_or_stands_there_with_the_reason_why_not(
    description: Any, operations: dict[str, Operation]
) -> None:
    described = {each["operationId"] for methods in description["paths"].values() for each in methods.values()}
    assert set(operations) == described
    names = [deed.name for deed in EVERY]
    assert len(set(names)) == len(names)
    assert set(names) | set(deeds.LEFT_OUT) == described
    assert not set(names) & set(deeds.LEFT_OUT)


def test_what_customers_can_read_an_assistant_can_read(operations: dict[str, Operation]) -> None:
    reads = {name for name, each in operations.items() if each.is_reading and "/admin/" not in each.path}
    left_out = reads - {deed.name for deed in deeds.OF_CUSTOMERS}
    assert left_out == {"openapi", "calls_receipt_pdf", "invoices_pdf", "statements_pdf", "statements_csv"}


def test_an_operators_tools_are_those_under_admin(operations: dict[str, Operation]) -> None:
    assert all("/admin/" in operations[deed.name].path for deed in OF_OPERATORS)
    assert not any("/admin/" in operations[deed.name].path for deed in deeds.OF_CUSTOMERS)


def test_no_whole_key_is_an_answer(description: Any, operations: dict[str, Operation]) -> None:
    shown = {
        each["operationId"]
        for methods in description["paths"].values()
        for each in methods.values()
        if any(
            f'/{name}"' in json.dumps(each["responses"])
            for name in ("MadeKey", "MadeWebhook", "MadeSecret", "Invitation")
        )
    }
    assert shown == {
        "keys_make", "keys_rotate", "admin_invitations_make", "webhooks_make", "webhooks_rotate",
    }  # fmt: skip
    told = {deed.name for deed in EVERY if deed.shown_once}
    assert told == shown - set(deeds.LEFT_OUT) == {"webhooks_make", "webhooks_rotate"}


@pytest.mark.parametrize("name", [deed.name for deed in EVERY])
def test_a_schema_is_whole_in_itself(operations: dict[str, Operation], name: str) -> None:
    schema = operations[name].schema
    Draft202012Validator.check_schema(dict(schema))
    assert schema["type"] == "object"
    assert schema["additionalProperties"] is False
    assert set(schema.get("required", [])) <= set(schema["properties"])
    written = json.dumps(schema)
    assert "#/components" not in written
    for reference in _references(schema):
        assert reference.removeprefix("#/$defs/") in schema["$defs"]
    assert len(written) < 10_000, "a model pays for each word of it"


def _references(value: Any) -> list[str]:
    if isinstance(value, list):
        return [found for each in value for found in _references(each)]
    if not isinstance(value, dict):
        return []
    mine = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
    return mine + [found for each in value.values() for found in _references(each)]


@pytest.mark.parametrize("deed", [deed for deed in EVERY if deed.untrusted], ids=lambda deed: str(deed.name))
def test_words_of_others_stand_where_they_are_looked_for(description: Any, deed: Deed) -> None:
    for path in deed.untrusted:
        schema = _answer(description, deed.name)
        for step in path.split("."):
            schema = _resolved(description, schema)
            schema = schema["items"] if step == "*" else schema["properties"][step]


def test_whatever_answers_words_of_others_says_so(description: Any) -> None:
    schemas = description["components"]["schemas"]
    spoken = {"Turn", "Call", "ListedCall", "DeliveryOpened", "OpenedEvent", "AdminClaim", "Person", "OpenedPerson"}
    for deed in EVERY:
        waiting, seen = _names(_answer(description, deed.name)), set()
        while waiting:
            seen.add(name := waiting.pop())
            waiting |= _names(schemas[name]) - seen
        assert bool(deed.untrusted) or not seen & spoken, deed.name


def _answer(description: Any, name: str) -> Any:
    """The schema of what an operation answers."""
    (said,) = (
        each for methods in description["paths"].values() for each in methods.values() if each["operationId"] == name
    )
    (fine,) = (response for status, response in said["responses"].items() if status.startswith("2"))
    return fine.get("content", {}).get("application/json", {}).get("schema", {})


def _resolved(description: Any, schema: Any) -> Any:
    if "anyOf" in schema:
        schema = schema["anyOf"][0]
    if "$ref" in schema:
        return description["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def _names(schema: Any) -> set[str]:
    return {reference.rpartition("/")[2] for reference in _references(schema)}


def test_tools_say_what_they_do(operations: dict[str, Operation]) -> None:
    offers = offers_for(operations, list(Scope), read_only=False, admin=True)
    assert set(offers.open) == {deed.name for deed in EVERY}
    tools = {name: offer.tool for name, offer in offers.open.items()}
    for name, tool in tools.items():
        assert tool.description and len(tool.description) < 1500, name
        assert tool.annotations is not None
        assert tool.annotations.read_only_hint == operations[name].is_reading
        if tool.annotations.read_only_hint:
            assert not tool.annotations.destructive_hint
            assert not next(deed for deed in EVERY if deed.name == name).money
    assert (tools["agents_draft_save"].description or "").endswith("The `etag` comes from agents_draft_read.")
    assert "untrusted" in (tools["calls_read"].description or "")
    spends = {
        "purchases_make", "top_up_set", "numbers_self_test", "credits_settings_change", "admin_adjustments_make",
        "admin_refunds_make", "admin_number_orders_make", "admin_prices_make", "admin_numbers_assign",
    }  # fmt: skip
    for name in spends:
        assert "Money: " in (tools[name].description or ""), name


def test_whoever_changes_something_learns_where_its_state_comes_from(operations: dict[str, Operation]) -> None:
    offers = offers_for(operations, list(Scope), read_only=False, admin=True)
    for name, offer in offers.open.items():
        assert offer.operation.needs_etag == ("etag" in offer.operation.schema["properties"])
        if offer.operation.needs_etag:
            assert offer.reading in offers.open, name


def test_reading_alone_offers_nothing_that_changes_anything(operations: dict[str, Operation]) -> None:
    offers = offers_for(operations, list(Scope), read_only=True, admin=True)
    assert offers.open
    assert all(offer.operation.method == "GET" for offer in offers.open.values())
    assert all("only reads" in offers.closed[deed.name] for deed in EVERY if not operations[deed.name].is_reading)


def test_each_scope_opens_its_own_tools(operations: dict[str, Operation]) -> None:
    for scope in Scope:
        offers = offers_for(operations, [scope], read_only=False, admin=scope in OPERATORS_SCOPES)
        assert all(offer.operation.scopes <= {scope} for offer in offers.open.values())
        assert len(offers.open) > 1
    assert set(offers_for(operations, [], read_only=False, admin=True).open) == {"me_read"}


def test_an_operators_tools_are_there_on_request_alone(operations: dict[str, Operation]) -> None:
    offers = offers_for(operations, list(Scope), read_only=False, admin=False)
    assert not any(name.startswith("admin_") for name in offers.open)
    assert "--admin" in offers.closed["admin_users_list"]


def test_what_an_older_installation_does_not_know_is_not_offered(description: Any) -> None:
    older = json.loads(json.dumps(description))
    del older["paths"]["/v1/webhooks"]
    offers = offers_for(operations_of(older), list(Scope), read_only=False, admin=False)
    assert "webhooks_list" not in offers.open
    assert "version" in offers.closed["webhooks_list"]


def test_what_a_later_one_has_that_cannot_be_read_is_passed_over(description: Any) -> None:
    later = json.loads(json.dumps(description))
    later["paths"]["/v1/voices"] = {
        "post": {"operationId": "voices_make", "requestBody": {"content": {"multipart/form-data": {}}}},
        "parameters": [],
    }
    assert operations_of(later).keys() == operations_of(description).keys()


@pytest.mark.parametrize(
    "nonsense", [None, [], "a page", {}, {"paths": {}}, {"components": {"schemas": {}}, "paths": {}}]
)
def test_what_is_no_description_is_refused(nonsense: Any) -> None:
    with pytest.raises(NotDescribed):
        operations_of(nonsense)
