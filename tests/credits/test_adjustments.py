"""Credits by hand, and the second person that large ones need."""

import asyncio
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from talktime.accounts.models import Role, User, UserStatus
from talktime.credits import adjustments, money
from talktime.credits.models import Approval, ApprovalState
from talktime.credits.money import Posting
from talktime.credits.operators import NotAnOperator
from talktime.db.base import new_id
from talktime.db.session import Database
from talktime.errors import BadInput, Conflict, NotFound, TalktimeError
from tests.people import WHY, Person, account_of, charges, lines_of, new_person

LIMIT = 500


@pytest.fixture
async def eve(database: Database) -> Person:
    """A second operator."""
    return await new_person(database, "Eve", credits=0, admin=True)


async def request(database: Database, actor: Person, user: Person, amount: int, **more: Any) -> Posting | Approval:
    async with database.transaction(everyone=WHY) as db:
        words = {"user": user.id, "reference": "r1", "amount": amount, "reason": "goodwill", "actor": actor.id}
        return await adjustments.request(db, **{**words, "limit": LIMIT, **more})


async def waiting(database: Database, actor: Person, user: Person, amount: int, **more: Any) -> Approval:
    answer = await request(database, actor, user, amount, **more)
    assert isinstance(answer, Approval)
    return answer


async def approve(database: Database, approval: Approval, actor: Person) -> Posting:
    async with database.transaction(everyone=WHY) as db:
        return await adjustments.approve(db, approval.id, actor.id)


async def refuse(database: Database, approval: Approval, actor: Person) -> Approval:
    async with database.transaction(everyone=WHY) as db:
        return await adjustments.refuse(db, approval.id, actor.id)


async def pending_of(database: Database, user: Person) -> list[uuid.UUID]:
    async with database.transaction(everyone=WHY) as db:
        return [each.id for each in await adjustments.pending(db, limit=10_000) if each.user_id == user.id]


@pytest.mark.parametrize("amount", [LIMIT, -LIMIT, 1, -1])
async def test_up_to_the_limit_it_is_posted_at_once_and_once(
    database: Database, alice: Person, ada: Person, amount: int
) -> None:
    first = await request(database, ada, alice, amount)
    again = await request(database, ada, alice, amount)
    assert isinstance(first, Posting) and isinstance(again, Posting)
    assert (first.fresh, again.fresh, again.seq, again.amount) == (True, False, first.seq, amount)
    assert await charges(database, alice) == [amount]
    assert await pending_of(database, alice) == []


@pytest.mark.parametrize("amount", [LIMIT + 1, -LIMIT - 1])
async def test_above_the_limit_nothing_is_posted_before_a_second_person_agrees(
    database: Database, alice: Person, ada: Person, eve: Person, amount: int
) -> None:
    asked = await waiting(database, ada, alice, amount)
    assert (asked.state, asked.amount, asked.requested_by) == (ApprovalState.PENDING, amount, ada.id)
    assert await charges(database, alice) == []
    assert await pending_of(database, alice) == [asked.id]

    posting = await approve(database, asked, eve)
    assert (posting.fresh, posting.amount, posting.balance_after) == (True, amount, 1000 + amount)
    line = (await lines_of(database, alice))[-1]
    assert (line.amount, line.reference, line.reason, line.actor_id) == (amount, "r1", "goodwill", ada.id)
    assert await pending_of(database, alice) == []


async def test_many_small_ones_of_a_day_need_a_second_person_as_one_large_one_does(
    database: Database, alice: Person, bob: Person, ada: Person, eve: Person
) -> None:
    await request(database, ada, alice, 300, reference="one")
    await request(database, ada, alice, 200, reference="two")
    asked = await waiting(database, ada, alice, 1, reference="three")
    # Each that was posted is still answered as it was, and counts once.
    again = await request(database, ada, alice, 200, reference="two")
    assert isinstance(again, Posting) and not again.fresh
    # Another customer's day, and another operator's, are their own.
    assert isinstance(await request(database, ada, bob, LIMIT, reference="one"), Posting)
    assert isinstance(await request(database, eve, alice, LIMIT, reference="four"), Posting)
    await waiting(database, eve, alice, -1, reference="five")
    assert (await approve(database, asked, eve)).fresh
    assert await charges(database, alice) == [300, 200, LIMIT, 1]


