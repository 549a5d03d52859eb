"""An exchange for the tests of this folder: a database, and a simulated phone company with an adapter to it."""

import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import httpx
import pytest
from sqlalchemy import text, update

from talktime.accounts.models import User
from talktime.agents.models import Agent
from talktime.carriers.numbers import NumberPrice, Numbers
from talktime.carriers.simulated import Simulated, SimulatedAccount
from talktime.db.base import new_id
from talktime.db.session import Database, connect
from talktime.numbers import pool
from talktime.numbers.models import PhoneNumber
from talktime.numbers.rows import find
from talktime.simulate.carrier import SimulatedCarrier
from talktime.simulate.numbers import NumberBooks
from tests.db.everything import become_owner
from tests.people import WHY, Person

BASE = "http://127.0.0.1:9"
"""Where our doors are, as the carrier is told."""
RING, REPORT = f"{BASE}/hooks/simulated/ring", f"{BASE}/hooks/simulated/report"
PRICE = NumberPrice(1_150_000, "USD")
SECRET = b"s" * 32


@dataclass
class Exchange:
    """Who is there."""

    database: Database
    company: SimulatedCarrier
    carrier: Simulated

    @property
    def numbers(self) -> Numbers:
        return self.carrier.numbers

    @property
    def carriers(self) -> dict[str, Numbers]:
        return {"simulated": self.carrier.numbers}

    async def add(self, number: str, *, there: bool = True) -> PhoneNumber:
        """A number in our pool that the carrier has, too."""
        owned = self.company.numbers.put(number) if there else None
        async with self.database.transaction(everyone=WHY) as db:
            return await pool.add(
                db, number, carrier="simulated", carrier_number_id=owned.sid if owned else "PN" + "0" * 32
            )

    async def give(self, number: str, person: Person, *, rent: int = 0, actor: uuid.UUID | None = None) -> PhoneNumber:
        async with self.database.transaction(everyone=WHY) as db:
            return await pool.assign(db, number, user=person.id, agent=person.agent, rent_credits=rent, actor=actor)

    async def see(self, number: str) -> PhoneNumber:
        """A number as our pool has it now."""
        async with self.database.transaction(everyone=WHY) as db:
            row = await find(db, number)
        assert row is not None
        return row

    async def hurry(self) -> None:
        """Whatever waits for later is due now."""
        async with self.database.transaction(everyone=WHY) as db:
            await db.execute(text("UPDATE phone_numbers SET carrier_try_at = now() - interval '1 second'"))
            await db.execute(text("UPDATE number_orders SET try_at = now() - interval '1 second'"))

    async def agent_of(self, person: Person, *, archived: bool = False) -> uuid.UUID:
        """Another agent of theirs."""
        agent = new_id()
        async with self.database.transaction(everyone=WHY) as db:
            db.add(Agent(user_id=person.id, id=agent, name="Other", business="Other", language="en", active=False))
            await db.flush()
            if archived:
                await db.execute(text("UPDATE agents SET archived_at = now() WHERE id = :id"), {"id": agent})
        return agent

    async def become(self, person: Person, status: str) -> None:
        async with self.database.transaction(everyone=WHY) as db:
            await db.execute(update(User).where(User.id == person.id).values(status=status))


@pytest.fixture(scope="module")
async def the_exchange(new_database_url: Callable[[], str]) -> AsyncIterator[Exchange]:
    """One for all tests of a file."""
    database = connect(new_database_url())
    async with SimulatedCarrier("AC" + "a" * 32, "a-token", control_secret="a-secret") as company:
        account = SimulatedAccount(company.account, company.token, company.control_secret, company.api_base)
        carrier = Simulated(account)
        yield Exchange(database, company, carrier)
        await carrier.close()
    await database.close()


@pytest.fixture
async def exchange(the_exchange: Exchange) -> Exchange:
    """The same without a number, an order, a proof or an alert."""
    async with the_exchange.database.transaction(everyone=WHY) as db:
        await become_owner(db)
        for table in ("number_orders", "number_proofs", "alerts", "notices", "throttles", "phone_numbers"):
            await db.execute(text(f"DELETE FROM {table}"))
    the_exchange.company.numbers = NumberBooks()
    the_exchange.company.outcomes.clear()
    the_exchange.company.said.clear()
    return the_exchange


@pytest.fixture
async def impatient(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    """The adapter waits a third of a second for an answer, and no longer."""
    async with httpx.AsyncClient(timeout=0.3, trust_env=False) as client:
        monkeypatch.setattr(exchange.carrier._api, "_client", client)
        yield client
