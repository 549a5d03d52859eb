"""Numbers are bought once, at the price that was shown, by operators, whatever the carrier leaves unsaid."""

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import select, text

from talktime.accounts.models import AuditEntry
from talktime.accounts.operators import NotAnOperator
from talktime.carriers.numbers import NumberKind, NumberPrice, Search
from talktime.errors import BadInput, NotFound, ProviderError
from talktime.numbers import buying
from talktime.numbers.buying import BeingOrdered, InThePool, NoPrice, PriceChanged, WrongKind
from talktime.numbers.forms import DearNumber, country_of
from talktime.numbers.models import CarrierPhase, NumberOrder, OrderState, PhoneStatus
from talktime.simulate.orders import NumberFault
from tests.numbers.conftest import BASE, PRICE, RING, Exchange
from tests.people import WHY, Person, new_person

LONDON = "+442079460001"


@pytest.fixture
async def ada(exchange: Exchange) -> Person:
    return await new_person(exchange.database, "Ada", credits=0, admin=True)


async def buy(exchange: Exchange, actor: Person, number: str = LONDON, **more: Any) -> NumberOrder:
    wanted: dict[str, Any] = {"kind": NumberKind.LOCAL, "price": PRICE, "base_url": BASE, "actor": actor.id, **more}
    return await buying.buy(exchange.database, exchange.numbers, "simulated", number, **wanted)


async def seen(exchange: Exchange, order: NumberOrder) -> NumberOrder:
    async with exchange.database.transaction(everyone=WHY) as db:
        return await buying.order_of(db, order.id)


async def test_what_is_searched_comes_with_its_price_and_is_bought_at_it(exchange: Exchange, ada: Person) -> None:
    offers = await buying.search(exchange.numbers, Search("GB", area="020", limit=2))
    assert (offers.price, [each.number for each in offers.numbers]) == (PRICE, ["+442079460000", LONDON])
    order = await buy(exchange, ada)
    assert (order.state, order.number, order.amount_micros) == (OrderState.BOUGHT, LONDON, 1_150_000)
    row = await exchange.see(LONDON)
    assert (row.id, row.status, row.carrier_phase) == (order.number_id, PhoneStatus.AVAILABLE, CarrierPhase.AGREED)
    assert row.carrier_told["voice_url"] == RING
    assert row.capabilities == ["voice"]
    assert exchange.company.numbers.orders == 1
    async with exchange.database.transaction(everyone=WHY) as db:
        acts = (await db.scalars(select(AuditEntry.act).where(AuditEntry.actor_id == ada.id))).all()
    assert sorted(acts) == ["number.added", "number.bought", "number.ordered"]
    with pytest.raises(InThePool):
        await buy(exchange, ada)


async def test_another_price_than_the_one_that_was_confirmed_buys_nothing(exchange: Exchange, ada: Person) -> None:
    for wrong in (NumberPrice(1_149_999, "USD"), NumberPrice(1_150_000, "EUR")):
        with pytest.raises(PriceChanged, match=r"1\.15 USD"):
            await buy(exchange, ada, price=wrong)
    with pytest.raises(NoPrice):
        await buy(exchange, ada, "+33123456789")
    with pytest.raises(DearNumber):
        await buy(exchange, ada, "+449012345678")
    bob = await new_person(exchange.database, "Bob", credits=1000)
    with pytest.raises(NotAnOperator):
        await buy(exchange, bob)
    async with exchange.database.transaction(everyone=WHY) as db:
        assert await db.scalar(text("SELECT count(*) FROM number_orders")) == 0
        with pytest.raises(NotFound):
            await buying.order_of(db, ada.id)
    assert exchange.company.numbers.orders == 0


@pytest.mark.parametrize(
    ("number", "said"),
    [
        ("+491713920001", NumberKind.LOCAL),
        ("+442079460001", NumberKind.MOBILE),
        ("+18005550101", NumberKind.LOCAL),
        ("+442079460001", NumberKind.TOLL_FREE),
    ],
)
async def test_a_number_is_not_bought_at_the_price_of_another_kind(
    exchange: Exchange, ada: Person, number: str, said: NumberKind
) -> None:
    price = await exchange.numbers.price(country_of(number), said)
    assert price is not None
    with pytest.raises(WrongKind, match="confirm the price of"):
        await buy(exchange, ada, number, kind=said, price=price)
    assert exchange.company.numbers.orders == 0


async def test_a_number_of_each_kind_is_bought_at_its_own_price(exchange: Exchange, ada: Person) -> None:
    for number, kind in (
        ("+491713920001", NumberKind.MOBILE),
        ("+18005550101", NumberKind.TOLL_FREE),
        ("+12125550101", NumberKind.LOCAL),
    ):
        price = await exchange.numbers.price(country_of(number), kind)
        assert price is not None
        assert (await buy(exchange, ada, number, kind=kind, price=price)).state is OrderState.BOUGHT


