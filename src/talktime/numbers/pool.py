"""The pool of phone numbers: put into it, give to a user's agent, take back, let rest, give up.

The rules: each is one step, so that of two people who want the same number one gets it and the other is told; and what
the carrier has to know is written in that step (`wanted`), so that `telling` can finish it whatever dies in between.
"""

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts import audit
from talktime.accounts.models import User, UserStatus
from talktime.agents.models import Agent
from talktime.credits import money
from talktime.errors import Conflict, NotFound
from talktime.numbers import proof, rent
from talktime.numbers.forms import e164, ordinary
from talktime.numbers.models import CarrierPhase, PhoneNumber, PhoneStatus
from talktime.numbers.rows import NoSuchNumber, NotAssigned, Which, find, locked, one_by_one
from talktime.webhooks.events import emit

__all__ = ["NoSuchNumber", "NotAssigned", "Which", "e164", "locked", "ordinary"]

QUARANTINE = timedelta(days=30)
"""A number rests so long before somebody else gets it, because its callers still ring."""
RINGS_HERE = {"rings": "here"}
RELEASE = {"release": True}


class NotFree(Conflict):
    """This number is not free: choose another one."""


class NotTheirs(Conflict):
    """This number is a customer's own: only they can have it, once they have proven it."""


class OtherOwner(Conflict):
    """This number is in the pool as somebody else's, or as nobody's own: give it up, then add it again for its owner.
    Release it first where a customer has it."""

    field = "owner_id"


class CannotHaveNumbers(Conflict):
    """This customer's account is suspended or closed: nobody answers for it."""


class AgentArchived(Conflict):
    """This agent was archived: choose one that still answers, or bring it back first."""

    field = "agent_id"


class StillAssigned(Conflict):
    """A customer has this number: release it first."""


async def add(
    db: AsyncSession,
    number: str,
    *,
    carrier: str,
    carrier_number_id: str | None = None,
    capabilities: Sequence[str] = (),
    owner: uuid.UUID | None = None,
    actor: uuid.UUID | None = None,
) -> PhoneNumber:
    """Put a number into the pool; one that is there already is left as it is, one that was given up comes back, and
    goes on resting where it was resting.

    With the carrier's name of it (`carrier_number_id`) the carrier will be told where to ring; without one, whoever
    added it by hand has seen to that. `owner` is the customer who brought it along, and has proven that it is theirs.
    `actor` is the operator who does it; without one the installation does, which the audit log is not about. Raises
    NoNumber, DearNumber, UnknownNumber, NotTheirs, OtherOwner.
    """
    number = ordinary(number)
    if owner is not None and not await proof.is_proven(db, owner, number):
        raise NotTheirs(f"{number} is not proven to be this customer's: let them prove it first.")
    if owner is None and carrier_number_id is None and await proof.is_proven(db, None, number):
        # What the carrier has for us changed hands; of what is added by hand nobody knows.
        raise NotTheirs(f"{number} is proven to be a customer's own: name them as its owner.")
    await one_by_one(db, number)
    row = await find(db, number, lock=True)
    if row is not None and row.status is not PhoneStatus.RETURNED:
        if owner is not None and row.owner_id != owner:
            raise OtherOwner
        return row
    if row is None:
        row = PhoneNumber(number=number)
        db.add(row)
    # Its callers ring on, whoever had it in between; only its owner they mean in any case.
    rests = row.quarantine_until is not None and row.quarantine_until > datetime.now(UTC) and owner is None
    row.status = PhoneStatus.RELEASED if rests else PhoneStatus.AVAILABLE
    row.quarantine_until = row.quarantine_until if rests else None
    row.carrier, row.carrier_number_id = carrier, carrier_number_id
    row.capabilities, row.owner_id, row.carrier_told = list(capabilities), owner, {}
    _want(row, RINGS_HERE)
    await db.flush()
    if actor is not None:
        await audit.record(db, actor, actor, "number.added", after={"number_id": str(row.id), "carrier": carrier})
    return row


async def answering_agents(db: AsyncSession, limit: int = 100) -> list[tuple[uuid.UUID, uuid.UUID, int]]:
    """The agents that answer a number, each as user, agent and published version."""
    rows = await db.execute(
        select(Agent.user_id, Agent.id, Agent.published_version)
        .join(PhoneNumber, (PhoneNumber.user_id == Agent.user_id) & (PhoneNumber.agent_id == Agent.id))
        .where(Agent.active, Agent.published_version.is_not(None))
        .distinct()
        .limit(limit)
    )
    return [(user, agent, version) for user, agent, version in rows if version is not None]


