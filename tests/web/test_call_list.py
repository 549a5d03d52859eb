"""The list of calls: what is asked for stands in the address, is said in a sentence, and is found page by page."""

import re
import uuid
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from talktime.calls import lifecycle
from talktime.db.session import Database
from tests.people import Person
from tests.web.conftest import Browser
from tests.web.stage import answer, finish, ring, say
from tests.web.test_overview import move, speak
from tests.web.test_pages import words_of


def listed(page: str) -> list[str]:
    """The calls of a page, from top to bottom."""
    return re.findall(r'<details class="call[^"]*" id="call-([^"]+)"', page)


async def talk(database: Database, person: Person, said: str, **more: str) -> uuid.UUID:
    call = await answer(database, person)
    await say(database, person, call, 1, "Good morning.")
    await say(database, person, call, 2, said)
    await finish(database, person, call, 20, **more)
    return call


def today(days: int = 0) -> str:
    """A day on Alice's calendar."""
    return f"{datetime.now(ZoneInfo('Europe/Berlin')) - timedelta(days=days):%Y-%m-%d}"


async def test_words_find_the_calls_in_which_they_were_said_and_show_where(
    as_alice: Browser, database: Database, alice: Person
) -> None:
    dogs = await talk(database, alice, "May I bring both of my dogs along?")
    await talk(database, alice, "How much is a checkup?")
    page = (await as_alice.get("/calls", params={"words": "dogs"})).text
    assert listed(page) == [str(dogs)]
    assert "<mark>dogs</mark>" in page and "bring both of my" in words_of(page)
    assert "Only some calls are shown: somebody says “dogs”. Show all calls" in words_of(page)
    assert 'value="dogs"' in page and '<a class="link" href="/calls">Show all calls</a>' in page


async def test_filters_go_together(as_alice: Browser, database: Database, alice: Person) -> None:
    wanted = await talk(database, alice, "About the dogs.")
    old = await talk(database, alice, "About the dogs, too.")
    await move(database, old, 5)
    await talk(database, alice, "About the dogs as well.", reason="lost")
    await talk(database, alice, "About cats.")
    asked = {"agent": str(alice.agent), "outcome": "answered", "from": today(1), "to": today(), "words": "dogs"}
    page = (await as_alice.get("/calls", params=asked)).text
    assert listed(page) == [str(wanted)]
    said = words_of(page)
    assert "came to “Answered”; from" in said and "somebody says “dogs”." in said
    assert re.search(rf'<option value="{alice.agent}" selected>', page)
    assert '<option value="answered" selected>' in page and f'value="{today(1)}"' in page
    page = (await as_alice.get("/calls", params={"from": today(5), "to": today(5)})).text
    assert listed(page) == [str(old)] and "Only some calls are shown: on " in words_of(page)


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [("answered", "caller_hung_up"), ("failed", "error"), ("ended_early", "silence"), ("put_through", "transferred")],
)
async def test_a_call_is_found_by_what_it_came_to(
    as_alice: Browser, database: Database, alice: Person, outcome: str, reason: str
) -> None:
    call = await talk(database, alice, "Hello.", reason=reason)
    assert listed((await as_alice.get("/calls", params={"outcome": outcome})).text) == [str(call)]
    assert listed((await as_alice.get("/calls", params={"outcome": "after_hours"})).text) == []


async def test_a_message_is_found_as_one(as_alice: Browser, database: Database, alice: Person) -> None:
    call = await answer(database, alice)
    async with database.transaction(user=alice.id) as db:
        await lifecycle.note_outcome(db, alice.id, call, "message", "Please call back")
    await finish(database, alice, call, 20)
    await talk(database, alice, "Hello.")
    assert listed((await as_alice.get("/calls", params={"outcome": "message"})).text) == [str(call)]


async def test_pages_of_what_was_asked_for_neither_repeat_nor_skip(
    as_alice: Browser, database: Database, alice: Person
) -> None:
    calls = [await talk(database, alice, f"The word is ocean, number {number}.") for number in range(43)]
    for number in range(3):
        await talk(database, alice, f"Something else {number}.")
    for asked in ("words=ocean", f"agent={alice.agent}&words=ocean&outcome=answered&from={today(1)}"):
        address, seen, sizes = f"/calls?{asked}", list[str](), list[int]()
        while address:
            page = (await as_alice.get(address)).text
            found = listed(page)
            seen, sizes = seen + found, [*sizes, len(found)]
            older = re.search(r'href="(/calls\?[^"]*before=[^"]+)" rel="next"', page)
            address = older[1].replace("&amp;", "&") if older else ""
            assert len(sizes) < 5
        assert seen == [str(call) for call in reversed(calls)]
        assert sizes == [20, 20, 3]
    # A page in the middle leads back to the newest of the same, and does not change by itself.
    assert re.search(r'href="/calls\?[^"]*words=ocean[^"]*">Newest', page) and "hx-get" not in page


async def test_a_full_last_page_has_no_page_after_it(as_alice: Browser, database: Database, alice: Person) -> None:
    for number in range(20):
        await talk(database, alice, f"Just {number}.")
    page = (await as_alice.get("/calls")).text
    assert len(listed(page)) == 20 and "Older" not in page


