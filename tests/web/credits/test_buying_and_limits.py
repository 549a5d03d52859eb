"""The pages about credit: what there is, what may be spent, and buying more from the simulated payment company."""

import asyncio
import re
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from sqlalchemy import text

from talktime.credits import money, packs
from talktime.credits.account import guards_of
from talktime.credits.models import CreditPack, TransactionType
from talktime.db.session import Database
from talktime.gateways.simulated import Simulated
from talktime.gateways.simulated_account import SimulatedGatewayAccount
from talktime.payments import billing_details, invoices, saved_card
from talktime.payments.billing_details import Details
from talktime.settings import Settings
from talktime.simulate.gateway_deeds import Expire, Means, Settle
from talktime.web import forms
from tests.house import free_ports
from tests.payments.counter import CONTROL, KEY, WEBHOOK, Counter
from tests.people import WHY, Person, account_of, charges, new_person
from tests.web.conftest import Browser, OpenBrowser, signed_in
from tests.web.stage import SITE, Stage, answer, finish
from tests.web.test_pages import words_of
from tests.web.test_signing_in import FROM_ELSEWHERE

FORMS = (
    "/credits/low-balance", "/credits/guards", "/credits/billing", "/credits/buy", "/credits/top-up",
    "/credits/card/forget",
)  # fmt: skip
BILLING = {
    "billing_name": "Alice & Söhne GmbH", "billing_line_1": "Am Markt 1", "billing_line_2": "",
    "billing_line_3": "50667 Köln", "billing_country": "de", "billing_vat_id": "DE 123 456 789",
    "billing_email": "books@alice.example",
}  # fmt: skip


@pytest.fixture
async def shop(counter: Counter, database: Database) -> Stage:
    """Pages with somebody to pay."""
    return Stage(Settings(public_url=SITE), database, counter.gateway)


@pytest.fixture
async def buyer(open_browser: OpenBrowser, shop: Stage, database: Database, alice: Person) -> Browser:
    """Alice, where credits can be bought."""
    return await signed_in(open_browser(shop), database, alice)


def form_of(page: str, pack: CreditPack) -> dict[str, str]:
    """The fields of a pack's form, as a browser would send them."""
    form = next(each for each in re.findall(r'<form class="pack".*?</form>', page, re.DOTALL) if str(pack.id) in each)
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))


def page_focuses_once(page: str) -> bool:
    """Whether one thing alone asks to be brought into sight; what is in a dialog does so when that is opened."""
    return page.count(" autofocus") - page.count('popovertargetaction="hide" autofocus') == 1


async def bought_page(browser: Browser, key: str) -> tuple[str, str | None]:
    page = await browser.get(f"/credits/bought?key={key}")
    assert page.status_code == 200, page.text
    return words_of(page.text), page.headers.get("refresh")


async def test_the_page_says_what_there_is_and_how_long_it_lasts(
    as_alice: Browser, database: Database, alice: Person
) -> None:
    words = words_of((await as_alice.get("/credits")).text)
    assert "Nothing was used of late" in words and "Balance 1,000" in words and "never" in words
    assert "Payments are not set up" in words or "Nothing is for sale" in words
    assert "Nothing was bought yet" in words_of((await as_alice.get("/credits/purchases")).text)
    call = await answer(database, alice)
    words = words_of((await as_alice.get("/credits")).text)
    assert "Free for calls 985 15 held by 1 live call" in words and "Used today 15" in words
    assert "Held right now" in words and "(555) 010-0123 Reception live 15" in words
    await finish(database, alice, call, 40)
    assert "It lasts about 65 days." in words_of((await as_alice.get("/credits")).text)


async def test_who_is_not_signed_in_sees_and_changes_nothing(browser: Browser) -> None:
    for address in ("/credits", "/credits/bought?key=x", "/statements/2026-11", "/operator/money"):
        page = await browser.get(address)
        assert (page.status_code, page.headers["location"]) == (303, f"/sign-in?next={quote(address, safe='')}")
    for address in FORMS:
        refused = await browser.post(address, data={"day": "1"})
        assert refused.status_code == 401
        assert "Sign in, then send it once more" in refused.text


