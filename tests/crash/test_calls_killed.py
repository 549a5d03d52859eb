"""SIGKILL at each step of a call: afterwards it is charged once, by the rule, and nobody's slot or money is stuck.

A history is let run once to count its points; then it runs once for each of them, every time for somebody else, and
dies there. What comes after is what happens after a restart: the carrier rings and reports again, leases run out, the
sweep comes by.
"""

from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import text

from talktime import inbox
from talktime.calls import lifecycle
from talktime.calls.sweep import PROOF_SECONDS
from talktime.carriers.contract import Ring
from talktime.credits.pricing import Rate
from talktime.db.session import Database
from tests.crash import restart
from tests.crash.exact import assert_books_are_exact
from tests.crash.fork_server import Death, ForkServer
from tests.crash.history_calls import CARRIER_SECONDS
from tests.crash.restart import Books
from tests.crash.switchboard import ACCOUNT, Leg, Switchboard, new_sid, report
from tests.people import WHY, Person, new_person

RATE = Rate(60, initial_seconds=1, increment_seconds=1)
"""A credit for each second."""


@dataclass(frozen=True)
class Told:
    """A call in our books."""

    status: str
    answered: bool
    used_seconds: int
    held: int
    held_peak: int
    settled: bool
    charged: int
    """With corrections."""
    end_reason: str | None


async def told(database: Database, sid: str) -> Told | None:
    """What is known of a call; None when there is none."""
    async with database.transaction(everyone=WHY) as db:
        row = (
            await db.execute(
                text(
                    "SELECT c.status, h.lease_owner IS NOT NULL, h.used_seconds, h.held, h.held_peak,"
                    " h.settled_at IS NOT NULL, h.charged + h.corrected, c.end_reason FROM calls c"
                    " JOIN credit_holds h ON h.user_id = c.user_id AND h.call_id = c.id WHERE c.carrier_call_id = :sid"
                ),
                {"sid": sid},
            )
        ).first()
    return None if row is None else Told(*row)


def owed(then: Told | None) -> int:
    """What a call costs in the end that stood so when its process died. The one that was finished costs what the
    carrier measured; the one that was lost, what is proven and 15 seconds."""
    if then is None or not then.answered:
        return 0
    if not then.settled:
        return RATE.cost(min(CARRIER_SECONDS, then.used_seconds + PROOF_SECONDS))
    return min(RATE.cost(CARRIER_SECONDS), then.held_peak)


@dataclass(frozen=True)
class Scene:
    """Somebody's call, and where it broke off."""

    person: Person
    sid: str


async def scene(database: Database, board: Switchboard, credits: int) -> Scene:
    person = await new_person(database, "Alice", credits=credits, rate=RATE)
    sid = new_sid()
    board.legs[sid] = Leg(CARRIER_SECONDS)
    return Scene(person, sid)


def stage(scene: Scene, board: Switchboard) -> dict[str, Any]:
    return {
        "user": str(scene.person.id),
        "sid": scene.sid,
        "dialled": scene.person.number,
        "port": board.port,
    }


async def die_everywhere(
    forks: ForkServer, books: Books, board: Switchboard, *, history: str, credits: int
) -> list[tuple[Scene, Death]]:
    """Let a history run unharmed, then once for each of its points."""
    first = await scene(books.database, board, credits)
    unharmed = await forks.live(history, books.url, stage(first, board))
    assert len(unharmed.passed) >= 4, unharmed
    scenes = [await scene(books.database, board, credits) for _ in unharmed.passed]
    deaths = await forks.run(history, [(point, books.url, stage(each, board)) for point, each in enumerate(scenes, 1)])
    assert [death.passed[-1] for death in deaths] == list(unharmed.passed)
    return list(zip([first, *scenes], [unharmed, *deaths], strict=True))


async def come_back(books: Books, board: Switchboard, scenes: list[Scene], *, talked: bool) -> None:
    """The carrier rings again, as it does when it got no answer, and time passes. Its report of a call that was talked
    comes when we have found out ourselves, the other one before."""
    carrier = board.carrier()
    handlers = restart.handlers_of(carrier, *(each.sid for each in scenes))

    async def reported() -> None:
        for each in scenes:
            event = report(each.sid, "completed", sequence=3, seconds=CARRIER_SECONDS if talked else None)
            await inbox.accept(books.database, event)

    for each in scenes:
        async with books.database.transaction(everyone=lifecycle.RING_WHY) as db:
            rang = Ring(account=ACCOUNT, call_id=each.sid, caller="", dialled=each.person.number)
            await lifecycle.ring(db, "simulated", rang)
    if not talked:
        await reported()
    await restart.drained(books.database, handlers)
    await restart.sweep_after(books.database, {"simulated": carrier})
    await reported()
    await restart.drained(books.database, handlers)
    await restart.sweep_after(books.database, {"simulated": carrier})
    await carrier.close()


def assert_each_answer_was_true(lives: list[tuple[Scene, Death]], found: list[Told | None]) -> None:
    """What a commit's answer said is in the books, and nothing else is: whoever dies before the next one leaves the
    same behind as whoever died after the last."""
    for ((_, death), now), (_, before) in zip(
        zip(lives[2:], found[2:], strict=True), zip(lives[1:-1], found[1:-1], strict=True), strict=True
    ):
        if death.passed[-1].startswith("before"):
            assert now == before, death.where


async def assert_exact(database: Database, lives: list[tuple[Scene, Death]], owed_by: dict[str, int]) -> None:
    """Every call is over and costs what it must, once; nothing is held, no slot is taken."""
    for each, death in lives:
        now = await told(database, each.sid)
        assert now is not None, death.where
        assert (now.settled, now.held) == (True, 0), (death.where, now)
        assert now.status in ("COMPLETED", "FAILED", "NO_ANSWER"), (death.where, now)
        assert now.charged == owed_by[each.sid], (death.where, now)
        async with database.transaction(user=each.person.id) as db:
            account = (await db.execute(text("SELECT balance, held, open_calls FROM credit_accounts"))).one()
            lines = list(
                await db.scalars(text("SELECT amount FROM credit_transactions WHERE call_id IS NOT NULL ORDER BY seq"))
            )
            start = await db.scalar(text("SELECT amount FROM credit_transactions WHERE seq = 1"))
        assert -sum(lines) == now.charged, (death.where, lines)
        assert tuple(account) == (start - now.charged, 0, 0), (death.where, account)
    await assert_books_are_exact(database)


@pytest.mark.parametrize(
    ("history", "credits"),
    [
        ("history_calls.reported_first", 1000),
        ("history_calls.finished_first", 1000),
        # What is held is all there is: the carrier's longer measure takes no more.
        ("history_calls.cut_off", 90),
        ("history_calls.never_answered", 1000),
    ],
)
async def test_a_call_whose_process_is_killed_anywhere_is_charged_once_and_right(
    forks: ForkServer, board: Switchboard, books: Books, history: str, credits: int
) -> None:
    lives = await die_everywhere(forks, books, board, history=history, credits=credits)
    found = [await told(books.database, each.sid) for each, _ in lives]
    assert_each_answer_was_true(lives, found)
    owed_by = {each.sid: owed(then) for (each, _), then in zip(lives, found, strict=True)}
    talked = "never" not in history
    if talked:
        # Charges of every kind have to have come up, or this test proves less than it says.
        assert {0, 15, 55} <= set(owed_by.values()), owed_by
        assert owed_by[lives[0][0].sid] == min(CARRIER_SECONDS, credits)
    await come_back(books, board, [each for each, _ in lives], talked=talked)
    await assert_exact(books.database, lives, owed_by)
