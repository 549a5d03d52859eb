"""The pool of phone numbers: add by hand, assign to a user's agent in one step."""

import uuid

import phonenumbers
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts import audit
from talktime.agents.models import Agent
from talktime.errors import BadInput, Conflict, NotFound
from talktime.numbers.models import PhoneNumber, PhoneStatus


def e164(number: str, region: str | None = None) -> str:
    """A number as people write it, in E.164: `+15550100`. Raises BadInput."""
    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException as error:
        raise BadInput(f"{number!r} is not a phone number: write it as +49 30 1234567.") from error
    if not phonenumbers.is_possible_number(parsed):
        raise BadInput(f"{number!r} is too short or too long for a phone number.")
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))


async def add(
    db: AsyncSession,
    number: str,
    *,
    carrier: str,
    carrier_number_id: str | None = None,
    actor: uuid.UUID | None = None,
) -> PhoneNumber:
    """Put a number into the pool; one that is there already is left as it is.

    `actor` is the operator who does it; without one the installation does, which the audit log is not about.
    """
    number = e164(number)
    added = await db.execute(
        insert(PhoneNumber)
        .values(number=number, carrier=carrier, carrier_number_id=carrier_number_id)
        .on_conflict_do_nothing(index_elements=[PhoneNumber.number])
        .returning(PhoneNumber.id)
    )
    added_id = added.scalar_one_or_none()
    if added_id is not None and actor is not None:
        await audit.record(db, actor, actor, "number.added", after={"number_id": str(added_id), "carrier": carrier})
    return (await db.execute(select(PhoneNumber).where(PhoneNumber.number == number))).scalar_one()


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
    db: AsyncSession, number: str, *, user: uuid.UUID, agent: uuid.UUID, actor: uuid.UUID | None = None
) -> PhoneNumber:
    """Give a free number to a user's agent. The same again changes nothing; a number of somebody else is a conflict.

    `actor` is who does it; nobody is the installation itself.
    """
    row = (
        await db.execute(select(PhoneNumber).where(PhoneNumber.number == number).with_for_update())
    ).scalar_one_or_none()
    if row is None:
        raise NotFound(f"{number} is not in the pool.")
    if row.status == PhoneStatus.RELEASED or (row.user_id is not None and row.user_id != user):
        raise Conflict(f"{number} is not free.")
    before = _state(row)
    row.status = PhoneStatus.ASSIGNED
    row.user_id = user
    row.agent_id = agent
    await db.flush()
    if _state(row) != before:
        after = {"number_id": str(row.id), **_state(row)}
        await audit.record(db, user, actor, "number.assigned", before=before, after=after)
    return row


def _state(number: PhoneNumber) -> dict[str, audit.Value]:
    return {"status": number.status.value, "agent_id": str(number.agent_id) if number.agent_id else None}
