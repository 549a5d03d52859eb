"""A month of somebody's ledger: what they had, every line, what they have.

There is no index on the lines' times, and none is needed: times rise with the numbers (both are given under the
account's lock), so a month's edges are found by halving, in one query. A month is therefore always a stretch of numbers
without a gap: it sums, and it begins where the month before ended, even if the database's clock was once set back.
"""

import uuid
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.credits.models import TransactionType
from talktime.db.session import Database
from talktime.errors import BadInput, NotFound

_PAGE_LINES = 2_000
"""So many lines of a stream are in memory at a time."""


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One line of the ledger, as its owner may see it."""

    seq: int
    at: datetime
    type: TransactionType
    amount: int
    balance_after: int
    call_id: uuid.UUID | None
    purchase_id: uuid.UUID | None
    reference: str | None
    reason: str | None
    purchase_name: str | None
    """What was bought, or what the money was for that went back; None where there is no purchase."""
    invoice_id: uuid.UUID | None
    invoice_number: str | None
    """The purchase's invoice, when there is one."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A month; `begin` is in it, `end` is not."""

    month: date
    zone: str
    begin: datetime
    end: datetime
    is_over: bool
    """Nothing will be added to it any more."""
    opening_balance: int
    lines: Sequence[StatementLine]
    closing_balance: int
    totals: Mapping[TransactionType, int]
    """The sum of the lines of each type that occurs."""


@dataclass(frozen=True, slots=True)
class StatementPage:
    """Some lines of a month that follow each other, within the balances and the sums of all of it."""

    opening_balance: int
    lines: Sequence[StatementLine]
    closing_balance: int
    totals: Mapping[TransactionType, int]
    number: int
    """Counted from the oldest, so that a page which is full keeps its number and its lines."""
    older: int
    """So many lines of the month came before these."""
    newer: int
    """So many come after them."""


async def statement(db: AsyncSession, user: uuid.UUID, month: date, zone: str) -> Statement:
    """The month that `month` lies in, by the clocks of `zone`. Raises BadInput for a zone that does not exist."""
    begin, end = month_edges(month, zone)
    before, through, opening, is_over = await _edges(db, user, begin, end)
    found = await _lines(db, user, before, through)
    totals: Counter[TransactionType] = Counter()
    for line in found:
        totals[line.type] += line.amount
    closing = found[-1].balance_after if found else opening
    assert len(found) == through - before, (user, month, before, through, len(found))
    assert opening + sum(totals.values()) == closing, (user, month, opening, closing)
    return Statement(month.replace(day=1), zone, begin, end, is_over, opening, found, closing, dict(totals))


async def count_lines(db: AsyncSession, user: uuid.UUID, month: date, zone: str) -> int:
    """How many lines the month has, without reading them. Raises BadInput for a zone that does not exist."""
    before, through, _, _ = await _edges(db, user, *month_edges(month, zone))
    return through - before


