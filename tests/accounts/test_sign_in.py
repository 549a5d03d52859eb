"""Signing in: the right password and no other, the same answer and the same work for everybody else."""

import asyncio
import statistics
import time
from datetime import timedelta
from typing import Any

import pytest
from argon2 import PasswordHasher
from sqlalchemy import text

from talktime.accounts import passwords, profile, sessions, sign_in
from talktime.accounts.sign_in import SignedIn, Suspended, WrongPassword, WrongSignIn
from talktime.accounts.throttle import TooManyTries
from talktime.db.session import Database
from tests.accounts.doors import (
    BETTER,
    GOOD,
    HERE,
    SECRET,
    THERE,
    acts_of,
    age_sessions,
    age_throttles,
    come_in,
    entries_of,
    give_password,
    new_address,
    set_user,
    statements,
    user_of,
    who,
    who_waits,
)
from tests.people import WHY, Person, new_person


async def try_to(
    database: Database, email: str, password: str = GOOD, *, address: str = HERE, browser: str = "Firefox"
) -> SignedIn:
    return await sign_in.sign_in(database, SECRET, email, password, address=address, browser=browser)


def count_checks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What argon2 is asked to check from now on."""
    checked: list[str] = []
    verify = passwords._verify

    def note(kept: str, plain: bytes) -> bool:
        checked.append(kept)
        return verify(kept, plain)

    monkeypatch.setattr(passwords, "_verify", note)
    return checked


async def sessions_of(database: Database, person: Person) -> int:
    async with database.transaction(everyone=WHY) as db:
        return int(await db.scalar(text("SELECT count(*) FROM sessions WHERE user_id = :u"), {"u": person.id}))


async def test_the_right_password_begins_a_session_with_a_new_token(database: Database, alice: Person) -> None:
    email = await give_password(database, alice)
    first, second = await try_to(database, email), await try_to(database, email)
    assert first.token != second.token and not first.second_factor_due
    assert first.token not in repr(first)
    for began in (first, second):
        identity = await who(database, began.token)
        assert identity is not None and identity.user_id == alice.id
    async with database.transaction(everyone=WHY) as db:
        [shown, _] = await sessions.of_user(db, alice.id)
    assert (shown.address, shown.browser) == (HERE, "Firefox")
    assert await acts_of(database, alice) == ["session.began"] * 2


@pytest.mark.parametrize(
    "spelling", [str.upper, str.title, lambda email: f"  {email} ", lambda email: f"\t{email}"], ids=range(4)
)
async def test_capitals_and_blanks_around_an_address_do_not_matter(
    database: Database, alice: Person, spelling: Any
) -> None:
    email = await give_password(database, alice)
    assert await who(database, (await try_to(database, spelling(email))).token) is not None


@pytest.mark.parametrize("password", ["", "x", GOOD.upper(), GOOD + " ", GOOD + "\0", "%", GOOD * 50], ids=ascii)
async def test_a_wrong_password_begins_nothing_and_is_written_down(
    database: Database, alice: Person, password: str
) -> None:
    email = await give_password(database, alice)
    with pytest.raises(WrongSignIn):
        await try_to(database, email, password)
    assert await sessions_of(database, alice) == 0
    [entry] = await entries_of(database, alice)
    assert (entry.act, entry.actor_id, entry.after) == ("session.refused", None, {"because": "password"})


HOSTILE = [
    "",
    "@",
    "nobody",
    "a" * 300 + "@example.org",
    "a@" + "b." * 200 + "org",
    "alice@example.org\r\nBcc: eve@example.org",
    "alice@example.org\0",
    "\0",
    "%@%",
    "' OR 1=1 --@example.org",
    "\ud800@example.org",
    "ａｌｉｃｅ@example.org",
    "alice@[127.0.0.1]",
    "a" * 100_000,
]


@pytest.mark.parametrize("email", HOSTILE, ids=lambda email: ascii(email)[:30])
async def test_an_address_that_is_none_is_nobodys(database: Database, email: str) -> None:
    with pytest.raises(WrongSignIn):
        await try_to(database, email, address="203.0.113.9")
    await age_throttles(database, timedelta(hours=1))


async def test_an_address_of_long_ago_that_nobody_could_sign_up_with_signs_in(database: Database, bob: Person) -> None:
    local = f"Operator{bob.id.hex}@localhost"
    await give_password(database, bob)
    await set_user(database, bob, email=local)
    assert await who(database, (await try_to(database, local)).token) is not None


async def test_who_has_no_password_has_no_wrong_one_either(database: Database, alice: Person) -> None:
    email = (await user_of(database, alice)).email
    for password in ("", "None", GOOD):
        with pytest.raises(WrongSignIn):
            await try_to(database, email, password)


async def test_closed_is_as_if_the_password_were_wrong_and_suspended_is_said_to_the_owner_alone(
    database: Database, alice: Person
) -> None:
    email = await give_password(database, alice)
    await set_user(database, alice, status="SUSPENDED")
    with pytest.raises(WrongSignIn):
        await try_to(database, email, BETTER)
    with pytest.raises(Suspended):
        await try_to(database, email)
    await set_user(database, alice, status="CLOSED")
    with pytest.raises(WrongSignIn):
        await try_to(database, email)
    assert await sessions_of(database, alice) == 0
    assert await acts_of(database, alice) == ["session.refused"] * 3


async def refused(database: Database, email: str, password: str, address: str) -> tuple[list[str], str]:
    with statements(database) as seen, pytest.raises(WrongSignIn) as error:
        await try_to(database, email, password, address=address)
    return seen, str(error.value)


async def test_nobody_learns_whether_an_address_has_an_account_by_the_answer_or_by_the_statements(
    empty_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = empty_database
    people = [await new_person(database, name, credits=0) for name in ("Alice", "Bob", "Carol", "Dora")]
    known, none, suspended, closed = [await give_password(database, person) for person in people]
    await set_user(database, people[1], password_hash=None)
    await set_user(database, people[2], status="SUSPENDED")
    await set_user(database, people[3], status="CLOSED")
    checked = count_checks(monkeypatch)
    outcomes = []
    for number, email in enumerate((known, none, suspended, closed, new_address(), "nonsense")):
        checked.clear()
        seen, said = await refused(database, email, BETTER, f"10.1.{number}.1")
        # The last one is the entry about an account, or what is written for nobody.
        assert ("audit_v1" in seen[-1]) == (number < 4)
        outcomes.append((len(seen), [each.split("(")[0] for each in seen[:-1]], said, len(checked)))
    assert all(outcome == outcomes[0] for outcome in outcomes), outcomes
    assert outcomes[0][3] == 1, "argon2 runs once"


async def test_how_long_the_answer_takes_does_not_tell_either(
    empty_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without argon2, whose own noise would hide a difference: what is left is the database and our code."""
    database = empty_database
    email = await give_password(database, await new_person(database, "Alice", credits=0))
    monkeypatch.setattr(passwords, "_verify", lambda kept, plain: False)
    times: dict[bool, list[float]] = {True: [], False: []}
    for number in range(200):
        for is_known in (True, False) if number % 2 else (False, True):
            if number % 4 == 0:
                await age_throttles(database, timedelta(hours=2))
            tried = email if is_known else f"nobody{number % 3}@example.org"
            began = time.perf_counter()
            with pytest.raises(WrongSignIn):
                await try_to(database, tried, address=f"10.{number % 250}.{is_known:d}.1")
            times[is_known].append(time.perf_counter() - began)
    known, unknown = (statistics.median(times[is_known]) for is_known in (True, False))
    # Both are some milliseconds; a check of argon2 alone varies by more than they differ.
    assert abs(known - unknown) < max(0.003, 0.35 * unknown), (known, unknown)


