"""The customer's guard on one caller and day: what it leaves for a call that midnight passes over."""

import uuid

from sqlalchemy import select, text

from talktime.credits import ledger, money
from talktime.db.session import Database
from talktime.notices.models import Notice
from tests.people import WHY, Person, charges, hold_of, new_call

OWNER = "process-1"


async def ring(database: Database, person: Person) -> uuid.UUID:
    """A call of somebody who hides their number, asked for; all of them count as one caller."""
    call = await new_call(database, person)
    async with database.transaction(user=person.id) as db:
        await ledger.authorise(db, person.id, call)
    return call


async def guarded(database: Database, person: Person, per_caller: int) -> None:
    async with database.transaction(user=person.id) as db:
        await money.set_guards(db, person.id, per_day=None, per_call=None, per_caller=per_caller)


async def midnight(database: Database, person: Person) -> None:
    """Everything so far was yesterday."""
    async with database.transaction(everyone=WHY) as db:
        await db.execute(text("RESET ROLE"))
        await db.execute(text("SET LOCAL ROLE talktime_owner"))
        for change in (
            "UPDATE credit_accounts SET spent_on = spent_on - 1, spent_until = now() WHERE user_id = :user",
            "UPDATE credit_holds SET settled_at = settled_at - interval '1 day' WHERE user_id = :user",
            "UPDATE calls SET started_at = started_at - interval '1 day' WHERE user_id = :user",
        ):
            await db.execute(text(change), {"user": person.id})


async def extended(database: Database, person: Person, call: uuid.UUID, times: int) -> list[tuple[bool, str | None]]:
    found = []
    for number in range(1, times + 1):
        async with database.transaction(user=person.id) as db:
            more = await ledger.extend(db, person.id, call, OWNER, number)
        found.append((more.extended, more.reason))
    return found


async def test_a_call_that_midnight_passes_over_stays_within_its_callers_limit(
    database: Database, alice: Person
) -> None:
    await guarded(database, alice, 45)
    call = await ring(database, alice)
    async with database.transaction(user=alice.id) as db:
        assert (await ledger.answer(db, alice.id, call, OWNER)).claimed
    await midnight(database, alice)
    assert await extended(database, alice, call, 4) == [
        (True, None), (True, None), (False, "caller_limit"), (False, "caller_limit"),
    ]  # fmt: skip
    assert (await hold_of(database, alice, call)).held == 45
    async with database.transaction(user=alice.id) as db:
        notices = list(await db.scalars(select(Notice).where(Notice.kind == "guard_reached")))
    assert [(each.detail["reason"], str(call) in each.subject) for each in notices] == [("caller_limit", True)]


async def test_what_a_caller_began_yesterday_and_ended_today_counts_today(database: Database, alice: Person) -> None:
    await guarded(database, alice, 30)
    call = await ring(database, alice)
    async with database.transaction(user=alice.id) as db:
        await ledger.answer(db, alice.id, call, OWNER)
        await ledger.extend(db, alice.id, call, OWNER, 1)
    await midnight(database, alice)
    refused = await ring(database, alice)
    assert (await hold_of(database, alice, refused)).denied_reason == "caller_limit", "30 are held for the first"
    async with database.transaction(user=alice.id) as db:
        await ledger.settle(db, alice.id, call, 100)
    refused = await ring(database, alice)
    assert (await hold_of(database, alice, refused)).denied_reason == "caller_limit", "30 were charged today"
    assert await charges(database, alice) == [-30]


async def test_what_a_caller_cost_yesterday_does_not_count_today(database: Database, alice: Person) -> None:
    await guarded(database, alice, 15)
    call = await ring(database, alice)
    async with database.transaction(user=alice.id) as db:
        await ledger.answer(db, alice.id, call, OWNER)
        await ledger.settle(db, alice.id, call, 40)
    refused = await ring(database, alice)
    assert (await hold_of(database, alice, refused)).denied_reason == "caller_limit"
    await midnight(database, alice)
    assert (await hold_of(database, alice, await ring(database, alice))).denied_reason is None
