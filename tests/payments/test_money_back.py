"""Refunds and disputes: in any order, any number of times, early and late, they end the same."""

import asyncio
import random
import uuid
from dataclasses import replace

import pytest
from sqlalchemy import text, update

from talktime import inbox
from talktime.credits import money
from talktime.gateways.contract import Notice, NoticeKind, RefundStatus
from talktime.inbox import ProviderEvent
from talktime.payments import refunding
from talktime.payments.models import Purchase, ReversalState
from talktime.payments.refunds import credits_out
from talktime.payments.till import listed
from talktime.simulate.gateway_deeds import ChangeRefund, Faults, MakeRefund, MoveDispute, OpenDispute
from tests.payments.counter import WHY, Counter, notice, open_purchase
from tests.people import Person, account_of

K, R = NoticeKind, RefundStatus


def refund(purchase: Purchase, name: str, amount_minor: int, status: RefundStatus = R.SUCCEEDED) -> Notice:
    return notice(
        purchase, K.REFUND, refund_id=f"re_{name}_{purchase.id.hex}", refund_status=status, amount_minor=amount_minor
    )


def dispute(purchase: Purchase, kind: NoticeKind, amount_minor: int = 0, **more: object) -> Notice:
    amount = amount_minor or purchase.price_minor
    return notice(purchase, kind, dispute_id=f"dp_{purchase.id.hex}", amount_minor=amount, **more)


async def paid_purchase(counter: Counter, person: Person, **more: int) -> Purchase:
    purchase = await open_purchase(counter.database, person, counter.gateway, **more)
    await counter.hear(notice(purchase))
    return await counter.now(purchase)


async def test_a_refund_takes_back_what_it_bought_once(counter: Counter, alice: Person) -> None:
    purchase, payment = await counter.bought(alice)
    await counter.control.go_wrong(Faults(copies=4, another_id=True))
    await counter.control.do(MakeRefund(payment=payment))
    await counter.told()
    assert await counter.bought_lines(alice) == [("PURCHASE", 1000), ("REFUND", -1000)]
    assert (await counter.now(purchase)).reversed_credits == 1000
    assert await counter.notices(alice) == ["purchase_paid", "refunded"]


async def test_several_partial_refunds_round_down_and_the_last_takes_exactly_all(
    counter: Counter, alice: Person
) -> None:
    purchase, payment = await counter.bought(alice, await counter.pack(credits=1000, price_minor=300))
    for amount in (100, 100, 100):
        await counter.control.do(MakeRefund(payment=payment, amount=amount))
    await counter.told()
    assert await counter.bought_lines(alice) == [
        ("PURCHASE", 1000),
        ("REFUND", -333),
        ("REFUND", -333),
        ("REFUND", -334),
    ]
    assert (await counter.now(purchase)).reversed_credits == 1000


async def test_a_refund_that_failed_gives_the_credits_back(counter: Counter, alice: Person) -> None:
    purchase, payment = await counter.bought(alice)
    made = await counter.control.do(MakeRefund(payment=payment, amount=1000, status="pending"))
    await counter.told()
    assert (await counter.now(purchase)).reversed_credits == 500
    await counter.control.do(ChangeRefund(refund=made["id"], status="failed"))
    await counter.told()
    assert await counter.bought_lines(alice) == [("PURCHASE", 1000), ("REFUND", -500), ("REFUND", 500)]
    assert await counter.alerts(purchase) == ["refund_failed"]


@pytest.mark.parametrize(
    ("to", "lines", "alerts"),
    [
        ("won", [("DISPUTE", -1000), ("DISPUTE", 1000)], ["dispute_opened"]),
        ("lost", [("DISPUTE", -1000)], ["dispute_opened", "dispute_lost"]),
    ],
)
async def test_a_dispute_takes_the_credits_and_winning_it_gives_them_back(
    counter: Counter, alice: Person, to: str, lines: list[tuple[str, int]], alerts: list[str]
) -> None:
    purchase, payment = await counter.bought(alice)
    await counter.control.go_wrong(Faults(copies=3, another_id=True))
    made = await counter.control.do(OpenDispute(payment=payment))
    await counter.told()
    assert (await counter.now(purchase)).reversed_credits == 1000
    await counter.control.do(MoveDispute.model_validate({"dispute": made["id"], "to": to}))
    await counter.told()
    assert await counter.bought_lines(alice) == [("PURCHASE", 1000), *lines]
    assert await counter.alerts(purchase) == alerts


