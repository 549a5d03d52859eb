"""The editor: every part is shown, read back and saved, says what is wrong beside its field, and loses nothing."""

import re
import uuid

import pytest

from talktime.db.session import Database
from talktime.web.agents.parts import PARTS
from tests.agents.writing import draft_of, new_agent, write
from tests.people import Person
from tests.web.agents.pages import Editing
from tests.web.conftest import Browser
from tests.web.test_pages import words_of


@pytest.mark.parametrize("part", PARTS)
async def test_a_part_that_is_saved_as_it_is_shown_changes_nothing(
    editing: Editing, database: Database, alice: Person, part: str
) -> None:
    people = [{"name": "the workshop", "number": "+442079460958"}]
    many = {"monday": [["08:00", "10:00"], ["11:00", "12:00"], ["14:00", "00:00"]], "sunday": [["22:00", "03:00"]]}
    await write(
        database, alice, editing.agent, people=people, tools=["take_message"], call_seconds_max=100,
        hours={"week": many, "special": {"2026-12-25": []}}, fallback_forwards={"after_hours": "+442079460958"},
        turn_settings={"silence_seconds": 7.5, "end_silence_ms_max": 1500},
    )  # fmt: skip
    before = await draft_of(database, alice, editing.agent)
    answer = await editing.save(f"/{part}")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{editing.address}/{part}?done=saved")
    assert await draft_of(database, alice, editing.agent) == before
    assert "Saved. Callers hear it once you publish it." in await editing.page(f"/{part}?done=saved")


async def test_what_is_typed_stands_in_the_draft(editing: Editing, database: Database, alice: Person) -> None:
    await editing.save("/says", greeting="  Good morning.\r\nHow can I help? ", tone="", avoid="No prices.")
    await editing.save("/business", name="Desk", business="Mad Tea", language="de", zone="Europe/Vienna", facts="Here.")
    await editing.save("/knowledge", phrases=" green tea please \r\n\r\n black tea ")
    await editing.save("/voice", voice="en+f2", minutes="7,5", silence_seconds="8.5", end_silence_ms="600")
    await editing.save(
        "/instead",
        **{"fallback_texts-no_credit": "Call\r\nlater.", "fallback_forwards-after_hours": "+44 20 7946-0958"},
    )
    said = (await draft_of(database, alice, editing.agent)).content
    assert (said.greeting, said.tone, said.avoid) == ("Good morning.\nHow can I help?", "", "No prices.")
    assert (said.business, said.language, said.zone, said.facts) == ("Mad Tea", "de", "Europe/Vienna", "Here.")
    assert said.phrases == ("green tea please", "black tea")
    assert (said.voice, said.call_seconds_max) == ("en+f2", 450)
    assert said.turn_settings == {"silence_seconds": 8.5, "end_silence_ms": 600}
    assert said.fallback_texts == {"no_agent": "Nobody is here.", "no_credit": "Call later."}
    page = await editing.page("/business")
    assert "<h1>Desk</h1>" in page and '<option value="de" selected>German</option>' in page


async def test_a_number_is_read_as_people_write_it_where_the_business_is(
    editing: Editing, database: Database, alice: Person
) -> None:
    await editing.save(
        "/people", take_message="on", **{"people-0-name": "the workshop", "people-0-number": "(020) 7946-0958"}
    )
    said = (await draft_of(database, alice, editing.agent)).content
    assert [(person.name, person.number) for person in said.people] == [("the workshop", "+442079460958")]
    assert said.tools == ("take_message",)
    assert 'value="+44 20 7946 0958"' in await editing.page("/people")
    # Empty fields take somebody out again.
    await editing.save("/people", take_message=None, **{"people-0-name": "", "people-0-number": ""})
    said = (await draft_of(database, alice, editing.agent)).content
    assert (said.people, said.tools) == ((), ())


