"""Every ten seconds: calls whose owner gave no sign of life are lost, asked about, and finished; calls that should have
been cut off are hung up. Any process may run it, and any number at once.

A call that is lost in one pass is finished in a later one at the earliest, so that an owner who was only away from
the database has time to come back. Nothing is charged more than 15 seconds past the last proof of talk.
"""

import asyncio
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from talktime import log
from talktime.calls import lifecycle
from talktime.carriers.contract import Carrier, Leg
from talktime.credits import ledger
from talktime.db.session import Database
from talktime.errors import ProviderError

PASS_SECONDS = 10
PROOF_SECONDS = 15
"""Two heartbeats are this far apart: so much talk may have gone unproven."""
CARRIER_SILENT_SECONDS = 60
"""After so long without an answer from the carrier the call is finished on what we know ourselves."""

_WHY = "the sweep looks after everybody's calls"
_LOGGER = log.get(__name__)

_CANDIDATES = """
    SELECT h.user_id, h.call_id, c.carrier, c.carrier_call_id, h.used_seconds, h.lease_owner IS NOT NULL, h.lease_until
    FROM credit_holds h JOIN calls c ON c.user_id = h.user_id AND c.id = h.call_id
    WHERE h.settled_at IS NULL AND {condition} ORDER BY h.lease_until LIMIT 500
"""


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
    used_seconds: int
    answered: bool
    lease_until: datetime


async def run(database: Database, carriers: Mapping[str, Carrier]) -> None:
    """Sweep until cancelled; a database that is away is tried again at the next pass."""
    while True:
        try:
            swept = await sweep(database, carriers)
            if swept != Swept():
                _LOGGER.info("swept", lost=swept.lost, finished=swept.finished, waiting=swept.waiting, cut=swept.cut)
        except (DBAPIError, TimeoutError, OSError) as error:
            _LOGGER.warning("the sweep did not reach the database", error=type(error).__name__)
        await asyncio.sleep(PASS_SECONDS)


async def sweep(database: Database, carriers: Mapping[str, Carrier]) -> Swept:
    """One pass."""
    lost = 0
    to_finish = await _candidates(database, "h.state = 'RECONCILE'")
    for candidate in await _candidates(
        database, "h.state IN ('AUTHORISED', 'ACTIVE', 'FINAL') AND h.lease_until < now()"
    ):
        async with database.transaction(everyone=_WHY) as db:
            lost += (await ledger.lose(db, candidate.user_id, candidate.call_id)).lost
    finished = await asyncio.gather(*(_reconcile(database, carriers, candidate) for candidate in to_finish))
    cut = 0
    for candidate in await _candidates(
        database, "h.cut_claimed_at IS NULL AND h.cut_at < now() - interval '2 seconds'"
    ):
        cut += await _cut(database, carriers, candidate)
    return Swept(lost, sum(finished), len(finished) - sum(finished), cut)


async def _candidates(database: Database, condition: str) -> list[_Candidate]:
    async with database.transaction(everyone=_WHY) as db:
        rows = await db.execute(text(_CANDIDATES.format(condition=condition)))
        return [_Candidate(*row) for row in rows]


async def _reconcile(database: Database, carriers: Mapping[str, Carrier], candidate: _Candidate) -> bool:
    """Ask the carrier about a lost call, end it there if it still goes on, and finish it. True when it is finished."""
    waited = datetime.now(UTC) - candidate.lease_until
    try:
        leg = await _ask(carriers[candidate.carrier], candidate) if candidate.carrier in carriers else None
    except ProviderError as error:
        if waited < timedelta(seconds=CARRIER_SILENT_SECONDS):
            return False
        _LOGGER.warning("the carrier does not answer", call_id=str(candidate.call_id), error=str(error))
        leg = None
    provable = candidate.used_seconds + PROOF_SECONDS
    seconds = min(provable, leg.seconds) if leg is not None and leg.seconds is not None else provable
    async with database.transaction(everyone=_WHY) as db:
        done = await lifecycle.finish(
            db,
            candidate.user_id,
            candidate.call_id,
            seconds=seconds if candidate.answered else 0,
            reason="lost" if candidate.answered else "never_answered",
            failed=candidate.answered,
            carrier_seconds=leg.seconds if leg is not None else None,
            only_if_lost=True,
        )
    return done.fresh


async def _ask(carrier: Carrier, candidate: _Candidate) -> Leg | None:
    leg = await carrier.look_up(candidate.carrier_call_id)
    if leg is not None and not leg.state.is_over:
        await carrier.hang_up(candidate.carrier_call_id)
        leg = await carrier.look_up(candidate.carrier_call_id)
    return leg


async def _cut(database: Database, carriers: Mapping[str, Carrier], candidate: _Candidate) -> bool:
    """Hang up a call whose credit ended two seconds ago and whose owner did not."""
    async with database.transaction(everyone=_WHY) as db:
        if not await ledger.cut(db, candidate.user_id, candidate.call_id, "sweep"):
            return False
    try:
        await carriers[candidate.carrier].hang_up(candidate.carrier_call_id)
    except (ProviderError, KeyError) as error:
        # The carrier's own time limit and the lease stand behind this; the claim stays, so nothing extends the call.
        _LOGGER.warning("a call could not be cut off", call_id=str(candidate.call_id), error=repr(error))
    return True
