"""The pages about numbers: which agent answers, testing one, giving one back; and whose number it is."""

import re
import uuid

import httpx
import pytest
from sqlalchemy import select, text

from talktime.agents.models import Agent
from talktime.db.base import new_id
from talktime.db.session import Database
from talktime.numbers import pool
from talktime.numbers.models import CarrierPhase, PhoneNumber, PhoneStatus
from talktime.numbers.self_test import Link, SelfTest
from talktime.settings import Settings
from talktime.web.numbers.shown import test_view as view_of
from tests.people import WHY, Person, new_person
from tests.web.account import acts_about, as_visitor
from tests.web.conftest import Browser, OpenBrowser, signed_in
from tests.web.stage import SITE, Stage
from tests.web.test_pages import words_of

PATH = "/numbers"


async def number_of(database: Database, person: Person) -> PhoneNumber:
    """Their number, as the pool has it now."""
    async with database.transaction(everyone=WHY) as db:
        return (await db.execute(select(PhoneNumber).where(PhoneNumber.number == person.number))).scalar_one()


async def another_agent(database: Database, person: Person, *, archived: bool = False) -> uuid.UUID:
    agent = new_id()
    async with database.transaction(everyone=WHY) as db:
        db.add(Agent(user_id=person.id, id=agent, name="Night desk", business="Shop", language="en", active=False))
        await db.flush()
        if archived:
            await db.execute(text("UPDATE agents SET archived_at = now() WHERE id = :id"), {"id": agent})
    return agent


async def change(database: Database, person: Person, change_: str, **values: object) -> None:
    async with database.transaction(everyone=WHY) as db:
        values = {"number": person.number, **values}
        await db.execute(text(f"UPDATE phone_numbers SET {change_} WHERE number = :number"), values)


@pytest.fixture
async def path(database: Database, alice: Person) -> str:
    """The page of Alice's number."""
    return f"{PATH}/{(await number_of(database, alice)).id}"


async def test_the_list_says_which_agent_answers_each_number(
    as_alice: Browser, as_bob: Browser, alice: Person, bob: Person, path: str
) -> None:
    page = await as_alice.get(PATH)
    words = words_of(page.text)
    assert page.status_code == 200 and f'href="{path}"' in page.text
    assert "Reception answers" in words and "Simulated" in words
    assert bob.number[-4:] not in words
    theirs = await as_bob.get(PATH)
    assert path not in theirs.text and alice.number[-4:] not in words_of(theirs.text)


async def test_somebody_without_a_number_is_told_how_to_get_one(open_browser: OpenBrowser, database: Database) -> None:
    carol = await new_person(database, "Carol", credits=5)
    async with database.transaction(everyone=WHY) as db:
        await pool.release(db, carol.number)
    stage = Stage(Settings(public_url=SITE, support_email="desk@talktime.example"), database)
    page = await (await signed_in(open_browser(stage), database, carol)).get(PATH)
    words = words_of(page.text)
    assert "No number yet" in words and 'href="/begin/number"' in page.text
    assert 'href="mailto:desk@talktime.example"' in page.text


async def test_another_agent_answers_once_it_is_chosen(
    as_alice: Browser, database: Database, alice: Person, path: str
) -> None:
    agent = await another_agent(database, alice)
    page = (await as_alice.get(path)).text
    assert f'<option value="{alice.agent}" selected>Reception' in page and f'<option value="{agent}">Night desk' in page
    for _time in range(2):
        saved = await as_alice.post(f"{path}/agent", data={"agent": str(agent)})
        assert (saved.status_code, saved.headers["location"]) == (303, f"{path}?done=agent")
    assert (await number_of(database, alice)).agent_id == agent
    words = words_of((await as_alice.get(f"{path}?done=agent")).text)
    assert "Saved: from the next call on." in words and "agent is off" in words
    acts = [entry.act for entry in await acts_about(database, alice)]
    assert acts.count("number.pointed") == 1, "the same again changes nothing"


