"""How long somebody's credit lasts, told from what their calls cost of late.

The rule: never a scan of the whole ledger. Lines are numbered in the order of their time, so the first of the last four
weeks is found by bisecting their numbers, twenty look-ups for a million lines.
"""

import uuid
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

WEEKS = 4


async def days_left(db: AsyncSession, user: uuid.UUID, now: datetime, *, zone: str) -> int | None:
    """For how many days the free credits last if calls go on costing what they did; None when they cost nothing.

    What counts is what calls cost, corrections included, since midnight four weeks ago where the user lives; for an
    account that is younger, since its first line, and at least a day. What running calls hold is as good as spent.
    """
    today = now.astimezone(ZoneInfo(zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    since = today - timedelta(weeks=WEEKS)
    account = (await db.execute(text(_FROM), {"user": user, "since": since})).one_or_none()
    if account is None:
        return None
    # A statement of its own, so that the planner knows how few lines these are.
    used = int(await db.scalar(text(_USED), {"user": user, "first": account.first}) or 0)
    if used <= 0:
        return None
    elapsed: timedelta = max(now - max(since, account.opened_at), timedelta(days=1))
    # Free credits divided by credits a day, exactly.
    day, elapsed_us = timedelta(days=1) // _MICROSECOND, elapsed // _MICROSECOND
    return max(0, int(account.free)) * elapsed_us // (used * day)


_MICROSECOND = timedelta(microseconds=1)

# The number of the first line at or after a moment; one above the last when there is none. The middle line is asked for
# by a subquery and not by a join, because a planner that knows little of the table would read all of it at each step.
_FROM = """
WITH RECURSIVE bisect AS (
    SELECT 1::bigint AS low, a.seq + 1 AS high, (a.seq + 2) / 2 AS middle FROM credit_accounts a WHERE a.user_id = :user
    UNION ALL
    SELECT n.low, n.high, (n.low + n.high) / 2
    FROM bisect b
    -- The middle is a column and not a sum: under row-level security a sum, which could fail, finds no index before 16.
    CROSS JOIN LATERAL (
        SELECT (SELECT t.created_at FROM credit_transactions t WHERE t.user_id = :user AND t.seq = b.middle) AS at
        OFFSET 0
    ) m
    CROSS JOIN LATERAL (
        SELECT CASE WHEN m.at < :since THEN b.middle + 1 ELSE b.low END AS low,
            CASE WHEN m.at < :since THEN b.high ELSE b.middle END AS high
    ) n
    WHERE b.low < b.high
)
SELECT
    a.balance - a.held AS free,
    (SELECT max(b.low) FROM bisect b) AS first,
    (SELECT t.created_at FROM credit_transactions t WHERE t.user_id = :user AND t.seq = 1) AS opened_at
FROM credit_accounts a WHERE a.user_id = :user
"""

# Lines of calls are what calls cost: usage, grace, and what was corrected or given back later.
_USED = """
SELECT -sum(amount) FROM credit_transactions WHERE user_id = :user AND seq >= :first AND call_id IS NOT NULL
"""
