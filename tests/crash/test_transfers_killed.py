"""SIGKILL at each step of a call whose caller is put through to a person: afterwards the agent's part and the leg are
charged once each, by the rule, the person was rung at most once, and nobody's slot or money is stuck.
"""

from dataclasses import replace

import pytest
from sqlalchemy import text

from talktime import inbox
from talktime.calls import legs, lifecycle, sweep, transfers
from talktime.calls.sweep import PROOF_SECONDS
from talktime.carriers.contract import Ring
from talktime.db.session import Database
from tests.calls.putting_through import set_price
from tests.crash import restart
from tests.crash.exact import assert_books_are_exact
from tests.crash.fork_server import ForkServer
from tests.crash.history_calls import CARRIER_SECONDS, LEG_SECONDS, PROVEN_SECONDS, leg_reports
from tests.crash.restart import Books
from tests.crash.switchboard import ACCOUNT, Leg, Switchboard, leg_of, report
from tests.crash.test_calls_killed import RATE, Scene, Told, assert_each_answer_was_true, scene, stage, told
from tests.people import WHY

CREDITS = 1000


@pytest.mark.parametrize("is_answered", [True, False])
async def test_a_transfer_whose_process_is_killed_anywhere_charges_both_parts_once(
    forks: ForkServer, board: Switchboard, books: Books, is_answered: bool
) -> None:
    history = "history_calls.put_through" if is_answered else "history_calls.put_through_in_vain"

    async def someone() -> Scene:
        each = await scene(books.database, board, CREDITS)
        board.legs[each.sid].person = Leg(LEG_SECONDS, "completed") if is_answered else Leg(0, "no-answer")
        await set_price(books.database, each.person, RATE)
        return each

    first = await someone()
    unharmed = await forks.live(history, books.url, stage(first, board))
    scenes = [await someone() for _ in unharmed.passed]
    deaths = await forks.run(history, [(point, books.url, stage(each, board)) for point, each in enumerate(scenes, 1)])
    assert [death.passed[-1] for death in deaths] == list(unharmed.passed)
    lives = list(zip([first, *scenes], [unharmed, *deaths], strict=True))
    found = [await told(books.database, each.sid) for each, _ in lives]
    # How long the agent talked is the clock's to say, to a second or two.
    assert_each_answer_was_true(lives, [then and replace(then, charged=0) for then in found])
    agents = [agents_part(then) for then in found]
    assert {0, *(seconds + PROOF_SECONDS for seconds in (0, *PROVEN_SECONDS))} < set(agents), agents
    assert CARRIER_SECONDS <= agents[0] < CARRIER_SECONDS + 10

    await come_back(books, board, [each for each, _ in lives], is_answered=is_answered)
    dials = [leg.person.dials for leg in (board.legs[each.sid] for each, _ in lives) if leg.person]
    assert (set(dials), len(dials)) == ({0, 1}, len(lives)), "nobody is rung twice"
    for (each, death), agent, was_rung in zip(lives, agents, dials, strict=True):
        leg = LEG_SECONDS if was_rung and is_answered else 0
        assert await charged(books.database, each) == (agent, leg), death.where
        async with books.database.transaction(user=each.person.id) as db:
            account = (await db.execute(text("SELECT balance, held, open_calls FROM credit_accounts"))).one()
        assert tuple(account) == (CREDITS - agent - leg, 0, 0), death.where
    await assert_books_are_exact(books.database)


def agents_part(then: Told | None) -> int:
    """What the agent's part costs in the end, of a call that stood so when its process died: what was settled stays,
    and of one that was lost what is proven and 15 seconds."""
    if then is None or not then.answered:
        return 0
    return then.charged if then.settled else RATE.cost(min(CARRIER_SECONDS, then.used_seconds + PROOF_SECONDS))


async def charged(database: Database, each: Scene) -> tuple[int, int]:
    """What somebody's call cost and what its leg did, of which there is one at the most; both are over."""
    async with database.transaction(user=each.person.id) as db:
        rows = await db.execute(
            text(
                "SELECT c.parent_id IS NOT NULL AS is_leg, h.charged + h.corrected AS cost, h.settled_at, c.ended_at"
                " FROM calls c JOIN credit_holds h ON h.user_id = c.user_id AND h.call_id = c.id"
            )
        )
        calls = rows.all()
    assert all(row.settled_at and row.ended_at for row in calls), calls
    (agent,) = [row.cost for row in calls if not row.is_leg]
    (leg,) = [row.cost for row in calls if row.is_leg] or [0]
    return agent, leg


async def come_back(books: Books, board: Switchboard, scenes: list[Scene], *, is_answered: bool) -> None:
    """The carrier rings again and time passes; the person's talk ended meanwhile. Then all is reported again."""
    carrier, database = board.carrier(), books.database
    names = [name for each in scenes for name in (each.sid, leg_of(each.sid))]
    handlers = restart.handlers_of(carrier, *names)
    for each in scenes:
        async with database.transaction(everyone=lifecycle.RING_WHY) as db:
            rang = Ring(account=ACCOUNT, call_id=each.sid, caller="", dialled=each.person.number)
            await lifecycle.ring(db, "simulated", rang)
    await restart.drained(database, handlers)
    await swept(books, board)
    for _ in range(2):
        await reported(books, board, scenes, is_answered=is_answered)
        await restart.drained(database, handlers)
        await restart.sweep_after(database, {"simulated": carrier})
    await carrier.close()


async def swept(books: Books, board: Switchboard) -> None:
    """Minutes later the first passes come by. Legs are still within the time that a ring has, calls are not."""
    carrier = board.carrier()
    for seconds in (200, 0):
        async with books.database.transaction(everyone=WHY) as db:
            moved = "started_at = started_at - {0}, answered_at = answered_at - {0}".format("make_interval(secs => :s)")
            await restart.as_owner(db, f"UPDATE calls SET {moved} WHERE ended_at IS NULL", s=seconds)
            await restart.as_owner(
                db,
                "UPDATE credit_holds h SET lease_until = now() - interval '1 second',"
                " lost_at = lost_at - interval '9 seconds' FROM calls c WHERE h.settled_at IS NULL"
                " AND c.user_id = h.user_id AND c.id = h.call_id AND c.parent_id IS NULL",
            )
        await sweep.sweep(books.database, {"simulated": carrier})
    await carrier.close()


async def reported(books: Books, board: Switchboard, scenes: list[Scene], *, is_answered: bool) -> None:
    """What the carrier reports of the calls and of those legs that it rang."""
    for each in scenes:
        await inbox.accept(books.database, report(each.sid, "completed", sequence=3, seconds=CARRIER_SECONDS))
        if leg_of(each.sid) not in board.legs:
            continue
        async with books.database.transaction(everyone=transfers.REPORT_WHY) as db:
            leg = await db.scalar(
                text("SELECT id FROM calls WHERE user_id = :user AND parent_id IS NOT NULL"), {"user": each.person.id}
            )
            assert await legs.name(db, "simulated", each.person.id, leg, leg_of(each.sid))
            for event in leg_reports(each.sid, is_answered=is_answered):
                await inbox.store(db, event)
