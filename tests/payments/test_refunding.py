"""The operator gives money back: once for each key, and never more than was paid."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from talktime.db.base import new_id
from talktime.errors import BadInput, Conflict, NotFound, ProviderError, Refused
from talktime.payments import refunding
from talktime.payments.models import Purchase, RefundRequest, RefundRequestState
from talktime.payments.refunding import NothingToRefund
from talktime.simulate.gateway_deeds import Faults
from tests.payments.counter import WHY, Counter, open_purchase
from tests.people import Person


async def give_back(
    counter: Counter, purchase: Purchase, ada: Person, amount_minor: int | None = None, key: str = "k"
) -> RefundRequest:
    return await refunding.refund(
        counter.database,
        counter.till.billing,
        counter.gateway,
        user=purchase.user_id,
        purchase=purchase.id,
        amount_minor=amount_minor,
        key=key,
        actor=ada.id,
    )


async def test_a_refund_moves_money_and_credits_at_once_and_its_events_change_nothing(
    counter: Counter, alice: Person, ada: Person
) -> None:
    purchase, _ = await counter.bought(alice)
    done = await give_back(counter, purchase, ada, 500)
    assert (done.state, done.amount_minor) == (RefundRequestState.DONE, 500)
    assert await counter.bought_lines(alice) == [("PURCHASE", 1000), ("REFUND", -250)]
    await counter.told()
    assert await counter.bought_lines(alice) == [("PURCHASE", 1000), ("REFUND", -250)]


async def test_the_same_key_is_the_same_refund(counter: Counter, alice: Person, ada: Person) -> None:
    purchase, _ = await counter.bought(alice)
    made = await asyncio.gather(*(give_back(counter, purchase, ada, 500) for _ in range(4)), return_exceptions=True)
    made += [await give_back(counter, purchase, ada, 500)]
    assert len({each.refund_id for each in made if isinstance(each, RefundRequest)}) == 1
    with pytest.raises(Conflict):
        await give_back(counter, purchase, ada, 600)
    await counter.told()
    assert (await counter.now(purchase)).reversed_credits == 250


async def test_everything_that_is_left_goes_back_and_then_nothing(counter: Counter, alice: Person, ada: Person) -> None:
    purchase, _ = await counter.bought(alice)
    await give_back(counter, purchase, ada, 1, "one")
    with pytest.raises(NothingToRefund, match=r"Only €19\.99 of this purchase is left"):
        await give_back(counter, purchase, ada, 2000, "two")
    assert (await give_back(counter, purchase, ada, None, "three")).amount_minor == 1999
    with pytest.raises(NothingToRefund, match="All of this purchase went back"):
        await give_back(counter, purchase, ada, None, "four")
    assert (await counter.now(purchase)).reversed_credits == 1000


@pytest.mark.parametrize("executes", [True, False])
async def test_a_crash_while_the_company_was_asked_is_gone_on_with(
    counter: Counter, alice: Person, ada: Person, executes: bool
) -> None:
    purchase, _ = await counter.bought(alice)
    await counter.control.go_wrong(Faults(api_status=500, api_executes=executes))
    with pytest.raises(ProviderError):
        await give_back(counter, purchase, ada, 500)
    await counter.control.go_wrong(Faults())
    # What is asked for and not heard of counts as gone.
    with pytest.raises(NothingToRefund):
        await give_back(counter, purchase, ada, 2000, "other")
    assert (await give_back(counter, purchase, ada, 500)).state is RefundRequestState.DONE
    await counter.told()
    assert (await counter.now(purchase)).reversed_credits == 250


async def test_what_was_asked_for_too_long_ago_to_be_asked_again_keeps_nothing_from_going_back(
    counter: Counter, alice: Person, ada: Person
) -> None:
    purchase, _ = await counter.bought(alice)
    await counter.control.go_wrong(Faults(api_status=500))
    with pytest.raises(ProviderError):
        await give_back(counter, purchase, ada)
    await counter.control.go_wrong(Faults())
    async with counter.database.transaction(everyone=WHY) as db:
        past = datetime.now(UTC) - timedelta(hours=21)
        await db.execute(update(RefundRequest).where(RefundRequest.purchase_id == purchase.id).values(created_at=past))
    with pytest.raises(Conflict):
        await give_back(counter, purchase, ada)
    assert (await give_back(counter, purchase, ada, None, "new")).amount_minor == 2000
    assert (await counter.now(purchase)).reversed_credits == 1000


async def test_what_the_company_refuses_for_good_is_kept_as_refused(
    counter: Counter, alice: Person, ada: Person
) -> None:
    purchase, _ = await counter.bought(alice)
    await counter.control.go_wrong(Faults(api_status=400))
    with pytest.raises(ProviderError):
        await give_back(counter, purchase, ada, 500)
    await counter.control.go_wrong(Faults())
    with pytest.raises(Conflict):
        await give_back(counter, purchase, ada, 500)
    await give_back(counter, purchase, ada, 500, "another")
    async with counter.database.transaction(user=alice.id) as db:
        states = list(await db.scalars(select(RefundRequest.state).order_by(RefundRequest.created_at)))
    assert states == [RefundRequestState.REFUSED, RefundRequestState.DONE]


async def test_only_an_operator_may_and_only_what_was_paid(
    counter: Counter, alice: Person, bob: Person, ada: Person
) -> None:
    purchase, _ = await counter.bought(alice)
    with pytest.raises(Refused):
        await give_back(counter, purchase, alice)
    for amount in (0, -5):
        with pytest.raises(BadInput):
            await give_back(counter, purchase, ada, amount, f"key {amount}")
    with pytest.raises(BadInput):
        await give_back(counter, purchase, ada, 5, "")
    unpaid = await open_purchase(counter.database, alice, counter.gateway)
    with pytest.raises(NothingToRefund):
        await give_back(counter, unpaid, ada)
    with pytest.raises(NotFound):
        await refunding.refund(
            counter.database,
            counter.till.billing,
            counter.gateway,
            user=bob.id,
            purchase=purchase.id,
            amount_minor=None,
            key="bob",
            actor=ada.id,
        )
    with pytest.raises(NotFound):
        await refunding.refund(
            counter.database,
            counter.till.billing,
            counter.gateway,
            user=alice.id,
            purchase=new_id(),
            amount_minor=None,
            key="none",
            actor=ada.id,
        )
    assert (await counter.now(purchase)).reversed_credits == 0
