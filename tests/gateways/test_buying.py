"""Buying, as the adapter sees it, from the simulated payment company over real HTTP."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from talktime.errors import BadInput, ProviderError
from talktime.gateways.contract import ChargeStatus, Notice, NoticeKind
from talktime.simulate.gateway_deeds import Faults, Means, Pay, Settle
from tests.gateways.shop import KEY, Shop, charge, open_shop, order

K = NoticeKind


def facts(notice: Notice) -> tuple[object, ...]:
    return notice.kind, notice.purchase_id, notice.user_id, notice.amount_minor, notice.currency, notice.live


async def test_a_paid_checkout_is_told_once_with_what_it_was_for(shop: Shop) -> None:
    wanted = order()
    checkout = await shop.gateway.create_checkout(wanted)
    assert checkout.url == f"{shop.company.api_base}/c/pay/{checkout.id}"
    assert timedelta(hours=23) < checkout.expires_at - datetime.now(UTC) <= timedelta(hours=24)
    assert checkout.payment_id is None
    session = await shop.pay(checkout)
    (notice,) = await shop.heard()
    assert facts(notice) == (K.PAID, wanted.purchase_id, wanted.user_id, 2000, "EUR", False)
    assert (notice.checkout_id, notice.payment_id) == (checkout.id, session["payment_intent"])
    assert notice.type == "checkout.session.completed"
    assert shop.gateway.parse(shop.door.bodies[-1]) == notice


async def test_a_bank_debit_is_completed_unpaid_and_paid_later(shop: Shop) -> None:
    wanted = order()
    checkout = await shop.gateway.create_checkout(wanted)
    session = await shop.pay(checkout, Means.DEBIT)
    assert [each.kind for each in await shop.heard()] == [K.COMPLETED_UNPAID]
    await shop.control.do(Settle(payment=session["payment_intent"]))
    unpaid, paid = await shop.heard()
    assert facts(paid) == (K.PAID, wanted.purchase_id, wanted.user_id, 2000, "EUR", False)
    assert paid.payment_id == unpaid.payment_id == session["payment_intent"]
    now = await shop.gateway.fetch_checkout(checkout.id)
    assert now is not None
    assert facts(now) == facts(paid)


async def test_a_bank_debit_that_fails_is_told_and_shown_as_failed(shop: Shop) -> None:
    checkout = await shop.checkout()
    session = await shop.pay(checkout, Means.DEBIT)
    before = await shop.gateway.fetch_checkout(checkout.id)
    assert before is not None
    assert before.kind is K.COMPLETED_UNPAID
    await shop.control.do(Settle(payment=session["payment_intent"], succeeds=False))
    assert [each.kind for each in await shop.heard()] == [K.COMPLETED_UNPAID, K.PAYMENT_FAILED]
    now = await shop.gateway.fetch_checkout(checkout.id)
    assert now is not None
    assert (now.kind, now.reason) == (K.PAYMENT_FAILED, "insufficient_funds")


async def test_a_bank_debit_ends_by_itself_after_a_while() -> None:
    async with open_shop(debit_seconds=0.01) as shop:
        await shop.pay(await shop.checkout(), Means.DEBIT)
        await shop.pay(await shop.checkout(), Means.DEBIT_FAILS)
        async with asyncio.timeout(10):
            while len(await shop.heard(K.PAID, K.PAYMENT_FAILED)) < 2:
                await asyncio.sleep(0.05)


async def test_a_declined_card_pays_nothing_and_the_checkout_stays_open(shop: Shop) -> None:
    checkout = await shop.checkout()
    await shop.pay(checkout, Means.DECLINED)
    assert await shop.heard() == []
    now = await shop.gateway.fetch_checkout(checkout.id)
    assert now is not None
    assert now.kind is K.OPEN
    await shop.pay(checkout)
    assert [each.kind for each in await shop.heard()] == [K.PAID]


async def test_the_same_order_twice_is_one_checkout(shop: Shop) -> None:
    wanted = order()
    first, second = await asyncio.gather(*(shop.gateway.create_checkout(wanted) for _ in range(2)))
    assert first == second
    with pytest.raises(ProviderError, match="idempotency_error") as error:
        await shop.gateway.create_checkout(order(purchase_id=wanted.purchase_id, price_minor=2500))
    assert error.value.permanent


async def test_an_answer_that_is_lost_makes_no_second_checkout(shop: Shop) -> None:
    await shop.control.go_wrong(Faults(api_status=503, api_refusals=1, api_executes=True))
    wanted = order()
    checkout = await shop.gateway.create_checkout(wanted)  # the library asks again, with the same key
    assert checkout == await shop.gateway.create_checkout(wanted)
    sessions = await shop.control.do(Pay(checkout=checkout.id))
    assert sessions["client_reference_id"] == str(wanted.purchase_id)


async def test_a_checkout_that_is_expired_cannot_be_paid(shop: Shop) -> None:
    wanted = order()
    checkout = await shop.gateway.create_checkout(wanted)
    for _ in range(2):
        now = await shop.gateway.expire_checkout(checkout.id)
        assert facts(now) == (K.EXPIRED, wanted.purchase_id, wanted.user_id, 2000, "EUR", False)
    with pytest.raises(BadInput, match="expired"):
        await shop.pay(checkout)
    assert [each.kind for each in await shop.heard()] == [K.EXPIRED]


async def test_expiring_a_checkout_that_was_just_paid_says_that_it_is_paid(shop: Shop) -> None:
    checkout = await shop.checkout()
    await shop.pay(checkout)
    assert (await shop.gateway.expire_checkout(checkout.id)).kind is K.PAID


async def test_a_checkout_that_nobody_knows_is_none(shop: Shop) -> None:
    assert await shop.gateway.fetch_checkout("cs_test_unknown") is None
    with pytest.raises(ProviderError) as error:
        await shop.gateway.expire_checkout("cs_test_unknown")
    assert error.value.permanent
    for hostile in ("../customers", "", "cs_1/expire", "cs_1?expand[]=customer"):
        with pytest.raises(ProviderError, match="no name"):
            await shop.gateway.fetch_checkout(hostile)


async def test_a_card_is_saved_only_where_that_was_asked_for(shop: Shop) -> None:
    assert await shop.gateway.saved_card(await shop.paid()) is None
    card = await shop.gateway.saved_card(await shop.paid(save_card=True))
    assert card is not None
    assert (card.brand, card.last4, card.expires_month) == ("visa", "4242", 12)
    assert card.customer_id.startswith("cus_")
    # The next time the buyer is known.
    again = await shop.gateway.saved_card(await shop.paid(save_card=True, customer_id=card.customer_id))
    assert again is not None
    assert again.customer_id == card.customer_id
    assert again.payment_method_id != card.payment_method_id
    assert await shop.gateway.saved_card("pi_unknown") is None


async def test_a_saved_bank_account_says_what_it_is(shop: Shop) -> None:
    session = await shop.pay(await shop.checkout(save_card=True), Means.DEBIT)
    await shop.control.do(Settle(payment=session["payment_intent"]))
    account = await shop.gateway.saved_card(session["payment_intent"])
    assert account is not None
    assert (account.brand, account.last4, account.expires_year) == ("sepa_debit", "3000", None)


async def test_a_saved_card_is_charged_once_however_often_it_is_asked_for(shop: Shop) -> None:
    wanted = charge(await shop.card())
    charges = [await shop.gateway.charge_saved_card(wanted) for _ in range(3)]
    assert charges[0] == charges[1] == charges[2]
    assert charges[0].status is ChargeStatus.SUCCEEDED
    (notice,) = await shop.heard()
    assert facts(notice) == (K.CHARGE_PAID, wanted.purchase_id, wanted.user_id, 2000, "EUR", False)
    assert (notice.payment_id, notice.customer_id) == (charges[0].payment_id, wanted.customer_id)


@pytest.mark.parametrize(
    ("fate", "status"),
    [
        ("insufficient_funds", ChargeStatus.DECLINED),
        ("expired_card", ChargeStatus.DECLINED),
        ("authentication_required", ChargeStatus.NEEDS_AUTHENTICATION),
    ],
)
async def test_a_decline_is_an_answer_and_stays_one(shop: Shop, fate: str, status: ChargeStatus) -> None:
    wanted = charge(await shop.card())
    await shop.control.go_wrong(Faults(saved_card=fate))
    first = await shop.gateway.charge_saved_card(wanted)
    assert (first.status, first.reason) == (status, fate)
    await shop.control.go_wrong(Faults())
    assert await shop.gateway.charge_saved_card(wanted) == first
    (notice,) = await shop.heard()
    assert (notice.kind, notice.payment_id, notice.reason) == (K.CHARGE_FAILED, first.payment_id, fate)
    assert notice.purchase_id == wanted.purchase_id


async def test_a_charge_that_takes_its_time_is_told_when_it_ends(shop: Shop) -> None:
    wanted = charge(await shop.card())
    await shop.control.go_wrong(Faults(saved_card="processing"))
    made = await shop.gateway.charge_saved_card(wanted)
    assert made.status is ChargeStatus.PROCESSING
    assert await shop.heard() == []
    await shop.control.do(Settle(payment=made.payment_id))
    (notice,) = await shop.heard()
    assert (notice.kind, notice.payment_id) == (K.CHARGE_PAID, made.payment_id)


async def test_a_card_that_was_forgotten_can_be_charged_no_more(shop: Shop) -> None:
    card = await shop.card()
    for _ in range(2):
        await shop.gateway.forget_card(card.payment_method_id)
    await shop.gateway.forget_card("pm_unknown")
    with pytest.raises(ProviderError) as error:
        await shop.gateway.charge_saved_card(charge(card))
    assert error.value.permanent
    assert await shop.heard() == []


async def test_somebody_elses_card_cannot_be_charged(shop: Shop) -> None:
    alice, bob = await shop.card(), await shop.card()
    with pytest.raises(ProviderError) as error:
        await shop.gateway.charge_saved_card(charge(alice, customer_id=bob.customer_id))
    assert error.value.permanent


@pytest.mark.parametrize(
    ("minor", "currency", "sent"),
    [
        (2000, "EUR", 2000),
        (500, "JPY", 500),
        (5120, "KWD", 5120),
        (700, "ISK", 70000),
        (900, "UGX", 90000),
        (400, "MGA", 4),
    ],
)
async def test_amounts_travel_in_the_units_of_the_company_and_come_back_in_ours(
    shop: Shop, minor: int, currency: str, sent: int
) -> None:
    checkout = await shop.checkout(price_minor=minor, currency=currency)
    session = await shop.pay(checkout)
    assert (session["amount_total"], session["currency"]) == (sent, currency.lower())
    (notice,) = await shop.heard()
    assert (notice.amount_minor, notice.currency) == (minor, currency)
    refund = await shop.gateway.refund(
        str(notice.payment_id), amount_minor=minor, currency=currency, idempotency_key=str(uuid.uuid4())
    )
    assert (refund.amount_minor, refund.currency) == (minor, currency)


@pytest.mark.parametrize(
    ("minor", "currency"),
    [(0, "EUR"), (-1, "EUR"), (5124, "KWD"), (150, "MGA"), (100, "XXX"), (100, "eur"), (10**8, "EUR"), (10**6, "ISK")],
)
async def test_an_amount_that_cannot_be_paid_is_refused_before_anybody_is_asked(
    shop: Shop, minor: int, currency: str
) -> None:
    with pytest.raises(BadInput):
        await shop.checkout(price_minor=minor, currency=currency)
    card = await shop.card()
    with pytest.raises(BadInput):
        await shop.gateway.charge_saved_card(charge(card, price_minor=minor, currency=currency))


@pytest.mark.parametrize(
    "more",
    [
        {"price_minor": 49},
        {"success_url": "javascript:alert(1)"},
        {"cancel_url": "http://127.0.0.1/;script-src *"},
        {"email": "nobody"},
        {"name": ""},
        {"customer_id": "cus_unknown"},
    ],
)
async def test_what_the_company_refuses_stays_refused(shop: Shop, more: dict[str, object]) -> None:
    with pytest.raises(ProviderError, match="Stripe refused to make a checkout: HTTP 400") as error:
        await shop.checkout(**more)
    assert error.value.permanent
    assert "nobody" not in str(error.value)


async def test_the_api_is_as_strict_as_the_real_one(shop: Shop) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(base_url=shop.company.api_base, headers=headers, trust_env=False) as client:
        for path, form, param in (
            ("/v1/checkout/sessions", {"mode": "payment", "surprise": "1"}, "line_items"),
            ("/v1/refunds", {"payment_intent": "pi_1", "surprise": "1"}, "surprise"),
            ("/v1/refunds", {"payment_intent": "pi_unknown"}, "payment_intent"),
            ("/v1/refunds", {"payment_intent[deep]": "pi"}, "payment_intent"),
        ):
            response = await client.post(path, data=form)
            assert response.status_code == 400
            assert response.json()["error"]["param"] == param
        for query in ("limit=0", "limit=101", "starting_after=cs_unknown", "expand[]=data.secrets", "since=1"):
            assert (await client.get(f"/v1/checkout/sessions?{query}")).status_code == 400
        deep = "&".join(f"a{'[b]' * 12}=1" for _ in range(3))
        assert (await client.post("/v1/refunds", content=deep)).status_code == 400
        client.headers["Authorization"] = "Bearer sk_test_other"
        assert (await client.get("/v1/checkout/sessions")).status_code == 401
