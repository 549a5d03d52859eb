"""Numbers come into the pool, go to a customer, come back, rest, and leave; of two who want one, one gets it."""

import asyncio
import sys
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text

from talktime.accounts.models import AuditEntry
from talktime.credits.functions import NotEnoughCredit
from talktime.db.session import Database, connect
from talktime.errors import BadInput, Conflict, NotFound
from talktime.numbers import pool
from talktime.numbers.forms import DearNumber, NoNumber
from talktime.numbers.models import CarrierPhase, PhoneStatus
from talktime.numbers.pool import AgentArchived, CannotHaveNumbers, NoSuchNumber, NotAssigned, NotFree, StillAssigned
from talktime.numbers.telling import tell_due
from talktime.webhooks import endpoints
from tests.numbers.conftest import BASE, Exchange
from tests.people import WHY, Person, charges, new_person

LONDON, SECOND = "+442079460001", "+442079460002"


@pytest.fixture
async def alice(exchange: Exchange) -> Person:
    return await new_person(exchange.database, "Alice", credits=1000)


@pytest.fixture
async def bob(exchange: Exchange) -> Person:
    return await new_person(exchange.database, "Bob", credits=1000)


async def acts(database: Database, person: Person) -> list[str]:
    async with database.transaction(everyone=WHY) as db:
        found = select(AuditEntry.act).where(AuditEntry.user_id == person.id).order_by(AuditEntry.seq)
        return list((await db.scalars(found)).all())


async def test_a_number_goes_to_an_agent_and_comes_back_and_rests(exchange: Exchange, alice: Person) -> None:
    await exchange.add(LONDON)
    given = await exchange.give("+44 20 7946 0001", alice)
    assert (given.status, given.user_id, given.agent_id) == (PhoneStatus.ASSIGNED, alice.id, alice.agent)
    async with exchange.database.transaction(everyone=WHY) as db:
        back = await pool.release(db, given.id, user=alice.id)
    assert (back.status, back.user_id, back.agent_id, back.assigned_at) == (PhoneStatus.RELEASED, None, None, None)
    assert back.quarantine_until is not None
    assert timedelta(days=29, hours=23) < back.quarantine_until - datetime.now(UTC) <= timedelta(days=30)
    with pytest.raises(NotFree, match="rests until"):
        await exchange.give(LONDON, alice)
    async with exchange.database.transaction(everyone=WHY) as db:
        assert await pool.free_rested(db, datetime.now(UTC) + timedelta(days=29)) == 0
        assert await pool.free_rested(db, datetime.now(UTC) + timedelta(days=31)) == 1
        assert await pool.free_rested(db, datetime.now(UTC) + timedelta(days=31)) == 0
    assert (await exchange.give(LONDON, alice)).status is PhoneStatus.ASSIGNED
    assert await acts(exchange.database, alice) == ["number.assigned", "number.released", "number.assigned"]


async def test_the_same_again_changes_nothing(exchange: Exchange, alice: Person) -> None:
    await exchange.add(LONDON)
    await exchange.give(LONDON, alice, rent=10)
    first = await exchange.see(LONDON)
    await exchange.give(LONDON, alice, rent=10)
    again = await exchange.see(LONDON)
    assert (again.assigned_at, again.updated_at) == (first.assigned_at, first.updated_at)
    assert await charges(exchange.database, alice) == [-10]
    assert await acts(exchange.database, alice) == ["number.assigned"]
    async with exchange.database.transaction(everyone=WHY) as db:
        await pool.add(db, LONDON, carrier="twilio")
    assert (await exchange.see(LONDON)).carrier == "simulated"


async def test_somebody_elses_number_is_not_given_away(exchange: Exchange, alice: Person, bob: Person) -> None:
    await exchange.add(LONDON)
    await exchange.give(LONDON, alice)
    with pytest.raises(NotFree, match="belongs to somebody"):
        await exchange.give(LONDON, bob)
    async with exchange.database.transaction(everyone=WHY) as db:
        with pytest.raises(NoSuchNumber):
            await pool.release(db, LONDON, user=bob.id)
        with pytest.raises(NoSuchNumber):
            await pool.point(db, bob.id, LONDON, agent=bob.agent)
        with pytest.raises(NotFound):
            await pool.point(db, alice.id, LONDON, agent=bob.agent)
    assert (await exchange.see(LONDON)).agent_id == alice.agent


async def test_a_customer_points_a_number_at_another_agent(exchange: Exchange, alice: Person) -> None:
    await exchange.add(LONDON)
    await exchange.give(LONDON, alice)
    other, gone = await exchange.agent_of(alice), await exchange.agent_of(alice, archived=True)
    async with exchange.database.transaction(everyone=WHY) as db:
        assert (await pool.point(db, alice.id, LONDON, agent=other)).agent_id == other
        with pytest.raises(AgentArchived):
            await pool.point(db, alice.id, LONDON, agent=gone)
    async with exchange.database.transaction(everyone=WHY) as db:
        with pytest.raises(NotFree, match="point it at another agent"):
            await pool.assign(db, LONDON, user=alice.id, agent=alice.agent)
    assert (await exchange.see(LONDON)).agent_id == other


