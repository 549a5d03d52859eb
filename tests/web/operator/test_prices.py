"""Packs and prices in pages: made, changed, switched off; never over somebody else's change, never in the past."""

import re
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text

from talktime.credits.models import CreditPack, Price
from talktime.db.session import Database
from tests.people import WHY, Person
from tests.web.conftest import Browser
from tests.web.operator.conftest import acts_on
from tests.web.test_pages import words_of

PATH = "/operator/prices"
PACK = {"name": "Small", "credits": "500", "price": "19.00", "currency": "EUR", "position": "1", "active": "on"}
PRICE = {
    "kind": "CALL", "credits_per_minute": "20", "connection_fee": "0", "initial_seconds": "30",
    "increment_seconds": "10", "free_seconds": "5",
}  # fmt: skip


async def packs_called(database: Database, name: str) -> list[CreditPack]:
    async with database.transaction(everyone=WHY) as db:
        return list(await db.scalars(select(CreditPack).where(CreditPack.name == name)))


async def prices_of(database: Database, person: Person) -> list[Price]:
    async with database.transaction(everyone=WHY) as db:
        found = select(Price).where(Price.user_id == person.id).order_by(Price.valid_from)
        return list(await db.scalars(found))


async def test_a_pack_is_made_changed_and_taken_off_sale(as_ada: Browser, database: Database, ada: Person) -> None:
    name = f"Pack {uuid.uuid4().hex[:8]}"
    assert (await as_ada.post(f"{PATH}/packs/new", data={**PACK, "name": name})).status_code == 303
    [pack] = await packs_called(database, name)
    assert (pack.credits, pack.price_minor, pack.currency, pack.position, pack.active) == (500, 1900, "EUR", 1, True)
    page = (await as_ada.get(f"{PATH}/packs/{pack.id}")).text
    [seen] = re.findall(r'name="seen" value="([^"]+)"', page)
    changed = {**PACK, "name": name, "price": "25", "seen": seen}
    assert (await as_ada.post(f"{PATH}/packs/{pack.id}", data=changed)).status_code == 303
    for _ in range(2):
        assert (await as_ada.post(f"{PATH}/packs/{pack.id}/switch", data={"to": "off"})).status_code == 303
    [pack] = await packs_called(database, name)
    assert (pack.price_minor, pack.active) == (2500, False)
    assert [act for act, _ in await acts_on(database, ada)].count("pack.changed") == 2
    assert (await as_ada.post(f"{PATH}/packs/{pack.id}/switch", data={"to": "on"})).status_code == 303


async def test_who_began_with_an_older_pack_overwrites_nothing(as_ada: Browser, database: Database) -> None:
    name = f"Pack {uuid.uuid4().hex[:8]}"
    await as_ada.post(f"{PATH}/packs/new", data={**PACK, "name": name})
    [pack] = await packs_called(database, name)
    [seen] = re.findall(r'name="seen" value="([^"]+)"', (await as_ada.get(f"{PATH}/packs/{pack.id}")).text)
    await as_ada.post(f"{PATH}/packs/{pack.id}/switch", data={"to": "off"})
    late = await as_ada.post(f"{PATH}/packs/{pack.id}", data={**PACK, "name": name, "price": "1.00", "seen": seen})
    assert late.status_code == 409 and "Somebody changed this pack meanwhile" in late.text
    assert 'value="19.00"' in late.text and 'name="active" checked' not in late.text, "what the other one saved"
    [pack] = await packs_called(database, name)
    assert pack.price_minor == 1900


@pytest.mark.parametrize(
    ("wrong", "field"),
    [({"name": ""}, "name"), ({"credits": "0"}, "credits"), ({"credits": "many"}, "credits"),
     ({"price": "x"}, "price"), ({"price": "1.999"}, "price"), ({"currency": "ZZZ"}, "currency"),
     ({"position": "-1"}, "position")],
    ids=range(7),
)  # fmt: skip
async def test_a_pack_that_cannot_be_is_refused_beside_its_field(
    as_ada: Browser, database: Database, wrong: dict[str, str], field: str
) -> None:
    name = f"Pack {uuid.uuid4().hex[:8]}"
    page = await as_ada.post(f"{PATH}/packs/new", data={**PACK, "name": name, **wrong})
    assert page.status_code == 422 and f'id="{field}-about"' in page.text
    assert await packs_called(database, name) == []


