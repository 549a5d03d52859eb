"""The page with the panel, as it leaves the server."""

import re
import uuid

import httpx
from sqlalchemy import text

from talktime.http.security import HEADERS, WITH_MICROPHONE
from tests.browser_call.page import COOKIE, Page, sign_in
from tests.house import WHY, House
from tests.people import Person


async def get(page: Page, path: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False, cookies={COOKIE: page.token}, timeout=20) as client:
        return await client.get(f"{page.site}{path}", headers={"accept": "text/html"})


async def test_only_the_page_with_the_panel_may_ask_for_the_microphone(page: Page, alice: Person) -> None:
    talk = await get(page, f"/agents/{alice.agent}/talk")
    assert talk.status_code == 200
    assert talk.headers["permissions-policy"] == WITH_MICROPHONE["permissions-policy"]
    assert "microphone=(self)" in talk.headers["permissions-policy"]
    assert talk.headers["content-security-policy"] == HEADERS["content-security-policy"]
    for path in ("/", "/settings", "/credits", f"/agents/{uuid.uuid4()}/talk"):
        assert "microphone=()" in (await get(page, path)).headers["permissions-policy"], path


async def test_who_has_no_script_reads_how_the_agent_is_reached_by_phone(
    house: House, page: Page, alice: Person
) -> None:
    [said] = re.findall(r"<noscript>(.*?)</noscript>", (await get(page, f"/agents/{alice.agent}/talk")).text, re.DOTALL)
    assert "needs JavaScript" in said and "By phone Reception is reached at" in said
    assert re.sub(r"\D", "", said).endswith(alice.number[2:])
    async with house.database.transaction(everyone=WHY) as db:
        await db.execute(
            text("UPDATE phone_numbers SET agent_id = NULL, user_id = NULL, status = 'AVAILABLE' WHERE number = :it"),
            {"it": alice.number},
        )
    assert "Reception has no phone number yet." in (await get(page, f"/agents/{alice.agent}/talk")).text


async def test_the_panel_says_whether_the_draft_is_called(house: House, page: Page, alice: Person) -> None:
    published = (await get(page, f"/agents/{alice.agent}/talk")).text
    assert "as published" in published and 'name="draft"' not in published
    drafted = (await get(page, f"/agents/{alice.agent}/talk?draft=1")).text
    assert "as drafted" in drafted and 'name="draft"' in drafted
    async with house.database.transaction(everyone=WHY) as db:
        await db.execute(text("UPDATE agents SET published_version = NULL WHERE id = :it"), {"it": alice.agent})
    assert "as drafted" in (await get(page, f"/agents/{alice.agent}/talk")).text


async def test_a_name_is_a_name_whatever_it_says(house: House, page: Page, alice: Person) -> None:
    async with house.database.transaction(everyone=WHY) as db:
        named = {"it": alice.agent, "name": '<b>"{count}"</b>'}
        await db.execute(text("UPDATE agents SET name = :name WHERE id = :it"), named)
    shown = (await get(page, f"/agents/{alice.agent}/talk")).text
    assert "<b>&#34;" not in shown and '<b>"' not in shown and "&lt;b&gt;&#34;{count}&#34;&lt;/b&gt;" in shown


async def test_somebody_elses_agent_has_no_such_page(house: House, bob: Person, alice: Person) -> None:
    thief = await sign_in(house, bob)
    assert (await get(thief, f"/agents/{alice.agent}/talk")).status_code == 404


async def test_sent_without_our_script_it_leads_to_the_page_and_begins_nothing(page: Page, alice: Person) -> None:
    answer = await page.ask(accept="text/html")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/agents/{alice.agent}/talk")


async def test_a_call_from_the_browser_reads_well_among_the_calls(house: House, page: Page) -> None:
    async with page.calling() as line:
        await line.until("saying")
        live = await get(page, f"/calls/{line.call}")
        assert live.status_code == 200 and "You, from the browser" in live.text
        await line.hang_up()
    over = await get(page, f"/calls/{line.call}")
    assert "You hung up." in over.text and "phone company" not in over.text
