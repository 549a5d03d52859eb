"""Buying credits, from the click to the ledger, with the simulated payment company over real HTTP."""

import asyncio
import uuid
from dataclasses import replace

import httpx
import pytest
from sqlalchemy import text, update

from talktime.accounts.models import User, UserStatus
from talktime.credits import money, packs
from talktime.credits.models import CreditPack
from talktime.errors import Conflict, NotFound, ProviderError
from talktime.gateways.contract import NoticeKind
from talktime.payments import checkout
from talktime.payments.checkout import MayNotBuy, NotForSale, PurchaseOver
from talktime.payments.models import PurchaseState
from talktime.simulate.gateway_deeds import Expire, Faults, Means, Release, Settle
from tests.payments.counter import BACK, WHY, Counter, notice, open_purchase
from tests.people import Person, account_of

K, S = NoticeKind, PurchaseState


async def test_a_paid_checkout_grants_its_credits_and_says_so(counter: Counter, alice: Person) -> None:
    purchase, _ = await counter.bought(alice)
    assert (purchase.state, purchase.credits, purchase.price_minor, purchase.currency) == (S.PAID, 1000, 2000, "EUR")
    assert purchase.credited_at is not None
    assert await counter.bought_lines(alice) == [("PURCHASE", 1000)]
    assert (await account_of(counter.database, alice)).balance == 2000
    assert await counter.notices(alice) == ["purchase_paid"]


@pytest.mark.parametrize(
    ("locale", "credits", "item"),
    [
        ("en", 1500, "Starter, 1,500 credits"),
        ("de-AT", 1500, "Starter, 1.500 Credits"),
        ("en", 1, "Starter, 1 credit"),
        ("xx", 10**12, "Starter, 1,000,000,000,000 credits"),
    ],
)
async def test_the_payment_company_shows_what_is_bought_and_how_much_of_it(
    counter: Counter, alice: Person, locale: str, credits: int, item: str
) -> None:
    async with counter.database.transaction(everyone=WHY) as db:
        await db.execute(update(User).where(User.id == alice.id).values(locale=locale))
    purchase = await counter.begin(alice, await counter.pack(credits=credits))
    assert purchase.name == "Starter"
    assert purchase.checkout_url is not None
    async with httpx.AsyncClient(trust_env=False) as browser:
        page = await browser.get(purchase.checkout_url)
    assert f'<h1 id="what">{item}</h1>' in page.text


@pytest.mark.parametrize("faults", [{"copies": 4}, {"copies": 4, "another_id": True}, {"hold": 50}])
async def test_a_payment_told_four_times_is_credited_once(
    counter: Counter, alice: Person, faults: dict[str, int]
) -> None:
    purchase = await counter.begin(alice, await counter.pack())
    await counter.control.go_wrong(Faults.model_validate(faults))
    await counter.pay(purchase)
    await counter.control.do(Release())
    await counter.told()
    assert await counter.bought_lines(alice) == [("PURCHASE", 1000)]
    assert await counter.alerts(purchase) == []


async def test_events_handled_by_many_at_once_credit_once(counter: Counter, alice: Person) -> None:
    purchase = await counter.begin(alice, await counter.pack())
    await counter.control.go_wrong(Faults(copies=8, another_id=True))
    await counter.pay(purchase)
    assert await counter.control.settled()
    await asyncio.gather(*(counter.drain() for _ in range(6)))
    assert await counter.bought_lines(alice) == [("PURCHASE", 1000)]


async def test_completed_is_not_paid(counter: Counter, alice: Person) -> None:
    purchase = await counter.begin(alice, await counter.pack())
    payment = await counter.pay(purchase, Means.DEBIT)
    await counter.told()
    assert await counter.state(purchase) is S.PENDING
    assert await counter.bought_lines(alice) == []
    await counter.control.do(Settle(payment=payment))
    await counter.told()
    assert await counter.state(purchase) is S.PAID
    assert await counter.bought_lines(alice) == [("PURCHASE", 1000)]


async def test_a_bank_debit_that_fails_grants_nothing(counter: Counter, alice: Person) -> None:
    purchase = await counter.begin(alice, await counter.pack())
    payment = await counter.pay(purchase, Means.DEBIT)
    await counter.control.do(Settle(payment=payment, succeeds=False))
    await counter.told()
    now = await counter.now(purchase)
    assert (now.state, now.failure) == (S.FAILED, "payment_failed")
    assert await counter.bought_lines(alice) == []