async def test_what_was_given_and_taken_again_counts_twice(database: Database, alice: Person, ada: Person) -> None:
    await request(database, ada, alice, 300, reference="given")
    await request(database, ada, alice, -150, reference="taken")
    await waiting(database, ada, alice, 51, reference="more")
    await waiting(database, ada, alice, -51, reference="less")
    assert isinstance(await request(database, ada, alice, -50, reference="enough"), Posting)


async def test_what_a_second_person_agreed_to_does_not_count(
    database: Database, alice: Person, ada: Person, eve: Person
) -> None:
    await approve(database, await waiting(database, ada, alice, 600), eve)
    await refuse(database, await waiting(database, ada, alice, 600, reference="no"), eve)
    await waiting(database, ada, alice, 700, reference="waits")
    for who in (ada, eve):
        assert isinstance(await request(database, who, alice, LIMIT, reference=f"by {who.id}"), Posting)


async def test_a_new_day_begins_at_midnight_utc(database: Database, alice: Person, ada: Person) -> None:
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    await _posted_at(database, alice, ada, 400, midnight - timedelta(microseconds=1))
    assert isinstance(await request(database, ada, alice, LIMIT - 100, reference="today"), Posting)
    await _posted_at(database, alice, ada, 60, midnight)
    await waiting(database, ada, alice, 41, reference="more")
    assert isinstance(await request(database, ada, alice, 40, reference="enough"), Posting)


async def test_small_ones_at_once_pass_no_limit(database: Database, alice: Person, ada: Person) -> None:
    answers = await asyncio.gather(*(request(database, ada, alice, 200, reference=f"r{n}") for n in range(8)))
    assert sum(isinstance(answer, Posting) for answer in answers) == 2
    assert await charges(database, alice) == [200, 200]
    assert len(await pending_of(database, alice)) == 6


async def _posted_at(database: Database, user: Person, actor: Person, amount: int, at: datetime) -> None:
    """An adjustment at this time: only the owner of the tables may say when something was."""
    async with database.transaction(everyone=WHY) as db:
        await db.execute(text("RESET ROLE"))
        await db.execute(text("SET LOCAL ROLE talktime_owner"))
        await db.execute(
            text(
                "WITH a AS (UPDATE credit_accounts SET seq = seq + 1, balance = balance + :amount, head = sha256(head)"
                " WHERE user_id = :user RETURNING *)"
                " INSERT INTO credit_transactions (user_id, seq, type, amount, balance_after, reference, reason,"
                " actor_id, created_at, hash) SELECT user_id, seq, 'ADMIN_ADJUSTMENT', :amount, balance,"
                " 'line:' || seq, 'a line', :actor, :at, head FROM a"
            ),
            {"user": user.id, "actor": actor.id, "amount": amount, "at": at},
        )


async def test_the_same_request_again_gets_the_same_answer_at_every_stage(
    database: Database, alice: Person, ada: Person, eve: Person
) -> None:
    asked = await waiting(database, ada, alice, 600)
    assert (await waiting(database, ada, alice, 600)).id == asked.id
    # The limit was raised in between: it still waits, or one reference would be two answers.
    assert (await waiting(database, ada, alice, 600, limit=10**6)).id == asked.id
    await approve(database, asked, eve)
    late = await waiting(database, ada, alice, 600)
    assert (late.id, late.state, late.decided_by) == (asked.id, ApprovalState.APPROVED, eve.id)
    assert await charges(database, alice) == [600]

    small = await request(database, ada, alice, 400, reference="r2")
    lowered = await request(database, ada, alice, 400, reference="r2", limit=0)
    assert isinstance(small, Posting) and isinstance(lowered, Posting)
    assert (small.fresh, lowered.fresh, lowered.seq) == (True, False, small.seq)
    assert await pending_of(database, alice) == []


