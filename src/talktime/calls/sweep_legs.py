"""The sweep's part for legs to persons: it owns their holds, so it proves that they live, asks for more time, and cuts.

Only the carrier knows of a leg. Its lease is renewed when the carrier has just said that it goes on, and never without
that: a leg whose end nobody told us of is found and settled within half a minute, and one that the carrier is silent
about is settled on what is proven, as any lost call is. Every step may be done by several processes at once.
"""

import asyncio
import math
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from talktime import log
from talktime.calls import legs, lifecycle
from talktime.carriers.contract import Carrier, Leg, LegState
from talktime.credits import ledger
from talktime.credits.models import HoldState
from talktime.db.session import Database
from talktime.errors import ProviderError

UNASKED_SECONDS = 20
"""So long after it was dialled, longer than dialling can take, a leg that nobody told us of is asked about."""
PROOF_SECONDS = 25
"""A leg is asked about when so much of it is unproven, at the most: a third of its lease, and a pass."""
EXTEND_BEFORE_CUT_SECONDS = 40
"""Four passes, so that a carrier's bad half minute cuts nobody off."""
CARRIER_SILENT_SECONDS = 50
"""As for any lost call (`sweep.py`): so long after the lease ended it is settled without the carrier."""
CUT_AHEAD_SECONDS = 10
"""A pass: what is to be cut before the next one is waited for, so that it is cut in time."""
TALKED_ON_SECONDS = 10
"""A carrier that does as it was told takes the line from the agent within a moment: an agent that is known to have
talked on for so long after that was not left, so nobody was dialled."""
LOOSE_HOURS = 4
"""No carrier lets a call go on for longer by itself."""

_ASK_SECONDS = 5.0
_SLICE_SECONDS = 60
_SLICE_SECONDS_MAX = 3600
_ASK_AGAIN_SECONDS = 2.0
_LOGGER = log.get(__name__)

_LEGS = """
    SELECT h.user_id, h.call_id, c.carrier, c.carrier_call_id AS name, p.carrier_call_id AS parent_name, h.state,
        h.lease_owner IS NOT NULL AS is_answered, h.cut_claimed_at IS NOT NULL AS is_cut, h.request_no,
        h.granted_seconds, h.used_seconds,
        extract(epoch FROM now() - c.started_at)::float8 AS dialled_seconds,
        coalesce(extract(epoch FROM now() - c.answered_at), 0)::float8 AS talked_seconds,
        coalesce(extract(epoch FROM h.cut_at - now()), 0)::float8 AS left_seconds,
        extract(epoch FROM now() - h.lease_until)::float8 AS overdue_seconds,
        coalesce(extract(epoch FROM p.answered_at - c.started_at) + ph.used_seconds, 0)::float8 AS talked_on_seconds
    FROM credit_holds h
    JOIN calls c ON c.user_id = h.user_id AND c.id = h.call_id
    JOIN calls p ON p.user_id = c.user_id AND p.id = c.parent_id
    LEFT JOIN credit_holds ph ON ph.user_id = p.user_id AND ph.call_id = p.id AND ph.settled_at IS NULL
    WHERE h.settled_at IS NULL AND {condition} ORDER BY h.lease_until LIMIT 200
"""
DUE = f"""(
    h.cut_claimed_at IS NOT NULL OR h.lease_until < now() + interval '30 seconds'
    OR h.cut_at < now() + interval '{EXTEND_BEFORE_CUT_SECONDS} seconds'
    OR h.lease_owner IS NULL AND c.started_at < now() - interval '{UNASKED_SECONDS} seconds'
)"""
ENDING = f"""h.state = 'FINAL' AND h.cut_claimed_at IS NULL
    AND h.cut_at < now() + interval '{CUT_AHEAD_SECONDS} seconds'"""
_LOOSE = f"""
    SELECT c.user_id, c.id, c.carrier, c.carrier_call_id, p.carrier_call_id
    FROM calls c JOIN calls p ON p.user_id = c.user_id AND p.id = c.parent_id
    WHERE c.parent_id IS NOT NULL AND c.carrier_seconds IS NULL
        AND c.end_reason IN ('lost', 'never_answered', 'never_dialled')
        AND c.ended_at > now() - interval '{LOOSE_HOURS} hours' ORDER BY c.ended_at LIMIT 200
"""  # noqa: S608  our own words only


@dataclass(frozen=True, slots=True)
class LegHold:
    """A leg whose hold is open."""

    user_id: uuid.UUID
    call_id: uuid.UUID
    carrier: str
    name: str
    """"" when the carrier has not told it yet."""
    parent_name: str
    """Ending the caller's call ends the leg as well, whether the leg has a name or not."""
    state: HoldState
    is_answered: bool
    is_cut: bool
    request_no: int
    granted_seconds: int
    used_seconds: int
    dialled_seconds: float
    """Since it was dialled; like the others by the database's clock."""
    talked_seconds: float
    left_seconds: float
    """Until it is cut off."""
    overdue_seconds: float
    """Since the lease ended."""
    talked_on_seconds: float
    """So long after this leg was to be dialled the agent is known to have talked to the caller."""