async def test_guards_and_the_low_balance_are_saved_and_shown(
    as_alice: Browser, database: Database, alice: Person
) -> None:
    saved = await as_alice.post("/credits/guards", data={"day": "1,500", "call": "", "caller": " 90 "})
    assert (saved.status_code, saved.headers["location"]) == (303, "/credits/settings?done=guards")
    assert (await as_alice.post("/credits/low-balance", data={"threshold": "300"})).status_code == 303
    account = await account_of(database, alice)
    assert (account.day_limit, account.call_limit, account.caller_limit, account.low_balance) == (1500, None, 90, 300)
    page = (await as_alice.get("/credits/settings?done=guards")).text
    assert "Your limits are saved." in page
    assert 'name="day" value="1500"' in page and 'name="caller" value="90"' in page and 'value="300"' in page
    words = words_of((await as_alice.get("/credits")).text)
    assert "Used today 0 of 1,500 credits a day" in words and "Told when below 300 credits" in words
    await as_alice.post("/credits/guards", data={"day": "", "call": "", "caller": ""})
    await as_alice.post("/credits/low-balance", data={"threshold": ""})
    account = await account_of(database, alice)
    assert (account.day_limit, account.caller_limit, account.low_balance) == (None, None, None)


@pytest.mark.parametrize("wrong", ["-5", "1.5", "abc", "1e5", "9" * 30, "9" * 5000, "٣", "NaN", "<script>"])
async def test_what_is_wrong_stands_beside_its_field_and_nothing_is_changed(
    as_alice: Browser, database: Database, alice: Person, wrong: str
) -> None:
    async with database.transaction(user=alice.id) as db:
        await money.set_guards(db, alice.id, per_day=7, per_call=8, per_caller=9)
    answer_ = await as_alice.post("/credits/guards", data={"day": wrong, "call": "50", "caller": ""})
    assert answer_.status_code == 422
    field = re.search(r'<p class="field wrong">(.*?)</p>', answer_.text, re.DOTALL)
    assert field and 'id="day"' in field[1] and "A whole number of credits" in field[1]
    assert 'aria-invalid="true" autofocus' in field[1] and page_focuses_once(answer_.text)
    assert 'name="call" value="50"' in answer_.text, "what was typed stays"
    assert "<script>" not in answer_.text.replace('<script src="', "")
    account = await account_of(database, alice)
    assert (account.day_limit, account.call_limit, account.caller_limit) == (7, 8, 9)


@pytest.mark.parametrize("headers", FROM_ELSEWHERE[:4], ids=str)
@pytest.mark.parametrize("address", FORMS)
async def test_no_other_site_can_send_our_forms(
    as_alice: Browser, database: Database, alice: Person, address: str, headers: dict[str, str]
) -> None:
    refused = await as_alice.post(address, data={"day": "1", "threshold": "1"}, headers=headers)
    assert refused.status_code == 403
    account = await account_of(database, alice)
    assert (account.day_limit, account.low_balance) == (None, None)


async def test_a_form_that_is_none_is_refused(as_alice: Browser) -> None:
    for body in (b"x" * 100_000, b"\xff\xfe=1", b"&".join(b"a%d=1" % n for n in range(100)), b"day=%00", b"note=a%00b"):
        answer_ = await as_alice.post("/credits/guards", content=body)
        assert answer_.status_code == 422 and "form" in answer_.text


async def test_a_form_that_never_comes_to_its_end_is_not_waited_for(
    as_alice: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forms, "_BODY_SECONDS", 0.2)

    async def drop_by_drop() -> AsyncIterator[bytes]:
        yield b"day="
        await asyncio.sleep(30)

    async with asyncio.timeout(10):
        refused = await as_alice.post("/credits/guards", content=drop_by_drop())
    assert (refused.status_code, "did not come to its end" in refused.text) == (422, True)


async def test_the_day_that_a_guard_counts_is_the_customers(database: Database, alice: Person) -> None:
    call = await answer(database, alice)
    await finish(database, alice, call, 40)
    async with database.transaction(user=alice.id) as db:
        now = datetime.now(UTC)
        today = await guards_of(db, alice.id, now)
        tomorrow = await guards_of(db, alice.id, now + timedelta(days=1))
    assert (today.spent_today, tomorrow.spent_today) == (15, 0)


