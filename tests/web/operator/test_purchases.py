"""Purchases, refunds and disputes in pages: listed, filtered, and money given back once."""

import re
import uuid
from dataclasses import dataclass

import pytest

from talktime.db.session import Database
from talktime.payments.till import Till
from talktime.settings import Settings
from talktime.simulate.gateway_deeds import MakeRefund
from talktime.web.operator import desk
from tests.payments.counter import Counter
from tests.people import Person, charges
from tests.web.conftest import Browser, OpenBrowser, signed_in
from tests.web.operator.conftest import acts_on, one_of_each
from tests.web.stage import SITE, Stage
from tests.web.test_pages import words_of

PAGE = "/operator/money"


@dataclass
class Shop(Stage):
    """A stage with a till."""

    till: Till | None = None


@pytest.fixture
async def as_ada(open_browser: OpenBrowser, database: Database, ada: Person, counter: Counter) -> Browser:
    """The operator's browser, where things are sold."""
    shop = Shop(Settings(public_url=SITE), database, counter.gateway, till=counter.till)
    return await signed_in(open_browser(shop), database, ada)


async def test_purchases_and_what_went_back_are_listed(as_ada: Browser, counter: Counter, alice: Person) -> None:
    _, payment = await counter.bought(alice)
    await counter.control.do(MakeRefund(payment=payment, amount=500))
    await counter.told()
    words = words_of((await as_ada.get(f"{PAGE}/purchases")).text)
    assert payment in words and "1,000 €20.00" in words and "250 taken back" in words
    words = words_of((await as_ada.get(f"{PAGE}/reversals")).text)
    assert "€5.00" in words and "alice." in words and "given back" in words
    assert "No money went back." in words_of((await as_ada.get(f"{PAGE}/reversals?kind=DISPUTE")).text)


async def test_the_lists_are_filtered_and_go_on_where_they_ended(
    as_ada: Browser, counter: Counter, alice: Person, bob: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "SHOWN", 2)
    payments = [(await counter.bought(alice))[1] for _ in range(3)]
    _, other = await counter.bought(bob)
    page = (await as_ada.get(f"{PAGE}/purchases?user={alice.id}")).text
    [older] = re.findall(r'href="([^"]+)" rel="next"', page)
    rest = (await as_ada.get(older.replace("&amp;", "&"))).text
    assert [each in page for each in payments] == [False, True, True] and other not in page + rest
    assert payments[0] in rest and 'rel="next"' not in rest
    assert "No purchase is found" in words_of((await as_ada.get(f"{PAGE}/purchases?state=FAILED")).text)


async def test_money_goes_back_once_for_each_form(
    as_ada: Browser, counter: Counter, database: Database, alice: Person, ada: Person
) -> None:
    purchase, _ = await counter.bought(alice)
    path = f"{PAGE}/purchases/{alice.id}/{purchase.id}/refund"
    page = (await as_ada.get(path)).text
    [key] = re.findall(r'name="key" value="([^"]+)"', page)
    assert "paid €20.00 for 1,000 credits" in words_of(page)
    for wrong in ("x", "-1", "0", "5.001"):
        refused = await as_ada.post(path, data={"amount": wrong, "key": key})
        assert refused.status_code == 422 and 'id="amount-about"' in refused.text and f'value="{key}"' in refused.text
    for _ in range(2):
        done = await as_ada.post(path, data={"amount": "5.00", "key": key})
        assert done.headers["location"] == f"{PAGE}/purchases?done=refunded"
    assert await charges(database, alice) == [1000, -250]
    more = await as_ada.post(path, data={"amount": "15.01", "key": uuid.uuid4().hex})
    assert more.status_code == 409 and 'role="alert"' in more.text
    rest = await as_ada.post(path, data={"amount": "", "key": uuid.uuid4().hex})
    assert rest.status_code == 303 and await charges(database, alice) == [1000, -250, -750]
    assert {actor for act, actor in await acts_on(database, alice) if "refund" in act} == {ada.id}


async def test_nothing_goes_back_of_somebody_elses_purchase(
    as_ada: Browser, counter: Counter, database: Database, alice: Person, bob: Person
) -> None:
    purchase, _ = await counter.bought(alice)
    for path in (f"{bob.id}/{purchase.id}", f"{alice.id}/{uuid.uuid4()}"):
        address = f"{PAGE}/purchases/{path}/refund"
        assert (await as_ada.get(address)).status_code == 404
        assert (await as_ada.post(address, data={"key": "a"})).status_code == 404
    assert await charges(database, alice) == [1000]


async def test_a_payment_that_granted_nothing_stands_in_a_list_of_its_own(
    as_ada: Browser, counter: Counter, alice: Person, ada: Person
) -> None:
    await one_of_each(counter, alice, ada)
    words = words_of((await as_ada.get(f"{PAGE}/ungranted")).text)
    assert "Unknown payment" in words and "nobody we know" in words
