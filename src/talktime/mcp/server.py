"""The protocol's side: what is listed, called and read, for whatever carries it.

The rule: a tool that fails is an answer that says what to do, not an error of the protocol; that is kept for what is
asked for wrongly. What is not expected is logged by its kind alone and told to nobody.
"""

import asyncio
import time
from importlib.metadata import version
from typing import Any

import mcp_types as types
from mcp.server import Server, ServerRequestContext
from mcp.shared.exceptions import MCPError

from talktime import log
from talktime.mcp import answers, door
from talktime.mcp.guide import instructions
from talktime.mcp.resources import Resources
from talktime.mcp.session import Session
from talktime_client import errors

_SECONDS_MAX = 90.0
"""For one call of a tool, everything included."""
_NAME_MAX = 100
_LOGGER = log.get(__name__)

_Context = ServerRequestContext[Any]
_Page = types.PaginatedRequestParams | None


def server_of(session: Session) -> Server[Any]:
    """A server for one key's session; it keeps nothing between calls, so that many may use it at once."""
    resources = Resources(session)
    tools = [offer.tool for offer in session.offers.open.values()]

    async def list_tools(_context: _Context, _page: _Page) -> types.ListToolsResult:
        return types.ListToolsResult(tools=tools)

    async def call_tool(_context: _Context, asked: types.CallToolRequestParams) -> types.CallToolResult:
        return await call(session, asked.name, asked.arguments or {})

    async def list_resources(_context: _Context, _page: _Page) -> types.ListResourcesResult:
        return types.ListResourcesResult(resources=await resources.listed())

    async def list_templates(_context: _Context, _page: _Page) -> types.ListResourceTemplatesResult:
        return types.ListResourceTemplatesResult(resource_templates=resources.templates())

    async def read_resource(_context: _Context, asked: types.ReadResourceRequestParams) -> types.ReadResourceResult:
        return await resources.read(str(asked.uri))

    return Server(
        "talktime",
        version=version("talktime"),
        title="Talktime",
        instructions=instructions(session),
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=list_resources,
        on_list_resource_templates=list_templates,
        on_read_resource=read_resource,
    )


async def call(session: Session, name: str, arguments: dict[str, Any]) -> types.CallToolResult:
    """Call a tool. Raises MCPError for one that there is not."""
    offer = session.offers.open.get(name)
    if offer is None:
        if (reason := session.offers.closed.get(name)) is None:
            raise MCPError(types.INVALID_PARAMS, f"There is no tool {name[:_NAME_MAX]!r}: tools/list names them.")
        return answers.said(f"Nothing was done. {reason}")
    if wrong := offer.wrong_with(arguments):
        return answers.malformed(wrong)
    began = time.monotonic()
    outcome = "answered"
    try:
        async with asyncio.timeout(_SECONDS_MAX):
            document, etag = await door.ask(session.client, offer.operation, arguments)
        return answers.shown(offer, document, etag)
    except errors.TalktimeError as error:
        outcome = type(error).__name__
        return answers.refused(offer, error)
    except door.Unsendable as error:
        outcome = "unsendable"
        return answers.said(str(error))
    except TimeoutError:
        outcome = "out of time"
        return answers.out_of_time(offer, _SECONDS_MAX)
    except asyncio.CancelledError:
        outcome = "cancelled"
        raise
    except Exception as error:
        outcome = "our fault"
        _LOGGER.error("unexpected error", tool=name, exc_info=error)
        return answers.said("Something went wrong here. Look whether it was done before you try it again.")
    finally:
        milliseconds = round(1000 * (time.monotonic() - began))
        _LOGGER.info("a tool was called", tool=name, outcome=outcome, milliseconds=milliseconds)
