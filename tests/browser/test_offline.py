"""When the connection is lost: the page says so, keeps what was typed, and goes on by itself when it is back."""

import pytest
from playwright.async_api import FloatRect, Locator, Page, Route, expect
from scripts.showcase import CUSTOMER, Showcase

from tests.browser.conftest import Complaints, Open
from tests.browser.pictures import picture

SAYS_SO = "The server cannot be reached. This page goes on by itself when it is back."
NOT_SENT = "Nothing was sent, and what you typed is still here."
ABOUT_THE_NETWORK = ("net::ERR_", "htmx:sendError", "htmx:afterRequest")
"""What the browser, and htmx, say about a request that came to nothing."""
LOOKS_EVERY_MS = 5_000
"""How often a page looks for what is new while nobody is on the line."""
WAYS = [
    pytest.param({"dark": False, "width": 1280}, id="light-wide"),
    pytest.param({"dark": True, "width": 390}, id="dark-narrow"),
]


def told(page: Page, sentence: str) -> Locator:
    """What a reader of the screen is told, too."""
    return page.get_by_role("status").get_by_text(sentence)


async def cut_off(page: Page) -> None:
    """As when the cable is pulled: the browser knows that there is no network."""
    await page.context.set_offline(True)
    await expect(told(page, SAYS_SO)).to_be_visible()


async def connected_again(page: Page) -> None:
    await page.context.set_offline(False)
    await expect(page.locator("#away")).to_be_hidden()


async def place(page: Page, selector: str) -> FloatRect:
    box = await page.locator(selector).bounding_box()
    assert box is not None
    return box


def nothing_else(complaints: Complaints) -> None:
    assert complaints.beyond(*ABOUT_THE_NETWORK) == []


@pytest.mark.parametrize("way", WAYS)
async def test_a_page_that_keeps_itself_up_to_date_goes_on_when_the_connection_is_back(
    served: Showcase, opened: Open, way: dict[str, int]
) -> None:
    async with opened(CUSTOMER, **way) as (page, complaints):
        await page.goto("/")
        before, rows = await place(page, "#figures"), await page.locator("#rows tr").count()
        newest = await page.locator("#rows tr").first.get_attribute("id")
        await cut_off(page)
        assert await place(page, "#figures") == before, "the notice moved the page"
        await picture(page, "offline", "overview")
        await served.run("call", "--say", "do you have parking")
        assert await page.locator("#rows tr").first.get_attribute("id") == newest
        await connected_again(page)
        await expect(page.locator(f"#rows tr:first-child:not(#{newest})")).to_be_visible()
        assert await page.locator("#rows tr").count() >= rows
        nothing_else(complaints)


@pytest.mark.parametrize("way", WAYS)
async def test_what_was_typed_stays_and_is_sent_once_there_is_a_connection(opened: Open, way: dict[str, int]) -> None:
    async with opened(CUSTOMER, **way) as (page, complaints):
        await page.goto("/settings")
        field, save = page.get_by_label("Your name"), page.get_by_role("button", name="Save")
        before = await field.input_value()
        await field.fill(f"{before} & Sons")
        await cut_off(page)
        await save.click()
        await expect(told(page, NOT_SENT)).to_be_visible()
        await expect(field).to_have_value(f"{before} & Sons")
        await picture(page, "offline", "form")
        await connected_again(page)
        await expect(field).to_have_value(f"{before} & Sons")
        for name in (f"{before} & Sons", before):
            await field.fill(name)
            async with page.expect_navigation():
                await save.click()
            await page.reload()
            await expect(field).to_have_value(name)
        nothing_else(complaints)


async def test_a_server_that_does_not_answer_is_noticed_though_there_is_a_network(opened: Open) -> None:
    async def unanswered(route: Route) -> None:
        await route.abort("connectionrefused")

    async with opened(CUSTOMER) as (page, complaints):
        await page.goto("/calls")
        await expect(page.locator("#away")).to_be_hidden()
        await page.route("**/*", unanswered)
        await expect(told(page, SAYS_SO)).to_be_visible(timeout=LOOKS_EVERY_MS * 3)
        await page.get_by_label("Words that were said").fill("parking")
        await page.get_by_role("button", name="Show", exact=True).click()
        await expect(told(page, NOT_SENT)).to_be_visible()
        await expect(page.get_by_label("Words that were said")).to_have_value("parking")
        await page.unroute("**/*", unanswered)
        await expect(page.locator("#away")).to_be_hidden()
        # It does not send by itself later what was not sent then.
        await expect(page).to_have_url("/calls")
        nothing_else(complaints)


async def test_a_machine_without_a_network_still_reaches_itself(opened: Open) -> None:
    async with opened(CUSTOMER) as (page, complaints):
        await page.goto("/settings")
        async with page.expect_response("**/healthz") as asked:
            await page.evaluate("dispatchEvent(new Event('offline'))")
        assert (await asked.value).ok
        await expect(page.locator("#away")).to_be_hidden()
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_role("heading", name="Profile", level=1)).to_be_visible()
        nothing_else(complaints)
