"""A leg to a person, as the books see it: it gets its name and it ends, each as the carrier says, and each once.

Nobody of ours hears a leg. So its owner is the sweep, whichever process that is, and its seconds are the carrier's; the
rule is that it is charged for no more of them than can have passed, and than was held.
"""

import uuid
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.calls.models import CallStatus
from talktime.credits.functions import typed_errors

OWNER = "sweep"
"""Who owns the hold of every leg that is answered: any process may act for it, so no process's death loses one."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What a leg came to; the same however often it is ended."""

    fresh: bool
    status: CallStatus
    seconds: int
    charged: int
    unbilled: int


async def name(
    db: AsyncSession, carrier: str, user: uuid.UUID, leg: uuid.UUID, carrier_call_id: str, *, is_guess: bool = False
) -> bool:
    """Keep what the carrier calls a leg, so that its reports find it. False when it is called otherwise, or is none.

    A guess is a name that the carrier told of the caller's call, and not of this very leg: no name for a leg after
    which another one may have been dialled.
    """
    async with typed_errors():
        named = await db.scalar(
            text("SELECT name_leg_v1(:user, :leg, :carrier, :name, :is_guess)"),
            {"user": user, "leg": leg, "carrier": carrier, "name": carrier_call_id, "is_guess": is_guess},
        )
    return bool(named)


async def end(db: AsyncSession, user: uuid.UUID, leg: uuid.UUID, *, seconds: int, reason: str | None = None) -> Ended:
    """Close a leg and settle its hold: `seconds` are the carrier's, from answer to end, 0 when nobody answered.

    Without a `reason` it is `leg_ended`, `nobody_answered`, or `credit_ended` when it was cut off.
    """
    async with typed_errors():
        row = (
            await db.execute(
                text("SELECT * FROM end_leg_v1(:user, :leg, :owner, :seconds, CAST(:reason AS text))"),
                {"user": user, "leg": leg, "owner": OWNER, "seconds": seconds, "reason": reason},
            )
        ).one()
    return Ended(
        fresh=row.fresh,
        status=CallStatus(row.status),
        seconds=row.seconds or 0,
        charged=row.charged or 0,
        unbilled=row.unbilled or 0,
    )
