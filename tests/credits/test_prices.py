"""The price list: added to, never changed, and what a call rang at stays its price."""

import asyncio
import math
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts.models import User, UserStatus
from talktime.credits import ledger, money, prices
from talktime.credits.models import Price, PriceKind
from talktime.credits.operators import NotAnOperator
from talktime.credits.pricing import Rate
from talktime.db.base import new_id
from talktime.db.session import Database
from talktime.errors import BadInput, Conflict, NotFound
from tests.people import WHY, Person, account_of, hold_of, new_call, new_person

OWNER = "process-1"


async def set_price(database: Database, actor: Person, user: Person | None, **figures: Any) -> Price:
    async with database.transaction(everyone=WHY) as db:
        return await prices.set_price(
            db,
            **{
                "user": user and user.id,
                "kind": PriceKind.CALL,
                "credits_per_minute": 20,
                "actor": actor.id,
                **figures,
            },
        )


async def follow_list(database: Database, actor: Person, user: Person, **more: Any) -> Price | None:
    async with database.transaction(everyone=WHY) as db:
        return await prices.follow_list(db, **{"user": user.id, "kind": PriceKind.CALL, "actor": actor.id, **more})


async def history_of(database: Database, user: Person, kind: PriceKind = PriceKind.CALL) -> list[int]:
    async with database.transaction(everyone=WHY) as db:
        return [price.credits_per_minute for price in await prices.history(db, user.id, kind)]


async def test_a_new_price_holds_from_its_moment_on_and_the_old_one_is_kept(
    database: Database, alice: Person, ada: Person
) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    dearer = await set_price(database, ada, alice, credits_per_minute=25, valid_from=tomorrow)
    async with database.transaction(user=alice.id) as db:
        today = await prices.price_of(db, alice.id, tomorrow - timedelta(microseconds=1))
        then = await prices.price_of(db, alice.id, tomorrow)
        listed = await prices.price_list(db, tomorrow)
    assert today is not None and then is not None
    assert (today.credits_per_minute, then.credits_per_minute, then.created_by) == (15, 25, ada.id)
    assert dearer.id in [price.id for price in listed]
    assert today.id not in [price.id for price in listed]
    assert await history_of(database, alice) == [25, 15]


async def test_a_running_call_keeps_the_price_it_rang_at(database: Database, alice: Person, ada: Person) -> None:
    call = await new_call(database, alice)
    async with database.transaction(user=alice.id) as db:
        await ledger.authorise(db, alice.id, call)
        await ledger.answer(db, alice.id, call, OWNER)
    await set_price(database, ada, alice, credits_per_minute=90, connection_fee=7)
    later = await new_call(database, alice)
    async with database.transaction(user=alice.id) as db:
        assert (await ledger.extend(db, alice.id, call, OWNER, 1)).held == 30
        assert (await ledger.settle(db, alice.id, call, 61)).charged == 30
        assert (await ledger.authorise(db, alice.id, later)).held == 97
        corrected = await ledger.settle(db, alice.id, later, 0)
        assert corrected.charged == 0
        assert (await money.correct(db, alice.id, call, 60)).charged == 15
    assert (await hold_of(database, alice, call)).credits_per_minute == 15


async def test_a_users_own_price_wins_over_everybodys_and_kinds_are_apart(
    database: Database, alice: Person, ada: Person
) -> None:
    async with database.transaction(everyone=WHY) as db:
        db.add(User(id=(stranger := new_id()), email=f"s.{stranger.hex}@example.org", name="Stranger"))
    now = await set_price(database, ada, None, credits_per_minute=33, kind=PriceKind.TRANSFER)
    own = await set_price(database, ada, alice, credits_per_minute=44, kind=PriceKind.TRANSFER)
    at = max(now.valid_from, own.valid_from)
    async with database.transaction(everyone=WHY) as db:
        theirs = await prices.price_of(db, stranger, at, PriceKind.TRANSFER)
        hers = await prices.price_of(db, alice.id, at, PriceKind.TRANSFER)
        her_call = await prices.price_of(db, alice.id, at)
    assert theirs is not None and hers is not None and her_call is not None
    assert (theirs.credits_per_minute, hers.credits_per_minute, her_call.credits_per_minute) == (33, 44, 15)
    assert theirs.user_id is None


async def test_python_reads_the_price_that_the_database_charges(database: Database, alice: Person, ada: Person) -> None:
    begins = datetime.now(UTC)
    for day, rate in [(3, 30), (1, 10), (2, 20), (0, 40)]:
        await set_price(database, ada, alice, credits_per_minute=rate, valid_from=begins + timedelta(days=day))
    async with database.transaction(everyone=WHY) as db:
        for hours in range(0, 100, 7):
            at = begins + timedelta(hours=hours, minutes=1)
            price = await prices.price_of(db, alice.id, at)
            await db.execute(text("SET LOCAL ROLE NONE"))
            await db.execute(text("SET LOCAL ROLE talktime_owner"))
            charged = await db.scalar(
                text("SELECT (credit_price(:user, :at, 'CALL')).id"), {"user": alice.id, "at": at}
            )
            await db.execute(text("SET LOCAL ROLE talktime_everyone"))
            assert price is not None
            assert price.id == charged, hours
    # One that is set later for an earlier moment does not bury the newer ones.
    assert await history_of(database, alice) == [30, 20, 10, 40, 15]


