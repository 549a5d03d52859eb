"""Every operation of the description has its method, sends what stands there, and reads what is answered."""

import inspect
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from talktime_client import AsyncClient, AsyncPages, Client, Pages, models
from tests.client.described import ETAG, Described, Seen
from tests.client.everything import arguments_for, is_the_same, methods_of

KEY = "tt_live_test"
SITE = "https://talktime.example"


@pytest.fixture
def server() -> Described:
    return Described()


@pytest.fixture
def client(server: Described) -> Iterator[Client]:
    with Client(SITE, key=KEY, transport=httpx.MockTransport(server.answer)) as client:
        yield client


@pytest.fixture
async def async_client(server: Described) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(SITE, key=KEY, transport=httpx.MockTransport(server.answer)) as client:
        yield client


def rows_of(result: Any, seen: Seen) -> tuple[Any, Any]:
    """What came, and what was said, as far as the result has it."""
    if isinstance(seen.answer, dict) and seen.answer.keys() == {"data", "next_cursor", "has_more"}:
        return tuple(result), seen.answer["data"]
    return result, seen.answer


def test_every_operation_has_its_method(client: Client, server: Described) -> None:
    names = []
    for name, method in methods_of(client):
        places, named = arguments_for(method)
        result = method(*places, **named)
        if isinstance(result, Pages):
            list(result)
        names.append(name)
    assert {(each.method, each.template) for each in server.seen} == server.operations
    assert len(server.seen) == len(names)
    # The lines of a statement are the one thing that has two names.
    assert len(names) == len(server.operations) + 1


def test_what_is_sent_is_what_the_description_takes(client: Client, server: Described) -> None:
    for name, method in methods_of(client):
        places, named = arguments_for(method)
        result = method(*places, **named)
        if isinstance(result, Pages):
            list(result)
        seen = server.seen[-1]
        parameters = {(each["in"], each["name"]) for each in seen.operation.get("parameters", [])}
        assert set(seen.query) == {each for place, each in parameters if place == "query"}, name
        assert ("if-match" in seen.headers) == (("header", "If-Match") in parameters), name
        assert ("idempotency-key" in seen.headers) == (("header", "Idempotency-Key") in parameters), name
        if "requestBody" in seen.operation:
            schema = server.schema(seen.operation["requestBody"]["content"]["application/json"]["schema"])
            assert set(seen.body) == set(schema["properties"]), name
            assert seen.headers["content-type"] == "application/json"
        else:
            assert seen.body is None, name
        assert seen.headers["authorization"] == f"Bearer {KEY}"


def test_what_is_left_out_is_not_sent_and_null_is(client: Client, server: Described) -> None:
    for name, method in methods_of(client):
        places, named = arguments_for(method, all_of_them=False)
        result = method(*places, **named)
        if isinstance(result, Pages):
            list(result)
        seen = server.seen[-1]
        needed = {each["name"] for each in seen.operation.get("parameters", []) if each["in"] == "query"
                  and each.get("required")}  # fmt: skip
        assert set(seen.query) == needed, name
        if "requestBody" in seen.operation:
            schema = server.schema(seen.operation["requestBody"]["content"]["application/json"]["schema"])
            assert set(seen.body) == set(schema.get("required", [])), name
    client.credits.settings.update(if_match=ETAG, day_limit=None)
    assert server.seen[-1].body == {"day_limit": None}


def test_every_example_is_read_whole(client: Client, server: Described) -> None:
    for name, method in methods_of(client):
        places, named = arguments_for(method)
        result = method(*places, **named)
        if isinstance(result, Pages):
            result = tuple(result)
        value, said = rows_of(result, server.seen[-1])
        if name == "client.statements.lines":
            said = said["data"]
        if isinstance(value, bytes):
            assert value == b"%PDF", name
        else:
            assert is_the_same(value, said), name
        if hasattr(value, "etag"):
            assert value.etag in (ETAG, None), name


async def test_the_same_names_do_the_same_for_asyncio(
    client: Client, async_client: AsyncClient, server: Described
) -> None:
    waiting, awaited = dict(methods_of(client)), dict(methods_of(async_client))
    assert waiting.keys() == awaited.keys()
    for name, method in awaited.items():
        assert (
            str(inspect.signature(method)).partition(" -> ")[0]
            == (str(inspect.signature(waiting[name])).partition(" -> ")[0])
        )
        places, named = arguments_for(method)
        result: Any = method(*places, **named)
        result = tuple([each async for each in result]) if isinstance(result, AsyncPages) else await result
        there = waiting[name](*places, **named)
        assert result == (tuple(there) if isinstance(there, Pages) else there), name
        one, other = server.seen[-2:]
        assert (one.method, one.template, one.query, one.body) == (
            other.method,
            other.template,
            other.query,
            other.body,
        )


def test_what_a_later_version_adds_is_passed_over(client: Client, server: Described) -> None:
    server.more = {"added_later": {"deep": [1, 2]}}
    for _, method in methods_of(client):
        places, named = arguments_for(method)
        result = method(*places, **named)
        if isinstance(result, Pages):
            list(result)
    example = server.document["components"]["schemas"]["Call"]["examples"][0]
    example["status"] = "PARKED"
    call = client.calls.get("0199c8f4-11d2-7b02-9c0e-5b7a1c2d3e4f")
    assert call.status == "PARKED"
    assert isinstance(call.status, models.CallStatus)
    assert not call.status.is_known
    assert models.CallStatus.COMPLETED.is_known
    assert json.dumps(call.status) == '"PARKED"'
    assert call.status not in set(models.CallStatus)
