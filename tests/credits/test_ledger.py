"""The books: each verb once, twice, late, by somebody else, and without credit."""

import asyncio
import random
import uuid
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.credits import ledger, money
from talktime.credits.models import HoldState, TransactionType
from talktime.credits.pricing import Rate
from talktime.credits.verify import verify
from talktime.db.base import new_id
from talktime.db.session import Database
from talktime.errors import BadInput, Conflict, NotFound, Refused
from talktime.payments.models import Purchase, PurchaseState
from tests.people import WHY, Person, account_of, charges, hold_of, lines_of, new_call, new_person

OWNER = "process-1"


async def authorised(database: Database, person: Person) -> uuid.UUID:
    call = await new_call(database, person)
    async with database.transaction(user=person.id) as db:
        assert (await ledger.authorise(db, person.id, call)).allowed
    return call


async def answered(database: Database, person: Person) -> uuid.UUID:
    call = await authorised(database, person)
    async with database.transaction(user=person.id) as db:
        assert (await ledger.answer(db, person.id, call, OWNER)).claimed
    return call


async def test_a_call_holds_its_first_slice_and_is_charged_what_it_took(database: Database, alice: Person) -> None:
    call = await authorised(database, alice)
    account = await account_of(database, alice)
    assert (account.balance, account.held, account.open_calls) == (1000, 15, 1)

    async with database.transaction(user=alice.id) as db:
        await ledger.answer(db, alice.id, call, OWNER)
        await ledger.extend(db, alice.id, call, OWNER, 1)
        settled = await ledger.settle(db, alice.id, call, 95)
    assert (settled.fresh, settled.charged, settled.unbilled) == (True, alice.rate.cost(95), 0)
    account = await account_of(database, alice)
    assert (account.balance, account.held, account.open_calls) == (970, 0, 0)
    assert await charges(database, alice) == [-30]


async def test_a_second_settle_gets_the_first_ones_figures(database: Database, alice: Person) -> None:
    call = await answered(database, alice)
    async with database.transaction(user=alice.id) as db:
        first = await ledger.settle(db, alice.id, call, 10)
    async with database.transaction(user=alice.id) as db:
        second = await ledger.settle(db, alice.id, call, 50_000)
    assert first.fresh and not second.fresh
    assert (second.charged, second.unbilled) == (first.charged, first.unbilled) == (15, 0)
    assert await charges(database, alice) == [-15]


async def test_forty_settles_at_once_charge_once(database: Database, alice: Person) -> None:
    call = await answered(database, alice)

    async def settle() -> bool:
        async with database.transaction(user=alice.id) as db:
            return (await ledger.settle(db, alice.id, call, 20)).fresh

    assert sorted(await asyncio.gather(*(settle() for _ in range(40)))) == [False] * 39 + [True]
    assert await charges(database, alice) == [-15]


async def test_fifty_calls_at_once_with_money_for_three(database: Database) -> None:
    carol = await new_person(database, "Carol", credits=45)
    async with database.transaction(everyone=WHY) as db:
        await money.set_limits(db, carol.id, max_open_calls=100)
    calls = [await new_call(database, carol) for _ in range(50)]

    async def ring(call: uuid.UUID) -> ledger.Authorisation:
        async with database.transaction(user=carol.id) as db:
            return await ledger.authorise(db, carol.id, call)

    answers = await asyncio.gather(*(ring(call) for call in calls))
    assert sum(answer.allowed for answer in answers) == 3
    assert {answer.reason for answer in answers} == {None, "no_credit"}
    account = await account_of(database, carol)
    assert (account.balance, account.held, account.open_calls) == (45, 45, 3)


async def test_the_same_call_gets_the_same_answer_also_when_it_was_no(database: Database) -> None:
    carol = await new_person(database, "Carol", credits=14)
    call = await new_call(database, carol)
    async with database.transaction(everyone=WHY) as db:
        first = await ledger.authorise(db, carol.id, call)
        await money.adjust(db, carol.id, reference="late", amount=500, reason="too late", actor=carol.id)
    async with database.transaction(user=carol.id) as db:
        second = await ledger.authorise(db, carol.id, call)
    assert (first.allowed, first.reason, first.fresh) == (False, "no_credit", True)
    assert (second.allowed, second.reason, second.fresh) == (False, "no_credit", False)


