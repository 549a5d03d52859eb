"""Setting up the second factor, switching it off, and the codes for the day the phone is gone."""

import re
import time

import pyotp
import pytest

from talktime.db.session import Database
from tests.people import Person
from tests.web.account import acts_about, as_visitor, give_password, row_of
from tests.web.conftest import Browser, OpenBrowser, signed_in
from tests.web.test_pages import words_of

PATH = "/settings/second-factor"
CODE = re.compile(r"[a-z2-7]{4}(?:-[a-z2-7]{4}){3}")


@pytest.fixture(autouse=True)
async def passwords(database: Database, alice: Person) -> None:
    await give_password(database, alice)


def key_on(page: str) -> str:
    found = re.search(r'<code class="secret">([A-Z2-7 ]+)</code>', page)
    assert found is not None, words_of(page)
    return found[1].replace(" ", "")


def now_for(key: str, steps: int = 0) -> str:
    return pyotp.TOTP(key).at(int(time.time()) + 30 * steps)


async def begun(browser: Browser) -> str:
    """The key of somebody who has just begun."""
    answer = await browser.post(PATH)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{PATH}/on")
    return key_on((await browser.get(f"{PATH}/on")).text)


async def switched_on(browser: Browser) -> list[str]:
    """The recovery codes of somebody who has it on."""
    answer = await browser.post(f"{PATH}/on", data={"code": now_for(await begun(browser))})
    assert answer.status_code == 200, words_of(answer.text)
    return CODE.findall(answer.text)


async def test_alice_sets_it_up_with_a_picture_or_a_key_and_gets_ten_codes(
    as_alice: Browser, open_browser: OpenBrowser, database: Database, alice: Person
) -> None:
    elsewhere = await signed_in(open_browser(), database, alice)
    assert "Set it up" in words_of((await as_alice.get(PATH)).text)
    key = await begun(as_alice)
    page = (await as_alice.get(f"{PATH}/on")).text
    assert key_on(page) == key, "loading the page once more shows the same key"
    assert "<svg" in page
    assert "style=" not in page, "our own policy forbids it"
    assert 'autocomplete="one-time-code"' in page
    assert 'inputmode="numeric"' in page
    assert re.search(rf'href="otpauth://totp/[^"]*secret={key}', page)
    assert (await row_of(database, alice)).totp_since is None, "it counts from the first right code on"

    answer = await as_alice.post(f"{PATH}/on", data={"code": f" {now_for(key)[:3]} {now_for(key)[3:]} "})
    assert answer.status_code == 200
    assert "The second factor is on." in words_of(answer.text)
    codes = CODE.findall(re.search(r'<ol class="codes".*?</ol>', answer.text, re.DOTALL)[0])  # type: ignore[index]  # it is there
    assert len(set(codes)) == 10
    assert (await row_of(database, alice)).totp_since is not None
    assert (await elsewhere.get("/settings")).status_code == 303, "it came in without it"

    page = (await as_alice.get(PATH)).text
    assert "10 left" in page
    assert not CODE.search(page), "they are shown once"
    answer = await as_alice.post(f"{PATH}/on", data={"code": now_for(key, 1)})
    assert (answer.status_code, answer.headers["location"]) == (303, PATH), "twice is as good as once"
    assert len([entry for entry in await acts_about(database, alice) if entry.act == "second_factor.on"]) == 1


@pytest.mark.parametrize("code", ["000000", "", "abc", "<b>1</b>", "1" * 5000])
async def test_a_wrong_code_switches_nothing_on_and_is_not_shown_again(
    as_alice: Browser, database: Database, alice: Person, code: str
) -> None:
    key = await begun(as_alice)
    answer = await as_alice.post(f"{PATH}/on", data={"code": code})
    assert answer.status_code == 422
    assert re.search(r'name="code" type="text" value="" [^>]*aria-invalid="true" autofocus', answer.text)
    assert key_on(answer.text) == key
    assert (await row_of(database, alice)).totp_since is None


async def test_codes_are_not_guessed(as_alice: Browser) -> None:
    await begun(as_alice)
    for _ in range(5):
        await as_alice.post(f"{PATH}/on", data={"code": "000000"})
    answer = await as_alice.post(f"{PATH}/on", data={"code": "000000"})
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1


