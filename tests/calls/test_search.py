"""Finding calls: by filters and by words, each once and in order, nobody else's, and nothing that is not kept."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from talktime.calls import retention, search
from talktime.calls.history import CallFilter, Place
from talktime.calls.models import Party
from talktime.calls.retention import Keep
from talktime.calls.search import CameTo, Found, NothingToLookFor, filter_of
from talktime.db.base import new_id
from talktime.db.session import Database
from tests.calls.calling import CALLER, called
from tests.db.everything import become_owner
from tests.people import WHY, Person, new_person

HELLO = "Rose Lane Dental, how can I help?"


@pytest.fixture
async def alice(database: Database) -> Person:
    return await new_person(database, "Alice", credits=100_000)


async def find(
    database: Database,
    person: Person,
    words: str = "",
    which: CallFilter | None = None,
    *,
    limit: int = 50,
    after: Place | None = None,
) -> Found:
    async with database.transaction(user=person.id) as db:
        return await search.search(db, person.id, which, words=words, limit=limit, after=after)


async def ids(database: Database, person: Person, words: str, which: CallFilter | None = None) -> list[uuid.UUID]:
    return [call.id for call in (await find(database, person, words, which)).calls]


async def all_pages(
    database: Database, person: Person, words: str, which: CallFilter | None = None, *, limit: int
) -> list[uuid.UUID]:
    found, after = [], None
    while True:
        page = await find(database, person, words, which, limit=limit, after=after)
        assert len(page.calls) <= limit
        found += [call.id for call in page.calls]
        if page.older is None:
            return found
        after = page.older


async def test_words_are_found_whoever_said_them_in_whatever_case(database: Database, alice: Person) -> None:
    one = await called(database, alice, HELLO, "I need an appointment for Mrs Grüneberg.")
    other = await called(database, alice, HELLO, "When are you open?")
    assert await ids(database, alice, "GRÜNEBERG") == [one]
    assert await ids(database, alice, "dental") == [other, one]
    assert await ids(database, alice, "zebra") == []


async def test_every_word_must_be_said_but_not_in_one_breath(database: Database, alice: Person) -> None:
    one = await called(database, alice, HELLO, "My name is Weber.", "What is it about?", "The bill.")
    await called(database, alice, HELLO, "My name is Weber.")
    assert await ids(database, alice, "bill weber") == [one]
    assert await ids(database, alice, "  weber,  BILL! ") == [one]


async def test_a_word_of_three_letters_finds_longer_ones_and_a_shorter_one_only_itself(
    database: Database, alice: Person
) -> None:
    one = await called(database, alice, HELLO, "Haben Sie noch Termine?")
    assert await ids(database, alice, "termin") == [one]
    assert await ids(database, alice, "ter") == [one]
    assert await ids(database, alice, "te") == []
    assert await ids(database, alice, "Sie") == [one]


@pytest.mark.parametrize(
    "words", ["'", "it's", "a & b | !c", ":*", "\\", "100%", "x:*y", '"', "(", "+49 30 123", "\0a", "a\\'b"]
)
async def test_whatever_is_typed_is_words_or_nothing(database: Database, alice: Person, words: str) -> None:
    said = words.replace("\0", "")
    one = await called(database, alice, HELLO, f"He said {said} to me.")
    try:
        assert await ids(database, alice, words) == [one]
    except NothingToLookFor:
        assert not any(letter.isalnum() for letter in words)
    async with database.transaction(user=alice.id) as db:
        with pytest.raises(NothingToLookFor):
            await search.search(db, alice.id, words="x" * 201)
        assert (await search.search(db, alice.id, words=" ")).calls  # no words are no filter


async def test_no_word_is_told_beside_the_field_and_the_transaction_goes_on(database: Database, alice: Person) -> None:
    one = await called(database, alice, HELLO)
    for which in (None, CallFilter(agent=alice.agent)):
        async with database.transaction(user=alice.id) as db:
            with pytest.raises(NothingToLookFor) as told:
                await search.search(db, alice.id, which, words="?!")
            assert told.value.field == "words"
            assert [call.id for call in (await search.search(db, alice.id)).calls] == [one]


@pytest.mark.parametrize("words", ["", "dental", "dental help"])
@pytest.mark.parametrize("is_filtered", [False, True])
async def test_pages_show_every_call_once_and_in_order(
    database: Database, alice: Person, words: str, is_filtered: bool
) -> None:
    made = [await called(database, alice, HELLO) for _ in range(9)]
    await called(database, await new_person(database, "Bob", credits=100), HELLO)
    which = CallFilter(agent=alice.agent) if is_filtered else None
    for limit in (1, 2, 4, 9, 10):
        assert await all_pages(database, alice, words, which, limit=limit) == made[::-1]


async def test_calls_of_years_are_found_in_order_however_far_apart(database: Database, alice: Person) -> None:
    made = []
    async with database.transaction(everyone=WHY) as db:
        await become_owner(db)
        for number in range(12):
            at = datetime.now(UTC) - timedelta(days=2000 / (number + 1))
            call = uuid.UUID(f"{int(at.timestamp() * 1000):012x}{new_id().hex[12:]}")
            values = {"user": alice.id, "call": call, "at": at, "agent": alice.agent, "name": f"CA{call.hex}"}
            await db.execute(_A_CALL, values)
            for turn, said in enumerate((HELLO, f"It is number {number}."), start=1):
                await db.execute(_A_TURN, {"user": alice.id, "call": call, "turn": turn, "said": said})
            made.append(call)
    assert await all_pages(database, alice, "dental", limit=5) == made[::-1]
    assert await all_pages(database, alice, "dental number", limit=5) == made[::-1]
    assert await ids(database, alice, "number 3") == [made[3]]
    year = filter_of(began_before=datetime.now(UTC) - timedelta(days=365))
    assert await all_pages(database, alice, "dental", year, limit=2) == made[:5][::-1]
    assert await ids(database, alice, "7", year) == []
    assert await all_pages(database, alice, "dental", filter_of(agent=alice.agent), limit=3) == made[::-1]


_A_CALL = text(
    "INSERT INTO calls (user_id, id, agent_id, agent_version, direction, carrier, carrier_call_id, status, route,"
    " started_at, answered_at, ended_at, end_reason, seconds) VALUES (:user, :call, :agent, 1, 'INBOUND', 'simulated',"
    " :name, 'COMPLETED', 'talk', :at, :at, :at, 'caller_hung_up', 0)"
)
_A_TURN = text(
    "INSERT INTO call_turns (user_id, call_id, turn_no, speaker, text, began_ms, ended_ms)"
    " VALUES (:user, :call, :turn, 'AGENT', :said, 0, 900)"
)


async def test_each_filter_goes_with_words(database: Database, alice: Person) -> None:
    hung_up = await called(database, alice, HELLO)
    silent = await called(database, alice, HELLO, reason="silence")
    async with database.transaction(user=alice.id) as db:
        number = (await search.search(db, alice.id)).calls[0].number_id
        await db.execute(text("UPDATE calls SET outcome = 'message' WHERE id = :call"), {"call": hung_up})
    filters: Sequence[tuple[CallFilter, list[uuid.UUID]]] = [
        (filter_of(came_to=CameTo.ANSWERED), [hung_up]),
        (filter_of(came_to=CameTo.MESSAGE), [hung_up]),
        (filter_of(came_to=CameTo.ENDED_EARLY), [silent]),
        (filter_of(came_to=CameTo.FAILED), []),
        (filter_of(agent=alice.agent), [silent, hung_up]),
        (filter_of(agent=uuid.uuid4()), []),
        (filter_of(number=number), [silent, hung_up]),
        (filter_of(caller=CALLER), [silent, hung_up]),
        (filter_of(caller="+49301234"), []),
        (filter_of(began_from=datetime.now(UTC) - timedelta(minutes=5)), [silent, hung_up]),
        (filter_of(began_from=datetime.now(UTC) + timedelta(minutes=5)), []),
        (filter_of(began_before=datetime.now(UTC) - timedelta(minutes=5)), []),
    ]
    for which, expected in filters:
        assert await ids(database, alice, "dental", which) == expected, which
        assert await ids(database, alice, "", which) == expected, which


def test_what_a_call_came_to_has_one_meaning() -> None:
    reasons = [reason for came_to in CameTo for reason in filter_of(came_to=came_to).end_reasons or ()]
    assert len(reasons) == len(set(reasons))


async def test_an_excerpt_shows_the_word_within_what_was_said(database: Database, alice: Person) -> None:
    long = "so " * 60
    call = await called(database, alice, HELLO, f"{long}my appointments are gone, <b>all</b> {long}")
    excerpt = (await find(database, alice, "appointment")).excerpts[call]
    assert (excerpt.turn_no, excerpt.speaker, excerpt.hit) == (2, Party.CALLER, "appointments")
    assert excerpt.before.startswith("…so ")
    assert excerpt.before.endswith(" my ")
    assert excerpt.after.startswith(" are gone, <b>all</b> so")
    assert excerpt.after.endswith("…")
    assert len(excerpt.before + excerpt.after) < 130
    short = (await find(database, alice, "dental")).excerpts[call]
    assert (short.before, short.hit, short.after) == ("Rose Lane ", "Dental", ", how can I help?")


async def test_a_live_call_is_found_by_what_was_said_so_far(database: Database, alice: Person) -> None:
    call = await called(database, alice, HELLO, is_over=False)
    assert await ids(database, alice, "dental") == [call]


async def test_what_is_not_kept_any_longer_is_not_found(empty_database: Database) -> None:
    carol = await new_person(empty_database, "Carol", credits=1000)
    old = await called(empty_database, carol, HELLO, at=datetime.now(UTC) - timedelta(days=20))
    new = await called(empty_database, carol, HELLO)
    assert set(await ids(empty_database, carol, "dental")) == {old, new}
    await retention.forget_old(empty_database, Keep(turns_days=10))
    assert await ids(empty_database, carol, "dental") == [new]
    async with empty_database.transaction(user=carol.id) as db:
        await db.execute(
            text("SELECT forget_calls_v1(:user, CAST(:calls AS uuid[]))"), {"user": carol.id, "calls": [new]}
        )
    assert await ids(empty_database, carol, "dental") == []


async def test_nobody_finds_what_somebody_else_was_told(database: Database, alice: Person) -> None:
    bob = await new_person(database, "Bob", credits=100)
    call = await called(database, alice, HELLO)
    assert await ids(database, bob, "dental") == []
    async with database.transaction(user=bob.id) as db:
        said = text("SELECT calls FROM said_on_v1(:user, CAST(:calls AS uuid[]), 'dental')")
        assert await db.scalar(said, {"user": bob.id, "calls": [call]}) == []
    async with database.transaction(user=alice.id) as db:
        assert (await search.search(db, alice.id, CallFilter(agent=bob.agent), words="dental")).calls == []
