"""The link of a mail that somebody no longer wants: a page for people, and one POST for programs (RFC 8058)."""

import uuid

import httpx
import pytest

from talktime.db.session import Database
from talktime.hooks import mail as mail_hooks
from talktime.notices.choices import OFF_HOOK, OFF_PAGE, Choices, choices_of, path_off
from talktime.settings import Settings
from tests.people import Person
from tests.web.conftest import Browser
from tests.web.stage import SECRET, Stage, app_on


def link(person: Person, choice: str = "digest") -> str:
    return path_off(Settings(secret_key=SECRET).secret, person.id, choice)


async def chosen(database: Database, person: Person) -> Choices:
    async with database.transaction(user=person.id) as db:
        return await choices_of(db, person.id)


async def test_opening_the_page_changes_nothing_and_its_button_does(
    browser: Browser, database: Database, alice: Person
) -> None:
    page = await browser.get(link(alice))
    assert page.status_code == 200
    assert "You get mails about <b>the summary of each day</b>" in page.text
    assert await chosen(database, alice) == Choices()
    pressed = await browser.post(link(alice))
    assert pressed.status_code == 200
    assert "You get no more mails about <b>the summary of each day</b>" in pressed.text
    assert await chosen(database, alice) == Choices(digest=False)
    again = await browser.get(link(alice))
    assert "No more of these" not in again.text


@pytest.mark.parametrize("choice", ["messages", "missed_calls", "summaries"])
async def test_a_page_in_german_says_what_it_is(browser: Browser, alice: Person, choice: str) -> None:
    page = await browser.get(link(alice, choice), headers={"accept-language": "de"})
    assert page.status_code == 200
    assert "Unsere E-Mails an Sie" in page.text


async def test_a_link_that_somebody_made_up_is_none(
    browser: Browser, database: Database, alice: Person, bob: Person
) -> None:
    proof = link(alice).rpartition("/")[2]
    for path in (
        f"{OFF_PAGE}/{bob.id}/digest/{proof}",
        f"{OFF_PAGE}/{alice.id}/messages/{proof}",
        f"{OFF_PAGE}/{alice.id}/everything/{proof}",
        f"{OFF_PAGE}/{alice.id}/digest/x",
        f"{OFF_PAGE}/{uuid.uuid4()}/digest/{proof}",
        f"{OFF_PAGE}/nobody/digest/{proof}",
    ):
        assert (await browser.get(path)).status_code == 404, path
        assert (await browser.post(path)).status_code == 404, path
    assert await chosen(database, bob) == await chosen(database, alice) == Choices()


async def test_a_mail_program_needs_no_page_no_cookie_and_no_token(
    stage: Stage, database: Database, alice: Person
) -> None:
    app = app_on(stage)
    app.include_router(mail_hooks.router)
    program = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=stage.settings.base_url)
    hook = OFF_HOOK + link(alice, "messages").removeprefix(OFF_PAGE)
    # Who follows it in a browser is sent to the page.
    looked = await program.get(hook)
    assert (looked.status_code, looked.headers["location"]) == (303, link(alice, "messages"))
    assert await chosen(database, alice) == Choices()
    for _ in range(2):
        said = await program.post(hook, data={"List-Unsubscribe": "One-Click"})
        assert (said.status_code, said.content) == (204, b"")
    assert await chosen(database, alice) == Choices(messages=False)
    refused = await program.post(hook[:-1], data={"List-Unsubscribe": "One-Click"})
    assert refused.status_code == 404
    await program.aclose()


async def test_what_was_switched_off_is_switched_on_again_in_the_settings(
    as_alice: Browser, browser: Browser, database: Database, alice: Person
) -> None:
    await browser.post(link(alice))
    page = await as_alice.get("/settings/mails")
    assert page.status_code == 200 and 'name="digest">' in page.text and 'name="messages" checked>' in page.text
    saved = await as_alice.post("/settings/mails", data={"digest": "on", "summaries": "on"})
    assert (saved.status_code, saved.headers["location"]) == (303, "/settings/mails?done=saved")
    assert await chosen(database, alice) == Choices(messages=False, missed_calls=False, summaries=True)
    assert "Saved." in (await as_alice.get("/settings/mails?done=saved")).text


async def test_the_settings_say_it_in_german(as_alice: Browser, alice: Person, database: Database) -> None:
    await as_alice.post("/settings", data={"name": "Alice", "locale": "de", "zone": "Europe/Berlin"})
    page = (await as_alice.get("/settings/mails")).text
    assert "Unsere E-Mails an Sie" in page and "Jede Nachricht, die aufgenommen wurde" in page
