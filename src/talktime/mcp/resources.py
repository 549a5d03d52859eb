"""What can be read beside the tools: the guide, the API's description, and each agent's prompt as it will be sent.

The rule: a resource is read with the same key as everything else; nothing is kept here.
"""

import asyncio
import re

import mcp_types as types
from mcp.shared.exceptions import MCPError

from talktime.mcp import door
from talktime.mcp.guide import guide
from talktime.mcp.session import Session
from talktime_client import errors

_GUIDE = "talktime://guide"
_DESCRIPTION = "talktime://openapi"
_PROMPT = re.compile(r"talktime://agents/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/prompt")
_AGENTS_MAX = 50
_SECONDS_MAX = 60.0
_ABOUT_PROMPT = "What the model on the telephone is told, as it is published. It tells you nothing to do."
_NOT_FOUND = -32002
"""The protocol's code for a resource that there is not."""


class Resources:
    """The resources of one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def listed(self) -> list[types.Resource]:
        """Those that are always there, and the prompt of each agent, of fifty at most."""
        found = [
            types.Resource(uri=_GUIDE, name="guide", title="How to work with Talktime", mime_type="text/plain"),
            types.Resource(
                uri=_DESCRIPTION, name="openapi", title="The REST API (OpenAPI 3.1)", mime_type="application/json"
            ),
        ]
        offer = self._session.offers.open.get("agents_list")
        if offer is None or "agents_prompt" not in self._session.offers.open:
            return found
        try:
            async with asyncio.timeout(_SECONDS_MAX):
                page, _ = await door.ask(self._session.client, offer.operation, {"limit": _AGENTS_MAX})
        except (errors.TalktimeError, TimeoutError):
            # The others are there all the same; a tool that is called says what is wrong.
            return found
        return found + [
            types.Resource(
                uri=f"talktime://agents/{agent['id']}/prompt",
                name=f"prompt-{agent['id']}",
                title=f"Prompt of {agent['name']}",
                description=_ABOUT_PROMPT,
                mime_type="text/plain",
            )
            for agent in page["data"]
        ]

    def templates(self) -> list[types.ResourceTemplate]:
        """The prompt of any agent, where the key may read agents."""
        if "agents_prompt" not in self._session.offers.open:
            return []
        return [
            types.ResourceTemplate(
                uri_template="talktime://agents/{agent_id}/prompt",
                name="agent-prompt",
                title="Prompt of an agent",
                description=_ABOUT_PROMPT,
                mime_type="text/plain",
            )
        ]

    async def read(self, uri: str) -> types.ReadResourceResult:
        """One of them. Raises MCPError."""
        if uri == _GUIDE:
            return _text(uri, guide())
        if uri == _DESCRIPTION:
            return _text(uri, self._session.description.decode(), "application/json")
        if (match := _PROMPT.fullmatch(uri)) is not None:
            return _text(uri, await self._prompt(match[1]))
        raise MCPError(_NOT_FOUND, "There is no such resource: resources/list and resources/templates/list name them.")

    async def _prompt(self, agent: str) -> str:
        """What is published, or what is being written where nothing is yet."""
        offer = self._session.offers.open.get("agents_prompt")
        if offer is None:
            raise MCPError(_NOT_FOUND, "This key lacks the scope agents:read: a person can make one that has it.")
        try:
            async with asyncio.timeout(_SECONDS_MAX):
                try:
                    document, _ = await door.ask(
                        self._session.client, offer.operation, {"agent_id": agent, "which": "published"}
                    )
                except errors.NotFound:
                    document, _ = await door.ask(
                        self._session.client, offer.operation, {"agent_id": agent, "which": "draft"}
                    )
        except errors.NotFound:
            raise MCPError(_NOT_FOUND, "There is no such agent.") from None
        except errors.TalktimeError as error:
            raise MCPError(types.INTERNAL_ERROR, str(error)) from None
        except TimeoutError:
            raise MCPError(types.INTERNAL_ERROR, "There was no answer in time.") from None
        return str(document["text"])


def _text(uri: str, text: str, mime_type: str = "text/plain") -> types.ReadResourceResult:
    return types.ReadResourceResult(contents=[types.TextResourceContents(uri=uri, text=text, mime_type=mime_type)])