async def test_a_customer_gets_a_price_of_their_own_and_loses_it_again(
    as_ada: Browser, database: Database, alice: Person, ada: Person
) -> None:
    await as_ada.post(f"{PATH}/new", data=PRICE)
    page = (await as_ada.get(f"{PATH}/new?user={alice.id}")).text
    assert f'name="user" value="{alice.id}"' in page and "A price of their own" in page
    done = await as_ada.post(f"{PATH}/new", data={**PRICE, "user": str(alice.id), "credits_per_minute": "7"})
    assert done.headers["location"] == f"/operator/users/{alice.id}?done=price"
    assert [each.credits_per_minute for each in await prices_of(database, alice)] == [15, 7]
    words = words_of((await as_ada.get(PATH)).text)
    assert "7 credits a minute" in words and "30 s at first, then by 10 s" in words
    for _ in range(2):
        assert (await as_ada.post(f"{PATH}/follow-list/{alice.id}/CALL")).status_code == 303
    assert [each.follows_list for each in await prices_of(database, alice)] == [False, False, True]
    acts = [act for act, actor in await acts_on(database, alice) if actor == ada.id]
    assert acts == ["price.set", "price.ended"]
    assert "as everybody" in words_of((await as_ada.get(f"{PATH}/history?user={alice.id}")).text)


async def test_a_price_that_is_free_or_in_the_past_is_not_set_by_mistake(
    as_ada: Browser, database: Database, alice: Person
) -> None:
    wanted = {**PRICE, "user": str(alice.id)}
    free = await as_ada.post(f"{PATH}/new", data={**wanted, "credits_per_minute": "0"})
    assert free.status_code == 422 and 'role="alert"' in free.text
    yesterday = f"{datetime.now(UTC) - timedelta(days=2):%Y-%m-%dT%H:%M}"
    assert (await as_ada.post(f"{PATH}/new", data={**wanted, "valid_from": yesterday})).status_code == 422
    never = await as_ada.post(f"{PATH}/new", data={**wanted, "valid_from": "tomorrow"})
    assert never.status_code == 422 and 'id="valid_from-about"' in never.text
    assert len(await prices_of(database, alice)) == 1
    meant = await as_ada.post(f"{PATH}/new", data={**wanted, "credits_per_minute": "0", "allow_free": "on"})
    assert meant.status_code == 303 and len(await prices_of(database, alice)) == 2


async def test_a_price_begins_when_it_was_said_on_the_operators_clock(
    as_ada: Browser, database: Database, alice: Person
) -> None:
    wanted = {**PRICE, "user": str(alice.id), "valid_from": "2031-07-01T08:00"}
    assert (await as_ada.post(f"{PATH}/new", data=wanted)).status_code == 303
    assert (await prices_of(database, alice))[-1].valid_from == datetime(2031, 7, 1, 6, tzinfo=UTC), "Berlin"
    assert "later" in words_of((await as_ada.get(f"{PATH}/history?user={alice.id}")).text)


@pytest.mark.parametrize("name", ["credits_per_minute", "initial_seconds", "increment_seconds", "free_seconds"])
async def test_a_figure_that_is_none_is_refused_beside_its_field(
    as_ada: Browser, database: Database, alice: Person, name: str
) -> None:
    for wrong in ("", "-1", "1.5", "9" * 30):
        page = await as_ada.post(f"{PATH}/new", data={**PRICE, "user": str(alice.id), name: wrong})
        assert page.status_code == 422 and f'id="{name}-about"' in page.text, wrong
    assert len(await prices_of(database, alice)) == 1


async def test_nobodys_price_is_set_for_somebody_there_is_not(as_ada: Browser, database: Database) -> None:
    assert (await as_ada.get(f"{PATH}/new?user={uuid.uuid4()}")).status_code == 404
    assert (await as_ada.post(f"{PATH}/new", data={**PRICE, "user": str(uuid.uuid4())})).status_code == 404
    async with database.transaction(everyone=WHY) as db:
        everybodys = await db.scalar(text("SELECT count(*) FROM prices WHERE user_id IS NULL"))
    garbage = await as_ada.post(f"{PATH}/new", data={**PRICE, "user": "garbage", "credits_per_minute": "1"})
    async with database.transaction(everyone=WHY) as db:
        now = await db.scalar(text("SELECT count(*) FROM prices WHERE user_id IS NULL"))
    assert (garbage.status_code, now) == (404, everybodys), "what names nobody is not for everybody"