async def test_a_settled_call_that_rings_again_is_over(database: Database, alice: Person) -> None:
    call = await answered(database, alice)
    async with database.transaction(user=alice.id) as db:
        await ledger.settle(db, alice.id, call, 5)
        again = await ledger.authorise(db, alice.id, call)
    assert (again.allowed, again.reason) == (False, "over")


async def test_a_call_that_was_never_answered_costs_nothing(database: Database, alice: Person) -> None:
    call = await authorised(database, alice)
    async with database.transaction(user=alice.id) as db:
        settled = await ledger.settle(db, alice.id, call, 600)
    assert (settled.state, settled.charged) == (HoldState.RELEASED, 0)
    assert await charges(database, alice) == []
    assert (await account_of(database, alice)).held == 0


async def test_only_one_process_answers(database: Database, alice: Person) -> None:
    call = await authorised(database, alice)

    async def claim(owner: str) -> bool:
        async with database.transaction(user=alice.id) as db:
            return (await ledger.answer(db, alice.id, call, owner)).claimed

    assert sum(await asyncio.gather(*(claim(f"process-{n}") for n in range(8)))) == 1


async def test_an_extension_is_granted_once_however_often_it_is_asked(database: Database, alice: Person) -> None:
    call = await answered(database, alice)
    async with database.transaction(user=alice.id) as db:
        first = await ledger.extend(db, alice.id, call, OWNER, 1)
        repeat = await ledger.extend(db, alice.id, call, OWNER, 1)
        second = await ledger.extend(db, alice.id, call, OWNER, 2)
        old = await ledger.extend(db, alice.id, call, OWNER, 1)
    assert (first.granted_seconds, first.held, first.extended) == (120, 30, True)
    assert (repeat.granted_seconds, repeat.held, repeat.reason) == (120, 30, "repeated")
    assert (second.granted_seconds, old.granted_seconds, old.reason) == (180, 180, "stale")
    assert second.cut_at - first.cut_at == timedelta(seconds=60)


async def test_another_process_cannot_extend(database: Database, alice: Person) -> None:
    call = await answered(database, alice)
    with pytest.raises(ledger.NotTheOwner):
        async with database.transaction(user=alice.id) as db:
            await ledger.extend(db, alice.id, call, "process-2", 1)
    assert (await hold_of(database, alice, call)).granted_seconds == 60


async def test_the_last_grant_uses_grace_and_a_top_up_brings_the_call_back(database: Database) -> None:
    carol = await new_person(database, "Carol", credits=20, rate=Rate(15, initial_seconds=1, increment_seconds=1))
    async with database.transaction(everyone=WHY) as db:
        await money.set_limits(db, carol.id, grace_limit=5)
    call = await answered(database, carol)
    async with database.transaction(everyone=WHY) as db:
        last = await ledger.extend(db, carol.id, call, OWNER, 1)
        again = await ledger.extend(db, carol.id, call, OWNER, 2)
        await money.adjust(db, carol.id, reference="top-up", amount=100, reason="paid", actor=carol.id)
        back = await ledger.extend(db, carol.id, call, OWNER, 3)
    assert (last.state, last.granted_seconds, last.held, last.reason) == (HoldState.FINAL, 100, 25, "no_credit")
    assert (again.extended, again.granted_seconds) == (False, 100)
    assert (back.state, back.granted_seconds) == (HoldState.ACTIVE, 160)


async def test_grace_is_its_own_line_and_a_purchase_settles_it(database: Database) -> None:
    carol = await new_person(database, "Carol", credits=15)
    async with database.transaction(everyone=WHY) as db:
        await money.set_limits(db, carol.id, grace_limit=100)
    call = await answered(database, carol)
    async with database.transaction(user=carol.id) as db:
        await ledger.extend(db, carol.id, call, OWNER, 1)
        await ledger.settle(db, carol.id, call, 61)
    lines = await lines_of(database, carol)
    assert [(line.type, line.amount) for line in lines[1:]] == [
        (TransactionType.CALL_USAGE, -15),
        (TransactionType.GRACE_USAGE, -15),
    ]
    async with database.transaction(everyone=WHY) as db:
        bought = Purchase(user_id=carol.id, id=new_id(), credits=500, price_minor=900, currency="EUR", gateway="test")
        bought.state = PurchaseState.PAID
        db.add(bought)
        await db.flush()
        first = await money.purchase(db, carol.id, bought.id)
    async with database.transaction(everyone=WHY) as db:
        second = await money.purchase(db, carol.id, bought.id)
    assert (first.fresh, first.balance_after, second.fresh, second.balance_after) == (True, 485, False, 485)