async def test_a_reference_means_one_adjustment(database: Database, alice: Person, bob: Person, ada: Person) -> None:
    await waiting(database, ada, alice, 600)
    others: list[dict[str, Any]] = [{"amount": 601}, {"amount": 5}, {"reason": "another"}, {"as_debt": True}]
    for other in others:
        with pytest.raises(Conflict):
            await request(database, ada, alice, **{"amount": 600, **other})
    await request(database, ada, alice, 5, reference="r2")
    with pytest.raises(Conflict):
        await request(database, ada, alice, 700, reference="r2")
    # Another customer's is another one.
    assert (await waiting(database, ada, bob, 600)).user_id == bob.id
    assert await charges(database, alice) == [5]


async def test_ten_requests_at_once_are_one(database: Database, alice: Person, ada: Person) -> None:
    answers = await asyncio.gather(*(waiting(database, ada, alice, 600) for _ in range(10)))
    assert len({answer.id for answer in answers}) == 1
    posted = await asyncio.gather(*(request(database, ada, alice, 7, reference="small") for _ in range(10)))
    assert sum(isinstance(answer, Posting) and answer.fresh for answer in posted) == 1
    assert await charges(database, alice) == [7]


async def test_ten_approvals_at_once_post_once(database: Database, alice: Person, ada: Person, eve: Person) -> None:
    others = [eve, *[await new_person(database, f"E{n}", credits=0, admin=True) for n in range(3)]]
    asked = await waiting(database, ada, alice, 600)
    answers = await asyncio.gather(
        *(approve(database, asked, others[n % len(others)]) for n in range(12)), return_exceptions=True
    )
    agreed = [answer for answer in answers if isinstance(answer, Posting)]
    assert sum(answer.fresh for answer in agreed) == 1
    assert len(agreed) == 3, "the one who agreed asked three times; the others came too late"
    assert all(isinstance(answer, (Posting, adjustments.AlreadyDecided)) for answer in answers)
    assert await charges(database, alice) == [600]


async def test_yes_and_no_at_once_are_one_of_the_two(
    database: Database, alice: Person, ada: Person, eve: Person
) -> None:
    dora = await new_person(database, "Dora", credits=0, admin=True)
    for n in range(6):
        asked = await waiting(database, ada, alice, 600 + n, reference=f"both-{n}")
        answers = await asyncio.gather(
            approve(database, asked, eve), refuse(database, asked, dora), return_exceptions=True
        )
        assert sum(isinstance(answer, adjustments.AlreadyDecided) for answer in answers) == 1
        assert ((600 + n) in await charges(database, alice)) == isinstance(answers[0], Posting)


async def test_what_was_refused_is_never_posted(database: Database, alice: Person, ada: Person, eve: Person) -> None:
    asked = await waiting(database, ada, alice, 600)
    refused = await refuse(database, asked, eve)
    assert (refused.state, refused.decided_by) == (ApprovalState.REFUSED, eve.id)
    assert (await refuse(database, asked, eve)).decided_at == refused.decided_at
    with pytest.raises(adjustments.AlreadyDecided, match="refused"):
        await approve(database, asked, eve)
    assert (await waiting(database, ada, alice, 600)).state == ApprovalState.REFUSED
    assert await charges(database, alice) == []
    assert await pending_of(database, alice) == []