@pytest.mark.parametrize(
    ("part", "field", "typed", "said"),
    [
        ("says", "greeting", "x" * 2001, "Write at most 2,000 characters; these are 2,001."),
        ("says", "instructions", "ü" * 10_001, "Write at most 20,000 bytes; these are 20,002."),
        ("says", "tone", "a\x07b", "Take out the character U+0007: it can be neither shown nor spoken."),
        ("business", "business", "x" * 201, "Write at most 200 characters"),
        ("business", "name", "", "Write what you call this agent."),
        ("business", "language", "fr", "No voice here speaks this language."),
        ("business", "zone", "Mars/Olympus", "Choose one of the time zones"),
        ("knowledge", "phrases", "\n".join(["tea"] * 201), "There may be at most 200 phrases; these are 201."),
        ("knowledge", "phrases", "fine\n" + "x" * 301, "Write at most 300 characters; these are 301."),
        ("people", "people-1-number", "0900 123456", "Callers are not put through to premium"),
        ("people", "people-1-number", "12", "Write a whole number, with the country’s code"),
        ("people", "people-1-name", "x" * 81, "Write at most 80 characters"),
        ("voice", "silence_seconds", "soon", "Write a number, such as 7."),
        ("voice", "silence_seconds", "1e5", "Write a number, such as 7."),
        ("voice", "silence_seconds", "0", "Between 1 and 60 seconds."),
        ("voice", "end_silence_ms", "700.5", "Write a whole number, such as 550."),
        ("voice", "end_silence_ms", "3000", "This must lie between the wait after a whole sentence"),
        ("voice", "still_there_times", "6", "Between 0 and 5 times."),
        ("voice", "minutes", "", "Write how many minutes a call may take, such as 30."),
        ("voice", "minutes", "0.1", "Between half a minute and 240 minutes."),
        ("voice", "minutes", "9" * 11, "Between half a minute and 240 minutes."),
        ("instead", "fallback_texts-no_credit", "x" * 501, "Write at most 500 characters"),
        ("instead", "fallback_forwards-after_hours", "12", "Write a whole number"),
    ],
)
async def test_what_cannot_be_is_said_beside_its_field_and_what_was_typed_stays(
    *, editing: Editing, database: Database, alice: Person, part: str, field: str, typed: str, said: str
) -> None:
    before = await draft_of(database, alice, editing.agent)
    answer = await editing.save(f"/{part}", **{field: typed})
    assert answer.status_code == 422
    assert said.replace("’", "&#39;") in answer.text or said in words_of(answer.text)
    assert re.search(rf'id="{field}-about">', answer.text)
    assert re.search(rf'id="{field}"[^>]*aria-invalid="true"', answer.text)
    if len(typed) < 20 and typed.isprintable() and field not in ("language", "zone"):  # which are chosen
        assert f'value="{typed}"' in answer.text or typed in answer.text
    assert await draft_of(database, alice, editing.agent) == before


async def test_everything_that_is_wrong_is_said_at_once(editing: Editing) -> None:
    answer = await editing.save("/says", greeting="x" * 2001, tone="x" * 1001)
    assert answer.text.count('class="small problem"') == 2
    # The first of them is where one begins to mend.
    assert len(re.findall(r"<textarea[^>]* autofocus", answer.text)) == 1


async def test_an_error_of_the_people_stands_in_the_row_that_it_was_typed_in(editing: Editing) -> None:
    names = {"people-0-name": "", "people-0-number": "", "people-2-name": "Doctor Marsh", "people-2-number": "12"}
    answer = await editing.save("/people", **names)
    assert answer.status_code == 422 and 'id="people-2-number-about"' in answer.text


async def test_texts_as_long_as_they_may_be_are_saved(editing: Editing, database: Database, alice: Person) -> None:
    # Each of these is three times as long in a form.
    longest = {"instructions": "ü" * 10_000, "avoid": "ß" * 4000, "tone": "é" * 1000, "greeting": "ä" * 2000}
    assert (await editing.save("/says", **longest)).status_code == 303
    assert (await draft_of(database, alice, editing.agent)).content.instructions == longest["instructions"]


async def test_what_is_longer_than_any_form_is_refused_in_words(editing: Editing) -> None:
    answer = await editing.send("/says", {"instructions": "x" * 600_000})
    assert answer.status_code == 422 and "This form is too long." in answer.text


@pytest.mark.parametrize("part", ["", *(f"/{part}" for part in PARTS), "/answer", "/publish", "/versions", "/prompt"])
async def test_bob_finds_nothing_of_alices(as_bob: Browser, agent: uuid.UUID, part: str) -> None:
    assert (await as_bob.get(f"/agents/{agent}{part}")).status_code == 404