async def test_an_agent_that_cannot_answer_is_refused_beside_the_field(
    as_alice: Browser, database: Database, alice: Person, bob: Person, path: str
) -> None:
    archived = await another_agent(database, alice, archived=True)
    assert "Night desk" not in (await as_alice.get(path)).text
    for wrong, said in ((str(archived), "This agent was archived"), ("", "Choose one of"), ("x", "Choose one of")):
        answer = await as_alice.post(f"{path}/agent", data={"agent": wrong})
        field = re.search(r'<p class="field wrong">(.*?)</p>', answer.text, re.DOTALL)
        assert answer.status_code == 422 and field and said in field[1], wrong
    assert (await as_alice.post(f"{path}/agent", data={"agent": str(bob.agent)})).status_code == 404
    assert (await number_of(database, alice)).agent_id == alice.agent


async def test_bob_sees_and_changes_nothing_of_alices_number(
    as_bob: Browser, database: Database, alice: Person, bob: Person, path: str
) -> None:
    for address in (path, f"{path}/test"):
        page = await as_bob.get(address)
        assert page.status_code == 404 and alice.number[-4:] not in page.text
    for deed, data in (("agent", {"agent": str(bob.agent)}), ("no-agent", {}), ("test", {}), ("release", {})):
        answer = await as_bob.post(f"{path}/{deed}", data=data)
        assert answer.status_code == 404 and alice.number[-4:] not in answer.text, deed
    now = await number_of(database, alice)
    assert (now.status, now.agent_id, now.user_id) == (PhoneStatus.ASSIGNED, alice.agent, alice.id)
    for nothing in (f"{PATH}/{uuid.uuid4()}", f"{PATH}/x", f"{PATH}/%00"):
        assert (await as_bob.get(nothing)).status_code == 404


async def test_a_number_is_taken_from_its_agent_after_it_was_asked_once_and_given_back_to_it(
    as_alice: Browser, database: Database, alice: Person, path: str
) -> None:
    page = (await as_alice.get(path)).text
    assert re.search(r'<div class="dialog" id="nobody" popover.*?action="/numbers/[^"]+/no-agent"', page, re.DOTALL)
    assert "Reception answers no more calls to it." in words_of(page)
    for _time in range(2):
        done = await as_alice.post(f"{path}/no-agent")
        assert (done.status_code, done.headers["location"]) == (303, f"{path}?done=nobody")
    now = await number_of(database, alice)
    assert (now.status, now.user_id, now.agent_id) == (PhoneStatus.ASSIGNED, alice.id, None)
    page = (await as_alice.get(f"{path}?done=nobody")).text
    words = words_of(page)
    assert "Nobody answers this number now." in words and "nobody answers" in words
    assert '<option value="" selected>nobody' in page and "/no-agent" not in page
    assert "nobody nobody answers" in words_of((await as_alice.get(PATH)).text)
    refused = await as_alice.post(f"{path}/agent", data={"agent": ""})
    assert refused.status_code == 422 and "Choose one of your agents." in refused.text
    await as_alice.post(f"{path}/agent", data={"agent": str(alice.agent)})
    assert (await number_of(database, alice)).agent_id == alice.agent
    acts = [entry.act for entry in await acts_about(database, alice)]
    assert (acts.count("number.unpointed"), acts.count("number.pointed")) == (1, 1)


async def test_a_number_is_given_back_after_it_was_asked_once(
    as_alice: Browser, database: Database, alice: Person, path: str
) -> None:
    page = (await as_alice.get(path)).text
    assert re.search(r'<div class="dialog" id="release" popover.*?action="/numbers/[^"]+/release"', page, re.DOTALL)
    given = await as_alice.post(f"{path}/release")
    assert (given.status_code, given.headers["location"]) == (303, f"{PATH}?done=released")
    now = await number_of(database, alice)
    assert (now.status, now.user_id) == (PhoneStatus.RELEASED, None)
    assert "The number is given back." in words_of((await as_alice.get(f"{PATH}?done=released")).text)
    assert (await as_alice.post(f"{path}/release")).status_code == 404, "twice"
    assert (await as_alice.get(path)).status_code == 404


