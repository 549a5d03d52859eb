"""What must hold of a whole database after every crash, whatever was going on: asked of `verify`, and once more in SQL
of our own, so that a mistake in one hides nothing.
"""

from sqlalchemy import text

from talktime.credits.verify import verify
from talktime.db.session import Database
from tests.crash.restart import WHY

# Each finds what must not be.
_BROKEN = {
    "a balance is not the sum of its lines": """
        SELECT a.user_id::text FROM credit_accounts a
        WHERE a.balance <> (
            SELECT coalesce(sum(t.amount), 0) FROM credit_transactions t WHERE t.user_id = a.user_id)""",
    "lines have a gap": """
        SELECT t.user_id::text FROM credit_transactions t
        GROUP BY t.user_id HAVING min(t.seq) <> 1 OR max(t.seq) <> count(*)""",
    "more is spent than there was": """
        SELECT a.user_id::text FROM credit_accounts a
        WHERE a.balance - a.held < -a.grace_limit - a.clawback_debt OR a.held < 0""",
    "what is held and open is not what the holds say": """
        SELECT a.user_id::text FROM credit_accounts a WHERE (a.held, a.open_calls) <> (
            SELECT coalesce(sum(h.held) FILTER (WHERE h.settled_at IS NULL), 0)::bigint,
                (count(*) FILTER (WHERE h.state IN ('AUTHORISED', 'ACTIVE', 'FINAL')))::integer
            FROM credit_holds h WHERE h.user_id = a.user_id)""",
    "a call's lines are not what it cost": """
        SELECT h.call_id::text FROM credit_holds h WHERE h.charged + h.corrected NOT BETWEEN 0 AND h.held_peak
            OR -(h.charged + h.corrected) <> (SELECT coalesce(sum(t.amount), 0) FROM credit_transactions t
                WHERE t.user_id = h.user_id AND t.call_id = h.call_id)""",
    "a call is over and its hold is not, or the other way round": """
        SELECT c.id::text FROM calls c JOIN credit_holds h ON h.user_id = c.user_id AND h.call_id = c.id
        WHERE (c.ended_at IS NULL) <> (h.settled_at IS NULL)""",
    "a purchase is not credited once, or reversed more than whole": """
        SELECT p.id::text FROM purchases p CROSS JOIN LATERAL (
            SELECT count(*) FILTER (WHERE t.type = 'PURCHASE') AS times,
                coalesce(sum(t.amount) FILTER (WHERE t.type = 'PURCHASE'), 0) AS credited,
                -coalesce(sum(t.amount) FILTER (WHERE t.type IN ('REFUND', 'DISPUTE')), 0) AS reversed
            FROM credit_transactions t WHERE t.user_id = p.user_id AND t.purchase_id = p.id
        ) t WHERE t.times <> (p.state = 'PAID')::integer OR t.credited <> t.times * p.credits
            OR t.reversed <> p.reversed_credits OR t.reversed NOT BETWEEN 0 AND t.credited""",
    "documents have a gap, or stand under two numbers": """
        SELECT s.series FROM invoice_series s CROSS JOIN LATERAL (
            SELECT count(*) AS numbers, max(n.no) AS last_no, count(DISTINCT i.id) AS documents FROM invoice_numbers n
            LEFT JOIN invoices i
                ON i.user_id = n.user_id AND i.id = n.invoice_id AND i.series = n.series AND i.no = n.no
            WHERE n.series = s.series
        ) d WHERE d.numbers <> s.last_no OR d.last_no <> s.last_no OR d.documents <> s.last_no
        UNION ALL SELECT i.number FROM invoices i
        WHERE NOT EXISTS (SELECT FROM invoice_numbers n WHERE n.series = i.series AND n.no = i.no)""",
    "an event was given up, or waits with an error": """
        SELECT e.event_id FROM provider_events e WHERE e.gave_up_at IS NOT NULL OR e.error IS NOT NULL""",
}
_ALL = text(
    " UNION ALL ".join(
        f"SELECT '{what.replace(chr(39), chr(39) * 2)}', x.* FROM ({query}) x" for what, query in _BROKEN.items()
    )
)


async def assert_books_are_exact(database: Database) -> None:
    """Nothing is lost, nothing is there twice, for anybody in this database."""
    async with database.transaction(everyone=WHY, snapshot=True) as db:
        broken = (await db.execute(_ALL)).all()
    assert not broken, broken
    verdict = await verify(database, full=True)
    assert verdict.is_clean, verdict
    assert verdict.lines > 0
