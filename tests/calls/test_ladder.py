"""What the fallback ladder costs: counted by day and customer, free to them, and shown to the operator."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import text

from talktime.calls import lifecycle
from talktime.calls.ladder import LadderDay, ladder
from talktime.calls.models import CostKind
from talktime.carriers.contract import Ring
from talktime.db.session import Database
from tests.calls.putting_through import customer, transferred
from tests.calls.test_costs import set_rate, talked, vendor
from tests.calls.test_margins import FAR_AWAY, LONG_AGO, types
from tests.people import WHY, Person, charges, new_person


async def rings_in_vain(database: Database, person: Person, carrier: str, seconds: int, *, days_ago: int = 0) -> str:
    """A call that only the ladder answers, and its carrier's report; gives the rung."""
    sid = f"CA{uuid.uuid4().hex}"
    async with database.transaction(everyone=WHY) as db:
        await db.execute(
            text("UPDATE phone_numbers SET carrier = :carrier WHERE number = :number"),
            {"carrier": carrier, "number": person.number},
        )
        rang = Ring(account="AC1", call_id=sid, caller="+4915123456789", dialled=person.number)
        decision = await lifecycle.ring(db, carrier, rang)
        await lifecycle.report(db, carrier, sid, is_over=True, seconds=seconds)
        await lifecycle.report(db, carrier, sid, is_over=True, seconds=seconds)
        await db.execute(text("RESET ROLE"))
        await db.execute(text("SET LOCAL ROLE talktime_owner"))
        await db.execute(
            text("UPDATE calls SET started_at = started_at - :days * interval '1 day' WHERE carrier_call_id = :sid"),
            {"days": days_ago, "sid": sid},
        )
    return decision.route.value


async def of(database: Database, zone: str = "UTC") -> list[LadderDay]:
    async with database.transaction(everyone=WHY) as db:
        return await ladder(db, LONG_AGO, FAR_AWAY, zone=zone)


async def test_each_customers_days_are_counted_and_nobody_pays(empty_database: Database) -> None:
    carrier = vendor()
    await set_rate(empty_database, carrier, 8500, units=60, kind=CostKind.CARRIER_SECONDS)
    poor = await new_person(empty_database, "Pia", credits=0)
    other = await new_person(empty_database, "Otto", credits=0)
    assert await rings_in_vain(empty_database, poor, carrier, 6) == "no_credit"
    await rings_in_vain(empty_database, poor, carrier, 12)
    await rings_in_vain(empty_database, poor, carrier, 60, days_ago=1)
    await rings_in_vain(empty_database, other, vendor(), 9)
    today = datetime.now(UTC).date()
    found = await of(empty_database)
    assert [(line.day, line.user_id, line.calls) for line in found] == [
        (today - timedelta(days=1), poor.id, 1),
        (today, other.id, 1),
        (today, poor.id, 2),
    ]
    yesterday, others, todays = found
    assert (todays.rungs, todays.seconds, todays.cost, todays.unknown) == ({"no_credit": 2}, 18, {"USD": 2550}, 0)
    assert yesterday.cost == {"USD": 8500}
    assert (others.cost, others.unknown) == ({}, 1), "nobody has said what that carrier takes"
    assert await charges(empty_database, poor) == []
    assert sum(line.calls for line in await of(empty_database, "Asia/Tokyo")) == 4


async def test_calls_that_an_agent_answered_and_legs_are_not_the_ladders(empty_database: Database) -> None:
    alice = await new_person(empty_database, "Alice", credits=1000)
    await talked(empty_database, alice)
    tara = await customer(empty_database)
    await transferred(empty_database, tara)
    assert await of(empty_database) == []


async def test_the_operator_sees_what_the_ladder_costs(empty_database: Database, tmp_path: Path) -> None:
    carrier = vendor()
    await set_rate(empty_database, carrier, 8500, units=60, kind=CostKind.CARRIER_SECONDS)
    poor = await new_person(empty_database, "Pia", credits=0)
    assert "answered by an agent" in (await types(empty_database, tmp_path, "ladder"))[1]
    await rings_in_vain(empty_database, poor, carrier, 60)
    code, out, err = await types(empty_database, tmp_path, "ladder", "--zone", "Europe/Berlin")
    assert (code, err) == (0, "")
    assert "1 calls (1 no credit), 60 s; cost 0.0085 USD" in out
    (row,) = json.loads((await types(empty_database, tmp_path, "ladder", "--json"))[1])
    assert (row["user_id"], row["rungs"], row["cost_micros"]) == (str(poor.id), {"no_credit": 1}, {"USD": 8500})
    assert (await types(empty_database, tmp_path, "ladder", "--zone", "Nowhere"))[0] == 1
    assert (await types(empty_database, tmp_path, "ladder", "--since", "2026-01-02", "--until", "2026-01-01"))[0] == 1
