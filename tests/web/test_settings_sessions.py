"""The browsers somebody is signed in at; and the banner while an operator is signed in as somebody."""

import re
import uuid

from sqlalchemy import text

from talktime.accounts import sessions
from talktime.db.session import Database
from tests.people import WHY, Person
from tests.web.account import acts_about, as_visitor, give_password, row_of
from tests.web.conftest import Browser, OpenBrowser, signed_in
from tests.web.test_pages import words_of

FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:132.0) Gecko/20100101 Firefox/132.0"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Version/17.5 Safari/604.1"


async def begin(database: Database, person: Person, browser: str | None, address: str | None) -> None:
    async with database.transaction(everyone=WHY) as db:
        await sessions.begin(db, person.id, address=address, browser=browser)


async def ids_of(database: Database, person: Person) -> list[uuid.UUID]:
    async with database.transaction(everyone=WHY) as db:
        return [each.id for each in await sessions.of_user(db, person.id)]


def lines_of(page: str) -> list[str]:
    return [words_of(each) for each in re.findall(r'<div class="case">.*?</div>', page, re.DOTALL)]


async def test_alice_sees_this_browser_first_and_the_others_in_words(
    open_browser: OpenBrowser, database: Database, alice: Person
) -> None:
    browser = open_browser()
    browser.headers["user-agent"] = IPHONE
    await signed_in(browser, database, alice)
    await begin(database, alice, FIREFOX, "203.0.113.7")
    await begin(database, alice, "<script>alert(1)</script>", None)
    await begin(database, alice, None, "192.168.1.20")
    await begin(database, alice, None, "127.0.0.1")
    answer = await browser.get("/settings/sessions")
    lines = lines_of(answer.text)
    assert re.match(r"Safari on iPhone this browser from [0-9.]+ Last seen today, \d\d:\d\d", lines[0])
    assert "Sign out" not in lines[0]
    assert any(line.startswith("Firefox on Windows from 203.0.113.7") for line in lines)
    assert any(line.startswith("An unknown browser from an unknown place") for line in lines)
    assert any("in a local network, 192.168.1.20" in line for line in lines)
    assert any("on the server’s own machine" in line for line in lines)
    assert "alert(1)" not in answer.text


async def test_alice_signs_out_one_browser_and_bobs_is_as_good_as_none(
    *, as_alice: Browser, as_bob: Browser, open_browser: OpenBrowser, database: Database, alice: Person, bob: Person
) -> None:
    elsewhere = await signed_in(open_browser(), database, alice)
    page = (await as_alice.get("/settings/sessions")).text
    addresses = re.findall(r'action="(/settings/sessions/[^"]+/end)"', page)
    assert len(addresses) == 1
    answer = await as_alice.post(addresses[0])
    assert (answer.status_code, answer.headers["location"]) == (303, "/settings/sessions?done=session")
    assert (await elsewhere.get("/settings")).status_code == 303
    assert (await as_alice.post(addresses[0])).status_code == 303, "it is signed out already, and that is fine"

    [bobs] = await ids_of(database, bob)
    await as_alice.post(f"/settings/sessions/{bobs}/end")
    assert (await as_bob.get("/settings")).status_code == 200
    assert str(bobs) not in (await as_alice.get("/settings/sessions")).text
    assert (await as_alice.post("/settings/sessions/not-an-id/end")).status_code == 404


async def test_alice_signs_out_everywhere_else(
    as_alice: Browser, as_bob: Browser, open_browser: OpenBrowser, database: Database, alice: Person
) -> None:
    others = [await signed_in(open_browser(), database, alice) for _ in range(2)]
    answer = await as_alice.post("/settings/sessions/end-others")
    assert answer.headers["location"] == "/settings/sessions?done=sessions"
    page = (await as_alice.get(answer.headers["location"])).text
    assert "Every other browser is signed out." in words_of(page)
    assert len(lines_of(page)) == 1
    assert "end-others" not in page, "there is nobody else"
    assert [(await other.get("/settings")).status_code for other in others] == [303, 303]
    assert (await as_bob.get("/settings")).status_code == 200


async def test_an_operator_in_her_place_is_seen_and_sent_away_by_alice(
    as_alice: Browser, open_browser: OpenBrowser, database: Database, alice: Person, ada: Person
) -> None:
    visitor = await as_visitor(open_browser(), database, ada, alice)
    assert any("our support" in line for line in lines_of((await as_alice.get("/settings/sessions")).text))
    page = (await visitor.get("/settings/sessions")).text
    assert 'action="/settings/sessions' not in page
    assert (await visitor.post("/settings/sessions/end-others")).status_code == 403
    assert (await as_alice.get("/settings")).status_code == 200
    await as_alice.post("/settings/sessions/end-others")
    assert (await visitor.get("/settings")).status_code == 303


