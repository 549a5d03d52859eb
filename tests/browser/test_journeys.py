"""Whole journeys, as people go them: on a wide screen and on a phone, in the light and in the dark.

Each step is kept as a picture, and nothing may be complained of on the way.
"""

import asyncio
import re
import uuid

import pytest
from playwright.async_api import Page, expect
from scripts.showcase import CUSTOMER, OPERATOR, Showcase

from tests.browser.conftest import Open
from tests.browser.pictures import picture
from tests.browser.steps import PASSWORD, heading, mailed_link, new_address

WAYS = [
    pytest.param({"dark": dark, "width": width}, id=f"{'dark' if dark else 'light'}-{width}")
    for dark in (False, True)
    for width in (1280, 390)
]


async def go(page: Page, name: str) -> None:
    """Follow a link of the navigation."""
    await page.get_by_role("navigation", name="Main").get_by_role("link", name=name).first.click()


async def pay(page: Page) -> None:
    """On the payment company's page: with the card that pays, and back."""
    await expect(page.get_by_role("heading", name="How should this payment go?")).to_be_visible()
    await page.get_by_role("button", name=re.compile("^Pay ")).click()


async def sign_up(page: Page, served: Showcase, address: str) -> None:
    await page.goto("/")
    await picture(page, "first hour", "1 start")
    await page.get_by_role("link", name=re.compile("Make yours|Make an account|Start")).first.click()
    await page.get_by_label("E-mail address").fill(address)
    await page.get_by_role("button", name="Send me the link").click()
    await heading(page, "Look into your mail")
    await page.goto(await mailed_link(served, address, "/welcome"))
    await page.get_by_label(re.compile("Your name")).fill("Jonas")
    await page.get_by_label("Password").fill(PASSWORD)
    await picture(page, "first hour", "2 welcome")
    await page.get_by_role("button", name="Make my account").click()


@pytest.mark.parametrize("way", WAYS)
async def test_the_first_hour_from_signing_up_to_a_charged_call(
    served: Showcase, opened: Open, way: dict[str, int]
) -> None:
    async with opened(**way) as (page, complaints):
        await sign_up(page, served, new_address("jonas"))

        await heading(page, "What is your business?")
        await page.get_by_label("What your business is called").fill("Salon Bella")
        await page.get_by_role("radio").first.check()
        await picture(page, "first hour", "3 business")
        await page.get_by_role("button", name="Write my agent").click()

        await heading(page, "What should it know?")
        await page.get_by_label("Address, and how to get there").fill("Mill Street 12, next to the post office")
        await page.get_by_label("Monday").fill("9–18")
        await picture(page, "first hour", "4 knowledge")
        await page.get_by_role("button", name="Save and continue").click()
        await heading(page, "Call your agent")

        # Left, and come back: it goes on where it was.
        await page.goto("/begin")
        await heading(page, "Call your agent")
        if await page.get_by_role("heading", name="First some credits").is_visible():
            await page.get_by_role("link", name="To the credits").click()
            await buy_the_first_pack(page)
            await page.goto("/begin/call")

        await call_by_voice(page)
        charged = await page.get_by_text(re.compile(r"It cost \d+ credits?\.")).inner_text()
        await picture(page, "first hour", "6 called")
        await page.get_by_role("link", name="The call and its receipt").click()
        await expect(page.get_by_text("You, from the browser").first).to_be_visible()
        figure = re.search(r"\d+", charged)
        assert figure and int(figure[0]) > 0
        await expect(page.locator("#receipt")).to_contain_text(figure[0])
        await picture(page, "first hour", "7 receipt")

        await page.goto("/begin")
        await heading(page, "A number for your agent")
        await page.get_by_role("radio").first.check()
        await picture(page, "first hour", "8 number")
        await page.get_by_role("button", name="Take this number and publish my agent").click()
        await page.goto("/begin")
        await expect(page.locator("#main")).to_contain_text(re.compile("credits|Salon Bella"))
        await picture(page, "first hour", "9 done")
        assert complaints.found == []


async def buy_the_first_pack(page: Page) -> None:
    await page.get_by_role("button", name=re.compile("^Buy ")).first.click()
    await pay(page)
    await expect(page.get_by_text("Paid, thank you.")).to_be_visible()


