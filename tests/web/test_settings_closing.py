"""Closing one's own account: said first, done by who typed their address, and then one is outside."""

import pytest
from sqlalchemy import select

from talktime.accounts.models import UserStatus
from talktime.db.session import Database
from talktime.numbers.models import PhoneNumber, PhoneStatus
from talktime.settings import Settings
from tests.people import WHY, Person, account_of, new_person
from tests.web.account import PASSWORD, acts_about, as_visitor, give_password, row_of
from tests.web.conftest import Browser, OpenBrowser, link_for, signed_in
from tests.web.stage import SECRET, SITE, Stage, answer
from tests.web.test_pages import words_of

PATH = "/settings/close"


async def close(browser: Browser, database: Database, person: Person) -> None:
    response = await browser.post(PATH, data={"email": (await row_of(database, person)).email})
    assert (response.status_code, response.headers["location"]) == (303, "/farewell"), words_of(response.text)


async def test_what_happens_and_what_is_kept_is_said_first(
    as_alice: Browser, database: Database, alice: Person
) -> None:
    page = words_of((await as_alice.get(PATH)).text)
    assert "Your invoices and the entries of your credit, as the law wants it." in page
    assert "You have 1,000 credits left." in page
    assert "A call is live" not in page
    await answer(database, alice)
    assert "A call is live right now: it ends." in words_of((await as_alice.get(PATH)).text)


@pytest.mark.parametrize("typed", ["", "yes", "alice@example.org", "<b>"])
async def test_nothing_is_closed_by_who_did_not_type_the_address(
    as_alice: Browser, database: Database, alice: Person, typed: str
) -> None:
    response = await as_alice.post(PATH, data={"email": typed})
    assert response.status_code == 422
    assert "That is not the address of this account." in words_of(response.text)
    assert (await row_of(database, alice)).status is UserStatus.ACTIVE


async def test_alice_closes_her_account_and_is_outside_everywhere(
    as_alice: Browser, as_bob: Browser, open_browser: OpenBrowser, database: Database, alice: Person
) -> None:
    await give_password(database, alice)
    elsewhere = await signed_in(open_browser(), database, alice)
    email = (await row_of(database, alice)).email
    late = await link_for(database, alice)
    response = await as_alice.post(PATH, data={"email": f"  {email.upper()} "})
    assert (response.status_code, response.headers["location"]) == (303, "/farewell")
    assert "talktime" in response.headers["set-cookie"]
    page = words_of((await as_alice.get("/farewell")).text)
    assert "Your account is closed" in page
    assert "Sign out" not in page

    assert (await row_of(database, alice)).status is UserStatus.CLOSED
    assert (await as_alice.get("/settings")).status_code == 303
    assert (await elsewhere.get("/settings")).status_code == 303
    assert (await elsewhere.post(late)).status_code == 410
    response = await elsewhere.post("/sign-in", data={"email": email, "password": PASSWORD})
    assert response.status_code == 401
    assert (await as_bob.get("/settings")).status_code == 200
    async with database.transaction(everyone=WHY) as db:
        number = (await db.scalars(select(PhoneNumber).where(PhoneNumber.number == alice.number))).one()
    assert (number.status, number.user_id) == (PhoneStatus.RELEASED, None)
    assert (await account_of(database, alice)).balance == 1000, "what is left stays for a pay-out"
    assert "user.closed" in [entry.act for entry in await acts_about(database, alice)]


async def test_closing_twice_from_two_tabs_is_closing_once(
    as_alice: Browser, database: Database, alice: Person
) -> None:
    cookies = dict(as_alice.cookies)
    await close(as_alice, database, alice)
    for name, value in cookies.items():
        as_alice.cookies.set(name, value, domain="talktime.example")
    assert (await as_alice.post(PATH, data={"email": "whatever"})).status_code == 401
    assert len([entry for entry in await acts_about(database, alice) if entry.act == "user.closed"]) == 1


async def test_who_read_german_is_said_goodbye_in_german(
    open_browser: OpenBrowser, database: Database, alice: Person
) -> None:
    settings = Settings(public_url=SITE, secret_key=SECRET, support_email="help@example.org")
    browser = await signed_in(open_browser(Stage(settings, database)), database, alice)
    await browser.post("/settings", data={"name": "Alice", "locale": "de", "zone": "Europe/Berlin"})
    page = words_of((await browser.get(PATH)).text)
    assert "Sie haben noch 1.000 Credits." in page
    assert "bitten Sie darum unter help@example.org" in page
    await close(browser, database, alice)
    page = (await browser.get("/farewell")).text
    assert "Ihr Konto ist geschlossen" in page
    assert 'href="mailto:help@example.org"' in page


async def test_the_last_operator_cannot_leave(empty_database: Database, open_browser: OpenBrowser) -> None:
    ada = await new_person(empty_database, "Ada", credits=0, admin=True)
    stage = Stage(Settings(public_url=SITE, secret_key=SECRET), empty_database)
    browser = await signed_in(open_browser(stage), empty_database, ada)
    response = await browser.post(PATH, data={"email": (await row_of(empty_database, ada)).email})
    assert response.status_code == 409
    assert "This is the last operator there is" in words_of(response.text)
    assert (await row_of(empty_database, ada)).status is UserStatus.ACTIVE
    await new_person(empty_database, "Grace", credits=0, admin=True)
    await close(browser, empty_database, ada)


async def test_an_operator_in_her_place_does_not_close_her_account(
    open_browser: OpenBrowser, database: Database, alice: Person, ada: Person
) -> None:
    visitor = await as_visitor(open_browser(), database, ada, alice)
    assert (await visitor.get(PATH)).status_code == 403
    response = await visitor.post(PATH, data={"email": (await row_of(database, alice)).email})
    assert response.status_code == 403
    assert "this only they can do" in words_of(response.text)
    assert (await row_of(database, alice)).status is UserStatus.ACTIVE


async def test_the_farewell_is_the_same_for_everybody_who_looks(browser: Browser) -> None:
    response = await browser.get("/farewell")
    assert response.status_code == 200
    assert "Your account is closed" in response.text
