"""Every page there is, as its reader finds it: no dead link, readable by everybody, quiet, light, and still."""

from collections.abc import Sequence

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page
from scripts.showcase import CUSTOMER, OPERATOR, Showcase, Visited, crawl, one_of_each

from tests.browser.conftest import Open

STARTS = {None: ["/", "/sign-up"], CUSTOMER: ["/", "/begin"], OPERATOR: ["/operator", "/design", "/"]}
BYTES_MAX = 100 * 1024
SHIFT = """
new PerformanceObserver((list) => {
    for (const entry of list.getEntries())
        if (!entry.hadRecentInput) window.shifted = (window.shifted || 0) + entry.value;
}).observe({type: "layout-shift", buffered: true});
"""
WCAG = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}}
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


@pytest.mark.parametrize(("dark", "width"), [(False, 1280), (True, 390)], ids=["light-wide", "dark-narrow"])
@pytest.mark.parametrize("who", WHO)
async def test_every_page_can_be_read_by_everybody_and_stands_still(
    every_page: dict[str | None, list[Visited]], opened: Open, who: str | None, dark: bool, width: int
) -> None:
    wrong: list[str] = []
    async with opened(who, dark=dark, width=width) as (page, complaints):
        await page.add_init_script(SHIFT)
        for address in one_of_each(every_page[who]):
            await page.goto(address)
            wrong += [f"{address}: {each}" for each in await _unreadable(page)]
            wrong += [f"{address}: {each}" for each in await _unsteady(page)]
            wrong += [f"{address}: {each}" for each in complaints.found]
            complaints.found.clear()
    assert not wrong, "\n".join(wrong)


async def _unreadable(page: Page) -> Sequence[str]:
    """What axe finds."""
    results = await Axe().run(page, options=WCAG)
    return [
        f"{found['id']}: {node['target']} {node['failureSummary'][:300]}"
        for found in results.response["violations"]
        for node in found["nodes"][:3]
    ]


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