async def test_a_number_is_taken_from_its_agent_and_stays_theirs(
    exchange: Exchange, alice: Person, bob: Person
) -> None:
    await exchange.add(LONDON)
    await exchange.give(LONDON, alice)
    async with exchange.database.transaction(everyone=WHY) as db:
        with pytest.raises(NoSuchNumber):
            await pool.unpoint(db, bob.id, LONDON)
        for _time in range(2):
            row = await pool.unpoint(db, alice.id, LONDON)
            assert (row.status, row.user_id, row.agent_id) == (PhoneStatus.ASSIGNED, alice.id, None)
        with pytest.raises(NotFree):
            await pool.assign(db, LONDON, user=bob.id, agent=bob.agent)
        assert (await pool.point(db, alice.id, LONDON, agent=alice.agent)).agent_id == alice.agent


@pytest.mark.parametrize("status", ["SUSPENDED", "CLOSED"])
async def test_who_may_not_come_in_gets_no_number(exchange: Exchange, alice: Person, status: str) -> None:
    await exchange.add(LONDON)
    await exchange.become(alice, status)
    with pytest.raises(CannotHaveNumbers, match=status.lower()):
        await exchange.give(LONDON, alice)
    assert (await exchange.see(LONDON)).status is PhoneStatus.AVAILABLE


async def test_what_is_not_there_is_not_given(exchange: Exchange, alice: Person) -> None:
    with pytest.raises(NoSuchNumber, match="not in the pool"):
        await exchange.give(LONDON, alice)
    await exchange.add(LONDON)
    nobody = Person(uuid.uuid4(), uuid.uuid4(), LONDON, alice.rate)
    with pytest.raises(NotFound, match="user"):
        await exchange.give(LONDON, nobody)
    gone = Person(alice.id, await exchange.agent_of(alice, archived=True), LONDON, alice.rate)
    with pytest.raises(AgentArchived):
        await exchange.give(LONDON, gone)
    with pytest.raises(NotFound, match="agent"):
        await exchange.give(LONDON, Person(alice.id, uuid.uuid4(), LONDON, alice.rate))
    async with exchange.database.transaction(everyone=WHY) as db:
        with pytest.raises(NotAssigned):
            await pool.release(db, LONDON)


async def test_dear_numbers_and_no_numbers_never_come_into_the_pool(exchange: Exchange) -> None:
    async with exchange.database.transaction(everyone=WHY) as db:
        with pytest.raises(DearNumber):
            await pool.add(db, "+49 900 1234567", carrier="simulated")
        with pytest.raises(NoNumber):
            await pool.add(db, "call me", carrier="simulated")
        assert await db.scalar(text("SELECT count(*) FROM phone_numbers")) == 0


async def test_the_first_month_must_be_there(exchange: Exchange) -> None:
    poor = await new_person(exchange.database, "Poor", credits=5)
    await exchange.add(LONDON)
    with pytest.raises(NotEnoughCredit, match="10 credits, and 5 are free"):
        await exchange.give(LONDON, poor, rent=10)
    assert (await exchange.see(LONDON)).status is PhoneStatus.AVAILABLE
    for wrong in (-1, 10**9 + 1, True):
        with pytest.raises(BadInput):
            await exchange.give(LONDON, poor, rent=wrong)
    await exchange.give(LONDON, poor, rent=5)
    assert await charges(exchange.database, poor) == [-5]


async def test_a_number_is_given_up_and_may_come_back(exchange: Exchange, alice: Person, bob: Person) -> None:
    await exchange.add(LONDON)
    await exchange.give(LONDON, alice)
    async with exchange.database.transaction(everyone=WHY) as db:
        with pytest.raises(StillAssigned):
            await pool.give_up(db, LONDON, actor=bob.id)
        await pool.release(db, LONDON)
    async with exchange.database.transaction(everyone=WHY) as db:
        await pool.give_up(db, LONDON, actor=bob.id)
        await pool.give_up(db, LONDON, actor=bob.id)
    row = await exchange.see(LONDON)
    assert (row.status, row.carrier_phase) == (PhoneStatus.RETURNED, CarrierPhase.WANTED)
    with pytest.raises(NotFree, match="the carrier's again"):
        await exchange.give(LONDON, alice)
    assert await tell_due(exchange.database, exchange.carriers, BASE) == 1
    assert exchange.company.numbers.by_number(LONDON) is None
    assert (await exchange.see(LONDON)).carrier_number_id is None
    await exchange.add(LONDON)
    # Its callers still ring, however it came back.
    with pytest.raises(NotFree, match="rests until"):
        await exchange.give(LONDON, bob)
    async with exchange.database.transaction(everyone=WHY) as db:
        assert await pool.free_rested(db, datetime.now(UTC) + timedelta(days=31)) == 1
    assert (await exchange.give(LONDON, bob)).status is PhoneStatus.ASSIGNED


