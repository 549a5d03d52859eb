"""The meter on real books: it keeps leases alive, buys time before it runs out, and ends a call once when it has none.

The meter's figures are made small, so that what takes a minute on the phone takes a second here; the three seconds that
the database keeps back at the end of a grant stay as they are.
"""

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.credits import ledger, money
from talktime.credits.models import HoldState
from talktime.credits.pricing import Rate
from talktime.db.session import Database
from talktime.voice import meter as metering
from talktime.voice.meter import Meter, Metered
from tests.people import WHY, Person, account_of, charges, hold_of, new_call, new_person

OWNER = "this process"
A_SECOND = Rate(60, initial_seconds=1, increment_seconds=1)
"""A credit for each second."""


@pytest.fixture(autouse=True)
def _small_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    figures = {
        "HEARTBEAT_SECONDS": 0.3,
        "EXTEND_BEFORE_CUT_SECONDS": 1.0,
        "ASK_AGAIN_SECONDS": 0.1,
        "GOODBYE_BEFORE_CUT_SECONDS": 0.4,
        "_TICK_SECONDS": 0.02,
    }
    for name, seconds in figures.items():
        monkeypatch.setattr(metering, name, seconds)


class Unreliable(Database):
    """The same database over a line with moods: each word of `extensions`, `beats` and `joint` is what becomes of the
    next single request, heartbeat or request of several calls. `refused` never arrives, `unheard` is committed but its
    answer is lost, `hangs` gets no answer at all.
    """

    def __init__(
        self, real: Database, *, extensions: Sequence[str] = (), beats: Sequence[str] = (), joint: Sequence[str] = ()
    ) -> None:
        super().__init__(real._engine, real._statements, real._everyones)
        self._extensions = list(extensions)
        self._beats = list(beats)
        self._joint = list(joint)
        self.asked: list[float] = []
        """When an extension was asked for by one call."""
        self.beaten: list[float] = []
        self.asked_together: list[float] = []

    async def statement(
        self, user: uuid.UUID, function: str, arguments: Sequence[tuple[str, object]]
    ) -> dict[str, Any]:
        if function == "extend_v1":
            self.asked.append(time.monotonic())
        mood = await self._mood(self._extensions)
        answer = await super().statement(user, function, arguments)
        if mood == "unheard":
            raise OperationalError("COMMIT", {}, OSError("the line is cut"))
        return answer

    @contextlib.asynccontextmanager
    async def transaction(
        self, *, user: uuid.UUID | None = None, everyone: str | None = None, snapshot: bool = False
    ) -> AsyncIterator[AsyncSession]:
        is_beat = everyone == metering._WHY
        moods, times = (self._beats, self.beaten) if is_beat else (self._joint, self.asked_together)
        times.append(time.monotonic())
        mood = await self._mood(moods)
        async with super().transaction(user=user, everyone=everyone, snapshot=snapshot) as db:
            yield db
        if mood == "unheard":
            raise OperationalError("COMMIT", {}, OSError("the line is cut"))

    async def _mood(self, moods: list[str]) -> str:
        mood = moods.pop(0) if moods else "works"
        if mood == "refused":
            raise OperationalError("SELECT", {}, OSError("the line is cut"))
        if mood == "hangs":
            await asyncio.Event().wait()
        return mood


@dataclass
class Caller:
    """A call in progress, and what the meter told it, each with the moment."""

    person: Person
    metered: Metered
    goodbyes: list[tuple[float, float]] = field(default_factory=list)
    """When, and how many seconds it said were left."""
    cuts: list[float] = field(default_factory=list)

    @property
    def id(self) -> uuid.UUID:
        return self.metered.call_id


