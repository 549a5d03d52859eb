"""What a call cost: told twice, told late, by somebody else, without a rate, and by a carrier that is away."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Float, Numeric, select, text
from sqlalchemy.exc import DBAPIError

from talktime.calls import costs, lifecycle
from talktime.calls.models import CallCost, CostKind, CostRate
from talktime.carriers.contract import Carrier, Charge, Leg, LegState, Ring
from talktime.carriers.twilio import charge_of
from talktime.db.session import Database
from talktime.errors import NotFound, ProviderError, Refused
from talktime.speech.usage import Measure, Used
from tests.people import WHY, Person, new_person

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def vendor() -> str:
    """A vendor of one test's own: rates are everybody's."""
    return f"vendor/{uuid.uuid4().hex[:8]}"


def used(provider: str, quantity: int, measure: Measure = Measure.AUDIO_SECONDS, *, estimated: bool = False) -> Used:
    return Used(provider, measure, quantity, estimated)


async def answered(database: Database, person: Person, carrier: str = "simulated") -> uuid.UUID:
    async with database.transaction(everyone=WHY) as db:
        rang = Ring(account="AC1", call_id=f"CA{uuid.uuid4().hex}", caller="", dialled=person.number)
        if carrier != "simulated":
            await db.execute(
                text("UPDATE phone_numbers SET carrier = :carrier WHERE number = :number"),
                {"carrier": carrier, "number": person.number},
            )
        decision = await lifecycle.ring(db, carrier, rang)
        assert decision.call_id is not None
        assert await lifecycle.answer(db, person.id, decision.call_id, "owner") is not None
    return decision.call_id


async def talked(database: Database, person: Person, seconds: float = 42.2, carrier: str = "simulated") -> uuid.UUID:
    """A call that is over."""
    call = await answered(database, person, carrier)
    async with database.transaction(user=person.id) as db:
        await lifecycle.finish(db, person.id, call, seconds=seconds, reason="caller_hung_up")
    return call


async def note(database: Database, person: Person, call: uuid.UUID, *what: Used) -> None:
    async with database.transaction(user=person.id) as db:
        await costs.note(db, person.id, call, what)


async def rows(database: Database, call: uuid.UUID) -> dict[tuple[str, CostKind], CallCost]:
    async with database.transaction(everyone=WHY) as db:
        found = await db.scalars(select(CallCost).where(CallCost.call_id == call))
        return {(row.provider, row.kind): row for row in found}


async def row(database: Database, call: uuid.UUID, provider: str) -> CallCost:
    (found,) = [row for (name, _), row in (await rows(database, call)).items() if name == provider]
    return found


async def set_rate(
    database: Database,
    provider: str,
    amount_micros: int,
    *,
    units: int = 1,
    kind: CostKind = CostKind.AUDIO_SECONDS,
    currency: str = "USD",
    valid_from: datetime = LONG_AGO,
) -> None:
    async with database.transaction(everyone=WHY) as db:
        await costs.set_rate(
            db, provider, kind, amount_micros=amount_micros, units=units, currency=currency, valid_from=valid_from
        )


# What vendors counted.


async def test_what_was_used_is_kept_with_what_it_cost(database: Database, alice: Person) -> None:
    ears, head = vendor(), vendor()
    await set_rate(database, ears, 4300, units=60)
    call = await talked(database, alice)
    await note(database, alice, call, used(ears, 61), used(head, 7, Measure.PROMPT_TOKENS, estimated=True))
    heard, thought = await row(database, call, ears), await row(database, call, head)
    # 61 × 4,300 / 60 = 4,371.67
    assert (heard.quantity, heard.amount_micros, heard.currency, heard.estimated) == (61, 4372, "USD", False)
    assert (thought.quantity, thought.amount_micros, thought.currency, thought.estimated) == (7, None, None, True)


async def test_the_same_told_twice_is_kept_once(database: Database, alice: Person) -> None:
    ears = vendor()
    await set_rate(database, ears, 100)
    call = await talked(database, alice)
    await asyncio.gather(*(note(database, alice, call, used(ears, 61)) for _ in range(10)))
    assert (await row(database, call, ears)).amount_micros == 6100


async def test_an_older_count_that_comes_late_changes_nothing(database: Database, alice: Person) -> None:
    ears = vendor()
    call = await talked(database, alice)
    for quantity in (30, 61, 30):
        await note(database, alice, call, used(ears, quantity))
    assert (await row(database, call, ears)).quantity == 61


async def test_costs_may_come_before_the_end(database: Database, alice: Person) -> None:
    ears = vendor()
    call = await answered(database, alice)
    await note(database, alice, call, used(ears, 5))
    assert set(await rows(database, call)) == {(ears, CostKind.AUDIO_SECONDS)}


async def test_somebody_elses_call_is_refused(database: Database, alice: Person, bob: Person) -> None:
    call = await talked(database, alice)
    with pytest.raises(Refused):
        async with database.transaction(user=bob.id) as db:
            await costs.note(db, alice.id, call, [used("x", 1)])
    with pytest.raises(NotFound):
        await note(database, bob, call, used("x", 1))
    assert ("x", CostKind.AUDIO_SECONDS) not in await rows(database, call)


@pytest.mark.parametrize("table", ["call_costs", "cost_rates"])
@pytest.mark.parametrize(
    "statement",
    ["SELECT * FROM {}", "INSERT INTO {} SELECT * FROM {}", "UPDATE {} SET currency = 'EUR'", "DELETE FROM {}"],
)
async def test_a_customer_neither_reads_nor_writes_what_calls_cost(
    database: Database, alice: Person, table: str, statement: str
) -> None:
    with pytest.raises(DBAPIError, match="permission denied"):
        async with database.transaction(user=alice.id) as db:
            await db.execute(text(statement.replace("{}", table)))


async def test_a_customer_does_not_ask_what_something_costs(database: Database, alice: Person) -> None:
    with pytest.raises(DBAPIError, match="permission denied"):
        async with database.transaction(user=alice.id) as db:
            await db.execute(text("SELECT cost_amount('x', 'AUDIO_SECONDS', 1, now())"))


async def test_not_even_everyone_inserts_beside_the_function(database: Database, alice: Person) -> None:
    call = await talked(database, alice)
    for statement in (
        "INSERT INTO call_costs SELECT * FROM call_costs WHERE user_id = :user AND call_id = :call",
        "UPDATE call_costs SET quantity = 0 WHERE user_id = :user AND call_id = :call",
        "DELETE FROM call_costs WHERE user_id = :user AND call_id = :call",
    ):
        with pytest.raises(DBAPIError, match="permission denied"):
            async with database.transaction(everyone=WHY) as db:
                await db.execute(text(statement), {"user": alice.id, "call": call})


def test_no_column_is_a_float() -> None:
    for model in (CallCost, CostRate):
        assert not [column for column in model.__table__.columns if isinstance(column.type, Float | Numeric)]


def test_every_measure_of_a_vendor_is_a_kind_of_cost() -> None:
    assert {measure.value for measure in Measure} == {kind.value for kind in CostKind} - {"CARRIER_SECONDS"}


# Rates.


@given(st.data())
async def test_amounts_are_exact_and_rounded_up_once(database: Database, data: st.DataObject) -> None:
    whole = st.integers(1, 10**9)
    quantity, units = data.draw(st.integers(0, 2**40)), data.draw(whole)
    amount = data.draw(st.integers(0, 10**12))
    provider = vendor()
    await set_rate(database, provider, amount, units=units)
    async with database.transaction(everyone=WHY) as db:
        known = await db.scalar(
            text("SELECT amount_micros FROM cost_amount(:provider, 'AUDIO_SECONDS', :quantity, now())"),
            {"provider": provider, "quantity": quantity},
        )
    assert known == min(-(-quantity * amount // units), 10**18)


async def test_the_rate_is_the_one_that_was_valid_when_the_call_began(database: Database, alice: Person) -> None:
    ears = vendor()
    await set_rate(database, ears, 100)
    await set_rate(database, ears, 200, valid_from=LONG_AGO + timedelta(days=1))
    await set_rate(database, ears, 900, valid_from=datetime.now(UTC) + timedelta(days=1))
    call = await answered(database, alice)
    await set_rate(database, ears, 300, valid_from=datetime.now(UTC))
    await note(database, alice, call, used(ears, 10))
    assert (await row(database, call, ears)).amount_micros == 2000


async def test_a_rate_that_comes_later_fills_in_what_was_unknown_and_changes_nothing_else(
    database: Database, alice: Person
) -> None:
    ears = vendor()
    calls = [await talked(database, alice) for _ in range(3)]
    for call in calls:
        await note(database, alice, call, used(ears, 10))
    await set_rate(database, ears, 100, valid_from=datetime.now(UTC) + timedelta(days=1))
    async with database.transaction(everyone=WHY) as db:
        assert await costs.fill_in(db, ears, CostKind.AUDIO_SECONDS) == 0
    await set_rate(database, ears, 100)
    async with database.transaction(everyone=WHY) as db:
        assert [await costs.fill_in(db, ears, CostKind.AUDIO_SECONDS, limit=2) for _ in range(3)] == [2, 1, 0]
    await set_rate(database, ears, 500, valid_from=LONG_AGO + timedelta(days=1))
    async with database.transaction(everyone=WHY) as db:
        assert await costs.fill_in(db, ears, CostKind.AUDIO_SECONDS) == 0
    assert [(await row(database, call, ears)).amount_micros for call in calls] == [1000] * 3


async def test_a_rate_is_never_changed(database: Database) -> None:
    ears = vendor()
    await set_rate(database, ears, 100)
    await set_rate(database, ears, 100)
    with pytest.raises(costs.RateIsSet):
        await set_rate(database, ears, 101)
    with pytest.raises(DBAPIError, match="permission denied"):
        async with database.transaction(everyone=WHY) as db:
            await db.execute(text("UPDATE cost_rates SET amount_micros = 0"))


async def test_the_list_shows_what_is_valid_and_what_will_be(database: Database) -> None:
    ears = vendor()
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    for amount, valid_from in ((1, LONG_AGO), (2, LONG_AGO + timedelta(days=1)), (3, tomorrow)):
        await set_rate(database, ears, amount, valid_from=valid_from)
    async with database.transaction(everyone=WHY) as db:
        assert [rate.amount_micros for rate in await costs.rates(db) if rate.provider == ears] == [2, 3]


# The carrier.


async def test_a_call_that_ends_has_its_carrier_s_seconds_by_our_clock_until_the_carrier_says(
    database: Database, alice: Person
) -> None:
    carrier = vendor()
    await set_rate(database, carrier, 8500, units=60, kind=CostKind.CARRIER_SECONDS)
    call = await talked(database, alice, seconds=42.2, carrier=carrier)
    ours = await row(database, call, carrier)
    assert (ours.quantity, ours.estimated, ours.amount_micros) == (43, True, 6092)
    async with database.transaction(everyone=WHY) as db:
        name = await db.scalar(text("SELECT carrier_call_id FROM calls WHERE id = :call"), {"call": call})
        for _ in range(2):
            await lifecycle.report(db, carrier, str(name), is_over=True, seconds=60)
    theirs = await row(database, call, carrier)
    assert (theirs.quantity, theirs.estimated, theirs.amount_micros) == (60, False, 8500)
    assert theirs.ask_at == ours.ask_at


async def test_a_call_that_nobody_answered_costs_nothing(database: Database, alice: Person) -> None:
    async with database.transaction(everyone=WHY) as db:
        rang = Ring(account="AC1", call_id=f"CA{uuid.uuid4().hex}", caller="", dialled=alice.number)
        decision = await lifecycle.ring(db, "simulated", rang)
        await lifecycle.report(db, "simulated", rang.call_id, is_over=True, seconds=0)
    assert decision.call_id is not None
    assert await rows(database, decision.call_id) == {}


async def test_what_the_ladder_says_costs_its_seconds(database: Database) -> None:
    carol = await new_person(database, "Carol", credits=0)
    async with database.transaction(everyone=WHY) as db:
        rang = Ring(account="AC1", call_id=f"CA{uuid.uuid4().hex}", caller="", dialled=carol.number)
        decision = await lifecycle.ring(db, "simulated", rang)
        await lifecycle.report(db, "simulated", rang.call_id, is_over=True, seconds=9)
    assert decision.call_id is not None
    assert (await row(database, decision.call_id, "simulated")).quantity == 9


class Priced:
    """A carrier's API that tells what it is told to tell."""

    def __init__(self, name: str, *answers: Leg | Exception | None) -> None:
        self.name = name
        self.answers = list(answers)
        self.asked: list[str] = []

    async def look_up(self, call_id: str) -> Leg | None:
        self.asked.append(call_id)
        answer = self.answers.pop(0) if self.answers else None
        await asyncio.sleep(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def leg(charge: Charge | None) -> Leg:
    return Leg("CA", LegState.COMPLETED, 42, charge)


async def ask(database: Database, *carriers: Priced) -> costs.Asked:
    named: dict[str, Carrier] = {carrier.name: carrier for carrier in carriers}  # type: ignore[misc]  # one verb will do
    return await costs.ask_prices(database, named)


async def let_time_pass(database: Database, call: uuid.UUID) -> None:
    async with database.transaction(everyone=WHY) as db:
        await db.execute(
            text("UPDATE call_costs SET ask_at = now() - interval '1 second' WHERE ask_at > now() AND call_id = :call"),
            {"call": call},
        )


async def test_the_carrier_is_asked_some_minutes_later_and_its_price_counts(database: Database, alice: Person) -> None:
    name = vendor()
    await set_rate(database, name, 8500, units=60, kind=CostKind.CARRIER_SECONDS)
    call = await talked(database, alice, carrier=name)
    carrier = Priced(name, leg(None), leg(Charge(12_345, "EUR")))
    assert await ask(database, carrier) == costs.Asked(0, 0)
    await let_time_pass(database, call)
    assert await ask(database, carrier) == costs.Asked(1, 0)
    assert await ask(database, carrier) == costs.Asked(0, 0)
    await let_time_pass(database, call)
    assert await ask(database, carrier) == costs.Asked(1, 1)
    known = await row(database, call, name)
    assert (known.amount_micros, known.currency, known.reported, known.ask_at) == (12_345, "EUR", True, None)
    # The carrier's duration comes last: the price stands.
    async with database.transaction(everyone=WHY) as db:
        await db.execute(text("UPDATE calls SET carrier_seconds = 50 WHERE id = :call"), {"call": call})
    known = await row(database, call, name)
    assert (known.quantity, known.estimated, known.amount_micros, known.currency) == (50, False, 12_345, "EUR")


async def test_a_carrier_that_is_away_is_asked_again_and_in_the_end_no_more(database: Database, alice: Person) -> None:
    name = vendor()
    call = await talked(database, alice, carrier=name)
    carrier = Priced(name, ProviderError("away"), None, TimeoutError(), ProviderError("no", permanent=True))
    waits = []
    for _ in range(10):
        await let_time_pass(database, call)
        before = datetime.now(UTC)
        await ask(database, carrier)
        due = (await row(database, call, name)).ask_at
        waits.append(round((due - before) / timedelta(minutes=1)) if due is not None else None)
    assert waits == [4, 16, 64, 256, 1024, None, None, None, None, None]
    assert len(carrier.asked) == 6
    assert (await row(database, call, name)).amount_micros is None


async def test_two_processes_ask_once(database: Database, alice: Person) -> None:
    name = vendor()
    calls = [await talked(database, alice, carrier=name) for _ in range(8)]
    for call in calls:
        await let_time_pass(database, call)
    carrier = Priced(name, *(leg(Charge(1000, "USD")) for _ in calls))
    asked = await asyncio.gather(*(ask(database, carrier) for _ in range(4)))
    assert sum(one.asked for one in asked) == sum(one.told for one in asked) == len(set(carrier.asked)) == 8


async def test_a_carrier_that_is_not_here_is_not_asked(database: Database, alice: Person) -> None:
    call = await talked(database, alice, carrier=vendor())
    await let_time_pass(database, call)
    assert await ask(database, Priced(vendor())) == costs.Asked(0, 0)


@pytest.mark.parametrize(
    ("price", "unit", "charge"),
    [
        ("-0.00850", "USD", Charge(8500, "USD")),
        ("-0.0000001", "usd", Charge(1, "USD")),
        ("-12", "EUR", Charge(12_000_000, "EUR")),
        ("0", "USD", Charge(0, "USD")),
        ("-0.00000", "USD", Charge(0, "USD")),
        (None, "USD", None),
        ("", "USD", None),
        ("0.03", "USD", None),
        ("-0.03", None, None),
        ("-0.03", "dollars", None),
        ("-1e9", "USD", None),
        ("-NaN", "USD", None),
        ("--1", "USD", None),
        ("-٣", "USD", None),
        (-0.03, "USD", Charge(30_000, "USD")),
    ],
)
def test_twilio_s_price_is_read_without_ever_being_a_float(price: object, unit: object, charge: Charge | None) -> None:
    assert charge_of({"price": price, "price_unit": unit}) == charge