async def test_a_number_that_was_given_up_after_its_rest_comes_back_free(exchange: Exchange, alice: Person) -> None:
    await exchange.add(LONDON)
    await exchange.give(LONDON, alice)
    async with exchange.database.transaction(everyone=WHY) as db:
        await pool.release(db, LONDON, quarantine=timedelta(seconds=-1))
        await pool.give_up(db, LONDON, actor=alice.id)
    await exchange.add(LONDON)
    assert (await exchange.give(LONDON, alice)).status is PhoneStatus.ASSIGNED


_ASSIGNS = """
import asyncio, sys, uuid
from talktime.db.session import connect
from talktime.errors import Conflict
from talktime.numbers import pool

async def main(url, user, agent):
    database = connect(url, connections_max=2)
    try:
        async with database.transaction(everyone="warming up"):
            print("ready", flush=True)
        while number := sys.stdin.readline().strip():
            try:
                async with database.transaction(everyone="an operator assigns a number") as db:
                    await pool.assign(db, number, user=uuid.UUID(user), agent=uuid.UUID(agent), rent_credits=3)
                print("assigned", flush=True)
            except Conflict:
                print("conflict", flush=True)
    finally:
        await database.close()

asyncio.run(main(*sys.argv[1:]))
"""


async def test_of_two_operators_in_two_processes_one_gets_the_number(new_database_url: Callable[[], str]) -> None:
    url = new_database_url()
    database = connect(url)
    people = [await new_person(database, name, credits=100) for name in ("Alice", "Bob")]
    programs = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", _ASSIGNS, url, str(person.id), str(person.agent),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )
        for person in people
    ]  # fmt: skip
    try:
        async with asyncio.timeout(60):
            assert [await _line(program) for program in programs] == [b"ready\n"] * 2
            for nth in range(10):
                number = f"+44207946{nth:04d}"
                async with database.transaction(everyone=WHY) as db:
                    await pool.add(db, number, carrier="simulated")
                for program in programs:
                    assert program.stdin is not None
                    program.stdin.write(f"{number}\n".encode())
                said = await asyncio.gather(*(_line(program) for program in programs))
                assert sorted(said) == [b"assigned\n", b"conflict\n"]
                async with database.transaction(everyone=WHY) as db:
                    assert (await pool.locked(db, number)).user_id == people[said.index(b"assigned\n")].id
    finally:
        for program in programs:
            program.kill()
            await program.wait()
    assert sum([len(await charges(database, person)) for person in people]) == 10
    await database.close()


async def _line(program: asyncio.subprocess.Process) -> bytes:
    assert program.stdout is not None
    return await program.stdout.readline()


async def test_many_at_once_in_one_process_make_one_assignment(exchange: Exchange) -> None:
    await exchange.add(LONDON)
    people = [await new_person(exchange.database, f"P{nth}", credits=10) for nth in range(6)]
    done = await asyncio.gather(*(exchange.give(LONDON, each) for each in people), return_exceptions=True)
    assert sum(isinstance(each, Conflict) for each in done) == 5
    added = await asyncio.gather(*(exchange.add(SECOND) for _ in range(6)))
    assert len({each.id for each in added}) == 1


async def test_programs_are_told_of_numbers_that_come_and_go(exchange: Exchange, alice: Person, bob: Person) -> None:
    keeping = endpoints.Keeping(b"k" * 32, to_private=False)
    async with exchange.database.transaction(user=alice.id) as db:
        await endpoints.create(db, alice.id, keeping, url="https://hooks.example.com/x", events=["number.*"])
    added = await exchange.add(LONDON)
    await exchange.give(LONDON, alice)
    other = await exchange.agent_of(alice)
    async with exchange.database.transaction(everyone=WHY) as db:
        await pool.point(db, alice.id, LONDON, agent=other)
        await pool.release(db, LONDON)
    await exchange.add(SECOND)
    await exchange.give(SECOND, bob)
    async with exchange.database.transaction(user=alice.id) as db:
        rows = (await db.execute(text("SELECT type, data FROM webhook_events ORDER BY created_at, id"))).all()
    told = [(row.type, row.data) for row in rows]
    number = str(added.id)
    assert [kind for kind, _ in told] == ["number.assigned", "number.assigned", "number.released"]
    assert [data for _, data in told] == [
        {"number_id": number, "agent_id": str(alice.agent)},
        {"number_id": number, "agent_id": str(other)},
        {"number_id": number},
    ]
