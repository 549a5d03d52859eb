"""What the carrier has and what the pool says: taken in, compared, and mended by name."""

import uuid

import pytest
from sqlalchemy import select, text

from talktime.accounts.models import AuditEntry
from talktime.accounts.operators import NotAnOperator
from talktime.numbers import drift, pool, rounds
from talktime.numbers.drift import Difference
from talktime.numbers.models import CarrierPhase, PhoneStatus
from talktime.numbers.telling import tell_due
from talktime.simulate.orders import NumberFault
from tests.numbers.conftest import BASE, REPORT, RING, Exchange
from tests.people import WHY, Person, new_person

ONE, TWO, THREE = "+442079460001", "+442079460002", "+442079460003"


@pytest.fixture
async def ada(exchange: Exchange) -> Person:
    return await new_person(exchange.database, "Ada", credits=0, admin=True)


@pytest.fixture
async def alice(exchange: Exchange) -> Person:
    return await new_person(exchange.database, "Alice", credits=100)


async def take_in(exchange: Exchange, actor: Person, **more: bool) -> drift.Imported:
    return await drift.take_in(exchange.database, exchange.numbers, "simulated", actor=actor.id, **more)


async def compare(exchange: Exchange) -> dict[str, list[Difference]]:
    found: dict[str, list[Difference]] = {}
    for each in await drift.compare(exchange.database, exchange.carriers, BASE):
        if not each.number.startswith("+1555"):  # what people in tests come with
            found.setdefault(each.number, []).append(each.difference)
            assert each.sentence
    return found


async def test_unknown_numbers_come_into_the_pool_and_ring_here(exchange: Exchange, ada: Person) -> None:
    for number in (ONE, TWO, "+449012345678"):
        exchange.company.numbers.put(number, voice_url="https://demo.twilio.com/welcome")
    trial = await take_in(exchange, ada, dry_run=True)
    assert (trial.added, list(trial.refused)) == ([ONE, TWO], ["+449012345678"])
    assert await compare(exchange) == {number: [Difference.ONLY_THERE] for number in (ONE, TWO, "+449012345678")}
    done = await take_in(exchange, ada)
    assert (done.added, list(done.refused), done.known) == ([ONE, TWO], ["+449012345678"], 0)
    again = await take_in(exchange, ada)
    assert (again.added, again.renamed, again.known) == ([], [], 2)
    assert await tell_due(exchange.database, exchange.carriers, BASE) == 2
    there = exchange.company.numbers.by_number(ONE)
    assert there is not None
    assert there.voice_url == RING
    async with exchange.database.transaction(everyone=WHY) as db:
        acts = (await db.scalars(select(AuditEntry.act).where(AuditEntry.actor_id == ada.id))).all()
    assert acts == ["number.added"] * 2


async def test_what_was_added_by_hand_is_tied_to_the_carriers_name_of_it(
    exchange: Exchange, ada: Person, alice: Person
) -> None:
    async with exchange.database.transaction(everyone=WHY) as db:
        await pool.add(db, ONE, carrier="simulated")
    await exchange.give(ONE, alice)
    exchange.company.numbers.put(ONE, voice_url=RING, status_callback=REPORT)
    assert await compare(exchange) == {}, "it was set up by hand"
    exchange.company.numbers.put(ONE, voice_url="")
    assert await compare(exchange) == {ONE: [Difference.OTHER_NAME]}
    assert (await take_in(exchange, ada)).renamed == [ONE]
    row = await exchange.see(ONE)
    assert (row.carrier_phase, row.user_id) == (CarrierPhase.WANTED, alice.id)
    await tell_due(exchange.database, exchange.carriers, BASE)
    assert await compare(exchange) == {}


async def test_only_operators_take_numbers_in(exchange: Exchange, alice: Person) -> None:
    exchange.company.numbers.put(ONE)
    with pytest.raises(NotAnOperator):
        await take_in(exchange, alice)


