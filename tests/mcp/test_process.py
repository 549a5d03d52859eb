"""`talktime mcp` as an assistant starts it: a process that speaks over its standard input and output."""

import asyncio
import contextlib
import json
import re
import signal
import sys
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Container
from pathlib import Path
from typing import Any

import pytest

from talktime.cli.mcp import NeedsExtra, key_from
from talktime.cli.mcp import mcp as command
from talktime.errors import BadInput
from tests.api.program import key_of
from tests.house import House
from tests.mcp.assistant import answer_of, done, process_of, refusal_of, started
from tests.mcp.relay import Relay
from tests.people import Person
from tests.web.stage import answer, finish, say

INITIALIZE = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "a test", "version": "1"},
}


class Wire:
    """The process's end of the protocol, line by line."""

    def __init__(self, process: Process) -> None:
        self.process = process

    async def send(self, method: str, params: Any = None, *, number: int | None = None) -> None:
        message: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
        message |= {"id": number} if number is not None else {}
        message |= {"params": params} if params is not None else {}
        await self.write(json.dumps(message).encode() + b"\n")

    async def write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        await self.process.stdin.drain()

    async def answer(self, number: int) -> dict[str, Any]:
        """The answer to a request."""
        return await self.any_answer([number])

    async def any_answer(self, numbers: Container[int]) -> dict[str, Any]:
        """The next answer to one of these; every line before it must be one of the protocol, too."""
        assert self.process.stdout is not None
        async with asyncio.timeout(20):
            while line := await self.process.stdout.readline():
                message: dict[str, Any] = json.loads(line)
                assert message["jsonrpc"] == "2.0"
                if message.get("id") in numbers:
                    return message
        raise AssertionError("the process ended")

    async def ask(self, number: int, method: str, params: Any = None) -> dict[str, Any]:
        await self.send(method, params, number=number)
        return await self.answer(number)

    async def call(self, number: int, tool: str, **arguments: Any) -> None:
        await self.send("tools/call", {"name": tool, "arguments": arguments}, number=number)

    async def begin(self) -> None:
        answered = await self.ask(0, "initialize", INITIALIZE)
        assert answered["result"]["serverInfo"]["name"] == "talktime"
        await self.send("notifications/initialized")

    async def ended(self) -> int:
        """The exit code, which comes within a second."""
        began = time.monotonic()
        code = await asyncio.wait_for(self.process.wait(), 5)
        assert time.monotonic() - began < 1.0
        return code

    async def errors(self) -> str:
        assert self.process.stderr is not None
        return (await asyncio.wait_for(self.process.stderr.read(), 5)).decode()


@contextlib.asynccontextmanager
async def wire(url: str, key: str, *more: str) -> AsyncIterator[Wire]:
    async with process_of(url, key, *more) as process:
        yield Wire(process)


@contextlib.asynccontextmanager
async def waiting(house: House, person: Person, relay: Relay) -> AsyncIterator[Wire]:
    """In the middle of a request, the first, which the relay holds up."""
    async with wire(relay.url, await key_of(house.database, person)) as begun:
        await begun.begin()
        relay.hold_up()
        await begun.call(1, "credits_read")
        await asyncio.wait_for(relay.held_up.wait(), 5)
        yield begun


async def refused_at_once(url: str, key: str, *more: str) -> str:
    """What it says on standard error when it does not begin; on standard output it says nothing."""
    async with wire(url, key, *more) as begun:
        out, errors = await asyncio.wait_for(begun.process.communicate(b""), 30)
    assert begun.process.returncode == 1
    assert out == b""
    lines = errors.decode().splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("talktime: ")
    return lines[0]


async def test_an_assistant_starts_it_and_works_with_it(house: House, alice: Person, tmp_path: Path) -> None:
    call = await answer(house.database, alice)
    await say(house.database, alice, call, 1, "Good morning.")
    await finish(house.database, alice, call, 60)
    key = await key_of(house.database, alice)
    log = tmp_path / "log"
    async with started(house, key, log) as client:
        assert client.server_info is not None
        assert client.server_info.name == "talktime"
        assert "untrusted" in (client.instructions or "")
        names = {tool.name for tool in (await client.list_tools()).tools}
        assert {"calls_list", "agents_publish", "credits_read"} <= names
        assert (await done(client, "calls_read", call_id=str(call)))["turns"][0]["text"] == {
            "untrusted": "Good morning."
        }
        agent = {"agent_id": str(alice.agent)}
        seen = answer_of(await client.call_tool("agents_read", agent))["etag"]
        changed = await done(client, "agents_change", etag=seen, name="Ärzte & 名前", **agent)
        assert changed["name"] == "Ärzte & 名前"
        _, problem = await refusal_of(client, "agents_change", etag=seen, name="Late", **agent)
        assert problem["status"] == 412
        said, _ = await refusal_of(client, "calls_read", call_id="x")
        assert "- call_id: " in said
    written = log.read_text()
    assert '"tool": "agents_change"' in written
    assert "StaleVersion" in written
    for secret in (key, "Good morning", "Ärzte", str(call), alice.number, "Traceback"):
        assert secret not in written, written


