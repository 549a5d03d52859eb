"""The second factor: each code works once, a few tries are all there are, and nobody is shut out for good."""

import asyncio
import time
from datetime import timedelta

import pyotp
import pytest
from sqlalchemy import text

from talktime.accounts import profile, second_factor, second_factor_codes, sessions, sign_in
from talktime.accounts.second_factor import AlreadyOn, NotBegun, NotOn, Setup
from talktime.accounts.second_factor_codes import UnreadableSecondFactor
from talktime.accounts.sessions import ConfirmFirst, Identity, OwnerOnly, SignInAgain
from talktime.accounts.sign_in import WrongCode
from talktime.accounts.throttle import TooManyTries
from talktime.db.session import Database
from talktime.security import seal
from tests.accounts.doors import (
    BETTER,
    GOOD,
    HERE,
    SECRET,
    acts_of,
    age_sessions,
    age_throttles,
    code_of,
    come_in,
    entries_of,
    give_password,
    give_second_factor,
    notices_of,
    set_user,
    user_of,
    who,
    who_waits,
)
from tests.people import WHY, Person


async def due(database: Database, person: Person) -> str:
    """The token of a browser that waits for the second factor."""
    async with database.transaction(everyone=WHY) as db:
        return await sessions.begin(db, person.id, address=HERE, browser="Firefox", second_factor_due=True)


async def type_code(database: Database, token: str, code: str, *, address: str = HERE, secret: bytes = SECRET) -> str:
    return await sign_in.second_factor(database, secret, token, code, address=address)


async def begin(database: Database, identity: Identity, secret: bytes = SECRET) -> Setup:
    async with database.transaction(everyone=WHY) as db:
        return await second_factor.begin(db, secret, identity)


async def begun(database: Database, identity: Identity, secret: bytes = SECRET) -> Setup | None:
    async with database.transaction(everyone=WHY) as db:
        return await second_factor.begun(db, secret, identity)


async def left(database: Database, person: Person) -> int:
    async with database.transaction(everyone=WHY) as db:
        return await second_factor.codes_left(db, person.id)


async def away_from_the_edge() -> None:
    """Wait until the half minute has a while to go, for tests that count steps."""
    if (rest := 30 - time.time() % 30) < 8:
        await asyncio.sleep(rest)


async def test_it_counts_from_the_first_right_code_on(database: Database, alice: Person) -> None:
    token, identity = await come_in(database, alice)
    setup = await begin(database, identity)
    assert not (await who(database, token) or identity).has_second_factor
    assert setup.uri.startswith("otpauth://totp/Talktime:") and f"secret={setup.key}" in setup.uri
    assert setup.qr_svg.startswith("<svg") and setup.key not in setup.qr_svg + repr(setup)
    with pytest.raises(WrongCode):
        await second_factor.switch_on(database, SECRET, identity, "000000", address=HERE)
    assert await left(database, alice) == 0
    codes = await second_factor.switch_on(database, SECRET, identity, code_of(setup.key), address=HERE)
    assert len(set(codes)) == len(codes) == 10 == await left(database, alice)
    changed = await who(database, token)
    assert changed is not None and changed.has_second_factor
    assert await acts_of(database, alice) == ["session.began", "second_factor.on"]
    assert await notices_of(database, alice) == ["second_factor_on"]
    with pytest.raises(AlreadyOn):
        await begin(database, identity)
    with pytest.raises(AlreadyOn):
        await second_factor.switch_on(database, SECRET, identity, code_of(setup.key, steps=1), address=HERE)


async def test_every_other_browser_is_signed_out_when_it_is_switched_on(database: Database, alice: Person) -> None:
    other, _ = await come_in(database, alice)
    token, identity = await come_in(database, alice)
    setup = await begin(database, identity)
    await second_factor.switch_on(database, SECRET, identity, code_of(setup.key), address=HERE)
    assert await who(database, other) is None and await who(database, token) is not None


async def test_a_key_that_waits_is_shown_again_and_another_beginning_forgets_it(
    database: Database, alice: Person
) -> None:
    _, identity = await come_in(database, alice)
    assert await begun(database, identity) is None
    with pytest.raises(NotBegun):
        await second_factor.switch_on(database, SECRET, identity, "123456", address=HERE)
    first = await begin(database, identity)
    assert await begun(database, identity) == first
    second = await begin(database, identity)
    assert second.key != first.key
    with pytest.raises(WrongCode):
        await second_factor.switch_on(database, SECRET, identity, code_of(first.key), address=HERE)
    assert await second_factor.switch_on(database, SECRET, identity, code_of(second.key), address=HERE)
    assert await begun(database, identity) is None


