"""Tries that are counted: at once, over time, per account, per network; and what is kept of whose they were."""

import asyncio
import uuid
from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import text

from talktime.accounts import throttle
from talktime.accounts.models import LinkPurpose
from talktime.accounts.throttle import Limit, TooManyTries, Try
from talktime.db.session import Database
from tests.accounts.doors import HERE, SECRET, THERE, age_throttles
from tests.people import WHY

SMALL = Limit("small", 5, 60)


async def pour(database: Database, *tries: Try, secret: bytes = SECRET) -> Sequence[bytes]:
    async with database.transaction(everyone=WHY) as db:
        return await throttle.pour(db, secret, tries)


async def poured(database: Database, *tries: Try, times: int) -> int:
    """How many of so many tries at once were let through."""
    outcomes = await asyncio.gather(*(pour(database, *tries) for _ in range(times)), return_exceptions=True)
    refused = [each for each in outcomes if isinstance(each, TooManyTries)]
    assert all(1 <= each.retry_after <= 600 for each in refused)
    assert all(isinstance(each, TooManyTries | list) for each in outcomes), outcomes
    return times - len(refused)


async def test_five_tries_then_one_a_minute(empty_database: Database) -> None:
    for _ in range(5):
        await pour(empty_database, (SMALL, "alice"))
    with pytest.raises(TooManyTries) as refused:
        await pour(empty_database, (SMALL, "alice"))
    assert 55 <= refused.value.retry_after <= 60 and refused.value.status == 429
    await pour(empty_database, (SMALL, "bob"))
    await age_throttles(empty_database, timedelta(seconds=61))
    await pour(empty_database, (SMALL, "alice"))
    with pytest.raises(TooManyTries):
        await pour(empty_database, (SMALL, "alice"))
    await age_throttles(empty_database, timedelta(hours=1))
    assert await poured(empty_database, (SMALL, "alice"), times=8) == 5, "it never holds more than its size"


async def test_who_is_told_to_wait_and_tries_on_waits_no_longer(empty_database: Database) -> None:
    assert await poured(empty_database, (SMALL, "alice"), times=5) == 5
    for _ in range(20):
        with pytest.raises(TooManyTries) as refused:
            await pour(empty_database, (SMALL, "alice"))
    assert refused.value.retry_after <= 60


async def test_many_at_once_get_no_more_than_one_after_the_other(empty_database: Database) -> None:
    assert await poured(empty_database, (SMALL, "alice"), (Limit("wide", 30, 60), "alice"), times=40) == 5


async def test_many_at_once_over_many_buckets_never_wait_for_each_other(empty_database: Database) -> None:
    names = [f"a{number}" for number in range(6)]
    wide = Limit("wide", 1000, 1)

    async def try_from(at: int) -> None:
        order = names[at % 6 :] + names[: at % 6]
        await pour(empty_database, *((wide, name) for name in order))

    await asyncio.gather(*(try_from(at) for at in range(60)))


async def test_one_bucket_that_is_full_pours_into_no_other(empty_database: Database) -> None:
    assert await poured(empty_database, (SMALL, "full"), times=5) == 5
    for _ in range(10):
        with pytest.raises(TooManyTries):
            await pour(empty_database, (SMALL, "full"), (SMALL, "beside"))
    assert await poured(empty_database, (SMALL, "beside"), times=5) == 5


async def test_a_try_that_was_right_is_taken_out_again_and_no_more_than_that(empty_database: Database) -> None:
    for _ in range(30):
        keys = await pour(empty_database, (SMALL, "alice"))
        async with empty_database.transaction(everyone=WHY) as db:
            await throttle.forgive(db, keys)
    assert await poured(empty_database, (SMALL, "alice"), times=4) == 4
    async with empty_database.transaction(everyone=WHY) as db:
        for _ in range(10):
            await throttle.forgive(db, keys)
    assert await poured(empty_database, (SMALL, "alice"), times=9) == 5


async def test_forgiving_what_was_never_poured_is_nothing(empty_database: Database) -> None:
    async with empty_database.transaction(everyone=WHY) as db:
        await throttle.forgive(db, [b"\0" * 32])


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.77", "192.0.2.77"),
        ("::ffff:192.0.2.77", "192.0.2.77"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1%eth0", "2001:db8:1:2::/64"),
        ("nonsense", "nowhere"),
        ("", "nowhere"),
        (None, "nowhere"),
        ("192.0.2.77, 10.0.0.1", "nowhere"),
    ],
)
async def test_a_network_is_an_address_or_what_one_household_has(address: str | None, network: str) -> None:
    assert throttle.network_of(address) == network


async def test_somebody_far_away_does_not_shut_an_owner_out(empty_database: Database) -> None:
    far, near = throttle.tries_of("alice@example.org", THERE), throttle.tries_of("alice@example.org", HERE)
    assert await poured(empty_database, *far, times=20) == 5
    assert await poured(empty_database, *near, times=1) == 1
    many = [throttle.tries_of("alice@example.org", f"10.0.{number}.1") for number in range(40)]
    outcomes = await asyncio.gather(*(pour(empty_database, *each) for each in many), return_exceptions=True)
    assert sum(isinstance(each, TooManyTries) for each in outcomes) == 40 - 24


