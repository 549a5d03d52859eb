"""Signed-in browsers: what ends a session, who it is good for, and what asking costs."""

import asyncio
import re
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from talktime import rounds
from talktime.accounts import sessions
from talktime.accounts.models import UserStatus
from talktime.accounts.sessions import ConfirmFirst, OwnerOnly, SignInAgain
from talktime.db.session import Database
from talktime.security import new_token
from tests.accounts.doors import acts_of, age_sessions, come_in, entries_of, set_user, statements, who, who_waits
from tests.people import WHY, Person, new_person


async def test_a_browser_that_signed_in_is_known_and_no_other(database: Database, alice: Person) -> None:
    token, identity = await come_in(database, alice)
    assert (identity.user_id, identity.name, identity.actor_id) == (alice.id, "Alice", None)
    assert not identity.has_second_factor
    for wrong in (new_token(), "", token[:-1], token + "x", token.swapcase(), "\0", "ü" * 500):
        assert await who(database, wrong) is None
    assert await acts_of(database, alice) == ["session.began"]


async def test_only_the_hash_of_a_token_is_stored(database: Database, alice: Person) -> None:
    token, _ = await come_in(database, alice)
    async with database.transaction(everyone=WHY) as db:
        [row] = (await db.execute(text("SELECT s::text FROM sessions s WHERE user_id = :u"), {"u": alice.id})).all()
    assert token not in row[0]


@pytest.mark.parametrize("is_operator", [False, True])
async def test_a_session_ends_when_it_is_idle_and_at_the_latest_after_so_long(
    database: Database, alice: Person, ada: Person, is_operator: bool
) -> None:
    person = ada if is_operator else alice
    idle, whole = (timedelta(hours=12), timedelta(days=7)) if is_operator else (timedelta(days=14), timedelta(days=60))
    token, _ = await come_in(database, person)
    await age_sessions(database, person, idle - timedelta(minutes=1), idle=True)
    assert await who(database, token) is not None, "it was used just in time"
    await age_sessions(database, person, idle - timedelta(minutes=1), idle=True)
    assert await who(database, token) is not None, "being used is what keeps it"
    await age_sessions(database, person, idle + timedelta(seconds=1), idle=True)
    assert await who(database, token) is None
    assert await who(database, token) is None, "asking does not wake it"

    busy, _ = await come_in(database, person)
    await age_sessions(database, person, whole - timedelta(minutes=1))
    assert await who(database, busy) is not None
    await age_sessions(database, person, timedelta(minutes=2))
    assert await who(database, busy) is None


async def test_who_waits_for_the_second_factor_is_nobody_and_waits_ten_minutes(
    database: Database, alice: Person
) -> None:
    async with database.transaction(everyone=WHY) as db:
        token = await sessions.begin(db, alice.id, address=None, browser=None, second_factor_due=True)
        assert await sessions.identify(db, token) is None
        assert await sessions.of_user(db, alice.id) == []
    waiting = await who_waits(database, token)
    assert waiting is not None and waiting.user_id == alice.id
    assert await acts_of(database, alice) == [], "nobody came in yet"
    signed_in, _ = await come_in(database, alice)
    assert await who_waits(database, signed_in) is None
    await age_sessions(database, alice, timedelta(minutes=11))
    assert await who_waits(database, token) is None


@pytest.mark.parametrize("status", [UserStatus.SUSPENDED, UserStatus.CLOSED])
async def test_suspended_and_closed_is_nobody_at_once(database: Database, alice: Person, status: UserStatus) -> None:
    token, _ = await come_in(database, alice)
    await set_user(database, alice, status=status.value)
    assert await who(database, token) is None
    async with database.transaction(everyone=WHY) as db:
        assert await sessions.of_user(db, alice.id) == []


