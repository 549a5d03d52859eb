"""What journeys have in common, however they are gone: with a mouse, or by keyboard."""

import asyncio
import email
import email.policy
import re
import uuid

import httpx
from playwright.async_api import Page, expect
from scripts.showcase import Showcase

PASSWORD = "four words that nobody says"


def new_address(name: str) -> str:
    """An e-mail address that nobody has yet."""
    return f"{name}-{uuid.uuid4().hex[:8]}@talktime.example"


async def mailed_link(served: Showcase, address: str, path: str) -> str:
    """The link in the newest mail to somebody, in the demo's outbox."""
    async with asyncio.timeout(20):
        while True:
            for mail in sorted((served.home / "outbox").glob("*.eml"), reverse=True):
                kept = await asyncio.to_thread(mail.read_bytes)
                message = email.message_from_bytes(kept, policy=email.policy.default)
                text = message.get_body(("plain",))
                found = re.search(rf"{path}/[A-Za-z0-9_-]+", text.get_content() if text else "")
                if message["to"] == address and found:
                    return found[0]
            await asyncio.sleep(0.2)


async def heading(page: Page, words: str | re.Pattern[str]) -> None:
    """Wait until the page says what it is."""
    await expect(page.get_by_role("heading", name=words, level=1)).to_be_visible()


async def moving(page: Page) -> list[str]:
    """What on a page moves without end."""
    return list(
        await page.evaluate(
            """() => document.getAnimations()
                .filter((each) => each.playState === "running" && each.effect.getTiming().iterations === Infinity)
                .map((each) => each.effect.target.outerHTML.slice(0, 100))"""
        )
    )


async def newcomer(served: Showcase, name: str) -> str:
    """An account of somebody who was invited: its e-mail address."""
    address = new_address(name)
    said = await served.run("users", "invite", address, "--by", "operator@talktime.example", "--json")
    found = re.search(r"/welcome/[A-Za-z0-9_-]+", said)
    assert found, said
    async with httpx.AsyncClient(base_url=served.address, headers={"accept": "text/html"}) as client:
        page = await client.get(found[0])
        sent = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
        sent |= {"email": address, "name": name.title(), "password": PASSWORD, "locale": "en", "zone": "Europe/London"}
        answer = await client.post(found[0], data=sent, headers={"origin": served.address})
        assert answer.status_code == 303, answer.text
    return address