async def test_five_tries_from_one_network_then_the_owner_waits_too_but_not_from_elsewhere(
    database: Database, alice: Person
) -> None:
    email = await give_password(database, alice)
    here, there = "203.0.113.50", "203.0.113.51"
    for _ in range(5):
        with pytest.raises(WrongSignIn):
            await try_to(database, email, BETTER, address=here)
    with pytest.raises(TooManyTries) as waits:
        await try_to(database, email, GOOD, address=here)
    assert 0 < waits.value.retry_after <= 60
    assert await who(database, (await try_to(database, email, address=there)).token) is not None
    assert await acts_of(database, alice) == ["session.refused"] * 5 + ["session.began"], "who waits is not checked"


async def test_an_address_without_an_account_is_slowed_down_just_the_same(database: Database) -> None:
    email = new_address()
    for _ in range(5):
        with pytest.raises(WrongSignIn):
            await try_to(database, email, address="203.0.113.60")
    with pytest.raises(TooManyTries) as waits:
        await try_to(database, email, address="203.0.113.60")
    assert 0 < waits.value.retry_after <= 60


async def test_signing_in_again_and_again_with_the_right_password_is_never_slowed_down(
    database: Database, alice: Person
) -> None:
    email = await give_password(database, alice)
    for _ in range(8):
        await try_to(database, email, address="203.0.113.70")