async def talking(
    database: Database, person: Person, *, ago: float = 0, owner: str = OWNER, faulty: bool = False
) -> Caller:
    """A call that was answered so many seconds ago, by our clock. A faulty one raises at whatever it is told."""
    call = await new_call(database, person)
    async with database.transaction(user=person.id) as db:
        assert (await ledger.authorise(db, person.id, call)).allowed
        claim = await ledger.answer(db, person.id, call, owner)
    assert claim.granted_seconds is not None
    metered = Metered(
        person.id,
        call,
        answered=time.monotonic() - ago,
        granted_seconds=claim.granted_seconds,
        on_goodbye=lambda left: goodbye(left),
        on_cut=lambda: cut(),
    )
    caller = Caller(person, metered)

    def goodbye(left: float) -> None:
        caller.goodbyes.append((time.monotonic(), left))
        assert not faulty, "a mistake of ours"

    def cut() -> None:
        caller.cuts.append(time.monotonic())
        assert not faulty, "a mistake of ours"

    return caller


@contextlib.asynccontextmanager
async def metered(database: Database, *callers: Caller, owner: str = OWNER) -> AsyncIterator[Meter]:
    """A meter that runs for as long as the block, and that is alive at its end."""
    meter = Meter(database, owner)
    for caller in callers:
        meter.add(caller.metered)
    running = asyncio.create_task(meter.run())
    try:
        yield meter
        assert not running.done(), running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def until(claim: Callable[[], bool], seconds_max: float = 2.5) -> None:
    async with asyncio.timeout(seconds_max):
        while not claim():
            await asyncio.sleep(0.01)


async def until_stored(claim: Callable[[], Awaitable[bool]], seconds_max: float = 2.5) -> None:
    async with asyncio.timeout(seconds_max):
        while not await claim():
            await asyncio.sleep(0.02)


async def some_ticks() -> None:
    """Long enough for anything that would happen a second time."""
    await asyncio.sleep(0.3)


async def as_owner(database: Database, statement: str, **values: object) -> None:
    """Change what only the database's own functions may."""
    async with database.transaction(everyone=WHY) as db:
        await db.execute(text("RESET ROLE"))
        await db.execute(text("SET LOCAL ROLE talktime_owner"))
        await db.execute(text(statement), values)


async def end_lease(database: Database, caller: Caller, *, lose: bool) -> None:
    """No heartbeat has come for longer than the lease; a sweep may have seen it."""
    await as_owner(
        database, "UPDATE credit_holds SET lease_until = now() - interval '1 second' WHERE call_id = :id", id=caller.id
    )
    if lose:
        async with database.transaction(everyone=WHY) as db:
            assert (await ledger.lose(db, caller.person.id, caller.id)).lost


async def top_up(database: Database, person: Person, amount: int) -> None:
    async with database.transaction(everyone=WHY) as db:
        await money.adjust(db, person.id, reference="top-up", amount=amount, reason="paid", actor=person.id)


async def lease_seconds(database: Database, caller: Caller) -> float:
    """How long the lease lasts from now on, by the database's clock."""
    async with database.transaction(user=caller.person.id) as db:
        left = await db.scalar(
            text("SELECT extract(epoch FROM lease_until - now())::float8 FROM credit_holds WHERE call_id = :call"),
            {"call": caller.id},
        )
    assert isinstance(left, float)
    return left


async def test_a_heartbeat_renews_all_leases_and_writes_how_long_each_has_talked(
    database: Database, alice: Person, bob: Person
) -> None:
    callers = [await talking(database, alice, ago=30), await talking(database, bob, ago=10)]
    for caller in callers:
        await end_lease(database, caller, lose=False)
    async with metered(database, *callers):
        for caller, used in zip(callers, (30, 10), strict=True):

            async def proven(caller: Caller = caller, used: int = used) -> bool:
                return (await hold_of(database, caller.person, caller.id)).used_seconds >= used

            await until_stored(proven)
            assert (await hold_of(database, caller.person, caller.id)).used_seconds <= used + 2
            assert 40 < await lease_seconds(database, caller) <= 45
    assert [(caller.goodbyes, caller.cuts) for caller in callers] == [([], []), ([], [])]


