"""Changing the password, and typing it once more before something that changes how somebody comes in."""

import re

import pytest

from talktime.db.session import Database
from talktime.http.security import cookie_name
from tests.people import Person
from tests.web.account import NEW_PASSWORD, PASSWORD, a_while_later, acts_about, as_visitor, give_password, row_of
from tests.web.conftest import Browser, OpenBrowser, signed_in
from tests.web.stage import Stage
from tests.web.test_pages import words_of

NEEDS_PASSWORD = (
    "/settings/email",
    "/settings/second-factor/on",
    "/settings/second-factor/off",
    "/settings/second-factor/codes",
    "/settings/keys/new",
    "/settings/keys/01890a5d-ac96-774b-bcce-b302099a8057/revoke",
    "/settings/data/export",
    "/settings/close",
)


@pytest.fixture(autouse=True)
async def passwords(database: Database, alice: Person, bob: Person) -> None:
    await give_password(database, alice)
    await give_password(database, bob)


async def test_alice_changes_her_password_and_every_other_browser_is_signed_out(
    *, as_alice: Browser, as_bob: Browser, open_browser: OpenBrowser, database: Database, alice: Person, stage: Stage
) -> None:
    elsewhere = await signed_in(open_browser(), database, alice)
    before = as_alice.cookies[cookie_name(stage.settings)]
    page = (await as_alice.get("/settings/password")).text
    assert 'autocomplete="current-password"' in page
    assert 'autocomplete="new-password"' in page
    assert 'autocomplete="username"' in page

    answer = await as_alice.post("/settings/password", data={"old": PASSWORD, "new": NEW_PASSWORD})
    assert (answer.status_code, answer.headers["location"]) == (303, "/settings/password?done=password")
    assert as_alice.cookies[cookie_name(stage.settings)] != before, "a copy of the old cookie is worth nothing"
    said = words_of((await as_alice.get("/settings/password?done=password")).text)
    assert "Your password is changed, and every other browser is signed out." in said

    assert (await elsewhere.get("/settings")).status_code == 303
    elsewhere.cookies.set(cookie_name(stage.settings), before, domain="talktime.example")
    assert (await elsewhere.get("/settings")).status_code == 303
    assert (await as_bob.get("/settings")).status_code == 200
    assert "password.changed" in [entry.act for entry in await acts_about(database, alice)]


@pytest.mark.parametrize(
    ("old", "new", "status", "field", "said"),
    [
        ("not it at all", NEW_PASSWORD, 401, "old", "The password is not right."),
        ("", NEW_PASSWORD, 422, "old", "Type the password that you have now."),
        (PASSWORD, "", 422, "new", "Type a new password."),
        (PASSWORD, "short", 422, "new", "at least 10 characters"),
        (PASSWORD, "x" * 10_000, 422, "new", "at most 256 characters"),
        (PASSWORD, "password123", 422, "new", "Choose"),
        (PASSWORD, "aliceexample", 422, "new", "Choose"),
    ],
)
async def test_what_is_wrong_stands_beside_its_field_and_no_password_is_shown_again(
    *, as_alice: Browser, database: Database, alice: Person, old: str, new: str, status: int, field: str, said: str
) -> None:
    before = (await row_of(database, alice)).password_hash
    answer = await as_alice.post("/settings/password", data={"old": old, "new": new})
    assert answer.status_code == status
    assert said in words_of(answer.text)
    assert re.search(rf'id="{field}" name="{field}"[^>]*aria-invalid="true" autofocus', answer.text)
    assert not re.search(r'type="password"[^>]*value=', answer.text)
    for typed in {old, new} - {"", "short"}:
        assert typed not in answer.text
    assert (await row_of(database, alice)).password_hash == before


async def test_a_password_is_refused_in_german_too(as_alice: Browser) -> None:
    await as_alice.post("/settings", data={"name": "Alice", "locale": "de", "zone": "Europe/Berlin"})
    answer = await as_alice.post("/settings/password", data={"old": "nicht das", "new": NEW_PASSWORD})
    assert answer.status_code == 401
    assert "Das Passwort" in words_of(answer.text)
    answer = await as_alice.post("/settings/password", data={"old": PASSWORD, "new": "kurz"})
    assert "mindestens 10 Zeichen" in words_of(answer.text)