async def test_an_operator_in_somebodys_place_stays_half_an_hour_and_no_longer_than_they_are_one(
    database: Database, alice: Person, ada: Person
) -> None:
    token, identity = await come_in(database, alice, actor=ada)
    assert (identity.user_id, identity.actor_id, identity.acts_as) == (alice.id, ada.id, ada.id)
    [entry] = await entries_of(database, alice)
    assert (entry.act, entry.actor_id) == ("session.began", ada.id)
    await set_user(database, ada, status="SUSPENDED")
    assert await who(database, token) is None
    await set_user(database, ada, status="ACTIVE", role="USER")
    assert await who(database, token) is None
    await set_user(database, ada, role="ADMIN")
    assert await who(database, token) is not None
    await age_sessions(database, alice, timedelta(minutes=31))
    assert await who(database, token) is None


async def test_of_an_operator_in_somebodys_place_no_address_is_kept_where_its_owner_sees_it(
    database: Database, alice: Person, ada: Person
) -> None:
    async with database.transaction(everyone=WHY) as db:
        await sessions.begin(db, alice.id, address="192.0.2.9", browser="Ada's", actor=ada.id)
        [visit] = await sessions.of_user(db, alice.id)
    assert (visit.address, visit.browser, visit.actor_id) == (None, None, ada.id)


async def test_what_only_the_owner_may_do_is_refused_to_an_operator_and_to_who_has_not_confirmed(
    database: Database, alice: Person, ada: Person
) -> None:
    _, own = await come_in(database, alice)
    sessions.require_owner(own)
    sessions.require_confirmed(own)
    token, visit = await come_in(database, alice, actor=ada)
    with pytest.raises(OwnerOnly):
        sessions.require_confirmed(visit)
    assert await who(database, token) is not None

    token, _ = await come_in(database, alice)
    await age_sessions(database, alice, timedelta(minutes=16))
    late = await who(database, token)
    assert late is not None and not late.is_confirmed(datetime.now(UTC))
    sessions.require_owner(late)
    with pytest.raises(ConfirmFirst):
        sessions.require_confirmed(late)
    async with database.transaction(everyone=WHY) as db:
        await sessions.confirm(db, late.session_id)
    again = await who(database, token)
    assert again is not None
    sessions.require_confirmed(again)


async def test_signing_out_ends_one_browser_or_all_or_all_others(
    database: Database, alice: Person, bob: Person
) -> None:
    (first, one), (second, two), (third, three) = [await come_in(database, alice) for _ in range(3)]
    bobs, _ = await come_in(database, bob)
    async with database.transaction(everyone=WHY) as db:
        assert {shown.id for shown in await sessions.of_user(db, alice.id)} == {
            one.session_id,
            two.session_id,
            three.session_id,
        }
        assert not await sessions.end_one(db, bob.id, one.session_id), "somebody else's browser is none of Bob's"
        assert await sessions.end_one(db, alice.id, one.session_id)
        assert not await sessions.end_one(db, alice.id, one.session_id)
    assert await who(database, first) is None
    async with database.transaction(everyone=WHY) as db:
        assert await sessions.end_all(db, alice.id, but=two.session_id) == 1
    assert await who(database, second) is not None and await who(database, third) is None
    async with database.transaction(everyone=WHY) as db:
        await sessions.end(db, second)
        await sessions.end(db, second)
        assert await sessions.end_all(db, alice.id) == 0
    assert await who(database, second) is None
    assert await who(database, bobs) is not None
    acts = await acts_of(database, alice)
    assert acts == ["session.began"] * 3 + ["session.ended"] * 3


async def test_who_ends_somebody_elses_sessions_stands_in_the_log(
    database: Database, alice: Person, ada: Person
) -> None:
    await come_in(database, alice)
    await come_in(database, alice)
    async with database.transaction(everyone=WHY) as db:
        assert await sessions.end_all(db, alice.id, actor=ada.id) == 2
    entry = (await entries_of(database, alice))[-1]
    assert (entry.act, entry.actor_id, entry.after["count"]) == ("session.ended", ada.id, 2)


