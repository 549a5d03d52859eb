"""A batch is the single verbs one after the other: the same items on two equal customers' books, one way each.

What comes out must be equal but for times, ids and hashes: accounts, holds, lines, alerts, notices and every answer.
"""

import os
import random
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.credits import batches, ledger, money
from talktime.credits.functions import NotEnoughCredit, NotTheOwner
from talktime.credits.pricing import Rate
from talktime.db.base import new_id
from talktime.db.session import Database
from talktime.errors import Conflict, NotFound, TalktimeError
from tests.credits import books as stage
from tests.db.everything import become_owner
from tests.people import WHY, Person, account_of, lines_of, new_person

ROUNDS = 200 if os.environ.get("TALKTIME_TEST_LONG") else 12
OWNERS = ("voice-1", "voice-2")
RATES = (Rate(15), Rate(7, 3, 1, 1, 10), Rate(61, 0, 20, 7), Rate(0))


@dataclass
class Twin:
    """One of two customers who are alike: their calls have the same names on both sides."""

    person: Person
    calls: list[uuid.UUID]


async def twins(database: Database, dice: random.Random) -> tuple[Twin, Twin]:
    """Two customers with the same past: credit, limits, and calls in every state."""
    seed = dice.random()
    first, second = [await _live(database, random.Random(seed)) for _ in range(2)]
    return first, second


async def _live(database: Database, dice: random.Random) -> Twin:
    person = await new_person(database, "Twin", credits=dice.choice([15, 60, 400, 5000]), rate=dice.choice(RATES))
    user, calls = person.id, [new_id() for _ in range(6)]
    async with database.transaction(everyone=WHY) as db:
        await money.set_limits(db, user, grace_limit=dice.choice([0, 20, 200]))
        await money.set_low_balance(db, user, dice.choice([None, 30]))
        for call in calls[:-1]:
            await stage.rings(db, user, call, dice.choice([None, "+4915112345678"]))
            await ledger.authorise(db, user, call)
            if dice.random() < 0.85:
                owner = dice.choice(OWNERS)
                claimed = (await ledger.answer(db, user, call, owner)).claimed
                for number in range(1, dice.randint(1, 3) if claimed else 1):
                    await ledger.extend(db, user, call, owner, number)
            if dice.random() < 0.2:
                await stage.lease_ends(db, user, call, -1)
                await ledger.lose(db, user, call)
                if dice.random() < 0.5:
                    await ledger.give_up(db, user, call)
            if dice.random() < 0.15:
                await ledger.settle(db, user, call, dice.randint(0, 100))
        if dice.random() < 0.3:
            await money.set_guards(db, user, per_day=dice.choice([None, 40]), per_call=61, per_caller=None)
        if dice.random() < 0.2:
            await money.rent(db, user, uuid.UUID(int=1), date(2026, 11, 1), dice.choice([20, 600]))
        if dice.random() < 0.1:
            await money.block(db, user, "suspended")
        await stage.calls_follow(db, [user])
    return Twin(person, calls)


def likeness(eyes: stage.Eyes, twin: Twin) -> Any:
    return stage.likeness(eyes, twin.person.id, {call: f"call {n}" for n, call in enumerate(twin.calls)})


Answers = list[dict[str, Any]] | type[TalktimeError]
Verb = Callable[..., Awaitable[Sequence[Any]]]


async def asked(database: Database, twin: Twin, verb: Verb, *words: Any) -> Answers:
    """The answers in plain values, or the type of the error that refused all of it."""
    names = {call: f"call {n}" for n, call in enumerate(twin.calls)} | {twin.person.id: "me"}
    # What is posted by hand is the operator's to post.
    user = None if verb in (post_each, post_all) else twin.person.id
    try:
        async with database.transaction(user=user, everyone=None if user else WHY) as db:
            found = await verb(db, twin, *words)
            await stage.calls_follow(db, [twin.person.id])
    except TalktimeError as error:
        return type(error)
    rows = [{name: names.get(value, value) for name, value in asdict(each).items()} for each in found]
    return [{name: value for name, value in row.items() if name != "cut_at"} for row in rows]


Word = tuple[str, int, str]


