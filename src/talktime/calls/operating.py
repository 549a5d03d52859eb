"""What the operator looks at first: how it goes right now, and how the days went. Everybody's, and nobody's by name.

The rule: figures of calls come from quarters of an hour that a round counted (`count_quarters`), and what began since
is added, so that they are quick whatever the year held. What is corrected later than three days after its call shows in
the customer's own books and in `margins.py`, not here. Money that came and went is read from the purchases themselves.
Currencies stand side by side.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import delete, insert, text
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.alerts import marks
from talktime.alerts.backlog import Backlog, backlog
from talktime.calls import margins, watching
from talktime.calls.margins import Margin
from talktime.calls.models import OperatingQuarter
from talktime.db.session import Database

WHY = "the operator looks at how it goes for everybody together"
COUNT_WHY = "everybody's calls are counted by quarters of an hour"
MARK = "operating.quarters"
KEPT_DAYS = 100
"""So far back days are counted; the operator is shown 90."""

_QUARTER = timedelta(minutes=15)
_AGAIN = timedelta(hours=3)
"""A call that began so long ago may have gone on until now; what it cost is known when it ends."""
_AGAIN_AT_NIGHT = timedelta(days=3)
"""Carriers tell their prices within a day of a call."""


@dataclass(frozen=True, slots=True)
class Errors:
    """What went wrong."""

    calls: int
    """Of 24 hours: that a provider's or our own fault ended."""
    jobs: int
    """That were given up, and stand there."""
    events: int
    """The same of providers' events."""
    deliveries: int
    """Of 24 hours: what could not be told to customers' programs."""

    @property
    def total(self) -> int:
        return self.calls + self.jobs + self.events + self.deliveries


@dataclass(frozen=True, slots=True)
class Books:
    """When the books were proven, and what was found."""

    verified_at: datetime | None
    """What is new in them; every quarter of an hour."""
    violations: int | None
    verified_all_at: datetime | None
    """All of them; every night."""
    violations_in_all: int | None

    @property
    def is_clean(self) -> bool | None:
        """None: they were never proven."""
        found = [each for each in (self.violations, self.violations_in_all) if each is not None]
        return not any(found) if found else None


@dataclass(frozen=True, slots=True)
class Now:
    """How it goes right now."""

    ringing: int
    talking: int
    calls_today: int
    seconds_today: int
    revenue_today: Mapping[str, int]
    """Money in less money back, in minor units by currency; may be below zero."""
    errors: Errors
    backlog: Backlog
    books: Books


@dataclass(slots=True)
class OperatingDay:
    """One day of the operator's zone."""

    day: date
    calls: int = 0
    seconds: int = 0
    credits: int = 0
    """What was charged for the day's calls, corrections included."""
    revenue_minor: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """Money in on that day, less money back on that day."""
    earned_micros: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """What the day's credits are worth (`margins.py`), in millionths."""
    cost_micros: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    unknown_costs: bool = False
    """Something was used that nobody has said the price of."""
    is_estimated: bool = False

    @property
    def margin_micros(self) -> Mapping[str, int] | None:
        """What was earned less what it cost, by currency; None while some of the cost is unknown."""
        if self.unknown_costs:
            return None
        names = sorted({*self.earned_micros, *self.cost_micros})
        return {name: self.earned_micros.get(name, 0) - self.cost_micros.get(name, 0) for name in names}


async def overview(db: AsyncSession, *, zone: str, now: datetime | None = None) -> Now:
    """How it goes; today is the day of `zone`. Needs a transaction that sees everyone."""
    moment = now or datetime.now(UTC)
    midnight = _midnight(moment, zone, 0)
    live = await watching.open_by_status(db)
    waiting = await backlog(db)
    edge = await _edge(db)
    calls = (await db.execute(_CALLS, {"since": midnight, "edge": max(edge, midnight)})).one()
    failed = await db.scalar(_FAILED_CALLS, {"since": moment - timedelta(days=1)})
    revenue = await _revenue(db, midnight, zone)
    return Now(
        ringing=live["ringing"],
        talking=live["in_progress"],
        calls_today=int(calls.calls),
        seconds_today=int(calls.seconds),
        revenue_today=dict(revenue.get(moment.astimezone(ZoneInfo(zone)).date(), {})),
        errors=Errors(
            calls=int(failed or 0),
            jobs=waiting.jobs_failed,
            events=waiting.events_given_up,
            deliveries=waiting.deliveries_failed,
        ),
        backlog=waiting,
        books=await _books(db),
    )