async def test_a_number_that_is_not_sold_is_a_failed_order(exchange: Exchange, ada: Person) -> None:
    exchange.company.numbers.take(LONDON)
    order = await buy(exchange, ada)
    assert (order.state, order.number_id) == (OrderState.FAILED, None)
    assert "somebody else" in (order.error or "")
    exchange.company.numbers.go_wrong(NumberFault(what="buy", status=403))
    assert (await buy(exchange, ada, "+442079460002")).state is OrderState.FAILED


@pytest.mark.parametrize("status", [None, 500])
async def test_an_order_whose_answer_was_lost_is_found_to_be_ours_and_never_bought_twice(
    exchange: Exchange, ada: Person, impatient: httpx.AsyncClient, status: int | None
) -> None:
    fault = NumberFault(what="buy", status=status, after=True, delay_seconds=0 if status else 1.0)
    exchange.company.numbers.go_wrong(fault)
    order = await buy(exchange, ada)
    assert (order.state, exchange.company.numbers.orders) == (OrderState.ORDERED, 1)
    with pytest.raises(BeingOrdered):
        await buy(exchange, ada)
    assert await buying.finish_due(exchange.database, exchange.carriers, BASE) == 0, "the carrier may be at it still"
    await exchange.hurry()
    assert await buying.finish_due(exchange.database, exchange.carriers, BASE) == 1
    order = await seen(exchange, order)
    assert (order.state, order.tries, order.error) == (OrderState.BOUGHT, 1, None)
    assert exchange.company.numbers.orders == 1
    assert (await exchange.see(LONDON)).carrier_number_id == exchange.company.numbers.all()[0].sid


async def test_an_order_that_never_arrived_is_sent_again_after_a_look(
    exchange: Exchange, ada: Person, impatient: httpx.AsyncClient
) -> None:
    exchange.company.numbers.go_wrong(NumberFault(what="buy", status=500))
    order = await buy(exchange, ada)
    exchange.company.numbers.go_wrong(NumberFault(what="list", status=500))
    await exchange.hurry()
    assert await buying.finish_due(exchange.database, exchange.carriers, BASE) == 0
    assert (await seen(exchange, order)).tries == 1, "without a look nothing is bought"
    await exchange.hurry()
    assert await buying.finish_due(exchange.database, exchange.carriers, BASE) == 1
    order = await seen(exchange, order)
    assert (order.state, order.tries, exchange.company.numbers.orders) == (OrderState.BOUGHT, 2, 1)


async def test_an_order_that_never_succeeds_is_given_up_and_somebody_told(exchange: Exchange, ada: Person) -> None:
    exchange.company.numbers.go_wrong(NumberFault(what="buy", status=503, times=10))
    order = await buy(exchange, ada)
    for _ in range(4):
        await exchange.hurry()
        await buying.finish_due(exchange.database, exchange.carriers, BASE)
    order = await seen(exchange, order)
    assert (order.state, order.tries, exchange.company.numbers.orders) == (OrderState.FAILED, 3, 0)
    async with exchange.database.transaction(everyone=WHY) as db:
        assert await db.scalar(text("SELECT kind FROM alerts")) == "order_failed"


async def test_of_two_operators_one_buys_the_number(exchange: Exchange, ada: Person) -> None:
    grace = await new_person(exchange.database, "Grace", credits=0, admin=True)
    both = await asyncio.gather(buy(exchange, ada), buy(exchange, grace), return_exceptions=True)
    bought = [each for each in both if isinstance(each, NumberOrder)]
    assert [each.state for each in bought] == [OrderState.BOUGHT]
    assert sum(isinstance(each, BeingOrdered | InThePool) for each in both) == 1
    assert exchange.company.numbers.orders == 1


async def test_a_carrier_that_does_not_say_the_price_is_not_ordered_from(exchange: Exchange, ada: Person) -> None:
    exchange.company.numbers.go_wrong(NumberFault(what="price", status=503))
    with pytest.raises(ProviderError):
        await buy(exchange, ada)
    assert exchange.company.numbers.orders == 0


@pytest.mark.parametrize(
    "wrong",
    [
        Search("Germany"),
        Search("de"),
        Search(""),
        Search("DE", area="0301234567"),
        Search("DE", area="3O"),
        Search("DE", contains="%"),
        Search("DE", limit=0),
        Search("DE", limit=51),
    ],
)
async def test_a_search_that_makes_no_sense_says_so(exchange: Exchange, wrong: Search) -> None:
    with pytest.raises(BadInput):
        await buying.search(exchange.numbers, wrong)
