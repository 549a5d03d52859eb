"""Whose own a number is: the code that a call says, told back in time and not guessed."""

import asyncio
import re
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from talktime.credits.money import NotEnoughCredit
from talktime.errors import BadInput, NotFound
from talktime.numbers import pool, proof
from talktime.numbers.forms import DearNumber
from talktime.numbers.models import NumberProof, PhoneStatus
from talktime.numbers.pool import NotTheirs, OtherOwner
from talktime.numbers.proof import NoCallerNumber, OurOwnNumber, ProofOver, TooManyProofs, WrongCode
from talktime.simulate.orders import NumberFault
from tests.numbers.conftest import SECRET, Exchange
from tests.people import WHY, Person, charges, new_person

LONDON = "+442079460001"
SHOP = "+493012345678"


@pytest.fixture
async def alice(exchange: Exchange) -> Person:
    await exchange.add(LONDON)
    return await new_person(exchange.database, "Alice", credits=1000)


@pytest.fixture
async def bob(exchange: Exchange) -> Person:
    return await new_person(exchange.database, "Bob", credits=1000)


async def begin(exchange: Exchange, person: Person, number: str = SHOP) -> NumberProof:
    return await proof.begin(exchange.database, person.id, number, exchange.carriers, secret=SECRET)


async def finish(
    exchange: Exchange, person: Person, begun: NumberProof, code: str, *, after: timedelta = timedelta(0)
) -> NumberProof:
    now = datetime.now(UTC) + after
    return await proof.finish(exchange.database, person.id, begun.id, code, secret=SECRET, now=now)


async def heard(exchange: Exchange, number: str = SHOP) -> str:
    """The code that the newest call said."""
    async with asyncio.timeout(5):
        while not (said := exchange.company.heard(number)):
            await asyncio.sleep(0.02)
    return re.sub(r"\D", "", said[-2])


async def test_nobody_is_called_for_an_account_without_credit(exchange: Exchange, alice: Person) -> None:
    poor = await new_person(exchange.database, "Carol", credits=0)
    with pytest.raises(NotEnoughCredit, match="Buy credits first"):
        await begin(exchange, poor)
    assert not exchange.company.heard(SHOP)


async def test_a_code_that_a_call_said_proves_the_number(exchange: Exchange, alice: Person, bob: Person) -> None:
    begun = await begin(exchange, alice, "030 12345678".replace("030", "+49 30"))
    assert (begun.number, begun.proven_at, begun.error) == (SHOP, None, None)
    assert begun.carrier_call_id is not None
    code = await heard(exchange)
    assert len(code) == 6
    with pytest.raises(NotFound):
        await finish(exchange, bob, begun, code)
    proven = await finish(exchange, alice, begun, f"{code[:3]} {code[3:]}")
    assert proven.proven_at is not None
    assert (await finish(exchange, alice, begun, "000000")).proven_at == proven.proven_at
    async with exchange.database.transaction(everyone=WHY) as db:
        assert await proof.is_proven(db, alice.id, SHOP)
        assert not await proof.is_proven(db, bob.id, SHOP)
        stored = await db.scalar(text("SELECT code_hash FROM number_proofs"))
    assert stored is None


async def test_a_code_is_stored_as_a_hash_alone(exchange: Exchange, alice: Person) -> None:
    await begin(exchange, alice)
    code = await heard(exchange)
    async with exchange.database.transaction(everyone=WHY) as db:
        row = await db.scalar(text("SELECT number_proofs::text FROM number_proofs"))
    assert code not in row


async def test_wrong_codes_are_counted_and_five_end_it(exchange: Exchange, alice: Person) -> None:
    begun = await begin(exchange, alice)
    code = await heard(exchange)
    wrong = f"{(int(code) + 1) % 10**6:06d}"
    for form in ("", "12345", "1234567", "abcdef", "１２３４５６"):
        with pytest.raises(WrongCode, match="6 digits"):
            await finish(exchange, alice, begun, form)
    for _ in range(4):
        with pytest.raises(WrongCode):
            await finish(exchange, alice, begun, wrong)
    with pytest.raises(ProofOver):
        await finish(exchange, alice, begun, wrong)
    with pytest.raises(ProofOver):
        await finish(exchange, alice, begun, code)


async def test_guesses_at_the_same_moment_are_no_more_than_five(exchange: Exchange, alice: Person) -> None:
    begun = await begin(exchange, alice)
    code = int(await heard(exchange))
    guesses = [f"{(code + nth) % 10**6:06d}" for nth in range(1, 21)]
    done = await asyncio.gather(*(finish(exchange, alice, begun, guess) for guess in guesses), return_exceptions=True)
    assert all(isinstance(each, WrongCode | ProofOver) for each in done)
    async with exchange.database.transaction(everyone=WHY) as db:
        assert await db.scalar(text("SELECT tries FROM number_proofs")) == 5


async def test_a_code_is_good_for_ten_minutes(exchange: Exchange, alice: Person) -> None:
    begun = await begin(exchange, alice)
    code = await heard(exchange)
    with pytest.raises(ProofOver):
        await finish(exchange, alice, begun, code, after=timedelta(minutes=10))
    assert (await finish(exchange, alice, begun, code, after=timedelta(minutes=9))).proven_at is not None


async def test_a_second_call_makes_the_first_code_worthless(exchange: Exchange, alice: Person) -> None:
    first = await begin(exchange, alice)
    code = await heard(exchange)
    await begin(exchange, alice)
    with pytest.raises(ProofOver):
        await finish(exchange, alice, first, code)


