"""Somewhere to buy credits: a database, the payment company, and a pack on sale."""

import contextlib
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from talktime.credits import packs
from talktime.db.session import Database, connect
from talktime.gateways.contract import Notice
from talktime.gateways.simulated import Simulated
from talktime.payments import checkout
from talktime.payments.till import Till
from talktime.simulate.gateway_control import GatewayControl
from tests.crash.paydesk import BACK, Paydesk
from tests.crash.restart import WHY
from tests.people import Person

CREDITS, PRICE_MINOR = 1000, 2000


@dataclass
class Shop:
    """A database that nobody else writes to, a company, and what both are reached by."""

    url: str
    database: Database
    desk: Paydesk
    control: GatewayControl
    gateway: Simulated
    till: Till
    pack: uuid.UUID


@contextlib.asynccontextmanager
async def open_shop(url: str, desk: Paydesk) -> AsyncIterator[Shop]:
    database, gateway = connect(url), desk.gateway()
    try:
        async with desk.control() as control:
            yield Shop(url, database, desk, control, gateway, desk.till(url, gateway), await make_pack(database))
    finally:
        await gateway.close()
        await database.close()


async def click(shop: Shop, person: Person, *, key: str = "", save_card: bool = False) -> str:
    """The buyer clicks; the same key is the same click."""
    return await checkout.begin(
        shop.database,
        shop.gateway,
        person.id,
        shop.pack,
        success_url=f"{BACK}/bought",
        cancel_url=f"{BACK}/credits",
        key=key or f"click {person.id}",
        save_card=save_card,
    )


async def listed(gateway: Simulated) -> list[Notice]:
    """All that the company knows."""
    now = datetime.now(UTC)
    return [each async for each in gateway.list_payments(now - timedelta(hours=1), now + timedelta(minutes=1))]


async def make_pack(database: Database) -> uuid.UUID:
    async with database.transaction(everyone=WHY) as db:
        made = await packs.create(db, name="Starter", credits=CREDITS, price_minor=PRICE_MINOR, currency="EUR")
    return made.id
