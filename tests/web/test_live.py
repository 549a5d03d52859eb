"""Keeping a page up to date: nothing when nothing changed, everything that did when it did."""

import re
import uuid

import httpx

from talktime.credits import money
from talktime.db.session import Database
from tests.people import WHY, Person
from tests.web.conftest import Browser
from tests.web.stage import answer, extend, finish, ring, say


def version_in(page: str) -> str:
    found = re.search(r'name="version" value="([^"]+)"', page)
    assert found, page
    return found[1]


async def settled(browser: Browser, address: str) -> str:
    """The version of a page, once it has been seen unchanged (the minute is part of it, and may just have ended)."""
    for _attempt in range(3):
        version = version_in((await browser.get(address)).text)
        again = await since(browser, address, version)
        if again.status_code == 204:
            assert again.content == b""
            return version
    raise AssertionError("the page changes by itself")


def without_minute(version: str) -> str:
    return version.rpartition("-")[0]


async def since(browser: Browser, address: str, version: str) -> httpx.Response:
    """What a page hears that has this version."""
    live = "/live" if address == "/" else f"{address}/live"
    return await browser.get(live, params={"version": version}, headers={"hx-request": "true"})


async def test_nothing_changed_is_an_empty_answer(as_alice: Browser, database: Database, alice: Person) -> None:
    call = await answer(database, alice)
    for address in ("/", "/calls", f"/calls/{call}"):
        before, after = await settled(as_alice, address), await settled(as_alice, address)
        assert without_minute(before) == without_minute(after) != ""


async def test_each_thing_that_happens_to_a_call_is_news(as_alice: Browser, database: Database, alice: Person) -> None:
    version = await settled(as_alice, "/calls")

    async def news(call: uuid.UUID, *expected: str) -> None:
        nonlocal version
        fresh = await since(as_alice, "/calls", version)
        assert fresh.status_code == 200
        assert "<html" not in fresh.text and fresh.text.lstrip().startswith('<div class="shell" id="live"')
        for text in (str(call), *expected):
            assert text in fresh.text
        version = await settled(as_alice, "/calls")
        assert (await since(as_alice, f"/calls/{call}", "")).status_code == 200

    call = await ring(database, alice)
    await news(call, "ringing", 'hx-trigger="every 1s"')
    other = await answer(database, alice)
    await news(other, "talking", "30 held by 2 live calls")
    await say(database, alice, other, 1, "A first turn.")
    await news(other, "A first turn.")
    await say(database, alice, other, 2, "A second turn.")
    await news(other, "A first turn.", "A second turn.")
    await extend(database, alice, other)
    await news(other, "45 held by 2 live calls")
    await finish(database, alice, other, 61)
    await news(other, "Charged", "30 credits")
    await finish(database, alice, call, 0, reason="caller_gave_up")
    await news(call, "gave up", 'hx-trigger="every 5s"')
    async with database.transaction(everyone=WHY) as db:
        await money.adjust(db, alice.id, reference="gift", amount=500, reason="thanks", actor=alice.id)
    await news(call, "1,470")


async def test_a_turn_that_comes_twice_is_no_news(as_alice: Browser, database: Database, alice: Person) -> None:
    call = await answer(database, alice)
    await say(database, alice, call, 1, "Once.")
    version = await settled(as_alice, "/calls")
    await say(database, alice, call, 1, "Twice.")
    assert (await since(as_alice, "/calls", version)).status_code == 204


async def test_a_running_call_is_shown_however_many_came_after_it(
    as_alice: Browser, database: Database, alice: Person
) -> None:
    running = await answer(database, alice)
    for _call in range(21):
        await finish(database, alice, await answer(database, alice), 3)
    version = await settled(as_alice, "/calls")
    await say(database, alice, running, 1, "Still here.")
    fresh = await since(as_alice, "/calls", version)
    assert fresh.status_code == 200 and "Still here." in fresh.text


async def test_bobs_calls_are_no_news_to_alice(
    as_alice: Browser, database: Database, alice: Person, bob: Person
) -> None:
    before = await settled(as_alice, "/calls")
    call = await answer(database, bob)
    await say(database, bob, call, 1, "Not for Alice.")
    assert without_minute(await settled(as_alice, "/calls")) == without_minute(before)


async def test_a_page_whose_session_has_ended_is_told_to_load_anew(browser: Browser) -> None:
    for address in ("/", "/calls", f"/calls/{uuid.uuid4()}"):
        answer = await since(browser, address, "")
        assert (answer.status_code, answer.content) == (204, b"")
        assert answer.headers["hx-refresh"] == "true"


async def test_garbage_for_a_version_gets_the_page(as_alice: Browser) -> None:
    for version in ("", "x" * 3000, "\x00", "<script>"):
        assert (await since(as_alice, "/calls", version)).status_code == 200
