"""Whole journeys by keyboard alone: nothing is clicked, and nothing is given the focus that the keys do not lead to.

On the way each stop must be in sight, uncovered, and told by its ring (`focus.Keyboard` looks).
"""

import asyncio
import re
import uuid

import pytest
from playwright.async_api import Page, expect
from scripts.showcase import CUSTOMER, OPERATOR, Showcase

from tests.browser.conftest import Open
from tests.browser.focus import Keyboard, unseen_on
from tests.browser.steps import PASSWORD, heading, mailed_link, moving, new_address, newcomer


async def test_somebody_signs_up_and_makes_a_charged_call_by_typing(served: Showcase, opened: Open) -> None:
    address = new_address("keys")
    async with opened() as (page, complaints):
        keys = Keyboard(page)
        await page.goto("/")
        await keys.go("link", re.compile("^Make yours"))
        await expect(page.get_by_label("E-mail address")).to_be_focused()
        await page.keyboard.type(address)
        await keys.leave()
        await heading(page, "Look into your mail")
        await page.goto(await mailed_link(served, address, "/welcome"))
        await keys.write(re.compile("^Your name"), "Jonas")
        await keys.write("Password", PASSWORD)
        await keys.go("button", "Make my account")

        await heading(page, "What is your business?")
        await keys.write("What your business is called", "Salon Bella")
        await keys.to(page.get_by_role("radio"))
        await keys.press("ArrowDown")
        await expect(page.get_by_role("radio").nth(1)).to_be_checked()
        await keys.go("button", "Write my agent")
        await heading(page, "What should it know?")
        await keys.write("Monday", "9–18")
        await keys.go("button", "Save and continue")
        await heading(page, "Call your agent")
        await keys.go("link", "To the credits")
        await heading(page, "Credits to talk with")
        await keys.go("button", re.compile("^Buy "))
        await pay(page, keys)
        await expect(page.get_by_text("Paid, thank you.")).to_be_visible()
        await keys.go("link", "Call it")

        await call_by_typing(page, keys)
        charged = re.search(r"It cost (\d+) credits?\.", await page.locator("[data-put=cost]").inner_text())
        assert charged and int(charged[1]) > 0
        await keys.go("link", "The call and its receipt")
        await expect(page.locator("#receipt")).to_contain_text(charged[1])
        assert complaints.found == []


async def call_by_typing(page: Page, keys: Keyboard) -> None:
    """A whole call: the focus is always where one goes on."""
    await keys.to(page.get_by_role("button", name="Call by typing"))
    await keys.press("Enter")
    typed = page.get_by_label("Type instead of speaking")
    await expect(typed).to_be_focused()
    said = page.get_by_role("log")
    await expect(said.locator(".turn.agent")).to_be_visible()
    await page.keyboard.type("what are your opening hours")
    await keys.press("Enter")
    await expect(said.locator(".turn.caller")).to_have_text(re.compile("what are your opening hours"))
    await expect(said.locator(".turn.caller ~ .turn.agent").first).to_be_visible()
    await expect(typed).to_be_focused()
    await keys.to(page.get_by_role("button", name="Hang up"))
    await keys.press("Enter")
    await expect(page.get_by_text("The call is over.")).to_be_visible()
    await expect(page.get_by_role("button", name="Call again")).to_be_focused()


async def test_credits_are_bought_with_a_card_whose_bank_asks_first(opened: Open) -> None:
    async with opened(CUSTOMER) as (page, complaints):
        keys = Keyboard(page)
        await page.goto("/")
        await keys.go("link", "Credits")
        before = await balance(page)
        await keys.go("button", re.compile("^Buy "))
        await pay(page, keys, choices_down=1)
        await heading(page, re.compile("is it you who pays"))
        await keys.go("button", re.compile("^Yes, pay"))

        await heading(page, "Paid, thank you")
        await keys.go("link", "To your credits")
        assert await balance(page) > before
        assert complaints.found == []


async def pay(page: Page, keys: Keyboard, *, choices_down: int = 0) -> None:
    """On the payment company's page: with the card that pays, or with one that stands below it."""
    await expect(page.get_by_role("heading", name="How should this payment go?")).to_be_visible()
    await keys.to(page.get_by_role("radio", checked=True))
    for _ in range(choices_down):
        await keys.press("ArrowDown")
    await keys.go("button", re.compile("^Pay "))


async def balance(page: Page) -> int:
    return int(re.sub(r"\D", "", await page.locator("#wallet b").inner_text()))


async def test_an_agent_is_changed_published_and_rolled_back(opened: Open) -> None:
    greeting = f"Hello, this is a greeting of {uuid.uuid4().hex[:6]}. How can I help?"
    async with opened(CUSTOMER) as (page, complaints):
        keys = Keyboard(page)
        await page.goto("/")
        await keys.go("link", "Agents")
        await keys.to(page.locator("#main .row-link"))
        await keys.leave()
        field = page.locator("[name=greeting]")
        before = await field.input_value()
        await keys.to(field)
        await keys.press("Control+A")
        await page.keyboard.type(greeting)
        await keys.go("button", "Save")
        await expect(field).to_have_value(greeting)
        await keys.go("link", "Look and publish")
        await expect(page.locator("#main")).to_contain_text(greeting)
        await keys.go("button", "Publish")
        await expect(page.get_by_text("answers now").first).to_be_visible()

        await keys.to(page.get_by_role("link", name=re.compile("^Look at version")).nth(1))
        await keys.leave()
        await asked_once(page, keys)
        await keys.press("Enter")
        await keys.to(page.get_by_role("button", name="Go back", exact=True), back=True)
        await keys.leave()
        await expect(page.get_by_role("status").last).to_be_visible()
        await keys.go("link", "Editor")
        await expect(field).to_have_value(before)
        assert complaints.found == []


