"""What calls left behind is kept for so long and no longer; the calls and the books stay, to the credit."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, text

from talktime.alerts import marks
from talktime.calls import lifecycle, retention
from talktime.calls.models import Call, Turn
from talktime.calls.retention import Keep
from talktime.carriers.contract import Ring
from talktime.credits.verify import verify
from talktime.db.session import Database
from talktime.errors import BadInput
from tests.db.everything import become_owner
from tests.people import WHY, Person, lines_of, new_person

CALLER = "+493012345678"
KEEP = Keep(turns_days=10, summaries_days=20, callers_days=30)


@pytest.fixture
async def carol(empty_database: Database) -> Person:
    """A customer in a database that is nobody else's."""
    return await new_person(empty_database, "Carol", credits=1000)


async def called(database: Database, person: Person, *, days_ago: int = 0, is_over: bool = True) -> uuid.UUID:
    """A call that was talked to, with a turn, a summary and who called; gives its id."""
    async with database.transaction(everyone=WHY) as db:
        rang = Ring(account="AC", call_id=f"CA{uuid.uuid4().hex}", caller=CALLER, dialled=person.number)
        decision = await lifecycle.ring(db, "simulated", rang)
        call = decision.call_id
        assert call is not None
        assert await lifecycle.answer(db, person.id, call, "owner") is not None
        for number in (1, 2):
            await lifecycle.write_turn(
                db,
                {
                    "user_id": person.id, "call_id": call, "turn_no": number, "speaker": "CALLER", "text": "Hello.",
                    "began_ms": 0, "ended_ms": 900, "interrupted": False, "latency": None, "tools": [], "sources": [],
                },
            )  # fmt: skip
        await lifecycle.note_outcome(db, person.id, call, "message", "call me back")
        if is_over:
            await lifecycle.finish(db, person.id, call, seconds=50, reason="caller_hung_up")
        await become_owner(db)
        await db.execute(
            text("UPDATE calls SET started_at = started_at - :ago WHERE id = :call"),
            {"ago": timedelta(days=days_ago), "call": call},
        )
    return call


async def kept(database: Database, person: Person, call: uuid.UUID) -> set[str]:
    """What there is still of a call."""
    async with database.transaction(user=person.id) as db:
        row = (await db.execute(select(Call.caller, Call.summary, Call.dialled).where(Call.id == call))).one()
        turns = await db.scalar(select(func.count()).where(Turn.call_id == call))
    assert row.dialled == person.number
    found = {"turns": bool(turns), "summary": row.summary is not None, "caller": row.caller is not None}
    return {name for name, is_there in found.items() if is_there}


async def test_each_thing_goes_when_its_own_time_is_over(empty_database: Database, carol: Person) -> None:
    calls = {days: await called(empty_database, carol, days_ago=days) for days in (0, 9, 11, 21, 31)}
    before = await lines_of(empty_database, carol)
    assert await retention.forget_old(empty_database, KEEP) == {"turns": 3, "summaries": 2, "callers": 1}
    assert {days: await kept(empty_database, carol, call) for days, call in calls.items()} == {
        0: {"turns", "summary", "caller"},
        9: {"turns", "summary", "caller"},
        11: {"summary", "caller"},
        21: {"caller"},
        31: set(),
    }
    assert [line.hash for line in await lines_of(empty_database, carol)] == [line.hash for line in before]
    assert (await verify(empty_database, full=True)).is_clean


async def test_the_next_night_looks_at_the_next_day_and_not_at_everything_again(
    empty_database: Database, carol: Person
) -> None:
    call = await called(empty_database, carol, days_ago=9)
    now = datetime.now(UTC)
    assert sum((await retention.forget_old(empty_database, KEEP, now=now)).values()) == 0
    assert (await retention.forget_old(empty_database, KEEP, now=now)) == {}
    assert await kept(empty_database, carol, call) == {"turns", "summary", "caller"}
    done = await retention.forget_old(empty_database, KEEP, now=now + timedelta(days=2))
    assert done == {"turns": 1, "summaries": 0, "callers": 0}
    async with empty_database.transaction(everyone=WHY) as db:
        mark = await marks.last(db, "calls.retain_turns")
    assert mark is not None
    assert datetime.fromisoformat(mark.detail["until"]) == now - timedelta(days=8)


