"""A customer leaves: what was paid goes back once, as a refund or as a payout, whichever comes first."""

import asyncio

import pytest

from talktime.calls.closing import close_account
from talktime.credits import money
from talktime.errors import Conflict, ProviderError
from talktime.payments.refunding import PaidOut
from talktime.simulate.gateway_deeds import Faults
from tests.payments.counter import WHY, Counter
from tests.payments.test_refunding import give_back
from tests.people import Person, account_of


async def payout(counter: Counter, person: Person, ada: Person, reference: str) -> int:
    async with counter.database.transaction(everyone=WHY) as db:
        return -(await money.payout(db, person.id, reference, ada.id)).amount


@pytest.mark.parametrize("executes", [True, False])
async def test_nothing_is_paid_out_while_a_refund_is_on_its_way(
    counter: Counter, alice: Person, ada: Person, executes: bool
) -> None:
    purchase, _ = await counter.bought(alice)
    await close_account(counter.database, {}, alice.id, ada.id, forget_card=counter.forget_card)
    await counter.control.go_wrong(Faults(api_status=500, api_executes=executes, lost=True))
    with pytest.raises(ProviderError):
        await give_back(counter, purchase, ada)
    with pytest.raises(Conflict, match="on its way"):
        await payout(counter, alice, ada, "early")
    await counter.control.go_wrong(Faults())
    await give_back(counter, purchase, ada)
    assert await payout(counter, alice, ada, "late") == 1000, "what alice began with"
    assert (await account_of(counter.database, alice)).balance == 0


async def test_what_was_paid_out_is_not_refunded_as_well(counter: Counter, alice: Person, ada: Person) -> None:
    purchase, _ = await counter.bought(alice)
    await close_account(counter.database, {}, alice.id, ada.id, forget_card=counter.forget_card)
    assert await payout(counter, alice, ada, "all") == 2000
    for amount in (None, 1000):
        with pytest.raises(PaidOut, match="0 credits are left"):
            await give_back(counter, purchase, ada, amount, f"key {amount}")
    await counter.told()
    assert (await counter.now(purchase)).reversed_credits == 0
    assert (await account_of(counter.database, alice)).balance == 0


async def test_a_refund_of_before_can_be_asked_for_again_after_the_payout(
    counter: Counter, alice: Person, ada: Person
) -> None:
    purchase, _ = await counter.bought(alice)
    done = await give_back(counter, purchase, ada, 500)
    await close_account(counter.database, {}, alice.id, ada.id, forget_card=counter.forget_card)
    assert await payout(counter, alice, ada, "all") == 1750
    assert (await give_back(counter, purchase, ada, 500)).refund_id == done.refund_id
    assert (await account_of(counter.database, alice)).balance == 0


async def test_a_refund_and_a_payout_in_the_same_instant_give_the_money_back_once(
    counter: Counter, alice: Person, ada: Person
) -> None:
    purchase, _ = await counter.bought(alice)
    await close_account(counter.database, {}, alice.id, ada.id, forget_card=counter.forget_card)
    refund, paid_out = await asyncio.gather(
        give_back(counter, purchase, ada), payout(counter, alice, ada, "both"), return_exceptions=True
    )
    assert isinstance(refund, PaidOut) or isinstance(paid_out, Conflict), (refund, paid_out)
    assert (await account_of(counter.database, alice)).balance >= 0


async def test_whoever_comes_second_waits_until_the_first_is_done(counter: Counter, alice: Person, ada: Person) -> None:
    purchase, _ = await counter.bought(alice)
    await close_account(counter.database, {}, alice.id, ada.id, forget_card=counter.forget_card)
    async with counter.database.transaction(everyone=WHY) as db:
        await money.payout(db, alice.id, "first", ada.id)
        refund = asyncio.create_task(give_back(counter, purchase, ada))
        await asyncio.sleep(0.3)
        assert not refund.done(), "the payout is not committed yet"
    with pytest.raises(PaidOut):
        await refund
    assert (await account_of(counter.database, alice)).balance == 0