async def test_grace_never_starts_a_call(database: Database) -> None:
    carol = await new_person(database, "Carol", credits=14)
    async with database.transaction(everyone=WHY) as db:
        await money.set_limits(db, carol.id, grace_limit=1000)
    call = await new_call(database, carol)
    async with database.transaction(user=carol.id) as db:
        assert (await ledger.authorise(db, carol.id, call)).reason == "no_credit"


async def test_a_purchase_that_is_not_paid_grants_nothing(database: Database, alice: Person) -> None:
    async with database.transaction(everyone=WHY) as db:
        bought = Purchase(user_id=alice.id, id=new_id(), credits=500, price_minor=900, currency="EUR", gateway="test")
        db.add(bought)
    with pytest.raises(Conflict):
        async with database.transaction(everyone=WHY) as db:
            await money.purchase(db, alice.id, bought.id)
    assert (await account_of(database, alice)).balance == 1000


async def test_the_cap_on_parallel_calls_is_a_guard_at_the_start_alone(database: Database, alice: Person) -> None:
    first = await answered(database, alice)
    async with database.transaction(everyone=WHY) as db:
        await money.set_limits(db, alice.id, max_open_calls=0)
        assert (await ledger.extend(db, alice.id, first, OWNER, 1)).extended
    second = await new_call(database, alice)
    async with database.transaction(user=alice.id) as db:
        assert (await ledger.authorise(db, alice.id, second)).reason == "too_many_calls"
        await ledger.settle(db, alice.id, first, 5)


async def test_a_blocked_account_starts_and_extends_nothing_and_still_settles(
    database: Database, alice: Person
) -> None:
    call = await answered(database, alice)
    async with database.transaction(everyone=WHY) as db:
        await money.block(db, alice.id, "suspended")
        more = await ledger.extend(db, alice.id, call, OWNER, 1)
    other = await new_call(database, alice)
    async with database.transaction(user=alice.id) as db:
        assert (await ledger.authorise(db, alice.id, other)).reason == "blocked"
        assert (more.extended, more.state, more.reason) == (False, HoldState.FINAL, "blocked")
        assert (await ledger.settle(db, alice.id, call, 30)).charged == 15


async def test_a_lowered_grace_line_becomes_debt_that_shrinks(database: Database) -> None:
    carol = await new_person(database, "Carol", credits=15)
    async with database.transaction(everyone=WHY) as db:
        await money.set_limits(db, carol.id, grace_limit=100)
    call = await answered(database, carol)
    async with database.transaction(everyone=WHY) as db:
        await ledger.extend(db, carol.id, call, OWNER, 1)
        lowered = await money.set_limits(db, carol.id, grace_limit=5)
        blocked = await ledger.extend(db, carol.id, call, OWNER, 2)
    assert lowered.clawback_debt == 10
    assert (blocked.extended, blocked.reason) == (False, "debt")
    async with database.transaction(user=carol.id) as db:
        await ledger.settle(db, carol.id, call, 10)
    assert (await account_of(database, carol)).clawback_debt == 0


async def expire(database: Database, person: Person, call: uuid.UUID) -> None:
    async with database.transaction(everyone=WHY) as db:
        await db.execute(text("RESET ROLE"))
        await db.execute(text("SET LOCAL ROLE talktime_owner"))
        await db.execute(
            text(
                "UPDATE credit_holds SET lease_until = now() - interval '1 second' WHERE user_id = :u AND call_id = :c"
            ),
            {"u": person.id, "c": call},
        )


