"""Calling a number ourselves, to see where the chain from the carrier to the agent breaks.

carrier (it takes our call) → ring (its ring came to us) → answer (an agent takes it) → media (the sound came to us).
The rule: the call is placed once, and is a call like any other: it stands in the customer's list, and costs what it
costs.
"""

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import text

from talktime.accounts import throttle
from talktime.accounts.throttle import Limit
from talktime.carriers.contract import Leg
from talktime.carriers.numbers import Numbers, Spoken
from talktime.db.session import Database
from talktime.errors import Conflict, ProviderError
from talktime.numbers.models import CarrierPhase
from talktime.numbers.proof import NoCallerNumber, caller_for
from talktime.numbers.rows import NotAssigned, Which, locked

WHY = "a number that is tested is called from another one of the pool"
SECONDS_MAX = 30.0
_LINE_SECONDS = 4
_LOOK_SECONDS = 0.2
_LATE_SECONDS = 2.0
"""After the call's end so long is waited for what is written a little later."""
OFTEN = Limit("a number's self-test", 3, 300)


class NoWayToCall(Conflict):
    """This number's carrier lets us place no calls, so it cannot be tested from here: call it from any telephone."""


class Link(StrEnum):
    """A link of the chain, in order."""

    CARRIER = "carrier"
    RING = "ring"
    ANSWER = "answer"
    MEDIA = "media"


_BROKEN = {
    Link.CARRIER: "The carrier did not take our call. Look at the number on its pages: it may be gone, or unpaid.",
    Link.RING: "The carrier took the call, and no ring came to us. Have the carrier told again where the number rings,"
    " and see whether PUBLIC_URL is reached from outside.",
    Link.ANSWER: "The ring came, and no agent took it. See what the caller got instead.",
    Link.MEDIA: "The agent was to answer, and no sound came to us. See whether web sockets reach PUBLIC_URL.",
}


@dataclass(frozen=True, slots=True)
class SelfTest:
    """What came of it."""

    passed: Sequence[Link]
    broken: Link | None
    """None when the whole chain holds."""
    detail: str
    """What to do; "" when the whole chain holds."""
    call_id: uuid.UUID | None
    """The call as the customer sees it."""


async def run(
    database: Database,
    carriers: Mapping[str, Numbers],
    number: Which,
    *,
    secret: bytes,
    user: uuid.UUID | None = None,
    seconds_max: float = SECONDS_MAX,
) -> SelfTest:
    """Call a number that is with a customer, and see how far it comes; `user` is whose it must be. Takes half a minute
    at most. Raises NoSuchNumber, NotAssigned, NoWayToCall, TooManyTries."""
    async with database.transaction(everyone=WHY) as db:
        row = await locked(db, number, user=user)
        whose = row.user_id
        if whose is None:
            raise NotAssigned
        if row.carrier not in carriers or row.carrier_phase is CarrierPhase.GONE:
            raise NoWayToCall
        await throttle.pour(db, secret, [(OFTEN, str(row.id))])
        try:
            _, caller = await caller_for(db, [row.carrier], whose, besides=row.id)
        except NoCallerNumber:
            caller = row.number  # some carriers let a number call itself, and the others say so
    began = datetime.now(UTC)
    numbers = carriers[row.carrier]
    spoken = Spoken(pause_seconds=_LINE_SECONDS, seconds_max=int(seconds_max))
    try:
        call = await numbers.place(row.number, caller, spoken)
    except ProviderError as error:
        return SelfTest((), Link.CARRIER, f"{_BROKEN[Link.CARRIER]} It said: {error}.", None)
    return await _watch(database, numbers, call, _Wanted(whose, row.id, caller, began), seconds_max)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The call that should come to us."""

    user: uuid.UUID
    number: uuid.UUID
    caller: str
    since: datetime


async def _watch(database: Database, numbers: Numbers, call: str, wanted: _Wanted, seconds_max: float) -> SelfTest:
    """Look again and again until the chain holds, or our call is over, or time is."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds_max
    over_since: float | None = None
    while True:
        came = await _came(database, wanted)
        if came is not None and came["answered_at"] is not None:
            return SelfTest(tuple(Link), None, "", came["id"])
        if came is not None and came["route"] != "talk":
            return _broken(Link.ANSWER, came, f" It was: {came['route']}.")
        now = loop.time()
        if over_since is None and await _is_over(numbers, call):
            over_since = now
        if now >= until or (over_since is not None and now - over_since >= _LATE_SECONDS):
            return _broken(Link.RING if came is None else Link.MEDIA, came)
        await asyncio.sleep(_LOOK_SECONDS)


def _broken(link: Link, came: Mapping[str, Any] | None, more: str = "") -> SelfTest:
    chain = list(Link)
    return SelfTest(chain[: chain.index(link)], link, _BROKEN[link] + more, came["id"] if came else None)


async def _is_over(numbers: Numbers, call: str) -> bool:
    try:
        leg: Leg | None = await numbers.look_up(call)
    except ProviderError:
        return False  # asked again, until time is over
    return leg is None or leg.state.is_over


async def _came(database: Database, wanted: _Wanted) -> Mapping[str, Any] | None:
    # Calls stand above this folder: so they are read as the database has them.
    async with database.transaction(user=wanted.user) as db:
        found = await db.execute(
            text(
                "SELECT id, route, answered_at FROM calls WHERE user_id = :user AND number_id = :number"
                " AND caller = :caller AND started_at >= :since ORDER BY started_at LIMIT 1"
            ),
            {"user": wanted.user, "number": wanted.number, "caller": wanted.caller, "since": wanted.since},
        )
        row = found.mappings().first()
        return dict(row) if row is not None else None