async def test_without_a_beginning_there_is_nothing_to_scan_and_nothing_to_switch(as_alice: Browser) -> None:
    for path in (f"{PATH}/on", f"{PATH}/off", f"{PATH}/codes"):
        answer = await as_alice.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, PATH), path
        answer = await as_alice.post(path, data={"code": "123456"})
        assert (answer.status_code, answer.headers["location"]) == (303, PATH), path


async def test_new_codes_take_the_place_of_the_old_ones(as_alice: Browser, database: Database, alice: Person) -> None:
    old = await switched_on(as_alice)
    assert "The old ones stop working at once" in (await as_alice.get(f"{PATH}/codes")).text
    answer = await as_alice.post(f"{PATH}/codes")
    new = CODE.findall(answer.text)
    assert new
    assert not set(new) & set(old)
    assert "The second factor is on." not in answer.text
    assert "recovery_codes.made" in [entry.act for entry in await acts_about(database, alice)]


async def test_the_codes_are_kept_as_a_text_file(as_alice: Browser, as_bob: Browser) -> None:
    codes = await switched_on(as_alice)
    said = " ".join(codes[:10])
    answer = await as_alice.post(f"{PATH}/codes/text", data={"codes": said})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["content-disposition"] == 'attachment; filename="talktime-recovery-codes.txt"'
    assert answer.headers["cache-control"] == "no-store"
    assert CODE.findall(answer.text) == codes[:10]
    assert answer.text.startswith("Recovery codes for https://talktime.example, account alice.")
    for hostile in ("<script>alert(1)</script>", "", "aaaa-bbbb", said + "\r\n<b>", "x" * 5000, said * 3):
        assert (await as_bob.post(f"{PATH}/codes/text", data={"codes": hostile})).status_code == 422


async def test_alice_switches_it_off(as_alice: Browser, database: Database, alice: Person) -> None:
    await switched_on(as_alice)
    assert "From then on your password alone" in (await as_alice.get(f"{PATH}/off")).text
    answer = await as_alice.post(f"{PATH}/off")
    assert answer.headers["location"] == f"{PATH}?done=second-factor-off"
    user = await row_of(database, alice)
    assert (user.totp_secret, user.totp_since) == (None, None)
    assert (await as_alice.post(f"{PATH}/off")).headers["location"] == PATH
    assert "Set it up" in words_of((await as_alice.get(PATH)).text)


async def test_bob_is_never_shown_alices_key(as_alice: Browser, as_bob: Browser) -> None:
    key = await begun(as_alice)
    assert (await as_bob.get(f"{PATH}/on")).status_code == 303
    assert key not in (await as_bob.get(PATH)).text


async def test_an_operator_in_her_place_sees_whether_it_is_on_and_touches_nothing(
    as_alice: Browser, open_browser: OpenBrowser, database: Database, alice: Person, ada: Person
) -> None:
    await switched_on(as_alice)
    visitor = await as_visitor(open_browser(), database, ada, alice)
    assert (await visitor.get(PATH)).status_code == 200
    for path in ("", "/on", "/off", "/codes", "/codes/text"):
        assert (await visitor.post(f"{PATH}{path}", data={"code": "123456"})).status_code == 403, path
    for path in ("/on", "/off", "/codes"):
        assert (await visitor.get(f"{PATH}{path}")).status_code == 403, path
    assert (await row_of(database, alice)).totp_since is not None


async def test_in_german(as_alice: Browser) -> None:
    await as_alice.post("/settings", data={"name": "Alice", "locale": "de", "zone": "Europe/Berlin"})
    await begun(as_alice)
    answer = await as_alice.post(f"{PATH}/on", data={"code": "000000"})
    assert "Das ist nicht der Code dieses Augenblicks." in words_of(answer.text)


async def test_a_copy_of_her_cookie_ends_when_it_is_switched_on(as_alice: Browser, open_browser: OpenBrowser) -> None:
    thief, key = open_browser(), await begun(as_alice)
    thief.cookies.update(as_alice.cookies)
    assert (await thief.get("/settings")).status_code == 200
    answer = await as_alice.post(f"{PATH}/on", data={"code": now_for(key)})
    assert (answer.status_code, (await thief.get("/settings")).status_code) == (200, 303)
    # What this page shows is tied to the cookie that came with it.
    assert f'name="csrf" value="{as_alice.token()}"' in answer.text
    assert (await as_alice.get("/settings")).status_code == 200