async def test_a_heartbeat_that_did_not_arrive_comes_again_soon(
    database: Database, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metering, "HEARTBEAT_SECONDS", 1.2)
    caller = await talking(database, alice, ago=20)
    line = Unreliable(database, beats=["refused", "unheard", "refused"])
    async with metered(line, caller):
        await until(lambda: len(line.beaten) >= 4)
        await some_ticks()
    waits = [after - before for before, after in zip(line.beaten, line.beaten[1:], strict=False)]
    assert len(line.beaten) == 4, "and once one has arrived, the next is not due for a while"
    assert all(0.1 <= wait < 0.6 for wait in waits), waits
    assert (await hold_of(database, alice, caller.id)).used_seconds >= 20


async def test_after_the_talk_the_lease_is_kept_and_nothing_else_happens(database: Database, alice: Person) -> None:
    # It is being settled, which takes long: its time would be up in half a second.
    caller = await talking(database, alice, ago=56.5)
    async with metered(database, caller) as meter:
        meter.talk_ended(caller.metered, 50)
        await end_lease(database, caller, lose=False)
        await asyncio.sleep(0.8)
        hold = await hold_of(database, alice, caller.id)
        assert (hold.used_seconds, hold.granted_seconds, hold.request_no) == (50, 60, 0)
        assert await lease_seconds(database, caller) > 40
        # And once it is settled, not even that.
        meter.remove(caller.metered)
        await end_lease(database, caller, lose=False)
        await asyncio.sleep(0.5)
        assert await lease_seconds(database, caller) < 0
    assert (caller.goodbyes, caller.cuts) == ([], [])


async def test_time_is_bought_before_it_runs_out(database: Database, alice: Person) -> None:
    caller = await talking(database, alice, ago=60 - 3 - 1.2)
    line = Unreliable(database)
    async with metered(line, caller):
        await until(lambda: caller.metered.granted_seconds == 120)
        await some_ticks()
    (asked,) = line.asked
    assert 0.8 < caller.metered.answered + 57 - asked <= 1.0, "not earlier than need be, because money is held for it"
    hold = await hold_of(database, alice, caller.id)
    assert (hold.granted_seconds, hold.request_no, hold.held, hold.state) == (120, 1, 30, HoldState.ACTIVE)
    assert (caller.goodbyes, caller.cuts) == ([], [])


@pytest.mark.parametrize("mood", ["refused", "unheard"])
async def test_a_request_without_an_answer_is_repeated_under_its_own_number(
    database: Database, alice: Person, mood: str
) -> None:
    caller = await talking(database, alice, ago=60 - 3 - 0.9)
    line = Unreliable(database, extensions=[mood, mood])
    async with metered(line, caller):
        await until(lambda: caller.metered.granted_seconds == 120)
        await some_ticks()
    assert len(line.asked) == 3
    hold = await hold_of(database, alice, caller.id)
    assert (hold.request_no, hold.granted_seconds, hold.held) == (1, 120, 30), "three requests, one slice"
    assert (caller.goodbyes, caller.cuts) == ([], [])


async def test_a_customer_without_credit_is_asked_for_again_and_a_top_up_continues_the_call(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metering, "EXTEND_BEFORE_CUT_SECONDS", 2.0)
    carol = await new_person(database, "Carol", credits=15)
    caller = await talking(database, carol, ago=60 - 3 - 1.8)
    line = Unreliable(database)
    async with metered(line, caller):
        await until(lambda: len(line.asked) >= 4)
        assert caller.metered.state == HoldState.FINAL
        assert (await hold_of(database, carol, caller.id)).state == HoldState.FINAL
        gaps = [after - before for before, after in zip(line.asked, line.asked[1:], strict=False)]
        assert all(0.1 <= gap < 0.5 for gap in gaps), gaps
        await top_up(database, carol, 100)
        await until(lambda: caller.metered.granted_seconds == 120)
        await some_ticks()
    hold = await hold_of(database, carol, caller.id)
    assert (hold.state, hold.granted_seconds, hold.held) == (HoldState.ACTIVE, 120, 30)
    assert (caller.goodbyes, caller.cuts) == ([], [])


