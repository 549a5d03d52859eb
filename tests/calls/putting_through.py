"""Callers who are put through to a person, for tests: the call, the leg, and the time that passes for it."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select, text

from talktime.agents.models import AgentVersion
from talktime.calls import legs, lifecycle, sweep, transfers
from talktime.calls.history import CallRecord, one
from talktime.calls.transfers import Transfer
from talktime.carriers.contract import Carrier, Ring
from talktime.credits.models import CreditHold, Price, PriceKind
from talktime.credits.pricing import Rate
from talktime.credits.verify import verify
from talktime.db.base import new_id
from talktime.db.session import Database
from talktime.hooks.calls import forward_to
from talktime.simulate.dialled import Dialled
from talktime.simulate.orders import Faults, Stay
from tests.house import House, new_sid
from tests.people import WHY, Person, hold_of, new_person

THEIRS = "+4930999888"
A_SECOND = Rate(60, initial_seconds=1, increment_seconds=1)
"""A credit for each second."""


async def set_price(database: Database, person: Person, rate: Rate = A_SECOND) -> None:
    """What a leg of this person costs from now on."""
    async with database.transaction(everyone=WHY) as db:
        db.add(
            Price(
                user_id=person.id,
                kind=PriceKind.TRANSFER,
                credits_per_minute=rate.credits_per_minute,
                connection_fee=rate.connection_fee,
                initial_seconds=rate.initial_seconds,
                increment_seconds=rate.increment_seconds,
                free_seconds=rate.free_seconds,
            )
        )


async def say_in_version(database: Database, person: Person, **said: Any) -> None:
    """Publish another version of this person's agent, which says so: `people`, `fallback`, `tools` …"""
    async with database.transaction(everyone=WHY) as db:
        newest = await db.scalar(
            select(func.max(AgentVersion.version_no)).where(
                AgentVersion.user_id == person.id, AgentVersion.agent_id == person.agent
            )
        )
        version_no = int(newest or 0) + 1
        values: dict[str, Any] = {"greeting": "Tara's shop, hello.", **said}
        db.add(AgentVersion(user_id=person.id, agent_id=person.agent, version_no=version_no, **values))
        await db.flush()
        await db.execute(
            text("UPDATE agents SET published_version = :no WHERE user_id = :user AND id = :agent"),
            {"no": version_no, "user": person.id, "agent": person.agent},
        )


async def customer(database: Database, *, credits: int = 1000, rate: Rate = A_SECOND) -> Person:
    """Somebody whose agent may put callers through."""
    person = await new_person(database, "Tara", credits=credits)
    await set_price(database, person, rate)
    return person


@dataclass
class Talking:
    """A caller who talks to the agent, at the phone company and with us."""

    house: House
    person: Person
    sid: str
    call: uuid.UUID
    events: list[dict[str, Any]] = field(default_factory=list)

    async def put_through(self, number: str = THEIRS, leg: uuid.UUID | None = None, **more: Any) -> Transfer:
        leg = leg or new_id()
        forward = forward_to(self.house.settings, "simulated", self.person.id, leg, number=number)
        carrier: Carrier = more.get("carrier", self.house.context.carriers["simulated"])
        return await transfers.begin(self.house.database, carrier, self.person.id, self.call, leg=leg, forward=forward)

    @property
    def dialled(self) -> Dialled:
        """The newest leg, as the phone company has it."""
        return self.house.carrier.legs_of(self.sid)[0]

    def person_talks(self) -> bool:
        """Whether the phone company still carries the newest leg."""
        return not self.dialled.record.state.is_over

    async def until(self, event: str, seconds_max: float = 10) -> dict[str, Any]:
        async with asyncio.timeout(seconds_max):
            while True:
                found = [each for each in self.events if each["event"] == event]
                if found:
                    return found[0]
                await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def talking(house: House, person: Person, *, faults: Faults | None = None, **more: Any) -> AsyncIterator[Talking]:
    """Somebody who rang and hears the agent; the order says what becomes of forwarding the call."""
    events = house.carrier.place(house.order(person, Stay(), faults=faults, **{"seconds_max": 60, **more}))
    seen: list[dict[str, Any]] = []
    streaming = asyncio.Event()

    async def follow() -> None:
        async for event in events:
            seen.append(event)
            if event["event"] in ("stream_opened", "ended"):
                streaming.set()

    following = asyncio.create_task(follow())
    try:
        async with asyncio.timeout(10):
            await streaming.wait()
            sid = seen[0]["call_sid"]
            while (call := await _in_progress(house, sid)) is None:
                await asyncio.sleep(0.02)
        yield Talking(house, person, sid, call, seen)
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await events.aclose()


