"""Packs: what is on sale can be sold."""

from typing import Any

import pytest

from talktime.credits import packs
from talktime.credits.packs import NoSuchPack
from talktime.db.base import new_id
from talktime.db.session import Database
from talktime.errors import BadInput
from tests.people import WHY, Person

GOOD: dict[str, Any] = {"name": "Starter", "credits": 100, "price_minor": 990, "currency": "EUR"}


async def test_packs_are_listed_in_order_and_only_those_on_sale(empty_database: Database) -> None:
    async with empty_database.transaction(everyone=WHY) as db:
        second = await packs.create(db, **{**GOOD, "position": 2})
        first = await packs.create(db, **{**GOOD, "position": 1})
        gone = await packs.create(db, **{**GOOD, "position": 0})
        await packs.deactivate(db, gone.id)
        assert [pack.id for pack in await packs.on_sale(db)] == [first.id, second.id]
        assert [pack.id for pack in await packs.all_packs(db)] == [first.id, second.id, gone.id]


@pytest.mark.parametrize(
    "wrong",
    [
        {"credits": 0},
        {"credits": -1},
        {"credits": 1.0},
        {"credits": True},
        {"credits": 10**12 + 1},
        {"price_minor": 0},
        {"price_minor": -1},
        {"price_minor": 9.9},
        {"currency": "eur"},
        {"currency": "EURO"},
        {"currency": "XTS"},
        {"currency": ""},
        {"currency": None},
        {"currency": "KWD", "price_minor": 6155},
        {"name": ""},
        {"name": "  "},
        {"name": "x" * 81},
        {"name": "two\nlines"},
        {"name": None},
        {"position": -1},
    ],
)
async def test_what_could_not_be_sold_is_not_made(database: Database, wrong: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        async with database.transaction(everyone=WHY) as db:
            await packs.create(db, **{**GOOD, **wrong})
    async with database.transaction(everyone=WHY) as db:
        pack = await packs.create(db, **GOOD)
        with pytest.raises(BadInput):
            await packs.change(db, pack.id, **wrong)
    async with database.transaction(everyone=WHY) as db:
        now = await packs.find(db, pack.id)
        assert (now.name, now.credits, now.price_minor, now.currency) == ("Starter", 100, 990, "EUR")


@pytest.mark.parametrize(("currency", "price_minor"), [("JPY", 1000), ("KWD", 6150), ("ISK", 500), ("EUR", 1)])
async def test_currencies_of_any_decimals_can_be_asked_for(database: Database, currency: str, price_minor: int) -> None:
    async with database.transaction(everyone=WHY) as db:
        pack = await packs.create(db, **{**GOOD, "currency": currency, "price_minor": price_minor})
        assert (pack.currency, pack.price_minor) == (currency, price_minor)


async def test_a_pack_can_be_changed_taken_off_sale_and_put_back(database: Database, alice: Person) -> None:
    async with database.transaction(everyone=WHY) as db:
        pack = await packs.create(db, **GOOD)
        await packs.change(db, pack.id, name=" Large ", price_minor=1990)
        await packs.deactivate(db, pack.id)
        await packs.change(db, pack.id, active=True)
    async with database.transaction(user=alice.id) as db:
        seen = {each.id: each for each in await packs.on_sale(db)}
        assert (seen[pack.id].name, seen[pack.id].price_minor) == ("Large", 1990)
        with pytest.raises(NoSuchPack):
            await packs.find(db, new_id())
