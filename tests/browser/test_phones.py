"""On a phone: where one is stands in sight, filters are out of the way, and nothing is out of reach."""

import re
from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import Page, Route, expect
from scripts.showcase import CUSTOMER, OPERATOR

from tests.browser.conftest import Open

FAR_ALONG = [("/settings/close", CUSTOMER), ("/credits/settings", CUSTOMER), ("/operator/health", OPERATOR)]
OLDER_BROWSER = "CSS.supports = () => false"
"""A browser that does not scroll a row by itself: page.js does."""


def without(word: str) -> Callable[[Route], Awaitable[None]]:
    """The look as a browser reads it that does not know a word of it."""

    async def serve(route: Route) -> None:
        answer = await route.fetch()
        await route.fulfill(response=answer, body=(await answer.text()).replace(word, "unheard-of"))

    return serve


async def out_of_sight(page: Page) -> list[str]:
    """What is marked as where one is, and is not wholly in sight."""
    found: list[str] = await page.evaluate("""
        [...document.querySelectorAll("nav [aria-current]")].filter((each) => {
            const [here, row] = [each.getBoundingClientRect(), each.parentElement.getBoundingClientRect()];
            return here.width && (here.left < row.left || here.right > row.right + 0.5 || here.right > innerWidth);
        }).map((each) => each.textContent)
    """)
    return found


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
async def test_where_one_is_stands_in_sight(opened: Open, script: bool) -> None:
    for address, who in FAR_ALONG:
        async with opened(who, width=390, script=script) as (page, complaints):
            await page.goto(address)
            assert await out_of_sight(page) == [], address
            assert await page.evaluate("scrollY") == 0
            assert complaints.found == []


async def test_where_one_is_stands_in_sight_in_an_older_browser(opened: Open) -> None:
    for address, who in FAR_ALONG:
        async with opened(who, width=390) as (page, complaints):
            await page.add_init_script(OLDER_BROWSER)
            await page.route("**/look.*.css", without("scroll-initial-target"))
            await page.goto(address)
            assert await out_of_sight(page) == [], address
            assert await page.evaluate("scrollY") == 0
            assert complaints.found == []


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
async def test_filters_are_folded_away_on_a_phone_until_something_is_filtered(opened: Open, script: bool) -> None:
    async with opened(CUSTOMER, width=390, script=script) as (page, complaints):
        await page.goto("/calls")
        words = page.get_by_label("Words that were said")
        await expect(words).to_be_hidden()
        await page.get_by_text("Filter", exact=True).click()
        await words.fill("opening hours")
        await words.press("Enter")
        await expect(page).to_have_url(re.compile("words=opening"))
        await expect(words).to_be_visible()
        await expect(words).to_have_value("opening hours")
        await page.get_by_text("Filter", exact=True).click()
        await expect(page.locator("#filter > summary")).to_have_text("Filter somebody says “opening hours”")
        assert complaints.found == []


@pytest.mark.parametrize("knows", [True, False], ids=["newer", "older"])
async def test_filters_stand_open_where_there_is_room(opened: Open, knows: bool) -> None:
    """An older browser cannot be told to show what is folded: there the summary stands, and opens it."""
    async with opened(OPERATOR) as (page, complaints):
        if not knows:
            await page.route("**/look.*.css", without("details-content"))
        await page.goto("/operator/users")
        field = page.get_by_label("Name or address")
        if not knows:
            await expect(field).to_be_hidden()
            await page.get_by_text("Filter", exact=True).click()
        await expect(field).to_be_visible()
        await expect(page.get_by_text("Filter", exact=True)).to_be_visible(visible=not knows)
        await field.fill("rose")
        await page.get_by_role("button", name="Show", exact=True).click()
        await expect(page.get_by_role("link", name="Rose Lane Dental")).to_be_visible()
        assert complaints.found == []
