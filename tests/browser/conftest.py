"""One server and one browser for all of these tests: both take seconds to start."""

import shutil
import wave
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.resources import files
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Response, async_playwright
from scripts.showcase import Showcase, showcase

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--use-fake-ui-for-media-stream"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/browser/" in item.nodeid:
            item.add_marker(pytest.mark.xdist_group("browser"))
            if PROGRAM is None:
                item.add_marker(pytest.mark.skip(reason="no Chromium is installed"))


@pytest.fixture(scope="session")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Showcase]:
    async with showcase(tmp_path_factory.mktemp("browser")) as running:
        yield running


@pytest.fixture(scope="session")
def caller_wav(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the microphone hears: silence while the agent greets, one question, and silence again."""
    path = tmp_path_factory.mktemp("caller") / "caller.wav"
    question = files("talktime.simulate").joinpath("wavs", "opening-hours.wav")
    with question.open("rb") as source, wave.open(source) as heard, wave.open(str(path), "wb") as written:
        written.setparams(heard.getparams())
        second = bytes(heard.getframerate() * heard.getsampwidth())
        written.writeframes(second * 9 + heard.readframes(heard.getnframes()) + second * 60)
    return path


@pytest.fixture(scope="session")
async def browser(caller_wav: Path) -> AsyncIterator[Browser]:
    """A Chromium whose microphone hears a caller's words."""
    fake = ["--use-fake-device-for-media-stream", f"--use-file-for-fake-audio-capture={caller_wav}%noloop"]
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=PROGRAM, args=[*_FLAGS, *fake])
        yield chromium
        await chromium.close()


class Complaints:
    """What a page's console, its requests and its layout had to complain of."""

    def __init__(self, page: Page) -> None:
        self.found: list[str] = []
        self.expected: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self._note(f"error: {error}"))
        page.on("requestfailed", lambda request: self._note(f"failed: {request.url} {request.failure}"))
        page.on("response", self._answer)

    def _answer(self, answer: Response) -> None:
        if answer.status >= 500:
            self._note(f"{answer.status}: {answer.url}")

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._note(f"console: {message.text}")

    def _note(self, text: str) -> None:
        # What is given up because one goes on to the next page is no failure.
        if "net::ERR_ABORTED" not in text:
            self.found.append(text)

    def beyond(self, *expected: str) -> list[str]:
        """What was not expected."""
        return [text for text in self.found if not any(part in text for part in expected)]


Open = Callable[..., AbstractAsyncContextManager[tuple[Page, Complaints]]]


@pytest.fixture
def opened(served: Showcase, browser: Browser) -> Open:
    """Opens a tab for somebody, in a theme and a width; ends it after the block."""

    @asynccontextmanager
    async def open_one(
        who: str | None = None, *, dark: bool = False, width: int = 1280, script: bool = True, locale: str = "en-GB"
    ) -> AsyncIterator[tuple[Page, Complaints]]:
        context = await new_context(browser, served, who, dark=dark, width=width, script=script, locale=locale)
        try:
            page = await context.new_page()
            yield page, Complaints(page)
        finally:
            await context.close()

    return open_one


async def new_context(
    browser: Browser,
    served: Showcase,
    who: str | None,
    *,
    dark: bool = False,
    width: int = 1280,
    script: bool = True,
    locale: str = "en-GB",
) -> BrowserContext:
    """A browser's profile of its own, signed in as `who`."""
    context = await browser.new_context(
        base_url=served.address,
        viewport={"width": width, "height": 900 if width > 600 else 844},
        color_scheme="dark" if dark else "light",
        java_script_enabled=script,
        locale=locale,
        permissions=["microphone"],
    )
    if who is not None:
        cookies = await served.sign_in(who)
        await context.add_cookies([{"name": n, "value": v, "url": served.address} for n, v in cookies.items()])
    context.set_default_timeout(20_000)
    return context
