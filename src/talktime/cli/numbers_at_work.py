"""What the commands on numbers have in common: the database, and the phone companies that this installation has."""

import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.agents.models import Agent
from talktime.carriers.numbers import NumberKind, Numbers
from talktime.cli.books import find_operator, find_user
from talktime.cli.numbers import WHY
from talktime.cli.running import find_instance, open_database, read_settings, run
from talktime.db.session import Database
from talktime.errors import BadInput, NotFound
from talktime.numbers import proof, rent_due, telling
from talktime.numbers.forms import ordinary
from talktime.numbers.models import NumberProof, PhoneNumber
from talktime.numbers.rounds import all_numbers
from talktime.numbers.rows import find
from talktime.settings import Settings

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Pool:
    """What a command works with."""

    settings: Settings
    database: Database
    companies: Mapping[str, Numbers]

    def company(self, name: str | None) -> tuple[str, Numbers]:
        """The phone company that is meant. Raises BadInput."""
        chosen = self.company_name(name)
        if chosen not in self.companies:
            raise BadInput(f"{chosen!r} lets nobody manage its numbers from here.")
        return chosen, self.companies[chosen]

    def company_name(self, name: str | None) -> str:
        """Its name. Raises BadInput."""
        known = ", ".join(self.companies) or "none"
        if name is None and len(self.companies) == 1:
            return next(iter(self.companies))
        if name is None:
            raise BadInput(f"Say which phone company: --carrier NAME. There are: {known}.")
        if name not in self.companies:
            raise BadInput(f"There is no phone company {name[:30]!r} here. There are: {known}.")
        return name

    async def operator(self, name: str) -> uuid.UUID:
        """Who does this. Raises NotFound, NotAnOperator."""
        async with self.database.transaction(everyone=WHY) as db:
            return await find_operator(db, name)

    async def tell(self) -> None:
        """Tell the phone companies what they do not know yet."""
        await telling.tell_due(self.database, self.companies, self.settings.base_url)


def at_work(work: Callable[[Pool], Awaitable[Result]]) -> Result:
    """Run a command's work with the database and the phone companies: the real ones, and the simulated one where a demo
    runs."""

    # All of the application is behind it, which commands without a phone company do not wait for.
    from talktime.app import carriers_of

    async def go() -> Result:
        settings = read_settings()
        instance = await find_instance(settings.home)
        carriers = carriers_of(settings, demo=instance is not None and instance.demo)
        try:
            async with open_database(settings) as database:
                return await work(Pool(settings, database, all_numbers(carriers)))
        finally:
            for carrier in carriers.values():
                await carrier.close()

    return run(go())


async def agent_of(db: AsyncSession, user: uuid.UUID, name: str | None) -> uuid.UUID:
    """One of a user's agents, by id or name; without a name the only one. Raises BadInput, NotFound."""
    rows = (
        await db.execute(
            select(Agent.id, Agent.name, Agent.business).where(Agent.user_id == user, Agent.archived_at.is_(None))
        )
    ).all()
    if name is not None:
        found = [row.id for row in rows if name in (str(row.id), row.name)]
        if len(found) != 1:
            raise NotFound(f"They have no agent, or more than one, called {name[:80]!r}: give its id.")
        chosen: uuid.UUID = found[0]
        return chosen
    if len(rows) != 1:
        listed = ", ".join(f"{row.name} ({row.id})" for row in rows) or "none"
        raise BadInput(f"Say which agent answers: --agent ID. They have {listed}.")
    only: uuid.UUID = rows[0].id
    return only


async def prove_number(pool: Pool, number: str, user: str, code: str | None) -> dict[str, Any]:
    """Begin a proof, or, with the code, finish the newest one of this number."""
    written, secret = ordinary(number), pool.settings.secret
    async with pool.database.transaction(everyone=WHY) as db:
        whose = (await find_user(db, user)).id
        begun = [each for each in await proof.of_user(db, whose, after=None, limit=50) if each.number == written]
    if code is None:
        return _proof(await proof.begin(pool.database, whose, written, pool.companies, secret=secret))
    if not begun:
        raise NotFound("This number was not called: begin without --code.")
    now = datetime.now(UTC)
    return _proof(await proof.finish(pool.database, whose, begun[0].id, code, secret=secret, now=now))


async def rents(db: AsyncSession, number: str | None) -> list[dict[str, Any]]:
    """What numbers cost, and when. Raises NotFound."""
    if number is not None:
        one = await find(db, number)
        if one is None:
            raise NotFound(f"{number} is not in the pool.")
        return [_rent(one)]
    query = select(PhoneNumber).where(PhoneNumber.rent_due_on.is_not(None)).order_by(PhoneNumber.rent_due_on)
    return [_rent(each) for each in (await db.execute(query)).scalars()]


async def charge_now(pool: Pool) -> list[dict[str, Any]]:
    """Charge what is due."""
    done = await rent_due.charge_due(pool.database, datetime.now(UTC))
    async with pool.database.transaction(everyone=WHY) as db:
        named = {each.number_id: await find(db, each.number_id) for each in done}
    rows = []
    for each in done:
        number = named[each.number_id]
        assert number is not None
        rows.append(
            {
                "number": number.number,
                "credits": each.credits,
                "due_on": each.due_on.isoformat(),
                "outcome": each.outcome.value,
            }
        )
    return rows


def kind_of(name: str) -> NumberKind:
    """Raises BadInput."""
    try:
        return NumberKind(name.upper().replace("-", "_"))
    except ValueError:
        raise BadInput(f"{name[:30]!r} is no kind of number: local, mobile, national or toll_free.") from None


def micros(amount: str) -> int:
    """An amount of money in millionths; never through a float. Raises BadInput."""
    try:
        scaled = Decimal(amount).scaleb(6) if len(amount) <= 20 else Decimal("NaN")
    except InvalidOperation:
        scaled = Decimal("NaN")
    if not scaled.is_finite() or scaled < 0 or scaled != int(scaled):
        raise BadInput(f"{amount[:30]!r} is no price: write it like 1.15")
    return int(scaled)


def _rent(number: PhoneNumber) -> dict[str, Any]:
    return {
        "number": number.number,
        "user_id": str(number.user_id) if number.user_id else None,
        "credits": number.rent_credits,
        "due_on": number.rent_due_on.isoformat() if number.rent_due_on else None,
        "unpaid_since": number.rent_unpaid_since.isoformat() if number.rent_unpaid_since else None,
    }


def _proof(row: NumberProof) -> dict[str, Any]:
    return {
        "proof_id": str(row.id),
        "number": row.number,
        "expires_at": row.expires_at,
        "proven_at": row.proven_at,
        "error": row.error,
    }
