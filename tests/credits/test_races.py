"""What happens at once on one account: every pair of verbs on real connections, and two hundred calls of one customer.

The rule: whatever meets whatever, the outcome is that of one after the other, in one of the two orders, to the last
column and answer. The orders themselves are played on customers who are alike.
"""

import asyncio
import itertools
import os
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.credits import ledger, money
from talktime.credits.models import HoldState, TransactionType
from talktime.credits.pricing import Rate
from talktime.db.base import new_id
from talktime.db.session import Database, connect
from talktime.errors import TalktimeError
from tests.credits import books as stage
from tests.credits.conftest import address
from tests.credits.verbs import OPERATORS
from tests.people import WHY, new_person

LONG = bool(os.environ.get("TALKTIME_TEST_LONG"))
ROUNDS = 10 if LONG else 1
OWNER = "voice-1"
PRICE = Rate(15)


@dataclass(frozen=True)
class Scene:
    """A customer with little credit, two calls that ring, two that run and whose leases ran out, two purchases."""

    user: uuid.UUID
    rings: tuple[uuid.UUID, uuid.UUID]
    runs: tuple[uuid.UUID, uuid.UUID]
    bought: tuple[uuid.UUID, uuid.UUID]
    """The first is paid, the second credited too."""

    @property
    def names(self) -> Mapping[uuid.UUID, str]:
        groups = {"ring": self.rings, "run": self.runs, "bought": self.bought}
        return {each: f"{name} {n}" for name, group in groups.items() for n, each in enumerate(group)}


async def scene(database: Database) -> Scene:
    # 48 credits, 30 of them held, 2 of grace: one more step for one, and a little that is not enough.
    person = await new_person(database, "Racer", credits=8, rate=PRICE)
    user = person.id
    calls = [new_id() for _ in range(4)]
    async with database.transaction(everyone=WHY) as db:
        bought = (await stage.bought(db, user, 25), await stage.bought(db, user, 40))
        await money.purchase(db, user, bought[1])
        await money.set_limits(db, user, grace_limit=2)
        for call in calls:
            await stage.rings(db, user, call)
        for call in calls[2:]:
            await ledger.authorise(db, user, call)
            await ledger.answer(db, user, call, OWNER)
            await stage.lease_ends(db, user, call, -1)
        await stage.calls_follow(db, [user])
    return Scene(user, (calls[0], calls[1]), (calls[2], calls[3]), bought)


Deed = Callable[[AsyncSession, Scene, int], Awaitable[Any]]
DEEDS: dict[str, Deed] = {
    "authorise": lambda db, s, n: ledger.authorise(db, s.user, s.rings[n]),
    "extend": lambda db, s, n: ledger.extend(db, s.user, s.runs[n], OWNER, 1),
    "settle": lambda db, s, n: ledger.settle(db, s.user, s.runs[n], 61),
    "lose": lambda db, s, n: ledger.lose(db, s.user, s.runs[n]),
    "purchase": lambda db, s, n: money.purchase(db, s.user, s.bought[n]),
    "reverse": lambda db, s, n: money.reverse(
        db, s.user, s.bought[n], kind=TransactionType.REFUND, reference=f"refund:{n}", credits=30
    ),
    "adjust": lambda db, s, n: money.adjust(db, s.user, reference=f"r{n}", amount=-15, reason="at once", actor=s.user),
}
PAIRS = list(itertools.combinations_with_replacement(DEEDS, 2))
Act = tuple[str, int]
Answers = dict[int, Any]


async def do(database: Database, scene: Scene, act: Act, ready: Callable[[], Awaitable[Any]] | None = None) -> Any:
    """One verb in a transaction of its own: its answer in plain values, or the type of its error."""
    name, which = act
    try:
        is_own = name not in OPERATORS
        async with database.transaction(user=scene.user if is_own else None, everyone=None if is_own else WHY) as db:
            if ready is not None:
                await ready()
            answer = asdict(await DEEDS[name](db, scene, which))
            await stage.calls_follow(db, [scene.user])
    except TalktimeError as error:
        return type(error)
    answer.pop("cut_at", None)
    return answer


async def in_turn(database: Database, eyes: stage.Eyes, acts: tuple[Act, Act], first: int) -> Any:
    """The outcome of one after the other."""
    place = await scene(database)
    answers = {n: await do(database, place, acts[n]) for n in (first, 1 - first)}
    return answers, stage.likeness(eyes, place.user, place.names)


async def at_once(database: Database, eyes: stage.Eyes, acts: tuple[Act, Act]) -> Any:
    """Both stand ready in their transactions and are let go together."""
    place = await scene(database)
    barrier = asyncio.Barrier(2)
    async with asyncio.timeout(20):
        found = await asyncio.gather(*(do(database, place, act, barrier.wait) for act in acts))
    return dict(enumerate(found)), stage.likeness(eyes, place.user, place.names)


