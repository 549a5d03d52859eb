"""The panel in a real browser, with a microphone that is a file: one speaks, reads along, types, and hangs up."""

import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page as Tab
from playwright.async_api import async_playwright, expect

from talktime.http.security import cookie_name
from tests.browser_call.page import Page, sign_in
from tests.house import House, tone
from tests.people import Person, charges, new_person
from tests.web.chromium import PROGRAM

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium is installed")


def speech(folder: Path) -> Path:
    """A voice that hums now and then, as the browser wants its microphone's file."""
    path = folder / "voice.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(16000 * 4) + tone(1.0, 130) + bytes(16000 * 3))
    return path


@asynccontextmanager
async def tab_of(
    page: Page, folder: Path, *, microphone: bool = True, fails: str = "", **look: Any
) -> AsyncIterator[Tab]:
    """A tab that is signed in; nothing may be written to its console but what is expected to fail, and no request may
    fail."""
    flags = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
    if microphone:
        flags += [
            "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-audio-capture={speech(folder)}",
        ]  # fmt: skip
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=PROGRAM, args=flags)
        context = await browser.new_context(**look)
        name = cookie_name(page.house.settings)
        await context.add_cookies([{"name": name, "value": page.token, "url": page.site}])
        tab = await context.new_page()
        complaints: list[str] = []
        tab.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("requestfailed", lambda request: complaints.append(request.url))
        try:
            yield tab
            assert [said for said in complaints if not fails or fails not in said] == []
        finally:
            await browser.close()


async def test_somebody_speaks_with_their_agent(house: House, page: Page, alice: Person, tmp_path: Path) -> None:
    house.ears.words[:] = ["what does it cost"]
    async with tab_of(page, tmp_path) as tab:
        await tab.goto(f"{page.site}/agents/{alice.agent}/talk")
        await tab.get_by_role("button", name="Call Reception").click()
        log = tab.get_by_role("log")
        await expect(log).to_contain_text("Alice's shop, hello.", timeout=10000)
        await expect(tab.get_by_text("15 credits so far")).to_be_visible()
        await expect(log).to_contain_text("what does it cost", timeout=15000)
        await expect(log.locator(".agent:not(.pending)", has_text="You said: what does it cost.")).to_be_visible(
            timeout=10000
        )
        await tab.get_by_role("button", name="Hang up").click()
        await expect(tab.get_by_role("status").get_by_text("The call is over.")).to_be_visible(timeout=10000)
        await expect(tab.get_by_text("It cost 15 credits.")).to_be_visible()
        said = await log.locator(".bubble [data-text]").all_text_contents()
        assert said[0] == "Alice's shop, hello."
        assert said.index("You said: what does it cost.") == said.index("what does it cost") + 1
        receipt = tab.get_by_role("link", name="The call and its receipt")
        assert (await receipt.get_attribute("href") or "").startswith("/calls/")
    assert await charges(house.database, alice) == [-15]


async def test_without_a_microphone_the_whole_call_works_by_typing_and_by_keyboard(
    house: House, page: Page, alice: Person, tmp_path: Path
) -> None:
    async with tab_of(page, tmp_path, microphone=False) as tab:
        await tab.goto(f"{page.site}/agents/{alice.agent}/talk")
        await tab.get_by_role("button", name="Call by typing").focus()
        await tab.keyboard.press("Enter")
        log = tab.get_by_role("log")
        await expect(log).to_contain_text("Alice's shop, hello.", timeout=10000)
        await expect(tab.get_by_label("Type instead of speaking")).to_be_focused()
        await expect(tab.get_by_role("button", name="Mute the microphone")).to_be_hidden()
        await tab.keyboard.type("Are you open?")
        await tab.keyboard.press("Enter")
        await expect(log).to_contain_text("You said: Are you open?", timeout=10000)
        await expect(tab.get_by_label("Type instead of speaking")).to_be_focused()
        await tab.keyboard.type("goodbye")
        await tab.keyboard.press("Enter")
        await expect(tab.get_by_role("status").get_by_text("Reception said goodbye.")).to_be_visible(timeout=15000)
        await expect(tab.get_by_role("button", name="Call again")).to_be_focused()
    assert await charges(house.database, alice) == [-15]


async def test_who_has_no_microphone_is_told_so_and_types(page: Page, alice: Person, tmp_path: Path) -> None:
    async with tab_of(page, tmp_path, microphone=False) as tab:
        await tab.goto(f"{page.site}/agents/{alice.agent}/talk")
        await tab.get_by_role("button", name="Call Reception").click()
        told = tab.get_by_role("status").get_by_text("so type what you want to say", exact=False)
        await expect(told).to_be_visible(timeout=10000)
        await expect(tab.get_by_role("log")).to_contain_text("Alice's shop, hello.", timeout=10000)
        await tab.get_by_role("button", name="Hang up").click()
        await expect(tab.get_by_text("It cost 15 credits.")).to_be_visible(timeout=10000)


async def test_who_is_refused_is_told_why_and_where_to_go(house: House, tmp_path: Path) -> None:
    poor = await new_person(house.database, "Poor", credits=3)
    page = await sign_in(house, poor)
    async with tab_of(page, tmp_path, fails="402") as tab:
        await tab.goto(f"{page.site}/agents/{poor.agent}/talk")
        await tab.get_by_role("button", name="Call by typing").click()
        await expect(tab.get_by_text("There is not enough credit for a call.")).to_be_visible(timeout=10000)
        await expect(tab.get_by_role("link", name="Buy credits").last).to_have_attribute("href", "/credits")
