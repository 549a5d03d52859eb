"""What all groups of requests have in common: `client.agents`, `client.admin.users`, …

The rule: one deed has one idempotency key, made before the first try, so that however often it is sent it is done once.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, TypeVar
from urllib.parse import quote

from talktime_client._exchange import IDEMPOTENCY_KEY, Answer
from talktime_client._paging import AsyncPages, Page, Pages
from talktime_client._transport import AsyncTransport, Transport
from talktime_client._values import UNSET, Unset, fields_written, is_object, read_all_as, read_as, state_written
from talktime_client.errors import AnswerUnreadable

Shape = TypeVar("Shape")


class Group:
    """Requests about one kind of thing."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def _ask(
        self,
        shape: type[Shape],
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        if_match: str | Unset | None = UNSET,
        once: str | Unset | None = UNSET,
    ) -> Shape:
        headers = _headers(if_match, once)
        return _read(shape, self._transport.request(method, path, params=params, json=_body(body), headers=headers))

    def _do(self, method: str, path: str) -> None:
        self._transport.request(method, path)

    def _json(self, path: str) -> Any:
        return self._transport.request("GET", path).json()

    def _file(self, path: str, kind: str) -> bytes:
        return self._transport.request("GET", path, headers={"accept": kind}).body

    def _pages(self, shape: type[Shape], path: str, params: Mapping[str, Any], cursor: str | None) -> Pages[Shape]:
        def ask(cursor: str | None) -> Page[Shape]:
            return _page(shape, self._transport.request("GET", path, params={**params, "cursor": cursor}))

        return Pages(ask, cursor)


class AsyncGroup:
    """The same for asyncio."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def _ask(
        self,
        shape: type[Shape],
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        if_match: str | Unset | None = UNSET,
        once: str | Unset | None = UNSET,
    ) -> Shape:
        headers = _headers(if_match, once)
        answer = await self._transport.request(method, path, params=params, json=_body(body), headers=headers)
        return _read(shape, answer)

    async def _do(self, method: str, path: str) -> None:
        await self._transport.request(method, path)

    async def _json(self, path: str) -> Any:
        return (await self._transport.request("GET", path)).json()

    async def _file(self, path: str, kind: str) -> bytes:
        return (await self._transport.request("GET", path, headers={"accept": kind})).body

    def _pages(self, shape: type[Shape], path: str, params: Mapping[str, Any], cursor: str | None) -> AsyncPages[Shape]:
        async def ask(cursor: str | None) -> Page[Shape]:
            return _page(shape, await self._transport.request("GET", path, params={**params, "cursor": cursor}))

        return AsyncPages(ask, cursor)


def part(value: str) -> str:
    """A part of an address. Raises ValueError for what would lead elsewhere."""
    if value in ("", ".", ".."):
        raise ValueError("A name in an address has a character in it, and is not . or ..")
    return quote(value, safe="")


def _headers(if_match: str | Unset | None, once: str | Unset | None) -> dict[str, str]:
    headers: dict[str, str] = {}
    if if_match is not UNSET:
        headers["if-match"] = state_written(if_match)
    if once is not UNSET:
        headers[IDEMPOTENCY_KEY] = str(uuid.uuid4()) if once is None else once
    return headers


def _body(body: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if body is None else fields_written(body)


def _read(shape: type[Shape], answer: Answer) -> Shape:
    said = answer.json()
    if is_object(said) and is_dataclass(shape) and any(each.name == "etag" for each in fields(shape)):
        # The state stands in a header, and belongs to what was read.
        said = {**said, "etag": answer.etag}
    return read_as(shape, said)


def _page(shape: type[Shape], answer: Answer) -> Page[Shape]:
    said = answer.json()
    if not is_object(said):
        raise AnswerUnreadable("The answer is not what it should be: the whole is no page.")
    head = read_as(_Head, said)
    return Page(read_all_as(shape, said.get("data")), head.next_cursor, head.has_more)


@dataclass(frozen=True, slots=True)
class _Head:
    """What a page says beside its rows."""

    next_cursor: str | None
    has_more: bool
