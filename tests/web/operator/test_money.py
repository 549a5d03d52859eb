"""The operator's page about money: what waits for a decision is decided once, by name."""

import re
import uuid
from pathlib import Path

import pytest
from sqlalchemy import text

from talktime.credits import money
from talktime.db.session import Database
from talktime.settings import Settings
from talktime.web.operator import money as pages
from tests.payments.counter import Counter, open_counter
from tests.people import WHY, Person, charges, new_person
from tests.web.conftest import Browser, OpenBrowser, signed_in
from tests.web.operator.conftest import a_request, an_alert, one, one_of_each
from tests.web.stage import SITE, Stage, answer, finish
from tests.web.test_pages import words_of
from tests.web.test_signing_in import FROM_ELSEWHERE

PAGE = "/operator/money"


async def test_a_customer_and_a_stranger_find_no_such_page(
    as_alice: Browser, browser: Browser, database: Database, alice: Person, ada: Person
) -> None:
    alert, approval = await an_alert(database, alice), await a_request(database, alice, ada)
    things = (f"alerts/{alert}", f"claims/{alice.id}/{uuid.uuid4()}", f"approvals/{approval.id}")
    for who, seen, done in ((as_alice, 404, 404), (browser, 303, 401)):
        assert (await who.get(PAGE)).status_code == seen
        for thing in things:
            assert (await who.post(f"{PAGE}/{thing}", data={"do": "approve"})).status_code == done
    assert await charges(database, alice) == []


@pytest.mark.parametrize("headers", FROM_ELSEWHERE[:4], ids=str)
async def test_no_other_site_decides_for_ada(
    as_ada: Browser, database: Database, alice: Person, headers: dict[str, str]
) -> None:
    bert = await new_person(database, "Bert", credits=0, admin=True)
    approval = await a_request(database, alice, bert)
    address = f"{PAGE}/approvals/{approval.id}"
    assert (await as_ada.post(address, data={"do": "approve"}, headers=headers)).status_code == 403
    assert await charges(database, alice) == []


@pytest.mark.parametrize("place", [PAGE, "/operator"])
async def test_an_alert_is_put_away_by_name_and_once(
    *, as_ada: Browser, open_browser: OpenBrowser, database: Database, alice: Person, ada: Person, place: str
) -> None:
    async with database.transaction(everyone=WHY) as db:
        await db.execute(text("UPDATE alerts SET acknowledged_at = now() WHERE acknowledged_at IS NULL"))
    alert = await an_alert(database, alice)
    page = (await as_ada.get(place)).text
    assert f"{PAGE}/alerts/{alert}" in page and "Unknown payment" in words_of(page)
    came_from = {"from": "overview"} if place == "/operator" else {}
    for _ in range(2):
        done = await as_ada.post(f"{PAGE}/alerts/{alert}", data=came_from)
        assert done.headers["location"] == f"{place}?done=seen"
    assert str(alert) not in (await as_ada.get(place)).text
    assert await one(database, "SELECT acknowledged_by FROM alerts WHERE id = :id", id=alert) == ada.id
    bert = await new_person(database, "Bert", credits=0, admin=True)
    late = await (await signed_in(open_browser(), database, bert)).post(f"{PAGE}/alerts/{alert}", data={})
    assert (late.status_code, "Ada acknowledged this alert first" in late.text) == (409, True)
    assert (await as_ada.post(f"{PAGE}/alerts/{uuid.uuid4()}", data={})).status_code == 404


async def test_a_second_person_approves_and_the_first_cannot(
    as_ada: Browser, open_browser: OpenBrowser, database: Database, alice: Person, ada: Person
) -> None:
    bert = await new_person(database, "Bert", credits=0, admin=True)
    as_bert = await signed_in(open_browser(), database, bert)
    mine, other = await a_request(database, alice, ada), await a_request(database, alice, bert, -70)
    page = (await as_ada.get(PAGE)).text
    assert f"approvals/{mine.id}" not in page and f"approvals/{other.id}" in page
    assert "&lt;b&gt;an apology" in page and "Somebody else must decide." in page
    own = await as_ada.post(f"{PAGE}/approvals/{mine.id}", data={"do": "approve"})
    assert (own.status_code, "Somebody else must decide this" in own.text) == (403, True)
    for _ in range(2):
        assert (await as_bert.post(f"{PAGE}/approvals/{mine.id}", data={"do": "approve"})).status_code == 303
    assert (await as_ada.post(f"{PAGE}/approvals/{other.id}", data={"do": "refuse"})).status_code == 303
    late = await as_ada.post(f"{PAGE}/approvals/{other.id}", data={"do": "approve"})
    assert late.status_code == 409
    assert await charges(database, alice) == [500]


def heads_of(page: str) -> dict[str, str]:
    """What each card's head says of its list."""
    return dict(re.findall(r'<section class="card" id="([\w-]+)".*?<span class="more">([^<]*)<', page, re.DOTALL))


