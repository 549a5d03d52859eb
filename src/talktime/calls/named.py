"""What a call is called where it is only mentioned: beside a line of the ledger, in a list of what is held.

The rule: as few columns as a name needs, by keys, however many calls there are.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.agents.models import Agent
from talktime.calls.models import Call


@dataclass(frozen=True, slots=True)
class NamedCall:
    """A call, as far as one needs to know which it was."""

    id: uuid.UUID
    carrier: str
    caller: str | None
    """E.164; None when withheld, or when they were forgotten."""
    dialled: str | None
    agent: str | None
    seconds: int | None
    is_leg: bool
    """It went to a person."""
    is_forgotten: bool


async def of_ids(db: AsyncSession, user: uuid.UUID, calls: Sequence[uuid.UUID]) -> Mapping[uuid.UUID, NamedCall]:
    """Those of a user's calls, by their ids; what is not theirs is left out."""
    if not calls:
        return {}
    rows = await db.execute(
        select(
            Call.id,
            Call.carrier,
            Call.caller,
            Call.dialled,
            Agent.name,
            Call.seconds,
            Call.parent_id,
            Call.forgotten_at,
        )
        .outerjoin(Agent, (Agent.user_id == Call.user_id) & (Agent.id == Call.agent_id))
        .where(Call.user_id == user, Call.id.in_(calls))
    )
    return {
        call: NamedCall(call, carrier, caller, dialled, agent, seconds, parent is not None, forgotten is not None)
        for call, carrier, caller, dialled, agent, seconds, parent, forgotten in rows
    }