async def test_a_lost_call_frees_its_slot_and_keeps_its_money(database: Database, alice: Person) -> None:
    call = await answered(database, alice)
    async with database.transaction(everyone="the sweep") as db:
        assert not (await ledger.lose(db, alice.id, call)).lost
    await expire(database, alice, call)
    async with database.transaction(everyone="the sweep") as db:
        loss = await ledger.lose(db, alice.id, call)
        again = await ledger.lose(db, alice.id, call)
    assert (loss.lost, loss.answered, again.lost) == (True, True, False)
    account = await account_of(database, alice)
    assert (account.open_calls, account.held) == (0, 15)


async def test_an_owner_that_comes_back_takes_its_call_up_again(database: Database, alice: Person) -> None:
    call = await answered(database, alice)
    await expire(database, alice, call)
    async with database.transaction(everyone="the sweep") as db:
        await ledger.lose(db, alice.id, call)
        assert await ledger.heartbeat(db, OWNER, {(alice.id, call): 20}) == set()
        back = await ledger.extend(db, alice.id, call, OWNER, 1)
        assert await ledger.heartbeat(db, OWNER, {(alice.id, call): 20}) == {(alice.id, call)}
    assert back.state == HoldState.ACTIVE
    assert (await account_of(database, alice)).open_calls == 1
    assert (await hold_of(database, alice, call)).used_seconds == 20


async def test_a_heartbeat_of_another_process_renews_nothing(database: Database, alice: Person) -> None:
    call = await answered(database, alice)
    async with database.transaction(everyone="a heartbeat is a process's") as db:
        assert await ledger.heartbeat(db, "process-2", {(alice.id, call): 999}) == set()
    assert (await hold_of(database, alice, call)).used_seconds == 0


async def test_a_call_is_cut_once_when_it_is_due_and_extends_no_more(database: Database, alice: Person) -> None:
    call = await answered(database, alice)
    async with database.transaction(user=alice.id) as db:
        assert not await ledger.cut(db, alice.id, call, OWNER)
    async with database.transaction(everyone=WHY) as db:
        await db.execute(text("RESET ROLE"))
        await db.execute(text("SET LOCAL ROLE talktime_owner"))
        await db.execute(
            text("UPDATE credit_holds SET cut_at = now() - interval '1 second' WHERE user_id = :u AND call_id = :c"),
            {"u": alice.id, "c": call},
        )
    async with database.transaction(user=alice.id) as db:
        assert not await ledger.cut(db, alice.id, call, "somebody else, one second early")
        assert await ledger.cut(db, alice.id, call, OWNER)
        assert not await ledger.cut(db, alice.id, call, OWNER)
        assert (await ledger.extend(db, alice.id, call, OWNER, 1)).reason == "cut"


async def test_an_adjustment_happens_once_per_reference(database: Database, alice: Person, ada: Person) -> None:
    async with database.transaction(everyone=WHY) as db:
        first = await money.adjust(db, alice.id, reference="r1", amount=-40, reason="mistake", actor=ada.id)
        again = await money.adjust(db, alice.id, reference="r1", amount=-40, reason="mistake", actor=ada.id)
    assert (first.fresh, again.fresh, again.seq) == (True, False, first.seq)
    with pytest.raises(Conflict):
        async with database.transaction(everyone=WHY) as db:
            await money.adjust(db, alice.id, reference="r1", amount=-41, reason="mistake", actor=ada.id)


async def test_what_is_held_cannot_be_taken_but_as_debt(database: Database, ada: Person) -> None:
    carol = await new_person(database, "Carol", credits=20)
    await authorised(database, carol)
    with pytest.raises(money.NotEnoughCredit):
        async with database.transaction(everyone=WHY) as db:
            await money.adjust(db, carol.id, reference="r", amount=-6, reason="back", actor=ada.id)
    async with database.transaction(everyone=WHY) as db:
        await money.adjust(db, carol.id, reference="r", amount=-6, reason="back", actor=ada.id, as_debt=True)
    account = await account_of(database, carol)
    assert (account.balance, account.held, account.clawback_debt) == (14, 15, 1)