async def statement_page(
    db: AsyncSession, user: uuid.UUID, month: date, zone: str, *, number: int | None = None, lines_max: int
) -> StatementPage:
    """Some lines of a month, with the balances and the sums of all of it; the newest without a number.

    Raises NotFound for a page that is not there. In one snapshot, or what is posted meanwhile is in one of them only.
    """
    before, through, opening, _ = await _edges(db, user, *month_edges(month, zone))
    last = max(1, -(-(through - before) // lines_max))
    chosen = last if number is None else number
    if not 1 <= chosen <= last:
        raise NotFound(f"This month has no page {chosen}: it has {last}.")
    begin = before + (chosen - 1) * lines_max
    found = await _lines(db, user, begin, min(begin + lines_max, through))
    rows = await db.execute(text(_TOTALS), {"user": user, "before": before, "through": through})
    totals = {TransactionType(row.type): int(row.total) for row in rows}
    closing = opening + sum(totals.values())
    if chosen == last and found:
        assert found[-1].balance_after == closing, (user, month, opening, closing)
    older, newer = begin - before, through - begin - len(found)
    return StatementPage(opening, found, closing, totals, chosen, older, newer)


async def some(db: AsyncSession, user: uuid.UUID, lines: Sequence[int]) -> list[StatementLine]:
    """The lines with these numbers, oldest first; numbers that there are not are left out."""
    if not lines:
        return []
    found = await db.execute(text(_SOME), {"user": user, "lines": list(lines)})
    return [_line(row) for row in found]


async def stream_lines(
    database: Database, user: uuid.UUID, month: date | None = None, zone: str = "UTC"
) -> AsyncIterator[StatementLine]:
    """The lines of a month, or all there are, one after the other.

    Page by page, each in a transaction of its own: whoever downloads slowly holds none. What was written cannot change,
    so the pages are as good as a cursor; what is written meanwhile is left out.
    """
    async with database.transaction(user=user) as db:
        if month is None:
            newest = await db.execute(
                text("SELECT max(seq) FROM credit_transactions WHERE user_id = :user"), {"user": user}
            )
            before, through = 0, newest.scalar() or 0
        else:
            before, through, _, _ = await _edges(db, user, *month_edges(month, zone))
    while before < through:
        page = min(before + _PAGE_LINES, through)
        async with database.transaction(user=user) as db:
            found = await _lines(db, user, before, page)
        for line in found:
            yield line
        before = page


def after(month: date) -> date:
    """The first day of the next month."""
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def month_edges(month: date, zone: str) -> tuple[datetime, datetime]:
    """When the month begins and when the next one does, in UTC: midnight by the zone's clocks."""
    try:
        clock = ZoneInfo(zone)
        begin, end = (
            datetime(first.year, first.month, 1, tzinfo=clock).astimezone(UTC) for first in (month, after(month))
        )
    except (ZoneInfoNotFoundError, ValueError, OverflowError) as error:
        raise BadInput(f"There is no month {month} in the time zone {zone!r}.") from error
    return begin, end


# How many lines came before a moment. Bit by bit from the highest, so that the way there is the same however many lines
# came since: an edge once found never moves.
_BEFORE = """
    SELECT place FROM (
        WITH RECURSIVE probe AS (
            SELECT 40 AS bit, 0::bigint AS place, 1::bigint << 40 AS asked
            UNION ALL
            SELECT p.bit - 1, n.place, n.place + (1::bigint << greatest(p.bit - 1, 0))
            -- What is asked for is a column and not a sum: under row-level security a sum, which could fail, finds no
            -- index before PostgreSQL 16.
            FROM probe p CROSS JOIN LATERAL (
                SELECT CASE WHEN EXISTS (
                    SELECT FROM credit_transactions t
                    WHERE t.user_id = :user AND t.seq = p.asked AND t.created_at < :{edge}
                ) THEN p.asked ELSE p.place END AS place OFFSET 0
            ) n
            WHERE p.bit >= 0
        ) SELECT place FROM probe WHERE bit = -1
    ) found
"""
_EDGES = f"""
    SELECT e.before, e.through, coalesce(t.balance_after, 0) AS opening, clock_timestamp() >= :end AS is_over
    FROM (SELECT ({_BEFORE.format(edge="begin")}) AS before, ({_BEFORE.format(edge="end")}) AS through) e
    LEFT JOIN credit_transactions t ON t.user_id = :user AND t.seq = e.before
"""  # noqa: S608  our own words only
# What was bought comes with the lines. Each is looked up by its key, and OFFSET 0 keeps it so: joined as a whole, with
# statistics that are not there yet, every line would be held against every invoice. Of the documents about a purchase
# one corrects no other: its invoice.
_NAMED = """
    SELECT t.seq, t.created_at, t.type, t.amount, t.balance_after, t.call_id, t.purchase_id, t.reference, t.reason,
        p.name AS purchase_name, i.id AS invoice_id, i.number AS invoice_number
    FROM credit_transactions t
    LEFT JOIN LATERAL (
        SELECT p.name FROM purchases p WHERE p.user_id = :user AND p.id = t.purchase_id OFFSET 0
    ) p ON t.purchase_id IS NOT NULL
    LEFT JOIN LATERAL (
        SELECT i.id, i.number FROM invoices i WHERE i.user_id = :user AND i.purchase_id = t.purchase_id
            AND i.kind = 'INVOICE' AND i.reversal_id IS NULL OFFSET 0
    ) i ON t.purchase_id IS NOT NULL
    WHERE t.user_id = :user
"""
_LINES = f"{_NAMED} AND t.seq > :before AND t.seq <= :through ORDER BY t.seq"
_SOME = f"{_NAMED} AND t.seq = ANY (:lines) ORDER BY t.seq"
_TOTALS = """
    SELECT type, sum(amount) AS total FROM credit_transactions
    WHERE user_id = :user AND seq > :before AND seq <= :through GROUP BY type ORDER BY min(seq)
"""


async def _edges(db: AsyncSession, user: uuid.UUID, begin: datetime, end: datetime) -> tuple[int, int, int, bool]:
    """How many lines came before the month and before its end, the balance it began with, whether it is over."""
    row = (await db.execute(text(_EDGES), {"user": user, "begin": begin, "end": end})).one()
    # Only a clock that was set back across the edge could turn them round.
    return row.before, max(row.before, row.through), row.opening, row.is_over


async def _lines(db: AsyncSession, user: uuid.UUID, before: int, through: int) -> list[StatementLine]:
    """The lines after number `before`, up to number `through`."""
    found = await db.execute(text(_LINES), {"user": user, "before": before, "through": through})
    return [_line(row) for row in found]


def _line(row: Row[Any]) -> StatementLine:
    return StatementLine(
        seq=row.seq,
        at=row.created_at,
        type=TransactionType(row.type),
        amount=row.amount,
        balance_after=row.balance_after,
        call_id=row.call_id,
        purchase_id=row.purchase_id,
        reference=row.reference,
        reason=row.reason,
        purchase_name=row.purchase_name,
        invoice_id=row.invoice_id,
        invoice_number=row.invoice_number,
    )
