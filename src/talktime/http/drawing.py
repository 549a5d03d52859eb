"""Making PDFs beside everything else that a process does: a long one takes seconds, and this process may carry calls.

The rule: never on the loop, two at a time, and one at a time for each customer, who waits for their own documents
before they wait for a place: so nobody takes the places of all others. A month is read when its turn has come; what
would take longer than anybody waits is refused.
"""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from weakref import WeakKeyDictionary, WeakValueDictionary

from talktime.errors import BadInput, TalktimeError

AT_ONCE = 2
WAIT_SECONDS_MAX = 30.0
LINES_MAX = 10_000
"""Of a statement. As measured: 0.3 s for 1,000 lines, 3 s for 10,000 on a processor that has nothing else to do, and
twice that where two are drawn at once."""


class TooManyLines(BadInput):
    """This month has more lines than a PDF is made of: take the CSV file instead."""


class DrawingBusy(TalktimeError):
    """Many documents are being made at the moment: try again in a minute."""

    status = 503


class _Places:
    """The places of one loop, and whose turn it is among each customer's own documents."""

    def __init__(self) -> None:
        self.of_all = asyncio.Semaphore(AT_ONCE)
        self._of_each: WeakValueDictionary[uuid.UUID, asyncio.Lock] = WeakValueDictionary()

    def of(self, user: uuid.UUID | None) -> asyncio.Lock:
        """The turn of this customer; it is kept for as long as somebody has it or waits for it."""
        return asyncio.Lock() if user is None else self._of_each.setdefault(user, asyncio.Lock())


# A place belongs to the loop it is waited for on; a server has one.
_PLACES: WeakKeyDictionary[asyncio.AbstractEventLoop, _Places] = WeakKeyDictionary()


@contextlib.asynccontextmanager
async def a_place(user: uuid.UUID | None = None) -> AsyncIterator[None]:
    """Wait for one of the places where documents are made, to read and to draw one of `user`'s. Raises DrawingBusy."""
    places = _PLACES.setdefault(asyncio.get_running_loop(), _Places())
    async with contextlib.AsyncExitStack() as taken:
        try:
            async with asyncio.timeout(WAIT_SECONDS_MAX):
                await taken.enter_async_context(places.of(user))
                await taken.enter_async_context(places.of_all)
        except TimeoutError:
            raise DrawingBusy from None
        yield


def refuse_too_long(lines: int) -> None:
    """Raise TooManyLines for a statement of so many lines, which takes too long to draw. Asked before it is read."""
    if lines > LINES_MAX:
        raise TooManyLines(
            f"This month has {lines:,} lines, and a PDF is made of {LINES_MAX:,} at most: take the CSV file instead,"
            " which has all of them."
        )
