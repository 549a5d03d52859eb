"""Who may call from the browser, and who is told why not. Whoever is turned away leaves nothing behind: no call, no
hold, no missed caller.
"""

import asyncio
import contextlib
import uuid
from typing import Any

import httpx
import orjson
import pytest
from sqlalchemy import text
from websockets.exceptions import ConnectionClosed, InvalidStatus

from talktime.accounts import sessions
from talktime.calls.models import CallStatus
from talktime.credits import money
from tests.browser_call.page import Page, sign_in
from tests.hooks.company import calls_of
from tests.house import WHY, House
from tests.people import Person, account_of, charges, new_person

POLICY = 1008


async def refused(page: Page, **how: Any) -> tuple[int, str]:
    """The status and what is said; and that nothing is left of it."""
    answer = await page.ask(**how)
    assert await calls_of(page.house, page.person) == 0
    account = await account_of(page.house.database, page.person)
    assert (account.held, account.open_calls) == (0, 0)
    return answer.status_code, answer.json()["problem"]


async def test_without_credit_nobody_calls_and_is_told_where_to_buy_some(house: House) -> None:
    page = await sign_in(house, await new_person(house.database, "Poor", credits=10))
    answer = await page.ask()
    assert (answer.status_code, answer.json()) == (
        402,
        {
            "problem": "There is not enough credit for a call. Buy credits, then call again.",
            "leads": {"address": "/credits", "text": "Buy credits"},
        },
    )
    assert (await refused(page))[0] == 402
    async with house.database.transaction(everyone=WHY) as db:
        told = await db.scalar(text("SELECT count(*) FROM notices WHERE user_id = :user"), {"user": page.person.id})
    assert told == 0  # no mail of a missed caller: nobody was missed


async def test_no_more_calls_than_may_run_at_once(house: House, page: Page, alice: Person) -> None:
    async with house.database.transaction(everyone=WHY) as db:
        await money.set_limits(db, alice.id, max_open_calls=1, actor=alice.id)
    first = await page.begin()
    answer = await page.ask()
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "60")
    assert "Wait until one of them has ended" in answer.json()["problem"]
    assert await calls_of(house, alice) == 1
    await hang_up(page, first)


async def test_a_limit_that_the_customer_set_holds_for_their_own_calls(house: House, page: Page, alice: Person) -> None:
    async with house.database.transaction(user=alice.id) as db:
        await money.set_guards(db, alice.id, per_day=5, per_call=None, per_caller=None, actor=alice.id)
    answer = await page.ask()
    assert (answer.status_code, answer.json()["leads"]["text"]) == (403, "Change your limits")


async def test_a_blocked_account_calls_nobody(house: House, page: Page, alice: Person) -> None:
    async with house.database.transaction(everyone=WHY) as db:
        await money.block(db, alice.id, "not paid")
    status, said = await refused(page)
    assert status == 403 and "suspended" in said


async def test_an_agent_that_was_put_away_is_not_called(house: House, page: Page, alice: Person) -> None:
    async with house.database.transaction(everyone=WHY) as db:
        await db.execute(
            text("UPDATE agents SET archived_at = now(), active = false WHERE id = :agent"), {"agent": alice.agent}
        )
    assert await refused(page) == (409, "This agent was archived: restore it first.")


async def test_a_process_that_is_being_stopped_begins_no_call(house: House, page: Page) -> None:
    house.context.leaving = True
    try:
        status, said = await refused(page)
    finally:
        house.context.leaving = False
    assert status == 503 and "Try again in a minute" in said


async def test_nobody_calls_an_agent_of_somebody_elses(page: Page, bob: Person) -> None:
    assert await refused(page, agent=bob.agent) == (404, "There is no such agent.")
    assert await refused(page, agent=bob.agent, draft=True) == (404, "There is no such agent.")
    assert await refused(page, agent=uuid.uuid4()) == (404, "There is no such agent.")


async def test_an_operator_in_a_customers_place_does_not_call_at_their_expense(house: House, alice: Person) -> None:
    ada = await new_person(house.database, "Ada", credits=0, admin=True)
    visitor = await sign_in(house, alice, actor=ada.id)
    assert (await refused(visitor))[0] == 403
    mine = await (await sign_in(house, alice)).begin()
    await assert_refused(visitor, mine)
    await hang_up(await sign_in(house, alice), mine)


async def test_a_forged_form_begins_no_call(page: Page) -> None:
    answer = await page.ask(csrf="x" * 64)
    assert answer.status_code == 403
    assert await calls_of(page.house, page.person) == 0


# The socket.


@pytest.mark.parametrize(
    "origin",
    ["", "null", "https://evil.example", "http://127.0.0.1:1", "http://127.0.0.1.evil.example", "https://127.0.0.1"],
)
async def test_a_socket_from_another_site_is_refused_before_it_is_one(page: Page, origin: str) -> None:
    begun = await page.begin()
    await assert_refused(page, begun, Origin=origin)
    await assert_still_rings(page, begun)


async def test_a_socket_of_nobody_is_refused(house: House, page: Page) -> None:
    begun = await page.begin()
    await assert_refused(page, begun, Cookie="")
    await assert_refused(page, begun, Cookie="talktime_session=nonsense")
    async with house.database.transaction(everyone=WHY) as db:
        gone = await sessions.begin(db, page.person.id, address=None, browser=None)
        await sessions.end(db, gone)
    await assert_refused(page, begun, Cookie=f"talktime_session={gone}")
    await assert_still_rings(page, begun)


