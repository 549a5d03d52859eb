"""Making PDFs beside everything else that a process does: a long one takes seconds, and this process may carry calls.

The rule: never on the loop, and two at a time. Whoever comes meanwhile waits, and a month is read when its turn has
come; what would take longer than anybody waits is refused.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from weakref import WeakKeyDictionary

from talktime.documents.values import StatementDocument
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


# A place belongs to the loop it is waited for on; a server has one.
_PLACES: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


@contextlib.asynccontextmanager
async def a_place() -> AsyncIterator[None]:
    """Wait for one of the places where documents are made, to read and to draw one. Raises DrawingBusy."""
    places = _PLACES.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(AT_ONCE))
    try:
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            await places.acquire()
    except TimeoutError:
        raise DrawingBusy from None
    try:
        yield
    finally:
        places.release()


def refuse_too_long(statement: StatementDocument) -> None:
    """Raise TooManyLines for a statement that takes too long to draw."""
    if len(statement.lines) > LINES_MAX:
        raise TooManyLines(
            f"This month has {len(statement.lines):,} lines, and a PDF is made of {LINES_MAX:,} at most: take the CSV"
            " file instead, which has all of them."
        )
