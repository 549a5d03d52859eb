"""From call to call as the list goes that one came from: its filter stands behind every address on the way."""

import html
import re
import uuid

import pytest
from sqlalchemy import text

from talktime.db.session import Database
from tests.people import Person
from tests.web.conftest import Browser
from tests.web.stage import answer
from tests.web.test_call_list import listed, talk, today
from tests.web.test_one_call import said_of
from tests.web.test_overview import move
from tests.web.test_pages import talked, words_of

WAY = "outcome=answered&words=dogs"


def ways_of(page: str) -> dict[str, str]:
    """Where one can go on to: by `prev`, `next` and `back`."""
    ways = {which: html.unescape(there) for there, which in re.findall(r'href="([^"]+)" rel="(prev|next)"', page)}
    back = re.search(r'class="crumbs"[^>]*><a href="([^"]+)"', page)
    assert back
    return {**ways, "back": html.unescape(back[1])}


async def ways(browser: Browser, call: uuid.UUID, asked: str = "") -> dict[str, str]:
    page = await browser.get(f"/calls/{call}" + (f"?{asked}" if asked else ""))
    assert page.status_code == 200
    return ways_of(page.text)


async def test_the_list_leads_to_a_call_and_the_call_on_through_the_same_list_and_back(
    as_alice: Browser, database: Database, alice: Person
) -> None:
    calls = []
    for number in range(3):
        calls.append(await talk(database, alice, f"About the dogs, {number}."))
        await talk(database, alice, "About cats.")
        await talk(database, alice, "Dogs, and then silence.", reason="silence")
    page = (await as_alice.get(f"/calls?{WAY}")).text
    assert listed(page) == [str(call) for call in reversed(calls)]
    links = [html.unescape(link) for link in re.findall(r'href="(/calls/[0-9a-f-]{36}[^"]*)"', page)]
    assert links == [f"/calls/{call}?{WAY}" for call in reversed(calls)]
    first, second, third = [f"/calls/{call}?{WAY}" for call in calls]
    seen = [await ways(as_alice, call, WAY) for call in calls]
    back = {"back": f"/calls?{WAY}"}
    assert seen == [{"prev": second, **back}, {"prev": third, "next": first, **back}, {"next": second, **back}]


@pytest.mark.parametrize("name", ["agent", "number", "outcome", "from", "words"])
async def test_every_filter_of_the_list_holds_beside_a_call(
    as_alice: Browser, database: Database, alice: Person, name: str
) -> None:
    async def make(said: str = "About dogs.") -> uuid.UUID:
        return await talk(database, alice, said)

    first, between, last = await make(), await make("Something else."), await make()
    async with database.transaction(user=alice.id) as db:
        number = await db.scalar(text("SELECT number_id FROM calls WHERE id = :id"), {"id": first})
    asked = {
        "agent": str(alice.agent), "number": str(number), "outcome": "answered", "from": today(1), "words": "dogs",
    }  # fmt: skip
    found = await ways(as_alice, first, f"{name}={asked[name]}")
    expected = last if name == "words" else between
    assert found["prev"] == f"/calls/{expected}?{name}={asked[name]}"
    assert "next" not in found


async def test_a_call_that_is_not_in_the_list_itself_stands_between_those_that_are(
    as_alice: Browser, database: Database, alice: Person
) -> None:
    older, here, newer = [
        await talk(database, alice, "Hello.", reason=reason) for reason in ("silence", "caller_hung_up", "silence")
    ]
    found = await ways(as_alice, here, "outcome=ended_early")
    way = "?outcome=ended_early"
    assert found == {"prev": f"/calls/{newer}{way}", "next": f"/calls/{older}{way}", "back": f"/calls{way}"}


async def test_days_of_the_list_bound_the_way(as_alice: Browser, database: Database, alice: Person) -> None:
    old, *new = [await talk(database, alice, "Hello.") for _ in range(3)]
    await move(database, old, 9)
    asked = f"from={today(3)}&to={today()}"
    assert await ways(as_alice, new[0], asked) == {"prev": f"/calls/{new[1]}?{asked}", "back": f"/calls?{asked}"}
    assert (await ways(as_alice, new[0]))["next"] == f"/calls/{old}"


@pytest.mark.parametrize(
    "asked",
    [
        "agent=nobody", "number=0199c8f6-0000-7000-8000-000000000001", "outcome=everything", "from=soon",
        "from=2026-11-09&to=2026-11-02", "words=%3F%21", f"words={'a' * 300}", "before=yesterday", "words=%00",
        "outcome=everything&words=dogs",
    ],
)  # fmt: skip
async def test_what_is_no_filter_is_left_out_and_the_call_stands(
    as_alice: Browser, database: Database, alice: Person, asked: str
) -> None:
    first, second = await talk(database, alice, "About dogs."), await talk(database, alice, "About cats.")
    assert await ways(as_alice, first, asked) == {"prev": f"/calls/{second}", "back": "/calls"}


async def test_what_was_said_of_a_call_leads_back_to_it_on_the_same_way(
    as_alice: Browser, database: Database, alice: Person
) -> None:
    call = await talked(database, alice)
    page = (await as_alice.get(f"/calls/{call}?outcome=answered")).text
    assert f'action="/calls/{call}/claim?outcome=answered"' in page
    assert f'action="/calls/{call}/turns/3/correction?outcome=answered"' in page
    noted = await as_alice.post(f"/calls/{call}/turns/3/correction?outcome=answered", data={"text-3": "Fifty."})
    assert noted.headers["location"] == f"/calls/{call}?outcome=answered&done=corrected#turn-{call}-3"
    assert "Noted." in words_of((await as_alice.get(noted.headers["location"])).text)
    assert await said_of(database, alice, call) == {3: "Fifty."}
    wrong = await as_alice.post(f"/calls/{call}/turns/3/correction?outcome=answered", data={"text-3": ""})
    assert ways_of(wrong.text)["back"] == "/calls?outcome=answered"
    claimed = await as_alice.post(f"/calls/{call}/claim?outcome=answered&done=x&next=//evil", data={"reason": "spam"})
    assert claimed.headers["location"] == f"/calls/{call}?outcome=answered&done=claimed"


async def test_a_live_call_keeps_the_way_while_it_moves(as_alice: Browser, database: Database, alice: Person) -> None:
    older = await talk(database, alice, "About dogs.")
    call = await answer(database, alice)
    page = (await as_alice.get(f"/calls/{call}?words=dogs")).text
    watch = re.search(r'hx-get="([^"]+)"', page)
    assert watch and html.unescape(watch[1]) == f"/calls/{call}/live?words=dogs"
    fresh = (await as_alice.get(watch[1], headers={"hx-request": "true"})).text
    assert ways_of(fresh) == {"next": f"/calls/{older}?words=dogs", "back": "/calls?words=dogs"}


async def test_bob_goes_no_way_through_alices_calls(
    as_bob: Browser, database: Database, alice: Person, bob: Person
) -> None:
    hers = await talk(database, alice, "About dogs.")
    his = await talk(database, bob, "About dogs.")
    await talk(database, alice, "About dogs, again.")
    assert (await as_bob.get(f"/calls/{hers}?words=dogs")).status_code == 404
    assert await ways(as_bob, his, "words=dogs") == {"back": "/calls?words=dogs"}
    assert await ways(as_bob, his, f"agent={alice.agent}") == {"back": "/calls"}, "her agent is nothing he can ask for"