async def in_a_queue(database: Database, eyes: stage.Eyes, acts: tuple[Act, Act], first: int) -> Any:
    """Somebody has the account; both come and wait for it, one before the other."""
    place = await scene(database)
    async with asyncio.timeout(20):
        async with locked(database, place.user) as waiting:
            tasks: dict[int, asyncio.Task[Any]] = {}
            for n in (first, 1 - first):
                tasks[n] = asyncio.create_task(do(database, place, acts[n]))
                await waiting(len(tasks))
        answers = {n: await task for n, task in tasks.items()}
    return answers, stage.likeness(eyes, place.user, place.names)


@asynccontextmanager
async def locked(database: Database, user: uuid.UUID) -> AsyncIterator[Callable[[int], Awaitable[None]]]:
    """Hold the account, and see how many wait for it."""
    async with database.transaction(everyone=WHY) as db, stage.as_owner(db):
        await db.execute(text("SELECT FROM credit_accounts WHERE user_id = :user FOR UPDATE"), {"user": user})
        blocker = await db.scalar(text("SELECT pg_backend_pid()"))
        waits = text(
            "WITH RECURSIVE behind AS (SELECT CAST(:pid AS integer) AS pid UNION"
            " SELECT a.pid FROM pg_locks a JOIN behind b ON b.pid = ANY (pg_blocking_pids(a.pid)) WHERE NOT a.granted)"
            " SELECT count(*) - 1 FROM behind"
        )

        async def waiting(count: int) -> None:
            while (await db.scalar(waits, {"pid": blocker})) < count:
                await asyncio.sleep(0.002)

        yield waiting


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
async def test_two_at_once_are_one_after_the_other(database: Database, eyes: stage.Eyes, pair: tuple[str, str]) -> None:
    for which in itertools.product((0, 1), repeat=2):
        acts = (pair[0], which[0]), (pair[1], which[1])
        orders = [await in_turn(database, eyes, acts, first) for first in (0, 1)]
        for _ in range(ROUNDS):
            assert await at_once(database, eyes, acts) in orders, acts
        # Which of the two waits first makes the order, so one of them is enough, now this and now that.
        for first in (0, 1) if LONG else (sum(which) % 2,):
            # Whoever waits first is served first, so here the order is known.
            assert await in_a_queue(database, eyes, acts, first) == orders[first], (acts, first)


def test_there_are_28_pairs() -> None:
    assert len(PAIRS) == 28


# Two hundred calls.

CALLS = 200
SMALL = Rate(60, connection_fee=2, initial_seconds=6, increment_seconds=6)
FIRST = SMALL.cost(60)
STEP = 6


@pytest.fixture
async def narrow(database: Database) -> AsyncIterator[Database]:
    """The same database through twenty connections, all of them open."""
    narrow = connect(address(database), connections_max=20)
    yield narrow
    await narrow.close()


async def crowd(database: Database, *, credits: int, grace: int) -> tuple[uuid.UUID, list[uuid.UUID]]:
    """A customer whose phone rings two hundred times."""
    person = await new_person(database, "Busy", credits=credits, rate=SMALL)
    calls = [new_id() for _ in range(CALLS)]
    async with database.transaction(everyone=WHY) as db:
        await money.set_limits(db, person.id, grace_limit=grace, max_open_calls=CALLS)
        for call in calls:
            await stage.rings(db, person.id, call)
    return person.id, calls