async def asked_once(page: Page, keys: Keyboard) -> None:
    """The dialog takes the focus; Escape closes it and gives the focus back, and so does saying no. Left, it closes."""
    opener = page.get_by_role("button", name=re.compile("^Go back to version"))
    dialog, no = page.get_by_role("dialog"), page.get_by_role("button", name="Not now")
    await keys.to(opener)
    for answer in ("Escape", "Enter"):
        await keys.press("Enter")
        await expect(no).to_be_focused()
        await expect(dialog).to_be_visible()
        await keys.press(answer)
        await expect(dialog).to_be_hidden()
        await expect(opener).to_be_focused()
    await keys.press("Enter")
    await expect(no).to_be_focused()
    await keys.to(page.get_by_role("link", name="To the page itself"))
    await expect(dialog).to_be_hidden()
    await keys.to(opener)


@pytest.mark.parametrize("width", [1280, 390])
async def test_an_operator_suspends_somebody_and_lifts_it(served: Showcase, opened: Open, width: int) -> None:
    somebody = await newcomer(served, "suspected")
    async with opened(OPERATOR, width=width) as (page, complaints):
        keys = Keyboard(page)
        await page.goto("/operator")
        await keys.go("link", "Users")
        await unfold(page, keys)
        await keys.write("Name or address", somebody)
        await keys.leave()
        await keys.to(page.locator("#main .row-link"))
        await keys.leave()
        await heading(page, "Suspected")

        await keys.go("link", "Suspend")
        await keys.go("button", "Suspend")
        # Not without a reason: what is wrong stands beside the field, and there one goes on.
        await expect(page.get_by_label("Why")).to_be_focused()
        await page.keyboard.type("it calls itself all night")
        await keys.leave()
        await heading(page, "Suspected")
        await expect(page.locator(".states")).to_contain_text("it calls itself all night")
        await keys.go("button", "Make it active again")
        await expect(page.get_by_role("link", name="Suspend", exact=True)).to_be_visible()

        await keys.go("link", "Audit log")
        await unfold(page, keys)
        await keys.write("Whom", somebody)
        await keys.leave()
        found = page.locator("#main tbody tr")
        await expect(found.filter(has_text="Account suspended")).to_have_count(1)
        await expect(found.first).to_contain_text("operator@talktime.example")
        assert complaints.beyond("status of 422") == []


async def unfold(page: Page, keys: Keyboard) -> None:
    """Open the filter of a list, where there is too little room to show it."""
    folded = page.locator(".filter > summary")
    if await folded.is_visible():
        await keys.to(folded)
        await keys.press("Enter")


@pytest.mark.parametrize("width", [1280, 390])
async def test_the_bar_over_somebody_elses_account_covers_nothing_that_has_the_focus(
    served: Showcase, opened: Open, width: int
) -> None:
    customer, operator = "front.desk@rose-lane.example", "operator@talktime.example"
    said = await served.run("users", "sign-in-as", customer, "--by", operator, "--reason", "fault")
    found = re.search(r"/sign-in/[A-Za-z0-9_-]+", said)
    assert found, said
    async with opened(width=width) as (page, complaints):
        keys = Keyboard(page)
        await page.goto(found[0])
        await keys.go("button", "Sign in here")
        await page.goto("/agents")
        await keys.to(page.locator("#main .row-link"))
        await keys.leave()
        editor = page.url
        for address in (editor, f"{editor}/hours", "/", "/calls", "/credits", "/begin"):
            await page.goto(address)
            await expect(page.get_by_role("region", name="Signed in as somebody else")).to_be_visible()
            assert await unseen_on(page) == [], address
        await keys.go("button", "Leave this account")
        await heading(page, "Sign in")
        assert complaints.found == []


async def test_a_page_that_changes_by_itself_leaves_the_focus_where_it_is(served: Showcase, opened: Open) -> None:
    async with opened(CUSTOMER) as (page, complaints):
        keys = Keyboard(page)
        await page.goto("/calls")
        line = page.locator("#calls .call:not(.is-live) > summary").first
        await keys.to(line)
        await keys.press("Enter")
        focused = await page.evaluate("document.activeElement.id")
        script = served.home / "short-call.json"
        await asyncio.to_thread(script.write_text, '[{"do": "pause", "seconds": 7}, {"do": "hang_up"}]')
        ringing = asyncio.create_task(served.run("call", "--script", str(script)))
        await expect(page.locator("#calls .call.is-live")).to_have_count(1, timeout=20_000)
        assert await page.evaluate("document.activeElement.id") == focused
        assert await moving(page)
        await page.emulate_media(reduced_motion="reduce")
        assert await moving(page) == []
        await ringing
        await expect(page.locator("#calls .call.is-live")).to_have_count(0)
        assert await page.evaluate("document.activeElement.id") == focused
        await expect(page.locator(f"details:has(> #{focused})")).to_have_attribute("open", "")
        await keys.to(page.get_by_role("link", name="This call on a page of its own"))
        assert complaints.found == []