async def test_nobody_takes_a_call_that_is_somebody_elses_even_with_its_token(
    house: House, page: Page, bob: Person
) -> None:
    begun = await page.begin()
    thief = await sign_in(house, bob)
    assert await closed_with(thief, begun, begun["start"]) == POLICY
    assert await calls_of(house, bob) == 0
    await assert_still_rings(page, begun)


async def test_a_token_that_is_not_the_calls_is_refused(page: Page) -> None:
    begun, other = await page.begin(), await page.begin()
    start = begun["start"]
    for wrong in (
        {"token": other["start"]["token"]},
        {"token": start["token"][:-1] + "x"},
        {"call": other["start"]["call"]},
        {"call_id": other["start"]["call_id"]},
        {"event": "said"},
    ):
        assert await closed_with(page, begun, {**start, **wrong}) == POLICY, wrong
    await assert_still_rings(page, begun)
    await hang_up(page, other)


async def test_a_token_opens_one_socket_and_no_second(page: Page) -> None:
    begun = await page.begin()
    async with page.socket(begun) as first:
        await first.send(said(begun["start"]))
        await first.recv()
        assert await closed_with(page, begun, begun["start"]) == POLICY
        await first.send('{"event":"stop"}')
        async for _ in first:
            pass
    assert await closed_with(page, begun, begun["start"]) == POLICY  # nor once it is over
    assert (await page.record(uuid.UUID(begun["start"]["call"]))).call.status == CallStatus.COMPLETED


async def test_a_call_of_a_carriers_is_not_opened_from_a_browser_nor_the_other_way_round(
    house: House, page: Page
) -> None:
    begun = await page.begin()
    for door in ("ring", "report"):
        async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
            address = f"{page.site}/hooks/browser/{door}"
            answer = await client.post(address, data={"CallSid": begun["start"]["call_id"]})
        assert answer.status_code == 404, door
    assert "browser" not in house.context.carriers
    await assert_still_rings(page, begun)


@pytest.mark.parametrize(
    "message",
    ["nonsense", '{"event":"shout"}', b"\xff" * 5000, '{"event":"said","text":"' + "a" * 600 + '"}', "x" * 60_000],
    ids=["nonsense", "unknown", "too much sound", "too long a line", "far too long"],
)
async def test_what_our_script_would_not_send_ends_the_call(page: Page, message: str | bytes) -> None:
    async with page.calling() as line:
        await line.until("saying")
        await line.socket.send(message)
        await line.until("ended")
        assert await line.closed() == 1000
    record = await page.record(line.call)
    assert (record.call.status, record.call.end_reason) == (CallStatus.COMPLETED, "caller_hung_up")


async def test_a_message_without_end_closes_the_socket(page: Page) -> None:
    async with page.calling() as line:
        await line.until("saying")
        await line.socket.send("x" * 200_000)
        assert await line.closed() == 1009
    assert (await page.record(line.call)).call.end_reason == "caller_hung_up"


async def test_a_flood_ends_the_call_and_leaves_the_others_alone(house: House, page: Page, bob: Person) -> None:
    other = await sign_in(house, bob)
    async with other.calling() as calm, page.calling() as line:
        await calm.until("turn", speaker="AGENT")
        await line.until("saying")
        with contextlib.suppress(ConnectionClosed):
            for _ in range(5000):
                await line.socket.send(b"\xff" * 160)
        await line.closed()
        await calm.type("still there")
        await calm.until("turn", speaker="AGENT", text="You said: still there.")
        await calm.hang_up()
    assert (await page.record(line.call)).call.end_reason == "caller_hung_up"


async def test_a_browser_that_says_nothing_any_more_is_a_dead_line(
    house: House, page: Page, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("talktime.hooks.live._FRAMES_MISSING_SECONDS", 1.0)
    async with page.calling() as line:
        for _ in range(4):  # without a microphone, but there
            await asyncio.sleep(0.5)
            await line.tell(event="here")
        assert line.of("ended") == []
        ended = await line.until("ended")
    assert ended["reason"] == "line_dead"
    assert await charges(house.database, alice) == [-15]


async def assert_refused(page: Page, begun: dict[str, Any], **headers: str) -> None:
    """The handshake itself is refused: no socket ever was."""
    with pytest.raises(InvalidStatus) as said_no:
        async with page.socket(begun, **headers):
            pass
    assert said_no.value.response.status_code == 403


async def closed_with(page: Page, begun: dict[str, Any], start: dict[str, Any]) -> int | None:
    """Begin with this; the code with which the door falls shut."""
    async with page.socket(begun) as socket:
        await socket.send(said(start))
        async with asyncio.timeout(5):
            with pytest.raises(ConnectionClosed):
                pytest.fail(f"the door answers {await socket.recv()!r}")
        return socket.close_code


async def assert_still_rings(page: Page, begun: dict[str, Any]) -> None:
    """Nobody has answered this call, and it holds its first slice; then it is taken and ended."""
    async with page.house.database.transaction(user=page.person.id) as db:
        row = (
            await db.execute(
                text(
                    "SELECT c.status, c.answered_at, h.state, h.held, h.lease_owner FROM calls c"
                    " JOIN credit_holds h ON h.call_id = c.id WHERE c.id = :call"
                ),
                {"call": begun["start"]["call"]},
            )
        ).one()
    assert tuple(row) == ("RINGING", None, "AUTHORISED", 15, None)
    await hang_up(page, begun)


async def hang_up(page: Page, begun: dict[str, Any]) -> None:
    async with page.socket(begun) as socket:
        await socket.send(said(begun["start"]))
        await socket.recv()
        await socket.send('{"event":"stop"}')
        async for _ in socket:
            pass
    await page.record(uuid.UUID(begun["start"]["call"]))


def said(message: dict[str, Any]) -> str:
    return orjson.dumps(message).decode()