async def test_switched_on_twice_at_once_it_is_on_once(database: Database, alice: Person) -> None:
    _, identity = await come_in(database, alice)
    setup = await begin(database, identity)
    code = code_of(setup.key)
    outcomes = await asyncio.gather(
        *(second_factor.switch_on(database, SECRET, identity, code, address=HERE) for _ in range(4)),
        return_exceptions=True,
    )
    assert sum(isinstance(each, list) for each in outcomes) == 1
    assert all(isinstance(each, list | WrongCode | AlreadyOn) for each in outcomes), outcomes
    assert await left(database, alice) == 10


async def test_a_code_finishes_signing_in_with_a_token_that_nobody_knew(database: Database, alice: Person) -> None:
    key, _ = await give_second_factor(database, alice)
    waiting = await due(database, alice)
    signed_in = await type_code(database, waiting, code_of(key))
    assert signed_in != waiting
    assert await who(database, waiting) is None and await who_waits(database, waiting) is None
    identity = await who(database, signed_in)
    assert identity is not None and identity.has_second_factor
    assert (await acts_of(database, alice))[-1] == "session.began"
    with pytest.raises(SignInAgain):
        await type_code(database, waiting, code_of(key, steps=1))


async def test_a_code_works_once(database: Database, alice: Person) -> None:
    key, _ = await give_second_factor(database, alice)
    first, second = await due(database, alice), await due(database, alice)
    code = code_of(key)
    await type_code(database, first, code)
    with pytest.raises(WrongCode):
        await type_code(database, second, code)
    assert await who_waits(database, second) is not None
    await type_code(database, second, code_of(key, steps=1))


async def test_of_two_browsers_that_send_the_same_code_at_once_one_comes_in(database: Database, alice: Person) -> None:
    key, codes = await give_second_factor(database, alice)
    for code in (code_of(key), codes[0]):
        tokens = [await due(database, alice) for _ in range(4)]
        outcomes = await asyncio.gather(
            *(type_code(database, token, code, address=f"10.9.{at}.1") for at, token in enumerate(tokens)),
            return_exceptions=True,
        )
        assert sum(isinstance(each, str) for each in outcomes) == 1, outcomes
        assert sum(isinstance(each, WrongCode) for each in outcomes) == 3


async def test_one_browser_that_sends_two_right_codes_at_once_comes_in_once_and_spends_one(
    database: Database, alice: Person
) -> None:
    _, codes = await give_second_factor(database, alice)
    token = await due(database, alice)
    outcomes = await asyncio.gather(*(type_code(database, token, code) for code in codes[:4]), return_exceptions=True)
    assert sum(isinstance(each, str) for each in outcomes) == 1, outcomes
    assert all(isinstance(each, str | SignInAgain) for each in outcomes)
    assert await left(database, alice) == 9


