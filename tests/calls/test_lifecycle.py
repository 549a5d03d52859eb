"""A call from ring to end, in the database: twice, late, at once, out of order."""

import asyncio
import json
import uuid
from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from talktime.calls import history, lifecycle
from talktime.calls.models import CallStatus
from talktime.calls.routing import Route, fallback_answer
from talktime.carriers.contract import Announce, Ring
from talktime.credits import ledger, money
from talktime.db.session import Database
from talktime.errors import Conflict, NotFound
from talktime.numbers import pool
from tests.people import WHY, Person, account_of, charges, new_person

OWNER = "process-1"


def a_ring(number: str, call_id: str | None = None) -> Ring:
    return Ring(account="AC1", call_id=call_id or f"CA{uuid.uuid4().hex}", caller="+4915112345678", dialled=number)


async def rung(database: Database, rang: Ring) -> lifecycle.Decision:
    async with database.transaction(everyone=WHY) as db:
        return await lifecycle.ring(db, "simulated", rang)


async def answered(database: Database, person: Person, rang: Ring | None = None) -> lifecycle.Answered:
    decision = await rung(database, rang or a_ring(person.number))
    assert decision.call_id is not None
    async with database.transaction(user=person.id) as db:
        call = await lifecycle.answer(db, person.id, decision.call_id, OWNER)
    assert call is not None
    return call


async def test_a_call_goes_from_ring_to_receipt(database: Database, alice: Person) -> None:
    call = await answered(database, alice)
    async with database.transaction(user=alice.id) as db:
        done = await lifecycle.finish(db, alice.id, call.call_id, seconds=42.2, reason="caller_hung_up")
    assert (done.fresh, done.status, done.seconds, done.charged) == (True, CallStatus.COMPLETED, 43, 15)
    async with database.transaction(user=alice.id) as db:
        record = await history.one(db, alice.id, call.call_id)
    assert record.receipt is not None
    assert (record.receipt.seconds, record.receipt.billable_seconds, record.receipt.charged) == (43, 60, 15)
    assert [line.amount for line in record.receipt.lines] == [-15]
    assert "60 / 60 × 15 = 15 credits" in record.receipt.rule


async def test_who_rings_a_number_that_was_taken_from_its_agent_hears_that_nobody_can_take_the_call(
    database: Database, alice: Person
) -> None:
    running = await answered(database, alice)
    async with database.transaction(everyone=WHY) as db:
        await pool.unpoint(db, alice.id, alice.number)
    decision = await rung(database, a_ring(alice.number))
    assert (decision.route, decision.user_id, decision.agent) == (Route.NO_AGENT, alice.id, None)
    heard = fallback_answer(
        decision.route, business=decision.business, language=decision.language, fallback=decision.fallback or {}
    )
    assert isinstance(heard, Announce) and "We cannot take your call right now." in heard.text
    async with database.transaction(user=alice.id) as db:
        assert (await history.one(db, alice.id, running.call_id)).is_live, "a call that runs goes on"
    async with database.transaction(everyone=WHY) as db:
        await pool.point(db, alice.id, alice.number, agent=alice.agent)
    assert (await rung(database, a_ring(alice.number))).route is Route.TALK


async def test_twenty_rings_of_one_call_at_once_are_one_call(database: Database, alice: Person) -> None:
    rang = a_ring(alice.number)
    decisions = await asyncio.gather(*(rung(database, rang) for _ in range(20)))
    assert {decision.route for decision in decisions} == {Route.TALK}
    assert len({decision.call_id for decision in decisions}) == 1
    assert sum(decision.fresh for decision in decisions) == 1
    assert (await account_of(database, alice)).held == 15


async def test_a_ring_repeated_after_the_end_is_hung_up(database: Database, alice: Person) -> None:
    rang = a_ring(alice.number)
    call = await answered(database, alice, rang)
    async with database.transaction(user=alice.id) as db:
        await lifecycle.finish(db, alice.id, call.call_id, seconds=5, reason="caller_hung_up")
    assert (await rung(database, rang)).route == Route.OVER
    assert await charges(database, alice) == [-15]


async def test_a_number_that_nobody_answers_leaves_no_trace(database: Database) -> None:
    decision = await rung(database, a_ring("+15550000000"))
    assert (decision.route, decision.call_id) == (Route.UNKNOWN_NUMBER, None)


async def test_without_credit_the_ladder_answers_and_the_call_is_over(database: Database) -> None:
    carol = await new_person(database, "Carol", credits=10)
    rang = a_ring(carol.number)
    first, again = await rung(database, rang), await rung(database, rang)
    assert (first.route, again.route) == (Route.NO_CREDIT, Route.NO_CREDIT)
    assert first.call_id is not None
    async with database.transaction(user=carol.id) as db:
        record = await history.one(db, carol.id, first.call_id)
        assert (record.call.status, record.call.answered_at) == (CallStatus.COMPLETED, None)
        assert await lifecycle.answer(db, carol.id, first.call_id, OWNER) is None
    assert await charges(database, carol) == []