@dataclass(frozen=True, slots=True)
class LooseLeg:
    """A leg that was settled without the carrier's word, so that it may still go on."""

    user_id: uuid.UUID
    call_id: uuid.UUID
    carrier: str
    name: str
    parent_name: str


async def find(db: AsyncSession, condition: str) -> list[LegHold]:
    """The legs that are DUE or ENDING. Needs a transaction that sees everyone."""
    rows = await db.execute(text(_LEGS.format(condition=condition)))
    return [LegHold(**{**row, "state": HoldState(row["state"])}) for row in rows.mappings()]


async def find_loose(db: AsyncSession) -> list[LooseLeg]:
    """Needs a transaction that sees everyone."""
    return [LooseLeg(*row) for row in await db.execute(text(_LOOSE))]


async def look_after(database: Database, carriers: Mapping[str, Carrier], leg: LegHold) -> bool:
    """Ask the carrier how a leg stands, and do what follows from that. True when it is settled."""
    try:
        async with asyncio.timeout(_ASK_SECONDS):
            carrier = carriers[leg.carrier]
            seen = await _ask(database, carrier, leg)
            is_to_come = seen is None and not leg.is_answered and await _is_to_come(carrier, leg)
    except (ProviderError, KeyError, TimeoutError) as error:
        _LOGGER.warning("the carrier says nothing of a leg", leg_id=str(leg.call_id), error=repr(error))
        return await _do_without(database, leg)
    if is_to_come:
        return False
    if seen is None or seen.state.is_over:
        return await _end(database, leg, seen)
    if seen.state is LegState.RINGING and leg.is_answered:
        return await _do_without(database, leg)  # it says what cannot be, which proves nothing
    if seen.state is LegState.RINGING and leg.overdue_seconds > 0:
        return await _stop_ringing(database, carrier, leg)
    if seen.state is LegState.IN_PROGRESS and await _keep(database, leg):
        return False
    if seen.state is LegState.IN_PROGRESS or leg.is_cut:
        # It was cut off, or nobody may answer it any more: its end is reported, or seen at the next pass.
        await _hang_up(carrier, leg)
    return False


async def cut_in_time(database: Database, carriers: Mapping[str, Carrier], leg: LegHold) -> bool:
    """Wait for the end of a leg's money, asking for more until then, and hang it up. True when it was cut off here.

    It waits for no longer than a pass, however much money comes meanwhile: the others of the next pass wait for it.
    """
    began = time.monotonic()
    deadline, request_no, granted = began + leg.left_seconds, leg.request_no, leg.granted_seconds
    while (left := deadline - time.monotonic()) > 0:
        waits = began + CUT_AHEAD_SECONDS - time.monotonic()
        if waits <= 0:
            return False
        await asyncio.sleep(min(left, waits, _ASK_AGAIN_SECONDS))
        request_no += 1
        async with database.transaction(user=leg.user_id) as db:
            grant = await ledger.extend(db, leg.user_id, leg.call_id, legs.OWNER, request_no)
        if grant.state is not HoldState.FINAL:
            return False
        deadline += grant.granted_seconds - granted
        granted = grant.granted_seconds
        if deadline - time.monotonic() > CUT_AHEAD_SECONDS:
            return False
    async with database.transaction(user=leg.user_id) as db:
        if not await ledger.cut(db, leg.user_id, leg.call_id, legs.OWNER):
            return False
    carrier = carriers.get(leg.carrier)
    if carrier is not None:
        await _hang_up(carrier, leg)
    return True


async def tie_up(database: Database, carriers: Mapping[str, Carrier], leg: LooseLeg) -> bool:
    """Hang up a leg that was given up and goes on all the same. True when it is known to be over."""
    try:
        async with asyncio.timeout(_ASK_SECONDS):
            carrier = carriers[leg.carrier]
            seen = await _ask(database, carrier, leg)
            if seen is not None and not seen.state.is_over:
                await carrier.hang_up(leg.parent_name)
                return False
            if seen is None and not leg.name and not await _is_over(carrier, leg.parent_name):
                return False  # as long as its caller is there it may still be dialled
    except (ProviderError, KeyError, TimeoutError) as error:
        _LOGGER.warning("nobody knows whether a leg goes on", leg_id=str(leg.call_id), error=repr(error))
        return False
    async with database.transaction(user=leg.user_id) as db:
        await db.execute(
            text(
                "UPDATE calls SET carrier_seconds = :seconds"
                " WHERE user_id = :user AND id = :leg AND carrier_seconds IS NULL"
            ),
            {"seconds": (seen.seconds if seen else 0) or 0, "user": leg.user_id, "leg": leg.call_id},
        )
    return True


async def _ask(database: Database, carrier: Carrier, leg: LegHold | LooseLeg) -> Leg | None:
    """How the carrier sees a leg, by its name, or else by the call it belongs to; then it has its name from now on."""
    if leg.name:
        return await carrier.look_up(leg.name)
    for seen in await carrier.forwarded_to(leg.parent_name):
        async with database.transaction(user=leg.user_id) as db:
            if await legs.name(db, carrier.name, leg.user_id, leg.call_id, seen.call_id, is_guess=True):
                return seen
    return None


