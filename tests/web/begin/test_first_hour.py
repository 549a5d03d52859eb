"""The first hour, from an address to an agent that answers a number: each step saves itself, and nothing else remembers
how far somebody is."""

import asyncio
import re

import pytest

from talktime.accounts import sessions
from talktime.agents import drafts
from talktime.numbers.models import PhoneNumber, PhoneStatus
from tests.people import WHY
from tests.web.begin.conftest import BUSINESS, Newcomer
from tests.web.conftest import Browser
from tests.web.stage import Stage
from tests.web.test_pages import words_of


async def test_the_whole_way_without_a_script(hanna: Newcomer, pool: list[PhoneNumber]) -> None:
    assert await hanna.at() == "/begin/business"
    assert "What is your business?" in words_of(await hanna.page("/begin/business"))
    assert await hanna.tell("/begin/business", **BUSINESS) == "/begin/knowledge"

    assert await hanna.at() == "/begin/knowledge"
    page = await hanna.page("/begin/knowledge")
    assert 'name="hours_friday" value="9–19"' in page and "1 of 5 done" in page
    told = {"address": "Mill Street 12", "prices": "A cut is 38 euros.", "hours_tuesday": "9-12:30 und 14 bis 18 Uhr"}
    assert await hanna.tell("/begin/knowledge", **told, after_hours="on") == "/begin/call"

    assert await hanna.at() == "/begin/call"
    page = words_of(await hanna.page("/begin/call"))
    assert "Hi, this is Salon Hanna." in page and "First some credits" in page
    await hanna.gets(500)
    page = words_of(await hanna.page("/begin/call"))
    assert "Call Reception" in page and "15 credits a minute" in page and "First some credits" not in page

    page = await hanna.page("/begin/number")
    assert str(pool[0].id) in page and words_of(page).index("+49 30") < words_of(page).index("+44 20")
    assert await hanna.tell("/begin/number", number=str(pool[0].id)) == "/begin/number?done=number"
    [number] = await hanna.numbers()
    [agent] = await hanna.agents()
    assert (number.status, number.agent_id, agent.published_version) == (PhoneStatus.ASSIGNED, agent.id, 1)

    assert await hanna.at() == "/"
    assert "**61*" + number.number in words_of(await hanna.page("/begin/number"))
    assert "Your agent is on the phone" in words_of(await hanna.page("/begin/done"))


async def test_what_was_written_stands_in_the_agent(hanna: Newcomer) -> None:
    await hanna.tell("/begin/business", **BUSINESS)
    await hanna.tell(
        "/begin/knowledge",
        address="Mill Street 12",
        prices="A cut is 38 euros.",
        facts="Parking is behind the house.",
        hours_monday="",
        hours_tuesday="9am-5pm",
        hours_sunday="rund um die Uhr",
        question_1="Do you have  dogs?",
        answer_1="One, and it is kind.",
        question_3="Do you cut beards?",
        answer_3="Yes.",
    )
    said = await hanna.draft()
    entries = {entry.key: entry for entry in said.knowledge}
    assert entries["address"].answer == "Mill Street 12" and "where are you" in entries["address"].questions
    assert entries["prices"].answer == "A cut is 38 euros." and "how much is a haircut" in entries["prices"].questions
    assert entries["own-1"].questions == ("Do you have dogs?",) and entries["own-2"].answer == "Yes."
    assert said.facts == "Parking is behind the house." and not said.answers_after_hours
    assert said.hours is not None
    week = said.hours.to_json()["week"]
    assert (week["monday"], week["tuesday"], week["sunday"]) == ([], [["09:00", "17:00"]], [["00:00", "00:00"]])
    page = await hanna.page("/begin/knowledge")
    assert 'name="hours_tuesday" value="9–17"' in page and 'name="hours_sunday" value="0–24"' in page
    assert "One, and it is kind." in page and 'name="question_2" type="text" value="Do you cut beards?"' in page

    await hanna.tell("/begin/knowledge")
    said = await hanna.draft()
    entries = {entry.key: entry for entry in said.knowledge}
    assert "address" not in entries and "own-1" not in entries and said.hours is None and said.answers_after_hours
    assert entries["prices"].answer.startswith("What it costs depends"), "the template's own answer is back"
    assert await hanna.at() == "/begin/knowledge"


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("9-18", "9–18"), ("9–12:30, 14–18", "9–12:30, 14–18"), ("9.00 bis 12.30 und 14 bis 18 Uhr", "9–12:30, 14–18"),
        ("8am to 5:30pm", "8–17:30"), ("14-18 9-12", "9–12, 14–18"), ("22-2", "22–2"), ("24h", "0–24"),
        ("geschlossen", ""), ("18-24", "18–24"), ("von 9 bis 17 Uhr", "9–17"), ("12am-12pm", "0–12"),
    ],
)  # fmt: skip
async def test_hours_are_read_as_people_write_them(hanna: Newcomer, said: str, read: str) -> None:
    await hanna.tell("/begin/business", **BUSINESS)
    await hanna.tell("/begin/knowledge", hours_monday=said, hours_friday="9-17")
    assert f'name="hours_monday" value="{read}"' in await hanna.page("/begin/knowledge")