async def test_goodbye_and_cut_come_once_each_and_in_time(database: Database) -> None:
    carol = await new_person(database, "Carol", credits=4, rate=A_SECOND)
    caller = await talking(database, carol)
    async with metered(database, caller):
        await until(lambda: bool(caller.cuts))
        await some_ticks()
    ((said, left),) = caller.goodbyes
    (cut,) = caller.cuts
    assert 0.6 <= said - caller.metered.answered < 0.9
    assert 0.1 < left <= 0.4, "the conversation is told how long it has"
    assert 1.0 <= cut - caller.metered.answered < 1.3
    hold = await hold_of(database, carol, caller.id)
    assert hold.cut_claimed_at is not None, "nobody else has to see to it"
    assert hold.granted_seconds == 4


@pytest.mark.parametrize("mood", ["hangs", "refused"])
async def test_the_goodbye_waits_for_no_answer(database: Database, mood: str) -> None:
    carol = await new_person(database, "Carol", credits=4, rate=A_SECOND)
    caller = await talking(database, carol)
    async with metered(Unreliable(database, extensions=[mood] * 50), caller):
        await until(lambda: bool(caller.cuts))
        await some_ticks()
    ((said, left),) = caller.goodbyes
    (cut,) = caller.cuts
    assert 0.6 <= said - caller.metered.answered < 0.9
    assert left > 0.1
    assert 1.0 <= cut - caller.metered.answered < 1.3


async def test_a_database_that_hangs_stops_no_other_call(database: Database, alice: Person, bob: Person) -> None:
    stuck, fine = await talking(database, alice, ago=60 - 3 - 0.9), await talking(database, bob, ago=60 - 3 - 1.2)
    async with metered(Unreliable(database, extensions=["hangs"]), stuck, fine):
        await until(lambda: fine.metered.granted_seconds == 120)
        await until(lambda: bool(stuck.cuts))
    assert (fine.goodbyes, fine.cuts) == ([], [])
    assert len(stuck.goodbyes) == 1


async def test_several_calls_that_need_time_at_once_ask_together_and_get_what_each_would_get_alone(
    database: Database,
) -> None:
    async def stage() -> list[Caller]:
        rich = await new_person(database, "Rich", credits=1000)
        poor = await new_person(database, "Poor", credits=15)
        indebted = await new_person(database, "Indy", credits=15)
        callers = [
            await talking(database, rich, ago=60 - 3 - 0.9),
            await talking(database, rich, ago=60 - 3 - 0.9),
            await talking(database, poor, ago=60 - 3 - 0.9),
            await talking(database, indebted, ago=60 - 3 - 0.9),
            await talking(database, rich, ago=60 - 3 - 0.9),
        ]
        await owned_by_another(database, callers[4])
        async with database.transaction(everyone=WHY) as db:
            await money.block(db, indebted.id, "suspended")
        return callers

    async def outcome(callers: list[Caller]) -> list[tuple[object, ...]]:
        await until(lambda: len(callers[4].cuts) == 1 and callers[0].metered.granted_seconds == 120)
        holds = [await hold_of(database, caller.person, caller.id) for caller in callers]
        return [
            (
                hold.state,
                hold.granted_seconds,
                hold.held,
                hold.final_reason,
                caller.metered.granted_seconds,
                len(caller.cuts),
            )
            for hold, caller in zip(holds, callers, strict=True)
        ]

    together, alone = await stage(), await stage()
    for caller in alone:
        caller.metered.asks_alone = True
    line, other = Unreliable(database), Unreliable(database)
    async with metered(line, *together):
        joint = await outcome(together)
    async with metered(other, *alone):
        single = await outcome(alone)
    assert joint == single
    assert [row[:3] for row in joint] == [
        (HoldState.ACTIVE, 120, 30),
        (HoldState.ACTIVE, 120, 30),
        (HoldState.FINAL, 60, 15),
        (HoldState.FINAL, 60, 15),
        (HoldState.ACTIVE, 60, 15),
    ]
    assert len(line.asked_together) >= 1 and len(other.asked) >= 5


