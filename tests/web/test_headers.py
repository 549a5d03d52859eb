"""What every answer carries, the static files, and the two questions of a load balancer."""

import asyncio
import re

import pytest
from structlog.testing import capture_logs

from talktime.accounts import links
from talktime.db.session import Database, connect
from talktime.settings import Settings
from tests.people import Person
from tests.web.conftest import Browser, OpenBrowser
from tests.web.stage import SITE, Stage, answer

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
DEAD = "postgresql://nobody@127.0.0.1:1/nothing"


async def test_every_answer_has_the_headers(as_alice: Browser, database: Database, alice: Person) -> None:
    call = await answer(database, alice)
    addresses = [
        "/", "/live", f"/calls/{call}", f"/calls/{call}/live", "/calls/garbage", "/nowhere", "/sign-in/x",
        "/healthz", "/readyz", "/static/nothing.css", "/broken",
    ]  # fmt: skip
    answers = [await as_alice.get(address) for address in addresses]
    answers += [await as_alice.post("/sign-in/x"), await as_alice.post("/sign-out"), await as_alice.delete("/")]
    for given in answers:
        headers = given.headers
        assert headers["content-security-policy"] == POLICY, given.url
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        # Only the pages that one talks on ask for the microphone.
        assert "microphone=()" in headers["permissions-policy"]
        assert headers["cache-control"] == "no-store"


async def test_pages_need_nothing_that_the_policy_forbids(as_alice: Browser, database: Database, alice: Person) -> None:
    call = await answer(database, alice)
    for address in ("/", f"/calls/{call}", "/sign-in/x", "/nowhere"):
        page = (await as_alice.get(address)).text
        assert not re.search(r"\sstyle=|<style|\son[a-z]+=|javascript:|<script(?![^>]*\ssrc=)", page), address
        assert not re.search(r'(?:src|href|action)="(?!/[^/]|/"|#[a-z])', page), address


async def test_static_files_are_named_for_their_content_and_kept_for_ever(as_alice: Browser) -> None:
    page = (await as_alice.get("/")).text
    addresses = re.findall(r'"(/static/[^"]+)"', page)
    assert [re.sub(r"\.[0-9a-f]{12}\.", ".", address) for address in addresses] == [
        "/static/mark.svg", "/static/look.css", "/static/page.js", "/static/htmx.js", "/static/live.js",
    ]  # fmt: skip
    for address in addresses:
        file = await as_alice.get(address)
        assert file.status_code == 200 and file.content
        assert file.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert file.headers["content-type"].split(";")[0] in ("image/svg+xml", "text/css", "text/javascript")
        again = await as_alice.get(address, headers={"if-none-match": file.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("name", ["look.css", "../pages.py", "..%2Fpages.py", "%00", "look.000000000000.css"])
async def test_nothing_else_is_served(name: str, browser: Browser) -> None:
    assert (await browser.get(f"/static/{name}")).status_code == 404


async def test_a_fault_of_ours_says_nothing_of_the_inside(browser: Browser) -> None:
    answer = await browser.get("/broken")
    assert answer.status_code == 500
    assert "secret" not in answer.text and "Traceback" not in answer.text


async def test_what_is_no_browser_gets_no_page_for_a_wrong_address(browser: Browser) -> None:
    answer = await browser.get("/nowhere", headers={"accept": "application/json"})
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_process_that_can_work_is_ready(browser: Browser) -> None:
    assert (await browser.get("/healthz")).json() == {"status": "ok"}
    ready = await browser.get("/readyz")
    assert (ready.status_code, ready.json()) == (200, {"status": "ready"})


async def test_a_process_that_is_draining_lives_and_is_not_ready(open_browser: OpenBrowser, database: Database) -> None:
    browser = open_browser(Stage(Settings(public_url=SITE), database, leaving=True))
    assert (await browser.get("/healthz")).status_code == 200
    ready = await browser.get("/readyz")
    assert ready.status_code == 503 and "no new calls" in ready.json()["reasons"][0]


async def test_without_a_database_a_process_lives_is_not_ready_and_says_so_on_its_pages(
    open_browser: OpenBrowser,
) -> None:
    dead = connect(DEAD)
    browser = open_browser(Stage(Settings(public_url=SITE), dead))
    assert (await browser.get("/healthz")).status_code == 200
    ready = await browser.get("/readyz")
    assert ready.status_code == 503 and "the database did not answer" in ready.json()["reasons"][0]
    browser.cookies.set("__Host-talktime", "x")
    page = await browser.get("/")
    assert page.status_code == 503 and "Try again in a few seconds." in page.text
    await dead.close()


async def test_a_database_that_hangs_is_given_two_seconds(open_browser: OpenBrowser) -> None:
    async def say_nothing(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.append(writer)

    taken: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    hanging = connect(f"postgresql://nobody@127.0.0.1:{port}/nothing")
    began = asyncio.get_running_loop().time()
    ready = await open_browser(Stage(Settings(public_url=SITE), hanging)).get("/readyz")
    assert ready.status_code == 503
    assert 1.5 < asyncio.get_running_loop().time() - began < 4
    await hanging.close()
    for writer in taken:
        writer.close()
    server.close()
    await server.wait_closed()


async def test_a_database_without_our_tables_is_not_ready(
    open_browser: OpenBrowser, server_url_of_nothing: str
) -> None:
    empty = connect(server_url_of_nothing)
    ready = await open_browser(Stage(Settings(public_url=SITE), empty)).get("/readyz")
    assert ready.status_code == 503 and "not migrated" in ready.json()["reasons"][0]
    await empty.close()


async def test_a_fault_of_ours_is_a_page_and_no_log_gets_the_token_in_its_address(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: object) -> None:
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(links, "look", fails)
    for language, said in (("en", "That was a mistake of ours."), ("de", "Das war unser Fehler.")):
        with capture_logs() as written:
            answer = await browser.get("/reset/secret-token", headers={"accept-language": language})
        assert (answer.status_code, answer.headers["content-type"]) == (500, "text/html; charset=utf-8")
        assert said in answer.text and "RuntimeError" not in answer.text
        [entry] = written
        assert (entry["route"], str(entry["exc_info"])) == ("/reset/{token}", "a mistake of ours")
        assert entry["incident"] in answer.text and "secret-token" not in str(entry)


async def test_over_a_safe_line_browsers_are_told_to_come_by_no_other(
    open_browser: OpenBrowser, database: Database
) -> None:
    for address in ("/", "/nowhere", "/healthz", "/broken"):
        assert (await open_browser().get(address)).headers["strict-transport-security"] == "max-age=31536000"
    plain = open_browser(Stage(Settings(port=8000), database))
    assert "strict-transport-security" not in (await plain.get("/", headers={"host": "localhost:8000"})).headers


async def test_who_signs_out_leaves_no_page_behind_for_the_back_button(as_alice: Browser) -> None:
    assert (await as_alice.post("/sign-out")).headers["clear-site-data"] == '"cache"'