@pytest.mark.parametrize("said", ["nine to five", "9", "25-26", "9-12:75", "9-18-20", "13pm-14pm", "9-12 x", "1" * 81])
async def test_hours_that_cannot_be_read_are_asked_for_again_and_nothing_is_lost(hanna: Newcomer, said: str) -> None:
    await hanna.tell("/begin/business", **BUSINESS)
    before = await hanna.draft()
    answer = await hanna.browser.post(
        "/begin/knowledge", data={"address": "Mill Street 12", "hours_monday": said, "hours_tuesday": "9-12, 11-14"}
    )
    assert answer.status_code == 422
    assert "Write it like 9–18" in answer.text and "These times overlap" in answer.text
    assert f'value="{said}"' in answer.text and "Mill Street 12" in answer.text
    assert re.search(r'id="hours_monday"[^>]*aria-invalid="true" autofocus', answer.text)
    assert await hanna.draft() == before


async def test_half_a_question_is_told_beside_its_field(hanna: Newcomer) -> None:
    await hanna.tell("/begin/business", **BUSINESS)
    long = {"address": "x" * 301, "facts": "y" * 4001}
    answer = await hanna.browser.post("/begin/knowledge", data={"question_1": "Dogs?", "answer_2": "Yes.", **long})
    words = words_of(answer.text)
    assert answer.status_code == 422
    assert "Write the answer, too." in words and "Write what callers ask." in words
    assert "Write at most 300 characters." in words and "Write at most 4,000 characters." in words
    assert answer.text.count(" autofocus") == 1


async def test_a_long_text_is_no_reason_to_lose_it(hanna: Newcomer) -> None:
    await hanna.tell("/begin/business", **BUSINESS)
    assert await hanna.tell("/begin/knowledge", facts="ä" * 4000) == "/begin/call"
    assert (await hanna.draft()).facts == "ä" * 4000


async def test_whoever_sends_the_first_form_twice_has_one_agent(hanna: Newcomer) -> None:
    await asyncio.gather(*(hanna.browser.post("/begin/business", data=BUSINESS) for _ in range(3)))
    assert [agent.business for agent in await hanna.agents()] == ["Salon Hanna"]


async def test_another_trade_or_language_changes_the_template_and_not_what_was_written(hanna: Newcomer) -> None:
    await hanna.tell("/begin/business", **BUSINESS)
    await hanna.tell(
        "/begin/knowledge", address="Mill Street 12", facts="We are kind.", question_1="Dogs?", answer_1="One."
    )
    await hanna.tell(
        "/begin/business", **{**BUSINESS, "business": "Bistro Hanna", "trade": "restaurant", "language": "de"}
    )
    said = await hanna.draft()
    entries = {entry.key: entry for entry in said.knowledge}
    assert "Bistro Hanna" in said.greeting and "Sie sprechen mit einem Assistenten" in said.greeting
    assert {"tisch", "adresse", "own-1"} <= entries.keys() and not {"address", "prices", "colour"} & entries.keys()
    assert entries["adresse"].answer == "Mill Street 12" and said.facts == "We are kind."
    page = await hanna.page("/begin/business")
    assert re.search(r'value="restaurant" checked', page)
    assert re.search(r'<option value="de" selected>', page)

    await hanna.tell("/begin/business", **{**BUSINESS, "business": "Anna", "trade": "restaurant", "language": "de"})
    assert "Anna" in (await hanna.draft()).greeting and "Bistro" not in (await hanna.draft()).instructions


async def test_what_the_owner_changed_in_the_editor_is_kept_whatever_is_chosen_here(hanna: Newcomer) -> None:
    await hanna.tell("/begin/business", **BUSINESS)
    [agent] = await hanna.agents()
    knowledge = (await hanna.draft()).to_json()["knowledge"]
    mine = [{"key": "wigs", "questions": ["do you have wigs"], "answer": "We do."}]
    own = {"instructions": "Be brief.", "tone": "Like a friend.", "knowledge": [*knowledge, *mine]}
    async with hanna.database.transaction(user=hanna.id) as db:
        await drafts.save(db, hanna.id, agent.id, own, revision=None)
    for changed in ({"trade": ""}, {"trade": "", "language": "de"}, {"trade": "restaurant", "language": "de"}):
        await hanna.tell("/begin/business", **{**BUSINESS, **changed})
        said = await hanna.draft()
        assert (said.instructions, said.tone) == ("Be brief.", "Like a friend.")
        assert "wigs" in {entry.key for entry in said.knowledge}