async def test_all_others_are_ended_by_everybody_at_once_without_an_error(database: Database, alice: Person) -> None:
    browsers = [await come_in(database, alice) for _ in range(8)]

    async def end_others(own: sessions.Identity) -> None:
        async with database.transaction(everyone=WHY) as db:
            await sessions.end_all(db, alice.id, but=own.session_id)

    async def sign_out(token: str) -> None:
        async with database.transaction(everyone=WHY) as db:
            await sessions.end(db, token)

    await asyncio.gather(*(end_others(own) for _, own in browsers), *(sign_out(token) for token, _ in browsers[:4]))
    left = [token for token, _ in browsers if await who(database, token) is not None]
    assert len(left) <= 1


async def test_a_session_that_is_rotated_is_good_for_its_new_token_alone(database: Database, alice: Person) -> None:
    token, identity = await come_in(database, alice)
    async with database.transaction(everyone=WHY) as db:
        fresh = await sessions.rotate(db, identity.session_id)
        await sessions.end_all(db, alice.id, but=identity.session_id)
    assert await who(database, token) is None
    assert await who(database, fresh) == identity
    async with database.transaction(everyone=WHY) as db:
        await sessions.end(db, fresh)
    with pytest.raises(SignInAgain):
        async with database.transaction(everyone=WHY) as db:
            await sessions.rotate(db, identity.session_id)


async def test_asking_who_somebody_is_costs_one_query_and_a_write_a_minute_at_most(
    database: Database, alice: Person
) -> None:
    token, _ = await come_in(database, alice)
    with statements(database) as seen:
        for _ in range(3):
            assert await who(database, token) is not None
    assert len(seen) == 3 and all(each.startswith("SELECT") for each in seen)
    await age_sessions(database, alice, timedelta(seconds=61), idle=True)
    with statements(database) as seen:
        for _ in range(3):
            assert await who(database, token) is not None
    assert [each.split()[0] for each in seen] == ["SELECT", "UPDATE", "SELECT", "SELECT"]
    with statements(database) as seen:
        assert await who(database, new_token()) is None
    assert len(seen) == 1


async def test_asking_who_somebody_is_reads_by_an_index(database: Database, alice: Person) -> None:
    token, _ = await come_in(database, alice)
    with statements(database) as seen:
        await who(database, token)
    async with database.transaction(everyone=WHY) as db:
        await db.execute(text("SET LOCAL enable_seqscan = off"))
        query = re.sub(r"%\((\w+)\)s(::\w+)?", r":\1", seen[0])
        values = {name: _example(name) for name in re.findall(r"(?<!:):(\w+)", query)}
        plan = "\n".join(await db.scalars(text(f"EXPLAIN {query}"), values))
    assert "Index Scan using uq_sessions_token_hash" in plan
    assert "Index Scan using pk_users" in plan
    assert "Seq Scan" not in plan


def _example(name: str) -> object:
    known = {"token_hash": b"x" * 32, "role": "ADMIN", "status": "ACTIVE"}
    return known.get(name.rpartition("_")[0], timedelta(minutes=1))


async def test_what_a_browser_says_of_itself_is_cut_and_cleaned(database: Database, alice: Person) -> None:
    async with database.transaction(everyone=WHY) as db:
        await sessions.begin(db, alice.id, address="::1", browser="Evil\r\n\x1b[31m" + "x" * 5000)
        [shown] = await sessions.of_user(db, alice.id)
    assert shown.browser == ("Evil[31m" + "x" * 5000)[:200]
    assert shown.address == "::1" and shown.actor_id is None


async def test_what_ended_is_forgotten_by_the_nightly_round_and_nothing_else(empty_database: Database) -> None:
    alice, bob = [await new_person(empty_database, name, credits=0) for name in ("Alice", "Bob")]
    await come_in(empty_database, alice)
    await age_sessions(empty_database, alice, timedelta(days=61))
    kept, _ = await come_in(empty_database, bob)
    assert await rounds.prune_accounts(empty_database) == 1
    assert await rounds.prune_accounts(empty_database) == 0
    assert await who(empty_database, kept) is not None
