"""Coming in and going out: with a password, by a link that works once, with a second step; a cookie is nobody else's,
and no other site can send our forms."""

import re
import unicodedata
from urllib.parse import unquote

import httpx
import pytest

from talktime.accounts.models import UserStatus
from talktime.db.session import Database
from talktime.settings import Settings
from tests.people import Person
from tests.web.conftest import Browser, OpenBrowser, link_for, signed_in
from tests.web.doorstep import (
    OTHER_PASSWORD,
    PASSWORD,
    become,
    sessions_of,
    sign_in,
    unique,
    with_password,
)
from tests.web.stage import SECRET, SITE, Stage, ring

WRONG = "The e-mail address or the password is not right."
COOKIE = "__Host-talktime"


async def test_who_is_not_signed_in_sees_no_call_and_how_to_sign_in(
    browser: Browser, database: Database, alice: Person
) -> None:
    await ring(database, alice)
    page = await browser.get("/")
    assert page.status_code == 200
    assert 'href="/sign-in"' in page.text and 'href="/sign-up"' in page.text
    assert "<details" not in page.text and "010-0123" not in page.text


async def test_opening_a_link_spends_nothing_and_its_button_signs_in_once(
    open_browser: OpenBrowser, database: Database, alice: Person
) -> None:
    link = await link_for(database, alice)
    first, second = open_browser(), open_browser()
    for _preview in range(3):
        page = await first.get(link)
        assert page.status_code == 200
        assert f'method="post" action="{link}">' in page.text
        assert "__Host-talktime=" not in page.headers.get("set-cookie", "")

    came_in = await first.post(link)
    assert (came_in.status_code, came_in.headers["location"]) == (303, "/")
    assert ", Alice</h1>" in (await first.get("/")).text

    late = await second.post(link)
    assert late.status_code == 410
    assert "works once" in late.text and 'href="/reset"' in late.text
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
    assert "__Host-talktime" not in as_alice.cookies
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


async def test_who_knows_the_password_comes_in_and_goes_on_to_what_they_wanted(
    browser: Browser, database: Database, alice: Person
) -> None:
    email = await with_password(database, alice)
    sent_away = await browser.get("/credits?saved=card")
    assert (sent_away.status_code, sent_away.headers["location"]) == (303, "/sign-in?next=%2Fcredits%3Fsaved%3Dcard")
    page = await browser.get(sent_away.headers["location"])
    assert 'name="next" value="/credits?saved=card"' in page.text
    assert 'autocomplete="username"' in page.text and 'autocomplete="current-password"' in page.text

    came_in = await sign_in(browser, email.upper(), next="/credits?saved=card")
    assert (came_in.status_code, came_in.headers["location"]) == (303, "/credits?saved=card")
    name, *flags = came_in.headers["set-cookie"].split("; ")
    assert name.startswith(f"{COOKIE}=")
    assert {"HttpOnly", "Path=/", "SameSite=lax", "Secure"} <= set(flags)
    # What one could change there has a page of its own since; it says what was done.
    moved = await browser.get("/credits?saved=card")
    assert (await browser.get(moved.headers["location"])).status_code == 200


@pytest.mark.parametrize(
    ("language", "sentence"), [("en", WRONG), ("de", "Die E-Mail-Adresse oder das Passwort stimmt nicht.")]
)
async def test_a_wrong_password_is_told_beside_its_field_and_what_was_typed_stays(
    browser: Browser, database: Database, alice: Person, language: str, sentence: str
) -> None:
    email = await with_password(database, alice)
    browser.headers["accept-language"] = language
    wrong = await sign_in(browser, email, "a wrong one", next="/credits")
    assert wrong.status_code == 401
    assert sentence in wrong.text and f'lang="{language}"' in wrong.text
    assert 'aria-invalid="true" autofocus aria-describedby="password-about"' in wrong.text
    assert f'value="{email}"' in wrong.text and 'name="next" value="/credits"' in wrong.text
    assert "a wrong one" not in wrong.text
    assert COOKIE not in browser.cookies


async def test_what_is_missing_is_asked_for_and_nothing_is_looked_up(browser: Browser) -> None:
    nothing = await browser.post("/sign-in", data={})
    assert nothing.status_code == 422
    assert "Type your e-mail address." in nothing.text and "Type your password." in nothing.text
    assert nothing.text.count("autofocus") == 1


def _plain(answer: httpx.Response, *typed: str) -> tuple[int, str, list[tuple[str, str]]]:
    """An answer without what was typed and what is new each time."""
    text = answer.text
    for each in typed:
        text = text.replace(each, "…")
    headers = [(name, value) for name, value in answer.headers.items() if name != "content-length"]
    return answer.status_code, text, headers


