"""Calls that were put through, as their owner sees them: two lines, two receipts, each with a link to the other."""

import re

import pytest
from sqlalchemy import text

from talktime.credits import money
from talktime.db.base import new_id
from talktime.db.session import Database
from tests.calls.putting_through import THEIRS, customer, transferred
from tests.people import WHY, Person
from tests.web.conftest import OpenBrowser, signed_in
from tests.web.stage import answer


def words_of(page: str) -> str:
    """What a page says, without its markup."""
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


@pytest.fixture
async def tara(database: Database) -> Person:
    return await customer(database)


async def test_both_parts_are_listed_and_name_each_other(
    open_browser: OpenBrowser, database: Database, tara: Person
) -> None:
    call, leg = await transferred(database, tara)
    browser = await signed_in(open_browser(), database, tara)
    listed = words_of((await browser.get("/calls")).text)
    assert "put through" in listed
    assert "The agent put the caller through." in listed
    agents = await browser.get(f"/calls/{call}")
    assert f'href="/calls/{leg}"' in agents.text
    assert "a call of its own, with its receipt" in words_of(agents.text)
    legs = await browser.get(f"/calls/{leg}")
    assert f'href="/calls/{call}"' in legs.text
    said = words_of(legs.text)
    assert "01512 3456789 → 030 999888" in said
    assert "Talk time, by the phone company’s clock 1 min 35 s" in said
    assert "Charged 95 credits" in said and "Nobody of ours listens" in said
    for page in (call, leg):
        assert (await browser.get(f"/calls/{page}/receipt.pdf")).content.startswith(b"%PDF")


async def test_a_leg_that_still_runs_is_live_and_holds_credit(
    open_browser: OpenBrowser, database: Database, tara: Person
) -> None:
    _, leg = await transferred(database, tara, leg_seconds=None)
    browser = await signed_in(open_browser(), database, tara)
    said = words_of((await browser.get(f"/calls/{leg}")).text)
    assert "Held for this call 60 credits" in said and "talking" in said


async def test_bob_sees_no_leg_of_taras(
    open_browser: OpenBrowser, database: Database, tara: Person, bob: Person
) -> None:
    _, leg = await transferred(database, tara)
    browser = await signed_in(open_browser(), database, bob)
    assert (await browser.get(f"/calls/{leg}")).status_code == 404


async def test_a_leg_that_was_refused_says_why_and_that_nobody_was_rung(
    open_browser: OpenBrowser, database: Database, tara: Person
) -> None:
    call, leg = await answer(database, tara), new_id()
    async with database.transaction(everyone=WHY) as db:
        await money.adjust(db, tara.id, reference="away", amount=-985, reason="gone", actor=tara.id)
        await db.execute(
            text("SELECT begin_leg_v1(:user, :call, :leg, :number)"),
            {"user": tara.id, "call": call, "leg": leg, "number": THEIRS},
        )
    browser = await signed_in(open_browser(), database, tara)
    said = words_of((await browser.get(f"/calls/{leg}")).text)
    assert "no credit" in said and "So the agent went on." in said and "Not charged: nobody was rung." in said
    assert "fallback" not in said