@pytest.mark.parametrize(("steps", "is_right"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
async def test_a_clock_may_be_half_a_minute_off(database: Database, alice: Person, steps: int, is_right: bool) -> None:
    key, _ = await give_second_factor(database, alice)
    token = await due(database, alice)
    await away_from_the_edge()
    code = code_of(key, steps=steps)
    if is_right:
        assert await who(database, await type_code(database, token, code)) is not None
    else:
        with pytest.raises(WrongCode):
            await type_code(database, token, code)


async def test_nothing_older_than_the_last_code_is_taken(database: Database, alice: Person) -> None:
    key, _ = await give_second_factor(database, alice)
    await away_from_the_edge()
    first, second = await due(database, alice), await due(database, alice)
    await type_code(database, first, code_of(key, steps=1))
    with pytest.raises(WrongCode):
        await type_code(database, second, code_of(key))


async def test_the_codes_are_those_of_the_standard() -> None:
    """RFC 6238, appendix B, the last six digits of its codes with SHA-1."""
    key = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    for at, code in ((59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")):
        assert second_factor_codes._step_of(key, code, at) == at // 30
        assert second_factor_codes._step_of(key, code, at + 61) is None


@pytest.mark.parametrize("spelling", ["{a} {b}", " {a}-{b}\n", "{a}\u00a0{b}", "full width"])
async def test_a_code_may_be_typed_as_it_is_shown(database: Database, alice: Person, spelling: str) -> None:
    key, _ = await give_second_factor(database, alice)
    code = code_of(key)
    typed = spelling.format(a=code[:3], b=code[3:])
    if spelling == "full width":
        typed = "".join(chr(ord(digit) - ord("0") + 0xFF10) for digit in code)
    assert await who(database, await type_code(database, await due(database, alice), typed)) is not None


HOSTILE = ["", " ", "00000", "0000000", "abcdef", "\0", "٠١٢٣٤٥", "%" * 6, "1" * 100_000, "' OR 1=1 --", "\ud800"]


@pytest.mark.parametrize("code", HOSTILE, ids=lambda code: ascii(code)[:20])
async def test_what_is_no_code_is_wrong_and_written_down(database: Database, alice: Person, code: str) -> None:
    await give_second_factor(database, alice)
    token = await due(database, alice)
    with pytest.raises(WrongCode):
        await type_code(database, token, code)
    assert await who_waits(database, token) is not None, "another try may be right"
    entry = (await entries_of(database, alice))[-1]
    assert (entry.act, entry.after) == ("session.refused", {"because": "second factor"})


async def test_somebody_elses_codes_are_wrong(database: Database, alice: Person, bob: Person) -> None:
    await give_second_factor(database, alice)
    key, codes = await give_second_factor(database, bob)
    token = await due(database, alice)
    for code in (code_of(key), codes[0]):
        with pytest.raises(WrongCode):
            await type_code(database, token, code)
    assert await left(database, bob) == 10


async def test_five_tries_and_then_one_has_to_wait_also_with_the_right_one(database: Database, alice: Person) -> None:
    key, codes = await give_second_factor(database, alice)
    token = await due(database, alice)
    outcomes = await asyncio.gather(
        *(type_code(database, token, f"{number:06d}", address="203.0.113.11") for number in range(20)),
        return_exceptions=True,
    )
    assert sum(isinstance(each, WrongCode) for each in outcomes) == 5
    assert sum(isinstance(each, TooManyTries) for each in outcomes) == 15
    for code in (code_of(key), codes[0]):
        with pytest.raises(TooManyTries):
            await type_code(database, token, code, address="203.0.113.11")
    await age_throttles(database, timedelta(hours=2))
    assert await type_code(database, token, code_of(key), address="203.0.113.11")


async def test_who_waited_too_long_begins_again(database: Database, alice: Person) -> None:
    key, _ = await give_second_factor(database, alice)
    token = await due(database, alice)
    await age_sessions(database, alice, timedelta(minutes=11))
    with pytest.raises(SignInAgain):
        await type_code(database, token, code_of(key))
    for nobody in ("", "x", "\0"):
        with pytest.raises(SignInAgain):
            await type_code(database, nobody, code_of(key))


@pytest.mark.parametrize("status", ["SUSPENDED", "CLOSED"])
async def test_who_may_not_come_in_does_not_by_a_right_code(database: Database, alice: Person, status: str) -> None:
    key, codes = await give_second_factor(database, alice)
    token = await due(database, alice)
    await set_user(database, alice, status=status)
    for code in (code_of(key), codes[0]):
        with pytest.raises(SignInAgain):
            await type_code(database, token, code)


async def test_a_password_that_is_changed_meanwhile_ends_the_waiting(database: Database, alice: Person) -> None:
    key, _ = await give_second_factor(database, alice)
    token = await due(database, alice)
    async with database.transaction(everyone=WHY) as db:
        await profile.set_password(db, alice.id, "x", act="password.changed")
    with pytest.raises(SignInAgain):
        await type_code(database, token, code_of(key))


async def test_each_recovery_code_works_once_however_it_is_typed_and_the_owner_is_told(
    database: Database, alice: Person
) -> None:
    _, codes = await give_second_factor(database, alice)
    spellings = [codes[0], codes[1].upper(), codes[2].replace("-", ""), f" {codes[3].replace('-', ' ')} "]
    for used, typed in enumerate(spellings, 1):
        assert await who(database, await type_code(database, await due(database, alice), typed)) is not None
        assert await left(database, alice) == 10 - used
    for typed in spellings:
        with pytest.raises(WrongCode):
            await type_code(database, await due(database, alice), typed)
        await age_throttles(database, timedelta(hours=1))
    used_up = [entry for entry in await entries_of(database, alice) if entry.act == "recovery_codes.used"]
    assert [entry.after for entry in used_up] == [{"left": 9}, {"left": 8}, {"left": 7}, {"left": 6}]
    assert (await notices_of(database, alice)).count("recovery_code_used") == 4


async def test_recovery_codes_are_hard_to_guess_and_stored_as_hashes(database: Database, alice: Person) -> None:
    key, codes = await give_second_factor(database, alice)
    assert all(len(code.replace("-", "")) * 5 == 80 for code in codes)
    async with database.transaction(everyone=WHY) as db:
        rows = [
            *await db.scalars(text("SELECT r::text FROM recovery_codes r WHERE user_id = :u"), {"u": alice.id}),
            *await db.scalars(text("SELECT u::text FROM users u WHERE id = :u"), {"u": alice.id}),
        ]
    dump = str(rows)
    assert not any(code in dump or code.replace("-", "") in dump for code in codes)
    assert key not in dump and key.encode().hex() not in dump


async def test_new_codes_end_the_old_ones(database: Database, alice: Person) -> None:
    _, old = await give_second_factor(database, alice)
    _, identity = await come_in(database, alice)
    async with database.transaction(everyone=WHY) as db:
        new = await second_factor.new_codes(db, identity)
    assert not set(old) & set(new) and await left(database, alice) == 10
    with pytest.raises(WrongCode):
        await type_code(database, await due(database, alice), old[0])
    assert await type_code(database, await due(database, alice), new[0])
    assert "recovery_codes.made" in await acts_of(database, alice)


async def test_a_secret_key_that_was_changed_is_said_plainly_and_recovery_codes_still_work(
    database: Database, alice: Person
) -> None:
    key, codes = await give_second_factor(database, alice)
    token = await due(database, alice)
    with pytest.raises(UnreadableSecondFactor, match="secret key of this server was changed"):
        await type_code(database, token, code_of(key), secret=b"another secret key, since yesterday")
    assert await type_code(database, token, codes[0], secret=b"another secret key, since yesterday")
    _, identity = await come_in(database, alice)
    async with database.transaction(everyone=WHY) as db:
        await second_factor.switch_off(db, identity)
    setup = await begin(database, identity)
    assert await begun(database, identity, b"another secret key, since yesterday") is None
    with pytest.raises(NotBegun):
        await second_factor.switch_on(
            database, b"another secret key, since yesterday", identity, code_of(setup.key), address=HERE
        )


async def test_one_persons_sealed_key_is_worth_nothing_in_anothers_row(
    database: Database, alice: Person, bob: Person
) -> None:
    await give_second_factor(database, alice)
    key, _ = await give_second_factor(database, bob)
    await set_user(database, alice, totp_secret=(await user_of(database, bob)).totp_secret)
    with pytest.raises(UnreadableSecondFactor):
        await type_code(database, await due(database, alice), code_of(key))
    await set_user(database, alice, totp_secret=seal(SECRET, f"totp {alice.id}", pyotp.random_base32().encode()))
    with pytest.raises(WrongCode):
        await type_code(database, await due(database, alice), code_of(key))


async def test_switched_off_nothing_of_it_is_left(database: Database, alice: Person) -> None:
    await give_second_factor(database, alice)
    token, identity = await come_in(database, alice)
    async with database.transaction(everyone=WHY) as db:
        await second_factor.switch_off(db, identity)
    row = await user_of(database, alice)
    assert (row.totp_secret, row.totp_since, row.totp_step) == (None, None, None)
    assert await left(database, alice) == 0
    changed = await who(database, token)
    assert changed is not None and not changed.has_second_factor
    assert (await acts_of(database, alice))[-1] == "second_factor.off"
    assert "second_factor_off" in await notices_of(database, alice)
    for again in (second_factor.switch_off, second_factor.new_codes):
        with pytest.raises(NotOn):
            async with database.transaction(everyone=WHY) as db:
                await again(db, identity)


async def test_it_asks_for_somebody_who_confirmed_lately_and_is_no_operator(
    database: Database, alice: Person, bob: Person, ada: Person
) -> None:
    await give_second_factor(database, bob)
    for person in (alice, bob):
        token, _ = await come_in(database, person)
        await age_sessions(database, person, timedelta(minutes=20))
        late = await who(database, token)
        assert late is not None
        _, visit = await come_in(database, person, actor=ada)
        for identity, error in ((late, ConfirmFirst), (visit, OwnerOnly)):
            for verb in (second_factor.switch_off, second_factor.new_codes):
                with pytest.raises(error):
                    async with database.transaction(everyone=WHY) as db:
                        await verb(db, identity)
            with pytest.raises(error):
                await begin(database, identity)
            with pytest.raises(error):
                await second_factor.switch_on(database, SECRET, identity, "000000", address=HERE)


async def test_the_right_password_alone_begins_nothing_but_the_waiting(database: Database, alice: Person) -> None:
    email = await give_password(database, alice)
    key, _ = await give_second_factor(database, alice)
    with pytest.raises(sign_in.WrongSignIn):
        await sign_in.sign_in(database, SECRET, email, BETTER, address=HERE, browser=None)
    began = await sign_in.sign_in(database, SECRET, email, GOOD, address=HERE, browser="Firefox")
    assert began.second_factor_due and await who(database, began.token) is None
    signed_in = await type_code(database, began.token, code_of(key))
    async with database.transaction(everyone=WHY) as db:
        [shown, *_] = await sessions.of_user(db, alice.id)
    assert (shown.address, shown.browser) == (HERE, "Firefox")
    assert await who(database, signed_in) is not None