async def test_an_unknown_a_closed_and_a_known_address_get_the_same_answer(
    open_browser: OpenBrowser, database: Database, alice: Person, bob: Person, ada: Person
) -> None:
    known = await with_password(database, alice)
    closed = await with_password(database, bob)
    suspended = await with_password(database, ada)
    await become(database, bob, UserStatus.CLOSED)
    await become(database, ada, UserStatus.SUSPENDED)
    answers = []
    for email, password in (
        (known, OTHER_PASSWORD),
        (closed, PASSWORD),
        (closed, OTHER_PASSWORD),
        (suspended, OTHER_PASSWORD),
        (unique(), PASSWORD),
        ("no address at all", PASSWORD),
    ):
        browser = open_browser()
        browser.cookies.set(f"{COOKIE}_form", "the same for all")
        answers.append(_plain(await sign_in(browser, email, password), email))
    assert answers[0][0] == 401 and WRONG in answers[0][1]
    assert all(answer == answers[0] for answer in answers)


async def test_who_is_suspended_hears_it_after_the_right_password_and_whom_to_write_to(
    open_browser: OpenBrowser, database: Database, alice: Person
) -> None:
    email = await with_password(database, alice)
    inside = await signed_in(open_browser(), database, alice)
    await become(database, alice, UserStatus.SUSPENDED)
    assert (await inside.get("/credits")).status_code == 303

    plain = open_browser()
    said = await sign_in(plain, email)
    assert said.status_code == 403 and "This account is suspended. Write to us" in said.text
    assert COOKIE not in plain.cookies

    settings = Settings(public_url=SITE, secret_key=SECRET, support_email="help@example.org")
    helpful = open_browser(Stage(settings, database))
    helpful.headers["accept-language"] = "de"
    said = await sign_in(helpful, email)
    assert "Dieses Konto ist gesperrt. Schreiben Sie an help@example.org" in said.text


async def test_too_many_tries_are_told_how_long_to_wait_also_with_the_right_password(
    browser: Browser, open_browser: OpenBrowser, database: Database, alice: Person
) -> None:
    email = await with_password(database, alice)
    for _ in range(5):
        assert (await sign_in(browser, email, OTHER_PASSWORD)).status_code == 401
    late = await sign_in(browser, email)
    assert late.status_code == 429
    assert 1 <= int(late.headers["retry-after"]) <= 60
    assert "That was tried too often. Try again in a minute." in late.text
    assert f'value="{email}"' in late.text and COOKIE not in browser.cookies
    browser.headers["accept-language"] = "de"
    assert "in einer Minute noch einmal" in (await sign_in(browser, email)).text
    # Its owner, elsewhere, is not shut out by that.
    assert (await sign_in(open_browser(), email)).status_code == 303


async def test_an_unknown_address_is_throttled_like_a_known_one(browser: Browser) -> None:
    email = unique()
    assert [(await sign_in(browser, email)).status_code for _ in range(6)] == [401] * 5 + [429]


ELSEWHERE = [
    "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "https:evil.example",
    "https://evil.example", "javascript:alert(1)", "evil.example", "/\t/evil.example", "\t//evil.example",
    "/\r\nlocation: https://evil.example", "/\x00", " //evil.example", "/\u2028", "//\u65e5\u672c", "/" + "a" * 600, "",
]  # fmt: skip


@pytest.mark.parametrize("path", ELSEWHERE, ids=repr)
async def test_nobody_is_led_to_another_site(
    open_browser: OpenBrowser, database: Database, alice: Person, path: str
) -> None:
    email, browser = await with_password(database, alice), open_browser()
    if "\0" not in path:  # of which no form is taken
        came_in = await sign_in(browser, email, next=path)
        assert (came_in.status_code, came_in.headers["location"]) == (303, "/")
    inside = await signed_in(open_browser(), database, alice)
    for address in ("/sign-in", "/language/de"):
        for given in (path, unquote(path)):
            led = await inside.get(address, params={"next": given})
            assert (led.status_code, led.headers["location"]) == (303, "/"), (address, given)
    assert 'name="next" value="/"' in (await open_browser().get("/sign-in", params={"next": path})).text


@pytest.mark.parametrize("path", ["/%2F%2Fevil.example", "/%5Cevil.example", "/%09/evil.example", "/.//evil.example"])
async def test_what_is_encoded_stays_a_path_of_this_site(
    browser: Browser, database: Database, alice: Person, path: str
) -> None:
    came_in = await sign_in(browser, await with_password(database, alice), next=path)
    led = httpx.URL(SITE).join(came_in.headers["location"])
    assert led.host == "talktime.example"


async def test_a_cookie_from_before_is_never_the_session_after(
    browser: Browser, open_browser: OpenBrowser, database: Database, alice: Person
) -> None:
    email = await with_password(database, alice)
    for planted in ("planted", "x" * 5000):
        browser.cookies.clear()
        browser.cookies.set(COOKIE, planted, domain="talktime.example")
        [token] = set(re.findall(r'name="csrf" value="([^"]+)"', (await browser.get("/sign-in")).text))
        sent = {"email": email, "password": PASSWORD, "csrf": token}
        assert (await browser.post("/sign-in", data=sent, csrf=False)).status_code == 303
        assert browser.cookies[COOKIE] != planted
        thief = open_browser()
        thief.cookies.set(COOKIE, planted)
        assert (await thief.get("/credits")).status_code == 303