async def test_a_suspended_customer_gets_the_ladder(database: Database, alice: Person) -> None:
    async with database.transaction(everyone=WHY) as db:
        await db.execute(text("UPDATE users SET status = 'SUSPENDED' WHERE id = :user"), {"user": alice.id})
    assert (await rung(database, a_ring(alice.number))).route == Route.SUSPENDED


async def test_after_hours_the_ladder_answers_only_where_the_agent_says_so(database: Database, alice: Person) -> None:
    monday = {"zone": "Europe/Berlin", "week": {"monday": [["09:00", "17:00"]]}}
    async with database.transaction(everyone=WHY) as db:
        await db.execute(text("RESET ROLE"))
        await db.execute(text("SET LOCAL ROLE talktime_owner"))
        await db.execute(
            text(
                "UPDATE agent_versions SET hours = CAST(:hours AS jsonb), answers_after_hours = false"
                " WHERE user_id = :u"
            ),
            {"hours": json.dumps(monday), "u": alice.id},
        )

    async def at(moment: datetime) -> Route:
        async with database.transaction(everyone=WHY) as db:
            return (await lifecycle.ring(db, "simulated", a_ring(alice.number), now=moment)).route

    assert await at(datetime(2026, 11, 23, 10, tzinfo=UTC)) == Route.TALK
    assert await at(datetime(2026, 11, 22, 10, tzinfo=UTC)) == Route.AFTER_HOURS


async def test_a_call_is_answered_once_however_many_sockets_open(database: Database, alice: Person) -> None:
    decision = await rung(database, a_ring(alice.number))
    assert decision.call_id is not None
    call_id = decision.call_id

    async def open_socket(owner: str) -> bool:
        async with database.transaction(user=alice.id) as db:
            return await lifecycle.answer(db, alice.id, call_id, owner) is not None

    assert sum(await asyncio.gather(*(open_socket(f"p{n}") for n in range(10)))) == 1


async def test_bob_cannot_answer_or_read_or_finish_alices_call(database: Database, alice: Person, bob: Person) -> None:
    decision = await rung(database, a_ring(alice.number))
    assert decision.call_id is not None
    with pytest.raises(NotFound):
        async with database.transaction(user=bob.id) as db:
            await history.one(db, bob.id, decision.call_id)
    async with database.transaction(user=bob.id) as db:
        assert await lifecycle.answer(db, bob.id, decision.call_id, OWNER) is None
    with pytest.raises(NotFound):
        async with database.transaction(user=bob.id) as db:
            await lifecycle.finish(db, bob.id, decision.call_id, seconds=1, reason="mine")


async def test_forty_finishes_at_once_charge_once(database: Database, alice: Person) -> None:
    call = await answered(database, alice)

    async def finish() -> lifecycle.Finished:
        async with database.transaction(user=alice.id) as db:
            return await lifecycle.finish(db, alice.id, call.call_id, seconds=20, reason="caller_hung_up")

    results = await asyncio.gather(*(finish() for _ in range(40)))
    assert sum(done.fresh for done in results) == 1
    assert {done.charged for done in results} == {15}
    assert await charges(database, alice) == [-15]


@pytest.mark.parametrize(
    ("before", "after"),
    [("COMPLETED", "RINGING"), ("COMPLETED", "IN_PROGRESS"), ("IN_PROGRESS", "RINGING"), ("IN_PROGRESS", "NO_ANSWER")],
)
async def test_a_call_never_moves_back(database: Database, alice: Person, before: str, after: str) -> None:
    call = await answered(database, alice)
    async with database.transaction(user=alice.id) as db:
        if before == "COMPLETED":
            await lifecycle.finish(db, alice.id, call.call_id, seconds=1, reason="caller_hung_up")
    with pytest.raises(DBAPIError, match="does not go from"):
        async with database.transaction(everyone=WHY) as db:
            await db.execute(text("RESET ROLE"))
            await db.execute(text("SET LOCAL ROLE talktime_owner"))
            await db.execute(
                text(f"UPDATE calls SET status = '{after}', ended_at = NULL WHERE id = :call"), {"call": call.call_id}
            )


async def test_a_caller_who_gives_up_while_it_rings_pays_nothing(database: Database, alice: Person) -> None:
    rang = a_ring(alice.number)
    decision = await rung(database, rang)
    assert decision.call_id is not None
    async with database.transaction(everyone=WHY) as db:
        verdict = await lifecycle.report(db, "simulated", rang.call_id, is_over=True, seconds=0)
        again = await lifecycle.report(db, "simulated", rang.call_id, is_over=True, seconds=0)
    assert (verdict, again) == ("never answered", "duration noted")
    async with database.transaction(user=alice.id) as db:
        assert (await history.one(db, alice.id, decision.call_id)).call.status == CallStatus.NO_ANSWER
    account = await account_of(database, alice)
    assert (account.held, account.open_calls, account.balance) == (0, 0, 1000)