async def test_bob_changes_nothing_of_alices(
    as_bob: Browser, agent: uuid.UUID, database: Database, alice: Person
) -> None:
    before = await draft_of(database, alice, agent)
    posts = [*PARTS, "hours/days", "hours/days/2026-12-25/remove", "answer", "answer/remove", "publish", "discard"]
    posts += ["switch", "archive", "restore", "versions/1/roll-back"]
    fields = {
        "minutes": "30",
        "questions": "q",
        "answer": "a",
        "day": "2026-12-25",
        "kind": "closed",
        "after": "closed",
    }
    for place in posts:
        answer = await as_bob.post(f"/agents/{agent}/{place}", data=fields)
        assert answer.status_code == 404, place
    assert await draft_of(database, alice, agent) == before


@pytest.mark.parametrize("part", ["", "/says", "/versions", "/prompt?which=published", "/versions/1"])
@pytest.mark.parametrize("which", ["nothing", "0199c8f5-0000-7000-8000-000000000001"])
async def test_what_there_is_not_is_not_there(as_alice: Browser, which: str, part: str) -> None:
    assert (await as_alice.get(f"/agents/{which}{part}")).status_code == 404


async def test_who_is_not_signed_in_is_led_there(browser: Browser, agent: uuid.UUID) -> None:
    for place in ("/agents", "/agents/new", f"/agents/{agent}/hours"):
        assert (await browser.get(place)).headers["location"].startswith("/sign-in?next=")
    assert (await browser.post(f"/agents/{agent}/says", data={"greeting": "mine"})).status_code == 401


async def test_what_keeps_it_from_being_published_is_listed_with_the_way_there(
    as_alice: Browser, database: Database, alice: Person
) -> None:
    agent = await new_agent(database, alice)
    await write(database, alice, agent, greeting=" ", knowledge=[{"key": "cake"}], answers_after_hours=False)
    page = (await as_alice.get(f"/agents/{agent}")).text
    words = words_of(page)
    assert "Before it can be published:" in words
    for part, said in (
        ("says", "Write what the agent says when it answers."),
        ("knowledge", "Write at least one way to ask for cake."),
        ("hours", "Say when you are open, or let the agent answer at any time."),
    ):
        assert f'href="/agents/{agent}/{part}"' in page and said in words
    assert page.count('class="mark-it warn"') == 3


async def test_a_part_that_is_changed_and_not_published_is_marked(
    editing: Editing, published: uuid.UUID, database: Database, alice: Person
) -> None:
    assert "mark-it" not in await editing.page()
    await write(database, alice, published, tone="Brief.")
    page = await editing.page("/hours")
    assert page.count('class="mark-it"') == 1
    assert "Changed and not published: Tone." in words_of(page)


async def test_the_agent_to_try_is_the_draft_and_may_use_the_microphone_here(editing: Editing) -> None:
    answer = await editing.browser.get(editing.address)
    assert "microphone=(self)" in answer.headers["permissions-policy"]
    assert f'action="{editing.address}/call"' in answer.text and 'name="draft" value="on"' in answer.text


async def test_voices_that_are_known_are_offered_and_any_other_can_be_typed(
    editing: Editing, database: Database, alice: Person
) -> None:
    for language, known in (("en", "en-us+f3"), ("de", "de+f3")):
        await editing.save("/business", language=language)
        page = await editing.page("/voice")
        assert 'id="voice" name="voice"' in page and 'list="voices"' in page
        assert f'<option value="{known}">' in page
    await editing.save("/voice", voice="somebody else's")
    assert (await draft_of(database, alice, editing.agent)).content.voice == "somebody else's"


async def test_its_numbers_are_shown(as_alice: Browser, alice: Person) -> None:
    page = words_of((await as_alice.get(f"/agents/{alice.agent}")).text)
    assert "+1 555" in page and "No number leads to this agent yet." not in page


async def test_german_is_spoken_to_who_reads_german(editing: Editing) -> None:
    await editing.browser.post("/settings", data={"name": "Alice", "locale": "de", "zone": "Europe/Berlin"})
    page = words_of(await editing.page("/hours"))
    assert "Öffnungszeiten" in page and "Montag" in page and "Freitag, 25. Dezember 2026" in page
    answer = await editing.save("/says", greeting="x" * 2001)
    assert "Schreiben Sie höchstens 2.000 Zeichen; es sind 2.001." in answer.text
    assert 'value="7,5"' in (await editing.save("/voice", silence_seconds="7,5", minutes="")).text
