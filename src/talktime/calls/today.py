"""How somebody's day goes: how many called, how many the agent answered, and how fast it answers.

The rule: a day is read from the index of a customer's calls by their time, and the reply time from the newest calls
alone, so that a long history costs nothing.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

REPLY_CALLS = 30
"""Over so many of the newest calls the reply time is told."""

# Legs to persons are no calls of their own here.
_DAY = text(
    """
    SELECT count(*) AS calls,
        count(*) FILTER (WHERE status <> 'RINGING') AS settled,
        count(*) FILTER (WHERE answered_at IS NOT NULL) AS answered,
        count(*) FILTER (WHERE end_reason = 'transferred') AS put_through
    FROM calls WHERE user_id = :user AND started_at >= :since AND parent_id IS NULL
    """
)
_REPLY = text(
    """
    SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY t.reply)
    FROM (
        SELECT id FROM calls WHERE user_id = :user AND answered_at IS NOT NULL
        ORDER BY started_at DESC, id DESC LIMIT :calls
    ) c
    CROSS JOIN LATERAL (
        SELECT CAST(latency->>'first_audio' AS integer) AS reply
        FROM call_turns WHERE user_id = :user AND call_id = c.id AND latency IS NOT NULL
        OFFSET 0
    ) t
    WHERE t.reply IS NOT NULL
    """
)


@dataclass(frozen=True, slots=True)
class Today:
    """The calls since midnight."""

    calls: int
    settled: int
    """Those of which one knows by now whether the agent answered: all but the ringing ones."""
    answered: int
    """By the agent; the others got the fallback, or gave up."""
    put_through: int


async def today(db: AsyncSession, user: uuid.UUID, since: datetime) -> Today:
    """A user's calls since a moment, which is midnight where they live."""
    row = (await db.execute(_DAY, {"user": user, "since": since})).one()
    return Today(row.calls, row.settled, row.answered, row.put_through)


async def reply_milliseconds(db: AsyncSession, user: uuid.UUID) -> float | None:
    """The median time from a caller's last word to the agent's first sound; None while nothing was said."""
    found: float | None = await db.scalar(_REPLY, {"user": user, "calls": REPLY_CALLS})
    return found
