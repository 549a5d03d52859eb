"""Reading what a provider streams, with a limit on every wait.

The rule here: a stream that is left, for whatever reason, is closed, which is what cancels the request behind it.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import TypeVar

Piece = TypeVar("Piece")


async def closing(stream: AsyncIterator[Piece]) -> AsyncGenerator[Piece, None]:
    """The same stream as a generator, which closes the one inside when it is closed itself."""
    try:
        async for piece in stream:
            yield piece
    finally:
        await close(stream)


async def timed(
    stream: AsyncIterator[Piece], *, first_seconds_max: float, next_seconds_max: float
) -> AsyncGenerator[Piece, None]:
    """The same stream; raises TimeoutError when the first piece, or one after it, takes too long."""
    seconds = first_seconds_max
    try:
        while True:
            try:
                async with asyncio.timeout(seconds):
                    piece = await anext(stream)
            except StopAsyncIteration:
                return
            yield piece
            seconds = next_seconds_max
    finally:
        await close(stream)


async def close(stream: AsyncIterator[Piece]) -> None:
    """Close a stream of whatever kind; a plain iterator has nothing to close."""
    aclose = getattr(stream, "aclose", None)
    if aclose is not None:
        await aclose()
