"""The customer's guards: what they leave for a call that midnight passes over, and what does not take them away."""

import asyncio
import uuid

from sqlalchemy import select, text

from talktime.credits import ledger, money
from talktime.db.session import Database
from talktime.notices.models import Notice
from tests.people import WHY, Person, charges, hold_of, new_call, new_person

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


async def by_the_owner(database: Database, person: Person, change: str) -> None:
    async with database.transaction(everyone=WHY) as db:
        await db.execute(text("RESET ROLE"))
        await db.execute(text("SET LOCAL ROLE talktime_owner"))
        await db.execute(text(change), {"user": person.id})


async def talk(database: Database, person: Person) -> None:
    """A call of a minute, by somebody who hides their number."""
    call = await ring(database, person)
    async with database.transaction(user=person.id) as db:
        await ledger.answer(db, person.id, call, OWNER)
        await ledger.settle(db, person.id, call, 60)


async def test_the_first_call_of_all_finds_the_guard_that_came_with_the_account(database: Database) -> None:
    dave = await new_person(database, "Dave", credits=0)
    call = await new_call(database, dave)

    async def authorise() -> ledger.Authorisation:
        async with database.transaction(user=dave.id) as db:
            return await ledger.authorise(db, dave.id, call)

    async with database.transaction(everyone=WHY) as db:
        await money.set_guards(db, dave.id, per_day=0, per_call=None, per_caller=None)
        await money.adjust(db, dave.id, reference="gift", amount=1000, reason="welcome", actor=dave.id)
        asked = asyncio.create_task(authorise())
        await asyncio.sleep(0.3)
        assert not asked.done(), "it waits for the account that is being made"
    answer = await asked
    assert (answer.allowed, answer.reason) == (False, "day_limit")


async def test_somebody_who_moves_to_another_zone_keeps_what_their_callers_cost(
    database: Database, alice: Person
) -> None:
    # Of these two the one is always a day ahead of the other.
    await by_the_owner(database, alice, "UPDATE users SET zone = 'Pacific/Kiritimati' WHERE id = :user")
    await guarded(database, alice, 15)
    await talk(database, alice)
    refused = await ring(database, alice)
    assert (await hold_of(database, alice, refused)).denied_reason == "caller_limit"
    await by_the_owner(database, alice, "UPDATE users SET zone = 'Pacific/Pago_Pago' WHERE id = :user")
    refused = await ring(database, alice)
    assert (await hold_of(database, alice, refused)).denied_reason == "caller_limit"


async def test_what_was_spent_before_the_end_of_the_day_was_kept_still_counts(
    database: Database, alice: Person
) -> None:
    async with database.transaction(user=alice.id) as db:
        await money.set_guards(db, alice.id, per_day=20, per_call=None, per_caller=None)
    await talk(database, alice)
    # As a database of version 1 has it that was migrated during the day.
    await by_the_owner(database, alice, "UPDATE credit_accounts SET spent_until = NULL WHERE user_id = :user")
    refused = await ring(database, alice)
    assert (await hold_of(database, alice, refused)).denied_reason == "day_limit"


async def test_every_time_a_balance_falls_below_the_threshold_is_told_once(database: Database, alice: Person) -> None:
    async def moved(name: str, amount: int) -> list[tuple[int, int]]:
        """The balances that were told of so far, with the threshold."""
        for _ in range(2):  # what comes twice is told once
            async with database.transaction(everyone=WHY) as db:
                await money.adjust(db, alice.id, reference=name, amount=amount, reason="as asked", actor=alice.id)
        async with database.transaction(user=alice.id) as db:
            asked = select(Notice).where(Notice.kind == "low_balance").order_by(Notice.created_at)
            return [(each.detail["balance"], each.detail["threshold"]) for each in await db.scalars(asked)]

    async with database.transaction(user=alice.id) as db:
        await money.set_low_balance(db, alice.id, 100)
    assert await moved("to the line", -900) == []
    assert await moved("below it", -1) == [(99, 100)]
    assert await moved("further below", -50) == [(99, 100)]
    assert await moved("up, and still below", 50) == [(99, 100)]
    assert await moved("topped up", 1) == [(99, 100)]
    assert await moved("below it again", -60) == [(99, 100), (40, 100)]
    assert await moved("and below", -1) == [(99, 100), (40, 100)]
