"""A customer calls their own agent from the browser: a call like any other, but that nobody rang.

The rules: it is held, charged and limited exactly as a call by phone is. Whoever is refused is told what to do, and
nothing of it is kept: no caller was turned away. Opening hours and the agent's switch are for callers; whoever tries
their own agent gets it.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts.models import User, UserStatus
from talktime.agents import drafts, reading
from talktime.calls.models import Call
from talktime.calls.receipt import rate_of
from talktime.calls.routing import Route
from talktime.carriers.browser import NAME
from talktime.credits.functions import typed_errors
from talktime.credits.models import CreditHold
from talktime.credits.pricing import Rate
from talktime.db.base import new_id
from talktime.errors import Conflict, Refused, TalktimeError

WHY = "a call from the browser begins with the function that takes rings in, which is nobody's own"


class NothingPublished(Conflict):
    """This agent is not published yet. Publish it, or call it as its draft is."""


class NothingToSay(Conflict):
    """This agent has no greeting yet. Write what it says when it answers, then call it."""


class AccountSuspended(Refused):
    """Your account is suspended, so no call can be made. Write to us to find out why."""


class NoCredit(TalktimeError):
    """There is not enough credit for a call. Buy credits, then call again."""

    status = 402


class OwesCredits(NoCredit):
    """Your account owes credits. Buy credits, then call again."""


class TooManyCalls(TalktimeError):
    """As many calls are running as may. Wait until one of them has ended, then call again."""

    status = 429
    retry_after = 60


class LimitReached(Refused):
    """This call would pass a limit that you have set for what may be spent. Change it under Credits, then call
    again."""


class NoPriceYet(Refused):
    """No price is set for calls yet, so none can be made. Write to us about it."""


_REFUSALS: Mapping[str, type[TalktimeError]] = {
    Route.NO_CREDIT: NoCredit,
    Route.DEBT: OwesCredits,
    Route.TOO_MANY_CALLS: TooManyCalls,
    Route.BLOCKED: AccountSuspended,
    Route.NO_PRICE: NoPriceYet,
    Route.DAY_LIMIT: LimitReached,
    Route.CALL_LIMIT: LimitReached,
    Route.CALLER_LIMIT: LimitReached,
}


@dataclass(frozen=True, slots=True)
class Begun:
    """A call that waits for its socket."""

    call_id: uuid.UUID
    carrier_call_id: str
    agent_version: int | None
    """None: the agent as its draft is."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What a call came to, for who made it."""

    seconds: int
    credits: int


async def begin(db: AsyncSession, user: uuid.UUID, agent_id: uuid.UUID, *, draft: bool) -> Begun:
    """Take the call in and hold its first credits. Needs a transaction that sees everyone; `user` is the session's.

    With `draft` the agent is called as it will be. Raises NoSuchAgent, ArchivedAgent, NothingPublished, NothingToSay
    and what the credits say; each of these must end the transaction, so that nothing is kept.
    """
    status = await db.scalar(select(User.status).where(User.id == user))
    if status is not UserStatus.ACTIVE:
        raise AccountSuspended
    agent = await reading.agent_of(db, user, agent_id)
    reading.require_in_use(agent)
    if draft:
        if not (await drafts.read(db, user, agent_id)).content.greeting.strip():
            raise NothingToSay
    elif agent.published_version is None:
        raise NothingPublished
    call = new_id()
    version = None if draft else agent.published_version
    async with typed_errors():
        taken = (
            await db.execute(
                _RING,
                {"carrier": NAME, "name": str(call), "user": user, "call": call, "agent": agent_id, "version": version},
            )
        ).one()
    if taken.route != Route.TALK:
        raise _REFUSALS[taken.route]
    return Begun(call, str(call), version)


async def rate(db: AsyncSession, user: uuid.UUID, call: uuid.UUID) -> Rate:
    """The price of a call that was begun, which no longer changes."""
    query = select(CreditHold).where(CreditHold.user_id == user, CreditHold.call_id == call)
    return rate_of((await db.execute(query)).scalar_one())


async def settled(db: AsyncSession, user: uuid.UUID, call: uuid.UUID) -> Settled | None:
    """What a call came to; None while it is not settled."""
    query = (
        select(Call.seconds, CreditHold.charged + CreditHold.corrected)
        .join(CreditHold, (CreditHold.user_id == Call.user_id) & (CreditHold.call_id == Call.id))
        .where(Call.user_id == user, Call.id == call, CreditHold.settled_at.is_not(None))
    )
    row = (await db.execute(query)).one_or_none()
    return Settled(row[0] or 0, row[1]) if row is not None else None


_RING = text(
    "SELECT * FROM ring_v1(:carrier, :name, :user, :call, CAST(NULL AS uuid), :agent, CAST(:version AS integer),"
    " CAST(NULL AS text), CAST(NULL AS text), CAST(NULL AS text))"
)
