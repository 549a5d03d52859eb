"""What an agent knows: one answer at a time, found by how callers ask; and answers that were wrong on a call."""

import uuid

import pytest

from talktime.calls import corrections
from talktime.db.session import Database
from tests.agents.writing import draft_of, write
from tests.people import Person
from tests.web.agents.pages import Editing, fields_of
from tests.web.conftest import Browser
from tests.web.stage import answer, finish, say
from tests.web.test_pages import words_of


async def knows(database: Database, alice: Person, agent: uuid.UUID) -> dict[str, tuple[tuple[str, ...], str]]:
    said = (await draft_of(database, alice, agent)).content
    return {entry.key: (entry.questions, entry.answer) for entry in said.knowledge}


async def test_a_new_answer_gets_a_name_of_its_own(editing: Editing, database: Database, alice: Person) -> None:
    typed = {"questions": " Wo kann ich parken? \r\n\r\nGibt es Parkplätze", "answer": "Hinter dem Haus."}
    for _ in range(2):
        sent = await editing.send("/answer", await editing.fields("/answer") | typed)
        assert (sent.status_code, sent.headers["location"]) == (303, f"{editing.address}/knowledge?done=saved")
    found = await knows(database, alice, editing.agent)
    assert list(found) == ["parking", "cake", "wo-kann-ich-parken", "wo-kann-ich-parken-2"]
    assert found["wo-kann-ich-parken"] == (("Wo kann ich parken?", "Gibt es Parkplätze"), "Hinter dem Haus.")
    assert "Wo kann ich parken?" in await editing.page("/knowledge")


@pytest.mark.parametrize(
    ("question", "key"), [("Öffnen Süße?", "oeffnen-suesse"), ("…", "answer"), ("x" * 99, "x" * 56)]
)
async def test_any_question_makes_a_name(
    editing: Editing, database: Database, alice: Person, question: str, key: str
) -> None:
    assert (await editing.send("/answer", {"questions": question, "answer": "So."})).status_code == 303
    assert key in await knows(database, alice, editing.agent)


async def test_an_answer_is_changed_where_it_stands(editing: Editing, database: Database, alice: Person) -> None:
    fields = await editing.fields("/answer?key=parking", "/answer")
    assert fields["questions"] == "where can i park" and fields["answer"] == "Behind the house."
    assert (await editing.send("/answer", fields | {"answer": "In front of it."})).status_code == 303
    found = await knows(database, alice, editing.agent)
    assert list(found) == ["parking", "cake"] and found["parking"][1] == "In front of it."


async def test_an_answer_is_taken_out_once(editing: Editing, database: Database, alice: Person) -> None:
    for _ in range(2):
        assert (await editing.send("/answer/remove", {"key": "parking"})).status_code == 303
    assert list(await knows(database, alice, editing.agent)) == ["cake"]
    assert (await editing.browser.get(f"{editing.address}/answer?key=parking")).status_code == 404


@pytest.mark.parametrize(
    ("typed", "field", "said"),
    [
        ({"questions": " \n ", "answer": "So."}, "questions", "Write at least one way in which callers ask for it."),
        ({"questions": "why", "answer": " "}, "answer", "Write what the agent answers."),
        ({"questions": "why", "answer": "x" * 2001}, "answer", "Write at most 2,000 characters; these are 2,001."),
        ({"questions": "x" * 301, "answer": "So."}, "questions", "Write at most 300 characters; these are 301."),
        ({"questions": "why\n" * 31, "answer": "So."}, "questions", "There may be at most 30 questions; these are 31."),
    ],
)
async def test_what_is_wrong_is_said_beside_its_field(
    *, editing: Editing, database: Database, alice: Person, typed: dict[str, str], field: str, said: str
) -> None:
    before = await draft_of(database, alice, editing.agent)
    sent = await editing.send("/answer", typed)
    assert sent.status_code == 422 and f'id="{field}-about">{said}' in sent.text
    assert await draft_of(database, alice, editing.agent) == before