async def test_what_only_reads_changes_nothing_by_any_name(house: House, alice: Person, tmp_path: Path) -> None:
    key_file = tmp_path / "key"
    key_file.write_text(await key_of(house.database, alice) + "\n")
    key_file.chmod(0o600)
    async with started(house, "", tmp_path / "log", "--read-only", "--key-file", str(key_file)) as client:
        tools = (await client.list_tools()).tools
        assert tools
        assert all(tool.annotations is not None and tool.annotations.read_only_hint for tool in tools)
        said, _ = await refusal_of(client, "agents_archive", agent_id=str(alice.agent))
        assert "only reads" in said
        assert (await done(client, "agents_read", agent_id=str(alice.agent)))["archived_at"] is None


async def test_what_cannot_work_is_said_at_the_start(house: House) -> None:
    said = await refused_at_once(house.settings.base_url, "tt_live_nothing")
    assert "refuses the key" in said
    assert "tt_live_" not in said
    assert "TALKTIME_API_KEY" in await refused_at_once(house.settings.base_url, "")


def test_a_key_comes_from_a_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TALKTIME_API_KEY", "tt_live_of_the_environment")
    assert key_from(None) == "tt_live_of_the_environment"
    file = tmp_path / "key"
    file.write_text("tt_live_of_the_file\n")
    file.chmod(0o600)
    assert key_from(file) == "tt_live_of_the_file"
    assert capsys.readouterr().err == ""
    file.chmod(0o644)
    assert key_from(file) == "tt_live_of_the_file"
    warned = capsys.readouterr().err
    assert "everybody on this machine can read" in warned
    assert "tt_live_" not in warned
    for wrong in (tmp_path / "none", tmp_path):
        with pytest.raises(BadInput, match="cannot be read"):
            key_from(wrong)


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALKTIME_API_KEY", "tt_live_x")
    # None there is what a package that is not installed looks like to an import.
    monkeypatch.setitem(sys.modules, "mcp_types", None)
    for name in [each for each in sys.modules if each.startswith("talktime.mcp")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(NeedsExtra, match=r"talktime\[mcp\]"):
        command("https://phone.example.org")


async def test_it_ends_in_the_middle_of_a_request_too(house: House, alice: Person, relay: Relay) -> None:
    async with waiting(house, alice, relay) as begun:
        assert begun.process.stdin is not None
        begun.process.stdin.close()
        assert await begun.ended() == 0
        assert "Traceback" not in await begun.errors()


async def test_a_signal_ends_it(house: House, alice: Person, relay: Relay) -> None:
    async with waiting(house, alice, relay) as begun:
        begun.process.send_signal(signal.SIGTERM)
        assert await begun.ended() == -signal.SIGTERM
        assert "Traceback" not in await begun.errors()


async def test_a_request_that_is_cancelled_is_given_up_and_holds_nobody_up(
    house: House, alice: Person, relay: Relay
) -> None:
    async with waiting(house, alice, relay) as begun:
        # Whoever asks for what needs no server is answered meanwhile.
        assert (await begun.ask(2, "tools/list"))["result"]["tools"]
        await begun.send("notifications/cancelled", {"requestId": 1, "reason": "no longer needed"})
        relay.let_go()
        await begun.call(3, "credits_read")
        answered = await begun.answer(3)
        assert answered["result"]["structuredContent"]["answer"]["balance"] == 1000
        assert begun.process.stdin is not None
        begun.process.stdin.close()
        assert await begun.ended() == 0
        assert re.search(r'"outcome": "cancelled"', await begun.errors())


async def test_what_is_no_message_ends_nothing(house: House, alice: Person) -> None:
    key = await key_of(house.database, alice)
    async with wire(house.settings.base_url, key) as begun:
        await begun.begin()
        for nonsense in (
            b"\n", b"hello\n", b"{}\n", b"[1]\n", b"\xff\xfe\n", b'{"jsonrpc":"2.0","id":9,"method":7}\n',
            b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":[]}}\n',
            b"[" * 100_000 + b"\n",
        ):  # fmt: skip
            await begun.write(nonsense)
        assert "error" in await begun.ask(1, "tools/destroy")
        assert "error" in await begun.ask(2, "tools/call", {"arguments": {}})
        assert "error" in await begun.ask(3, "tools/call", {"name": "credits_read", "arguments": [1]})
        assert "error" in await begun.ask(4, "resources/read", {"uri": "talktime://nothing"})
        # Half a character, and a number that is none: Python's JSON writes both, and neither can be sent on.
        await begun.call(5, "agents_make", name="\ud800", business="x")
        await begun.call(6, "credits_settings_change", etag='"x"', day_limit=float("nan"))
        # More at once than there may be: each is answered, and each that was made is there.
        for number in range(10, 40):
            await begun.call(number, "agents_make", name=f"Desk {number}", business="x" * 200)
        answered = [await begun.any_answer(range(10, 40)) for _ in range(30)]
        assert {message["id"] for message in answered} == set(range(10, 40))
        refused = [each for each in answered if each["result"]["isError"]]
        assert {each["result"]["structuredContent"]["problem"]["status"] for each in refused} == {409}
        await begun.call(40, "agents_list", limit=50)
        agents = (await begun.answer(40))["result"]["structuredContent"]["answer"]["data"]
        assert len(agents) == house.settings.agents_max == 1 + 30 - len(refused)
        assert begun.process.stdin is not None
        begun.process.stdin.close()
        assert await begun.ended() == 0
        errors = await begun.errors()
        assert "unexpected error" not in errors
        assert "Traceback" not in errors