async def test_a_customer_who_follows_the_list_again_pays_what_everybody_pays(
    database: Database, alice: Person, ada: Person
) -> None:
    running = await new_call(database, alice)
    async with database.transaction(user=alice.id) as db:
        await ledger.authorise(db, alice.id, running)
        await ledger.answer(db, alice.id, running, OWNER)
    await set_price(database, ada, None, credits_per_minute=31)
    ended = [await follow_list(database, ada, alice) for _ in range(2)]
    assert ended[0] is not None and ended[1] is not None
    assert (ended[0].id, ended[0].follows_list, ended[0].created_by) == (ended[1].id, True, ada.id)
    later = await new_call(database, alice)
    async with database.transaction(user=alice.id) as db:
        assert (await ledger.authorise(db, alice.id, later)).held == 31
        assert (await ledger.extend(db, alice.id, running, OWNER, 1)).held == 30, "a running call keeps its price"
    await set_price(database, ada, None, credits_per_minute=32)
    latest = await new_call(database, alice)
    async with database.transaction(user=alice.id) as db:
        assert (await ledger.authorise(db, alice.id, latest)).held == 32, "whatever the list becomes"
        now = datetime.now(UTC)
        held = await prices.price_of(db, alice.id, now)
        listed = await prices.price_list(db, now)
    assert held is not None and held.user_id is None
    assert alice.id not in [price.user_id for price in listed]
    assert (await hold_of(database, alice, latest)).price_id == held.id
    # A price of her own again, with the very figures that were ended.
    await set_price(database, ada, alice, credits_per_minute=15)
    own = await new_call(database, alice)
    async with database.transaction(user=alice.id) as db:
        assert (await ledger.authorise(db, alice.id, own)).held == 15
    assert await history_of(database, alice) == [15, 15, 15]


async def test_following_the_list_begins_when_it_is_said_to_and_later_prices_still_begin(
    database: Database, alice: Person, ada: Person
) -> None:
    await set_price(database, ada, None, credits_per_minute=31)
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    await set_price(database, ada, alice, credits_per_minute=9, valid_from=tomorrow + timedelta(days=1))
    await follow_list(database, ada, alice, valid_from=tomorrow)
    async with database.transaction(everyone=WHY) as db:
        for days, rate in ((0, 15), (1, 31), (2, 9)):
            at = tomorrow + timedelta(days=days - 1, minutes=5)
            price = await prices.price_of(db, alice.id, at)
            await db.execute(text("SET LOCAL ROLE NONE"))
            await db.execute(text("SET LOCAL ROLE talktime_owner"))
            charged = await db.scalar(
                text("SELECT (credit_price(:user, :at, 'CALL')).id"), {"user": alice.id, "at": at}
            )
            await db.execute(text("SET LOCAL ROLE talktime_everyone"))
            assert price is not None
            assert (price.credits_per_minute, price.id) == (rate, charged)


async def test_a_price_is_ended_only_by_an_operator_where_there_is_one_and_a_list_to_follow(
    database: Database, alice: Person, bob: Person, ada: Person
) -> None:
    await set_price(database, ada, None, credits_per_minute=31)
    with pytest.raises(NotAnOperator):
        await follow_list(database, bob, alice)
    with pytest.raises(prices.PriceInThePast):
        await follow_list(database, ada, alice, valid_from=datetime.now(UTC) - timedelta(minutes=2))
    with pytest.raises(BadInput):
        await follow_list(database, ada, alice, kind="RENT")
    moment = datetime.now(UTC) + timedelta(hours=1)
    await set_price(database, ada, alice, credits_per_minute=16, valid_from=moment)
    with pytest.raises(Conflict, match="choose a later one"):
        await follow_list(database, ada, alice, valid_from=moment)
    async with database.transaction(everyone=WHY) as db:
        db.add(User(id=(stranger := new_id()), email=f"s.{stranger.hex}@example.org", name="Stranger"))
        await db.flush()
        assert await prices.follow_list(db, user=stranger, kind=PriceKind.CALL, actor=ada.id) is None
    assert await history_of(database, alice) == [16, 15]
    assert await history_of(database, bob) == [15]


async def test_the_same_price_again_changes_nothing(database: Database, alice: Person, ada: Person) -> None:
    moment = datetime.now(UTC) + timedelta(hours=1)
    first = await set_price(database, ada, alice, valid_from=moment)
    again = await set_price(database, ada, alice, valid_from=moment)
    later = await set_price(database, ada, alice, valid_from=moment + timedelta(hours=1))
    assert first.id == again.id == later.id
    with pytest.raises(Conflict, match="choose a later one"):
        await set_price(database, ada, alice, valid_from=moment, credits_per_minute=21)
    assert await history_of(database, alice) == [20, 15]


