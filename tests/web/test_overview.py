"""The overview: how the day goes, the newest calls with the live ones on top, and what needs looking at."""

import re
from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from talktime.agents import drafts
from talktime.calls import corrections
from talktime.db.session import Database
from tests.db.everything import become_owner
from tests.people import WHY, Person, new_person
from tests.web.conftest import Browser, OpenBrowser, signed_in
from tests.web.stage import answer, extend, finish, ring, say
from tests.web.test_pages import LATENCY, words_of


async def move(database: Database, call: object, days: int) -> None:
    """Let a call have been so many days ago."""
    async with database.transaction(everyone=WHY) as db:
        await become_owner(db)
        await db.execute(
            text(
                "UPDATE calls SET started_at = started_at - make_interval(days => :days),"
                " answered_at = answered_at - make_interval(days => :days),"
                " ended_at = ended_at - make_interval(days => :days) WHERE id = :call"
            ),
            {"days": days, "call": call},
        )


async def speak(database: Database, person: Person, language: str) -> None:
    """From now on this person reads another language."""
    async with database.transaction(everyone=WHY) as db:
        await db.execute(text("UPDATE users SET locale = :it WHERE id = :id"), {"it": language, "id": person.id})


async def test_the_day_is_told_in_four_figures_that_can_be_checked(
    as_alice: Browser, database: Database, alice: Person
) -> None:
    for seconds in (95, 30):
        call = await answer(database, alice)
        await say(database, alice, call, 1, "Good morning.", latency=LATENCY)
        if seconds > 60:
            await extend(database, alice, call)
        await finish(database, alice, call, seconds)
    gave_up = await ring(database, alice)
    await finish(database, alice, gave_up, 0, reason="caller_gave_up")
    words = words_of((await as_alice.get("/")).text)
    assert "Calls today 3" in words
    assert "Answered by the agent 67 % 2 of 3 calls" in words
    assert "Talk today 2 min 45 credits" in words
    assert "Reply time 0.65 s median, last word to voice" in words


async def test_a_ringing_call_says_nothing_yet_of_how_many_are_answered(
    as_alice: Browser, database: Database, alice: Person
) -> None:
    await finish(database, alice, await answer(database, alice), 10)
    await ring(database, alice)
    words = words_of((await as_alice.get("/")).text)
    assert "Calls today 2" in words and "Answered by the agent 100 % 1 of 1 calls" in words


async def test_a_usual_day_is_told_from_the_same_weekdays_before(
    as_alice: Browser, database: Database, alice: Person
) -> None:
    weekday = f"{datetime.now(UTC) + timedelta(hours=1):%A}"
    assert "on a usual" not in words_of((await as_alice.get("/")).text)
    for days in (7, 7, 7, 14, 3, 20):
        call = await answer(database, alice)
        await finish(database, alice, call, 30)
        await move(database, call, days)
    words = words_of((await as_alice.get("/")).text)
    # Three and one on the two such days since the first call.
    assert re.search(r"Calls today 0 2 on a usual \w+day", words), (weekday, words)
    assert "Talk time of the last four weeks, by day" in (await as_alice.get("/")).text


async def test_an_account_that_has_only_begun_is_led_through_its_first_hour(
    open_browser: OpenBrowser, database: Database
) -> None:
    nora = await new_person(database, "Nora", credits=0)
    async with database.transaction(everyone=WHY) as db:
        taken = {"number": nora.number}
        await db.execute(
            text(
                "UPDATE phone_numbers SET user_id = NULL, agent_id = NULL, status = 'AVAILABLE' WHERE number = :number"
            ),
            taken,
        )
        await db.execute(
            text("UPDATE agents SET active = false, archived_at = now() WHERE id = :id"), {"id": nora.agent}
        )
    page = (await (await signed_in(open_browser(), database, nora)).get("/")).text
    assert 'href="/begin"' in page and "Next:" in page and "No calls yet" in page
    assert "/talk" not in page and 'id="talk-chart"' not in page


async def test_the_head_leads_to_a_call_with_the_agent_and_to_more_credit(as_alice: Browser, alice: Person) -> None:
    page = (await as_alice.get("/")).text
    assert f'href="/agents/{alice.agent}/talk"' in page and 'href="/credits"' in page
    assert 'href="/begin"' not in page


async def test_what_needs_looking_at_stands_there_and_leads_to_where_it_is_mended(
    as_alice: Browser, database: Database, alice: Person
) -> None:
    assert "Nothing: all is well." in words_of((await as_alice.get("/")).text)
    call = await answer(database, alice)
    await say(database, alice, call, 1, "We are in Rome.")
    await finish(database, alice, call, 50)
    async with database.transaction(user=alice.id) as db:
        await corrections.record(db, alice.id, call, 1, "We are in Paris.")
        await drafts.save(db, alice.id, alice.agent, {"greeting": "Another greeting."}, revision=None)
    page = (await as_alice.get("/")).text
    words = words_of(page)
    assert "are not published" in words and "One answer of" in words
    assert page.count(f'href="/agents/{alice.agent}"') >= 3
    assert "Nothing: all is well." not in words


async def test_an_agent_without_a_number_or_switched_off_is_mentioned(
    as_alice: Browser, database: Database, alice: Person
) -> None:
    async with database.transaction(everyone=WHY) as db:
        await db.execute(
            text(
                "UPDATE phone_numbers SET user_id = NULL, agent_id = NULL, status = 'AVAILABLE' WHERE number = :number"
            ),
            {"number": alice.number},
        )
        await db.execute(text("UPDATE agents SET active = false WHERE id = :id"), {"id": alice.agent})
    words = words_of((await as_alice.get("/")).text)
    assert "has no number" in words and "is switched off" in words and "no number yet switched off" in words


async def test_bobs_day_is_not_alices(as_alice: Browser, database: Database, alice: Person, bob: Person) -> None:
    call = await answer(database, bob)
    await say(database, bob, call, 1, "For Bob alone.", latency=LATENCY)
    await finish(database, bob, call, 59)
    page = (await as_alice.get("/")).text
    assert str(call) not in page and "Calls today 0" in words_of(page) and "Reply time –" in words_of(page)


async def test_the_overview_is_german_for_who_reads_german(
    as_alice: Browser, database: Database, alice: Person
) -> None:
    await speak(database, alice, "de")
    live = await answer(database, alice)
    await say(database, alice, live, 1, "Guten Tag.", latency=LATENCY)
    words = words_of((await as_alice.get("/")).text)
    assert "Ein Anrufer wird gerade bedient." in words and "Anrufe heute 1" in words
    assert "0,65 s" in words and "spricht" in words and "„Guten Tag.“" in words
    assert not re.search(r"\b(calls|caller|talking|held)\b", words)