async def test_every_difference_is_told(exchange: Exchange, ada: Person, alice: Person) -> None:
    for number in (ONE, TWO, THREE):
        await exchange.add(number)
    await tell_due(exchange.database, exchange.carriers, BASE)
    assert await compare(exchange) == {}
    books = exchange.company.numbers
    books.drop(ONE)
    books.put(TWO, voice_url="https://elsewhere.example.org/ring")
    books.put("+442079460009")
    assert await compare(exchange) == {
        ONE: [Difference.ONLY_HERE],
        TWO: [Difference.OTHER_DOORS],
        "+442079460009": [Difference.ONLY_THERE],
    }
    books.put(TWO, voice_url=RING, trunk_sid="TK1")
    assert (await compare(exchange))[TWO] == [Difference.OTHER_DOORS]
    async with exchange.database.transaction(everyone=WHY) as db:
        await drift.tell_again(db, TWO, actor=ada.id)
    assert (await compare(exchange))[TWO] == [Difference.NOT_TOLD]
    await tell_due(exchange.database, exchange.carriers, BASE)
    assert TWO not in await compare(exchange)
    assert books.by_number(TWO).trunk_sid == ""  # type: ignore[union-attr]  # it is there


async def test_numbers_of_closed_customers_and_archived_agents_are_found(exchange: Exchange, alice: Person) -> None:
    bob = await new_person(exchange.database, "Bob", credits=100)
    for number, person in ((ONE, alice), (TWO, bob)):
        await exchange.add(number)
        await exchange.give(number, person)
    await tell_due(exchange.database, exchange.carriers, BASE)
    await exchange.become(alice, "CLOSED")
    async with exchange.database.transaction(everyone=WHY) as db:
        await db.execute(
            text("UPDATE agents SET active = false, archived_at = now() WHERE user_id = :user"), {"user": bob.id}
        )
    assert await compare(exchange) == {ONE: [Difference.NOBODYS], TWO: [Difference.ARCHIVED_AGENT]}


async def test_what_we_gave_up_and_the_carrier_bills_still(exchange: Exchange, ada: Person) -> None:
    await exchange.add(ONE)
    async with exchange.database.transaction(everyone=WHY) as db:
        await pool.give_up(db, ONE, actor=ada.id)
    assert await compare(exchange) == {ONE: [Difference.NOT_GIVEN_BACK]}
    await tell_due(exchange.database, exchange.carriers, BASE)
    assert await compare(exchange) == {}
    exchange.company.numbers.put(ONE)
    assert await compare(exchange) == {ONE: [Difference.NOT_GIVEN_BACK]}
    assert (await take_in(exchange, ada)).added == [ONE]
    assert (await exchange.see(ONE)).status is PhoneStatus.AVAILABLE


async def test_looking_changes_nothing_and_a_carrier_that_fails_says_so(exchange: Exchange, ada: Person) -> None:
    row = await exchange.add(ONE)
    before = row.updated_at
    await compare(exchange)
    assert (await exchange.see(ONE)).updated_at == before
    exchange.company.numbers.go_wrong(NumberFault(what="list", status=500))
    with pytest.raises(Exception, match="HTTP 500"):
        await compare(exchange)
    assert isinstance(ada.id, uuid.UUID)


async def test_every_night_what_differs_is_put_before_the_operator_once(exchange: Exchange, ada: Person) -> None:
    await exchange.add(ONE)
    await tell_due(exchange.database, exchange.carriers, BASE)
    exchange.company.numbers.put(TWO)
    assert await rounds.compare(exchange.database, exchange.carriers, BASE) == 0, "what is only there is nobody's here"
    exchange.company.numbers.drop(ONE)
    for _ in range(2):
        assert await rounds.compare(exchange.database, exchange.carriers, BASE) == 1
    async with exchange.database.transaction(everyone=WHY) as db:
        alerts = (await db.execute(text("SELECT kind, detail FROM alerts"))).all()
    assert [(row.kind, row.detail) for row in alerts] == [("numbers_differ", {"only_here": 1})]
