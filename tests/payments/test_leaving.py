"""A customer leaves: what was paid goes back once, as a refund or as a payout, whichever comes first."""

import asyncio

import pytest
from sqlalchemy import text

from talktime.credits import money
from talktime.errors import Conflict, ProviderError
from talktime.payments.refunding import PaidOut
from talktime.simulate.gateway_deeds import Faults, MakeRefund, MoveDispute, OpenDispute
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
    await counter.close(alice, ada)
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
    await counter.close(alice, ada)
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
    await counter.close(alice, ada)
    assert await payout(counter, alice, ada, "all") == 1750
    assert (await give_back(counter, purchase, ada, 500)).refund_id == done.refund_id
    assert (await account_of(counter.database, alice)).balance == 0


async def test_a_refund_and_a_payout_in_the_same_instant_give_the_money_back_once(
    counter: Counter, alice: Person, ada: Person
) -> None:
    purchase, _ = await counter.bought(alice)
    await counter.close(alice, ada)
    refund, paid_out = await asyncio.gather(
        give_back(counter, purchase, ada), payout(counter, alice, ada, "both"), return_exceptions=True
    )
    assert isinstance(refund, PaidOut) or isinstance(paid_out, Conflict), (refund, paid_out)
    assert (await account_of(counter.database, alice)).balance >= 0


async def test_whoever_comes_second_waits_until_the_first_is_done(counter: Counter, alice: Person, ada: Person) -> None:
    purchase, _ = await counter.bought(alice)
    await counter.close(alice, ada)
    async with counter.database.transaction(everyone=WHY) as db:
        await money.payout(db, alice.id, "first", ada.id)
        refund = asyncio.create_task(give_back(counter, purchase, ada))
        await asyncio.sleep(0.3)
        assert not refund.done(), "the payout is not committed yet"
    with pytest.raises(PaidOut):
        await refund
    assert (await account_of(counter.database, alice)).balance == 0


async def below_zero(counter: Counter, person: Person) -> list[tuple[str, int, int]]:
    """What the operator is told of closed accounts below zero: the line, what it took, how far it is below now."""
    async with counter.database.transaction(everyone=WHY) as db:
        rows = await db.execute(
            text(
                "SELECT detail ->> 'reference', (detail ->> 'credits')::bigint, (detail ->> 'below_zero')::bigint"
                " FROM alerts WHERE kind = 'closed_below_zero' AND user_id = :user ORDER BY created_at, id"
            ),
            {"user": person.id},
        )
        return [(row[0], row[1], row[2]) for row in rows]


async def test_what_goes_back_after_a_payout_says_how_far_the_closed_account_is_below_zero(
    counter: Counter, alice: Person, ada: Person
) -> None:
    purchase, payment = await counter.bought(alice)
    await counter.close(alice, ada)
    assert await payout(counter, alice, ada, "all") == 2000
    await counter.control.go_wrong(Faults(copies=4, another_id=True))
    part = await counter.control.do(MakeRefund(payment=payment, amount=500))
    await counter.told()
    assert await below_zero(counter, alice) == [(f"refund:{part['id']}", 250, 250)]
    case = await counter.control.do(OpenDispute(payment=payment, amount=1500))
    await counter.told()
    expected = [(f"refund:{part['id']}", 250, 250), (f"dispute:{case['id']}:withdrawn", 750, 1000)]
    assert await below_zero(counter, alice) == expected
    await counter.control.do(MoveDispute(dispute=case["id"], to="lost"))
    await counter.told()
    assert await below_zero(counter, alice) == expected, "nothing more was taken"
    assert "dispute_lost" in await counter.alerts(purchase)


async def test_a_dispute_that_gives_back_says_nothing_of_being_below_zero(
    counter: Counter, alice: Person, ada: Person
) -> None:
    _, payment = await counter.bought(alice)
    await counter.close(alice, ada)
    await payout(counter, alice, ada, "all")
    case = await counter.control.do(OpenDispute(payment=payment))
    await counter.told()
    await counter.control.do(MoveDispute(dispute=case["id"], to="won"))
    await counter.told()
    assert [taken for _, taken, _ in await below_zero(counter, alice)] == [1000]
    assert (await account_of(counter.database, alice)).balance == 0


async def test_a_closed_account_with_enough_left_and_an_open_one_below_zero_are_no_case(
    counter: Counter, alice: Person, bob: Person, ada: Person
) -> None:
    _, payment = await counter.bought(alice)
    await counter.close(alice, ada)
    await counter.control.do(MakeRefund(payment=payment))
    _, theirs = await counter.bought(bob)
    async with counter.database.transaction(everyone=WHY) as db:
        await money.adjust(db, bob.id, reference="spent", amount=-1800, reason="spent", actor=ada.id)
    await counter.control.do(OpenDispute(payment=theirs))
    await counter.told()
    assert (await account_of(counter.database, bob)).balance == -800
    assert await below_zero(counter, alice) == await below_zero(counter, bob) == []


async def test_what_was_spent_before_closing_is_a_case_without_a_payout_too(
    counter: Counter, alice: Person, ada: Person
) -> None:
    _, payment = await counter.bought(alice)
    async with counter.database.transaction(everyone=WHY) as db:
        await money.adjust(db, alice.id, reference="spent", amount=-1900, reason="spent", actor=ada.id)
    await counter.close(alice, ada)
    case = await counter.control.do(OpenDispute(payment=payment))
    await counter.told()
    assert await below_zero(counter, alice) == [(f"dispute:{case['id']}:withdrawn", 1000, 900)]
