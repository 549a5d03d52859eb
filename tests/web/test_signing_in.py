"""Coming in and going out: a link works once, a cookie is nobody else's, and no other site can send our forms."""

import pytest

from talktime.db.session import Database
from talktime.settings import Settings
from tests.people import Person
from tests.web.conftest import Browser, OpenBrowser, link_for, signed_in
from tests.web.stage import SITE, Stage, ring


async def test_who_is_not_signed_in_sees_no_call_and_how_to_sign_in(
    browser: Browser, database: Database, alice: Person
) -> None:
    await ring(database, alice)
    page = await browser.get("/")
    assert page.status_code == 200
    assert "printed in its terminal" in page.text
    assert "<details" not in page.text and "010-0123" not in page.text


async def test_opening_a_link_spends_nothing_and_its_button_signs_in_once(
    open_browser: OpenBrowser, database: Database, alice: Person
) -> None:
    link = await link_for(database, alice)
    first, second = open_browser(), open_browser()
    for _preview in range(3):
        page = await first.get(link)
        assert page.status_code == 200
        assert f'<form method="post" action="{link}">' in page.text
        assert "set-cookie" not in page.headers

    came_in = await first.post(link)
    assert (came_in.status_code, came_in.headers["location"]) == (303, "/")
    assert ", Alice</h1>" in (await first.get("/")).text

    late = await second.post(link)
    assert late.status_code == 410
    assert "works once" in late.text and "prints a new link" in late.text
    assert "set-cookie" not in late.headers
    assert "Alice" not in (await second.get("/")).text


async def test_a_made_up_link_signs_nobody_in(browser: Browser) -> None:
    for token in ("x", "%00", "%3Cscript%3E", "a" * 5000):
        answer = await browser.post(f"/sign-in/{token}")
        assert answer.status_code in (404, 410)
        assert "set-cookie" not in answer.headers


async def test_a_link_with_markup_in_it_is_shown_escaped(browser: Browser) -> None:
    page = await browser.get("/sign-in/%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E")
    assert "<script>alert" not in page.text


async def test_with_https_the_cookie_is_for_this_host_alone(
    browser: Browser, database: Database, alice: Person
) -> None:
    answer = await browser.post(await link_for(database, alice))
    name, *flags = answer.headers["set-cookie"].split("; ")
    assert name.startswith("__Host-talktime=")
    assert {"HttpOnly", "Path=/", "SameSite=lax", "Secure"} <= set(flags)
    assert not any(flag.lower().startswith("domain") for flag in flags)


async def test_without_https_the_cookie_has_a_plain_name(
    open_browser: OpenBrowser, database: Database, alice: Person
) -> None:
    browser = open_browser(Stage(Settings(host="127.0.0.1", port=8000), database))
    answer = await browser.post(await link_for(database, alice))
    name, *flags = answer.headers["set-cookie"].split("; ")
    assert name.startswith("talktime_session=")
    assert {"HttpOnly", "Path=/", "SameSite=lax"} <= set(flags) and "Secure" not in flags
    assert ", Alice</h1>" in (await browser.get("/")).text


async def test_signing_out_ends_the_session_everywhere(
    as_alice: Browser, open_browser: OpenBrowser, database: Database, alice: Person
) -> None:
    stolen = open_browser()
    stolen.cookies.update(as_alice.cookies)
    assert ", Alice</h1>" in (await stolen.get("/")).text

    gone = await as_alice.post("/sign-out")
    assert (gone.status_code, gone.headers["location"]) == (303, "/")
    assert not as_alice.cookies
    assert "Alice" not in (await stolen.get("/")).text
    assert (await as_alice.post("/sign-out")).status_code == 303

    other = await signed_in(open_browser(), database, alice)
    assert ", Alice</h1>" in (await other.get("/")).text


async def test_a_links_token_is_no_session(open_browser: OpenBrowser, database: Database, alice: Person) -> None:
    browser = open_browser()
    token = (await link_for(database, alice)).rpartition("/")[2]
    page = await browser.get("/", headers={"cookie": f"__Host-talktime={token}"})
    assert "Alice" not in page.text


FROM_ELSEWHERE = [
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "cross-site", "origin": SITE},
    {"origin": "https://evil.example"},
    {"origin": "http://talktime.example"},
    {"origin": "https://talktime.example:8443"},
    {"origin": "https://talktime.example.evil.example"},
    {"origin": "null"},
    {"origin": "https://"},
    {"origin": "https://[::1"},
    {"origin": ""},
]


@pytest.mark.parametrize("headers", FROM_ELSEWHERE, ids=str)
async def test_a_form_from_another_site_is_refused(
    headers: dict[str, str], as_alice: Browser, open_browser: OpenBrowser, database: Database, alice: Person
) -> None:
    refused = await as_alice.post("/sign-out", headers=headers)
    assert refused.status_code == 403
    assert "sent from another site" in refused.text
    assert ", Alice</h1>" in (await as_alice.get("/")).text

    link, other = await link_for(database, alice), open_browser()
    assert (await other.post(link, headers=headers)).status_code == 403
    assert (await other.post(link)).status_code == 303, "the refused form spent the link"


@pytest.mark.parametrize(
    "headers",
    [{"sec-fetch-site": "same-origin"}, {"origin": SITE}, {"origin": "https://TALKTIME.example:443"}, {}],
    ids=str,
)
async def test_a_form_of_our_own_is_taken(headers: dict[str, str], as_alice: Browser) -> None:
    assert (await as_alice.post("/sign-out", headers=headers)).status_code == 303


async def test_a_form_is_ours_at_the_address_that_the_browser_is_at(
    open_browser: OpenBrowser, database: Database, alice: Person
) -> None:
    browser = open_browser(Stage(Settings(host="0.0.0.0", port=8000), database))
    here = {"host": "192.168.1.5:8000"}
    link = await link_for(database, alice)
    assert (await browser.post(link, headers=here | {"origin": "http://192.168.1.6:8000"})).status_code == 403
    assert (await browser.post(link, headers=here | {"origin": "http://192.168.1.5:8000"})).status_code == 303