async def test_signing_in_again_ends_the_session_that_the_browser_had(
    browser: Browser, open_browser: OpenBrowser, database: Database, alice: Person, bob: Person
) -> None:
    await sign_in(browser, await with_password(database, alice))
    early = browser.cookies[COOKIE]
    # Signed in as Alice, a page from before sends the form for Bob.
    came_in = await sign_in(browser, await with_password(database, bob))
    assert came_in.status_code == 303
    assert ", Bob</h1>" in (await browser.get("/")).text
    assert await sessions_of(database, alice) == []
    thief = open_browser()
    thief.cookies.set(COOKIE, early)
    assert "Alice" not in (await thief.get("/")).text


async def test_who_is_signed_in_is_not_asked_again(as_alice: Browser) -> None:
    for address, where in (
        ("/sign-in", "/"),
        ("/sign-in?next=/credits", "/credits"),
        ("/sign-in?next=/sign-in", "/sign-in"),
        ("/sign-in/second-factor", "/sign-in"),
    ):
        answer = await as_alice.get(address)
        assert (answer.status_code, answer.headers["location"]) == (303, where)


async def test_two_tabs_the_form_of_the_one_is_stale_once_the_other_signed_in(
    browser: Browser, database: Database, alice: Person
) -> None:
    email = await with_password(database, alice)
    first_tab = browser.token()
    assert (await sign_in(browser, email)).status_code == 303
    stale = {"email": email, "password": PASSWORD, "csrf": first_tab}
    late = await browser.post("/sign-in", data=stale, csrf=False)
    assert late.status_code == 403
    assert "you signed in or out meanwhile" in late.text and 'href="/"' in late.text
    assert len(await sessions_of(database, alice)) == 1
    assert ", Alice</h1>" in (await browser.get("/")).text


async def test_before_signing_in_forms_are_tied_to_a_cookie_that_only_this_host_gets(browser: Browser) -> None:
    page = await browser.get("/sign-in")
    name, *flags = page.headers["set-cookie"].split("; ")
    assert name.startswith(f"{COOKIE}_form=")
    assert {"HttpOnly", "Path=/", "SameSite=lax", "Secure"} <= set(flags)
    assert not any(flag.lower().startswith("domain") for flag in flags)
    refused = await browser.post("/sign-in", data={"email": "a@b.example", "password": "x"}, csrf=False)
    assert refused.status_code == 403


@pytest.mark.parametrize("spelling", ["NFC", "NFD"])
async def test_a_password_is_the_same_however_a_keyboard_composes_it(
    browser: Browser, database: Database, alice: Person, spelling: str
) -> None:
    password = "Käsekuchen überm Fluß 東京 \N{ROCKET}"
    email = await with_password(database, alice, unicodedata.normalize("NFC", password))
    written = unicodedata.normalize(spelling, password)  # type: ignore[arg-type]  # one of its forms
    assert (await sign_in(browser, email, written)).status_code == 303


async def test_blanks_around_a_password_belong_to_it(browser: Browser, database: Database, alice: Person) -> None:
    email = await with_password(database, alice, f" {PASSWORD} ")
    assert (await sign_in(browser, email, PASSWORD)).status_code == 401
    assert (await sign_in(browser, f"  {email} ", f" {PASSWORD} ")).status_code == 303


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("alice@example.org", "x" * 10_000),
        ("a" * 10_000, "x"),
        ("alice@example.org\r\nBcc: mallory@evil.example", "x"),
        ("alice@example.org\x1b[2J", "\x7f\x1b"),
        ("\ud83d\ude80@exämple.org", "ü"),
        ('"><script>alert(1)</script>', "x"),
        ("' OR 1=1 --", "' OR 1=1 --"),
    ],
    ids=range(7),
)
async def test_hostile_fields_are_a_wrong_password_and_nothing_else(
    browser: Browser, email: str, password: str
) -> None:
    answer = await sign_in(browser, email.encode("utf-16", "surrogatepass").decode("utf-16"), password)
    assert answer.status_code == 401
    assert "<script>alert" not in answer.text
    assert "mallory" not in str(answer.headers)


async def test_a_form_that_is_far_too_large_is_not_read(browser: Browser) -> None:
    answer = await sign_in(browser, "alice@example.org", "x" * 100_000)
    assert (answer.status_code, "too long" in answer.text) == (422, True)


async def test_no_page_of_the_door_is_kept_by_a_browser(as_alice: Browser, browser: Browser) -> None:
    for one, address in ((as_alice, "/"), (as_alice, "/credits"), (browser, "/sign-in"), (browser, "/reset")):
        assert (await one.get(address)).headers["cache-control"] == "no-store"
    assert (await as_alice.post("/sign-out")).headers["cache-control"] == "no-store"
    assert (await as_alice.get("/credits")).status_code == 303


async def test_in_a_demonstration_the_first_page_says_where_the_link_is(
    open_browser: OpenBrowser, database: Database
) -> None:
    demo = open_browser(Stage(Settings(host="127.0.0.1", port=8000), database, demo=True))
    assert "printed in its terminal" in (await demo.get("/")).text
    assert "printed in its terminal" in (await demo.get("/sign-in")).text
    assert "prints a new link" in (await demo.post("/sign-in/x")).text
    assert "terminal" not in (await open_browser().get("/")).text
