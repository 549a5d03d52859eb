"""The door in a real browser: by keyboard alone, without JavaScript, and nothing of it left after signing out."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from talktime.accounts.models import Role
from talktime.db.session import Database
from tests.people import Person
from tests.web.chromium import PROGRAM, Tab, open_tab
from tests.web.doorstep import PASSWORD, code_of, invited, unique, with_password, with_second_step
from tests.web.tabs import Served

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium is installed")


@pytest.fixture
async def tab(tmp_path: Path) -> AsyncIterator[Tab]:
    """A tab that runs no script of a page."""
    async with open_tab(tmp_path) as tab:
        await tab.ask("Emulation.setScriptExecutionDisabled", value=True)
        yield tab


async def type_here(tab: Tab, words: str) -> None:
    """Type into whatever has the focus."""
    await tab.ask("Input.insertText", text=words)


async def press(tab: Tab, key: str, *, code: int) -> None:
    text = {"text": "\r"} if key == "Enter" else {}
    for kind in ("keyDown", "keyUp"):
        await tab.ask("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **text)


async def tabulate(tab: Tab) -> None:
    await press(tab, "Tab", code=9)


async def enter(tab: Tab) -> None:
    await press(tab, "Enter", code=13)


async def is_at(tab: Tab, field: str) -> None:
    await tab.until(f"document.activeElement.id === '{field}'")


async def test_signing_in_by_keyboard_alone_with_a_mistake_and_a_second_step(
    served: Served, tab: Tab, database: Database, alice: Person
) -> None:
    email = await with_password(database, alice)
    key, _codes = await with_second_step(database, alice)
    await tab.open(f"{served.address}/sign-in?next=/credits")
    await is_at(tab, "email")
    await type_here(tab, email)
    await tabulate(tab)
    await is_at(tab, "password")
    await type_here(tab, "a wrong one")
    await enter(tab)
    await tab.until("document.getElementById('password-about').textContent.includes('not right')")
    await is_at(tab, "password")
    assert await tab.run("document.getElementById('email').value") == email
    assert await tab.run("document.getElementById('password').value") == ""
    await type_here(tab, PASSWORD)
    await enter(tab)
    await tab.until("location.pathname === '/sign-in/second-factor'")
    await is_at(tab, "code")
    await type_here(tab, code_of(key))
    await enter(tab)
    await tab.until("location.pathname === '/credits' && document.body.textContent.includes('Buy credits')")
    assert [each for each in tab.complaints if "401" not in each] == []


async def test_after_signing_out_the_back_button_shows_nothing_of_it(
    served: Served, tab: Tab, database: Database, alice: Person
) -> None:
    email = await with_password(database, alice)
    await tab.open(f"{served.address}/sign-in")
    await type_here(tab, email)
    await tabulate(tab)
    await type_here(tab, PASSWORD)
    await enter(tab)
    await tab.until("location.pathname === '/' && document.body.textContent.includes('Alice')")
    await tab.open(f"{served.address}/credits")
    await tab.run("document.querySelector('form[action=\"/sign-out\"] button').click()")
    await tab.until("location.pathname === '/' && !!document.querySelector('main.start')")
    history = await tab.ask("Page.getNavigationHistory")
    before = [
        entry for entry in history["entries"][: history["currentIndex"]] if entry["url"].startswith(served.address)
    ]
    assert len(before) >= 2
    for entry in reversed(before):
        await tab.ask("Page.navigateToHistoryEntry", entryId=entry["id"])
        await tab.until("document.readyState === 'complete' && !!document.querySelector('.outside, main.start')")
        assert not await tab.run("document.body.textContent.includes('Alice')"), entry["url"]


async def test_an_account_is_made_without_a_script_and_in_german(served: Served, tab: Tab, database: Database) -> None:
    path = await invited(database, role=Role.USER, email=unique())
    await tab.open(served.address + path)
    await tab.run("document.querySelector('.foot a[lang=de]').click()")
    await tab.until("document.documentElement.lang === 'de' && document.body.textContent.includes('Willkommen')")
    await is_at(tab, "name")
    await type_here(tab, "Hanna Weiß")
    await tabulate(tab)
    await is_at(tab, "password")
    await type_here(tab, "kurz")
    await enter(tab)
    await tab.until("document.getElementById('password-about').textContent.includes('mindestens 10 Zeichen')")
    await is_at(tab, "password")
    assert await tab.run("document.getElementById('name').value") == "Hanna Weiß"
    await type_here(tab, PASSWORD)
    await enter(tab)
    await tab.until("location.pathname === '/begin/business' && document.body.textContent.includes('Hanna Weiß')")


@pytest.mark.parametrize("width", [320, 390, 1280])
async def test_no_page_of_the_door_is_wider_than_its_window(served: Served, tab: Tab, width: int) -> None:
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    await tab.ask("Emulation.setDeviceMetricsOverride", **size)
    for language in ("en", "de"):
        await tab.ask("Network.setCookie", name="talktime_language", value=language, url=served.address)
        for page in ("/", "/sign-in", "/sign-up", "/reset", "/sign-in/x", "/reset/x", "/welcome/x", "/confirm-email/x"):
            await tab.open(served.address + page)
            assert await tab.run("document.documentElement.scrollWidth") <= width, (page, language)
    assert [each for each in tab.complaints if "410" not in each] == []