async def test_an_expired_checkout_is_shown_as_expired_and_cannot_be_gone_on_with(
    counter: Counter, alice: Person
) -> None:
    pack = await counter.pack()
    purchase = await counter.begin(alice, pack, key="one")
    await counter.control.do(Expire(checkout=await counter.checkout_id(purchase)))
    await counter.told()
    assert await counter.state(purchase) is S.EXPIRED
    with pytest.raises(PurchaseOver):
        await counter.begin(alice, pack, key="one")
    again = await counter.begin(alice, pack, key="two")
    assert again.id != purchase.id


@pytest.mark.parametrize("end", [K.EXPIRED, K.PAYMENT_FAILED])
async def test_money_that_comes_after_the_end_is_still_credited(
    counter: Counter, alice: Person, end: NoticeKind
) -> None:
    purchase = await open_purchase(counter.database, alice, counter.gateway)
    await counter.hear(notice(purchase, end))
    await counter.hear(notice(purchase), times=4)
    assert await counter.state(purchase) is S.PAID
    assert await counter.bought_lines(alice) == [("PURCHASE", 1000)]


@pytest.mark.parametrize("late", [K.EXPIRED, K.PAYMENT_FAILED, K.COMPLETED_UNPAID])
async def test_a_paid_purchase_never_goes_back(counter: Counter, alice: Person, late: NoticeKind) -> None:
    purchase = await open_purchase(counter.database, alice, counter.gateway)
    await counter.hear(notice(purchase))
    await counter.hear(notice(purchase, late), times=4)
    assert await counter.state(purchase) is S.PAID
    assert await counter.bought_lines(alice) == [("PURCHASE", 1000)]


async def test_what_failed_is_not_pending_again_because_the_completion_came_late(
    counter: Counter, alice: Person
) -> None:
    purchase = await open_purchase(counter.database, alice, counter.gateway)
    await counter.hear(notice(purchase, K.PAYMENT_FAILED))
    await counter.hear(notice(purchase, K.COMPLETED_UNPAID))
    await counter.hear(notice(purchase, K.EXPIRED))
    assert await counter.state(purchase) is S.FAILED


@pytest.mark.parametrize(
    ("faults", "kind"),
    [
        ({"amount": 1}, "wrong_amount"),
        ({"currency": "usd"}, "wrong_currency"),
        ({"live": True}, "live_event_on_test"),
    ],
)
async def test_what_was_not_asked_for_is_not_credited_and_the_operator_sees_it(
    counter: Counter, alice: Person, faults: dict[str, object], kind: str
) -> None:
    purchase = await counter.begin(alice, await counter.pack())
    await counter.control.go_wrong(Faults.model_validate({**faults, "copies": 4, "another_id": True}))
    payment = await counter.pay(purchase)
    await counter.told()
    assert await counter.state(purchase) is S.OPEN
    assert await counter.bought_lines(alice) == []
    assert await counter.alerts(checkout_id=await counter.checkout_id(purchase)) == [kind]
    assert payment


async def test_a_test_event_never_pays_a_live_purchase(counter: Counter, alice: Person) -> None:
    purchase = await open_purchase(counter.database, alice, counter.gateway, test=False)
    await counter.hear(notice(purchase))
    assert await counter.state(purchase) is S.OPEN
    assert await counter.alerts(purchase) == ["test_event_on_live"]


async def test_a_payment_of_an_unknown_purchase_is_put_before_the_operator_once(
    counter: Counter, alice: Person
) -> None:
    purchase = await open_purchase(counter.database, alice, counter.gateway)
    payment = f"pi_{uuid.uuid4().hex}"
    unknown = notice(purchase, purchase_id=uuid.uuid4(), payment_id=payment)
    await counter.hear(unknown, times=4)
    assert await counter.alerts(payment_id=payment) == ["unknown_payment"]
    assert await counter.verdicts(payment) == ["unknown payment"] * 4


async def test_naming_somebody_elses_purchase_leads_nowhere(counter: Counter, alice: Person, bob: Person) -> None:
    purchase = await open_purchase(counter.database, alice, counter.gateway)
    await counter.hear(notice(purchase, user_id=bob.id))
    assert await counter.state(purchase) is S.OPEN
    assert await counter.bought_lines(alice) == await counter.bought_lines(bob) == []


