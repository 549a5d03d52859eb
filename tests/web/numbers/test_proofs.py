"""Proving a number of one's own on the page: called once, the code typed, and nobody else's."""

import asyncio
import re
import uuid

import pytest

from talktime.settings import Settings
from tests.numbers.conftest import Exchange, exchange, the_exchange
from tests.people import Person, new_person
from tests.web.conftest import Browser, OpenBrowser, signed_in
from tests.web.stage import SECRET, SITE, Stage
from tests.web.test_pages import words_of

__all__ = ["exchange", "the_exchange"]
SHOP = "+493012345678"


@pytest.fixture
async def stage(exchange: Exchange) -> Stage:
    """The pages where somebody can be called."""
    await exchange.add("+442079460001")
    return Stage(
        Settings(public_url=SITE, secret_key=SECRET), exchange.database, carriers={"simulated": exchange.carrier}
    )


@pytest.fixture
async def alice(exchange: Exchange) -> Person:
    return await new_person(exchange.database, "Alice", credits=1000)


@pytest.fixture
async def as_alice(open_browser: OpenBrowser, exchange: Exchange, alice: Person) -> Browser:
    return await signed_in(open_browser(), exchange.database, alice)


@pytest.fixture
async def as_bob(open_browser: OpenBrowser, exchange: Exchange) -> Browser:
    bob = await new_person(exchange.database, "Bob", credits=1000)
    return await signed_in(open_browser(), exchange.database, bob)


async def heard(exchange: Exchange) -> str:
    """The code that the newest call said."""
    async with asyncio.timeout(5):
        while not (said := exchange.company.heard(SHOP)):
            await asyncio.sleep(0.02)
    return re.sub(r"\D", "", said[-2])


async def begun(browser: Browser) -> str:
    """The page where the code is typed."""
    sent = await browser.post("/numbers/proofs", data={"number": "+49 30 12345678"})
    assert sent.status_code == 303, words_of(sent.text)
    return sent.headers["location"]


async def test_the_code_that_the_call_said_proves_the_number(
    as_alice: Browser, as_bob: Browser, exchange: Exchange
) -> None:
    path = await begun(as_alice)
    page = await as_alice.get(path)
    assert "Type the code until" in words_of(page.text) and 'autocomplete="one-time-code"' in page.text
    assert (
        "waits" in words_of((await as_alice.get("/numbers")).text)
        and f'href="{path}"' in (await as_alice.get("/numbers")).text
    )
    code = await heard(exchange)
    assert (await as_bob.get(path)).status_code == 404
    assert (await as_bob.post(path, data={"code": code})).status_code == 404
    wrong = await as_alice.post(path, data={"code": "12"})
    field = re.search(r'<p class="field wrong">(.*?)</p>', wrong.text, re.DOTALL)
    assert wrong.status_code == 422 and field and "A code has 6 digits." in field[1] and 'value="12"' in field[1]
    for _time in range(2):
        right = await as_alice.post(path, data={"code": f"{code[:3]} {code[3:]}"})
        assert (right.status_code, right.headers["location"]) == (303, "/numbers?done=proven")
    words = words_of((await as_alice.get("/numbers?done=proven")).text)
    assert "The number is proven to be yours." in words and "+49 30 12345678 It is yours." in words
    assert "+49 30 12345678" not in words_of((await as_bob.get("/numbers")).text)


async def test_after_five_wrong_codes_it_is_over_and_begun_anew(as_alice: Browser, exchange: Exchange) -> None:
    path = await begun(as_alice)
    code = await heard(exchange)
    for _try in range(5):
        answer = await as_alice.post(path, data={"code": "000000" if code != "000000" else "111111"})
    assert answer.status_code == 409 and "This proof is over" in words_of(answer.text)
    assert (await as_alice.post(path, data={"code": code})).status_code == 409
    assert "not proven" in words_of((await as_alice.get("/numbers")).text)
    assert await begun(as_alice) != path


async def test_a_number_that_cannot_be_called_is_said_beside_its_field(as_alice: Browser, exchange: Exchange) -> None:
    for wrong in ("", "12", "hello", "+49 900 123456", "9" * 60):
        answer = await as_alice.post("/numbers/proofs", data={"number": wrong})
        field = re.search(r'<p class="field wrong">(.*?)</p>', answer.text, re.DOTALL)
        assert answer.status_code == 422 and field and 'id="number-about"' in field[1], wrong
    assert not exchange.company.heard(SHOP)
    again = await as_alice.get("/numbers/proofs")
    assert (again.status_code, again.headers["location"]) == (303, "/numbers#own"), "loaded once more"
    assert (await as_alice.get(f"/numbers/proofs/{uuid.uuid4()}")).status_code == 404


async def test_nobody_is_called_for_an_account_without_credit(open_browser: OpenBrowser, exchange: Exchange) -> None:
    poor = await new_person(exchange.database, "Carol", credits=0)
    browser = await signed_in(open_browser(), exchange.database, poor)
    answer = await browser.post("/numbers/proofs", data={"number": SHOP})
    assert answer.status_code in (402, 409, 422) and "Buy credits first" in words_of(answer.text)
    assert not exchange.company.heard(SHOP)
