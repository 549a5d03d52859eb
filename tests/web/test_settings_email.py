"""Changing the e-mail address: asked for here, and done by the link that went to the new one."""

import pytest
from sqlalchemy import select, text

from talktime.accounts.models import Link
from talktime.db.session import Database
from talktime.security import sign
from tests.people import WHY, Person
from tests.web.account import acts_about, as_visitor, row_of
from tests.web.conftest import Browser, OpenBrowser
from tests.web.stage import Stage
from tests.web.test_pages import words_of

PATH = "/settings/email"


async def links_of(database: Database, person: Person) -> list[Link]:
    async with database.transaction(everyone=WHY) as db:
        return list((await db.scalars(select(Link).where(Link.user_id == person.id, Link.used_at.is_(None)))).all())


async def jobs_of(database: Database, link: Link) -> list[str]:
    async with database.transaction(everyone=WHY) as db:
        rows = await db.execute(
            text("SELECT args::text FROM procrastinate_jobs WHERE args->>'link' = :id"), {"id": str(link.id)}
        )
        return [row[0] for row in rows]


async def test_alice_asks_for_a_new_address_and_nothing_changes_until_its_link_is_opened(
    as_alice: Browser, as_bob: Browser, database: Database, alice: Person, stage: Stage
) -> None:
    old = (await row_of(database, alice)).email
    new = f"new.{alice.id.hex}@example.org"
    assert old in (await as_alice.get(PATH)).text
    answer = await as_alice.post(PATH, data={"email": f" {new.upper()} "})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{PATH}?done=email")
    assert new not in answer.headers["location"]
    page = words_of((await as_alice.get(answer.headers["location"])).text)
    assert "The link is on its way." in page
    assert f"A link is on its way to {new}" in page
    assert (await row_of(database, alice)).email == old
    assert new not in (await as_bob.get(PATH)).text

    [link] = await links_of(database, alice)
    [job] = await jobs_of(database, link)
    assert "example.org" not in job
    token = sign(stage.settings.secret, "account-link", str(link.id))
    answer = await as_alice.post(f"/confirm-email/{token}")
    assert answer.status_code in (200, 303), words_of(answer.text)
    assert (await row_of(database, alice)).email == new
    assert "email.changed" in [entry.act for entry in await acts_about(database, alice)]


async def test_alice_changes_her_mind(as_alice: Browser, database: Database, alice: Person, stage: Stage) -> None:
    await as_alice.post(PATH, data={"email": f"new.{alice.id.hex}@example.org"})
    [link] = await links_of(database, alice)
    answer = await as_alice.post(f"{PATH}/cancel")
    assert answer.headers["location"] == f"{PATH}?done=email-kept"
    assert "on its way to" not in (await as_alice.get(PATH)).text
    assert await links_of(database, alice) == []
    token = sign(stage.settings.secret, "account-link", str(link.id))
    assert (await as_alice.post(f"/confirm-email/{token}")).status_code == 410
    assert (await as_alice.post(f"{PATH}/cancel")).status_code == 303, "twice is as good as once"


async def test_the_last_one_asked_for_counts(as_alice: Browser, database: Database, alice: Person) -> None:
    for name in ("one", "two"):
        await as_alice.post(PATH, data={"email": f"{name}.{alice.id.hex}@example.org"})
    [link] = await links_of(database, alice)
    assert link.email == f"two.{alice.id.hex}@example.org"


@pytest.mark.parametrize(
    "email",
    ["", "nonsense", "a@b@c", "x@example.org\r\nBcc: y@example.org", "x" * 300 + "@example.org", "<b>@example.org"],
)
async def test_what_is_no_address_is_said_beside_the_field(
    as_alice: Browser, database: Database, alice: Person, email: str
) -> None:
    answer = await as_alice.post(PATH, data={"email": email})
    assert answer.status_code == 422, words_of(answer.text)
    assert 'id="email-about"' in answer.text
    assert 'aria-invalid="true" autofocus' in answer.text
    assert "<b>@" not in answer.text
    assert await links_of(database, alice) == []


async def test_whether_an_address_has_an_account_is_not_told(
    as_alice: Browser, database: Database, alice: Person, bob: Person
) -> None:
    async def told(email: str) -> tuple[int, str, str]:
        answer = await as_alice.post(PATH, data={"email": email})
        page = (await as_alice.get(answer.headers["location"])).text
        return answer.status_code, answer.headers["location"], words_of(page).replace(email, "…")

    bobs = (await row_of(database, bob)).email
    assert await told(bobs) == await told(f"nobody.{alice.id.hex}@example.org")


async def test_an_operator_in_her_place_changes_no_address(
    open_browser: OpenBrowser, database: Database, alice: Person, ada: Person
) -> None:
    visitor = await as_visitor(open_browser(), database, ada, alice)
    assert (await visitor.get(PATH)).status_code == 403
    assert (await visitor.post(PATH, data={"email": "ada@example.org"})).status_code == 403
    assert (await visitor.post(f"{PATH}/cancel")).status_code == 403
    assert await links_of(database, alice) == []


async def test_in_german(as_alice: Browser) -> None:
    await as_alice.post("/settings", data={"name": "Alice", "locale": "de", "zone": "Europe/Berlin"})
    answer = await as_alice.post(PATH, data={"email": "unsinn"})
    assert '<html lang="de">' in answer.text
    assert "Adresse" in words_of(answer.text)