async def test_a_payment_that_is_another_purchases_pays_nothing(counter: Counter, alice: Person, bob: Person) -> None:
    mine = await open_purchase(counter.database, alice, counter.gateway)
    theirs = await open_purchase(counter.database, bob, counter.gateway)
    await counter.hear(notice(mine, payment_id="pi_of_alice"))
    await counter.hear(notice(theirs, payment_id="pi_of_alice"))
    assert await counter.state(theirs) is S.OPEN
    assert await counter.bought_lines(bob) == []


async def test_a_checkout_that_comes_with_somebody_elses_names_pays_nothing(
    counter: Counter, alice: Person, bob: Person
) -> None:
    purchase = await counter.begin(alice, await counter.pack())
    checkout_id = await counter.checkout_id(purchase)
    for names in ({"user_id": bob.id}, {"purchase_id": uuid.uuid4()}, {"user_id": bob.id, "purchase_id": None}):
        payment = f"pi_{uuid.uuid4().hex}"
        await counter.hear(notice(purchase, checkout_id=checkout_id, payment_id=payment, **names))
        assert await counter.alerts(payment_id=payment) == ["unknown_payment"]
    assert await counter.state(purchase) is S.OPEN
    assert await counter.bought_lines(alice) == await counter.bought_lines(bob) == []


async def test_what_is_paid_after_an_account_was_closed_is_credited_and_seen(
    counter: Counter, alice: Person, ada: Person
) -> None:
    purchase = await counter.begin(alice, await counter.pack())
    await counter.close(alice, ada)
    await counter.pay(purchase)
    await counter.told()
    assert await counter.bought_lines(alice) == [("PURCHASE", 1000)]
    assert await counter.alerts(purchase) == ["paid_after_closing"]


async def test_a_purchase_paid_by_two_payments_is_credited_once_and_seen(counter: Counter, alice: Person) -> None:
    purchase = await open_purchase(counter.database, alice, counter.gateway)
    await counter.hear(notice(purchase))
    await counter.hear(notice(purchase, payment_id=f"pi_{uuid.uuid4().hex}"), times=2)
    assert await counter.bought_lines(alice) == [("PURCHASE", 1000)]
    assert await counter.alerts(purchase) == ["paid_twice"]


async def test_price_and_credits_are_those_of_the_beginning(counter: Counter, alice: Person) -> None:
    pack = await counter.pack()
    purchase = await counter.begin(alice, pack)
    async with counter.database.transaction(everyone=WHY) as db:
        await packs.change(db, pack.id, credits=1, price_minor=99_00, name="Dear")
    await counter.pay(purchase)
    await counter.told()
    assert await counter.bought_lines(alice) == [("PURCHASE", 1000)]


@pytest.mark.parametrize(("currency", "price_minor"), [("JPY", 3000), ("KWD", 6150), ("EUR", 50)])
async def test_currencies_of_any_decimals_are_bought_in(
    counter: Counter, alice: Person, currency: str, price_minor: int
) -> None:
    purchase, _ = await counter.bought(alice, await counter.pack(currency=currency, price_minor=price_minor))
    assert (purchase.state, purchase.currency, purchase.price_minor) == (S.PAID, currency, price_minor)
    assert await counter.alerts(purchase) == []


async def test_a_double_click_is_one_purchase(counter: Counter, alice: Person) -> None:
    pack = await counter.pack()
    bought = await asyncio.gather(*(counter.begin(alice, pack, key="click") for _ in range(5)))
    assert len({each.id for each in bought}) == len({each.checkout_url for each in bought}) == 1
    assert len(await counter.purchases(alice)) == 1


async def test_a_key_is_for_one_pack_only_and_bobs_key_is_another(counter: Counter, alice: Person, bob: Person) -> None:
    pack, other = await counter.pack(), await counter.pack()
    mine = await counter.begin(alice, pack, key="k")
    with pytest.raises(Conflict):
        await counter.begin(alice, other, key="k")
    assert (await counter.begin(bob, pack, key="k")).id != mine.id


async def test_a_crash_before_the_company_was_asked_is_gone_on_with(counter: Counter, alice: Person) -> None:
    pack = await counter.pack()
    await counter.control.go_wrong(Faults(api_status=500))
    with pytest.raises(ProviderError):
        await counter.begin(alice, pack, key="crash")
    (purchase,) = await counter.purchases(alice)
    assert (purchase.state, purchase.checkout_url) == (S.OPEN, None)
    await counter.control.go_wrong(Faults())
    again = await counter.begin(alice, pack, key="crash")
    assert again.id == purchase.id
    await counter.pay(again)
    await counter.told()
    assert await counter.state(again) is S.PAID