@pytest.mark.parametrize("amount", [0, 10**13, -(10**13), 10**30, True, 1.5, float("nan"), "12", None])
async def test_an_amount_that_is_no_amount_is_refused(database: Database, alice: Person, amount: int) -> None:
    with pytest.raises(BadInput):
        async with database.transaction(everyone=WHY) as db:
            await money.adjust(db, alice.id, reference="r", amount=amount, reason="x", actor=alice.id)


@pytest.mark.parametrize("words", [("", "x"), ("  ", "x"), ("r", ""), ("correction:1:1", "x"), ("rent:1:1", "x")])
async def test_an_adjustment_needs_words(database: Database, alice: Person, words: tuple[str, str]) -> None:
    with pytest.raises(BadInput):
        async with database.transaction(everyone=WHY) as db:
            await money.adjust(db, alice.id, reference=words[0], amount=1, reason=words[1], actor=alice.id)


async def test_bob_cannot_touch_alices_books(database: Database, alice: Person, bob: Person) -> None:
    call = await answered(database, alice)

    attempts: list[Callable[[AsyncSession], Awaitable[object]]] = [
        lambda db: ledger.authorise(db, alice.id, call),
        lambda db: ledger.answer(db, alice.id, call, OWNER),
        lambda db: ledger.extend(db, alice.id, call, OWNER, 1),
        lambda db: ledger.settle(db, alice.id, call, 5),
        lambda db: ledger.lose(db, alice.id, call),
        lambda db: ledger.cut(db, alice.id, call, OWNER),
        lambda db: money.adjust(db, alice.id, reference="b", amount=-5, reason="mine", actor=bob.id),
        lambda db: money.set_limits(db, alice.id, grace_limit=5),
        lambda db: money.block(db, alice.id, "gone"),
        lambda db: ledger.heartbeat(db, OWNER, {(alice.id, call): 5}),
        lambda db: money.purchase(db, alice.id, call),
    ]
    for attempt in attempts:
        with pytest.raises((Refused, DBAPIError)):
            async with database.transaction(user=bob.id) as db:
                await attempt(db)
    with pytest.raises(NotFound):
        async with database.transaction(user=bob.id) as db:
            await ledger.settle(db, bob.id, call, 5)
    assert (await account_of(database, alice)).balance == 1000


async def test_nobody_gets_credits_who_does_not_exist(database: Database) -> None:
    nobody = new_id()
    with pytest.raises(NotFound):
        async with database.transaction(everyone=WHY) as db:
            await money.adjust(db, nobody, reference="r", amount=5, reason="x", actor=nobody)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE credit_transactions SET amount = amount + 1",
        "DELETE FROM credit_transactions",
        "INSERT INTO credit_transactions SELECT * FROM credit_transactions",
        "UPDATE credit_accounts SET balance = balance + 1",
        "UPDATE credit_holds SET charged = 0",
        "TRUNCATE credit_transactions",
        "ALTER TABLE credit_transactions DISABLE TRIGGER ALL",
    ],
)
@pytest.mark.parametrize("role", ["talktime", "talktime_everyone"])
async def test_the_application_cannot_write_the_books(
    database: Database, alice: Person, statement: str, role: str
) -> None:
    with pytest.raises(DBAPIError) as refused:
        async with database.transaction(
            user=alice.id if role == "talktime" else None, everyone=None if role == "talktime" else WHY
        ) as db:
            await db.execute(text(statement))
    assert refused.value.orig is not None
    assert getattr(refused.value.orig, "sqlstate", "") == "42501"


@pytest.mark.parametrize(
    "statement",
    ["UPDATE credit_transactions SET amount = 5", "DELETE FROM credit_transactions", "TRUNCATE credit_transactions"],
)
async def test_even_the_owner_of_the_ledger_cannot_change_a_line(
    database: Database, alice: Person, statement: str
) -> None:
    with pytest.raises(DBAPIError, match="append-only"):
        async with database.transaction(everyone=WHY) as db:
            await db.execute(text("RESET ROLE"))
            await db.execute(text("SET LOCAL ROLE talktime_owner"))
            await db.execute(text(statement))