async def test_an_agent_without_a_template_says_hello(hanna: Newcomer) -> None:
    await hanna.tell("/begin/business", **{**BUSINESS, "trade": ""})
    said = await hanna.draft()
    assert said.greeting.startswith("Hello, this is Salon Hanna.") and said.knowledge == ()
    await hanna.tell("/begin/knowledge", address="Mill Street 12")
    await hanna.tell("/begin/business", **BUSINESS)
    keys = {entry.key for entry in (await hanna.draft()).knowledge}
    assert {"address", "colour"} <= keys


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"business": "  "}, "Write what your business is called."),
        ({"business": "x" * 201}, "Write at most 200 characters."),
        ({"business": "a\nb"}, "Write it on one line."),
        ({"trade": "piracy"}, "Choose what comes closest."),
        ({"language": "fr"}, "Choose a language from the list."),
        ({"zone": "Europe/Atlantis"}, "zone"),
    ],
    ids=str,
)
async def test_what_is_wrong_with_the_business_is_told_and_nothing_is_lost(
    hanna: Newcomer, wrong: dict[str, str], said: str
) -> None:
    for _again in range(2):
        answer = await hanna.browser.post("/begin/business", data={**BUSINESS, **wrong})
        assert answer.status_code == 422 and said in words_of(answer.text)
        assert answer.text.count(" autofocus") == 1
        assert "business" in wrong or 'value="Salon Hanna"' in answer.text
        assert await hanna.agents() == []


@pytest.mark.parametrize("step", ["knowledge", "call", "number"])
async def test_without_an_agent_every_step_leads_to_the_one_that_makes_it(hanna: Newcomer, step: str) -> None:
    assert await hanna.at(f"/begin/{step}") == "/begin/business"
    if step != "call":
        assert await hanna.tell(f"/begin/{step}", do="publish") == "/begin/business"
    assert await hanna.at("/begin/done") == "/begin/business"


async def test_one_leaves_and_comes_back_in_another_browser_at_every_step(
    hanna: Newcomer, pool: list[PhoneNumber], begin_stage: Stage
) -> None:
    async def elsewhere() -> str:
        browser = Browser(begin_stage)
        async with hanna.database.transaction(everyone=WHY) as db:
            link = f"/sign-in/{await sessions.make_link_token(db, hanna.id)}"
        await browser.post(link)
        leads = (await browser.get("/begin")).headers["location"]
        await browser.aclose()
        return str(leads)

    assert await elsewhere() == "/begin/business"
    await hanna.tell("/begin/business", **BUSINESS)
    assert await elsewhere() == "/begin/knowledge"
    await hanna.tell("/begin/knowledge", address="Mill Street 12")
    assert await elsewhere() == "/begin/call"
    await hanna.gets(100)
    await hanna.tell("/begin/number", number=str(pool[0].id))
    assert await elsewhere() == "/"
    for step in ("business", "knowledge", "call", "number", "credits"):
        assert "5 of 5 done" in await hanna.page(f"/begin/{step}"), "each can be gone back to"


async def test_a_field_that_is_left_saves_the_form_and_says_what_is_wrong(hanna: Newcomer) -> None:
    await hanna.tell("/begin/business", **BUSINESS)
    by_script = {"accept": "application/json"}
    saved = await hanna.browser.post("/begin/knowledge", data={"address": "Mill Street 12"}, headers=by_script)
    assert (saved.status_code, saved.json()) == (200, {"errors": {}})
    assert any(entry.answer == "Mill Street 12" for entry in (await hanna.draft()).knowledge)
    wrong = await hanna.browser.post("/begin/knowledge", data={"hours_monday": "nine"}, headers=by_script)
    assert wrong.status_code == 200 and wrong.json()["errors"]["hours_monday"].startswith("Write it like 9–18")
    saved = await hanna.browser.post("/begin/business", data={**BUSINESS, "business": "Anna"}, headers=by_script)
    assert saved.json() == {"errors": {}} and (await hanna.draft()).business == "Anna"
    page = await hanna.page("/begin/knowledge")
    assert "data-autosave" in page and "/static/begin." in page and re.search(r'role="status" data-state', page)
