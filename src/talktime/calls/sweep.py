"""Every ten seconds: calls whose owner gave no sign of life are lost, asked about, and finished; calls that should have
been cut off are hung up; legs to persons are looked after (`sweep_legs.py`). Any process may run it, and any number at
once.

A call is finished only some seconds after it was lost, so that an owner who was only away from the database has time to
come back; and before it is hung up at the carrier it is given up for good. Nothing is charged more than 15 seconds past
the last proof of talk.
"""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from talktime import log
from talktime.calls import legs, lifecycle, sweep_legs, transfers
from talktime.carriers.contract import Carrier, Leg
from talktime.credits import ledger
from talktime.db.session import Database
from talktime.errors import ProviderError, TalktimeError

PASS_SECONDS = 10.0
COME_BACK_SECONDS = 8
"""A lost call's owner has so long to take it up again: its heartbeat is tried every two seconds."""
PROOF_SECONDS = 15
"""Two heartbeats are this far apart: so much talk may have gone unproven."""
CARRIER_SILENT_SECONDS = 50
"""So long after the lease ended a call is finished on what we know ourselves, if the carrier does not answer. With the
lease (45 s), a pass and a last try this is within the 120 s that a hold may outlive its call."""

_ASK_SECONDS = 8.0
_AT_ONCE = 20
_LEGS_AT_ONCE = 50
"""More, because each waits for the carrier, and a carrier that hangs must not keep the others from their turn."""
_WHY = "the sweep looks after everybody's calls"
_LOGGER = log.get(__name__)
Done = TypeVar("Done")

_CANDIDATES = """
    SELECT h.user_id, h.call_id, c.carrier, coalesce(p.carrier_call_id, c.carrier_call_id), h.used_seconds,
        h.lease_owner IS NOT NULL, extract(epoch FROM now() - h.lease_until)::float8, {left}
    FROM credit_holds h JOIN calls c ON c.user_id = h.user_id AND c.id = h.call_id
    LEFT JOIN calls p ON p.user_id = c.user_id AND p.id = c.parent_id
    WHERE h.settled_at IS NULL AND {condition} ORDER BY h.lease_until LIMIT 500
"""
_LEFT = """EXISTS (
    SELECT FROM calls l
    WHERE l.user_id = c.user_id AND l.parent_id = c.id AND (l.carrier_call_id <> '' OR l.ended_at IS NULL)
)"""
"""Its caller was put through: hanging up would take the caller from the person."""
_EXPIRED = "h.state IN ('AUTHORISED', 'ACTIVE', 'FINAL') AND h.lease_until < now()"
_LOST = f"""h.state = 'RECONCILE' AND c.parent_id IS NULL
    AND h.lost_at < now() - interval '{COME_BACK_SECONDS} seconds'"""
_OVERDUE = f"""h.state IN ('ACTIVE', 'FINAL') AND h.cut_claimed_at IS NULL
    AND h.cut_at < now() - interval '2 seconds' AND NOT {_LEFT}"""


@dataclass(frozen=True, slots=True)
class Swept:
    """What one pass did."""

    lost: int = 0
    finished: int = 0
    waiting: int = 0
    cut: int = 0


@dataclass(frozen=True, slots=True)
class _Candidate:
    user_id: uuid.UUID
    call_id: uuid.UUID
    carrier: str
    carrier_call_id: str
    """What is hung up: of a leg, its caller's call."""
    used_seconds: int
    answered: bool
    overdue_seconds: float
    """Since the lease ended, by the database's clock."""
    was_put_through: bool


async def run(database: Database, carriers: Mapping[str, Carrier]) -> None:
    """Sweep until cancelled; a database that is away is tried again at the next pass."""
    while True:
        began = time.monotonic()
        try:
            swept = await sweep(database, carriers)
            if swept != Swept():
                _LOGGER.info("swept", lost=swept.lost, finished=swept.finished, waiting=swept.waiting, cut=swept.cut)
        except (SQLAlchemyError, OSError) as error:
            _LOGGER.warning("the sweep did not reach the database", error=type(error).__name__)
        await asyncio.sleep(max(1.0, began + PASS_SECONDS - time.monotonic()))