async def test_python_and_the_database_agree_on_every_price(database: Database, alice: Person) -> None:
    dice = random.Random(7)
    rows = []
    for _ in range(3000):
        rate = Rate(
            dice.choice([0, 1, 7, 15, 999, 10**6]),
            dice.choice([0, 0, 3, 50]),
            dice.randint(1, 120),
            dice.choice([1, 1, 6, 7, 60, 61]),
            dice.choice([0, 0, 5, 30]),
        )
        rows.append((rate, dice.choice([0, 1, 59, 60, 61, dice.randint(0, 10**5)]), dice.randint(0, 10**7)))
    async with database.transaction(user=alice.id) as db:
        answers = await db.execute(
            text(
                "SELECT credit_cost(s, r, f, i, n, z) AS cost, credit_affords(b, r, f, i, n) AS grant_seconds"
                " FROM unnest(CAST(:s AS bigint[]), CAST(:r AS bigint[]), CAST(:f AS bigint[]), CAST(:i AS int[]),"
                " CAST(:n AS int[]), CAST(:z AS int[]), CAST(:b AS bigint[]))"
                " WITH ORDINALITY AS x (s, r, f, i, n, z, b, o) ORDER BY o"
            ),
            {
                "s": [seconds for _, seconds, _ in rows],
                "r": [rate.credits_per_minute for rate, _, _ in rows],
                "f": [rate.connection_fee for rate, _, _ in rows],
                "i": [rate.initial_seconds for rate, _, _ in rows],
                "n": [rate.increment_seconds for rate, _, _ in rows],
                "z": [rate.free_seconds for rate, _, _ in rows],
                "b": [budget for _, _, budget in rows],
            },
        )
        for (rate, seconds, budget), answer in zip(rows, answers, strict=True):
            assert answer.cost == rate.cost(seconds), (rate, seconds)
            assert answer.grant_seconds == rate.affords(budget), (rate, budget)
            if answer.grant_seconds:
                assert (
                    Rate(*rate_without_free(rate)).cost(answer.grant_seconds) <= budget or not rate.credits_per_minute
                )


def rate_without_free(rate: Rate) -> tuple[int, int, int, int]:
    return rate.credits_per_minute, rate.connection_fee, rate.initial_seconds, rate.increment_seconds


async def test_random_histories_keep_the_books(empty_database: Database) -> None:
    """Several people, many calls at once, every verb in any order: nothing is overspent and everything adds up."""
    database = empty_database
    dice = random.Random(11)
    people = [await new_person(database, f"P{n}", credits=dice.randint(0, 200)) for n in range(4)]
    calls = [(person, await new_call(database, person)) for person in people for _ in range(8)]

    async def act(step: int) -> None:
        person, call = dice.choice(calls)
        verb = dice.choice(["authorise", "answer", "extend", "settle", "adjust", "limits", "heartbeat", "expire"])
        try:
            if verb == "expire":
                await expire(database, person, call)
            async with database.transaction(everyone=WHY) as db:
                match verb:
                    case "authorise":
                        await ledger.authorise(db, person.id, call)
                    case "answer":
                        await ledger.answer(db, person.id, call, OWNER)
                    case "extend":
                        await ledger.extend(db, person.id, call, OWNER, dice.randint(1, 6))
                    case "settle":
                        await ledger.settle(db, person.id, call, dice.randint(0, 400))
                    case "adjust":
                        amount = dice.choice([-1, 1]) * dice.randint(1, 50)
                        await money.adjust(
                            db,
                            person.id,
                            reference=f"s{step}",
                            amount=amount,
                            reason="dice",
                            actor=person.id,
                            as_debt=dice.random() < 0.3,
                        )
                    case "limits":
                        await money.set_limits(db, person.id, grace_limit=dice.randint(0, 60))
                    case "heartbeat":
                        await ledger.heartbeat(db, OWNER, {(person.id, call): dice.randint(0, 90)})
                    case "expire":
                        await ledger.lose(db, person.id, call)
        except (NotFound, ledger.NotTheOwner, money.NotEnoughCredit):
            pass

    for round_no in range(40):
        await asyncio.gather(*(act(round_no * 10 + n) for n in range(10)))
        verdict = await verify(database, full=round_no % 2 == 0)
        # The calls themselves are not moved here: that they go their own way is known.
        known = ("its hold is", "has no hold")
        assert [v for v in verdict.violations if not any(words in v.problem for words in known)] == []
