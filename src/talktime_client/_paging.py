"""Lists that come in pages, and are walked through as if they did not.

The rule: no page is asked for before somebody wants what is on it, and a server that goes in a circle is not followed.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from talktime_client.errors import AnswerUnreadable

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """A page of a list. One may be empty and followed by others."""

    data: tuple[Item, ...]
    next_cursor: str | None
    has_more: bool


class Pages(Generic[Item]):
    """A list: go through it as often as you like, each time anew from its beginning (or from the `cursor` you gave)."""

    def __init__(self, ask: Callable[[str | None], Page[Item]], cursor: str | None = None) -> None:
        self._ask = ask
        self._cursor = cursor

    def __iter__(self) -> Iterator[Item]:
        for page in self.pages():
            yield from page.data

    def pages(self) -> Iterator[Page[Item]]:
        """Page by page; each has the `next_cursor` from which to go on another time."""
        cursor = self._cursor
        while True:
            page = self._ask(cursor)
            yield page
            cursor = _next(page, cursor)
            if cursor is None:
                return

    def first_page(self) -> Page[Item]:
        """The first page alone."""
        return self._ask(self._cursor)


class AsyncPages(Generic[Item]):
    """The same for asyncio."""

    def __init__(self, ask: Callable[[str | None], Awaitable[Page[Item]]], cursor: str | None = None) -> None:
        self._ask = ask
        self._cursor = cursor

    async def __aiter__(self) -> AsyncIterator[Item]:
        async for page in self.pages():
            for each in page.data:
                yield each

    async def pages(self) -> AsyncIterator[Page[Item]]:
        """Page by page; each has the `next_cursor` from which to go on another time."""
        cursor = self._cursor
        while True:
            page = await self._ask(cursor)
            yield page
            cursor = _next(page, cursor)
            if cursor is None:
                return

    async def first_page(self) -> Page[Item]:
        """The first page alone."""
        return await self._ask(self._cursor)


def _next(page: Page[Item], cursor: str | None) -> str | None:
    if not page.has_more or page.next_cursor is None:
        return None
    if page.next_cursor == cursor:
        raise AnswerUnreadable("The server gives the same page over and over.")
    return page.next_cursor