async def test_two_hundred_calls_at_once_share_the_last_credit_to_the_last_step(
    narrow: Database, eyes: stage.Eyes
) -> None:
    # Enough for 120 beginnings and 7 credits more; with grace for some steps.
    start, grace = 120 * FIRST + 7, 500
    user, calls = await crowd(narrow, credits=start, grace=grace)

    async def begin(call: uuid.UUID) -> ledger.Authorisation:
        async with narrow.transaction(user=user) as db:
            begun = await ledger.authorise(db, user, call)
            if begun.allowed:
                assert (await ledger.answer(db, user, call, OWNER)).claimed
            await stage.calls_follow(db, [user])
        return begun

    begun = await asyncio.gather(*(begin(call) for call in calls))
    whole = [each for each in begun if each.granted_seconds == 60]
    short = [each for each in begun if each.allowed and each.granted_seconds < 60]
    # Nobody was refused while a first step (8 credits) was free: the 7 that are left buy none.
    assert (len(whole), len(short), sum(not each.allowed for each in begun)) == (120, 0, 80)
    assert {each.reason for each in begun} == {None, "no_credit"}
    running = [call for call, each in zip(calls, begun, strict=True) if each.allowed]

    async def talk(call: uuid.UUID) -> int:
        for number in itertools.count(1):
            more = await ledger.extend(narrow, user, call, OWNER, number, slice_seconds=STEP)
            if not more.extended:
                assert (more.state, more.reason) == (HoldState.FINAL, "no_credit")
                return more.held
        raise AssertionError("unreachable")

    held = await asyncio.gather(*(talk(call) for call in running))
    account = eyes.state(user).accounts[user]
    # 507 credits were left with grace: 84 steps of 6, and 3 that buy none.
    assert account["held"] == sum(held) == 120 * FIRST + 84 * 6
    assert account["balance"] - account["held"] + grace == 3

    dice = random.Random(200)
    seconds = {call: dice.randint(0, 100) for call in running}

    async def hang_up(call: uuid.UUID) -> ledger.Settlement:
        async with narrow.transaction(user=user) as db:
            settled = await ledger.settle(db, user, call, seconds[call])
            await stage.calls_follow(db, [user])
        return settled

    settled = await asyncio.gather(*(hang_up(call) for call in running))
    state = eyes.state(user)
    account = state.accounts[user]
    for call, each, most in zip(running, settled, held, strict=True):
        assert (each.charged, each.unbilled) == (min(SMALL.cost(seconds[call]), most), each.unbilled)
        assert each.charged + each.unbilled == SMALL.cost(seconds[call])
    assert account["balance"] == start - sum(each.charged for each in settled)
    assert (account["held"], account["open_calls"]) == (0, 0)


async def test_two_hundred_whole_lives_at_once_never_pass_the_line(narrow: Database, eyes: stage.Eyes) -> None:
    start, grace = 900, 40
    user, calls = await crowd(narrow, credits=start, grace=grace)
    is_over = asyncio.Event()
    looks: list[tuple[int, int]] = []

    async def live(n: int, call: uuid.UUID) -> int:
        dice = random.Random(n)
        async with narrow.transaction(user=user) as db:
            begun = await ledger.authorise(db, user, call)
        if not begun.allowed:
            assert begun.reason == "no_credit"
            return 0
        async with narrow.transaction(user=user) as db:
            assert (await ledger.answer(db, user, call, OWNER)).claimed
        granted = begun.granted_seconds
        for number in range(1, dice.randint(1, 6)):
            more = await ledger.extend(narrow, user, call, OWNER, number, slice_seconds=dice.choice([6, 30]))
            granted = more.granted_seconds
        # Nobody talks longer than was granted, so nothing may stay unbilled.
        talked = dice.randint(0, granted)
        settled = await ledger.settle(narrow, user, call, talked)
        assert (settled.charged, settled.unbilled) == (SMALL.cost(talked), 0)
        again = await ledger.settle(narrow, user, call, talked + 600)
        assert (again.fresh, again.charged) == (False, settled.charged)
        return settled.charged

    async def watch() -> None:
        while not is_over.is_set():
            async with narrow.transaction(user=user) as db:
                row = await db.execute(text("SELECT balance, held, clawback_debt FROM credit_accounts"))
                balance, held, debt = row.one()
            assert debt == 0
            looks.append((balance, held))
            await asyncio.sleep(0)

    watching = asyncio.create_task(watch())
    async with asyncio.timeout(60):
        spent = await asyncio.gather(*(live(n, call) for n, call in enumerate(calls)))
    is_over.set()
    await watching
    async with narrow.transaction(everyone=WHY) as db:
        await stage.calls_follow(db, [user])
    assert all(balance - held >= -grace and held >= 0 for balance, held in looks)
    assert len(looks) > 10
    account = eyes.state(user).accounts[user]
    assert account["balance"] == start - sum(spent)
    assert (account["held"], account["open_calls"], account["clawback_debt"]) == (0, 0, 0)


async def test_one_of_everything_at_once_again_and_again(database: Database, eyes: stage.Eyes) -> None:
    """Not pairs but all seven, twice each, in any order: nothing deadlocks and everything adds up."""
    for round_no in range(6):
        place = await scene(database)
        acts: list[Act] = [(name, n) for name in DEEDS for n in (0, 1)]
        random.Random(round_no).shuffle(acts)
        barrier = asyncio.Barrier(len(acts))
        async with asyncio.timeout(30):
            answers = await asyncio.gather(*(do(database, place, act, barrier.wait) for act in acts))
        assert len(answers) == len(acts)
        state = eyes.state(place.user)
        assert sum(line["type"] == "PURCHASE" for line in state.lines[place.user]) == 2
