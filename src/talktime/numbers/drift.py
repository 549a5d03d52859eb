"""What the carrier has and what our pool says: taking numbers in, and telling where the two differ.

The rule: looking changes nothing. Importing adds what is unknown, and has the carrier told where to ring; what differs
is mended by name, and a number that a customer has is never taken from them because the carrier said something odd.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts import audit
from talktime.accounts.models import User, UserStatus
from talktime.accounts.operators import require_operator
from talktime.agents.models import Agent
from talktime.carriers.numbers import Doors, Numbers, OwnedNumber
from talktime.db.session import Database
from talktime.errors import TalktimeError
from talktime.numbers import pool
from talktime.numbers.models import CarrierPhase, PhoneNumber, PhoneStatus
from talktime.numbers.pool import RINGS_HERE
from talktime.numbers.telling import doors_of

WHY = "the whole pool is compared with what its carriers have"


class Difference(StrEnum):
    """In what a number differs."""

    ONLY_THERE = "only_there"
    """The carrier has it for us, and bills it; our pool does not know it."""
    ONLY_HERE = "only_here"
    """Our pool has it, and the carrier does not: nobody who rings it reaches us."""
    OTHER_DOORS = "other_doors"
    """Its calls, or the reports of them, go somewhere else than to us."""
    OTHER_NAME = "other_name"
    """The carrier has it under another name than we know."""
    NOT_GIVEN_BACK = "not_given_back"
    """We gave it up, and the carrier still has it for us, and bills it."""
    NOBODYS = "nobodys"
    """It is with a customer whose account is closed."""
    ARCHIVED_AGENT = "archived_agent"
    """It is with an agent who was archived, or with none: nobody answers."""
    NOT_TOLD = "not_told"
    """The carrier refused, or was not reached yet."""


_MEANS = {
    Difference.ONLY_THERE: "The carrier bills it, and the pool does not have it: import it, or give it up there.",
    Difference.ONLY_HERE: "The carrier has no such number for us: nobody who rings it reaches us.",
    Difference.OTHER_DOORS: "Its calls do not come to us: have the carrier told again.",
    Difference.OTHER_NAME: "The carrier knows it under another name: import takes the new one over.",
    Difference.NOT_GIVEN_BACK: "We gave it up, and the carrier still bills it: have it told again.",
    Difference.NOBODYS: "Its customer's account is closed: release it.",
    Difference.ARCHIVED_AGENT: "No agent answers it: point it at another one, or release it.",
    Difference.NOT_TOLD: "The carrier was not told yet, or refused: see its error, then have it told again.",
}


@dataclass(frozen=True, slots=True)
class Drift:
    """One number that differs."""

    number: str
    carrier: str
    difference: Difference
    detail: str = ""
    """What the carrier has instead, or said."""

    @property
    def sentence(self) -> str:
        """What it means, and what to do."""
        return _MEANS[self.difference]


@dataclass(frozen=True, slots=True)
class Imported:
    """What taking numbers in came to."""

    added: Sequence[str]
    renamed: Sequence[str]
    """Known before, and now tied to the carrier's name of them."""
    known: int
    refused: Mapping[str, str]
    """Numbers that may not be in the pool, and why."""


async def take_in(
    database: Database, numbers: Numbers, carrier: str, *, actor: uuid.UUID, dry_run: bool = False
) -> Imported:
    """Add the account's numbers that the pool does not know; the carrier is told where each is to ring. With `dry_run`
    it only says what it would do. Raises NotAnOperator, ProviderError."""
    owned = await numbers.owned()
    added: list[str] = []
    renamed: list[str] = []
    refused: dict[str, str] = {}
    async with database.transaction(everyone=WHY) as db:
        await require_operator(db, actor)
        for each in sorted(owned, key=lambda one: one.number):
            row = await db.scalar(select(PhoneNumber).where(PhoneNumber.number == each.number))
            if row is not None and row.carrier_number_id == each.number_id:
                continue
            is_new = row is None or row.status is PhoneStatus.RETURNED
            try:
                if is_new and not dry_run:
                    await pool.add(
                        db,
                        each.number,
                        carrier=carrier,
                        carrier_number_id=each.number_id,
                        capabilities=each.capabilities,
                        actor=actor,
                    )
                elif is_new:
                    pool.ordinary(each.number)
                elif not dry_run:
                    assert row is not None
                    await _rename(db, row.id, each, carrier, actor)
            except TalktimeError as error:
                refused[each.number] = str(error)
            else:
                (added if is_new else renamed).append(each.number)
    return Imported(added, renamed, len(owned) - len(added) - len(renamed) - len(refused), refused)


