"""A new password for who forgot theirs, and the link that makes a new e-mail address count."""

import pytest

from talktime.accounts import links
from talktime.accounts.models import LinkPurpose, UserStatus
from talktime.db.session import Database
from tests.people import WHY, Person
from tests.web.conftest import Browser, OpenBrowser, link_for, signed_in
from tests.web.doorstep import (
    OTHER_PASSWORD,
    PASSWORD,
    address_of,
    become,
    code_of,
    grow_old,
    new_email_link,
    reset_link,
    sessions_of,
    sign_in,
    unique,
    user_of,
    with_password,
    with_second_step,
)

COOKIE = "__Host-talktime"


async def test_a_new_password_signs_in_here_and_out_everywhere_else(
    browser: Browser, as_alice: Browser, open_browser: OpenBrowser, database: Database, alice: Person
) -> None:
    email = await with_password(database, alice)
    path = await reset_link(database, alice)
    for _preview in range(3):
        page = await browser.get(path)
        assert page.status_code == 200
    assert f'value="{email}"' in page.text and 'autocomplete="new-password"' in page.text
    done = await browser.post(path, data={"password": OTHER_PASSWORD})
    assert (done.status_code, done.headers["location"]) == (303, "/")
    assert ", Alice</h1>" in (await browser.get("/")).text
    assert (await as_alice.get("/credits")).status_code == 303
    assert (await sign_in(open_browser(), email)).status_code == 401
    assert (await sign_in(open_browser(), email, OTHER_PASSWORD)).status_code == 303

    late = await browser.post(path, data={"password": PASSWORD})
    assert late.status_code == 410 and 'href="/reset"' in late.text


async def test_whether_an_address_has_an_account_is_not_to_be_seen(
    open_browser: OpenBrowser, database: Database, alice: Person, bob: Person
) -> None:
    closed = await address_of(database, bob)
    await become(database, bob, UserStatus.CLOSED)
    answers = []
    for email in (await address_of(database, alice), closed, unique()):
        browser = open_browser()
        browser.cookies.set(f"{COOKIE}_form", "the same for all")
        answer = await browser.post("/reset", data={"email": email})
        headers = [(name, value) for name, value in answer.headers.items() if name != "content-length"]
        answers.append((answer.status_code, answer.text.replace(email, "…"), headers))
    assert answers[0] == answers[1] == answers[2]
    assert answers[0][0] == 200 and "If there is an account for" in answers[0][1]


async def test_a_second_step_is_asked_for_after_a_new_password(
    browser: Browser, database: Database, alice: Person
) -> None:
    key, _codes = await with_second_step(database, alice)
    half = await browser.post(await reset_link(database, alice), data={"password": OTHER_PASSWORD})
    assert (half.status_code, half.headers["location"]) == (303, "/sign-in/second-factor")
    assert (await browser.get("/credits")).status_code == 303
    assert (await browser.post("/sign-in/second-factor", data={"code": code_of(key)})).status_code == 303
    assert (await browser.get("/credits")).status_code == 200


@pytest.mark.parametrize(
    ("password", "sentence"),
    [
        ("", "Choose a password."),
        ("short", "at least 10 characters"),
        ("x" * 10_000, "at most 256 characters"),
        ("qwertyuiop", "stolen ones"),
    ],
    ids=range(4),
)
async def test_a_password_that_is_none_is_told_and_the_link_stays(
    browser: Browser, database: Database, alice: Person, password: str, sentence: str
) -> None:
    path = await reset_link(database, alice)
    answer = await browser.post(path, data={"password": password})
    assert answer.status_code == 422 and sentence in answer.text and 'id="password-about"' in answer.text
    assert not password or password not in answer.text
    assert (await browser.post(path, data={"password": PASSWORD})).status_code == 303


async def test_a_link_that_is_too_old_or_for_something_else_or_of_who_is_closed_changes_nothing(
    browser: Browser, database: Database, alice: Person, bob: Person
) -> None:
    email = await with_password(database, alice)
    old, sign_in_link = await reset_link(database, alice), await link_for(database, alice)
    await grow_old(database, old)
    other, closed = sign_in_link.replace("/sign-in/", "/reset/"), await reset_link(database, bob)
    await become(database, bob, UserStatus.CLOSED)
    for path in (old, other, closed, "/reset/x", "/reset/%00", "/reset/" + "a" * 5000):
        assert (await browser.get(path)).status_code == 410
        assert (await browser.post(path, data={"password": OTHER_PASSWORD})).status_code == 410
    assert COOKIE not in browser.cookies
    assert (await sign_in(browser, email)).status_code == 303