async def assign(
    db: AsyncSession,
    number: Which,
    *,
    user: uuid.UUID,
    agent: uuid.UUID,
    actor: uuid.UUID | None = None,
    rent_credits: int = 0,
) -> PhoneNumber:
    """Give a free number to a user's agent, in one step; of two at once the first one counts. The same again changes
    nothing.

    `rent_credits` is what it costs them in a month from today on: the first month is charged with it, and must be
    there. `actor` is who does it; nobody is the installation itself. Raises NoSuchNumber, NotFree, NotTheirs,
    CannotHaveNumbers, AgentArchived, NotEnoughCredit, NotFound.
    """
    rent.require_credits(rent_credits)
    if rent_credits:
        # Before the user and the number: whoever posts locks the account first.
        await money.set_limits(db, user)
    await require_user_and_agent(db, user, agent)
    row = await locked(db, number)
    if (row.user_id, row.agent_id, row.status) == (user, agent, PhoneStatus.ASSIGNED):
        return row
    _require_free(row, user)
    before = _state(row)
    row.status, row.user_id, row.agent_id, row.quarantine_until = PhoneStatus.ASSIGNED, user, agent, None
    row.assigned_at = datetime.now(UTC)
    row.rent_credits = 0 if row.owner_id is not None else rent_credits
    row.rent_due_on = row.rent_unpaid_since = None
    _want(row, RINGS_HERE)
    await db.flush()
    if row.rent_credits:
        await rent.begin(db, row)
    await audit.record(
        db, user, actor, "number.assigned", before=before, after={"number_id": str(row.id), **_state(row)}
    )
    await emit(db, user, "number.assigned", {"number_id": row.id, "agent_id": agent})
    return row


async def point(
    db: AsyncSession, user: uuid.UUID, number: Which, *, agent: uuid.UUID, actor: uuid.UUID | None = None
) -> PhoneNumber:
    """Let another agent of the same user answer their number. `actor` is the operator when the customer does not do it.
    Raises NoSuchNumber, CannotHaveNumbers, AgentArchived, NotFound."""
    await require_user_and_agent(db, user, agent)
    row = await locked(db, number, user=user)
    if row.agent_id == agent:
        return row
    before = _state(row)
    row.agent_id = agent
    await db.flush()
    after = {"number_id": str(row.id), **_state(row)}
    await audit.record(db, user, actor or user, "number.pointed", before=before, after=after)
    await emit(db, user, "number.assigned", {"number_id": row.id, "agent_id": agent})
    return row


async def unpoint(db: AsyncSession, user: uuid.UUID, number: Which, *, actor: uuid.UUID | None = None) -> PhoneNumber:
    """Take a number away from the agent that answers it. It stays this user's, and its rent goes on: whoever rings it
    is told that nobody can take the call, until another agent gets it (`point`). Calls that run go on. Doing it again
    changes nothing. `actor` is the operator when the customer does not do it. Raises NoSuchNumber."""
    row = await locked(db, number, user=user)
    if row.agent_id is None:
        return row
    before = _state(row)
    row.agent_id = None
    await db.flush()
    after = {"number_id": str(row.id), **_state(row)}
    await audit.record(db, user, actor or user, "number.unpointed", before=before, after=after)
    return row


async def release(
    db: AsyncSession,
    number: Which,
    *,
    user: uuid.UUID | None = None,
    actor: uuid.UUID | None = None,
    quarantine: timedelta = QUARANTINE,
) -> PhoneNumber:
    """Take a number back from whoever has it: it rests for 30 days, then it is free again. Whoever rings it meanwhile
    is told that nobody answers there; calls that run go on.

    `user` is whose it must be; `actor` who does it, nobody is the installation. Raises NoSuchNumber, NotAssigned.
    """
    row = await locked(db, number, user=user)
    whose = row.user_id
    if whose is None:
        raise NotAssigned
    before = {"number_id": str(row.id), **_state(row)}
    # What a customer brought along is still theirs: nobody else can get it, so it need not rest.
    row.status = PhoneStatus.RELEASED if row.owner_id is None else PhoneStatus.AVAILABLE
    row.quarantine_until = datetime.now(UTC) + quarantine if row.owner_id is None else None
    row.user_id = row.agent_id = row.assigned_at = row.rent_due_on = row.rent_unpaid_since = None
    row.rent_credits = 0
    await db.flush()
    await audit.record(db, whose, actor, "number.released", before=before, after={"status": row.status.value})
    await emit(db, whose, "number.released", {"number_id": row.id})
    return row


