"""What every page is protected by: a form is taken only from the browser it was shown to, at an address of ours."""

import pytest

from talktime.db.session import Database
from talktime.settings import Settings
from talktime.web.visit import safe_next
from tests.people import Person
from tests.web.conftest import Browser, OpenBrowser, link_for, signed_in
from tests.web.stage import Stage


async def _guards(browser: Browser, csrf: str | None) -> int:
    """Send a form that changes something, with this token in it; gives the status."""
    data = {"day": "77"} | ({"csrf": csrf} if csrf is not None else {})
    return (await browser.post("/credits/guards", data=data, csrf=False)).status_code


async def _is_changed(browser: Browser) -> bool:
    return 'value="77"' in (await browser.get("/credits/settings")).text


async def test_every_form_of_a_page_carries_the_token_of_this_browser(as_alice: Browser) -> None:
    page = (await as_alice.get("/credits/settings")).text
    assert page.count('method="post"') == page.count(f'name="csrf" value="{as_alice.token()}"') > 3


@pytest.mark.parametrize("token", [None, "", "x", "é", "a" * 5000, "0" * 43])
async def test_a_form_without_the_right_token_changes_nothing(as_alice: Browser, token: str | None) -> None:
    assert await _guards(as_alice, token) == 403
    assert not await _is_changed(as_alice)


async def test_a_token_of_somebody_else_or_of_an_earlier_session_changes_nothing(
    as_alice: Browser, as_bob: Browser, database: Database, alice: Person
) -> None:
    early = as_alice.token()
    assert await _guards(as_alice, as_bob.token()) == 403
    await as_alice.post("/sign-out")
    await signed_in(as_alice, database, alice)
    assert as_alice.token() != early
    answer = await as_alice.post("/credits/guards", data={"day": "77", "csrf": early}, csrf=False)
    assert answer.status_code == 403
    assert "open for too long" in answer.text
    assert not await _is_changed(as_alice)
    assert await _guards(as_alice, as_alice.token()) == 303
    assert await _is_changed(as_alice)


async def test_a_token_in_the_header_counts_too(as_alice: Browser) -> None:
    answer = await as_alice.post(
        "/credits/guards", data={"day": "77"}, csrf=False, headers={"x-csrf-token": as_alice.token()}
    )
    assert answer.status_code == 303


async def test_before_there_is_a_session_a_form_is_tied_to_a_cookie_of_its_own(
    open_browser: OpenBrowser, database: Database, alice: Person
) -> None:
    browser, link = open_browser(), await link_for(database, alice)
    page = await browser.get(link)
    name, *flags = page.headers["set-cookie"].split("; ")
    assert name.startswith("__Host-talktime_form=")
    assert {"HttpOnly", "Path=/", "SameSite=lax", "Secure"} <= set(flags)
    token = page.text.partition('name="csrf" value="')[2].partition('"')[0]

    stranger = open_browser()
    assert (await stranger.post(link, data={"csrf": token}, csrf=False)).status_code == 403
    assert (await browser.post(link, data={"csrf": token}, csrf=False)).status_code == 303


async def test_a_cookie_that_somebody_planted_is_no_session_and_is_replaced(
    open_browser: OpenBrowser, database: Database, alice: Person
) -> None:
    browser = open_browser()
    browser.cookies.set("__Host-talktime", "planted", domain="talktime.example")
    await signed_in(browser, database, alice)
    assert {cookie.value for cookie in browser.cookies.jar if cookie.name == "__Host-talktime"} != {"planted"}
    browser.cookies.clear()
    browser.cookies.set("__Host-talktime", "planted", domain="talktime.example")
    assert "Alice" not in (await browser.get("/")).text


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "talktime.example.evil.example",
        "",
        "[::1",
        "evil.example:443",
        "localhost/evil?",
        "evil@localhost",
        "127.0.0.1#",
        "localhost:80:80",
        "localhost.",
        "localhost localhost",
        "127.1",
        "2130706433",
    ],
)
async def test_a_name_of_somebody_else_that_leads_here_shows_nothing(as_alice: Browser, host: str) -> None:
    answer = await as_alice.get("/credits", headers={"host": host})
    assert answer.status_code == 421
    assert "Alice" not in answer.text


@pytest.mark.parametrize(
    "host", ["talktime.example", "TALKTIME.example:443", "127.0.0.1:8000", "[::1]:8000", "localhost"]
)
async def test_our_own_name_and_plain_addresses_lead_here(as_alice: Browser, host: str) -> None:
    assert (await as_alice.get("/credits", headers={"host": host})).status_code == 200


async def test_with_a_public_address_a_form_from_another_address_of_ours_is_refused(as_alice: Browser) -> None:
    here = {"host": "192.0.2.7", "origin": "http://192.0.2.7"}
    assert (await as_alice.post("/credits/guards", data={"day": "77"}, headers=here)).status_code == 403


@pytest.mark.parametrize(
    ("asked", "spoken"),
    [
        ("", "en"),
        ("de-DE,de;q=0.9,en;q=0.8", "de"),
        ("fr, de;q=0.5, en;q=0.4", "de"),
        ("en-GB,de;q=0.9", "en"),
        ("de;q=0,en;q=0.1", "en"),
        ("de;q=x", "en"),
        ("*", "en"),
        ("," * 10_000 + "de", "en"),
    ],
)
async def test_who_is_not_signed_in_is_spoken_to_in_the_language_of_the_browser(
    browser: Browser, asked: str, spoken: str
) -> None:
    assert f'<html lang="{spoken}">' in (await browser.get("/", headers={"accept-language": asked})).text


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "evil",
        "",
        "/\tx",
        "/x\r\nset-cookie: a=b",
        "/é",
        "\\/evil",
        "/" + "a" * 600,
    ],
)
def test_nobody_is_led_to_another_site(path: str) -> None:
    assert safe_next(path) == "/"


@pytest.mark.parametrize("path", ["/", "/credits", "/calls/x?before=1&a=%2F"])
def test_a_path_of_ours_is_kept(path: str) -> None:
    assert safe_next(path) == path


async def test_on_a_machine_without_a_public_address_only_plain_addresses_lead_to_pages(
    open_browser: OpenBrowser, database: Database
) -> None:
    browser = open_browser(Stage(Settings(host="0.0.0.0", port=8000), database))
    assert (await browser.get("/", headers={"host": "192.168.1.5:8000"})).status_code == 200
    assert (await browser.get("/", headers={"host": "rebound.example:8000"})).status_code == 421
