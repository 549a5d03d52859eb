"""What a customer used, by day and agent: calls, talk, credits.

The rule: what is shown is true now. Days that are over are counted by a round (`count_days`) and read from a small
table; to them comes what began since, and what corrections changed since. So a round that is late, or never ran, makes
the question slower and no answer wrong.
"""

import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from sqlalchemy import TIMESTAMP, BigInteger, bindparam, text
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.credits.functions import typed_errors
from talktime.db.session import Database

WHY = "days that are over are counted, whoever's they are"
SPANS = (7, 30, 90, 365)
"""The days that a page offers."""

_PEOPLE_AT_ONCE = 200
_NOBODY = uuid.UUID(int=0)
_COUNTED = text("SELECT s.until, s.seq FROM use_counts s WHERE s.user_id = :user AND s.zone = :zone")
# Moments stand in its text: how many calls began since is what its plan depends on, and PostgreSQL would keep one.
_USED = text(
    """
    SELECT CAST(date_trunc(:by, CAST(x.day AS timestamp)) AS date) AS day,
        CASE WHEN :each_agent THEN x.agent_id ELSE CAST(:nobody AS uuid) END AS agent_id,
        sum(x.calls)::bigint, sum(x.seconds)::bigint, sum(x.credits)::bigint FROM (
        SELECT d.day, d.agent_id, d.calls, d.seconds, d.credits
        FROM use_days d WHERE d.user_id = :user AND d.day >= :first AND :is_counted
        UNION ALL
        SELECT (c.started_at AT TIME ZONE :zone)::date, coalesce(c.agent_id, CAST(:nobody AS uuid)),
            CASE WHEN c.parent_id IS NULL AND c.resumes_id IS NULL THEN 1 ELSE 0 END, coalesce(c.seconds, 0),
            coalesce(h.charged + h.corrected, 0)
        FROM calls c LEFT JOIN credit_holds h ON h.user_id = c.user_id AND h.call_id = c.id
        WHERE c.user_id = :user AND c.started_at >= :until
        UNION ALL
        SELECT (c.started_at AT TIME ZONE :zone)::date, coalesce(c.agent_id, CAST(:nobody AS uuid)), 0, 0, -t.amount
        FROM credit_transactions t JOIN calls c ON c.user_id = t.user_id AND c.id = t.call_id
        WHERE t.user_id = :user AND t.seq > :seq AND t.call_id IS NOT NULL
            AND c.started_at >= :since AND c.started_at < :until AND :is_counted
        UNION ALL
        SELECT NULL, NULL, 0, 0, 0 FROM use_counts s
        WHERE s.user_id = :user AND s.zone = :zone AND s.seq = :seq AND s.until = :counted_until
    ) x GROUP BY 1, 2 ORDER BY 1, 2
    """
).bindparams(
    *(bindparam(name, type_=TIMESTAMP(timezone=True), literal_execute=True) for name in ("since", "until")),
    bindparam("seq", type_=BigInteger(), literal_execute=True),
)
_DUE = text(
    """
    SELECT u.id FROM users u LEFT JOIN use_counts s ON s.user_id = u.id
    WHERE u.id > :last AND (
        s.zone <> u.zone OR EXISTS (
            SELECT FROM calls c WHERE c.user_id = u.id AND c.started_at >= coalesce(s.until, '-infinity')
                AND c.started_at < date_trunc('day', CAST(:now AS timestamptz) - interval '10 minutes', u.zone)
        )
    )
    ORDER BY u.id LIMIT :most
    """
)


@dataclass(frozen=True, slots=True)
class UsedDay:
    """One day, or month, and agent. Those with nothing have none."""

    day: date
    """Of a month its first."""
    agent_id: uuid.UUID | None
    """None where no agent was to answer."""
    calls: int
    """Without legs to persons, and without what a caller came back to."""
    seconds: int
    """Talk by our clock, legs included."""
    credits: int
    """Charged, corrections included."""


async def used(
    db: AsyncSession,
    user: uuid.UUID,
    *,
    zone: str,
    days: int = 30,
    now: datetime | None = None,
    by: Literal["day", "month"] = "day",
    each_agent: bool = True,
) -> list[UsedDay]:
    """The last days of a customer's zone up to and with today, oldest first, each or added up by month, of each agent
    or of all together (as if there were none)."""
    assert days >= 1, days
    clock = ZoneInfo(zone)
    first = (now or datetime.now(UTC)).astimezone(clock).date() - timedelta(days=days - 1)
    since = datetime.combine(first, time(), clock)
    while True:
        counted = (await db.execute(_COUNTED, {"user": user, "zone": zone})).one_or_none()
        parameters = {
            "user": user,
            "zone": zone,
            "by": by,
            "each_agent": each_agent,
            "first": first,
            "since": since,
            "nobody": _NOBODY,
            "is_counted": counted is not None,
            "until": max(since, counted.until) if counted else since,
            "seq": counted.seq if counted else 0,
            "counted_until": counted.until if counted else since,
        }
        rows = (await db.execute(_USED, parameters)).all()
        # The last row says that nobody counted on between the two questions; else they are asked again.
        if counted is None or (rows and rows[-1].day is None):
            return [
                UsedDay(day, None if agent == _NOBODY else agent, calls, seconds, charged)
                for day, agent, calls, seconds, charged in rows
                if day is not None
            ]


async def count_days(database: Database, *, now: datetime | None = None) -> int:
    """Count everybody's days that are over, each customer in a transaction of their own; gives of how many."""
    moment, last, done = now or datetime.now(UTC), _NOBODY, 0
    while True:
        async with database.transaction(everyone=WHY) as db:
            page = (await db.scalars(_DUE, {"last": last, "now": moment, "most": _PEOPLE_AT_ONCE})).all()
        if not page:
            return done
        for user in page:
            # One moment for all of it: what the ledger's last line knows of is what was counted.
            async with database.transaction(everyone=WHY, snapshot=True) as db, typed_errors():
                counted = text("SELECT count_use_v1(:user, :now)")
                done += bool(await db.scalar(counted, {"user": user, "now": moment}))
        last = page[-1]
