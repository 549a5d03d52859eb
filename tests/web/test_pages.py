"""The pages of a customer: hers and nobody else's, in words, and safe whatever callers say."""

import re
import uuid

import pytest
from sqlalchemy import text

from talktime.agents.content import Content
from talktime.agents.publish import publish
from talktime.calls import lifecycle
from talktime.credits import money
from talktime.credits.pricing import Rate
from talktime.db.session import Database
from tests.people import WHY, Person, new_person
from tests.web.conftest import Browser, OpenBrowser, signed_in
from tests.web.stage import answer, extend, finish, ring, say

LATENCY = {"turn_decided": 214, "first_token": 390, "first_sentence": 420, "first_audio": 646}


def words_of(page: str) -> str:
    """What a page says, without its markup."""
    return " ".join(re.sub(r"<[^>]*>", " ", page.replace("<wbr>", "")).split())


async def talked(database: Database, person: Person, seconds: int = 95) -> uuid.UUID:
    call = await answer(database, person)
    await say(database, person, call, 1, "Hello, how can I help?")
    await say(database, person, call, 2, "How much is a checkup?")
    await say(database, person, call, 3, "Forty five pounds.", latency=LATENCY, sources=["checkup_price"])
    if seconds > 60:
        await extend(database, person, call)
    await finish(database, person, call, seconds)
    return call


async def test_alice_sees_her_call_with_its_words_and_its_receipt(
    as_alice: Browser, database: Database, alice: Person
) -> None:
    call = await talked(database, alice)
    page = await as_alice.get("/calls")
    assert page.status_code == 200
    words = words_of(page.text)
    assert f'id="call-{call}"' in page.text
    assert "(555) 010-0123" in words
    assert "“How much is a checkup?”" in page.text
    assert "Agent: Forty five pounds." in words and "646 ms" in words and "from checkup price" in words
    assert "95 s, billed as 120 s: the first 60 s, then steps of 60 s." in words
    assert "120 / 60 × 15 = 30 credits" in words
    assert "Balance 1,000 → 970" in words and "Charged 30 credits" in words
    assert "970 credits nothing is held" in words


async def test_bob_sees_nothing_of_alices(
    as_bob: Browser, as_alice: Browser, database: Database, alice: Person
) -> None:
    call = await talked(database, alice)
    assert (await as_alice.get(f"/calls/{call}")).status_code == 200
    for address in (f"/calls/{call}", f"/calls/{call}/live", f"/calls?before={call}"):
        page = await as_bob.get(address)
        assert page.status_code == 404
        assert "checkup" not in page.text
    for address in ("/", "/calls"):
        assert str(call) not in (await as_bob.get(address)).text


async def test_a_call_that_is_none_is_a_page_that_says_so(as_alice: Browser, browser: Browser) -> None:
    for address in (f"/calls/{uuid.uuid4()}", "/calls/garbage", "/nowhere"):
        page = await as_alice.get(address)
        assert page.status_code == 404
        assert "<h1>Not found</h1>" in page.text
    assert (await browser.get("/nowhere")).status_code == 404
    assert (await browser.get("/calls/garbage")).status_code == 404


async def test_who_is_not_signed_in_does_not_learn_whether_a_call_exists(
    browser: Browser, database: Database, alice: Person
) -> None:
    call = await talked(database, alice)
    there, not_there = await browser.get(f"/calls/{call}"), await browser.get(f"/calls/{uuid.uuid4()}")
    assert (there.status_code, there.text) == (not_there.status_code, not_there.text)


async def test_without_calls_the_page_says_what_to_ring(as_alice: Browser, alice: Person) -> None:
    words = words_of((await as_alice.get("/calls")).text)
    number = f"(555) {alice.number[5:8]}-{alice.number[8:]}"
    assert "No calls yet" in words and number in words and "talktime call" in words
    first = words_of((await as_alice.get("/")).text)
    assert "Nobody is on the line." in first and "No calls yet" in first


async def test_somebody_without_agent_number_or_credit_gets_a_page_too(
    open_browser: OpenBrowser, database: Database
) -> None:
    carol = await new_person(database, "Carol", credits=0)
    async with database.transaction(everyone=WHY) as db:
        await db.execute(
            text(
                "UPDATE phone_numbers SET user_id = NULL, agent_id = NULL, status = 'AVAILABLE' WHERE number = :number"
            ),
            {"number": carol.number},
        )
        await db.execute(
            text("UPDATE agents SET active = false, archived_at = now() WHERE id = :id"), {"id": carol.agent}
        )
    browser = await signed_in(open_browser(), database, carol)
    page = (await browser.get("/")).text
    assert 'href="/begin"' in page and "There is no credit left" in words_of(page)
    assert "As soon as an agent has a number" in words_of((await browser.get("/calls")).text)