async def test_a_pack_is_bought_and_paid_and_its_invoice_is_there(
    buyer: Browser, counter: Counter, database: Database, alice: Person
) -> None:
    pack = await counter.pack(credits=500, price_minor=1900)
    fields = form_of((await buyer.get("/credits")).text, pack)
    sent = await buyer.post("/credits/buy", data=fields)
    assert sent.status_code == 200
    url = sent.headers["refresh"].removeprefix("0; url=")
    assert url.startswith(counter.company.api_base) and f'href="{url}"' in sent.text, "also without a refresh"
    twice = await buyer.post("/credits/buy", data=fields)
    assert twice.headers["refresh"] == sent.headers["refresh"], "a double click is one purchase"
    (purchase,) = await counter.purchases(alice)
    assert (purchase.success_url, purchase.cancel_url) == (
        f"{SITE}/credits/bought?key={fields['key']}", f"{SITE}/credits?cancelled=true",
    )  # fmt: skip

    words, refresh = await bought_page(buyer, fields["key"])
    assert "Waiting for the payment company" in words and refresh == "3"
    await counter.pay(purchase)
    await counter.told()
    words, refresh = await bought_page(buyer, fields["key"])
    assert "Paid, thank you" in words and "500 credits for €19.00" in words and "Your balance is 1,500." in words
    assert refresh is None
    assert await charges(database, alice) == [500]

    page = (await buyer.get("/credits/purchases")).text
    invoice = re.search(r'href="(/invoices/[^"]+\.pdf)">(Invoice [^<]+)<', page)
    assert invoice
    pdf = await buyer.get(invoice[1])
    assert pdf.headers["content-type"] == "application/pdf" and pdf.content.startswith(b"%PDF-")
    assert "attachment" in pdf.headers["content-disposition"]


async def test_the_page_to_come_back_to_says_honestly_how_it_stands(
    buyer: Browser, counter: Counter, alice: Person
) -> None:
    pack = await counter.pack()
    debit, failed, expired = [await counter.begin(alice, pack) for _ in range(3)]
    payment = await counter.pay(debit, Means.DEBIT)
    failing = await counter.pay(failed, Means.DEBIT)
    await counter.control.do(Settle(payment=failing, succeeds=False))
    await counter.control.do(Expire(checkout=await counter.checkout_id(expired)))
    await counter.told()
    assert "Your payment is on its way" in (await bought_page(buyer, debit.request_key))[0]
    for purchase, why in ((failed, "did not work"), (expired, "not paid in time")):
        words, refresh = await bought_page(buyer, purchase.request_key)
        assert "Not paid" in words and why in words and "nothing was charged" in words and refresh is None
    assert "Your balance" not in (await bought_page(buyer, debit.request_key))[0]
    await counter.control.do(Settle(payment=payment))
    await counter.told()
    assert "Paid, thank you" in (await bought_page(buyer, debit.request_key))[0]


async def test_bob_sees_neither_alices_purchase_nor_her_invoice(
    as_bob: Browser, buyer: Browser, counter: Counter, alice: Person
) -> None:
    purchase, _ = await counter.bought(alice)
    page = (await buyer.get("/credits/purchases")).text
    invoice = re.search(r'href="(/invoices/[^"]+\.pdf)"', page)
    assert invoice and (await buyer.get(invoice[1])).status_code == 200
    assert (await as_bob.get(invoice[1])).status_code == 404
    assert (await as_bob.get(f"/credits/bought?key={purchase.request_key}")).status_code == 404
    assert f'id="purchase-{purchase.id}"' in page
    assert str(purchase.id) not in (await as_bob.get("/credits/purchases")).text
    assert (await as_bob.get(f"/credits/purchases?before={purchase.id}")).status_code == 404
    for key in ("", "x", "%00", "{CHECKOUT_SESSION_ID}"):
        assert (await buyer.get("/credits/bought", params={"key": key})).status_code == 404