async def test_who_guesses_too_often_is_told_how_long_to_wait(as_alice: Browser) -> None:
    for _ in range(5):
        await as_alice.post("/confirm", data={"password": "a guess", "next": "/"})
    answer = await as_alice.post("/settings/password", data={"old": "a guess", "new": NEW_PASSWORD})
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    assert "Try again in" in words_of(answer.text)


async def test_who_came_by_a_link_and_has_no_password_is_shown_how_to_get_one(
    open_browser: OpenBrowser, database: Database, ada: Person
) -> None:
    browser = await signed_in(open_browser(), database, ada)
    page = (await browser.get("/settings/password")).text
    assert "have no password yet" in page
    assert 'type="password"' not in page
    await a_while_later(database, ada)
    answer = await browser.get("/settings/close", follow_redirects=True)
    assert "have no password yet" in answer.text
    assert 'href="/reset"' in answer.text


@pytest.mark.parametrize("path", NEEDS_PASSWORD)
async def test_a_while_after_signing_in_the_password_is_asked_for_once_more(
    as_alice: Browser, database: Database, alice: Person, path: str
) -> None:
    await a_while_later(database, alice)
    answer = await as_alice.get(path)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/confirm?next={path.replace('/', '%2F')}"
    page = (await as_alice.get(answer.headers["location"])).text
    assert f'name="next" value="{path}"' in page
    answer = await as_alice.post("/confirm", data={"password": PASSWORD, "next": path})
    assert (answer.status_code, answer.headers["location"]) == (303, path)
    assert (await as_alice.get(path)).headers.get("location", "") != f"/confirm?next={path.replace('/', '%2F')}"


@pytest.mark.parametrize("path", NEEDS_PASSWORD)
async def test_what_is_sent_a_while_later_is_not_done_and_one_comes_back_to_its_page(
    as_alice: Browser, database: Database, alice: Person, path: str
) -> None:
    await a_while_later(database, alice)
    answer = await as_alice.post(path, data={"email": "new@example.org", "code": "123456", "name": "x", "sure": "yes"})
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/confirm?next={path.replace('/', '%2F')}&sent=1"
    assert "was not done yet" in (await as_alice.get(answer.headers["location"])).text
    assert (await row_of(database, alice)).status == "ACTIVE"


async def test_the_wrong_password_confirms_nothing(as_alice: Browser, database: Database, alice: Person) -> None:
    await a_while_later(database, alice)
    answer = await as_alice.post("/confirm", data={"password": "not it at all", "next": "/settings/email"})
    assert answer.status_code == 401
    assert "The password is not right." in words_of(answer.text)
    assert 'name="next" value="/settings/email"' in answer.text
    assert "not it at all" not in answer.text
    assert (await as_alice.post("/confirm", data={"password": "", "next": "/"})).status_code == 422
    assert (await as_alice.get("/settings/email")).status_code == 303


async def test_confirming_at_one_browser_confirms_no_other(
    as_alice: Browser, open_browser: OpenBrowser, database: Database, alice: Person
) -> None:
    elsewhere = await signed_in(open_browser(), database, alice)
    await a_while_later(database, alice)
    await as_alice.post("/confirm", data={"password": PASSWORD, "next": "/"})
    assert (await as_alice.get("/settings/email")).status_code == 200
    assert (await elsewhere.get("/settings/email")).status_code == 303


@pytest.mark.parametrize(
    "path", ["//evil.example", "/\\evil.example", "https:evil.example", "/\tx", "javascript:1", ""]
)
async def test_nobody_is_sent_to_another_site_after_their_password(as_alice: Browser, path: str) -> None:
    answer = await as_alice.get("/confirm", params={"next": path})
    assert 'name="next" value="/"' in answer.text
    answer = await as_alice.post("/confirm", data={"password": PASSWORD, "next": path})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


async def test_an_operator_in_her_place_changes_no_password_and_confirms_nothing(
    open_browser: OpenBrowser, database: Database, alice: Person, ada: Person
) -> None:
    await give_password(database, ada, NEW_PASSWORD)
    visitor = await as_visitor(open_browser(), database, ada, alice)
    before = (await row_of(database, alice)).password_hash
    for path in ("/settings/password", "/confirm"):
        answer = await visitor.get(path)
        assert answer.status_code == 403
        assert "You are signed in as somebody else: this only they can do." in words_of(answer.text)
        answer = await visitor.post(path, data={"old": PASSWORD, "new": NEW_PASSWORD, "password": PASSWORD})
        assert answer.status_code == 403
    assert (await row_of(database, alice)).password_hash == before
