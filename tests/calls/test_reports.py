"""Reports of many calls at once come to what each would come to alone, and what moves a call or money is left alone."""

import asyncio
import uuid

from sqlalchemy import text

from talktime.calls import lifecycle, reports
from talktime.calls.reports import Told
from talktime.db.base import new_id
from talktime.db.session import Database
from tests.calls.test_lifecycle import a_ring, answered, rung
from tests.db.everything import become_owner
from tests.people import WHY, Person, charges, hold_of, new_person


async def told(database: Database, *said: Told) -> list[str | None]:
    """The verdicts; None for what is left to be handled alone."""
    events = {new_id(): each for each in said}
    async with database.transaction(everyone=WHY) as db:
        verdicts = await reports.report_many(db, events)
    assert set(verdicts) <= set(events)
    return [verdicts.get(event) for event in events]


async def sid_of(database: Database, call: uuid.UUID) -> str:
    async with database.transaction(everyone=WHY) as db:
        return str(await db.scalar(text("SELECT carrier_call_id FROM calls WHERE id = :call"), {"call": call}))


async def noted(database: Database, sid: str) -> int | None:
    async with database.transaction(everyone=WHY) as db:
        seconds: int | None = await db.scalar(
            text("SELECT carrier_seconds FROM calls WHERE carrier_call_id = :sid"), {"sid": sid}
        )
        return seconds


async def over(database: Database, person: Person, seconds: float) -> str:
    """A call that was talked and settled, by the carrier's name of it."""
    call = await answered(database, person)
    async with database.transaction(user=person.id) as db:
        await lifecycle.finish(db, person.id, call.call_id, seconds=seconds, reason="caller_hung_up")
    return await sid_of(database, call.call_id)


def completed(sid: str, seconds: int | None) -> Told:
    return Told("simulated", sid, True, seconds)


async def test_what_agrees_is_noted_and_what_differs_is_left_alone(database: Database, alice: Person) -> None:
    agrees, differs, long = (
        await over(database, alice, 60),
        await over(database, alice, 60),
        await over(database, alice, 500),
    )
    assert await told(database, completed(agrees, 62), completed(differs, 57), completed(long, 490)) == [
        "duration noted", None, "duration noted",
    ]  # fmt: skip
    assert [await noted(database, sid) for sid in (agrees, differs, long)] == [62, None, 490]
    # As `lifecycle.report` has it, and nothing was corrected.
    async with database.transaction(everyone=WHY) as db:
        assert await lifecycle.report(db, "simulated", agrees, is_over=True, seconds=62) == "duration noted"
        assert await lifecycle.report(db, "simulated", long, is_over=True, seconds=490) == "duration noted"
        assert await lifecycle.report(db, "simulated", differs, is_over=True, seconds=57) == "charge corrected"
    # What was corrected once may be corrected back: that is not decided here either.
    assert await told(database, completed(differs, 60)) == [None]


async def test_a_call_that_rings_or_is_a_leg_is_left_alone_and_one_that_runs_is_noted(
    database: Database, alice: Person
) -> None:
    ringing = a_ring(alice.number)
    await rung(database, ringing)
    running = await answered(database, alice)
    parent = await answered(database, alice)
    leg = f"CA{uuid.uuid4().hex}"
    async with database.transaction(everyone=WHY) as db:
        await become_owner(db)
        await db.execute(
            text(
                "INSERT INTO calls (user_id, id, parent_id, direction, carrier, carrier_call_id, status, route,"
                " started_at) VALUES (:user, :leg, :call, 'OUTBOUND', 'simulated', :sid, 'RINGING', 'transfer', now())"
            ),
            {"user": alice.id, "leg": (leg_id := new_id()), "call": parent.call_id, "sid": leg},
        )
        await db.execute(
            text("INSERT INTO call_directory VALUES ('simulated', :sid, :user, :leg)"),
            {"user": alice.id, "leg": leg_id, "sid": leg},
        )
    sid = await sid_of(database, running.call_id)
    assert await told(
        database,
        completed(ringing.call_id, 0),
        Told("simulated", ringing.call_id, False, None),
        completed(leg, 5),
        Told("simulated", leg, False, None),
        completed(sid, 7),
        completed("CA" + "0" * 32, 7),
        Told("other", sid, True, 7),
    ) == [None, "nothing to do", None, None, "duration noted", "unknown call", "unknown call"]
    # Whoever finishes it holds the carrier's word against its own.
    async with database.transaction(user=alice.id) as db:
        await lifecycle.finish(db, alice.id, running.call_id, seconds=70, reason="caller_hung_up")
    assert (await hold_of(database, alice, running.call_id)).corrected_seconds == 7


async def test_the_second_word_on_a_call_comes_after_the_first(database: Database, alice: Person) -> None:
    sid = await over(database, alice, 60)
    assert await told(database, completed(sid, 61), completed(sid, 60), completed(sid, None)) == [
        "duration noted", None, None,
    ]  # fmt: skip
    assert await noted(database, sid) == 61
    assert await told(database, completed(sid, None), completed(sid, 60)) == ["nothing to do", "duration noted"]
    assert await noted(database, sid) == 60


async def test_many_workers_and_finishes_at_once_get_in_nobodys_way(database: Database) -> None:
    people = [await new_person(database, f"Busy {number}", credits=1000) for number in range(3)]
    calls = [(person, await answered(database, person)) for person in people for _ in range(6)]
    sids = [await sid_of(database, call.call_id) for _, call in calls]

    async def finish(person: Person, call: uuid.UUID) -> None:
        async with database.transaction(user=person.id) as db:
            await lifecycle.finish(db, person.id, call, seconds=60, reason="caller_hung_up")

    async with asyncio.timeout(30):
        outcomes = await asyncio.gather(
            *(
                told(database, *(completed(sid, 61) for sid in order))
                for order in (sids, sids[::-1], sids[5:] + sids[:5])
            ),
            *(finish(person, call.call_id) for person, call in calls),
        )
    assert [outcome for outcome in outcomes[:3] if outcome != ["duration noted"] * 18] == []
    assert {await noted(database, sid) for sid in sids} == {61}
    assert [await charges(database, person) for person in people] == [[-15] * 6] * 3


async def test_nothing_told_is_nothing_done(database: Database) -> None:
    assert await told(database) == []