async def test_an_operator_in_her_place_points_it_and_gives_nothing_back(
    open_browser: OpenBrowser, database: Database, alice: Person, ada: Person, path: str
) -> None:
    browser, agent = await as_visitor(open_browser(), database, ada, alice), await another_agent(database, alice)
    page = (await browser.get(path)).text
    assert "/release" not in page and "/numbers/proofs" not in (await browser.get(PATH)).text
    for deed in ("release", "test"):
        assert (await browser.post(f"{path}/{deed}")).status_code == 403
    assert (await browser.post("/numbers/proofs", data={"number": "+493012345678"})).status_code == 403
    assert (await browser.post(f"{path}/agent", data={"agent": str(agent)})).status_code == 303
    pointed = next(entry for entry in await acts_about(database, alice) if entry.act == "number.pointed")
    assert pointed.actor_id == ada.id
    assert (await number_of(database, alice)).status is PhoneStatus.ASSIGNED


@pytest.mark.parametrize(
    ("state", "badge"),
    [
        (f"carrier_phase = '{CarrierPhase.WANTED}'", "being connected"),
        (f"carrier_phase = '{CarrierPhase.REFUSED}'", "not connected"),
        (f"carrier_phase = '{CarrierPhase.GONE}'", "gone"),
        ("rent_unpaid_since = '2026-11-02', rent_credits = 300, rent_due_on = '2026-12-02'", "rent not paid"),
        ("agent_id = NULL", "nobody answers"),
    ],
)
async def test_what_is_wrong_with_a_number_is_said_in_words(
    *, as_alice: Browser, database: Database, alice: Person, path: str, state: str, badge: str
) -> None:
    await change(database, alice, state)
    assert badge in words_of((await as_alice.get(PATH)).text)
    page = await as_alice.get(path)
    assert page.status_code == 200 and badge in words_of(page.text) and 'class="notice' in page.text


async def test_rent_and_the_day_it_is_due_are_said(
    as_alice: Browser, database: Database, alice: Person, path: str
) -> None:
    await change(database, alice, "rent_credits = 1300, rent_due_on = '2026-12-02', assigned_at = '2026-10-02 08:00Z'")
    words = words_of((await as_alice.get(path)).text)
    assert (
        "Rent 1,300 credits a month" in words and "Next rent 2 Dec" in words and "Yours since 2 October 2026" in words
    )


async def test_a_number_that_cannot_be_called_from_here_says_so(as_alice: Browser, path: str) -> None:
    assert "It cannot be tested from here" in words_of((await as_alice.get(path)).text)
    refused = await as_alice.post(f"{path}/test")
    assert refused.status_code == 409 and "cannot be tested from here" in words_of(refused.text)
    assert (await as_alice.get(f"{path}/test")).status_code == 200, "loaded once more"


@pytest.mark.parametrize("broken", [*Link, None])
def test_a_chain_is_shown_link_by_link_up_to_where_it_breaks(broken: Link | None) -> None:
    chain = list(Link)
    passed = chain[: chain.index(broken)] if broken else chain
    shown = view_of(SelfTest(passed, broken, "what an operator reads", None))
    badges = [link.badge for link in shown.chain]
    assert badges[: len(passed)] == ["works"] * len(passed) and shown.holds == (broken is None)
    assert badges[len(passed) :] == (["broken"] + ["not reached"] * (3 - len(passed)) if broken else [])
    assert shown.sentence and "PUBLIC_URL" not in shown.sentence


async def test_the_pages_speak_german(as_alice: Browser, path: str) -> None:
    await as_alice.post("/settings", data={"name": "Alice", "locale": "de", "zone": "Europe/Berlin"})
    words = words_of((await as_alice.get(PATH)).text)
    assert "Wo Ihre Anrufer Sie erreichen" in words and "antwortet" in words and "Simuliert" in words
    words = words_of((await as_alice.get(path)).text)
    assert "Wer antwortet" in words and "Nummer zurückgeben" in words and "Telefongesellschaft Simuliert" in words
    wrong = await as_alice.post(f"{path}/agent", data={"agent": "x"})
    assert "Wählen Sie einen Ihrer Agenten." in words_of(wrong.text)
    wrong = await as_alice.post("/numbers/proofs", data={"number": "12"})
    assert wrong.status_code == 422 and "Das ist keine Telefonnummer" in words_of(wrong.text), "also what has values"


async def test_who_is_not_signed_in_is_sent_to_where_one_signs_in(browser: Browser, path: str) -> None:
    for address in (PATH, path):
        page: httpx.Response = await browser.get(address)
        assert page.status_code == 303 and page.headers["location"].startswith("/sign-in?next=")
    assert (await browser.post(f"{path}/release")).status_code == 401