async def test_a_dispute_that_is_only_opened_takes_nothing_and_is_seen(counter: Counter, alice: Person) -> None:
    purchase, payment = await counter.bought(alice)
    await counter.control.do(OpenDispute(payment=payment, withdrawn=False))
    await counter.told()
    assert await counter.bought_lines(alice) == [("PURCHASE", 1000)]
    assert await counter.alerts(purchase) == ["dispute_opened"]


async def test_a_refund_and_a_dispute_of_the_same_payment_take_it_once_and_the_rest_is_our_loss(
    counter: Counter, alice: Person
) -> None:
    purchase = await paid_purchase(counter, alice)
    await counter.hear(refund(purchase, "a", 2000), times=2)
    await counter.hear(dispute(purchase, K.DISPUTE_WITHDRAWN), times=2)
    assert await counter.bought_lines(alice) == [("PURCHASE", 1000), ("REFUND", -1000)]
    assert sorted(await counter.alerts(purchase)) == ["dispute_opened", "reversal_short"]
    await counter.hear(dispute(purchase, K.DISPUTE_REINSTATED))
    assert (await counter.now(purchase)).reversed_credits == 1000


async def test_a_lost_dispute_counts_as_taken_even_if_nobody_told_of_the_taking(
    counter: Counter, alice: Person
) -> None:
    purchase = await paid_purchase(counter, alice)
    await counter.hear(dispute(purchase, K.DISPUTE_CLOSED, dispute_won=False))
    await counter.hear(dispute(purchase, K.DISPUTE_WITHDRAWN))
    assert await counter.bought_lines(alice) == [("PURCHASE", 1000), ("DISPUTE", -1000)]


async def test_less_may_come_back_than_was_taken(counter: Counter, alice: Person) -> None:
    purchase = await paid_purchase(counter, alice)
    await counter.hear(dispute(purchase, K.DISPUTE_WITHDRAWN), times=2)
    await counter.hear(dispute(purchase, K.DISPUTE_REINSTATED, 500), times=2)
    assert (await counter.now(purchase)).reversed_credits == 750


ORDERS = 8


@pytest.mark.parametrize("seed", range(ORDERS))
async def test_events_in_any_order_four_times_each_end_the_same(counter: Counter, alice: Person, seed: int) -> None:
    purchase = await open_purchase(counter.database, alice, counter.gateway, credits=997, price_minor=1999)
    events = [
        notice(purchase),
        notice(purchase, K.COMPLETED_UNPAID),
        refund(purchase, "a", 500, R.PENDING),
        refund(purchase, "a", 500, R.SUCCEEDED),
        refund(purchase, "b", 300, R.PENDING),
        refund(purchase, "b", 300, R.FAILED),
        refund(purchase, "c", 100, R.CANCELED),
        dispute(purchase, K.DISPUTE_OPENED, 1000),
        dispute(purchase, K.DISPUTE_WITHDRAWN, 1000),
        dispute(purchase, K.DISPUTE_REINSTATED, 400),
        dispute(purchase, K.DISPUTE_CLOSED, 1000, dispute_won=True),
    ] * 4
    random.Random(seed).shuffle(events)
    for event in events:
        await counter.hear(event)
    now = await counter.now(purchase)
    assert now.reversed_credits == credits_out(997, 1999, 500 + 1000 - 400) == 548
    assert sum(amount for _, amount in await counter.bought_lines(alice)) == 997 - 548
    async with counter.database.transaction(user=alice.id) as db:
        states = {each.id[:4]: each.state for each in await refunding.reversals(db, alice.id, purchase.id)}
    assert states["re_a"] is ReversalState.SUCCEEDED
    assert states["re_b"] is ReversalState.FAILED
    assert states["dp_" + purchase.id.hex[:1]] is ReversalState.WON
    async with counter.database.transaction(everyone=WHY) as db:
        waiting = await db.scalar(
            text("SELECT count(*) FROM provider_events WHERE handled_at IS NULL AND waits_for = :payment"),
            {"payment": f"payment pi_{purchase.id.hex}"},
        )
    assert waiting == 0


async def test_many_at_once_neither_wait_in_a_circle_nor_differ(counter: Counter, alice: Person, ada: Person) -> None:
    bought = [await open_purchase(counter.database, alice, counter.gateway) for _ in range(4)]
    events = [
        event
        for purchase in bought
        for event in (
            notice(purchase),
            refund(purchase, "a", 500),
            dispute(purchase, K.DISPUTE_WITHDRAWN, 700),
            dispute(purchase, K.DISPUTE_REINSTATED, 700),
        )
    ] * 3
    random.Random(7).shuffle(events)
    async with counter.database.transaction(everyone=WHY) as db:
        for event in events:
            await inbox.store(db, listed(counter.gateway, replace(event, event_id=f"evt_{uuid.uuid4().hex}")))

    async def spend(number: int) -> None:
        async with counter.database.transaction(everyone=WHY) as db:
            await money.adjust(db, alice.id, reference=f"s{number}", amount=-1, reason="spent", actor=ada.id)

    await asyncio.gather(*(counter.drain() for _ in range(6)), *(spend(number) for number in range(30)))
    await counter.drain()
    assert [(await counter.now(purchase)).reversed_credits for purchase in bought] == [250] * 4
    assert (await account_of(counter.database, alice)).balance == 1000 + 4 * 750 - 30