async def test_a_live_call_is_on_top_open_and_counts(as_alice: Browser, database: Database, alice: Person) -> None:
    live = await answer(database, alice, "+493020938842")
    await say(database, alice, live, 1, "Hello, I am listening.")
    over = await talked(database, alice)
    page = (await as_alice.get("/calls")).text
    assert page.index(f"call-{live}") < page.index(f"call-{over}")
    assert f'<details class="call is-live" id="call-{live}" open>' in page
    assert f'<details class="call" id="call-{over}">' in page
    assert f'id="turns-{live}" aria-live="polite"' in page and f'id="turns-{over}" aria-label' in page
    words = words_of(page)
    assert "15 held by 1 live call" in words
    first = (await as_alice.get("/")).text
    assert "One caller is being answered right now." in words_of(first)
    assert first.index(f"call-{live}") < first.index(f"call-{over}") and "data-elapsed=" in first
    assert "+49 30 20938842" in words and "talking" in words and "data-elapsed=" in page
    assert 'hx-trigger="every 1s"' in page


async def test_a_ringing_call_is_live_and_says_nothing_yet(
    as_alice: Browser, database: Database, alice: Person
) -> None:
    call = await ring(database, alice, "")
    for address in ("/calls", f"/calls/{call}"):
        words = words_of((await as_alice.get(address)).text)
        assert "ringing" in words and "Withheld number" in words and "Nothing was said yet." in words


async def test_a_denied_call_says_why_and_that_it_is_free(open_browser: OpenBrowser, database: Database) -> None:
    dora = await new_person(database, "Dora", credits=0)
    call = await ring(database, dora)
    browser = await signed_in(open_browser(), database, dora)
    for address in ("/calls", f"/calls/{call}"):
        words = words_of((await browser.get(address)).text)
        assert "no credit" in words and "There was no credit to begin a call with." in words
        assert "Not charged: the agent did not answer, because there was no credit." in words
        assert "Charged 0 credits" in words and "Balance" not in words


@pytest.mark.parametrize(
    ("limits", "tag", "why"),
    [
        ({"per_day": 1}, "limit of the day", "because the limit for a day was reached."),
        ({"per_call": 1}, "limit of a call", "because the limit for a call is too low for one."),
        ({"per_caller": 1}, "limit of a caller", "because the limit for a caller was reached."),
    ],
)
async def test_a_call_that_a_guard_kept_out_says_which_and_that_it_is_free(
    as_alice: Browser, database: Database, alice: Person, *, limits: dict[str, int], tag: str, why: str
) -> None:
    day, each, caller = (limits.get(name) for name in ("per_day", "per_call", "per_caller"))
    async with database.transaction(user=alice.id) as db:
        await money.set_guards(db, alice.id, per_day=day, per_call=each, per_caller=caller)
    call = await ring(database, alice)
    for address in ("/calls", f"/calls/{call}"):
        words = words_of((await as_alice.get(address)).text)
        assert tag in words and why in words and "Charged 0 credits" in words


async def test_a_call_that_never_reached_the_books_has_a_receipt_too(
    as_alice: Browser, database: Database, alice: Person
) -> None:
    async with database.transaction(everyone=WHY) as db:
        await db.execute(text("UPDATE users SET status = 'SUSPENDED' WHERE id = :id"), {"id": alice.id})
    call = await ring(database, alice)
    async with database.transaction(everyone=WHY) as db:
        await db.execute(text("UPDATE users SET status = 'ACTIVE' WHERE id = :id"), {"id": alice.id})
    words = words_of((await as_alice.get(f"/calls/{call}")).text)
    assert "Your account is suspended." in words and "Not charged: the agent did not answer." in words


async def test_a_call_that_went_below_zero_shows_both_lines(open_browser: OpenBrowser, database: Database) -> None:
    erin = await new_person(database, "Erin", credits=20)
    async with database.transaction(everyone=WHY) as db:
        await money.set_limits(db, erin.id, grace_limit=20)
    call = await answer(database, erin)
    await extend(database, erin, call)
    await finish(database, erin, call, 110, reason="credit_ended")
    words = words_of((await (await signed_in(open_browser(), database, erin)).get("/calls")).text)
    assert "From your credits Balance 20 → 0 −20 line 2" in words
    assert "On grace Balance 0 → −10 −10 line 3" in words
    assert "Charged 30 credits" in words and "On grace means below zero" in words
    assert "credit ran out" in words and "−10 credits" in words


async def test_a_call_that_cost_more_than_was_held_says_who_pays(
    as_alice: Browser, database: Database, alice: Person
) -> None:
    call = await answer(database, alice)
    await finish(database, alice, call, 200)
    words = words_of((await as_alice.get(f"/calls/{call}")).text)
    assert "Charged 15 credits" in words and "45 credits more than was held: you do not pay them." in words


