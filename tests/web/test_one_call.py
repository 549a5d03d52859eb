"""The page of one call: what was said of its answers, the calls beside it, and its receipt in the reader's language."""

import re
import uuid

import pytest

from talktime.calls import corrections
from talktime.db.session import Database
from tests.people import Person
from tests.web.conftest import Browser
from tests.web.stage import answer, extend, finish, say
from tests.web.test_overview import speak
from tests.web.test_pages import LATENCY, talked, words_of


async def said_of(database: Database, person: Person, call: uuid.UUID) -> dict[int, str]:
    """What stands in the books of what should have been said."""
    async with database.transaction(user=person.id) as db:
        return {turn: each.text for turn, each in (await corrections.of_call(db, person.id, call)).items()}


async def test_an_answer_that_was_wrong_is_noted_changed_and_withdrawn(
    as_alice: Browser, database: Database, alice: Person
) -> None:
    call = await talked(database, alice)
    address = f"/calls/{call}/turns/3/correction"
    page = (await as_alice.get(f"/calls/{call}")).text
    assert page.count("This answer was wrong") == 2, "the agent's two answers, and nothing of the caller's"
    for text in ("It is fifty pounds.", "It is fifty pounds, for children thirty."):
        noted = await as_alice.post(address, data={"text-3": f"  {text} "})
        assert (noted.status_code, noted.headers["location"]) == (303, f"/calls/{call}?done=corrected#turn-{call}-3")
        page = (await as_alice.get(noted.headers["location"])).text
        assert f"Better: {text}" in words_of(page) and "Noted." in words_of(page)
        assert f">\n{text}</textarea>" in page, "it can be changed from what it is"
        assert await said_of(database, alice, call) == {3: text}
    gone = await as_alice.post(address, data={"do": "withdraw", "text-3": "typed, but not meant"})
    assert gone.headers["location"] == f"/calls/{call}?done=withdrawn#turn-{call}-3"
    page = (await as_alice.get(gone.headers["location"])).text
    assert "Better:" not in page and "Withdrawn" in page and await said_of(database, alice, call) == {}
    assert (await as_alice.post(address, data={"do": "withdraw"})).status_code == 404


@pytest.mark.parametrize("text", ["", "   ", "x" * 1001])
async def test_a_correction_that_cannot_be_kept_says_why_where_it_was_typed_and_loses_nothing(
    as_alice: Browser, database: Database, alice: Person, text: str
) -> None:
    call = await talked(database, alice)
    page = await as_alice.post(f"/calls/{call}/turns/3/correction", data={"text-3": text})
    assert page.status_code == 422
    assert re.search(r'id="text-3-about">Write what the agent should have said', page.text)
    assert f'id="correct-turn-{call}-3" open' in page.text and f'id="correct-turn-{call}-1" open' not in page.text
    assert f">\n{text}</textarea>" in page.text
    assert await said_of(database, alice, call) == {}


async def test_only_an_answer_of_the_agent_can_be_wrong(as_alice: Browser, database: Database, alice: Person) -> None:
    call = await talked(database, alice)
    assert (await as_alice.post(f"/calls/{call}/turns/2/correction", data={"text-2": "No."})).status_code == 422
    for turn in ("9", "0", "-1", "99999999999999999999", "x"):
        unknown = await as_alice.post(f"/calls/{call}/turns/{turn}/correction", data={f"text-{turn}": "No."})
        assert unknown.status_code == 404
    assert await said_of(database, alice, call) == {}


async def test_bob_corrects_nothing_of_alices(
    as_alice: Browser, as_bob: Browser, browser: Browser, database: Database, alice: Person
) -> None:
    call = await talked(database, alice)
    address, fields = f"/calls/{call}/turns/3/correction", {"text-3": "Nonsense."}
    assert (await as_bob.post(address, data=fields)).status_code == 404
    assert (await browser.post(address, data=fields)).status_code == 401
    await as_alice.post(address, data=fields)
    assert (await as_bob.post(address, data={"do": "withdraw"})).status_code == 404
    assert await said_of(database, alice, call) == {3: "Nonsense."}