async def post_each(db: AsyncSession, twin: Twin, words: Sequence[Word], actor: uuid.UUID, as_debt: bool) -> list[Any]:
    done = []
    for name, amount, reason in words:
        posting = await money.adjust(
            db, twin.person.id, reference=name, amount=amount, reason=reason, actor=actor, as_debt=as_debt
        )
        done.append(batches.Posted(twin.person.id, name, **asdict(posting)))
    return done


async def post_all(
    db: AsyncSession, twin: Twin, words: Sequence[Word], actor: uuid.UUID, as_debt: bool
) -> Sequence[Any]:
    wanted = [batches.Adjustment(twin.person.id, *word) for word in words]
    return await batches.post_many(db, wanted, actor, as_debt=as_debt)


@pytest.mark.parametrize("seed", range(ROUNDS))
async def test_posting_many_is_posting_each(database: Database, eyes: stage.Eyes, seed: int) -> None:
    dice = random.Random(f"post {seed}")
    alone, together = await twins(database, dice)
    actor = (await new_person(database, "Ada", credits=0, admin=True)).id
    as_debt = dice.random() < 0.4
    for _ in range(3):
        names = [f"r{dice.randint(0, 12)}" for _ in range(dice.randint(1, 7))]
        # The same name with other words is refused either way; mostly they are the same.
        by_name = {name: (name, dice.choice([5, 40, -3, -40]), dice.choice(["dice", "dice", "cup"])) for name in names}
        words = [by_name[name] for name in names]
        one_by_one = await asked(database, alone, post_each, words, actor, as_debt)
        at_once = await asked(database, together, post_all, words, actor, as_debt)
        if isinstance(one_by_one, type):
            # A batch is looked through for bad items before it is counted, so it may name another of its faults.
            assert at_once in {NotEnoughCredit, Conflict}
        else:
            assert at_once == one_by_one
        assert likeness(eyes, together) == likeness(eyes, alone)


async def settle_each(db: AsyncSession, twin: Twin, items: Sequence[tuple[int, int]]) -> list[Any]:
    done = []
    for which, seconds in items:
        settled = await ledger.settle(db, twin.person.id, twin.calls[which], seconds)
        done.append(batches.Settled(twin.person.id, twin.calls[which], **asdict(settled)))
    return done


async def settle_all(db: AsyncSession, twin: Twin, items: Sequence[tuple[int, int]]) -> Sequence[Any]:
    return await batches.settle_many(db, [(twin.person.id, twin.calls[which], seconds) for which, seconds in items])


@pytest.mark.parametrize("seed", range(ROUNDS))
async def test_settling_many_is_settling_each(database: Database, eyes: stage.Eyes, seed: int) -> None:
    dice = random.Random(f"settle {seed}")
    alone, together = await twins(database, dice)
    for _ in range(2):
        # The last call was never authorised: a batch with it is refused whole.
        known = range(6) if dice.random() < 0.2 else range(5)
        items = [(dice.choice(known), dice.choice([0, 9, 61, 600])) for _ in range(dice.randint(1, 6))]
        one_by_one = await asked(database, alone, settle_each, items)
        assert await asked(database, together, settle_all, items) == one_by_one
        assert likeness(eyes, together) == likeness(eyes, alone)


async def test_settling_again_what_is_settled_changes_nothing_not_even_the_day(
    database: Database, eyes: stage.Eyes
) -> None:
    person = await new_person(database, "Twin", credits=60)
    twin = Twin(person, [new_id()])
    async with database.transaction(everyone=WHY) as db:
        await stage.rings(db, person.id, twin.calls[0], None)
        await ledger.authorise(db, person.id, twin.calls[0])
        await ledger.settle(db, person.id, twin.calls[0], 0)
        await stage.calls_follow(db, [person.id])
    async with database.transaction(everyone=WHY) as db:
        # As after a night: what was spent stands under a day that is over.
        await become_owner(db)
        await db.execute(
            text("UPDATE credit_accounts SET spent_on = NULL, spent_until = NULL, spent_today = 0 WHERE user_id = :u"),
            {"u": person.id},
        )
    before = likeness(eyes, twin)
    assert isinstance(await asked(database, twin, settle_all, [(0, 30)]), list)
    assert likeness(eyes, twin) == before


