"""The carrier measured another duration than we: the charge is corrected once, whichever of the two comes first."""

import random
import uuid
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest
from sqlalchemy import text

from talktime.calls import lifecycle
from talktime.carriers.contract import Ring
from talktime.credits import ledger, money
from talktime.credits.models import NotCharged
from talktime.credits.pricing import Rate
from talktime.credits.verify import verify
from talktime.db.session import Database
from tests.people import WHY, Person, account_of, charges, hold_of, new_person

OWNER = "process-1"
A_SECOND = Rate(60, initial_seconds=1, increment_seconds=1)
"""A credit for each second."""


class Talk:
    """One answered call of somebody who pays by the second."""

    def __init__(self, database: Database, person: Person, call: uuid.UUID, sid: str) -> None:
        self.database = database
        self.person = person
        self.call = call
        self.sid = sid

    async def finish(self, seconds: float = 60, **more: Any) -> lifecycle.Finished:
        what = {"seconds": seconds, "reason": "caller_hung_up", **more}
        return await lifecycle.finish(self.database, self.person.id, self.call, **what)

    async def report(self, seconds: int | None) -> str:
        async with self.database.transaction(everyone=WHY) as db:
            return await lifecycle.report(db, "simulated", self.sid, is_over=True, seconds=seconds)

    async def cost(self) -> int:
        hold = await hold_of(self.database, self.person, self.call)
        return hold.charged + hold.corrected


@pytest.fixture
async def payer(database: Database) -> Person:
    return await new_person(database, "Paula", credits=10_000, rate=A_SECOND)


async def talk(database: Database, person: Person, *, grants: int = 4, used: int = 0) -> Talk:
    """A call that was answered, and extended so often."""
    sid = f"CA{uuid.uuid4().hex}"
    async with database.transaction(everyone=WHY) as db:
        rang = Ring(account="AC1", call_id=sid, caller="+4915112345678", dialled=person.number)
        decision = await lifecycle.ring(db, "simulated", rang)
    assert decision.call_id is not None
    async with database.transaction(user=person.id) as db:
        assert await lifecycle.answer(db, person.id, decision.call_id, OWNER)
        for number in range(1, grants + 1):
            await ledger.extend(db, person.id, decision.call_id, OWNER, number)
        if used:
            await ledger.heartbeat(db, OWNER, {(person.id, decision.call_id): used})
    await began_earlier(database, decision.call_id)
    return Talk(database, person, decision.call_id, sid)


async def began_earlier(database: Database, call: uuid.UUID, seconds: int = 3600) -> None:
    """The call rang so long ago: what takes minutes on the phone takes a moment here."""
    async with database.transaction(everyone=WHY) as db:
        await db.execute(text("RESET ROLE"))
        await db.execute(text("SET LOCAL ROLE talktime_owner"))
        await db.execute(
            text("UPDATE calls SET started_at = started_at - :seconds * interval '1 second' WHERE id = :call"),
            {"seconds": seconds, "call": call},
        )


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("ours", "carriers"), [(60, 75), (75, 60), (60, 60)])
async def test_report_and_finish_four_times_each_in_any_order_come_to_one_charge(
    database: Database, payer: Person, seed: int, ours: int, carriers: int
) -> None:
    call = await talk(database, payer)
    steps: list[Callable[[], Awaitable[object]]] = [
        *(lambda: call.finish(ours) for _ in range(4)),
        *(lambda: call.report(carriers) for _ in range(4)),
    ]
    random.Random(seed).shuffle(steps)
    for step in steps:
        await step()
    assert await call.cost() == carriers
    assert await charges(database, payer) == [-ours, *([ours - carriers] if ours != carriers else [])]
    hold = await hold_of(database, payer, call.call)
    assert (hold.settled_seconds, hold.corrected_seconds) == (ours, carriers if ours != carriers else None)


@pytest.mark.parametrize(
    ("ours", "carriers", "corrected"),
    [
        (60, 62, False),
        (60, 63, True),
        (60, 58, False),
        (60, 57, True),
        (100, 102, False),
        (100, 103, True),
        (200, 204, False),  # 2 percent of 200 seconds are 4
        (200, 205, True),
        (200, 196, False),
        (200, 195, True),
        (0, 2, False),
        (0, 3, True),
        (5, 0, True),
    ],
)
async def test_what_differs_by_no_more_than_two_seconds_or_two_percent_is_let_be(
    database: Database, payer: Person, ours: int, carriers: int, corrected: bool
) -> None:
    for report_first in (False, True):
        call = await talk(database, payer)
        if report_first:
            assert await call.report(carriers) == "duration noted"
            await call.finish(ours)
        else:
            await call.finish(ours)
            assert await call.report(carriers) == ("charge corrected" if corrected else "duration noted")
        assert await call.cost() == (carriers if corrected else ours)


async def test_a_finish_says_what_our_clock_came_to_also_when_the_report_was_first(
    database: Database, payer: Person
) -> None:
    call = await talk(database, payer)
    await call.report(75)
    first, again = await call.finish(60), await call.finish(99)
    assert (first.fresh, first.charged, first.seconds) == (True, 60, 60)
    assert (again.fresh, again.charged, again.seconds) == (False, 60, 60)
    assert await call.cost() == 75


