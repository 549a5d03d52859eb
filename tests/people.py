"""Making people and what they own, through the same doors the product uses."""

import itertools
import uuid
from dataclasses import dataclass

from sqlalchemy import select, text

from talktime.accounts.models import Role, User
from talktime.agents.models import Agent, AgentVersion
from talktime.credits import money
from talktime.credits.models import CreditAccount, CreditHold, CreditTransaction, Price
from talktime.credits.pricing import Rate
from talktime.db.base import new_id
from talktime.db.session import Database
from talktime.numbers.models import PhoneNumber, PhoneStatus

WHY = "a test sets the stage"
PER_MINUTE = Rate(credits_per_minute=15)

_NUMBERS = itertools.count(uuid.uuid4().int % 10**7)
"""One after the other from anywhere: of thousands drawn at random, two would be the same one day."""


@dataclass(frozen=True)
class Person:
    """A user, with the number their agent answers."""

    id: uuid.UUID
    agent: uuid.UUID
    number: str
    rate: Rate


async def new_person(
    database: Database, name: str, *, credits: int, rate: Rate = PER_MINUTE, admin: bool = False
) -> Person:
    """Somebody new, with an agent, a number of the simulated carrier, a price of their own and some credits."""
    user, agent, price = new_id(), new_id(), new_id()
    number = f"+1555{next(_NUMBERS) % 10**7:07d}"
    async with database.transaction(everyone=WHY) as db:
        email = f"{name.lower()}.{user.hex}@example.org"
        db.add(User(id=user, email=email, name=name, role=Role.ADMIN if admin else Role.USER, zone="Europe/Berlin"))
        await db.flush()
        db.add(
            Price(
                id=price,
                user_id=user,
                credits_per_minute=rate.credits_per_minute,
                connection_fee=rate.connection_fee,
                initial_seconds=rate.initial_seconds,
                increment_seconds=rate.increment_seconds,
                free_seconds=rate.free_seconds,
            )
        )
        db.add(
            Agent(
                user_id=user, id=agent, name="Reception", business=f"{name}'s shop", language="en", zone="Europe/Berlin"
            )
        )
        await db.flush()
        db.add(AgentVersion(user_id=user, agent_id=agent, version_no=1, greeting=f"{name}'s shop, hello."))
        await db.flush()
        await db.execute(
            text("UPDATE agents SET published_version = 1 WHERE user_id = :user AND id = :agent"),
            {"user": user, "agent": agent},
        )
        db.add(
            PhoneNumber(number=number, status=PhoneStatus.ASSIGNED, user_id=user, agent_id=agent, carrier="simulated")
        )
        await db.flush()
        if credits:
            await money.adjust(db, user, reference="start", amount=credits, reason="to begin with", actor=user)
    return Person(user, agent, number, rate)


async def new_call(database: Database, person: Person) -> uuid.UUID:
    """A call that rings and was not yet authorised."""
    call = new_id()
    async with database.transaction(everyone=WHY) as db:
        # Only the lifecycle functions may insert calls; the owner of the tables stands in for them here.
        await db.execute(text("RESET ROLE"))
        await db.execute(text("SET LOCAL ROLE talktime_owner"))
        await db.execute(
            text(
                "INSERT INTO calls (user_id, id, direction, carrier, carrier_call_id, status, route, started_at)"
                " VALUES (:user, :call, 'INBOUND', 'simulated', :name, 'RINGING', 'talk', now())"
            ),
            {"user": person.id, "call": call, "name": f"CA{call.hex}"},
        )
    return call


async def account_of(database: Database, person: Person) -> CreditAccount:
    async with database.transaction(user=person.id) as db:
        return (await db.execute(select(CreditAccount))).scalar_one()


async def hold_of(database: Database, person: Person, call: uuid.UUID) -> CreditHold:
    async with database.transaction(user=person.id) as db:
        return (await db.execute(select(CreditHold).where(CreditHold.call_id == call))).scalar_one()


async def lines_of(database: Database, person: Person) -> list[CreditTransaction]:
    async with database.transaction(user=person.id) as db:
        return list((await db.execute(select(CreditTransaction).order_by(CreditTransaction.seq))).scalars())


async def charges(database: Database, person: Person) -> list[int]:
    """The amounts of the ledger lines that came after the first credits."""
    return [line.amount for line in await lines_of(database, person)][1:]