async def test_a_checkout_that_nobody_wrote_down_is_found_by_its_names_and_credited(
    counter: Counter, alice: Person
) -> None:
    purchase = await counter.begin(alice, await counter.pack(), key="lost")
    checkout_id = await counter.checkout_id(purchase)
    async with counter.database.transaction(everyone=WHY) as db:
        # As if the process had died between the company's answer and the second transaction.
        await db.execute(text("RESET ROLE"))
        await db.execute(text("SET LOCAL ROLE talktime_owner"))
        await db.execute(text("DELETE FROM purchase_directory WHERE purchase_id = :id"), {"id": purchase.id})
        await db.execute(text("UPDATE purchases SET checkout_url = NULL WHERE id = :id"), {"id": purchase.id})
    again = await counter.begin(alice, await _pack_of(counter, purchase.pack_id), key="lost")
    assert await counter.checkout_id(again) == checkout_id
    async with counter.database.transaction(everyone=WHY) as db:
        await db.execute(text("RESET ROLE"))
        await db.execute(text("SET LOCAL ROLE talktime_owner"))
        await db.execute(text("DELETE FROM purchase_directory WHERE purchase_id = :id"), {"id": purchase.id})
    await counter.hear(notice(purchase, checkout_id=checkout_id))
    assert await counter.state(purchase) is S.PAID
    assert await counter.checkout_id(purchase) == checkout_id


async def test_an_order_that_the_company_refuses_for_good_has_failed(counter: Counter, alice: Person) -> None:
    await counter.control.go_wrong(Faults(api_status=400))
    with pytest.raises(ProviderError):
        await counter.begin(alice, await counter.pack())
    (purchase,) = await counter.purchases(alice)
    assert (purchase.state, purchase.failure) == (S.FAILED, "refused_by_gateway")


@pytest.mark.parametrize("status", [UserStatus.SUSPENDED, UserStatus.CLOSED])
async def test_who_is_suspended_or_closed_cannot_buy(counter: Counter, alice: Person, status: UserStatus) -> None:
    async with counter.database.transaction(everyone=WHY) as db:
        await db.execute(update(User).where(User.id == alice.id).values(status=status))
    with pytest.raises(MayNotBuy):
        await counter.begin(alice, await counter.pack())
    assert await counter.purchases(alice) == []


async def test_who_is_blocked_or_in_debt_can_pay_what_they_owe(counter: Counter, alice: Person, ada: Person) -> None:
    async with counter.database.transaction(everyone=WHY) as db:
        await money.adjust(
            db, alice.id, reference="fraud", amount=-1500, reason="taken back", actor=ada.id, as_debt=True
        )
        await money.block(db, alice.id, "owes")
    assert (await account_of(counter.database, alice)).clawback_debt == 500
    await counter.bought(alice)
    account = await account_of(counter.database, alice)
    assert (account.balance, account.clawback_debt) == (500, 0)


async def test_what_is_not_on_sale_cannot_be_bought(counter: Counter, alice: Person) -> None:
    pack = await counter.pack()
    async with counter.database.transaction(everyone=WHY) as db:
        await packs.deactivate(db, pack.id)
    with pytest.raises(NotForSale):
        await counter.begin(alice, pack)
    with pytest.raises(NotForSale):
        await checkout.begin(
            counter.database, counter.gateway, alice.id, uuid.uuid4(), success_url=BACK, cancel_url=BACK, key="k"
        )


async def test_bob_does_not_see_what_alice_bought(counter: Counter, alice: Person, bob: Person) -> None:
    purchase, _ = await counter.bought(alice)
    async with counter.database.transaction(user=bob.id) as db:
        assert list(await checkout.newest(db, alice.id)) == []
        with pytest.raises(NotFound):
            await checkout.find(db, bob.id, purchase.id)
    async with counter.database.transaction(user=alice.id) as db:
        assert [each.id for each in await checkout.newest(db, alice.id)] == [purchase.id]


async def test_a_hint_and_what_nobody_knows_do_nothing(counter: Counter, alice: Person) -> None:
    purchase = await open_purchase(counter.database, alice, counter.gateway)
    for kind in (K.HINT, K.OTHER, K.OPEN):
        await counter.hear(replace(notice(purchase), kind=kind))
    assert await counter.state(purchase) is S.OPEN


async def _pack_of(counter: Counter, pack: uuid.UUID | None) -> CreditPack:
    assert pack is not None
    async with counter.database.transaction(everyone=WHY) as db:
        return await packs.find(db, pack)