async def test_a_form_that_is_sent_eight_times_at_once_adds_one_price(
    database: Database, alice: Person, ada: Person
) -> None:
    added = await asyncio.gather(*(set_price(database, ada, alice) for _ in range(8)))
    assert len({price.id for price in added}) == 1
    assert await history_of(database, alice) == [20, 15]


async def test_a_price_never_begins_in_the_past(database: Database, alice: Person, ada: Person) -> None:
    now = datetime.now(UTC)
    with pytest.raises(prices.PriceInThePast):
        await set_price(database, ada, alice, valid_from=now - timedelta(minutes=2))
    late = await set_price(database, ada, alice, valid_from=now - timedelta(seconds=20))
    assert late.valid_from >= now - timedelta(seconds=1)


async def test_a_rate_of_zero_needs_the_word_and_such_a_call_ends_by_its_limit_alone(
    database: Database, ada: Person
) -> None:
    poor = await new_person(database, "Poor", credits=0, rate=Rate(credits_per_minute=15))
    with pytest.raises(prices.FreeByMistake, match="free of charge"):
        await set_price(database, ada, poor, credits_per_minute=0)
    await set_price(database, ada, poor, credits_per_minute=0, allow_free=True)
    call = await new_call(database, poor)
    async with database.transaction(user=poor.id) as db:
        begun = await ledger.authorise(db, poor.id, call)
        assert (begun.allowed, begun.granted_seconds, begun.held) == (True, 60, 0)
        await ledger.answer(db, poor.id, call, OWNER)
        for request_no in range(1, 61):
            more = await ledger.extend(db, poor.id, call, OWNER, request_no)
            assert (more.extended, more.reason) == (True, None)
        assert more.granted_seconds == 61 * 60
        ended = await ledger.settle(db, poor.id, call, 3600)
    assert (ended.charged, ended.unbilled) == (0, 0)
    account = await account_of(database, poor)
    assert (account.balance, account.held, account.open_calls, account.seq) == (0, 0, 0, 0)


FIGURES = ["credits_per_minute", "connection_fee", "initial_seconds", "increment_seconds", "free_seconds"]


@pytest.mark.parametrize("figure", FIGURES)
@pytest.mark.parametrize("value", [-1, 10**9 + 1, 2**63, 10**40, 1.5, math.nan, math.inf, True, "15", None])
async def test_a_figure_that_is_no_figure_is_refused(
    database: Database, alice: Person, ada: Person, figure: str, value: Any
) -> None:
    with pytest.raises(BadInput) as refused:
        await set_price(database, ada, alice, **{figure: value}, allow_free=True)
    assert "must be a whole number" in str(refused.value) or " is " in str(refused.value)
    assert await history_of(database, alice) == [15]


@pytest.mark.parametrize(
    "bad",
    [
        {"initial_seconds": 0},
        {"increment_seconds": 0},
        {"initial_seconds": 3601},
        {"increment_seconds": 3601},
        {"free_seconds": 3601},
        {"kind": "RENT"},
        {"valid_from": datetime(2099, 1, 1)},  # noqa: DTZ001  a moment without a zone is what is tested
        {"credits_per_minute": 0, "allow_free": 1},
        {"credits_per_minute": 0, "connection_fee": 50},
    ],
    ids=str,
)
async def test_a_price_that_cannot_be_meant_is_refused(
    database: Database, alice: Person, ada: Person, bad: dict[str, Any]
) -> None:
    with pytest.raises(BadInput):
        await set_price(database, ada, alice, **bad)
    assert await history_of(database, alice) == [15]


async def test_only_an_operator_sets_prices(database: Database, alice: Person, bob: Person, ada: Person) -> None:
    attempts: list[uuid.UUID] = [alice.id, bob.id, new_id()]
    async with database.transaction(everyone=WHY) as db:
        suspended = await new_person(database, "Eve", credits=0, admin=True)
        found = await db.get(User, suspended.id)
        assert found is not None
        found.status = UserStatus.SUSPENDED
        attempts.append(suspended.id)

    async def attempt(db: AsyncSession, actor: uuid.UUID) -> None:
        await prices.set_price(db, user=alice.id, kind=PriceKind.CALL, credits_per_minute=1, actor=actor)

    for actor in attempts:
        with pytest.raises(NotAnOperator):
            async with database.transaction(everyone=WHY) as db:
                await attempt(db, actor)
    with pytest.raises(NotFound):
        async with database.transaction(everyone=WHY) as db:
            await prices.set_price(db, user=new_id(), kind=PriceKind.CALL, credits_per_minute=1, actor=ada.id)
    assert await history_of(database, alice) == [15]


async def test_bob_does_not_see_alices_price(database: Database, alice: Person, bob: Person, ada: Person) -> None:
    hers = await set_price(database, ada, alice, credits_per_minute=9)
    async with database.transaction(user=bob.id) as db:
        assert await prices.history(db, alice.id) == []
        assert hers.id not in [price.id for price in await prices.price_list(db, hers.valid_from)]
        seen = await prices.price_of(db, alice.id, hers.valid_from)
    assert seen is None or seen.user_id is None