async def _is_over(carrier: Carrier, name: str) -> bool:
    seen = await carrier.look_up(name)
    return seen is None or seen.state.is_over


async def _is_to_come(carrier: Carrier, leg: LegHold) -> bool:
    """Whether a leg that the carrier does not show may still be dialled: what is said before takes its time."""
    if leg.dialled_seconds < UNASKED_SECONDS:
        return True
    if leg.overdue_seconds > 0 or leg.talked_on_seconds > TALKED_ON_SECONDS:
        return False
    return not await _is_over(carrier, leg.parent_name)


async def _stop_ringing(database: Database, carrier: Carrier, leg: LegHold) -> bool:
    """It rings for longer than its money is held for. True when it is settled; not when it was answered after all."""
    async with database.transaction(user=leg.user_id) as db:
        await ledger.lose(db, leg.user_id, leg.call_id)
        if not await ledger.give_up(db, leg.user_id, leg.call_id):
            return False
    await _hang_up(carrier, leg)
    return await _release(database, leg, "never_answered")


async def _keep(database: Database, leg: LegHold) -> bool:
    """The leg goes on: prove it, and ask for more time. False when it may not go on."""
    if leg.is_cut:
        return False
    user, call = leg.user_id, leg.call_id
    if not leg.is_answered:
        # By itself: it locks the hold, and what asks for more locks the account before that.
        async with database.transaction(user=user) as db:
            if await lifecycle.answer(db, user, call, legs.OWNER) is None:
                # Its ring lease is over, so it has no slot and never will; or its report was faster than we.
                return not await ledger.give_up(db, user, call)
    async with database.transaction(user=user) as db:
        wants_more = leg.left_seconds < EXTEND_BEFORE_CUT_SECONDS
        if wants_more or leg.state is HoldState.RECONCILE:
            # Of a leg that was alone for a while, as when all of us were down, the time that it used is asked for, too.
            behind = math.ceil(max(0.0, -leg.left_seconds)) if leg.is_answered else 0
            slice_seconds = min(_SLICE_SECONDS_MAX, _SLICE_SECONDS + behind)
            await ledger.extend(db, user, call, legs.OWNER, leg.request_no + 1, slice_seconds=slice_seconds)
        await ledger.heartbeat(db, legs.OWNER, {(user, call): int(leg.talked_seconds)})
    return True


async def _end(database: Database, leg: LegHold, seen: Leg | None) -> bool:
    """The carrier says that a leg is over, or that there is none. True when it is settled."""
    if seen is None and not leg.is_answered:
        return await _release(database, leg, "never_dialled")
    if seen is not None and not (leg.is_answered and seen.seconds is None):
        return await _settle(database, leg, seconds=seen.seconds or 0)
    # The carrier has forgotten it, or does not know yet how long it was.
    return await _lose(database, leg) if seen is None or leg.overdue_seconds > 0 else False


async def _do_without(database: Database, leg: LegHold) -> bool:
    """The carrier is silent: wait for it, and in the end settle on what is proven. True when it is settled."""
    if leg.state is not HoldState.RECONCILE or leg.overdue_seconds < CARRIER_SILENT_SECONDS:
        return False
    return await _lose(database, leg)


async def _settle(database: Database, leg: LegHold, *, seconds: int) -> bool:
    async with database.transaction(user=leg.user_id) as db:
        return (await legs.end(db, leg.user_id, leg.call_id, seconds=seconds)).fresh


async def _release(database: Database, leg: LegHold, reason: str) -> bool:
    """Give the money of a leg back that nobody has answered, and go on asking: its carrier has not said that it is
    over. False when it was answered since we asked."""
    async with database.transaction(user=leg.user_id) as db:
        is_ringing = await db.scalar(
            text("SELECT true FROM calls WHERE user_id = :user AND id = :leg AND status = 'RINGING' FOR NO KEY UPDATE"),
            {"user": leg.user_id, "leg": leg.call_id},
        )
        if not is_ringing:
            return False
        return (await lifecycle.finish(db, leg.user_id, leg.call_id, seconds=0, reason=reason)).fresh


async def _lose(database: Database, leg: LegHold) -> bool:
    proven = max(0.0, min(leg.talked_seconds, leg.used_seconds + PROOF_SECONDS))
    done = await lifecycle.finish(
        database,
        leg.user_id,
        leg.call_id,
        seconds=proven if leg.is_answered else 0,
        reason="lost" if leg.is_answered else "never_answered",
        failed=leg.is_answered,
    )
    return done.fresh


async def _hang_up(carrier: Carrier, leg: LegHold) -> None:
    try:
        async with asyncio.timeout(_ASK_SECONDS):
            await carrier.hang_up(leg.parent_name)
    except (ProviderError, TimeoutError) as error:
        _LOGGER.warning("a leg was not hung up", leg_id=str(leg.call_id), error=repr(error))
