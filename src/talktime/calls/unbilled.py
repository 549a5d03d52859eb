"""Calls that were answered and cost nobody anything, and why: for the operator.

The rule: a call stands here as soon as it is over and for as long as nothing is charged for it; what is corrected later
comes or goes by itself.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.calls.history import Place
from talktime.calls.models import CallStatus

WHY = "the operator looks at whose calls cost nothing"


class Why(StrEnum):
    """Why nothing was charged."""

    FORGIVEN = "forgiven"
    """By the customer's claim or the operator; the reason says which."""
    NOT_SETTLED = "not_settled"
    """It is over, and its charge was never made: somebody must look at that."""
    FREE_PRICE = "free_price"
    """Its price was 0."""
    NO_TIME = "no_time"
    """It lasted no second, or the phone company says so."""
    FREE_SECONDS = "free_seconds"
    """It was shorter than the price lets go free."""
    CORRECTED = "corrected"
    """It was charged, and a correction took all of it back."""


@dataclass(frozen=True, slots=True)
class Unbilled:
    """One of them."""

    user_id: uuid.UUID
    email: str
    call_id: uuid.UUID
    rang_at: datetime
    status: CallStatus
    end_reason: str | None
    seconds: int | None
    why: Why
    reason: str | None
    """Of a forgiven one: `spam`, `wrong_number`, `not_a_call` or `platform_fault`."""

    @property
    def place(self) -> Place:
        return Place(self.rang_at, self.call_id)


async def unbilled(db: AsyncSession, *, limit: int = 50, after: Place | None = None) -> Sequence[Unbilled]:
    """The newest first, `after` the last of the page before. Needs a transaction that sees everyone."""
    parameters = {
        "limit": limit,
        "before": after.started_at if after else datetime.max.replace(tzinfo=UTC),
        "below": after.id if after else uuid.UUID(int=2**128 - 1),
    }
    return [
        Unbilled(
            user_id=row.user_id,
            email=row.email,
            call_id=row.call_id,
            rang_at=row.rang_at,
            status=CallStatus(row.status),
            end_reason=row.end_reason,
            seconds=row.seconds,
            why=Why(row.why),
            reason=row.not_charged_reason,
        )
        for row in await db.execute(_UNBILLED, parameters)
    ]


# What is held and not settled is little, and has an index; so has what was settled for nothing.
_UNBILLED = text(
    """
    SELECT z.*, u.email FROM (
        (
            SELECT h.user_id, h.call_id, h.created_at AS rang_at, c.status, c.end_reason, c.seconds,
                h.not_charged_reason,
                CASE
                    WHEN h.not_charged_reason IS NOT NULL THEN 'forgiven'
                    WHEN h.credits_per_minute = 0 AND h.connection_fee = 0 THEN 'free_price'
                    WHEN coalesce(h.corrected_seconds, h.settled_seconds) = 0 THEN 'no_time'
                    WHEN coalesce(h.corrected_seconds, h.settled_seconds) <= h.free_seconds THEN 'free_seconds'
                    ELSE 'corrected'
                END AS why
            FROM credit_holds h JOIN calls c ON c.user_id = h.user_id AND c.id = h.call_id
            WHERE h.state = 'SETTLED' AND h.charged + h.corrected = 0 AND c.answered_at IS NOT NULL
                AND (h.created_at, h.call_id) < (:before, :below)
            ORDER BY h.created_at DESC, h.call_id DESC LIMIT :limit
        )
        UNION ALL
        (
            SELECT h.user_id, h.call_id, h.created_at, c.status, c.end_reason, c.seconds, NULL, 'not_settled'
            FROM credit_holds h JOIN calls c ON c.user_id = h.user_id AND c.id = h.call_id
            WHERE h.settled_at IS NULL AND c.answered_at IS NOT NULL AND c.ended_at IS NOT NULL
                AND (h.created_at, h.call_id) < (:before, :below)
            ORDER BY h.created_at DESC, h.call_id DESC LIMIT :limit
        )
    ) z JOIN users u ON u.id = z.user_id
    ORDER BY z.rang_at DESC, z.call_id DESC LIMIT :limit
    """
)