async def test_a_late_ringing_report_changes_nothing(database: Database, alice: Person) -> None:
    rang = a_ring(alice.number)
    call = await answered(database, alice, rang)
    async with database.transaction(everyone=WHY) as db:
        assert await lifecycle.report(db, "simulated", rang.call_id, is_over=False, seconds=None) == "nothing to do"
        assert await lifecycle.report(db, "simulated", "CAunknown", is_over=True, seconds=9) == "unknown call"
    async with database.transaction(user=alice.id) as db:
        assert (await history.one(db, alice.id, call.call_id)).call.status == CallStatus.IN_PROGRESS


async def test_the_same_turn_twice_is_one_turn(database: Database, alice: Person) -> None:
    call = await answered(database, alice)
    turn = {
        "user_id": alice.id, "call_id": call.call_id, "turn_no": 1, "speaker": "CALLER", "text": "Hello?",
        "began_ms": 5, "ended_ms": 900, "interrupted": False, "latency": None, "tools": [], "sources": [],
    }  # fmt: skip
    async with database.transaction(user=alice.id) as db:
        await lifecycle.write_turn(db, turn)
        await lifecycle.write_turn(db, turn)
    async with database.transaction(user=alice.id) as db:
        assert len((await history.one(db, alice.id, call.call_id)).turns) == 1


async def test_calls_page_backwards_without_gap_or_repeat(database: Database, alice: Person) -> None:
    for _ in range(5):
        await rung(database, a_ring(alice.number))
    async with database.transaction(user=alice.id) as db:
        everything = await history.newest(db, alice.id, limit=10)
        first = await history.newest(db, alice.id, limit=2)
        rest = await history.newest(db, alice.id, limit=10, before=first[-1])
    assert [record.call.id for record in first + rest] == [record.call.id for record in everything]


async def test_an_owner_who_came_back_keeps_the_call_from_the_sweep(database: Database, alice: Person) -> None:
    call = await answered(database, alice)
    async with database.transaction(everyone=WHY) as db:
        left_alone = await lifecycle.finish(
            db, alice.id, call.call_id, seconds=9, reason="lost", failed=True, only_if_lost=True
        )
    assert (left_alone.fresh, left_alone.status) == (False, CallStatus.IN_PROGRESS)
    assert (await account_of(database, alice)).held == 15


async def test_two_calls_of_one_customer_share_their_credit(database: Database) -> None:
    carol = await new_person(database, "Carol", credits=15)
    first, second = await asyncio.gather(rung(database, a_ring(carol.number)), rung(database, a_ring(carol.number)))
    assert {first.route, second.route} == {Route.TALK, Route.NO_CREDIT}


async def test_a_call_that_fails_is_charged_unless_it_was_our_fault(database: Database, alice: Person) -> None:
    dead, ours = await answered(database, alice), await answered(database, alice)
    async with database.transaction(user=alice.id) as db:
        charged = await lifecycle.finish(db, alice.id, dead.call_id, seconds=9, reason="line_dead", failed=True)
        free = await lifecycle.finish(
            db, alice.id, ours.call_id, seconds=9, reason="error", failed=True, not_charged_reason="platform_fault"
        )
        record = await history.one(db, alice.id, ours.call_id)
    assert (charged.status, charged.charged) == (CallStatus.FAILED, 15)
    assert (free.status, free.charged) == (CallStatus.FAILED, 0)
    assert record.receipt is not None
    assert (record.receipt.not_charged_reason, record.receipt.charged) == ("platform_fault", 0)


async def test_a_goodbye_for_want_of_credit_is_told_the_owner_once_although_nobody_had_to_cut(
    database: Database,
) -> None:
    carol = await new_person(database, "Carol", credits=15)
    dan = await new_person(database, "Dan", credits=1000)
    calls = [(carol, await answered(database, carol)), (dan, await answered(database, dan))]
    for person, call in calls:
        await ledger.extend(database, person.id, call.call_id, OWNER, 1)
        for _ in range(2):
            await lifecycle.finish(database, person.id, call.call_id, seconds=50, reason="credit_ended")
    told = []
    for person, _ in calls:
        async with database.transaction(user=person.id) as db:
            told.append(list(await db.scalars(text("SELECT kind || ' ' || subject FROM notices"))))
    # The second had credit, and ended because the database was away: nothing was exhausted.
    assert told == [[f"credit_exhausted {calls[0][1].call_id}"], []]


async def test_the_ledger_refuses_what_is_not_ours(database: Database, alice: Person) -> None:
    with pytest.raises(Conflict):
        async with database.transaction(everyone=WHY) as db:
            await money.adjust(db, alice.id, reference="start", amount=1, reason="x", actor=alice.id)