async def test_bob_signed_in_who_opens_alices_link_is_alice_and_not_bob_any_more(
    as_bob: Browser, database: Database, alice: Person, bob: Person
) -> None:
    assert (await as_bob.post(await reset_link(database, alice), data={"password": PASSWORD})).status_code == 303
    assert ", Alice</h1>" in (await as_bob.get("/")).text
    assert await sessions_of(database, bob) == []


async def test_a_new_address_counts_once_its_button_is_pressed(
    browser: Browser, open_browser: OpenBrowser, database: Database, alice: Person
) -> None:
    before, new = await with_password(database, alice), unique("alice")
    path = await new_email_link(database, alice, new)
    for _preview in range(3):
        page = await browser.get(path)
        assert page.status_code == 200 and new in page.text and before not in page.text
    assert await address_of(database, alice) == before
    done = await browser.post(path)
    assert done.status_code == 200 and new in done.text
    assert COOKIE not in browser.cookies, "the link is for the address, and signs nobody in"
    assert await address_of(database, alice) == new
    assert (await sign_in(open_browser(), before)).status_code == 401
    assert (await sign_in(open_browser(), new)).status_code == 303
    late = await browser.post(path)
    assert late.status_code == 410 and (await browser.get(path)).status_code == 410
    assert 'href="/settings/email"' in late.text


async def test_an_address_that_somebody_else_got_meanwhile_stays_theirs(
    browser: Browser, database: Database, alice: Person, bob: Person
) -> None:
    before, taken = await address_of(database, alice), await address_of(database, bob)
    answer = await browser.post(await new_email_link(database, alice, taken))
    assert answer.status_code == 409 and "choose another address" in answer.text
    assert await address_of(database, alice) == before
    holder = await user_of(database, taken)
    assert holder is not None and holder.id == bob.id


async def test_a_link_for_an_address_is_good_for_nothing_else(
    browser: Browser, database: Database, alice: Person
) -> None:
    token = (await new_email_link(database, alice, unique())).rpartition("/")[2]
    for path in ("/reset/", "/welcome/", "/sign-in/"):
        answer = await browser.post(path + token, data={"password": PASSWORD, "name": "Mallory"})
        assert answer.status_code == 410 and COOKIE not in browser.cookies
    async with database.transaction(everyone=WHY) as db:
        assert await links.look(db, token, LinkPurpose.CHANGE_EMAIL) is not None


async def test_forms_of_links_are_taken_only_from_the_browser_that_was_shown_them(
    browser: Browser, database: Database, alice: Person
) -> None:
    reset, new_email = await reset_link(database, alice), await new_email_link(database, alice, unique())
    for path in (reset, new_email):
        assert (await browser.post(path, data={"password": PASSWORD}, csrf=False)).status_code == 403
        refused = await browser.post(path, data={"password": PASSWORD}, headers={"sec-fetch-site": "cross-site"})
        assert refused.status_code == 403
        assert (await browser.get(path)).status_code == 200


async def test_the_door_speaks_german(open_browser: OpenBrowser, database: Database, alice: Person) -> None:
    browser = open_browser()
    browser.headers["accept-language"] = "de-DE,de;q=0.9,en;q=0.8"
    for path, words in (
        ("/", "Immer jemand"),
        ("/sign-in", "Passwort vergessen?"),
        ("/sign-up", "Konto anlegen"),
        ("/reset", "Das kommt vor."),
        (await reset_link(database, alice), "Ein neues Passwort"),
        (await new_email_link(database, alice, unique()), "Ja, diese Adresse verwenden"),
        ("/reset/x", "Dieser Link gilt nicht mehr"),
        ("/nowhere", "Unter dieser Adresse gibt es keine Seite."),
    ):
        page = (await browser.get(path)).text
        assert words in page and '<html lang="de">' in page, path
    inside = await signed_in(open_browser(), database, alice)
    assert (await inside.get("/sign-in")).status_code == 303