async def test_whatever_somebody_writes_is_text(as_alice: Browser, database: Database, alice: Person) -> None:
    call = await talked(database, alice)
    await as_alice.post(f"/calls/{call}/turns/3/correction", data={"text-3": "</textarea><script>alert(1)</script>"})
    page = (await as_alice.get(f"/calls/{call}")).text
    assert "<script>alert" not in page and page.count("&lt;script&gt;alert(1)") == 2


async def test_from_call_to_call_and_to_the_end_of_them(as_alice: Browser, database: Database, alice: Person) -> None:
    calls = [await talked(database, alice, 5) for _ in range(3)]
    found = []
    for call in calls:
        page = (await as_alice.get(f"/calls/{call}")).text
        links = re.findall(r'href="/calls/([^"]+)" rel="(prev|next)"', page)
        found.append({which: there for there, which in links})
    first, second, third = map(str, calls)
    assert found == [{"prev": second}, {"prev": third, "next": first}, {"next": second}]


async def test_each_line_of_a_receipt_leads_to_its_line_in_the_books(
    as_alice: Browser, database: Database, alice: Person
) -> None:
    call = await talked(database, alice)
    page = (await as_alice.get(f"/calls/{call}")).text
    link = re.search(r'href="(/statements/\d{4}-\d\d\?line=(\d+))#line-\2">line \2<', page)
    assert link
    assert f'id="line-{link[2]}"' in (await as_alice.get(link[1])).text


async def test_a_receipt_that_is_no_round_sum_can_be_redone_too(
    as_alice: Browser, database: Database, alice: Person
) -> None:
    call = await answer(database, alice)
    await extend(database, alice, call, 3)
    await finish(database, alice, call, 200)
    words = words_of((await as_alice.get(f"/calls/{call}")).text)
    assert "200 s, billed as 240 s: the first 60 s, then steps of 60 s." in words
    assert "240 / 60 × 15 = 60 credits" in words and "Charged 60 credits" in words


async def test_a_call_reads_in_german_from_its_first_turn_to_its_receipt(
    as_alice: Browser, database: Database, alice: Person
) -> None:
    await speak(database, alice, "de")
    call = await talked(database, alice)
    page = (await as_alice.get(f"/calls/{call}")).text
    words = words_of(page)
    for said in (
        "Agent: Forty five pounds.", "Anrufer: How much", "aus checkup price", "mittlere Antwortzeit 0,65 s",
        "Angenommen um", "Gesprächszeit nach unserer Uhr 1 min 35 s", "95 s, berechnet als 120 s: zuerst 60 s",
        "120 / 60 × 15 = 30 Credits", "Stand 1.000 → 970", "Abgebucht 30 Credits", "Das war kein echter Anruf",
        "Diese Antwort war falsch", "Der Anrufer hat aufgelegt.", "„How much is a checkup?“",
    ):  # fmt: skip
        assert said in words, said
    assert "Vom letzten Laut des Anrufers an: 214 ms" in page
    assert (await as_alice.post(f"/calls/{call}/claim", data={"reason": "spam"})).status_code == 303
    words = words_of((await as_alice.get(f"/calls/{call}")).text)
    assert "Sie sagten: „Werbung, oder jemand wollte etwas verkaufen“." in words and "sieht sich das an" in words


async def test_a_live_call_can_be_corrected_and_counts_on(as_alice: Browser, database: Database, alice: Person) -> None:
    call = await answer(database, alice)
    await say(database, alice, call, 1, "We close at five.", latency=LATENCY)
    page = (await as_alice.get(f"/calls/{call}")).text
    assert (
        "This answer was wrong" in page and "data-elapsed" in page and "Held for this call 15 credits" in words_of(page)
    )
    await as_alice.post(f"/calls/{call}/turns/1/correction", data={"text-1": "We close at six."})
    fresh = await as_alice.get(f"/calls/{call}/live", headers={"hx-request": "true"})
    assert "We close at six." in fresh.text and "<html" not in fresh.text
