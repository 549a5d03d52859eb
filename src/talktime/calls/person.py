"""Everything that an operator needs to see of one person at once: who they are, what they have, what went on lately.

The rule: it only reads, and it holds no caller's number and no word of a conversation: who needs those looks at the
call itself. Needs a transaction that is everyone's.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts import audit_log, keys, people, sessions
from talktime.accounts.audit_log import Entry
from talktime.accounts.models import User
from talktime.accounts.people import Person
from talktime.agents.reading import agents_of
from talktime.calls.models import Call, CallStatus
from talktime.credits.account import Funds, Guards, funds_of, guards_of
from talktime.credits.models import CreditHold
from talktime.credits.reading import Limits, limits_of
from talktime.notices.models import Notice
from talktime.numbers.assigned import numbers_of

_SHOWN = 10


@dataclass(frozen=True, slots=True)
class ShownAgent:
    """An agent, and which version of it answers."""

    id: uuid.UUID
    name: str
    business: str
    active: bool
    published_version: int | None


@dataclass(frozen=True, slots=True)
class ShownCall:
    """A call: when it was, how it went, what it came to."""

    id: uuid.UUID
    started_at: datetime
    direction: str
    status: CallStatus
    route: str
    seconds: int | None
    credits: int
    """What it costs by now."""


@dataclass(frozen=True, slots=True)
class ShownNotice:
    """What somebody was told, or will be."""

    kind: str
    created_at: datetime
    mailed_at: datetime | None
    dropped_at: datetime | None


@dataclass(frozen=True, slots=True)
class Opened:
    """One person, on one screen."""

    person: Person
    is_confirmed: bool
    """Whether a link to their address was ever opened."""
    closed_at: datetime | None
    sessions: int
    """Browsers that are signed in, an operator's among them."""
    api_keys: int
    funds: Funds
    limits: Limits
    guards: Guards
    numbers: Sequence[str]
    agents: Sequence[ShownAgent]
    calls: Sequence[ShownCall]
    notices: Sequence[ShownNotice]
    audit: Sequence[Entry]
    """What was done to them last."""


async def open_person(db: AsyncSession, user: uuid.UUID, now: datetime) -> Opened:
    """Everything about one person. Raises NoSuchPerson."""
    person = await people.find(db, user)
    confirmed_at, closed_at = (
        await db.execute(select(User.email_confirmed_at, User.closed_at).where(User.id == user))
    ).one()
    agents = [
        ShownAgent(agent.id, agent.name, agent.business, agent.active, agent.published_version)
        for agent in await agents_of(db, user)
    ]
    return Opened(
        person=person,
        is_confirmed=confirmed_at is not None,
        closed_at=closed_at,
        sessions=len(await sessions.of_user(db, user)),
        api_keys=len(await keys.of_user(db, user)),
        funds=await funds_of(db, user),
        limits=await limits_of(db, user),
        guards=await guards_of(db, user, now),
        numbers=[number.number for number in await numbers_of(db, user)],
        agents=agents,
        calls=await _calls(db, user),
        notices=await _notices(db, user),
        audit=(await audit_log.page(db, audit_log.Filter(about=user), limit=_SHOWN)).entries,
    )


async def _calls(db: AsyncSession, user: uuid.UUID) -> Sequence[ShownCall]:
    rows = await db.execute(
        select(
            Call.id,
            Call.started_at,
            Call.direction,
            Call.status,
            Call.route,
            Call.seconds,
            func.coalesce(CreditHold.charged + CreditHold.corrected, 0),
        )
        .outerjoin(CreditHold, (CreditHold.user_id == Call.user_id) & (CreditHold.call_id == Call.id))
        .where(Call.user_id == user)
        .order_by(Call.started_at.desc(), Call.id.desc())
        .limit(_SHOWN)
    )
    return [ShownCall(*row) for row in rows]


async def _notices(db: AsyncSession, user: uuid.UUID) -> Sequence[ShownNotice]:
    rows = await db.execute(
        select(Notice.kind, Notice.created_at, Notice.mailed_at, Notice.dropped_at)
        .where(Notice.user_id == user)
        .order_by(Notice.created_at.desc(), Notice.id.desc())
        .limit(_SHOWN)
    )
    return [ShownNotice(*row) for row in rows]