async def days(db: AsyncSession, *, zone: str, days: int = 30, now: datetime | None = None) -> list[OperatingDay]:
    """The last days of `zone` up to and with today, oldest first, those without calls, too.

    Needs a transaction that sees everyone, best of one moment (`snapshot=True`).
    """
    assert 1 <= days <= KEPT_DAYS - 2, days
    moment = now or datetime.now(UTC)
    clock = ZoneInfo(zone)
    since = _midnight(moment, zone, days - 1)
    first = since.astimezone(clock).date()
    lines = {first + timedelta(days=each): OperatingDay(first + timedelta(days=each)) for each in range(days)}
    edge = max(await _edge(db), since)
    span: Mapping[str, object] = {"since": since, "edge": edge, "zone": zone}
    for row in await db.execute(_COUNTED, span):
        if row.day in lines:
            _add(lines[row.day], row.calls, row.seconds, row.credits, unknown=row.unknown, estimated=row.estimated)
    for day, is_cost, currency, amount in await db.execute(_COUNTED_MONEY, span):
        if day in lines:
            (lines[day].cost_micros if is_cost else lines[day].earned_micros)[currency] += int(amount)
    for began, line in (await margins.quarters(db, edge, moment + _QUARTER)).items():
        _add_margin(lines.get(began.astimezone(clock).date(), lines[max(lines)]), line)
    for day, by_currency in (await _revenue(db, since, zone)).items():
        if day in lines:
            lines[day].revenue_minor.update(by_currency)
    return list(lines.values())


