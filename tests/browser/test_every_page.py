"""Every page there is, as its reader finds it: no dead link, readable by everybody, quiet, light, and still."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Literal

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect
from scripts.showcase import CUSTOMER, OPERATOR, Showcase, Visited, crawl, one_of_each

from tests.browser.conftest import Open
from tests.browser.focus import unseen_on
from tests.browser.steps import moving

STARTS = {None: ["/", "/sign-up"], CUSTOMER: ["/", "/begin"], OPERATOR: ["/operator", "/design", "/"]}
BYTES_MAX = 100 * 1024
SHIFT = """
new PerformanceObserver((list) => {
    for (const entry of list.getEntries())
        if (!entry.hadRecentInput) window.shifted = (window.shifted || 0) + entry.value;
}).observe({type: "layout-shift", buffered: true});
"""
AXE = Axe().axe_script
WCAG = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]},
    "resultTypes": ["violations"],
}
WHO = [pytest.param(None, id="nobody"), CUSTOMER, OPERATOR]


@pytest.fixture(scope="session")
async def every_page(served: Showcase) -> dict[str | None, list[Visited]]:
    """What each of them finds by following links."""
    found: dict[str | None, list[Visited]] = {}
    for who, start in STARTS.items():
        cookies = await served.sign_in(who) if who else {}
        found[who] = await crawl(served.address, cookies, start)
    return found


@pytest.mark.parametrize("who", WHO)
async def test_no_link_is_dead(every_page: dict[str | None, list[Visited]], who: str | None) -> None:
    visited = every_page[who]
    assert len(visited) > {None: 3, CUSTOMER: 30, OPERATOR: 40}[who]
    assert [f"{each.status} {each.address} (from {each.linked_from})" for each in visited if each.status >= 400] == []


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("who", WHO)
async def test_every_page_can_be_read_by_everybody_and_stands_still(
    every_page: dict[str | None, list[Visited]], opened: Open, who: str | None, width: int
) -> None:
    wrong: list[str] = []
    async with opened(who, width=width) as (page, complaints):
        await page.add_init_script(SHIFT)
        for address in one_of_each(every_page[who]):
            await page.goto(address)
            wrong += [f"{address}: {each}" for each in await _unsteady(page)]
            for theme in ("light", "dark"):
                wrong += [f"{address}, {theme}: {each}" for each in await _unreadable(page, theme)]
            wrong += [f"{address}: {each}" for each in complaints.found]
            complaints.found.clear()
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("who", WHO[:2])
async def test_every_page_can_be_read_in_german(
    every_page: dict[str | None, list[Visited]], opened: Open, who: str | None
) -> None:
    """At the narrow width, where its long words have the least room."""
    wrong: list[str] = []
    async with opened(who, width=390, locale="de-DE") as (page, _complaints), in_german(page, who):
        for address in one_of_each(every_page[who]):
            await page.goto(address)
            assert await page.locator("html").get_attribute("lang") == "de", address
            found = [*await _unsteady(page), *await _unreadable(page, "light")]
            wrong += [f"{address}: {each}" for each in found]
    assert not wrong, "\n".join(wrong)


@asynccontextmanager
async def in_german(page: Page, who: str | None) -> AsyncIterator[None]:
    """Who is signed in reads German for as long as the block; whoever is not reads what their browser asks for."""
    if who is not None:
        await _speak(page, "de")
    try:
        yield
    finally:
        if who is not None:
            await _speak(page, "en")


async def _speak(page: Page, language: str) -> None:
    await page.goto("/settings")
    form = page.locator("form", has=page.locator("[name=locale]"))
    await form.locator("[name=locale]").select_option(language)
    async with page.expect_navigation():
        await form.get_by_role("button").click()
    await expect(page.locator("html")).to_have_attribute("lang", language)


@pytest.mark.parametrize(
    ("who", "address", "moves"),
    [(None, "/", True), (CUSTOMER, "/", False), (CUSTOMER, "/calls", False), (OPERATOR, "/design", True)],
    ids=["start", "overview", "calls", "design"],
)
async def test_nothing_moves_for_whoever_asked_for_stillness(
    opened: Open, who: str | None, address: str, moves: bool
) -> None:
    async with opened(who) as (page, _complaints):
        await page.goto(address)
        assert bool(await moving(page)) >= moves
        await page.emulate_media(reduced_motion="reduce")
        assert await moving(page) == []
        await page.reload()
        assert await moving(page) == []


async def _unreadable(page: Page, theme: Literal["light", "dark"]) -> Sequence[str]:
    """What axe finds, and where the focus could not be seen."""
    # Without motion, so that no colour is still on its way from one theme to the other.
    await page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE)
    violations = await page.evaluate("(options) => axe.run(document, options).then((all) => all.violations)", WCAG)
    found = [
        f"{each['id']}: {node['target']} {node['failureSummary'][:300]}"
        for each in violations
        for node in each["nodes"][:3]
    ]
    return [*found, *await unseen_on(page)]


async def _unsteady(page: Page) -> Sequence[str]:
    """What jumped, and what is wider than the window."""
    shifted = await page.evaluate("window.shifted || 0")
    over = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    found = [f"jumps by {shifted:.4f}"] if shifted > 0.001 else []
    return [*found, f"is {over} px too wide"] if over > 0 else found


@pytest.mark.parametrize("who", WHO)
async def test_every_page_is_light_when_it_is_opened_for_the_first_time(
    every_page: dict[str | None, list[Visited]], opened: Open, who: str | None
) -> None:
    too_heavy: list[str] = []
    async with opened(who) as (page, _complaints):
        session = await page.context.new_cdp_session(page)
        await session.send("Network.enable")
        await session.send("Network.setCacheDisabled", {"cacheDisabled": True})
        taken = 0

        def count(event: dict[str, float]) -> None:
            nonlocal taken
            taken += int(event["encodedDataLength"])

        session.on("Network.loadingFinished", count)
        for address in one_of_each(every_page[who]):
            taken = 0
            await page.goto(address, wait_until="load")
            if not 0 < taken <= BYTES_MAX:
                too_heavy.append(f"{address}: {taken}")
    assert not too_heavy, "\n".join(too_heavy)
