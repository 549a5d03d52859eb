"""Twilio's REST API: one request, what it answers, and whether that is success.

The one rule: nothing is sent twice but what makes no difference twice, and that only when the connection was closed
before an answer came: an idle one is closed by the other side at times just as it is used again. (RFC 9110, 9.2.2)
"""

import asyncio
import re
from collections.abc import Mapping
from typing import Any

import httpx
import orjson

from talktime.errors import ProviderError

CALL_ID = re.compile(r"CA[0-9a-f]{32}", re.ASCII)
E164 = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_CLOSED = (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)
_REPEATABLE = ("GET", "DELETE")


class TwilioApi:
    """The API, as one account may use it."""

    def __init__(self, account_sid: str, auth_token: str, client: httpx.AsyncClient) -> None:
        self._auth = (account_sid, auth_token)
        self._client = client

    async def send(
        self,
        method: str,
        url: str,
        form: Mapping[str, str] | None = None,
        *,
        query: Mapping[str, str] | None = None,
        seconds_max: float,
        repeatable: bool = False,
    ) -> httpx.Response:
        """Whatever it answers. A POST is sent once, unless it is `repeatable`. Raises ProviderError."""
        try:
            async with asyncio.timeout(seconds_max):
                try:
                    return await self._send(method, url, form, query)
                except _CLOSED:
                    if not repeatable and method not in _REPEATABLE:
                        raise
                return await self._send(method, url, form, query)
        except (httpx.HTTPError, TimeoutError) as error:
            raise ProviderError(f"Twilio cannot be reached: {type(error).__name__}") from error

    async def _send(
        self, method: str, url: str, form: Mapping[str, str] | None, query: Mapping[str, str] | None
    ) -> httpx.Response:
        return await self._client.request(method, url, data=form, params=query, auth=self._auth)


def said_by(response: httpx.Response) -> dict[str, Any]:
    """What an answer says; {} for what is no JSON object, as proxies send with their errors."""
    try:
        said = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return {}
    return said if isinstance(said, dict) else {}


def require_success(status: int, said: dict[str, Any], what: str) -> None:
    """Anything but success is an error; it is worth another try when Twilio is at fault or asks us to slow down."""
    if 200 <= status < 300:
        return
    permanent = status < 500 and status not in (408, 409, 425, 429)
    code = f", code {said['code']}" if isinstance(said.get("code"), int) else ""
    raise ProviderError(f"Twilio refused to {what}: HTTP {status}{code}", permanent=permanent)
