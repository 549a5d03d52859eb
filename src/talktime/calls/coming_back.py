"""A caller was put through and nobody answered: they come back to the agent that put them through, or, where only a
rung of the ladder did, hear what that says.

The rule: who comes back is talked to on a call of its own, with a hold of its own, so each part is charged once by its
own clock. When there is no credit for that, the caller hears that nobody can be reached, and nothing about money.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.calls import legs
from talktime.calls.models import Call, Turn
from talktime.calls.routing import Route, fallback_answer, unreached
from talktime.carriers.contract import Answer
from talktime.credits.functions import typed_errors

TURNS_MAX = 60
"""So much of what was said before is recalled, the latest; nobody refers to more."""


@dataclass(frozen=True, slots=True)
class Returned:
    """A caller who is back."""

    call_id: uuid.UUID
    carrier_call_id: str
    agent: tuple[uuid.UUID, uuid.UUID, int]
    """User, agent and version that are to talk."""


@dataclass(frozen=True, slots=True)
class Before:
    """What was before a caller came back."""

    dialled: str | None
    """Whom nobody reached; None when that was forgotten."""
    turns: Sequence[Turn]
    """What was said, up to the transfer."""
    since_ring_seconds: int
    """Since the carrier's call began, however often its caller came back."""


async def come_back(db: AsyncSession, user: uuid.UUID, leg: uuid.UUID, call: uuid.UUID) -> Returned | None:
    """Give the caller of a leg that nobody answered back to their agent, on a call with the id `call`; None when the
    agent may not talk to them. Asked again about a leg, the same call as before."""
    async with typed_errors():
        row = (
            await db.execute(
                text("SELECT * FROM return_call_v1(:user, :leg, :owner, :call)"),
                {"user": user, "leg": leg, "owner": legs.OWNER, "call": call},
            )
        ).one()
    if not row.allowed:
        return None
    assert row.agent_version is not None, row.call_id
    return Returned(row.call_id, row.carrier_call_id, (user, row.agent_id, row.agent_version))


async def unanswered(db: AsyncSession, user: uuid.UUID, leg: uuid.UUID) -> Answer:
    """What a caller hears whom nobody answered and who does not come back: of a rung what it says without a forward,
    else that nobody can be reached. Says something also when the leg is unknown."""
    found = (
        await db.execute(
            text(
                "SELECT p.route, a.business, a.language, v.fallback FROM calls c"
                " JOIN calls p ON p.user_id = c.user_id AND p.id = c.parent_id"
                " JOIN agents a ON a.user_id = c.user_id AND a.id = c.agent_id"
                " JOIN agent_versions v ON v.user_id = c.user_id AND v.agent_id = c.agent_id"
                " AND v.version_no = c.agent_version WHERE c.user_id = :user AND c.id = :leg"
            ),
            {"user": user, "leg": leg},
        )
    ).first()
    if found is None:
        return unreached("en")
    if found.route == Route.TALK:
        return unreached(found.language)
    said: Mapping[str, Any] = found.fallback
    return fallback_answer(Route(found.route), business=found.business, language=found.language, fallback=said)


async def before(db: AsyncSession, user: uuid.UUID, call: uuid.UUID) -> Before | None:
    """What was before a call whose caller came back; None for any other call."""
    leg = (
        await db.execute(
            select(Call.parent_id, Call.dialled).where(
                Call.user_id == user,
                Call.id == select(Call.resumes_id).where(Call.user_id == user, Call.id == call).scalar_subquery(),
            )
        )
    ).first()
    if leg is None:
        return None
    newest = (
        select(Turn)
        .where(Turn.user_id == user, Turn.call_id == leg.parent_id)
        .order_by(Turn.turn_no.desc())
        .limit(TURNS_MAX)
    )
    since_ring = await db.scalar(_SINCE_RING, {"user": user, "call": call})
    return Before(leg.dialled, list(await db.scalars(newest))[::-1], int(since_ring or 0))


_SINCE_RING = text(
    """
    WITH RECURSIVE chain AS (
        SELECT c.resumes_id, c.started_at FROM calls c WHERE c.user_id = :user AND c.id = :call
        UNION ALL
        SELECT p.resumes_id, p.started_at FROM chain
        JOIN calls l ON l.user_id = :user AND l.id = chain.resumes_id
        JOIN calls p ON p.user_id = :user AND p.id = l.parent_id
    )
    SELECT ceil(extract(epoch FROM now() - min(chain.started_at))) FROM chain
    """
)