async def call_by_voice(page: Page) -> None:
    """Speak with the agent through the microphone, type a line, too, and hang up."""
    await page.get_by_role("button", name=re.compile("^Call ")).first.click()
    await expect(page.get_by_text("on the line")).to_be_visible()
    said = page.get_by_role("log")
    await expect(said.locator(".turn.agent").first).to_be_visible()
    await expect(page.get_by_text(re.compile("credits? so far"))).to_be_visible()
    # The microphone hears a question after nine seconds; what is understood of it stands there as the caller's.
    await expect(said.locator(".turn.caller").first).to_be_visible(timeout=40_000)
    await picture(page, "first hour", "5 on the line")
    await page.get_by_label("Type instead of speaking").fill("thank you")
    await page.get_by_role("button", name="Say it").click()
    await expect(said.locator(".turn.caller").last).to_contain_text("thank you")
    await page.get_by_role("button", name="Hang up").click()
    await expect(page.get_by_text("The call is over.")).to_be_visible()


@pytest.mark.parametrize("way", WAYS)
async def test_credits_are_bought_and_stand_on_the_account(opened: Open, way: dict[str, int]) -> None:
    async with opened(CUSTOMER, **way) as (page, complaints):
        await page.goto("/credits")
        balance = page.locator("#wallet b")
        before = int(re.sub(r"\D", "", (await balance.inner_text())))
        await picture(page, "purchase", "1 credits")
        await page.get_by_role("button", name=re.compile("^Buy ")).first.click()
        await pay(page)
        await expect(page).to_have_url(re.compile("/credits"))
        await expect(page.get_by_text(re.compile("Thank you|Paid|paid")).first).to_be_visible()
        await picture(page, "purchase", "2 bought")
        await page.goto("/credits")
        assert int(re.sub(r"\D", "", (await balance.inner_text()))) > before
        await page.goto("/credits/transactions")
        await picture(page, "purchase", "3 transactions")
        await page.goto("/credits/purchases")
        async with page.expect_download() as invoice:
            await page.get_by_role("link", name=re.compile("^Invoice")).first.click()
        kept = await (await invoice.value).path()
        assert (await asyncio.to_thread(kept.read_bytes)).startswith(b"%PDF")
        assert complaints.found == []


@pytest.mark.parametrize("way", WAYS)
async def test_an_agent_is_changed_published_and_rolled_back(opened: Open, way: dict[str, int]) -> None:
    greeting = f"Hello, this is a greeting of {uuid.uuid4().hex[:6]}. How can I help?"
    async with opened(CUSTOMER, **way) as (page, complaints):
        await page.goto("/agents")
        await picture(page, "agent", "1 list")
        await page.locator("#main .row-link").first.click()
        field = page.locator("[name=greeting]")
        before = await field.input_value()
        await field.fill(greeting)
        await page.get_by_role("button", name="Save", exact=True).click()
        await expect(page.locator("[name=greeting]")).to_have_value(greeting)
        await picture(page, "agent", "2 saved")
        await page.get_by_role("link", name="Look and publish").first.click()
        await expect(page.locator("#main")).to_contain_text(greeting)
        await picture(page, "agent", "3 what changes")
        await page.get_by_role("button", name="Publish", exact=True).click()
        await page.get_by_role("link", name="Versions").first.click()
        await expect(page.get_by_text("answers now").first).to_be_visible()
        await picture(page, "agent", "4 versions")
        await page.get_by_role("link", name=re.compile("Look at version")).nth(1).click()
        await page.get_by_role("button", name=re.compile("[Rr]oll back|back to", flags=0)).first.click()
        await picture(page, "agent", "5 asked")
        await page.locator("[popover] button.sure, [popover] form button").first.click()
        await expect(page.get_by_role("status").last).to_be_visible()
        await picture(page, "agent", "6 rolled back")
        await page.goto(page.url.split("/versions")[0])
        assert await page.locator("[name=greeting]").input_value() == before
        assert complaints.found == []


@pytest.mark.parametrize("way", WAYS)
async def test_an_operators_day(opened: Open, way: dict[str, int]) -> None:
    async with opened(OPERATOR, **way) as (page, complaints):
        await page.goto("/operator")
        await picture(page, "operator", "1 overview")
        await page.goto("/operator/users")
        folded = page.locator(".filter > summary")
        if await folded.is_visible():
            await folded.click()
        await page.get_by_label("Name or address").fill("rose")
        await page.keyboard.press("Enter")
        await page.locator("#main .row-link").first.click()
        await picture(page, "operator", "2 a customer")
        await page.get_by_role("link", name="Give or take credits").click()
        await picture(page, "operator", "3 adjust")
        for name in ("numbers", "prices", "money", "unbilled", "events", "jobs", "audit", "health", "settings"):
            await page.goto(f"/operator/{name}")
            await expect(page.get_by_role("heading", level=1)).to_be_visible()
            await picture(page, "operator", f"4 {name}")
        assert complaints.found == []
