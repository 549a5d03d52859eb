"""What somebody says of themselves: their name, the language they read, the zone they live in."""

import re

import pytest
from sqlalchemy import update

from talktime.accounts.models import User, UserStatus
from talktime.db.session import Database
from tests.people import WHY, Person
from tests.web.account import PASSWORD, give_password, row_of
from tests.web.conftest import Browser
from tests.web.test_pages import words_of

SECTIONS = (
    "/settings",
    "/settings/email",
    "/settings/mails",
    "/settings/password",
    "/settings/second-factor",
    "/settings/sessions",
    "/settings/keys",
    "/settings/data",
    "/settings/close",
)
GOOD = {"name": "Hanna Weiß", "locale": "de", "zone": "Europe/Vienna"}


async def test_the_settings_are_for_who_is_signed_in_alone(browser: Browser) -> None:
    answer = await browser.get("/settings")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?next=%2Fsettings"
    assert (await browser.post("/settings", data=GOOD)).status_code == 401


async def test_alice_changes_her_name_her_language_and_her_zone(
    as_alice: Browser, as_bob: Browser, database: Database, alice: Person, bob: Person
) -> None:
    page = (await as_alice.get("/settings")).text
    assert 'value="Alice"' in page
    assert re.search(r'<option value="Europe/Berlin" selected>Berlin</option>', page)

    answer = await as_alice.post("/settings", data=GOOD)
    assert (answer.status_code, answer.headers["location"]) == (303, "/settings?done=saved")
    user = await row_of(database, alice)
    assert (user.name, user.locale, user.zone) == ("Hanna Weiß", "de", "Europe/Vienna")

    page = (await as_alice.get("/settings?done=saved")).text
    assert '<html lang="de">' in page
    assert "Gespeichert." in page
    assert 'value="Hanna Weiß"' in page
    assert re.search(r'<option value="Europe/Vienna" selected>Wien</option>', page)
    assert (await row_of(database, bob)).name == "Bob"
    assert 'value="Bob"' in (await as_bob.get("/settings")).text


async def test_who_signs_out_is_spoken_to_in_the_language_they_chose(as_alice: Browser) -> None:
    await as_alice.post("/settings", data=GOOD)
    await as_alice.post("/sign-out")
    assert '<html lang="de">' in (await as_alice.get("/")).text


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("name", "", "Say how you are called"),
        ("name", "x" * 81, "Say how you are called"),
        ("name", "Ali\x07ce", "Say how you are called"),
        ("locale", "fr", "Choose one of the languages"),
        ("locale", "", "Choose one of the languages"),
        ("zone", "Mars/Olympus", "Choose one of the time zones"),
        ("zone", "../../etc/passwd", "Choose one of the time zones"),
        ("zone", "localtime", "Choose one of the time zones"),
    ],
)
async def test_what_cannot_be_is_said_beside_its_field_and_what_was_typed_stays(
    *, as_alice: Browser, database: Database, alice: Person, field: str, value: str, said: str
) -> None:
    answer = await as_alice.post("/settings", data={**GOOD, "locale": "en", "name": "Ali <b>", field: value})
    assert answer.status_code == 422
    assert said in words_of(answer.text)
    assert f'id="{field}-about">{said}' in answer.text
    assert re.search(rf'id="{field}" name="{field}"[^>]*aria-invalid="true" autofocus', answer.text)
    if field != "name":
        assert 'value="Ali &lt;b&gt;"' in answer.text
    assert (await row_of(database, alice)).name == "Alice"


async def test_a_zone_that_is_not_on_the_list_any_more_stays_chosen(
    as_alice: Browser, database: Database, alice: Person
) -> None:
    await as_alice.post("/settings", data={**GOOD, "locale": "en", "zone": "Asia/Calcutta"})
    assert (await row_of(database, alice)).zone == "Asia/Calcutta"
    page = (await as_alice.get("/settings")).text
    assert '<option value="Asia/Calcutta" selected>' in page
    assert page.count(" selected>") == 2, "a language and a zone"


async def test_what_was_done_is_one_of_our_own_sentences_whatever_the_address_says(as_alice: Browser) -> None:
    page = (await as_alice.get("/settings?done=%3Cb%3Eyou+won%3C/b%3E")).text
    assert "you won" not in page
    assert 'class="toast"' not in page


async def test_every_part_of_the_settings_is_reached_and_says_where_it_is(as_alice: Browser) -> None:
    page = (await as_alice.get("/settings")).text
    tabs = re.search(r'<nav class="tabs".*?</nav>', page, re.DOTALL)
    assert tabs is not None
    addresses = re.findall(r'href="([^"]+)"', tabs[0])
    assert tuple(addresses) == SECTIONS
    for address in addresses:
        answer = await as_alice.get(address)
        assert answer.status_code == 200, address
        assert f'<a href="{address}" aria-current="page">' in answer.text


@pytest.mark.parametrize("status", ["SUSPENDED", "CLOSED"])
async def test_who_may_not_come_in_sees_and_changes_nothing(
    as_alice: Browser, database: Database, alice: Person, status: str
) -> None:
    await give_password(database, alice)
    async with database.transaction(everyone=WHY) as db:
        await db.execute(update(User).where(User.id == alice.id).values(status=UserStatus(status)))
    before = await row_of(database, alice)
    for path in SECTIONS:
        assert (await as_alice.get(path)).status_code == 303, path
        assert (await as_alice.post(path, data=GOOD)).status_code in (401, 405), path
    for path in ("/confirm", "/settings/data/export", "/settings/data/forget", "/settings/keys/new"):
        answer = await as_alice.post(path, data={"password": PASSWORD, "number": "+4930901820", "sure": "yes"})
        assert answer.status_code == 401, path
    after = await row_of(database, alice)
    assert (after.name, after.locale, after.status) == (before.name, before.locale, UserStatus(status))


async def test_a_form_that_this_browser_was_not_shown_changes_nothing(
    as_alice: Browser, as_bob: Browser, database: Database, alice: Person
) -> None:
    for data in (GOOD, {**GOOD, "csrf": "made-up"}, {**GOOD, "csrf": as_bob.token()}):
        assert (await as_alice.post("/settings", data=data, csrf=False)).status_code == 403
    assert (await row_of(database, alice)).name == "Alice"