async def compare(database: Database, carriers: Mapping[str, Numbers], base_url: str) -> list[Drift]:
    """Everything in which the pool and its carriers differ. Raises ProviderError."""
    there = {name: {each.number: each for each in await numbers.owned()} for name, numbers in carriers.items()}
    async with database.transaction(everyone=WHY) as db:
        rows = (
            await db.execute(
                select(PhoneNumber, User.status, Agent.archived_at, Agent.id.is_not(None))
                .outerjoin(User, User.id == PhoneNumber.user_id)
                .outerjoin(Agent, (Agent.user_id == PhoneNumber.user_id) & (Agent.id == PhoneNumber.agent_id))
                .order_by(PhoneNumber.number)
            )
        ).all()
    found: list[Drift] = []
    known = set()
    for row, status, archived_at, is_there in rows:
        owned = there.get(row.carrier, {}).get(row.number)
        known.add((row.carrier, row.number))
        found += _of_people(row, status, is_answered=bool(is_there) and archived_at is None)
        if row.carrier in carriers:
            found += _of_carrier(row, owned, doors_of(base_url, row.carrier))
    for carrier, numbers in there.items():
        found += [Drift(each, carrier, Difference.ONLY_THERE) for each in numbers if (carrier, each) not in known]
    return sorted(found, key=lambda each: (each.number, each.difference))


async def tell_again(db: AsyncSession, number: pool.Which, *, actor: uuid.UUID) -> PhoneNumber:
    """Have the carrier told once more what a number needs, whatever it said before. Raises NoSuchNumber."""
    row = await pool.locked(db, number)
    before: dict[str, audit.Value] = {"carrier_phase": row.carrier_phase.value}
    pool.want_again(row)
    await db.flush()
    after: dict[str, audit.Value] = {"number_id": str(row.id), "carrier_phase": row.carrier_phase.value}
    await audit.record(db, row.user_id or actor, actor, "number.told_again", before=before, after=after)
    return row


def _of_people(row: PhoneNumber, status: UserStatus | None, *, is_answered: bool) -> list[Drift]:
    if row.status is not PhoneStatus.ASSIGNED:
        return []
    if status is UserStatus.CLOSED:
        return [Drift(row.number, row.carrier, Difference.NOBODYS)]
    return [] if is_answered else [Drift(row.number, row.carrier, Difference.ARCHIVED_AGENT)]


def _of_carrier(row: PhoneNumber, owned: OwnedNumber | None, doors: Doors) -> list[Drift]:
    def drift(difference: Difference, detail: str = "") -> list[Drift]:
        return [Drift(row.number, row.carrier, difference, detail[:300])]

    if row.status is PhoneStatus.RETURNED:
        return drift(Difference.NOT_GIVEN_BACK) if owned is not None else []
    if row.carrier_phase in (CarrierPhase.REFUSED, CarrierPhase.WANTED):
        return drift(Difference.NOT_TOLD, row.carrier_error or "")
    if owned is None:
        # What was added by hand is with the carrier in another way than its API shows.
        return drift(Difference.ONLY_HERE) if row.carrier_number_id is not None else []
    is_here = owned.doors == doors and owned.rings_by_post
    if row.carrier_number_id is None and is_here:
        return []  # added by hand, and set up by hand
    if owned.number_id != row.carrier_number_id:
        return drift(Difference.OTHER_NAME, owned.number_id)
    if not is_here:
        return drift(Difference.OTHER_DOORS, owned.doors.voice_url or "nowhere")
    return []


async def _rename(db: AsyncSession, number: uuid.UUID, owned: OwnedNumber, carrier: str, actor: uuid.UUID) -> None:
    """A number that was added by hand, or bought anew, is told by its carrier's name from now on."""
    row = await pool.locked(db, number)
    before: dict[str, audit.Value] = {"number_id": str(row.id), "carrier": row.carrier}
    row.carrier, row.carrier_number_id, row.capabilities = carrier, owned.number_id, list(owned.capabilities)
    row.carrier_wanted = dict(RINGS_HERE)
    pool.want_again(row)
    await db.flush()
    await audit.record(db, row.user_id or actor, actor, "number.imported", before=before, after={"carrier": carrier})