async def test_in_somebody_elses_place_every_page_says_so(
    as_alice: Browser, open_browser: OpenBrowser, database: Database, alice: Person, ada: Person
) -> None:
    visitor = await as_visitor(open_browser(), database, ada, alice)
    for path in (
        "/",
        "/credits",
        "/settings",
        "/settings/data",
        "/settings/keys",
        "/operator/money",
        "/settings/close",
    ):
        page = (await visitor.get(path)).text
        assert 'id="acting"' in page, path
        assert "You are in the account of Alice." in words_of(page), path
        assert re.search(r"until \d\d:\d\d \(Europe/Berlin\)", words_of(page)), path
        assert 'action="/settings/acting/end"' in page, path
        assert 'id="acting"' not in (await as_alice.get(path)).text, path


async def test_leaving_her_account_ends_that_session_alone(
    as_alice: Browser, open_browser: OpenBrowser, database: Database, alice: Person, ada: Person
) -> None:
    visitor = await as_visitor(open_browser(), database, ada, alice)
    answer = await visitor.post("/settings/acting/end")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert (await visitor.get("/settings")).status_code == 303
    assert (await visitor.post("/settings/acting/end")).status_code == 303, "twice is as good as once"
    assert (await as_alice.get("/settings")).status_code == 200
    answer = await as_alice.post("/settings/acting/end")
    assert (answer.status_code, answer.headers["location"]) == (303, "/settings")
    assert (await as_alice.get("/settings")).status_code == 200, "who is themselves is not signed out by it"
    ended = [entry for entry in await acts_about(database, alice) if entry.act == "session.ended"]
    assert [entry.actor_id for entry in ended] == [ada.id]
    assert ended[0].door == "web"


async def test_a_visit_is_over_after_half_an_hour(
    open_browser: OpenBrowser, database: Database, alice: Person, ada: Person
) -> None:
    visitor = await as_visitor(open_browser(), database, ada, alice)
    async with database.transaction(everyone=WHY) as db:
        await db.execute(
            text(
                "UPDATE sessions SET created_at = created_at - interval '31 minutes',"
                " expires_at = expires_at - interval '31 minutes' WHERE actor_id = :ada"
            ),
            {"ada": ada.id},
        )
    assert (await visitor.get("/settings")).status_code == 303
    assert (await visitor.post("/settings/acting/end")).headers["location"] == "/sign-in"


async def test_an_operator_changes_what_she_may_change_for_her_and_it_is_written_down(
    open_browser: OpenBrowser, database: Database, alice: Person, ada: Person
) -> None:
    visitor = await as_visitor(open_browser(), database, ada, alice)
    answer = await visitor.post("/settings", data={"name": "Alice", "locale": "en", "zone": "Europe/Vienna"})
    assert answer.status_code == 303
    assert (await row_of(database, alice)).zone == "Europe/Vienna"
    entry = (await acts_about(database, alice))[-1]
    assert (entry.act, entry.actor_id) == ("user.changed", ada.id)
    page = (await visitor.get("/")).text
    assert "/operator/money" not in page, "she is no operator there"


async def test_an_operator_with_a_password_alone_is_reminded(
    open_browser: OpenBrowser, as_alice: Browser, database: Database, ada: Person
) -> None:
    await give_password(database, ada)
    browser = await signed_in(open_browser(), database, ada)
    reminder = "You look after everybody’s accounts with a password alone."
    for path in ("/settings", "/settings/second-factor", "/operator/money"):
        assert reminder in words_of((await browser.get(path)).text), path
    assert reminder not in (await as_alice.get("/settings")).text
    async with database.transaction(everyone=WHY) as db:
        await db.execute(
            text("UPDATE users SET totp_secret = '\\x00', totp_since = now() WHERE id = :ada"), {"ada": ada.id}
        )
    for path in ("/settings", "/settings/second-factor", "/operator/money"):
        assert reminder not in words_of((await browser.get(path)).text), path


async def test_a_copy_of_her_cookie_is_another_browser(
    as_alice: Browser, open_browser: OpenBrowser, database: Database
) -> None:
    thief = open_browser()
    thief.cookies.update(as_alice.cookies)
    assert (await thief.get("/settings")).status_code == 200
    await as_alice.post("/settings/sessions/end-others")
    assert (await thief.get("/settings")).status_code == 303
    assert (await as_alice.get("/settings")).status_code == 200
    assert (await as_alice.post("/settings/sessions/end-others")).status_code == 303, "her next form is hers, too"
