"""How the companies do that calls go through: when each was last heard of, how much of what it did failed.

The rule: this says what was seen here, and asks nobody. Who was not used is not ill.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

WHY = "the operator looks at how phone, speech and payment companies do"
SPAN = timedelta(hours=24)


class Trade(StrEnum):
    """What a provider is for."""

    CARRIER = "carrier"
    SPEECH = "speech"
    """Speech and language models; those that run offline are not told apart."""
    GATEWAY = "gateway"


@dataclass(frozen=True, slots=True)
class Health:
    """One provider, in the last 24 hours."""

    provider: str
    trade: Trade
    heard_at: datetime | None
    """Its newest event, whenever that was, or its newest call of the 24 hours."""
    uses: int
    """Calls, or events of a gateway."""
    failures: int
    """Calls that ended by its fault or may have, or events that nobody could handle yet."""
    oldest_waiting_at: datetime | None
    """When its oldest event came that is not handled; None when none waits."""

    @property
    def share(self) -> float:
        """How much of it failed, from 0 to 1."""
        return self.failures / self.uses if self.uses else 0.0


async def provider_health(db: AsyncSession, *, now: datetime | None = None) -> Sequence[Health]:
    """Carriers, then speech, then gateways, each by name. Needs a transaction that sees everyone."""
    since = (now or datetime.now(UTC)) - SPAN
    return [
        Health(
            provider=row.provider,
            trade=Trade(row.trade),
            heard_at=row.heard_at,
            uses=int(row.uses),
            failures=int(row.failures),
            oldest_waiting_at=row.oldest_waiting_at,
        )
        for row in await db.execute(_HEALTH, {"since": since})
    ]


# The names of those that ever sent an event, each by one step into the index. Of speech only what it was paid for is
# known: that a call used it, and that the call ended because nobody could think or speak.
_HEALTH = text(
    """
    WITH RECURSIVE names AS (
        SELECT min(e.provider) AS provider FROM provider_events e
        UNION ALL
        SELECT (SELECT min(e.provider) FROM provider_events e WHERE e.provider > n.provider)
        FROM names n WHERE n.provider IS NOT NULL
    ), senders AS (
        SELECT n.provider, l.received_at AS heard_at, l.kind
        FROM names n CROSS JOIN LATERAL (
            SELECT e.received_at, split_part(e.kind, '.', 1) AS kind FROM provider_events e
            WHERE e.provider = n.provider ORDER BY e.received_at DESC LIMIT 1
        ) l
    ), waiting AS (
        SELECT e.provider, min(e.received_at) AS oldest, count(*) FILTER (WHERE e.error IS NOT NULL) AS failing
        FROM provider_events e WHERE e.handled_at IS NULL AND e.gave_up_at IS NULL GROUP BY 1
    ), given_up AS (
        SELECT e.provider, min(e.received_at) AS oldest, count(*) FILTER (WHERE e.gave_up_at >= :since) AS events
        FROM provider_events e WHERE e.gave_up_at IS NOT NULL AND e.handled_at IS NULL GROUP BY 1
    ), rang AS MATERIALIZED (
        SELECT c.user_id, c.id, c.carrier, c.started_at, c.end_reason FROM calls c WHERE c.started_at >= :since
    ), carried AS (
        SELECT r.carrier AS provider, max(r.started_at) AS heard_at, count(*) AS uses,
            count(*) FILTER (WHERE r.end_reason IN (
                'line_dead', 'line_blocked', 'carrier_refused', 'never_answered', 'lost'
            )) AS failures
        FROM rang r GROUP BY 1
    ), spoke AS (
        SELECT k.provider, max(r.started_at) AS heard_at, count(DISTINCT k.call_id) AS uses,
            count(DISTINCT k.call_id) FILTER (WHERE r.end_reason IN ('ai_down', 'error')) AS failures
        FROM rang r JOIN call_costs k ON k.user_id = r.user_id AND k.call_id = r.id
        WHERE k.kind <> 'CARRIER_SECONDS' GROUP BY 1
    )
    SELECT coalesce(d.provider, s.provider) AS provider, 'carrier' AS trade,
        greatest(d.heard_at, s.heard_at) AS heard_at, coalesce(d.uses, 0) AS uses, coalesce(d.failures, 0) AS failures,
        least(w.oldest, g.oldest) AS oldest_waiting_at
    FROM carried d FULL JOIN (SELECT * FROM senders x WHERE x.kind = 'carrier') s ON s.provider = d.provider
    LEFT JOIN waiting w ON w.provider = coalesce(d.provider, s.provider)
    LEFT JOIN given_up g ON g.provider = coalesce(d.provider, s.provider)
    UNION ALL
    SELECT p.provider, 'speech', p.heard_at, p.uses, p.failures, NULL FROM spoke p
    UNION ALL
    SELECT s.provider, 'gateway', s.heard_at, n.uses, coalesce(w.failing, 0) + coalesce(g.events, 0),
        least(w.oldest, g.oldest)
    FROM senders s CROSS JOIN LATERAL (
        SELECT count(*) AS uses FROM provider_events e WHERE e.provider = s.provider AND e.received_at >= :since
    ) n
    LEFT JOIN waiting w ON w.provider = s.provider LEFT JOIN given_up g ON g.provider = s.provider
    WHERE s.kind = 'payment'
    ORDER BY trade, provider
    """
)