async def extend_each(
    db: AsyncSession, twin: Twin, items: Sequence[tuple[int, int]], owner: str, slice_seconds: int
) -> list[Any]:
    done = []
    for which, number in items:
        key = (twin.person.id, twin.calls[which])
        try:
            async with db.begin_nested():
                more = await ledger.extend(db, *key, owner, number, slice_seconds=slice_seconds)
        except (NotFound, NotTheOwner) as error:
            reason = "no_hold" if isinstance(error, NotFound) else "not_owner"
            done.append(batches.Extended(*key, False, None, None, None, None, reason))
        else:
            done.append(batches.Extended(*key, **asdict(more)))
    return done


async def extend_all(
    db: AsyncSession, twin: Twin, items: Sequence[tuple[int, int]], owner: str, slice_seconds: int
) -> Sequence[Any]:
    wanted = [(twin.person.id, twin.calls[which], number) for which, number in items]
    return await batches.extend_many(db, owner, wanted, slice_seconds=slice_seconds)


@pytest.mark.parametrize("seed", range(ROUNDS))
async def test_extending_many_is_extending_each(database: Database, eyes: stage.Eyes, seed: int) -> None:
    dice = random.Random(f"extend {seed}")
    alone, together = await twins(database, dice)
    for step in range(4):
        which = dice.sample(range(6), dice.randint(1, 6))
        items = [(n, max(1, 3 + step + dice.choice([0, 0, 0, -3]))) for n in which]
        words = (items, dice.choice(OWNERS), dice.choice([60, 60, 7]))
        one_by_one = await asked(database, alone, extend_each, *words)
        at_once = await asked(database, together, extend_all, *words)
        assert isinstance(one_by_one, list) and isinstance(at_once, list)
        assert sorted(at_once, key=_name) == sorted(one_by_one, key=_name)
        assert likeness(eyes, together) == likeness(eyes, alone)


def _name(answer: dict[str, Any]) -> str:
    return str(answer["call_id"])


async def _customer(database: Database, ada: Person, credits: int, low_balance: int | None) -> Person:
    person = await new_person(database, "Customer", credits=credits)
    async with database.transaction(everyone=WHY) as db:
        await money.set_low_balance(db, person.id, low_balance)
        await money.adjust(db, person.id, reference="known", amount=5, reason="Once before", actor=ada.id)
    return person


async def _books(database: Database, person: Person) -> tuple[object, ...]:
    account = await account_of(database, person)
    lines = [(line.amount, line.balance_after, line.reference) for line in await lines_of(database, person)]
    return account.balance, account.clawback_debt, account.seq, account.low_balance, lines


@pytest.mark.parametrize("as_debt", [False, True])
@pytest.mark.parametrize("with_known", [False, True])
async def test_postings_for_many_customers_at_once_are_the_single_ones(
    database: Database, ada: Person, *, as_debt: bool, with_known: bool
) -> None:
    kinds = [(1000, None, 40), (100, 90, -30), (7, None, 1), (0, 3, 900), (50, 60, -50)]
    alone = [await _customer(database, ada, size, low) for size, low, _ in kinds]
    together = [await _customer(database, ada, size, low) for size, low, _ in kinds]
    items = [(f"gift:{number}", amount, "Many at once") for number, (_, _, amount) in enumerate(kinds)]
    if with_known:
        items[2] = ("known", 5, "Once before")
    singly = []
    async with database.transaction(everyone=WHY) as db:
        for person, (reference, amount, reason) in zip(alone, items, strict=True):
            posted = await money.adjust(
                db, person.id, reference=reference, amount=amount, reason=reason, actor=ada.id, as_debt=as_debt
            )
            singly.append((posted.fresh, posted.balance_after))
    batch = [batches.Adjustment(person.id, *item) for person, item in zip(together, items, strict=True)]
    async with database.transaction(everyone=WHY) as db:
        first = await batches.post_many(db, batch, ada.id, as_debt=as_debt)
        again = await batches.post_many(db, batch, ada.id, as_debt=as_debt)
    assert [(each.fresh, each.balance_after) for each in first] == singly
    assert not any(each.fresh for each in again)
    for one, other in zip(alone, together, strict=True):
        assert await _books(database, one) == await _books(database, other)