async def test_nothing_like_that_says_so_and_leads_back(as_alice: Browser, database: Database, alice: Person) -> None:
    await talk(database, alice, "Hello.")
    page = await as_alice.get("/calls", params={"words": "zebra"})
    assert page.status_code == 200 and listed(page.text) == []
    assert "No call is like that" in words_of(page.text) and "No calls yet" not in page.text


@pytest.mark.parametrize(
    ("asked", "field", "said"),
    [
        ({"from": "2026-11-09", "to": "2026-11-02"}, "to", "This day is before the first one."),
        ({"from": "soon"}, "from", "A day such as 2026-11-03."),
        ({"to": "0001-01-01"}, "to", "A day such as 2026-11-03."),
        ({"to": "9999-12-31"}, "to", "A day such as 2026-11-03."),
        ({"words": "?!"}, "words", "Type at least one word"),
        ({"words": "a" * 300}, "words", "At most 200 characters."),
    ],
)
async def test_what_cannot_be_understood_is_said_beside_its_field_and_kept(
    as_alice: Browser, database: Database, alice: Person, *, asked: dict[str, str], field: str, said: str
) -> None:
    await talk(database, alice, "Hello.")
    page = await as_alice.get("/calls", params={**asked, "outcome": "answered"})
    assert page.status_code == 422 and listed(page.text) == []
    about = re.search(rf'id="{field}-about">([^<]+)<', page.text)
    assert about and said in about[1]
    for value in asked.values():
        assert f'value="{value}"' in page.text
    assert '<option value="answered" selected>' in page.text


@pytest.mark.parametrize("words", ["%", "'; DROP TABLE calls; --", "\0dogs", "<script>", "🐕", "a & b | !c"])
async def test_whatever_is_typed_is_looked_for_and_nothing_else(as_alice: Browser, words: str) -> None:
    page = await as_alice.get("/calls", params={"words": words})
    assert page.status_code in (200, 422) and "<script>alert" not in page.text
    assert ("Something went wrong" not in page.text and "&lt;script&gt;" in page.text) or words != "<script>"


async def test_an_agent_or_a_number_that_is_not_hers_is_no_page(
    as_bob: Browser, database: Database, alice: Person
) -> None:
    call = await talk(database, alice, "For Alice alone.")
    for asked in (
        {"agent": str(alice.agent)},
        {"agent": "nobody"},
        {"number": str(uuid.uuid4())},
        {"outcome": "everything"},
        {"before": str(call)},
        {"before": "yesterday"},
    ):
        for address in ("/calls", "/calls/live"):
            page = await as_bob.get(address, params=asked)
            assert page.status_code == 404 and "Alice" not in page.text
    assert listed((await as_bob.get("/calls", params={"words": "alone"})).text) == []


async def test_a_filtered_list_keeps_itself_up_to_date_with_what_it_asks_for(
    as_alice: Browser, database: Database, alice: Person
) -> None:
    await talk(database, alice, "About dogs.")
    page = (await as_alice.get("/calls", params={"words": "dogs", "outcome": "answered"})).text
    watch = re.search(r'hx-get="([^"]+)"', page)
    assert watch
    address = watch[1].replace("&amp;", "&")
    assert address.startswith("/calls/live?") and "words=dogs" in address
    newer = await talk(database, alice, "Dogs again.")
    await talk(database, alice, "Cats.")
    fresh = await as_alice.get(address, headers={"hx-request": "true"})
    assert listed(fresh.text)[0] == str(newer) and len(listed(fresh.text)) == 2


async def test_days_are_those_of_who_reads(as_alice: Browser, database: Database, alice: Person) -> None:
    call = await talk(database, alice, "Hello.")
    day = datetime.now(UTC).astimezone(ZoneInfo("Europe/Berlin")).date()
    for asked, found in (({"from": str(day), "to": str(day)}, True), ({"to": str(day - timedelta(days=1))}, False)):
        assert (str(call) in (await as_alice.get("/calls", params=asked)).text) == found


async def test_a_caller_who_gave_up_and_hid_their_number_reads_well(
    as_alice: Browser, database: Database, alice: Person
) -> None:
    call = await ring(database, alice, "")
    await finish(database, alice, call, 0, reason="caller_gave_up")
    words = words_of((await as_alice.get("/calls")).text)
    assert "Withheld number" in words and "gave up" in words


async def test_the_list_is_german_for_who_reads_german(as_alice: Browser, database: Database, alice: Person) -> None:
    await speak(database, alice, "de")
    await talk(database, alice, "Darf mein Hund mit?")
    page = (await as_alice.get("/calls", params={"words": "hund", "outcome": "answered", "from": today()})).text
    words = words_of(page)
    assert "Es wird nur eine Auswahl gezeigt: Ergebnis „Beantwortet“; ab" in words and "jemand sagt „hund“." in words
    assert "Alle Anrufe zeigen" in words and "Von Ihrem Guthaben" in words and "15 Credits" in words
    nothing = words_of((await as_alice.get("/calls", params={"words": "zebra"})).text)
    assert "So einen Anruf gibt es nicht" in nothing
    wrong = words_of((await as_alice.get("/calls", params={"words": "?"})).text)
    assert "Geben Sie mindestens ein Wort ein" in wrong