async def test_a_card_that_does_not_show_all_of_its_list_says_so(
    open_browser: OpenBrowser, empty_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "SHOWN", 2)
    ada = await new_person(empty_database, "Ada", credits=0, admin=True)
    alice = await new_person(empty_database, "Alice", credits=1000)
    browser = open_browser(Stage(Settings(public_url=SITE), empty_database))
    as_ada = await signed_in(browser, empty_database, ada)
    page = (await as_ada.get(PAGE)).text
    assert page.count('class="case"') == 0
    words = words_of(page)
    assert "Nothing is open." in words and "Nobody waits for a decision." in words and "Nothing waits." in words
    async with open_counter(empty_database, tmp_path) as counter:
        for _ in range(2):
            await one_of_each(counter, alice, ada)
        page = (await as_ada.get(PAGE)).text
        assert (page.count('class="case"'), set(heads_of(page).values())) == (
            8, {"oldest first", "newest first", "customers say", "wait for a second person"},
        )  # fmt: skip
        await one_of_each(counter, alice, ada)
    page = (await as_ada.get(PAGE)).text
    waits, happened = "the oldest 2, more wait", "the newest 2 of more"
    assert page.count('class="case"') == 8
    assert heads_of(page) == {"alerts": waits, "claims": waits, "approvals": waits, "events": happened}


async def test_an_event_that_was_given_up_leads_to_where_it_is_handled_again(
    as_ada: Browser, counter: Counter, database: Database, alice: Person, ada: Person
) -> None:
    await one_of_each(counter, alice, ada)
    event = await one(database, "SELECT id FROM provider_events WHERE verdict = 'unknown payment' LIMIT 1")
    page = (await as_ada.get(PAGE)).text
    assert f'href="/operator/events/{event}"' in page and "given up" not in words_of(page)
    async with database.transaction(everyone=WHY) as db:
        await db.execute(
            text(
                "UPDATE provider_events SET verdict = NULL, handled_at = NULL, error = 'it failed', gave_up_at = now()"
                " WHERE id = :id"
            ),
            {"id": event},
        )
    words = words_of((await as_ada.get(PAGE)).text)
    assert "given up it failed" in words


async def test_a_claim_that_there_is_not_is_not_found(as_ada: Browser, database: Database, alice: Person) -> None:
    call = await answer(database, alice)
    await finish(database, alice, call, 40)
    for address in (f"{alice.id}/{call}", f"{alice.id}/{uuid.uuid4()}", f"{uuid.uuid4()}/{call}"):
        assert (await as_ada.post(f"{PAGE}/claims/{address}", data={"do": "grant"})).status_code == 404
    assert await charges(database, alice) == [-15]


async def test_what_was_given_back_is_in_the_books_under_the_operators_name(
    as_ada: Browser, database: Database, alice: Person, ada: Person
) -> None:
    call = await answer(database, alice)
    await finish(database, alice, call, 40)
    async with database.transaction(user=alice.id) as db:
        await money.claim(db, alice.id, call, "spam")
    await as_ada.post(f"{PAGE}/claims/{alice.id}/{call}", data={"do": "grant", "note": "x" * 5000})
    async with database.transaction(user=alice.id) as db:
        row = (
            await db.execute(
                text(
                    "SELECT amount, actor_id FROM credit_transactions WHERE call_id = :call ORDER BY seq DESC LIMIT 1"
                ),
                {"call": call},
            )
        ).one()
    assert tuple(row) == (15, ada.id)


@pytest.mark.parametrize("form", [{}, {"do": ""}, {"do": "Approve"}, {"do": "yes"}], ids=str)
async def test_a_decision_that_is_none_decides_nothing(
    as_ada: Browser, database: Database, alice: Person, form: dict[str, str]
) -> None:
    bert = await new_person(database, "Bert", credits=0, admin=True)
    approval = await a_request(database, alice, bert)
    call = await answer(database, alice)
    await finish(database, alice, call, 40)
    async with database.transaction(user=alice.id) as db:
        await money.claim(db, alice.id, call, "spam")
    things = (f"{PAGE}/approvals/{approval.id}", f"{PAGE}/claims/{alice.id}/{call}")
    for thing in things:
        refused = await as_ada.post(thing, data=form)
        assert (refused.status_code, "Say what is to be done" in refused.text) == (422, True)
    for thing, button in zip(things, ("approve", "grant"), strict=True):
        assert (await as_ada.post(thing, data={"do": button})).status_code == 303, "both still wait"


async def test_a_note_that_no_key_types_is_refused(as_ada: Browser, database: Database, alice: Person) -> None:
    alert = await an_alert(database, alice)
    refused = await as_ada.post(f"{PAGE}/alerts/{alert}", content=b"note=%00")
    assert (refused.status_code, str(alert) in (await as_ada.get(PAGE)).text) == (422, True)
