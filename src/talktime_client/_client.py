"""`Client` and `AsyncClient`: the same names, for programs that wait and for asyncio.

The rule: what can be asked for stands in `_generated/`, made from the description of the API; how it is asked stands in
`_transport.py`. Nothing is added here but how a client begins and ends.
"""

from types import TracebackType
from typing import Any, Self

import httpx

from talktime_client._exchange import Answer
from talktime_client._generated.groups import AsyncGroups, Groups
from talktime_client._retry import Retry
from talktime_client._transport import TIMEOUT_SECONDS, AsyncTransport, Site, Transport

_STUBBORN = Retry()


class Client(Groups):
    """A Talktime, as the owner of a key sees it.

        with Client("https://phone.example.org", key="tt_live_…") as client:
            for call in client.calls.list(status="COMPLETED"):
                print(call.started_at, call.summary)

    It holds connections: make one, use it from as many threads as you like, and close it. A try of a request takes
    `timeout_seconds` at most, `retry` says how often there is another one. `transport` is one of httpx's, for
    certificates or proxies of your own. Plain http goes to this machine alone unless `allow_plain_http` is said.
    Raises ValueError for an address or a key that cannot be one.
    """

    def __init__(
        self,
        base_url: str,
        *,
        key: str,
        timeout_seconds: float = TIMEOUT_SECONDS,
        retry: Retry = _STUBBORN,
        transport: httpx.BaseTransport | None = None,
        allow_plain_http: bool = False,
    ) -> None:
        site = Site.at(base_url, timeout_seconds=timeout_seconds, retry=retry, allow_plain_http=allow_plain_http)
        self._transport = Transport(site, key, transport)
        super().__init__(self._transport)

    def request(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, Any] | None = None,
        json: Any = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """One request by its address (`/v1/…`), for what this version has no name for. The answer is one of 2xx, or 304
        where an If-None-Match asked for it; other ones are raised as ApiError. A POST is sent again after a broken
        connection only with an Idempotency-Key among its headers: give one to those alone that take it.
        Raises ApiError, ConnectionFailed, AnswerUnreadable."""
        return self._transport.request(method, path, params=params, json=json, headers=headers)

    def close(self) -> None:
        """Give the connections back."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self._transport.site.url!r})"


class AsyncClient(AsyncGroups):
    """The same for asyncio.

    async with AsyncClient("https://phone.example.org", key="tt_live_…") as client:
        async for call in client.calls.list(status="COMPLETED"):
            print(call.started_at, call.summary)
    """

    def __init__(
        self,
        base_url: str,
        *,
        key: str,
        timeout_seconds: float = TIMEOUT_SECONDS,
        retry: Retry = _STUBBORN,
        transport: httpx.AsyncBaseTransport | None = None,
        allow_plain_http: bool = False,
    ) -> None:
        site = Site.at(base_url, timeout_seconds=timeout_seconds, retry=retry, allow_plain_http=allow_plain_http)
        self._transport = AsyncTransport(site, key, transport)
        super().__init__(self._transport)

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, Any] | None = None,
        json: Any = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """One request by its address (`/v1/…`): see `Client.request`."""
        return await self._transport.request(method, path, params=params, json=json, headers=headers)

    async def aclose(self) -> None:
        """Give the connections back."""
        await self._transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"AsyncClient({self._transport.site.url!r})"