async def test_two_at_different_answers_both_keep_theirs(
    editing: Editing, elsewhere: Editing, database: Database, alice: Person
) -> None:
    fields = await editing.fields("/answer?key=parking", "/answer")
    theirs = await elsewhere.fields("/answer?key=cake", "/answer")
    await elsewhere.send("/answer", theirs | {"answer": "Always."})
    assert (await editing.send("/answer", fields | {"answer": "In front."})).status_code == 303
    found = await knows(database, alice, editing.agent)
    assert (found["parking"][1], found["cake"][1]) == ("In front.", "Always.")


async def test_of_two_at_one_answer_the_later_sees_both(
    editing: Editing, elsewhere: Editing, database: Database, alice: Person
) -> None:
    fields = await editing.fields("/answer?key=parking", "/answer")
    await elsewhere.send("/answer", fields | {"answer": "Theirs."})
    sent = await editing.send("/answer", fields | {"answer": "Mine."})
    assert sent.status_code == 409
    assert "Somebody else changed this answer meanwhile." in sent.text and "<p>Theirs.</p>" in sent.text
    assert (await knows(database, alice, editing.agent))["parking"][1] == "Theirs."
    again = fields_of(sent.text, f"{editing.address}/answer")
    assert again["answer"] == "Mine."
    assert (await editing.send("/answer", again)).status_code == 303
    assert (await knows(database, alice, editing.agent))["parking"][1] == "Mine."


async def test_an_answer_that_somebody_took_out_meanwhile_is_written_anew(
    editing: Editing, elsewhere: Editing, database: Database, alice: Person
) -> None:
    fields = await editing.fields("/answer?key=parking", "/answer")
    await elsewhere.send("/answer/remove", {"key": "parking"})
    assert (await editing.send("/answer", fields | {"answer": "Mine."})).status_code == 303
    assert list(await knows(database, alice, editing.agent)) == ["cake", "parking"]


async def test_as_many_as_there_may_be_and_no_more(editing: Editing, database: Database, alice: Person) -> None:
    many = [{"key": f"k{number}", "questions": ["q"], "answer": "a"} for number in range(200)]
    await write(database, alice, editing.agent, knowledge=many)
    sent = await editing.send("/answer", {"questions": "one more", "answer": "So."})
    assert sent.status_code == 422
    assert "There may be at most 200 entries; these are 201." in sent.text and "one more" in sent.text


async def test_an_answer_that_was_wrong_stands_beside_the_agent_until_somebody_is_done_with_it(
    as_alice: Browser, as_bob: Browser, database: Database, alice: Person
) -> None:
    call = await answer(database, alice)
    await say(database, alice, call, 1, "We are closed on Mondays.")
    await finish(database, alice, call, 30)
    async with database.transaction(user=alice.id) as db:
        await corrections.record(db, alice.id, call, 1, "We are open on Mondays from nine.")
    address = f"/agents/{alice.agent}"
    page = words_of((await as_alice.get(address)).text)
    assert "These answers were wrong" in page
    assert "“We are closed on Mondays.”" in page and "“We are open on Mondays from nine.”" in page
    written = fields_of((await as_alice.get(f"{address}/answer?call={call}&turn=1")).text, f"{address}/answer")
    assert written["answer"] == "We are open on Mondays from nine."

    assert (await as_bob.post(f"{address}/corrections/{call}/1")).status_code == 404
    assert (await as_bob.get(f"{address}/answer?call={call}&turn=1")).status_code == 404
    for _ in range(2):
        done = await as_alice.post(f"{address}/corrections/{call}/1", data={"part": "knowledge"})
        assert (done.status_code, done.headers["location"]) == (303, f"{address}/knowledge?done=settled")
    assert "These answers were wrong" not in (await as_alice.get(address)).text


@pytest.mark.parametrize("turn", ["0", "99999999999999999999", "-1", "one"])
async def test_a_correction_that_there_is_not_is_not_there(as_alice: Browser, alice: Person, turn: str) -> None:
    sent = await as_alice.post(f"/agents/{alice.agent}/corrections/{uuid.uuid4()}/{turn}")
    assert sent.status_code == 404
