"""An agent puts its caller through to a person (a cold transfer): the agent's part ends and is settled, and the leg to
the person is a call of its own, with a hold of its own at the price for transfers.

The rule: money first. The leg is stored and its first slice held in one transaction, and the carrier hears of it only
after that; when there is no money for it nobody is rung, and the agent goes on. The carrier is told to dial once.

The carrier's own limit on a leg is the agent's longest call, not what was granted: no carrier lets the limit of a leg
be raised once it is dialled, so a short one would cut off people who have credit for more. What ends a leg at the end
of its money is the sweep, by hanging up at `cut_at` (`sweep_legs.py`); the carrier's limit stands behind it, for when
nobody of us is there.
"""

import math
import uuid
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from talktime import log
from talktime.agents import dialling
from talktime.calls import legs, lifecycle
from talktime.carriers.contract import Carrier, Forward
from talktime.credits.functions import typed_errors
from talktime.credits.models import NotCharged
from talktime.db.base import new_id
from talktime.db.session import Database
from talktime.errors import BadInput, ProviderError

TRANSFERRED = "transferred"
"""Why the agent's part of a call ended."""
REPORT_WHY = "a leg's report is stored together with the name it gives the leg"
RING_SECONDS_MAX = 30
"""So long a person is rung; well below the lease of a hold that nobody has answered (120 s)."""
SAID_CHARACTERS_MAX = 240
"""So much is said before a person is rung: however slowly, it and the ringing end before that lease does."""
SAID_CHARACTERS_A_SECOND = 3
"""No voice says less of any script; most say five times as much."""
LEG_SECONDS_MAX = 1800
"""Of a leg whose agent has no longest call."""
_LIMIT_MARGIN_SECONDS = 60
_NOT_ORDINARY = "not_ordinary"
_LOGGER = log.get(__name__)


class NotANumber(BadInput):
    """Whom to put the caller through to is a phone number such as +4930123456."""


class NotOrdinary(NotANumber):
    """Callers are put through to ordinary numbers only, not to premium, enquiry, satellite or unknown ones: choose a
    landline or mobile number."""


class TooMuchToSay(BadInput):
    """What is said before somebody is rung has at most 240 characters: make it shorter, or let the agent say it."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """What came of putting a caller through."""

    leg_id: uuid.UUID
    is_dialled: bool
    """The carrier rings the person: the agent has nobody to talk to any more, and must not hang up the line."""
    reason: str | None
    """Why not. Of the money: `no_price`, `no_credit`, `debt`, `blocked`, `too_many_calls`, a spend guard's name.
    `over`: nobody is on the line. `transferring`: that is being done. `own_number`: an agent would ring an agent.
    `carrier_refused`. `carrier_silent`, when nobody can say yet whether the carrier rings the person: if it does, the
    line goes, and if it does not, another try is possible after half a minute."""
    granted_seconds: int
    """What the leg may last so far; the sweep asks for more as long as there is credit."""


async def begin(
    database: Database,
    carrier: Carrier,
    user: uuid.UUID,
    call: uuid.UUID,
    *,
    leg: uuid.UUID,
    forward: Forward,
    our_fault: str | None = None,
) -> Transfer:
    """Put the caller of a call that is in progress through to a person, or say why not: then the agent goes on.

    `leg` is the id that the leg gets, made by whoever asks; the same again says how it stands, and rings nobody.
    `forward` names the number, what is said before, and where the carrier tells us of the leg; how long it may take is
    decided here. `our_fault` is why the agent gave up, if it did: then its part is free. Raises NotANumber,
    NotOrdinary, TooMuchToSay, NotFound, and Conflict for a leg that was begun for somebody else; then nothing was
    stored.
    """
    number = dialling.normalised(forward.number)
    if number is None:
        raise NotANumber
    if len(forward.text) > SAID_CHARACTERS_MAX:
        raise TooMuchToSay
    async with database.transaction(user=user) as db:
        begun = await store_leg(db, user, call, leg, number)
    if begun.reason == _NOT_ORDINARY:
        raise NotOrdinary
    granted = begun.granted_seconds or 0
    if not begun.allowed or not begun.fresh:
        _LOGGER.info("a caller was not put through", call_id=str(call), leg_id=str(leg), reason=begun.reason)
        return Transfer(leg, bool(begun.allowed), begun.reason, granted)
    assert begun.carrier == carrier.name, begun.carrier
    seconds_max = begun.seconds_max or LEG_SECONDS_MAX
    timed = replace(forward, number=number, seconds_max=seconds_max, ring_seconds_max=RING_SECONDS_MAX)
    said_seconds = math.ceil(len(forward.text) / SAID_CHARACTERS_A_SECOND)
    limit = begun.agent_seconds + said_seconds + RING_SECONDS_MAX + seconds_max + _LIMIT_MARGIN_SECONDS
    try:
        await carrier.forward(begun.parent_name, timed, limit)
    except ProviderError as error:
        _LOGGER.warning("the carrier did not put a caller through", leg_id=str(leg), error=str(error))
        if not error.permanent:
            # It may have done so all the same. The leg stays until the carrier says, or the sweep has asked it.
            return Transfer(leg, False, "carrier_silent", granted)
        async with database.transaction(user=user) as db:
            await legs.end(db, user, leg, seconds=0, reason="carrier_refused")
        return Transfer(leg, False, "carrier_refused", 0)
    try:
        await lifecycle.finish(
            database,
            user,
            call,
            seconds=begun.agent_seconds,
            reason=our_fault or TRANSFERRED,
            failed=our_fault is not None,
            not_charged_reason=NotCharged.PLATFORM_FAULT if our_fault else None,
        )
    except (SQLAlchemyError, OSError) as error:
        # Whoever carries the call sees its line go, and finishes it to the same moment.
        _LOGGER.warning("a transferred call is not settled yet", call_id=str(call), error=type(error).__name__)
    _LOGGER.info("caller put through", call_id=str(call), leg_id=str(leg), granted_seconds=granted)
    return Transfer(leg, True, None, granted)


async def refusal(database: Database, user: uuid.UUID, call: uuid.UUID, number: str) -> str | None:
    """Why a caller could not be put through to this number at this moment, as `begin` would say it; None when they
    could. Asked before anybody is told that they will be. Money is held by nobody after this; a refusal is stored, so
    that the customer sees that there was one."""
    known = dialling.normalised(number)
    if known is None:
        return _NOT_ORDINARY
    try:
        async with database.transaction(user=user) as db:
            begun = await store_leg(db, user, call, new_id(), known)
            if begun.allowed:
                raise _OnlyAsked
    except _OnlyAsked:
        return None
    return str(begun.reason)


async def store_leg(db: AsyncSession, user: uuid.UUID, call: uuid.UUID, leg: uuid.UUID, number: str) -> Row[Any]:
    """Store a leg of a call and hold its first slice, or its refusal: the answer of `begin_leg_v1`. The number is a
    normalised one."""
    async with typed_errors():
        return (
            await db.execute(
                text("SELECT * FROM begin_leg_v1(:user, :call, :leg, :number, :is_ordinary)"),
                {
                    "user": user,
                    "call": call,
                    "leg": leg,
                    "number": number,
                    "is_ordinary": dialling.is_ordinary(number),
                },
            )
        ).one()


class _OnlyAsked(Exception):
    """What was stored is taken back."""
