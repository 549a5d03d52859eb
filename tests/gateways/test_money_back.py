"""Refunds, disputes, and everything the company lists: through the adapter, over real HTTP."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from talktime.errors import BadInput, ProviderError
from talktime.gateways.contract import Notice, NoticeKind, Refund, RefundStatus
from talktime.simulate.gateway_deeds import (
    ChangeRefund,
    Faults,
    MakeRefund,
    Means,
    MoveDispute,
    OpenDispute,
    Settle,
)
from tests.gateways.shop import Shop, charge

K = NoticeKind


async def refund(shop: Shop, payment: str, minor: int | None = None, key: str = "") -> Refund:
    key = key or str(uuid.uuid4())
    return await shop.gateway.refund(payment, amount_minor=minor, currency="EUR", idempotency_key=key)


async def test_a_refund_is_made_once_and_told(shop: Shop) -> None:
    payment, key = await shop.paid(), str(uuid.uuid4())
    first = await refund(shop, payment, 500, key)
    assert first == await refund(shop, payment, 500, key)
    assert (first.payment_id, first.amount_minor, first.status) == (payment, 500, RefundStatus.SUCCEEDED)
    told, hint = await shop.heard()
    assert (told.kind, told.refund_id, told.payment_id) == (K.REFUND, first.id, payment)
    assert (told.amount_minor, told.currency, told.refund_status) == (500, "EUR", RefundStatus.SUCCEEDED)
    assert (hint.kind, hint.payment_id, hint.amount_minor) == (K.HINT, payment, None)


async def test_partial_refunds_end_at_the_price(shop: Shop) -> None:
    payment = await shop.paid()
    await refund(shop, payment, 700)
    await refund(shop, payment, 700)
    with pytest.raises(ProviderError) as error:
        await refund(shop, payment, 700)
    assert error.value.permanent
    assert (await refund(shop, payment)).amount_minor == 600
    with pytest.raises(ProviderError, match="charge_already_refunded"):
        await refund(shop, payment)
    assert sum(each.amount_minor or 0 for each in await shop.heard(K.REFUND)) == 2000


async def test_a_refund_needs_a_key_and_a_payment(shop: Shop) -> None:
    payment = await shop.paid()
    with pytest.raises(BadInput):
        await shop.gateway.refund(payment, amount_minor=1, currency="EUR", idempotency_key="")
    with pytest.raises(BadInput):
        await shop.gateway.refund(payment, amount_minor=0, currency="EUR", idempotency_key="k")
    with pytest.raises(ProviderError, match="another currency"):
        await shop.gateway.refund(payment, amount_minor=100, currency="USD", idempotency_key=str(uuid.uuid4()))
    for unknown in ("pi_unknown", "../pi"):
        with pytest.raises(ProviderError) as error:
            await refund(shop, unknown)
        assert error.value.permanent


async def test_a_refund_from_the_dashboard_can_be_pending_and_fail(shop: Shop) -> None:
    payment = await shop.paid()
    made = await shop.control.do(MakeRefund(payment=payment, amount=800, status="pending"))
    await shop.control.do(ChangeRefund(refund=made["id"], status="failed"))
    told = await shop.heard(K.REFUND)
    # Their order is nobody's promise.
    assert sorted(each.refund_status or "" for each in told) == ["FAILED", "FAILED", "PENDING"]
    assert {each.refund_id for each in told} == {made["id"]}
    assert {each.reason for each in told} == {"", "lost_or_stolen_card"}
    assert (await refund(shop, payment)).amount_minor == 2000


async def test_a_dispute_is_opened_withdrawn_and_won(shop: Shop) -> None:
    payment = await shop.paid()
    made = await shop.control.do(OpenDispute(payment=payment))
    with pytest.raises(ProviderError, match="charge_disputed"):
        await refund(shop, payment)
    await shop.control.do(MoveDispute(dispute=made["id"], to="won"))
    told = {each.kind: each for each in await shop.heard()}
    assert set(told) == {K.DISPUTE_OPENED, K.DISPUTE_WITHDRAWN, K.DISPUTE_CLOSED, K.DISPUTE_REINSTATED}
    for each in told.values():
        assert (each.dispute_id, each.payment_id, each.amount_minor) == (made["id"], payment, 2000)
        assert (each.currency, each.reason) == ("EUR", "fraudulent")
    assert (told[K.DISPUTE_OPENED].dispute_won, told[K.DISPUTE_CLOSED].dispute_won) == (None, True)


async def test_a_dispute_can_be_lost_and_give_a_part_back(shop: Shop) -> None:
    payment = await shop.paid()
    made = await shop.control.do(OpenDispute(payment=payment, amount=1500))
    await shop.control.do(MoveDispute(dispute=made["id"], to="lost"))
    await shop.control.do(MoveDispute(dispute=made["id"], to="reinstated", amount=400))
    told = {each.kind: each for each in await shop.heard()}
    assert told[K.DISPUTE_CLOSED].dispute_won is False
    assert told[K.DISPUTE_WITHDRAWN].amount_minor == 1500
    assert told[K.DISPUTE_REINSTATED].amount_minor == 400
    with pytest.raises(BadInput):
        await shop.control.do(MoveDispute(dispute=made["id"], to="won"))


async def test_an_inquiry_withdraws_nothing(shop: Shop) -> None:
    made = await shop.control.do(OpenDispute(payment=await shop.paid(), withdrawn=False))
    assert [each.kind for each in await shop.heard()] == [K.DISPUTE_OPENED]
    await shop.control.do(MoveDispute(dispute=made["id"], to="withdrawn"))
    assert K.DISPUTE_WITHDRAWN in [each.kind for each in await shop.heard()]


async def test_what_was_never_told_stands_in_the_lists(shop: Shop) -> None:
    await shop.control.go_wrong(Faults(lost=True))
    start = datetime.now(UTC) - timedelta(seconds=1)
    open_one, paid, failed, expired = [await shop.checkout() for _ in range(4)]
    await shop.pay(paid)
    session = await shop.pay(failed, Means.DEBIT)
    await shop.control.do(Settle(payment=session["payment_intent"], succeeds=False))
    await shop.gateway.expire_checkout(expired.id)
    card = await shop.card()
    top_up = await shop.gateway.charge_saved_card(charge(card))
    given_back = await refund(shop, top_up.payment_id, 300)
    dispute = await shop.control.do(OpenDispute(payment=top_up.payment_id))
    await shop.control.do(MoveDispute(dispute=dispute["id"], to="won"))
    assert await shop.heard() == []

    until = datetime.now(UTC) + timedelta(seconds=2)
    found = [notice async for notice in shop.gateway.list_payments(start, until)]
    kinds = {each.checkout_id: each.kind for each in found if each.checkout_id}
    assert kinds[paid.id] is K.PAID
    assert kinds[failed.id] is K.PAYMENT_FAILED
    assert kinds[expired.id] is K.EXPIRED
    assert open_one.id not in kinds
    of_top_up = [each.kind for each in found if each.payment_id == top_up.payment_id]
    assert of_top_up == [
        K.CHARGE_PAID,
        K.REFUND,
        K.DISPUTE_OPENED,
        K.DISPUTE_WITHDRAWN,
        K.DISPUTE_REINSTATED,
        K.DISPUTE_CLOSED,
    ]
    assert next(each for each in found if each.refund_id == given_back.id).amount_minor == 300
    ids = [each.event_id for each in found]
    assert len(set(ids)) == len(ids)
    assert ids == [notice.event_id async for notice in shop.gateway.list_payments(start, until)]
    assert [each.event_id async for each in shop.gateway.list_payments(until, until + timedelta(days=1))] == []


async def test_a_listed_payment_says_the_same_as_the_event_that_was_lost(shop: Shop) -> None:
    await shop.paid()
    start = datetime.now(UTC) - timedelta(seconds=1)
    checkout = await shop.checkout()
    await shop.pay(checkout)
    (told,) = await shop.heard()
    listed = [
        each
        async for each in shop.gateway.list_payments(start, datetime.now(UTC) + timedelta(seconds=2))
        if each.checkout_id == checkout.id
    ]

    def said(notice: Notice) -> tuple[object, ...]:
        return notice.kind, notice.payment_id, notice.purchase_id, notice.user_id, notice.amount_minor, notice.currency

    assert [said(each) for each in listed] == [said(told)]


async def test_a_list_of_many_pages_shows_each_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("talktime.gateways.stripe._PAGE", 7)
    await shop.control.go_wrong(Faults(lost=True))
    made = set()
    for _ in range(20):
        checkout = await shop.checkout()
        await shop.pay(checkout)
        made.add(checkout.id)
    found = [each.checkout_id for each in await shop.listed() if each.checkout_id in made]
    assert len(found) == 20
    assert set(found) == made
