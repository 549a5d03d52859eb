"""The protocol over HTTP: on this machine alone, for who has the token, and from no page in a browser."""

import asyncio
import contextlib
import os
import re
import signal
from asyncio.subprocess import Process
from collections.abc import AsyncIterator

import httpx
import httpx2
import pytest
from mcp.client.streamable_http import streamable_http_client

from mcp import Client
from talktime.errors import BadInput
from talktime.mcp.loopback import listener_at, token_of
from tests.api.program import key_of
from tests.house import House
from tests.mcp.assistant import done, process_of, refusal_of
from tests.people import Person

PING = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
ACCEPTS = {"accept": "application/json, text/event-stream"}


@contextlib.asynccontextmanager
async def serving(house: House, person: Person, *more: str, token: str = "") -> AsyncIterator[tuple[Process, str, str]]:
    """The process, where it serves, and what it said of the token."""
    key = await key_of(house.database, person)
    words = ("--http", "127.0.0.1:0", *more)
    async with process_of(house.settings.base_url, key, *words, TALKTIME_MCP_TOKEN=token) as process:
        assert process.stderr is not None
        line = (await asyncio.wait_for(process.stderr.readline(), 60)).decode()
        match = re.search(r"serving at (http://127\.0\.0\.1:\d+/mcp), for requests with (.+)", line)
        assert match is not None, line
        assert key not in line
        yield process, match[1], match[2]


@contextlib.asynccontextmanager
async def connected(url: str, token: str) -> AsyncIterator[Client]:
    async with (
        httpx2.AsyncClient(headers={"authorization": f"Bearer {token}"}, trust_env=False) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        yield client


async def test_assistants_connect_with_the_token(house: House, alice: Person) -> None:
    async with serving(house, alice, "--read-only") as (process, url, told):
        token = told.removeprefix("Authorization: Bearer ")
        assert len(token) > 40
        async with connected(url, token) as one, connected(url, token) as two:
            assert (await done(one, "credits_read"))["balance"] == 1000
            assert (await done(two, "credits_read"))["balance"] == 1000
            said, _ = await refusal_of(one, "agents_archive", agent_id=str(alice.agent))
            assert "only reads" in said
            process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(process.wait(), 3)


async def test_nobody_else_gets_in(house: House, alice: Person) -> None:
    token = "a token of this test's own"
    with pytest.raises(BadInput):
        token_of(token)
    token = token.replace(" ", "-")
    async with (
        serving(house, alice, token=token) as (_process, url, told),
        httpx.AsyncClient(trust_env=False, headers=ACCEPTS) as client,
    ):
        assert token not in told, "what the environment says is not repeated"
        mine = {"authorization": f"Bearer {token}"}
        for wrong in ({}, {"authorization": "Bearer x"}, {"authorization": f"Bearer {token}x"}):
            refused = await client.post(url, json=PING, headers=wrong)
            assert refused.status_code == 401
            assert refused.headers["www-authenticate"] == "Bearer"
        twice = [("authorization", mine["authorization"]), ("authorization", "Bearer x")]
        assert (await client.post(url, json=PING, headers=twice)).status_code == 401
        assert (await client.get(url)).status_code == 401
        rebound = await client.post(url, json=PING, headers=mine | {"host": "evil.example:80"})
        assert rebound.status_code == 421
        page = await client.post(url, json=PING, headers=mine | {"origin": "https://evil.example"})
        assert page.status_code == 403
        form = await client.post(url, content=b"x", headers=mine | {"content-type": "text/plain"})
        assert form.status_code == 400
        long = await client.post(url, content=b"x" * 2_000_000, headers=mine | {"content-type": "application/json"})
        assert long.status_code == 413


@pytest.mark.parametrize(
    "place",
    ["0.0.0.0:0", "[::]:0", "192.168.1.1:0", "example.org:0", "127.0.0.1", "127.0.0.1:65536", "", "x", "1.2:0", ":0"],
)
def test_it_listens_on_this_machine_alone(place: str) -> None:
    with pytest.raises(BadInput, match="--http"):
        listener_at(place)


def test_a_port_that_is_taken_is_said_to_be() -> None:
    with listener_at("0") as listener:
        port = listener.getsockname()[1]
        assert listener.getsockname()[0] == "127.0.0.1"
        with pytest.raises(BadInput, match="cannot be taken"):
            listener_at(f"localhost:{port}")


def test_a_token_is_made_where_none_is_given() -> None:
    assert token_of(None) != token_of("")
    assert token_of("x" * 16) == "x" * 16
    for weak in ("short", "two words are not one", "ü" * 20, "x" * 201):
        with pytest.raises(BadInput, match="TALKTIME_MCP_TOKEN"):
            token_of(weak)
    assert "TALKTIME_MCP_TOKEN" not in os.environ