@pytest.mark.parametrize("mood", ["hangs", "refused", "unheard"])
async def test_calls_whose_joint_request_got_no_answer_each_ask_for_themselves(
    database: Database, alice: Person, bob: Person, monkeypatch: pytest.MonkeyPatch, mood: str
) -> None:
    monkeypatch.setattr(metering, "_ANSWER_SECONDS", 0.2)
    callers = [await talking(database, person, ago=60 - 3 - 0.9) for person in (alice, bob)]
    line = Unreliable(database, joint=[mood])
    async with metered(line, *callers):
        await until(lambda: all(caller.metered.granted_seconds == 120 for caller in callers))
        await some_ticks()
    assert (len(line.asked_together), len(line.asked)) == (1, 2)
    for caller in callers:
        hold = await hold_of(database, caller.person, caller.id)
        assert (hold.granted_seconds, hold.request_no, hold.held) == (120, 1, 30), "one slice each, however often asked"
        assert (caller.goodbyes, caller.cuts) == ([], [])


async def test_a_short_first_grant_asks_before_it_says_goodbye(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The first grant is shorter than the time that a goodbye takes.
    monkeypatch.setattr(metering, "GOODBYE_BEFORE_CUT_SECONDS", 8.0)
    monkeypatch.setattr(metering, "EXTEND_BEFORE_CUT_SECONDS", 20.0)
    carol = await new_person(database, "Carol", credits=6, rate=A_SECOND)
    dave = await new_person(database, "Dave", credits=6, rate=A_SECOND)
    rich, poor = await talking(database, carol), await talking(database, dave)
    assert rich.metered.granted_seconds == 6
    await top_up(database, carol, 500)
    line = Unreliable(database)
    async with metered(line, rich, poor):
        await until(lambda: rich.metered.granted_seconds == 66)
        await until(lambda: bool(poor.goodbyes))
        await some_ticks()
        assert poor.metered.request_no == 1
        assert (rich.goodbyes, rich.cuts) == ([], [])
        ((said, left),) = poor.goodbyes
        assert min(line.asked_together + line.asked) < said
        assert 2 < left < 3
        assert poor.cuts == []


async def settled_elsewhere(database: Database, caller: Caller) -> None:
    async with database.transaction(user=caller.person.id) as db:
        await ledger.settle(db, caller.person.id, caller.id, 7)


async def given_up_by_a_sweep(database: Database, caller: Caller) -> None:
    await end_lease(database, caller, lose=True)
    async with database.transaction(everyone=WHY) as db:
        assert await ledger.give_up(db, caller.person.id, caller.id)


async def cut_by_a_sweep(database: Database, caller: Caller) -> None:
    await as_owner(database, "UPDATE credit_holds SET cut_claimed_at = now() WHERE call_id = :id", id=caller.id)


async def owned_by_another(database: Database, caller: Caller) -> None:
    await as_owner(database, "UPDATE credit_holds SET lease_owner = 'another' WHERE call_id = :id", id=caller.id)


async def forgotten(database: Database, caller: Caller) -> None:
    caller.metered.call_id = uuid.uuid4()


async def account_closed(database: Database, caller: Caller) -> None:
    async with database.transaction(user=caller.person.id) as db:
        assert await money.close(db, caller.person.id) == [caller.id]


@pytest.mark.parametrize(
    "happens",
    [settled_elsewhere, given_up_by_a_sweep, owned_by_another, forgotten, cut_by_a_sweep, account_closed],
    ids=lambda each: str(each.__name__),
)
@pytest.mark.parametrize("ago", [10.0, 60 - 3 - 0.9], ids=["seen by a heartbeat", "seen by an extension"])
async def test_a_call_that_is_not_ours_any_more_is_given_up_once(
    database: Database,
    alice: Person,
    happens: Callable[[Database, Caller], Awaitable[None]],
    ago: float,
) -> None:
    caller = await talking(database, alice, ago=ago)
    await happens(database, caller)
    async with metered(database, caller):
        await until(lambda: bool(caller.cuts))
        await asyncio.sleep(0.8)  # two heartbeats more
    assert len(caller.cuts) == 1
    assert caller.goodbyes == []
    assert caller.metered.granted_seconds == 60


async def test_a_call_that_a_sweep_has_cut_is_given_up_once(database: Database, alice: Person) -> None:
    caller = await talking(database, alice, ago=60 - 3 - 0.9)
    await cut_by_a_sweep(database, caller)
    async with metered(database, caller):
        await until(lambda: bool(caller.cuts))
        await some_ticks()
    assert (len(caller.cuts), caller.goodbyes) == (1, [])
    assert caller.cuts[0] < caller.metered.answered + 57, "at once, and not when its time is up"


async def test_a_call_that_cannot_be_told_hurts_no_other(database: Database) -> None:
    # Enough to be there before the end on a machine that is slow just now.
    carol = await new_person(database, "Carol", credits=7, rate=A_SECOND)
    dave = await new_person(database, "Dave", credits=7, rate=A_SECOND)
    broken, well = await talking(database, carol, faulty=True), await talking(database, dave)
    async with metered(database, broken, well):
        await until(lambda: bool(well.cuts), 15)
        await some_ticks()
    assert (len(well.goodbyes), len(well.cuts)) == (1, 1)
    assert len(broken.goodbyes) == 1


async def test_a_process_that_lags_says_goodbye_all_the_same(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It looks more rarely than it asks again.
    monkeypatch.setattr(metering, "_TICK_SECONDS", 0.15)
    carol = await new_person(database, "Carol", credits=7, rate=A_SECOND)
    caller = await talking(database, carol)
    async with metered(database, caller):
        await until(lambda: bool(caller.cuts), 15)
    assert (len(caller.goodbyes), len(caller.cuts)) == (1, 1)


async def test_lost_calls_that_cannot_be_told_hurt_no_other(database: Database, alice: Person, bob: Person) -> None:
    callers = [
        await talking(database, alice, ago=10, faulty=True),
        await talking(database, alice, ago=10, faulty=True),
        await talking(database, bob, ago=10),
        await talking(database, bob, ago=10),
    ]
    for caller in callers[:3]:
        await settled_elsewhere(database, caller)
    async with metered(database, *callers):
        await until(lambda: all(caller.cuts for caller in callers[:3]))
        await asyncio.sleep(0.5)
        assert await lease_seconds(database, callers[3]) > 44
    assert [len(caller.cuts) for caller in callers] == [1, 1, 1, 0]


async def test_a_lost_call_is_taken_up_again_by_the_next_heartbeat(database: Database, alice: Person) -> None:
    caller = await talking(database, alice, ago=20)
    await end_lease(database, caller, lose=True)
    assert (await account_of(database, alice)).open_calls == 0

    async def is_back() -> bool:
        return (await hold_of(database, alice, caller.id)).state == HoldState.ACTIVE

    async with metered(database, caller):
        await until_stored(is_back)
        assert await lease_seconds(database, caller) > 40
    hold = await hold_of(database, alice, caller.id)
    account = await account_of(database, alice)
    assert (hold.lost_at, account.open_calls, account.held) == (None, 1, hold.held)
    assert (caller.goodbyes, caller.cuts) == ([], [])
    # And in the end it is charged like any other.
    async with database.transaction(user=alice.id) as db:
        await ledger.settle(db, alice.id, caller.id, 21)
    assert await charges(database, alice) == [-15]


async def test_a_lost_call_that_is_settled_meanwhile_is_charged_once(database: Database, alice: Person) -> None:
    # The heartbeat and the sweep meet: whoever is first, the books are the same.
    caller = await talking(database, alice, ago=20)
    await end_lease(database, caller, lose=True)
    async with metered(database, caller):
        await asyncio.gather(settled_elsewhere(database, caller), settled_elsewhere(database, caller))
        await until(lambda: bool(caller.cuts))
    account = await account_of(database, alice)
    assert (account.open_calls, account.held) == (0, 0)
    assert await charges(database, alice) == [-15]
