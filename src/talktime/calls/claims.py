"""Calls that customers say were not real, as the operator looks at them. The database's functions decide and pay back
(`credits.money.claim`, `decide_claim`).
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts.models import User
from talktime.calls.models import Call
from talktime.credits.models import ChargeClaim, ClaimState


@dataclass(frozen=True, slots=True)
class Claimed:
    """One claim, with who made it and how long the call was."""

    user_id: uuid.UUID
    email: str
    call_id: uuid.UUID
    reason: str
    state: ClaimState
    automatic: bool
    credits: int
    """What the call had cost."""
    seconds: int
    created_at: datetime
    decided_at: datetime | None
    note: str | None


async def claims(
    db: AsyncSession,
    *,
    every: bool = False,
    after: tuple[datetime, uuid.UUID] | None = None,
    limit: int = 200,
) -> Sequence[Claimed]:
    """What waits for a decision, oldest first; with `every` also what is decided; `after` the last one of the page
    before. Needs a transaction that is everyone's."""
    chosen = (
        select(ChargeClaim, User.email, Call.seconds)
        .join(User, User.id == ChargeClaim.user_id)
        .join(Call, (Call.user_id == ChargeClaim.user_id) & (Call.id == ChargeClaim.call_id))
        .order_by(ChargeClaim.created_at, ChargeClaim.call_id)
        .limit(limit)
    )
    if after is not None:
        chosen = chosen.where(tuple_(ChargeClaim.created_at, ChargeClaim.call_id) > after)
    if not every:
        chosen = chosen.where(ChargeClaim.state == ClaimState.REQUESTED)
    return [
        Claimed(
            user_id=claim.user_id,
            email=email,
            call_id=claim.call_id,
            reason=claim.reason,
            state=claim.state,
            automatic=claim.automatic,
            credits=claim.credits,
            seconds=seconds or 0,
            created_at=claim.created_at,
            decided_at=claim.decided_at,
            note=claim.note,
        )
        for claim, email, seconds in await db.execute(chosen)
    ]
