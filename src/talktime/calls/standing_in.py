"""A rung of the fallback ladder rings a person, where the customer wants that: somebody stands in for the agent.

The rule: the decision is made where the ring is decided, in the same transaction and without the network, so a repeated
ring gets the same answer. The leg is the customer's, with a hold of its own; where it cannot be paid, or nobody is
named, the rung speaks, which is free.
"""

import uuid
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.agents import dialling
from talktime.calls import transfers
from talktime.calls.lifecycle import Decision
from talktime.calls.routing import put_through
from talktime.carriers.contract import Forward
from talktime.credits.models import HoldState
from talktime.db.base import new_id

_STORED = text(
    """
    SELECT l.id, l.dialled, l.ended_at IS NOT NULL AS is_over, h.state, v.call_seconds_max
    FROM calls l
    LEFT JOIN credit_holds h ON h.user_id = l.user_id AND h.call_id = l.id
    LEFT JOIN agent_versions v
        ON v.user_id = l.user_id AND v.agent_id = l.agent_id AND v.version_no = l.agent_version
    WHERE l.user_id = :user AND l.parent_id = :call ORDER BY l.started_at, l.id LIMIT 1
    """
)


@dataclass(frozen=True, slots=True)
class StandIn:
    """Who is rung instead of the agent; the door adds where the carrier tells of the leg."""

    leg_id: uuid.UUID
    forward: Forward | None
    """None: the leg was rung and is over, and whoever asks about this ring again gets a hang-up."""


async def stand_in(db: AsyncSession, decision: Decision) -> StandIn | None:
    """Somebody who is rung for this ring, or None where the rung speaks. Needs a transaction that sees everyone, the
    one in which the ring was decided."""
    number = (decision.fallback or {}).get("forward", {}).get(decision.route.value)
    if number is None or decision.call_id is None or decision.user_id is None:
        return None
    whose = {"user": decision.user_id, "call": decision.call_id}
    stored = (await db.execute(_STORED, whose)).first()
    if stored is None:
        known = dialling.normalised(number) if decision.fresh else None
        if known is None:
            return None
        await transfers.store_leg(db, decision.user_id, decision.call_id, new_id(), known)
        stored = (await db.execute(_STORED, whose)).first()
    if stored is None or stored.state == HoldState.DENIED.value:
        return None  # refused, for whatever reason
    if stored.is_over or stored.dialled is None:
        return StandIn(stored.id, None)
    forward = Forward(
        number=stored.dialled,
        text=put_through(decision.language),
        language=decision.language,
        seconds_max=stored.call_seconds_max or transfers.LEG_SECONDS_MAX,
        ring_seconds_max=transfers.RING_SECONDS_MAX,
    )
    return StandIn(stored.id, forward)
