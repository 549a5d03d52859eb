"""An assistant: the SDK's own client at the other end, in this process or of one that was started for it."""

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

from mcp.client.stdio import stdio_client
from mcp.types import CallToolResult, TextContent, TextResourceContents

from mcp import Client, StdioServerParameters
from talktime.mcp.server import server_of
from talktime.mcp.session import begin
from tests.api.program import OF_CUSTOMERS, key_of
from tests.house import House
from tests.people import Person


@contextlib.asynccontextmanager
async def assistant_of(
    house: House,
    person: Person,
    scopes: Iterable[str] = OF_CUSTOMERS,
    *,
    read_only: bool = False,
    admin: bool = False,
    url: str | None = None,
) -> AsyncIterator[Client]:
    """An assistant of somebody's for as long as the block; the requests go over a real port."""
    key = await key_of(house.database, person, scopes)
    async with (
        begin(url or house.settings.base_url, key, read_only=read_only, admin=admin) as session,
        Client(server_of(session), mode="legacy") as client,
    ):
        yield client


@contextlib.asynccontextmanager
async def started(
    house: House, key: str, errors: Path, *more: str, url: str | None = None, mode: str = "auto"
) -> AsyncIterator[Client]:
    """An assistant that started `talktime mcp`; what that writes to standard error is in the file."""
    parameters = StdioServerParameters(
        command=sys.executable,
        args=["-m", "talktime", "mcp", "--url", url or house.settings.base_url, *more],
        env=environment(key),
    )
    with errors.open("w") as log:
        async with Client(stdio_client(parameters, errlog=log), mode=mode) as client:
            yield client


@contextlib.asynccontextmanager
async def process_of(url: str, key: str, *more: str, **variables: str) -> AsyncIterator[Process]:
    """`talktime mcp` with nobody at the other end yet, for as long as the block at most."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "talktime", "mcp", "--url", url, *more,
        stdin=PIPE, stdout=PIPE, stderr=PIPE, env=environment(key) | variables, limit=2**24,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def environment(key: str) -> dict[str, str]:
    """What the process sees: nothing of ours but the key."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TALKTIME_", "DATABASE_URL"))}
    return kept | {"TALKTIME_API_KEY": key}


async def done(client: Client, tool: str, **arguments: Any) -> Any:
    """What a tool answers, which must not refuse."""
    return answer_of(await client.call_tool(tool, arguments))["answer"]


def answer_of(result: CallToolResult) -> dict[str, Any]:
    """The structured content of an answer that is no refusal."""
    assert not result.is_error, text_of(result)
    content: dict[str, Any] = result.structured_content
    return content


async def refusal_of(client: Client, tool: str, **arguments: Any) -> tuple[str, dict[str, Any]]:
    """What a tool says when it refuses: the text, and the problem."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error, result
    problem: dict[str, Any] = result.structured_content["problem"]
    return text_of(result), problem


async def read(client: Client, uri: str) -> str:
    """The text of a resource."""
    contents = (await client.read_resource(uri)).contents[0]
    assert isinstance(contents, TextResourceContents)
    return contents.text


def text_of(result: CallToolResult) -> str:
    """All of its text."""
    return "\n".join(block.text for block in result.content if isinstance(block, TextContent))
