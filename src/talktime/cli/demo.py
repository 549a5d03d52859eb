"""The demo customer: made once, found again afterwards."""

import contextlib
import uuid
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts.models import Role, User
from talktime.agents import demo as content
from talktime.agents.content import Content
from talktime.agents.life import create
from talktime.agents.publish import publish
from talktime.calls.models import Call
from talktime.credits import money, packs
from talktime.credits.models import Price, PriceKind
from talktime.db.session import Database
from talktime.numbers import pool, rows
from talktime.simulate.carrier import DEMO_FREE_NUMBERS, DEMO_NUMBER

EMAIL = "front.desk@rose-lane.example"
OPERATOR_EMAIL = "operator@talktime.example"
NUMBER = DEMO_NUMBER
CREDITS = 1000
PACKS = (("Small", 500, 900), ("Medium", 2000, 3200), ("Large", 10000, 14500))
"""Name, credits, price in pence."""
_WHY = "the demo's people are made before anybody signs in"


@dataclass(frozen=True, slots=True)
class Demo:
    """The demo customer."""

    user_id: uuid.UUID
    email: str
    number: str
    has_calls: bool


async def ensure_demo(database: Database) -> Demo:
    """Make the demo's operator, prices, customer, agent, numbers and credits, unless they are there."""
    async with database.transaction(everyone=_WHY) as db:
        # One at a time, also when two servers start at once.
        await db.execute(select(func.pg_advisory_xact_lock(0x74616C6B)))
        user = (await db.execute(select(User).where(User.email == EMAIL))).scalar_one_or_none()
        if user is None:
            operator = User(email=OPERATOR_EMAIL, name="Operator", role=Role.ADMIN, zone=content.ZONE)
            user = User(email=EMAIL, name=content.BUSINESS, zone=content.ZONE, locale=content.LANGUAGE)
            db.add_all([operator, user])
            await db.flush()
            if (await db.scalar(select(func.count()).select_from(Price).where(Price.user_id.is_(None)))) == 0:
                db.add(Price(credits_per_minute=15, connection_fee=0, initial_seconds=60, increment_seconds=60))
                # A person who was put through is another call to the phone company, and costs less than the agent.
                db.add(
                    Price(
                        kind=PriceKind.TRANSFER,
                        credits_per_minute=6,
                        connection_fee=0,
                        initial_seconds=10,
                        increment_seconds=10,
                    )
                )
            for position, (name, size, price_minor) in enumerate(PACKS):
                await packs.create(
                    db,
                    name=name,
                    credits=size,
                    price_minor=price_minor,
                    currency="GBP",
                    position=position,
                    actor=operator.id,
                )
            agent = await create(
                db,
                user.id,
                name="Front desk",
                business=content.BUSINESS,
                language=content.LANGUAGE,
                zone=content.ZONE,
                actor=operator.id,
            )
            said = Content(
                business=content.BUSINESS,
                language=content.LANGUAGE,
                zone=content.ZONE,
                greeting=content.GREETING,
                instructions=content.INSTRUCTIONS,
                hours=content.HOURS,
                knowledge=content.ENTRIES,
                phrases=content.PHRASES,
                people=content.PEOPLE,
            )
            await publish(db, user.id, agent.id, said, actor=operator.id)
            await pool.add(db, NUMBER, carrier="simulated", actor=operator.id)
            await pool.assign(db, NUMBER, user=user.id, agent=agent.id, actor=operator.id)
            await money.adjust(
                db, user.id, reference="demo:start", amount=CREDITS, reason="Credits to try with", actor=operator.id
            )
        await _add_free_numbers(db)
        calls = await db.scalar(select(func.count()).select_from(Call).where(Call.user_id == user.id))
        return Demo(user.id, EMAIL, NUMBER, bool(calls))


async def _add_free_numbers(db: AsyncSession) -> None:
    """Something to choose from, also in a demo from before there was. What was given up since stays given up, and what
    a customer has proven to be theirs is theirs."""
    operator = await db.scalar(select(User.id).where(User.email == OPERATOR_EMAIL))
    for number in DEMO_FREE_NUMBERS:
        if await rows.find(db, number) is None:
            with contextlib.suppress(pool.NotTheirs):
                await pool.add(db, number, carrier="simulated", actor=operator)