async def test_a_short_call_and_a_fault_of_ours_are_free(open_browser: OpenBrowser, database: Database) -> None:
    finn = await new_person(database, "Finn", credits=100, rate=Rate(credits_per_minute=15, free_seconds=10))
    short, failed = await answer(database, finn), await answer(database, finn)
    await finish(database, finn, short, 4)
    await finish(database, finn, failed, 40, reason="error", failed=True, not_charged_reason="platform_fault")
    browser = await signed_in(open_browser(), database, finn)
    assert "a call shorter than 10 s is free" in words_of((await browser.get(f"/calls/{short}")).text)
    assert "Not charged: the fault was ours." in words_of((await browser.get(f"/calls/{failed}")).text)


async def test_a_reason_that_is_not_known_is_shown_as_it_is(
    as_alice: Browser, database: Database, alice: Person
) -> None:
    call = await answer(database, alice)
    await finish(database, alice, call, 5, reason="struck_by_lightning", failed=True)
    assert "The call ended: struck by lightning." in words_of((await as_alice.get(f"/calls/{call}")).text)


async def test_whatever_callers_and_tools_say_is_text(as_alice: Browser, database: Database, alice: Person) -> None:
    evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7 * 7 }}"
    call = await answer(database, alice, evil)
    use = {
        "name": evil,
        "arguments": evil,
        "result": evil,
        "succeeded": False,
        "duration_ms": 3,
        "idempotency_key": evil,
    }
    listed = use | {"arguments": '["<b>", 1]'}
    await say(
        database, alice, call, 1, evil, tools=[use, listed, {}], sources=[evil], latency=LATENCY, interrupted=True
    )
    await say(database, alice, call, 2, evil)
    await say(database, alice, call, 3, "", latency={})
    async with database.transaction(user=alice.id) as db:
        await publish(db, alice.id, alice.agent, Content(business="Alice's shop", greeting=evil))
        await db.execute(text("UPDATE agents SET name = :evil, business = :evil"), {"evil": evil})
    for _live in (True, False):
        for address in ("/calls", "/calls/live", f"/calls/{call}", f"/calls/{call}/live"):
            page = (await as_alice.get(address)).text
            assert "&lt;script&gt;alert(1)" in page
            assert "<script>alert" not in page and "<img" not in page and "{{ 7 * 7 }}" in page
        await finish(database, alice, call, 5, reason=evil)


async def test_no_page_names_a_caller_in_its_title(as_alice: Browser, database: Database, alice: Person) -> None:
    call = await talked(database, alice)
    for address in ("/", "/calls", f"/calls/{call}"):
        title = re.search("<title>(.*)</title>", (await as_alice.get(address)).text)
        assert title and "555" not in title[1] and "Alice" not in title[1]


async def test_a_note_of_the_agent_stands_in_the_list(as_alice: Browser, database: Database, alice: Person) -> None:
    call = await answer(database, alice)
    async with database.transaction(user=alice.id) as db:
        await lifecycle.note_outcome(db, alice.id, call, "message", "Message from Tom: please call back")
    await finish(database, alice, call, 20)
    words = words_of((await as_alice.get("/calls")).text)
    assert "Message from Tom: please call back" in words and "message taken" in words


async def test_older_calls_are_on_pages_that_neither_repeat_nor_skip(
    as_alice: Browser, database: Database, alice: Person
) -> None:
    running = await answer(database, alice)
    calls = [running, *[await talked(database, alice, 5) for _ in range(43)]]
    address, seen = "/calls", list[str]()
    for _page in range(3):
        page = (await as_alice.get(address)).text
        seen += re.findall(r'<details class="call[^"]*" id="call-([^"]+)"', page)
        older = re.search(r'href="(/calls\?before=[^"]+)" rel="next">Older', page)
        address = older[1] if older else ""
    assert not address
    assert len(seen) == len(set(seen))
    assert seen == [str(running), *(str(call) for call in reversed(calls[1:]))]
    assert "hx-get" not in page, "an older page does not turn into the newest by itself"


async def test_times_are_on_the_readers_clock(as_alice: Browser, database: Database, alice: Person) -> None:
    call = await talked(database, alice)
    async with database.transaction(user=alice.id) as db:
        row = await db.execute(
            text("SELECT to_char(started_at AT TIME ZONE 'Europe/Berlin', 'HH24:MI:SS') FROM calls WHERE id = :id"),
            {"id": call},
        )
        local = row.scalar_one()
    page = (await as_alice.get(f"/calls/{call}")).text
    assert f", {local} " in words_of(page)
