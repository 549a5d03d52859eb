"""What the fallback ladder costs the operator: calls that only a sentence of ours answered, by customer and day.

The rule: customers pay nothing for them, so every cost of theirs is the operator's own. A cost that nobody knows is
counted as unknown, never as nothing. Where somebody was rung instead of the agent, and answered, the customer has paid
for that leg, and the call is none of these.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

_ONLY_THE_LADDER = """
    c.started_at >= :since AND c.started_at < :until
    AND c.status = 'COMPLETED' AND c.answered_at IS NULL AND c.parent_id IS NULL AND c.route <> 'talk'
    AND NOT EXISTS (
        SELECT FROM calls l WHERE l.user_id = c.user_id AND l.parent_id = c.id AND l.answered_at IS NOT NULL
    )
"""
_DAY = "(c.started_at AT TIME ZONE CAST(:zone AS text))::date"
_CALLS = f"""
    SELECT {_DAY}, c.user_id, u.email, c.route, count(*), coalesce(sum(c.carrier_seconds), 0)
    FROM calls c JOIN users u ON u.id = c.user_id WHERE {_ONLY_THE_LADDER} GROUP BY 1, 2, 3, 4
"""  # noqa: S608  our own words only
_COSTS = f"""
    SELECT {_DAY}, c.user_id, k.currency, sum(k.amount_micros), count(*)
    FROM calls c JOIN call_costs k ON k.user_id = c.user_id AND k.call_id = c.id WHERE {_ONLY_THE_LADDER}
    GROUP BY 1, 2, 3 ORDER BY 3
"""  # noqa: S608  our own words only


@dataclass(slots=True)
class LadderDay:
    """A customer's calls of one day that only the ladder answered."""

    day: date
    user_id: uuid.UUID
    email: str
    calls: int = 0
    rungs: dict[str, int] = field(default_factory=dict)
    """How many got which rung: `no_credit`, `after_hours`, …"""
    seconds: int = 0
    """By the carrier's clock: nobody else was there."""
    cost: dict[str, int] = field(default_factory=dict)
    """In millionths of currencies' units, as far as it is known."""
    unknown: int = 0
    """So many costs are not known: nobody has set the rate, and the carrier has not said."""


async def ladder(db: AsyncSession, since: datetime, until: datetime, *, zone: str = "UTC") -> list[LadderDay]:
    """The calls that began from `since` up to and without `until`, by day of `zone` and customer.

    Needs a transaction that sees everyone, best of one moment (`snapshot=True`).
    """
    span: Mapping[str, object] = {"since": since, "until": until, "zone": zone}
    days: dict[tuple[date, uuid.UUID], LadderDay] = {}
    for day, user, email, rung, calls, seconds in await db.execute(text(_CALLS), span):
        line = days.setdefault((day, user), LadderDay(day, user, email))
        line.calls += calls
        line.rungs[rung] = calls
        line.seconds += int(seconds)
    for day, user, currency, amount, count in await db.execute(text(_COSTS), span):
        if currency is None:
            days[day, user].unknown = count
        else:
            days[day, user].cost[currency] = int(amount)
    return sorted(days.values(), key=lambda line: (line.day, line.email))