async def test_what_is_to_stand_on_invoices_is_kept_for_the_next_one(
    buyer: Browser, as_bob: Browser, counter: Counter, alice: Person, bob: Person
) -> None:
    database = counter.database
    await counter.bought(alice)
    saved = await buyer.post("/credits/billing", data=BILLING)
    assert (saved.status_code, saved.headers["location"]) == (303, "/credits/settings?done=billing")
    page = (await buyer.get("/credits/settings?done=billing")).text
    assert "from the next one on" in page
    for value in ("Alice &amp; Söhne GmbH", "Am Markt 1", "50667 Köln", "DE", "DE123456789", "books@alice.example"):
        assert f'value="{value}"' in page
    await counter.bought(alice)
    async with database.transaction(user=alice.id) as db:
        after, before = await invoices.newest(db, alice.id)
    assert before.buyer["name"] == "Alice"
    assert (after.buyer["name"], after.buyer["address"]) == ("Alice & Söhne GmbH", ["Am Markt 1", "50667 Köln"])
    assert "Söhne" not in (await as_bob.get("/credits/settings")).text
    async with database.transaction(user=bob.id) as db:
        assert await billing_details.of(db, bob.id) == await billing_details.of(db, alice.id) == Details()
    assert (await buyer.post("/credits/billing", data={})).status_code == 303
    async with database.transaction(user=alice.id) as db:
        assert await billing_details.of(db, alice.id) == Details()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"billing_name": "x" * 201}, "200 characters at most."),
        ({"billing_name": "a\x07b"}, "cannot be seen"),
        ({"billing_line_2": "x" * 101}, "100 characters at most."),
        ({"billing_line_2": "one\ntwo"}, "cannot be seen"),
        ({"billing_country": "Germany"}, "Two letters, such as DE."),
        ({"billing_vat_id": "<script>"}, "Two letters of the country"),
        ({"billing_email": "nobody"}, "An e-mail address"),
    ],
)
async def test_what_cannot_stand_on_an_invoice_is_said_beside_its_field(
    as_alice: Browser, database: Database, alice: Person, wrong: dict[str, str], said: str
) -> None:
    (field,) = wrong
    answer_ = await as_alice.post("/credits/billing", data={**BILLING, **wrong})
    assert answer_.status_code == 422
    beside = re.findall(r'<(?:p|fieldset) class="field wrong".*?</(?:p|fieldset)>', answer_.text, re.DOTALL)
    assert len(beside) == 1
    assert f'id="{field}"' in beside[0] and said in beside[0] and 'aria-invalid="true" autofocus' in beside[0]
    assert page_focuses_once(answer_.text)
    if field != "billing_name":
        assert 'value="Alice &amp; Söhne GmbH"' in answer_.text, "what was typed stays"
    assert "<script>" not in answer_.text
    async with database.transaction(user=alice.id) as db:
        assert await billing_details.of(db, alice.id) == Details()


async def test_what_is_not_for_sale_cannot_be_bought(
    buyer: Browser, as_alice: Browser, counter: Counter, database: Database, alice: Person
) -> None:
    pack = await counter.pack()
    fields = form_of((await buyer.get("/credits")).text, pack)
    async with database.transaction(everyone=WHY) as db:
        await packs.deactivate(db, pack.id)
    late = await buyer.post("/credits/buy", data=fields)
    assert (late.status_code, "not on sale any more" in late.text) == (422, True)
    for wrong in ({}, {"pack": "x", "key": "k"}, {"pack": str(uuid.uuid4()), "key": "k"}, {**fields, "key": ""}):
        assert (await buyer.post("/credits/buy", data=wrong)).status_code == 422
    without = await as_alice.post("/credits/buy", data=fields)
    assert (without.status_code, "Nothing can be bought" in without.text) == (422, True)
    assert await counter.purchases(alice) == []


async def test_a_payment_company_that_does_not_answer_is_said_to_be_so(
    open_browser: OpenBrowser, counter: Counter, database: Database, alice: Person
) -> None:
    gone = Simulated(SimulatedGatewayAccount(KEY, WEBHOOK, CONTROL, f"http://127.0.0.1:{free_ports(1)[0]}"))
    browser = await signed_in(open_browser(Stage(Settings(public_url=SITE), database, gone)), database, alice)
    pack = await counter.pack()
    fields = form_of((await browser.get("/credits")).text, pack)
    answer_ = await browser.post("/credits/buy", data=fields)
    await gone.close()
    assert (answer_.status_code, "does not answer" in answer_.text) == (502, True)
    assert await charges(database, alice) == []