async def give_up(db: AsyncSession, number: Which, *, actor: uuid.UUID) -> PhoneNumber:
    """Give a number that nobody has back to its carrier, for good: from now on it costs nothing. The carrier is told by
    `telling`. Doing it again changes nothing. Raises NoSuchNumber, StillAssigned."""
    row = await locked(db, number)
    if row.status is PhoneStatus.RETURNED:
        return row
    if row.status is PhoneStatus.ASSIGNED:
        raise StillAssigned
    before = {"number_id": str(row.id), **_state(row)}
    # Until when it was to rest is kept: it may come back sooner.
    row.status = PhoneStatus.RETURNED
    _want(row, RELEASE)
    await db.flush()
    await audit.record(db, actor, actor, "number.given_up", before=before, after={"status": row.status.value})
    return row


async def free_rested(db: AsyncSession, now: datetime) -> int:
    """Numbers that have rested long enough are free again; gives how many."""
    freed = await db.execute(
        update(PhoneNumber)
        .where(PhoneNumber.status == PhoneStatus.RELEASED, PhoneNumber.quarantine_until <= now)
        .values(status=PhoneStatus.AVAILABLE, quarantine_until=None)
        .returning(PhoneNumber.id)
        .execution_options(synchronize_session=False)
    )
    return len(freed.all())


def want_again(row: PhoneNumber) -> None:
    """Have the carrier told once more what is wanted, whatever it said before."""
    row.carrier_told = {}
    _want(row, row.carrier_wanted or RINGS_HERE)


def _want(row: PhoneNumber, wanted: Mapping[str, Any]) -> None:
    """Have the carrier told, as soon as this is committed; what was added by hand is told by hand."""
    row.carrier_wanted = dict(wanted)
    row.carrier_tries, row.carrier_error = 0, None
    is_told = row.carrier_told.get("rings") == "here" if wanted == RINGS_HERE else False
    if row.carrier_number_id is None or (is_told and row.carrier_phase is CarrierPhase.AGREED):
        row.carrier_phase = CarrierPhase.AGREED
    else:
        row.carrier_phase = CarrierPhase.WANTED
        row.carrier_try_at = datetime.now(UTC)


def _require_free(row: PhoneNumber, user: uuid.UUID) -> None:
    if row.owner_id not in (None, user):
        raise NotTheirs
    if row.status is PhoneStatus.ASSIGNED:
        if row.user_id == user:
            raise NotFree(f"{row.number} is theirs already: point it at another agent instead.")
        raise NotFree(f"{row.number} belongs to somebody: choose another number, or release this one first.")
    if row.status is PhoneStatus.RELEASED:
        assert row.quarantine_until is not None
        raise NotFree(f"{row.number} rests until {row.quarantine_until:%d %B %Y}, because its callers still ring.")
    if row.status is PhoneStatus.RETURNED or row.carrier_phase is CarrierPhase.GONE:
        raise NotFree(f"{row.number} is the carrier's again: choose another number.")


async def require_user_and_agent(db: AsyncSession, user: uuid.UUID, agent: uuid.UUID) -> None:
    """Both stay as they are until this is committed, in the order in which an account is closed."""
    status = await db.scalar(select(User.status).where(User.id == user).with_for_update(read=True))
    if status is None:
        raise NotFound("There is no such user.")
    if status is not UserStatus.ACTIVE:
        raise CannotHaveNumbers(f"This account is {status.value.lower()}: nobody answers for it.")
    found = (
        await db.execute(
            select(Agent.archived_at).where(Agent.user_id == user, Agent.id == agent).with_for_update(read=True)
        )
    ).first()
    if found is None:
        raise NotFound("There is no such agent.")
    if found.archived_at is not None:
        raise AgentArchived


def _state(number: PhoneNumber) -> dict[str, audit.Value]:
    return {"status": number.status.value, "agent_id": str(number.agent_id) if number.agent_id else None}