async def test_a_refund_before_its_purchase_waits_and_is_handled_with_it(counter: Counter, alice: Person) -> None:
    purchase = await open_purchase(counter.database, alice, counter.gateway)
    await counter.hear(refund(purchase, "early", 1000))
    assert await counter.bought_lines(alice) == []
    await counter.hear(notice(purchase))
    # Without waiting for the next try: the payment woke it.
    assert await counter.bought_lines(alice) == [("PURCHASE", 1000), ("REFUND", -500)]


async def test_a_refund_of_nothing_we_know_is_given_up_after_a_week_and_the_operator_sees_it(
    counter: Counter, alice: Person
) -> None:
    purchase = await open_purchase(counter.database, alice, counter.gateway)
    event = replace(refund(purchase, "lost", 1000), purchase_id=None, user_id=None)
    await counter.hear(event)
    for days in (6, 8):
        async with counter.database.transaction(everyone=WHY) as db:
            await db.execute(
                update(ProviderEvent)
                .where(ProviderEvent.waits_for == f"payment pi_{purchase.id.hex}")
                .values(
                    received_at=text(f"now() - interval '{days} days'"), not_before=text("now() - interval '1 hour'")
                )
                .execution_options(synchronize_session=False)
            )
        await counter.drain()
        async with counter.database.transaction(everyone=WHY) as db:
            row = (
                await db.execute(
                    text("SELECT id::text, gave_up_at FROM provider_events WHERE waits_for = :payment"),
                    {"payment": f"payment pi_{purchase.id.hex}"},
                )
            ).one()
        assert (row.gave_up_at is not None) == (days == 8)
    assert await counter.alerts(event_id=row.id) == ["event_failed"]


@pytest.mark.parametrize(
    ("currency", "amount_minor", "kind"), [("USD", 500, "wrong_currency"), ("EUR", None, "wrong_amount")]
)
async def test_a_refund_of_something_else_takes_nothing_and_is_seen(
    counter: Counter, alice: Person, currency: str, amount_minor: int | None, kind: str
) -> None:
    purchase = await paid_purchase(counter, alice)
    odd = replace(refund(purchase, "odd", 500), currency=currency, amount_minor=amount_minor)
    await counter.hear(odd, times=3)
    assert await counter.bought_lines(alice) == [("PURCHASE", 1000)]
    assert await counter.alerts(purchase) == [kind]


async def test_a_refund_named_like_another_purchases_touches_neither(counter: Counter, alice: Person) -> None:
    one, two = await paid_purchase(counter, alice), await paid_purchase(counter, alice)
    mine = refund(one, "x", 500)
    await counter.hear(mine)
    await counter.hear(replace(refund(two, "x", 500), refund_id=mine.refund_id))
    assert (await counter.now(two)).reversed_credits == 0
    assert await counter.alerts(two) == ["unknown_payment"]


async def test_what_was_spent_becomes_debt_and_calls_stop(counter: Counter, bob: Person, ada: Person) -> None:
    purchase = await paid_purchase(counter, bob)
    async with counter.database.transaction(everyone=WHY) as db:
        await money.adjust(db, bob.id, reference="spent", amount=-1800, reason="spent", actor=ada.id)
    await counter.hear(refund(purchase, "a", 2000))
    account = await account_of(counter.database, bob)
    assert (account.balance, account.clawback_debt) == (-800, 800)
    async with counter.database.transaction(everyone=WHY) as db:
        lines = await db.scalar(
            text("SELECT sum(amount)::bigint FROM credit_transactions WHERE user_id = :user"), {"user": bob.id}
        )
    assert lines == -800


async def test_nobody_else_sees_what_went_back(counter: Counter, alice: Person, bob: Person) -> None:
    purchase = await paid_purchase(counter, alice)
    await counter.hear(refund(purchase, "a", 500))
    async with counter.database.transaction(user=bob.id) as db:
        assert list(await refunding.reversals(db, alice.id, purchase.id)) == []
        assert await db.scalar(text("SELECT count(*) FROM payment_reversals")) == 0
