"""What the tests of the first hour need: somebody who has just signed up, a pool, and a payment company."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from sqlalchemy import select, text

from talktime.accounts.models import User
from talktime.agents import drafts
from talktime.agents.content import Content
from talktime.agents.models import Agent
from talktime.credits import money, prices
from talktime.credits.models import PriceKind
from talktime.db.base import new_id
from talktime.db.session import Database
from talktime.numbers.models import PhoneNumber, PhoneStatus
from talktime.settings import Settings
from tests.people import WHY
from tests.web.conftest import Browser, OpenBrowser
from tests.web.doorstep import PASSWORD, mailed_to, unique, user_of
from tests.web.stage import SECRET, SITE, Stage

BUSINESS = {"business": "Salon Hanna", "trade": "hairdresser", "language": "en", "zone": "Europe/Berlin"}


@dataclass
class Newcomer:
    """Somebody who signed up a moment ago, and their browser."""

    browser: Browser
    database: Database
    id: uuid.UUID

    async def at(self, address: str = "/begin") -> str:
        """Where an address leads."""
        answer = await self.browser.get(address)
        return str(answer.headers.get("location", answer.status_code))

    async def page(self, address: str) -> str:
        answer = await self.browser.get(address)
        assert answer.status_code == 200, (answer.status_code, answer.headers.get("location"), answer.text[:500])
        return answer.text

    async def tell(self, address: str, /, **fields: str) -> str:
        """Send a form that is in order; gives where it leads."""
        answer = await self.browser.post(address, data=fields)
        assert answer.status_code == 303, answer.text
        return str(answer.headers["location"])

    async def agents(self) -> list[Agent]:
        async with self.database.transaction(user=self.id) as db:
            return list(await db.scalars(select(Agent).order_by(Agent.created_at)))

    async def draft(self) -> Content:
        [agent] = await self.agents()
        async with self.database.transaction(user=self.id) as db:
            return (await drafts.read(db, self.id, agent.id)).content

    async def numbers(self) -> list[PhoneNumber]:
        async with self.database.transaction(everyone=WHY) as db:
            return list(await db.scalars(select(PhoneNumber).where(PhoneNumber.user_id == self.id)))

    async def gets(self, credits: int) -> None:
        """Credits from the operator."""
        async with self.database.transaction(everyone=WHY) as db:
            await money.adjust(
                db, self.id, reference=new_id().hex, amount=credits, reason="to begin with", actor=self.id
            )


async def sign_up(browser: Browser, database: Database, **more: str) -> Newcomer:
    """Somebody makes an account, as people do."""
    email = unique()
    assert (await browser.post("/sign-up", data={"email": email})).status_code == 200
    path = await mailed_to(database, email)
    assert path is not None
    form = {"name": "Hanna Weiß", "password": PASSWORD, "locale": "en", "zone": "Europe/Berlin", **more}
    came_in = await browser.post(path, data=form)
    assert (came_in.status_code, came_in.headers["location"]) == (303, "/begin"), came_in.text
    user = await user_of(database, email)
    assert isinstance(user, User)
    return Newcomer(browser, database, user.id)


@pytest.fixture
async def begin_stage(own_database: Database) -> Stage:
    """An installation with a price and nobody to pay: its pool is the tests' own."""
    async with own_database.transaction(everyone=WHY) as db:
        if await prices.price_for_everybody(db, (await db.execute(text("SELECT now()"))).scalar_one()) is None:
            await db.execute(
                text("INSERT INTO prices (id, kind, credits_per_minute) VALUES (:id, :kind, 15)"),
                {"id": new_id(), "kind": PriceKind.CALL.value},
            )
    return Stage(Settings(public_url=SITE, secret_key=SECRET), own_database)


@pytest.fixture
async def hanna(open_browser: OpenBrowser, begin_stage: Stage) -> Newcomer:
    """Somebody who has just signed up."""
    return await sign_up(open_browser(begin_stage), begin_stage.database)


@pytest.fixture
async def pool(own_database: Database) -> AsyncIterator[list[PhoneNumber]]:
    """Three numbers that nobody has, one of them where Hanna lives; gone afterwards, for the tests of an empty pool."""
    digits = uuid.uuid4().int % 10**5
    numbers = [f"+4930231{digits:05d}", f"+4420794{digits:05d}", f"+1415555{digits % 10**4:04d}"]
    async with own_database.transaction(everyone=WHY) as db:
        rows = [PhoneNumber(number=number, carrier="simulated") for number in numbers]
        db.add_all(rows)
    yield rows
    async with own_database.transaction(everyone=WHY) as db:
        await db.execute(
            text("UPDATE phone_numbers SET status = 'RETURNED' WHERE status = CAST(:free AS phone_status)"),
            {"free": PhoneStatus.AVAILABLE.value},
        )