async def test_somebody_who_tries_for_ever_from_two_networks_does_not_keep_an_owner_out(
    empty_database: Database,
) -> None:
    """A bucket that leaks slower than one network pours would be full for as long as somebody likes."""
    strangers = [throttle.tries_of("alice@example.org", address) for address in ("203.0.113.1", "203.0.113.2")]
    for _ in range(120):
        for tries in strangers:
            await poured(empty_database, *tries, times=1)
        await age_throttles(empty_database, timedelta(seconds=20))
    assert await poured(empty_database, *throttle.tries_of("alice@example.org", HERE), times=5) == 5


async def test_a_code_is_guessed_by_chance_less_than_once_in_years(empty_database: Database) -> None:
    who = uuid.uuid4()
    many = [throttle.tries_of_code(who, f"10.1.{number}.1") for number in range(60)]
    outcomes = await asyncio.gather(*(pour(empty_database, *each) for each in many), return_exceptions=True)
    assert sum(not isinstance(each, TooManyTries) for each in outcomes) == throttle.SECOND_FACTOR.size
    a_year, codes_right = 365 * 86400 / throttle.SECOND_FACTOR.leak_seconds, 3 / 10**6
    assert a_year * codes_right < 0.2
    assert await poured(empty_database, *throttle.tries_of_code(uuid.uuid4(), HERE), times=6) == 5


async def test_who_has_many_small_networks_of_one_large_one_gets_no_more_for_that(empty_database: Database) -> None:
    def everywhere(network: str, count: int) -> list[Sequence[Try]]:
        return [throttle.tries_of(f"{number}@example.org", f"{network}:{number:x}::1") for number in range(count)]

    outcomes = await asyncio.gather(
        *(pour(empty_database, *each) for each in everywhere("2001:db8:1", 260)), return_exceptions=True
    )
    let_through = sum(not isinstance(each, TooManyTries) for each in outcomes)
    assert 200 <= let_through <= 210, "some leak out while they are counted"
    [somebody_elses] = everywhere("2001:db8:2", 1)
    assert await poured(empty_database, *somebody_elses, times=1) == 1
    letters = [
        throttle.mails_to(f"{number}@example.org", f"2001:db8:3:{number:x}::1", purpose=LinkPurpose.SIGN_UP)
        for number in range(100)
    ]
    outcomes = await asyncio.gather(*(pour(empty_database, *each) for each in letters), return_exceptions=True)
    assert sum(not isinstance(each, TooManyTries) for each in outcomes) == 80


async def test_a_network_that_tries_many_accounts_is_slowed_down(empty_database: Database) -> None:
    many = [throttle.tries_of(f"{number}@example.org", THERE) for number in range(80)]
    outcomes = await asyncio.gather(*(pour(empty_database, *each) for each in many), return_exceptions=True)
    # One leaks out while they are counted, when the machine is slow.
    assert 50 <= sum(not isinstance(each, TooManyTries) for each in outcomes) <= 53
    assert await poured(empty_database, *throttle.tries_of("81@example.org", HERE), times=1) == 1


async def test_nothing_that_is_kept_says_whose_it_was(empty_database: Database) -> None:
    await pour(empty_database, *throttle.tries_of("alice@example.org", HERE))
    async with empty_database.transaction(everyone=WHY) as db:
        rows = list(await db.scalars(text("SELECT t::text FROM throttles t")))
        before = await db.scalar(text("SELECT count(*) FROM throttles"))
        await throttle.pour(db, b"another secret", throttle.tries_of("alice@example.org", HERE))
        assert await db.scalar(text("SELECT count(*) FROM throttles")) == 2 * before
    assert len(rows) == 3 and "alice" not in str(rows) and HERE not in str(rows)


async def test_empty_buckets_are_thrown_away_while_they_are_used(empty_database: Database) -> None:
    await pour(empty_database, (SMALL, "old"))
    await age_throttles(empty_database, timedelta(days=2))
    await pour(empty_database, (SMALL, "new"))

    async def prune() -> int:
        async with empty_database.transaction(everyone=WHY) as db:
            return await throttle.prune(db)

    assert await prune() == 1 and await prune() == 0
    for _ in range(20):
        await age_throttles(empty_database, timedelta(days=2))
        await asyncio.gather(prune(), *(pour(empty_database, (SMALL, "old")) for _ in range(3)), prune())


async def test_every_bucket_is_empty_before_it_may_be_thrown_away() -> None:
    for limit in throttle.LIMITS:
        assert timedelta(seconds=limit.size * limit.leak_seconds) < timedelta(days=1), limit


@pytest.mark.parametrize(
    ("address", "network"),
    [("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"), ("::ffff:192.0.2.77", None), ("192.0.2.77", None), ("x", None)],
)
async def test_a_wide_network_is_what_one_customer_of_a_provider_has(address: str, network: str | None) -> None:
    assert throttle.wide_network_of(address) == network