async def test_of_twenty_tries_at_once_five_are_checked(
    database: Database, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    email = await give_password(database, alice)
    checked = count_checks(monkeypatch)
    outcomes = await asyncio.gather(
        *(try_to(database, email, f"{BETTER} {number}", address="203.0.113.80") for number in range(20)),
        return_exceptions=True,
    )
    assert len(checked) == 5
    assert sum(isinstance(each, WrongSignIn) for each in outcomes) == 5
    assert sum(isinstance(each, TooManyTries) for each in outcomes) == 15


async def test_a_password_of_old_parameters_is_kept_anew_when_it_was_right(database: Database, alice: Person) -> None:
    email = await give_password(database, alice)
    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(GOOD)
    await set_user(database, alice, password_hash=weak)
    with pytest.raises(WrongSignIn):
        await try_to(database, email, BETTER)
    assert (await user_of(database, alice)).password_hash == weak
    await try_to(database, email)
    fresh = (await user_of(database, alice)).password_hash
    assert fresh != weak and not passwords.is_outdated(fresh)
    await try_to(database, email)
    assert (await user_of(database, alice)).password_hash == fresh


async def test_a_password_that_is_changed_while_the_old_one_is_checked_lets_nobody_in(
    database: Database, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    email = await give_password(database, alice)
    hashed = await passwords.hash_of(BETTER)
    check = passwords.check

    async def check_and_meanwhile(password: str, kept: str | None) -> bool:
        is_right = await check(password, kept)
        async with database.transaction(everyone=WHY) as db:
            await profile.set_password(db, alice.id, hashed, act="password.changed")
        return is_right

    monkeypatch.setattr(passwords, "check", check_and_meanwhile)
    with pytest.raises(WrongSignIn):
        await try_to(database, email)
    assert await sessions_of(database, alice) == 0


async def test_no_transaction_is_open_while_a_password_is_checked(
    empty_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = empty_database
    email = await give_password(database, await new_person(database, "Alice", credits=0))
    check = passwords.check
    seen: list[int] = []

    async def look_and_check(password: str, kept: str | None) -> bool:
        async with database.transaction(everyone=WHY) as db:
            await db.execute(text("RESET ROLE"))
            seen.append(
                await db.scalar(
                    text(
                        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                        " AND pid <> pg_backend_pid() AND xact_start IS NOT NULL AND backend_type = 'client backend'"
                    )
                )
            )
        return await check(password, kept)

    monkeypatch.setattr(passwords, "check", look_and_check)
    await try_to(database, email)
    assert seen == [0]


async def test_a_planted_cookie_is_never_signed_in(database: Database, alice: Person, bob: Person) -> None:
    """Session fixation: whatever token a browser had before, the one that is signed in was not known to anybody."""
    email = await give_password(database, alice)
    planted, _ = await come_in(database, bob)
    began = await try_to(database, email)
    assert began.token != planted
    identity = await who(database, planted)
    assert identity is not None and identity.user_id == bob.id
    await set_user(database, alice, totp_secret=b"x", totp_since=(await user_of(database, alice)).created_at)
    due = await try_to(database, email)
    assert due.second_factor_due
    assert await who(database, due.token) is None and await who_waits(database, due.token) is not None


async def test_confirming_asks_for_the_password_of_who_is_signed_in(database: Database, alice: Person) -> None:
    await give_password(database, alice)
    token, _ = await come_in(database, alice)
    await age_sessions(database, alice, timedelta(hours=1))
    identity = await who(database, token)
    assert identity is not None
    with pytest.raises(WrongPassword):
        await sign_in.confirm_password(database, SECRET, identity, BETTER, address=THERE)
    with pytest.raises(sessions.ConfirmFirst):
        sessions.require_confirmed(identity)
    await sign_in.confirm_password(database, SECRET, identity, GOOD, address=THERE)
    confirmed = await who(database, token)
    assert confirmed is not None
    sessions.require_confirmed(confirmed)
    refusal = (await entries_of(database, alice))[-1]
    assert (refusal.act, refusal.after) == ("session.refused", {"because": "confirmation"})


async def test_confirming_is_counted_together_with_signing_in(database: Database, alice: Person) -> None:
    email = await give_password(database, alice)
    _, identity = await come_in(database, alice)
    for _ in range(5):
        with pytest.raises(WrongPassword):
            await sign_in.confirm_password(database, SECRET, identity, BETTER, address="203.0.113.90")
    with pytest.raises(TooManyTries):
        await sign_in.confirm_password(database, SECRET, identity, GOOD, address="203.0.113.90")
    with pytest.raises(TooManyTries):
        await try_to(database, email, address="203.0.113.90")


async def test_an_operator_in_somebodys_place_cannot_confirm(database: Database, alice: Person, ada: Person) -> None:
    await give_password(database, alice)
    _, visit = await come_in(database, alice, actor=ada)
    with pytest.raises(sessions.OwnerOnly):
        await sign_in.confirm_password(database, SECRET, visit, GOOD, address=HERE)