async def count_quarters(database: Database, *, at_night: bool = False, now: datetime | None = None) -> int:
    """Count what began up to the last full quarter of an hour, and anew what may have changed; gives how many quarters
    have calls. At night more of it: by then prices came, and rates may have been set for what was unknown."""
    moment = now or datetime.now(UTC)
    until = datetime.fromtimestamp(moment.timestamp() // 900 * 900, UTC)
    oldest = until - timedelta(days=KEPT_DAYS)
    async with database.transaction(everyone=COUNT_WHY) as db:
        edge = await _edge(db)
        unknown = (await db.scalars(_UNKNOWN, {"oldest": oldest})).all() if at_night else []
        await db.execute(delete(OperatingQuarter).where(OperatingQuarter.began < oldest))
    since = max(oldest, min(edge, until) - (_AGAIN_AT_NIGHT if at_night else _AGAIN))
    counted = 0
    for day in sorted({each.astimezone(UTC).date() for each in unknown}):
        begin = datetime.combine(day, time(), UTC)
        if begin < since:
            counted += await _count(database, max(begin, oldest), min(begin + timedelta(days=1), since))
    while since < until:
        # A day at a time: the first time there may be months of them.
        end = min(since + timedelta(days=1), until)
        counted += await _count(database, since, end)
        since = end
    async with database.transaction(everyone=COUNT_WHY) as db:
        await marks.note(db, MARK, {"until": until.isoformat(), "quarters": counted})
    return counted


async def count_quarters_at_night(database: Database) -> int:
    """The nightly one."""
    return await count_quarters(database, at_night=True)


async def _count(database: Database, since: datetime, until: datetime) -> int:
    async with database.transaction(everyone=COUNT_WHY, snapshot=True) as db:
        found = await margins.quarters(db, since, until)
        within = (OperatingQuarter.began >= since) & (OperatingQuarter.began < until)
        await db.execute(delete(OperatingQuarter).where(within))
        if found:
            await db.execute(insert(OperatingQuarter), [_row(began, line) for began, line in found.items()])
    return len(found)


def _row(began: datetime, line: Margin) -> dict[str, Any]:
    return {
        "began": began,
        "calls": line.calls,
        "seconds": line.seconds,
        "credits": line.credits,
        "earned": dict(line.revenue),
        "cost": dict(line.cost),
        "unknown": bool(line.unknown),
        "estimated": line.estimated,
    }


def _add(line: OperatingDay, calls: int, seconds: int, credits: int, *, unknown: bool, estimated: bool) -> None:
    line.calls += int(calls)
    line.seconds += int(seconds)
    line.credits += int(credits)
    line.unknown_costs |= unknown
    line.is_estimated |= estimated


def _add_margin(line: OperatingDay, found: Margin) -> None:
    _add(line, found.calls, found.seconds, found.credits, unknown=bool(found.unknown), estimated=found.estimated)
    for currency, amount in found.revenue.items():
        line.earned_micros[currency] += amount
    for currency, amount in found.cost.items():
        line.cost_micros[currency] += amount


async def _edge(db: AsyncSession) -> datetime:
    """Up to when quarters were counted."""
    done = await marks.last(db, MARK)
    return datetime.fromisoformat(done.detail["until"]) if done is not None else datetime(1970, 1, 1, tzinfo=UTC)


async def _revenue(db: AsyncSession, since: datetime, zone: str) -> Mapping[date, Mapping[str, int]]:
    found: dict[date, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for day, currency, amount in await db.execute(_REVENUE, {"since": since, "zone": zone}):
        found[day][currency] += int(amount)
    return found


async def _books(db: AsyncSession) -> Books:
    # As `rounds.py` calls what proves them.
    new, everything = await marks.last(db, "ledger.verify"), await marks.last(db, "ledger.verify_full")
    return Books(
        verified_at=new.at if new else None,
        violations=new.detail.get("violations") if new else None,
        verified_all_at=everything.at if everything else None,
        violations_in_all=everything.detail.get("violations") if everything else None,
    )


def _midnight(moment: datetime, zone: str, days_ago: int) -> datetime:
    clock = ZoneInfo(zone)
    return datetime.combine(moment.astimezone(clock).date() - timedelta(days=days_ago), time(), clock)


_CALLS = text(
    """
    SELECT sum(x.calls)::bigint AS calls, sum(x.seconds)::bigint AS seconds FROM (
        SELECT coalesce(sum(q.calls), 0) AS calls, coalesce(sum(q.seconds), 0) AS seconds
        FROM operating_quarters q WHERE q.began >= :since AND q.began < :edge
        UNION ALL
        SELECT count(*), coalesce(sum(c.seconds), 0) FROM calls c WHERE c.started_at >= :edge
    ) x
    """
)
_FAILED_CALLS = text(
    "SELECT count(*) FROM calls c WHERE c.started_at >= :since"
    " AND c.end_reason IN ('line_dead', 'line_blocked', 'ai_down', 'error', 'lost', 'carrier_refused')"
)
_COUNTED = text(
    """
    SELECT (q.began AT TIME ZONE :zone)::date AS day, sum(q.calls) AS calls, sum(q.seconds) AS seconds,
        sum(q.credits) AS credits, bool_or(q.unknown) AS unknown, bool_or(q.estimated) AS estimated
    FROM operating_quarters q WHERE q.began >= :since AND q.began < :edge GROUP BY 1
    """
)
_COUNTED_MONEY = text(
    """
    SELECT (q.began AT TIME ZONE :zone)::date, m.is_cost, e.key, sum(e.value::bigint)
    FROM operating_quarters q
    CROSS JOIN LATERAL (VALUES (false, q.earned), (true, q.cost)) AS m (is_cost, amounts)
    CROSS JOIN LATERAL jsonb_each_text(m.amounts) e
    WHERE q.began >= :since AND q.began < :edge GROUP BY 1, 2, 3
    """
)
_UNKNOWN = text("SELECT q.began FROM operating_quarters q WHERE q.unknown AND q.began >= :oldest")
# A bank debit may take weeks to be paid. What went back counts on the day it was asked for.
_REVENUE = text(
    """
    SELECT (p.paid_at AT TIME ZONE :zone)::date, p.currency, sum(p.price_minor) FROM purchases p
    WHERE p.created_at >= CAST(:since AS timestamptz) - interval '60 days' AND p.paid_at >= :since
        AND p.state = 'PAID' AND NOT p.test
    GROUP BY 1, 2
    UNION ALL
    SELECT (v.created_at AT TIME ZONE :zone)::date, v.currency, -sum(
        CASE v.kind WHEN 'DISPUTE' THEN v.withdrawn_minor - v.reinstated_minor ELSE v.amount_minor END
    )
    FROM payment_reversals v JOIN purchases p ON p.user_id = v.user_id AND p.id = v.purchase_id
    WHERE v.created_at >= :since AND v.state NOT IN ('FAILED', 'CANCELED') AND NOT p.test
    GROUP BY 1, 2
    """
)
