"""The customer's own guards on what is spent, rung through the whole house: the caller hears something useful and
nothing of money, the owner is told, and nothing is charged.
"""

from typing import Any

import pytest
from sqlalchemy import select, text

from talktime.calls.routing import Route
from talktime.credits import money
from talktime.credits.pricing import Rate
from talktime.credits.verify import verify
from talktime.notices.models import Notice
from talktime.simulate.orders import HangUp, Stay, WaitForAgent
from tests.house import TALK, House
from tests.people import Person, account_of, charges, hold_of, new_person

A_SECOND = Rate(60, initial_seconds=1, increment_seconds=1)
GUARDS: dict[str, dict[str, int | None]] = {
    "day_limit": {"per_day": 14, "per_call": None, "per_caller": None},
    "call_limit": {"per_day": None, "per_call": 14, "per_caller": None},
    "caller_limit": {"per_day": None, "per_call": None, "per_caller": 14},
}


async def guard(house: House, person: Person, **limits: int | None) -> None:
    day, call, caller = (limits.get(name) for name in ("per_day", "per_call", "per_caller"))
    async with house.database.transaction(user=person.id) as db:
        await money.set_guards(db, person.id, per_day=day, per_call=call, per_caller=caller)


async def notices_of(house: House, person: Person) -> list[tuple[str, dict[str, Any]]]:
    async with house.database.transaction(user=person.id) as db:
        # Those about credits: of the callers who were not talked to there is a mail, too.
        query = select(Notice.kind, Notice.detail).where(Notice.kind != "missed_calls").order_by(Notice.created_at)
        rows = await db.execute(query)
        return [(kind, detail) for kind, detail in rows]


def announced(events: list[dict[str, Any]]) -> list[str]:
    return [event["text"] for event in events if event["event"] == "announced"]


@pytest.mark.parametrize("name", GUARDS)
async def test_a_guard_that_is_exceeded_gets_the_ladder_and_the_owner_a_notice_once(
    house: House, alice: Person, name: str
) -> None:
    await guard(house, alice, **GUARDS[name])
    for _ in range(2):
        events = await house.call(alice, *TALK)
        (words,) = announced(events)
        assert "Alice's shop" in words
        assert not {"credit", "limit", "money", "budget"} & set(words.lower().split())
        record = await house.record(alice, events)
        assert (record.call.route, record.call.answered_at) == (Route(name), None)
        assert record.receipt is not None
        assert (record.receipt.charged, record.receipt.not_charged_reason) == (0, name)
    assert await charges(house.database, alice) == []
    assert (await account_of(house.database, alice)).held == 0
    ((kind, detail),) = await notices_of(house, alice)
    assert (kind, detail["reason"], detail["limit"]) == ("calls_refused", name, 14)
    assert "caller" not in detail


async def test_a_customers_own_words_are_what_a_caller_hears_at_a_guard(house: House, alice: Person) -> None:
    async with house.database.transaction(everyone="a test sets the stage") as db:
        await db.execute(text("RESET ROLE"))
        await db.execute(text("SET LOCAL ROLE talktime_owner"))
        await db.execute(
            text("UPDATE agent_versions SET fallback = CAST(:own AS jsonb) WHERE user_id = :user"),
            {"own": '{"texts": {"day_limit": "Ring the workshop instead."}}', "user": alice.id},
        )
    await guard(house, alice, per_day=0)
    assert announced(await house.call(alice, *TALK)) == ["Ring the workshop instead."]


async def test_the_day_is_full_after_two_calls_and_the_third_gets_the_ladder(house: House, alice: Person) -> None:
    await guard(house, alice, per_day=30)
    house.ears.words[:] = ["hello", "hello"]
    for _ in range(2):
        await house.record(alice, await house.call(alice, *TALK))
    events = await house.call(alice, *TALK)
    assert (await house.record(alice, events)).call.route == Route.DAY_LIMIT
    assert await charges(house.database, alice) == [-15, -15]


async def test_one_caller_who_has_had_enough_keeps_no_other_from_calling(house: House, alice: Person) -> None:
    await guard(house, alice, per_caller=15)
    house.ears.words[:] = ["hello", "hello"]
    first, again, other = "+15550100001", "+15550100001", "+15550100002"
    routes = []
    for caller in (first, again, other):
        record = await house.record(alice, await house.call(alice, *TALK, caller=caller))
        routes.append(record.call.route)
    assert routes == [Route.TALK, Route.CALLER_LIMIT, Route.TALK]
    assert await charges(house.database, alice) == [-15, -15]


async def test_a_call_that_reaches_its_guard_ends_politely_and_the_receipt_says_why(house: House) -> None:
    carol = await new_person(house.database, "Carol", credits=500, rate=A_SECOND)
    await guard(house, carol, per_call=8)
    record = await house.record(carol, await house.call(carol, WaitForAgent(), Stay(), seconds_max=20))
    assert record.call.end_reason == "credit_ended"
    assert record.receipt is not None
    assert (record.receipt.final_reason, record.receipt.unbilled) == ("call_limit", 0)
    assert 2 <= record.receipt.charged <= 8
    assert (await hold_of(house.database, carol, record.call.id)).final_reason == "call_limit"
    assert ("guard_reached", "call_limit") in [
        (kind, detail["reason"]) for kind, detail in await notices_of(house, carol)
    ]


async def test_a_guard_that_is_lifted_lets_callers_in_again(house: House, alice: Person) -> None:
    await guard(house, alice, per_day=0)
    assert (await house.record(alice, await house.call(alice, *TALK))).call.route == Route.DAY_LIMIT
    await guard(house, alice)
    house.ears.words[:] = ["hello"]
    record = await house.record(alice, await house.call(alice, WaitForAgent(), HangUp()))
    assert record.call.route == Route.TALK


async def test_after_all_guards_the_books_are_right(house: House) -> None:
    assert (await verify(house.database, full=True)).is_clean