async def _in_progress(house: House, sid: str) -> uuid.UUID | None:
    async with house.database.transaction(everyone=WHY) as db:
        found: uuid.UUID | None = await db.scalar(
            text("SELECT id FROM calls WHERE carrier_call_id = :sid AND status = 'IN_PROGRESS'"), {"sid": sid}
        )
    return found


async def transferred(
    database: Database, person: Person, *, leg_seconds: int | None = 95, agent_seconds: int = 40
) -> tuple[uuid.UUID, uuid.UUID]:
    """A call that was put through, and the leg, as reports alone tell of it; None: the person still talks."""
    sid, leg = new_sid(), new_id()
    async with database.transaction(everyone=WHY) as db:
        rang = Ring(account="AC1", call_id=sid, caller="+4915123456789", dialled=person.number)
        decision = await lifecycle.ring(db, "simulated", rang)
        assert decision.call_id is not None
        call = decision.call_id
        assert await lifecycle.answer(db, person.id, call, "owner") is not None
    await pass_time(database, call, agent_seconds)
    async with database.transaction(user=person.id) as db:
        await db.execute(
            text("SELECT begin_leg_v1(:user, :call, :leg, :number)"),
            {"user": person.id, "call": call, "leg": leg, "number": THEIRS},
        )
        assert await legs.name(db, "simulated", person.id, leg, new_sid())
        await lifecycle.finish(db, person.id, call, seconds=agent_seconds + 5, reason="caller_hung_up")
    async with database.transaction(everyone=WHY) as db:
        name = await db.scalar(text("SELECT carrier_call_id FROM calls WHERE id = :leg"), {"leg": leg})
        await lifecycle.report(db, "simulated", name, is_over=False, seconds=None)
    if leg_seconds is not None:
        await pass_time(database, leg, leg_seconds)
        async with database.transaction(everyone=WHY) as db:
            await lifecycle.report(db, "simulated", name, is_over=True, seconds=leg_seconds)
    return call, leg


async def record_of(database: Database, person: Person, call: uuid.UUID) -> CallRecord:
    async with database.transaction(user=person.id) as db:
        return await one(db, person.id, call)


async def settled(database: Database, person: Person, call: uuid.UUID, seconds_max: float = 10) -> CallRecord:
    """The call once it is over."""
    async with asyncio.timeout(seconds_max):
        while (record := await record_of(database, person, call)).is_live:
            await asyncio.sleep(0.03)
    return record


async def calls_of(house: House, person: Person) -> list[CallRecord]:
    """All calls and legs of somebody once all of them are over, in the order in which they began."""
    async with asyncio.timeout(15):
        while True:
            async with house.database.transaction(user=person.id) as db:
                rows = await db.execute(text("SELECT id, ended_at FROM calls ORDER BY started_at, id"))
                found = rows.all()
            if all(row.ended_at for row in found):
                return [await record_of(house.database, person, row.id) for row in found]
            await asyncio.sleep(0.1)


async def until_state(
    database: Database, person: Person, call: uuid.UUID, *states: str, seconds_max: float = 10
) -> CreditHold:
    async with asyncio.timeout(seconds_max):
        while (hold := await hold_of(database, person, call)).state not in states:
            await asyncio.sleep(0.03)
    return hold


async def pass_time(database: Database, call: uuid.UUID, seconds: int) -> None:
    """So much time goes by for a call and its hold: all its moments move back."""
    async with database.transaction(everyone=WHY) as db:
        await db.execute(text("RESET ROLE"))
        await db.execute(text("SET LOCAL ROLE talktime_owner"))
        back = {"age": seconds, "call": call}
        await db.execute(
            text(
                "UPDATE calls SET started_at = started_at - :age * interval '1 second',"
                " answered_at = answered_at - :age * interval '1 second',"
                " ended_at = ended_at - :age * interval '1 second' WHERE id = :call"
            ),
            back,
        )
        await db.execute(
            text(
                "UPDATE credit_holds SET lease_until = lease_until - :age * interval '1 second',"
                " cut_at = cut_at - :age * interval '1 second', lost_at = lost_at - :age * interval '1 second'"
                " WHERE call_id = :call"
            ),
            back,
        )


async def sweeps(house: House, carriers: Mapping[str, Carrier] | None = None) -> sweep.Swept:
    return await sweep.sweep(house.database, house.context.carriers if carriers is None else carriers)


async def assert_books_are_right(database: Database) -> None:
    verified = await verify(database, full=True)
    assert verified.is_clean, verified


__all__ = ["A_SECOND", "THEIRS", "Talking", "customer", "talking"]