async def sweep(database: Database, carriers: Mapping[str, Carrier]) -> Swept:
    """One pass. What fails for one call is left to the next pass, and keeps no other from its turn."""
    # Before anything is lost: when all of us were away, only the carrier knows which of them go on.
    due = await _legs(database, sweep_legs.DUE)
    finished = await _side_by_side((sweep_legs.look_after(database, carriers, leg) for leg in due), _LEGS_AT_ONCE)
    expired = await _candidates(database, _EXPIRED)
    lost = await _side_by_side(_lose(database, candidate) for candidate in expired)
    to_finish = await _candidates(database, _LOST)
    reconciled = await _side_by_side(_reconcile(database, carriers, candidate) for candidate in to_finish)
    overdue = await _candidates(database, _OVERDUE)
    cut = await _side_by_side(_cut(database, carriers, candidate) for candidate in overdue)
    async with database.transaction(everyone=_WHY) as db:
        loose = await sweep_legs.find_loose(db)
    await _side_by_side((sweep_legs.tie_up(database, carriers, leg) for leg in loose), _LEGS_AT_ONCE)
    # Last, because it takes as long as a pass where somebody's money ends.
    ending = await _legs(database, sweep_legs.ENDING)
    cut += await _side_by_side((sweep_legs.cut_in_time(database, carriers, leg) for leg in ending), len(ending) or 1)
    return Swept(lost, finished + reconciled, len(to_finish) - reconciled, cut)


async def _legs(database: Database, condition: str) -> list[sweep_legs.LegHold]:
    async with database.transaction(everyone=_WHY) as db:
        return await sweep_legs.find(db, condition)


async def _candidates(database: Database, condition: str) -> list[_Candidate]:
    async with database.transaction(everyone=_WHY) as db:
        rows = await db.execute(text(_CANDIDATES.format(condition=condition, left=_LEFT)))
        return [_Candidate(*row) for row in rows]


async def _side_by_side(works: Iterable[Awaitable[bool]], at_once: int = _AT_ONCE) -> int:
    """Do them all, a few at once; gives how many came out true."""
    places = asyncio.Semaphore(at_once)

    async def one(work: Awaitable[bool]) -> bool:
        async with places:
            try:
                return await work
            except (SQLAlchemyError, TalktimeError, OSError) as error:
                _LOGGER.warning("a call has to wait for the next pass", error=type(error).__name__)
                return False

    return sum(await asyncio.gather(*(one(work) for work in works)))


async def _lose(database: Database, candidate: _Candidate) -> bool:
    async with database.transaction(everyone=_WHY) as db:
        return (await ledger.lose(db, candidate.user_id, candidate.call_id)).lost


async def _reconcile(database: Database, carriers: Mapping[str, Carrier], candidate: _Candidate) -> bool:
    """Ask the carrier about a lost call, end it there if it still goes on, and finish it. True when it is finished."""
    leg: Leg | None = None
    try:
        if candidate.carrier in carriers and not candidate.was_put_through:
            async with asyncio.timeout(_ASK_SECONDS):
                leg = await _ask(database, carriers[candidate.carrier], candidate)
    except (ProviderError, TimeoutError) as error:
        if candidate.overdue_seconds < CARRIER_SILENT_SECONDS:
            return False
        _LOGGER.warning("the carrier does not answer", call_id=str(candidate.call_id), error=str(error))
    provable = candidate.used_seconds + PROOF_SECONDS
    seconds = min(provable, leg.seconds) if leg is not None and leg.seconds is not None else provable
    async with database.transaction(everyone=_WHY) as db:
        done = await lifecycle.finish(
            db,
            candidate.user_id,
            candidate.call_id,
            seconds=seconds if candidate.answered else 0,
            reason=_reason(candidate),
            failed=candidate.answered and not candidate.was_put_through,
            carrier_seconds=leg.seconds if leg is not None else None,
            only_if_lost=True,
        )
    return done.fresh


def _reason(candidate: _Candidate) -> str:
    if candidate.was_put_through:
        return transfers.TRANSFERRED
    return "lost" if candidate.answered else "never_answered"


async def _ask(database: Database, carrier: Carrier, candidate: _Candidate) -> Leg | None:
    leg = await carrier.look_up(candidate.carrier_call_id)
    if leg is None or leg.state.is_over:
        return leg
    async with database.transaction(everyone=_WHY) as db:
        if not await ledger.give_up(db, candidate.user_id, candidate.call_id):
            return leg  # its owner is back
    await carrier.hang_up(candidate.carrier_call_id)
    return await carrier.look_up(candidate.carrier_call_id)


async def _cut(database: Database, carriers: Mapping[str, Carrier], candidate: _Candidate) -> bool:
    """Hang up a call whose credit ended two seconds ago and whose owner did not."""
    async with database.transaction(everyone=_WHY) as db:
        if not await ledger.cut(db, candidate.user_id, candidate.call_id, legs.OWNER):
            return False
    try:
        async with asyncio.timeout(_ASK_SECONDS):
            await carriers[candidate.carrier].hang_up(candidate.carrier_call_id)
    except (ProviderError, KeyError, TimeoutError) as error:
        # The carrier's own time limit and the lease stand behind this; the claim stays, so nothing extends the call.
        _LOGGER.warning("a call could not be cut off", call_id=str(candidate.call_id), error=repr(error))
    return True