async def test_what_is_kept_for_a_shorter_time_from_now_on_goes_at_once(
    empty_database: Database, carol: Person
) -> None:
    call = await called(empty_database, carol, days_ago=5)
    await retention.forget_old(empty_database, KEEP)
    assert (await retention.forget_old(empty_database, Keep(turns_days=2)))["turns"] == 1
    assert await retention.forget_old(empty_database, Keep(turns_days=300)) == {}
    assert await kept(empty_database, carol, call) == {"summary", "caller"}


async def test_for_ever_is_for_ever_and_a_live_call_is_nobodys_to_empty(
    empty_database: Database, carol: Person
) -> None:
    old = await called(empty_database, carol, days_ago=4000)
    live = await called(empty_database, carol, days_ago=40, is_over=False)
    assert await retention.forget_old(empty_database, Keep()) == {}
    assert await kept(empty_database, carol, old) == {"turns", "summary", "caller"}
    await retention.forget_old(empty_database, KEEP)
    assert await kept(empty_database, carol, old) == set()
    assert await kept(empty_database, carol, live) == {"turns", "summary", "caller"}


async def test_many_calls_go_in_small_steps_of_everybody(
    empty_database: Database, carol: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_AT_ONCE", 2)
    monkeypatch.setattr(retention, "_PEOPLE_AT_ONCE", 1)
    dora = await new_person(empty_database, "Dora", credits=1000)
    calls = [(carol, await called(empty_database, carol, days_ago=12)) for _ in range(5)]
    calls += [(dora, await called(empty_database, dora, days_ago=12)) for _ in range(3)]
    assert (await retention.forget_old(empty_database, KEEP))["turns"] == 8
    assert [await kept(empty_database, person, call) for person, call in calls] == [{"summary", "caller"}] * 8


async def test_of_a_leg_the_person_goes_who_was_rung(empty_database: Database, carol: Person) -> None:
    parent = await called(empty_database, carol, days_ago=40)
    async with empty_database.transaction(everyone=WHY) as db:
        await become_owner(db)
        await db.execute(
            text(
                "INSERT INTO calls (user_id, id, parent_id, direction, carrier, carrier_call_id, caller, dialled,"
                " status, route, end_reason, seconds, started_at, ended_at) VALUES (:user, :id, :parent, 'OUTBOUND',"
                " 'simulated', 'CA-leg', :caller, '+4915112345678', 'COMPLETED', 'transfer', 'x', 1,"
                " now() - interval '40 days', now() - interval '40 days')"
            ),
            {"user": carol.id, "id": uuid.uuid4(), "parent": parent, "caller": CALLER},
        )
    assert (await retention.forget_old(empty_database, KEEP))["callers"] == 2
    async with empty_database.transaction(user=carol.id) as db:
        leg = (await db.execute(select(Call.caller, Call.dialled).where(Call.parent_id == parent))).one()
    assert tuple(leg) == (None, None)


async def test_only_what_there_is_can_be_emptied_and_only_by_the_operator(database: Database, alice: Person) -> None:
    asked = text("SELECT * FROM retain_calls_v1(:user, :kind, '-infinity', 'infinity', 5)")
    from talktime.credits.functions import typed_errors

    with pytest.raises(BadInput):
        async with database.transaction(everyone=WHY) as db, typed_errors():
            await db.execute(asked, {"user": alice.id, "kind": "books"})
    with pytest.raises(Exception, match="permission denied"):
        async with database.transaction(user=alice.id) as db:
            await db.execute(asked, {"user": alice.id, "kind": "turns"})