async def test_a_finish_in_a_transaction_is_the_same_as_one_by_itself(database: Database, payer: Person) -> None:
    call = await talk(database, payer)
    async with database.transaction(user=payer.id) as db:
        done = await lifecycle.finish(db, payer.id, call.call, seconds=59.2, reason="caller_hung_up")
    assert done == lifecycle.Finished(True, done.status, 60, 60, 0)
    again = await call.finish(3)
    assert again == lifecycle.Finished(False, done.status, 60, 60, 0)


async def test_a_later_word_of_the_carrier_replaces_the_earlier_one(database: Database, payer: Person) -> None:
    call = await talk(database, payer)
    await call.finish(60)
    await call.report(90)
    await call.report(70)
    assert await call.cost() == 70
    await call.report(61)  # it agrees with us after all
    assert await call.cost() == 60
    assert await charges(database, payer) == [-60, -30, 20, 10]


async def test_a_call_that_is_not_charged_stays_so(database: Database, payer: Person, ada: Person) -> None:
    ours = await talk(database, payer)
    await ours.finish(60, reason="error", failed=True, not_charged_reason="platform_fault")
    assert await ours.report(200) == "duration noted"
    waived = await talk(database, payer)
    await waived.finish(60)
    async with database.transaction(everyone=WHY) as db:
        await money.waive(db, payer.id, waived.call, NotCharged.SPAM, ada.id)
    assert await waived.report(200) == "duration noted"
    assert (await ours.cost(), await waived.cost()) == (0, 0)


async def test_a_call_that_was_never_answered_costs_nothing_whatever_the_carrier_says(
    database: Database, payer: Person
) -> None:
    sid = f"CA{uuid.uuid4().hex}"
    async with database.transaction(everyone=WHY) as db:
        rang = Ring(account="AC1", call_id=sid, caller="+4915112345678", dialled=payer.number)
        await lifecycle.ring(db, "simulated", rang)
    for _ in range(4):
        async with database.transaction(everyone=WHY) as db:
            await lifecycle.report(db, "simulated", sid, is_over=True, seconds=300)
    assert await charges(database, payer) == []
    assert (await account_of(database, payer)).held == 0


async def test_a_lost_call_is_corrected_downwards_only(database: Database, payer: Person) -> None:
    # The line stayed open after its process had died: 300 s at the carrier, 100 s of it proven.
    for reports_first in (False, True):
        call = await talk(database, payer, used=100)
        if reports_first:
            await call.report(300)
        await call.finish(115, reason="lost", failed=True)
        await call.report(300)
        assert await call.cost() == 115
        await call.report(80)
        assert await call.cost() == 80
        await call.report(300)
        assert await call.cost() == 115, "never beyond what was proven when it was lost"


async def test_a_dead_line_is_charged_to_its_last_frame_although_it_stayed_open(
    database: Database, payer: Person
) -> None:
    call = await talk(database, payer)
    await call.finish(20, reason="line_dead", failed=True)
    await call.report(45)
    assert await call.cost() == 20


@pytest.mark.parametrize("absurd", [3664, 9_999_999, 2**31 - 1])
async def test_a_duration_longer_than_from_ring_to_end_changes_no_charge(
    database: Database, payer: Person, absurd: int
) -> None:
    # The line was not hung up, or the figure is in milliseconds.
    for reports_first in (False, True):
        call = await talk(database, payer)
        if reports_first:
            await call.report(absurd)
        await call.finish(60)
        await call.report(absurd)
        assert await call.cost() == 60
        assert (await hold_of(database, payer, call.call)).unbilled == 0
        await call.report(70)
        assert await call.cost() == 70, "one that can be true is taken all the same"


async def test_nobody_is_charged_more_than_was_held(database: Database) -> None:
    poor = await new_person(database, "Poor", credits=100, rate=A_SECOND)
    call = await talk(database, poor, grants=0)
    await call.finish(50)
    await call.report(500)
    hold = await hold_of(database, poor, call.call)
    assert (hold.charged + hold.corrected, hold.held_peak, hold.unbilled) == (60, 60, 440)
    await call.report(50)
    hold = await hold_of(database, poor, call.call)
    assert (hold.charged + hold.corrected, hold.unbilled) == (50, 0)


async def test_bob_corrects_nothing_of_alices(database: Database, payer: Person, bob: Person) -> None:
    call = await talk(database, payer)
    await call.finish(60)
    async with database.transaction(user=bob.id) as db:
        row = (
            await db.execute(text("SELECT * FROM correct_call_v1(:user, :call)"), {"user": bob.id, "call": call.call})
        ).one()
    assert tuple(row) == (False, 0)
    assert await call.cost() == 60


async def test_the_books_are_right_after_all_corrections(empty_database: Database) -> None:
    paula = await new_person(empty_database, "Paula", credits=2000, rate=A_SECOND)
    chance = random.Random(7)
    for _ in range(10):
        call = await talk(empty_database, paula, grants=1)
        steps: list[Callable[[], Awaitable[object]]] = [partial(call.finish, chance.randrange(130))]
        steps += [partial(call.report, chance.randrange(200)) for _ in range(3)]
        chance.shuffle(steps)
        for step in steps:
            await step()
    assert (await verify(empty_database, full=True)).is_clean