async def test_topping_up_is_switched_on_with_a_saved_card_and_off_again(
    buyer: Browser, counter: Counter, database: Database, alice: Person
) -> None:
    pack = await counter.pack(credits=1000, price_minor=2000)
    page = (await buyer.get("/credits/settings")).text
    assert "No card is saved." in page and "/credits/top-up" not in page
    wish = {"do": "on", "top_up_threshold": "200", "choice": f"{pack.id}:2000", "ceiling": "100.00"}
    assert "no saved card yet" in (await buyer.post("/credits/top-up", data=wish)).text
    await counter.card(alice)
    assert "Visa ending in 4242" in (await buyer.get("/credits/settings")).text

    for wrong, at in (
        ({"top_up_threshold": ""}, "top_up_threshold"),
        ({"top_up_threshold": "0"}, "top_up_threshold"),
        ({"ceiling": "1.999"}, "ceiling"),
        ({"ceiling": ""}, "ceiling"),
        ({"ceiling": "1e3"}, None),
        ({"ceiling": "5"}, "top_up"),
        ({"choice": f"{pack.id}:1"}, "top_up"),
        ({"choice": ""}, "top_up"),
    ):
        answer_ = await buyer.post("/credits/top-up", data={**wish, **wrong})
        assert answer_.status_code == 422, wrong
        assert ('aria-invalid="true"' in answer_.text) == (at != "top_up"), wrong
        assert page_focuses_once(answer_.text), wrong
        async with database.transaction(user=alice.id) as db:
            found = await saved_card.of(db, alice.id)
        assert found is not None and not found.enabled, wrong
    assert (await buyer.post("/credits/top-up", data=wish)).status_code == 303
    page = (await buyer.get("/credits/settings")).text
    assert "Below 200 credits the card pays €20.00, at most €100.00 a month." in page
    assert 'value="100.00"' in page and 'value="200"' in page
    assert (await buyer.post("/credits/top-up", data={"do": "off"})).status_code == 303
    assert "It is off" in (await buyer.get("/credits/settings")).text
    assert (await buyer.post("/credits/card/forget", data={})).headers["location"] == "/credits/settings?done=card"
    assert "No card is saved." in (await buyer.get("/credits/settings")).text


async def test_a_refunded_purchase_says_so_and_links_both_documents(
    buyer: Browser, counter: Counter, database: Database, alice: Person, ada: Person
) -> None:
    purchase, _ = await counter.bought(alice)
    async with database.transaction(everyone=WHY) as db:
        await money.reverse(
            db, alice.id, purchase.id, kind=TransactionType.REFUND, reference="refund:re_1", credits=400
        )
    words = words_of((await buyer.get("/credits/purchases")).text)
    assert "partly refunded" in words and "400 credits were taken back with the money." in words
    words, _ = await bought_page(buyer, purchase.request_key)
    assert "partly refunded" in words and "400 credits were taken back with the money." in words


async def test_an_indebted_account_can_still_buy(
    open_browser: OpenBrowser, shop: Stage, counter: Counter, database: Database
) -> None:
    dora = await new_person(database, "Dora", credits=10)
    async with database.transaction(everyone=WHY) as db:
        await money.adjust(db, dora.id, reference="fine", amount=-50, reason="a fine", actor=dora.id, as_debt=True)
    browser = await signed_in(open_browser(shop), database, dora)
    pack = await counter.pack()
    page = (await browser.get("/credits")).text
    assert "40 credits are owed" in page
    assert (await browser.post("/credits/buy", data=form_of(page, pack))).status_code == 200


async def test_a_closed_account_gets_no_page(open_browser: OpenBrowser, database: Database, alice: Person) -> None:
    browser = await signed_in(open_browser(), database, alice)
    async with database.transaction(everyone=WHY) as db:
        await db.execute(text("UPDATE users SET status = 'CLOSED' WHERE id = :id"), {"id": alice.id})
    assert (await browser.get("/credits")).headers["location"] == "/sign-in?next=%2Fcredits"