async def test_nobody_is_called_all_day(exchange: Exchange, alice: Person, bob: Person) -> None:
    for who in (alice, bob, alice):
        await begin(exchange, who)
    with pytest.raises(TooManyProofs):
        await begin(exchange, bob)
    for nth in range(8):
        await begin(exchange, alice, f"+49301234567{nth}" if nth != 8 else SHOP)
    with pytest.raises(TooManyProofs, match="enough numbers"):
        await begin(exchange, alice, "+493099999999")


async def test_our_own_and_dear_numbers_are_not_proven(exchange: Exchange, alice: Person) -> None:
    with pytest.raises(OurOwnNumber):
        await begin(exchange, alice, LONDON)
    with pytest.raises(DearNumber):
        await begin(exchange, alice, "+49 900 1234567")
    async with exchange.database.transaction(everyone=WHY) as db:
        await db.execute(text("UPDATE phone_numbers SET carrier_number_id = NULL"))
    with pytest.raises(NoCallerNumber):
        await begin(exchange, alice)
    assert exchange.company.heard("+499001234567") == []


async def test_who_proves_a_number_last_has_it(exchange: Exchange, alice: Person, bob: Person) -> None:
    begun = await begin(exchange, alice)
    await finish(exchange, alice, begun, await heard(exchange))
    theirs = await begin(exchange, bob)
    async with asyncio.timeout(5):
        while len(exchange.company.heard(SHOP)) < 10:
            await asyncio.sleep(0.02)
    await finish(exchange, bob, theirs, await heard(exchange))
    async with exchange.database.transaction(everyone=WHY) as db:
        assert not await proof.is_proven(db, alice.id, SHOP)
        assert await proof.is_proven(db, bob.id, SHOP)
        (mine,) = await proof.of_user(db, alice.id, after=None, limit=5)
        assert mine.ended_at is not None
        assert await proof.of_user(db, alice.id, after=mine.id, limit=5) == []
        with pytest.raises(NotFound):
            await proof.one(db, bob.id, mine.id)


async def test_a_carrier_that_refuses_ends_the_proof_and_one_that_is_silent_does_not(
    exchange: Exchange, alice: Person
) -> None:
    exchange.company.numbers.go_wrong(NumberFault(what="call", status=400, code=21211))
    refused = await begin(exchange, alice)
    assert (refused.error, refused.ended_at is not None) == ("refused", True)
    exchange.company.numbers.go_wrong(NumberFault(what="call", status=500, after=True))
    silent = await begin(exchange, alice)
    assert (silent.error, silent.ended_at) == ("no answer", None)
    assert len(exchange.company.heard(SHOP)) in (0, 5), "and it is not called twice"
    assert (await finish(exchange, alice, silent, await heard(exchange))).proven_at is not None


async def test_a_number_that_a_customer_brings_along_is_theirs_alone_and_costs_no_rent(
    exchange: Exchange, alice: Person, bob: Person
) -> None:
    async with exchange.database.transaction(everyone=WHY) as db:
        with pytest.raises(NotTheirs, match="prove it first"):
            await pool.add(db, SHOP, carrier="simulated", owner=alice.id)
    begun = await begin(exchange, alice)
    await finish(exchange, alice, begun, await heard(exchange))
    async with exchange.database.transaction(everyone=WHY) as db:
        for wrong in (None, bob.id):
            with pytest.raises(NotTheirs):
                await pool.add(db, SHOP, carrier="simulated", owner=wrong)
        await pool.add(db, SHOP, carrier="simulated", owner=alice.id)
    with pytest.raises(NotTheirs):
        await exchange.give(SHOP, bob)
    await exchange.give(SHOP, alice, rent=30)
    assert await charges(exchange.database, alice) == []
    async with exchange.database.transaction(everyone=WHY) as db:
        released = await pool.release(db, SHOP)
    assert (released.status, released.owner_id) == (PhoneStatus.AVAILABLE, alice.id)
    with pytest.raises(NotTheirs):
        await exchange.give(SHOP, bob)


async def test_a_number_that_changed_hands_is_not_silently_left_to_who_had_it(
    exchange: Exchange, alice: Person, bob: Person
) -> None:
    await finish(exchange, alice, await begin(exchange, alice), await heard(exchange))
    async with exchange.database.transaction(everyone=WHY) as db:
        added = await pool.add(db, SHOP, carrier="simulated", owner=alice.id)
        assert (await pool.add(db, SHOP, carrier="simulated", owner=alice.id)).id == added.id
    theirs = await begin(exchange, bob)
    async with asyncio.timeout(5):
        while len(exchange.company.heard(SHOP)) < 10:
            await asyncio.sleep(0.02)
    await finish(exchange, bob, theirs, await heard(exchange))
    async with exchange.database.transaction(everyone=WHY) as db:
        with pytest.raises(OtherOwner, match="give it up, then add it again"):
            await pool.add(db, SHOP, carrier="simulated", owner=bob.id)
        await pool.give_up(db, SHOP, actor=bob.id)
        assert (await pool.add(db, SHOP, carrier="simulated", owner=bob.id)).owner_id == bob.id
    await exchange.give(SHOP, bob)


async def test_german_customers_hear_german(exchange: Exchange, alice: Person) -> None:
    async with exchange.database.transaction(everyone=WHY) as db:
        await db.execute(text("UPDATE users SET locale = 'de-AT' WHERE id = :id"), {"id": alice.id})
    await begin(exchange, alice, "+493012345999")
    await heard(exchange, "+493012345999")
    assert "Ihr Code lautet" in exchange.company.heard("+493012345999")[0]
    assert issubclass(WrongCode, BadInput)