async def test_only_another_operator_who_is_active_decides(
    database: Database, alice: Person, ada: Person, bob: Person, eve: Person
) -> None:
    asked = await waiting(database, ada, alice, 600)
    suspended = await new_person(database, "Mallory", credits=0, admin=True)
    demoted = await new_person(database, "Peggy", credits=0, admin=True)
    async with database.transaction(everyone=WHY) as db:
        (await db.get_one(User, suspended.id)).status = UserStatus.SUSPENDED
        (await db.get_one(User, demoted.id)).role = Role.USER
    refusals: list[tuple[Person, type[TalktimeError]]] = [
        (ada, adjustments.SecondPersonNeeded),
        (alice, NotAnOperator),
        (bob, NotAnOperator),
        (suspended, NotAnOperator),
        (demoted, NotAnOperator),
    ]
    for person, error in refusals:
        for decide in (approve, refuse):
            with pytest.raises(error):
                await decide(database, asked, person)
        if person is not ada:
            with pytest.raises(NotAnOperator):
                await request(database, person, alice, 5, reference=f"by-{person.id}")
            with pytest.raises(NotAnOperator):
                await request(database, person, alice, 5000, reference=f"by-{person.id}")
    assert await charges(database, alice) == []
    assert await pending_of(database, alice) == [asked.id]
    assert (await approve(database, asked, eve)).fresh


async def test_an_operator_who_was_suspended_after_agreeing_cannot_agree_again(
    database: Database, alice: Person, ada: Person, eve: Person
) -> None:
    asked = await waiting(database, ada, alice, 600)
    await approve(database, asked, eve)
    assert not (await approve(database, asked, eve)).fresh
    async with database.transaction(everyone=WHY) as db:
        (await db.get_one(User, eve.id)).status = UserStatus.SUSPENDED
    with pytest.raises(NotAnOperator):
        await approve(database, asked, eve)


async def test_what_could_not_be_posted_is_refused_before_anybody_waits(
    database: Database, alice: Person, bob: Person, ada: Person
) -> None:
    bad: list[tuple[dict[str, Any], type[TalktimeError]]] = [
        ({"amount": -1001}, money.NotEnoughCredit),
        ({"amount": 10**12 + 1}, BadInput),
        ({"reference": " "}, BadInput),
        ({"reference": "rent:x:2026-01"}, BadInput),
        ({"reference": "a\0b"}, BadInput),
        ({"reference": None}, BadInput),
        ({"reason": ""}, BadInput),
        ({"limit": -1}, BadInput),
        ({"limit": 0.5}, BadInput),
        ({"as_debt": "yes"}, BadInput),
    ]
    for words, error in bad:
        with pytest.raises(error):
            await request(database, ada, alice, **{"amount": 600, **words})
    nobody = replace(alice, id=new_id())
    for amount in (5, 600):
        with pytest.raises(NotFound):
            await request(database, ada, nobody, amount)
    assert await pending_of(database, alice) == await pending_of(database, nobody) == []
    assert await charges(database, alice) == []


async def test_one_that_cannot_be_paid_any_more_goes_on_waiting(
    database: Database, alice: Person, ada: Person, eve: Person
) -> None:
    asked = await waiting(database, ada, alice, -800)
    await request(database, ada, alice, -300, reference="sooner")
    with pytest.raises(money.NotEnoughCredit):
        await approve(database, asked, eve)
    assert await pending_of(database, alice) == [asked.id]
    await request(database, ada, alice, 100, reference="back")
    assert (await approve(database, asked, eve)).balance_after == 0


async def test_debt_is_agreed_to_with_the_amount(database: Database, alice: Person, ada: Person, eve: Person) -> None:
    asked = await waiting(database, ada, alice, -1200, as_debt=True)
    assert (await account_of(database, alice)).balance == 1000
    assert (await approve(database, asked, eve)).balance_after == -200
    assert (await account_of(database, alice)).clawback_debt == 200


async def test_nobody_decides_what_was_never_asked(database: Database, eve: Person) -> None:
    for decide in (adjustments.approve, adjustments.refuse):
        with pytest.raises(NotFound):
            async with database.transaction(everyone=WHY) as db:
                await decide(db, new_id(), eve.id)
