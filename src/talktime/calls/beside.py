"""The calls beside one, as a list goes on from it: the newer and the older one that the same filter lets pass.

The rule: each way is a look-up from where the call stands, through the index that its list reads, and never a count.
The call need not be in the list itself.
"""

import uuid
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from talktime.calls import history, search
from talktime.calls.history import CallFilter, Place

_STRETCH = timedelta(days=4)
"""How far the index of words is asked at first; twice as far each time that nothing was there."""
_HITS = 500
_BROKEN_OFF_MAX = 5
"""So often a search that was broken off goes on."""
_EVERY_CALL = CallFilter()


async def beside(
    db: AsyncSession, user: uuid.UUID, here: Place, which: CallFilter | None = None, *, words: str = ""
) -> tuple[uuid.UUID | None, uuid.UUID | None]:
    """The next newer and the next older call of a user; None where there is none, or none is found soon.

    Raises NothingToLookFor for words that are none, or too long.
    """
    which = which or _EVERY_CALL
    if words:
        return await _newer_with(db, user, here, which, words), await _older_with(db, user, here, which, words)
    newer = await history.page(db, user, which, limit=1, after=here, oldest_first=True)
    older = await history.page(db, user, which, limit=1, after=here)
    return (newer[0].id if newer else None), (older[0].id if older else None)


async def _older_with(
    db: AsyncSession, user: uuid.UUID, here: Place, which: CallFilter, words: str
) -> uuid.UUID | None:
    after: Place | None = here
    for _ in range(_BROKEN_OFF_MAX):
        found = await search.search(db, user, which, words=words, limit=1, after=after)
        if found.calls:
            return found.calls[0].id
        after = found.older
        if after is None:
            break
    return None


async def _newer_with(
    db: AsyncSession, user: uuid.UUID, here: Place, which: CallFilter, words: str
) -> uuid.UUID | None:
    """The index of words goes from the newest call down: what is said often is found in the calls that come next, what
    is said seldom in the first stretch of time that has it."""
    coming = await history.page(db, user, which, limit=search.LOOKED_THROUGH, after=here, oldest_first=True)
    hits = await search.said_on(db, user, [call.id for call in coming], words)
    if hits.calls:
        return hits.calls[0]
    if len(coming) < search.LOOKED_THROUGH:
        return None
    newest = (await history.page(db, user, which, limit=1))[0].started_at
    begin, stretch = coming[-1].started_at, _STRETCH
    while begin <= newest:
        end = begin + stretch
        oldest = await _oldest_with(db, user, _within(which, begin, end), words)
        if oldest is not None:
            return oldest
        begin, stretch = end, 2 * stretch
    return None


def _within(which: CallFilter, begin: datetime, end: datetime) -> CallFilter:
    """What passes of a stretch that begins after the filter's first day."""
    return replace(which, began_from=begin, began_before=min(end, which.began_before or end))


async def _oldest_with(db: AsyncSession, user: uuid.UUID, which: CallFilter, words: str) -> uuid.UUID | None:
    oldest: uuid.UUID | None = None
    below: uuid.UUID | None = None
    while True:
        hits = await search.by_words(db, user, which, words, limit=_HITS, below=below)
        oldest = hits.calls[-1] if hits.calls else oldest
        if hits.reached is None:
            return oldest
        below = hits.reached
