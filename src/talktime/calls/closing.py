"""What it means for the calls of an account that it is closed (`privacy/closing.py`) or suspended. Closed: what runs is
ended, and what it cost is settled. Suspended: nothing starts or is extended until it is active again, and what runs may
use what it was granted.

The rule: the books are told first, in one transaction, and the telephone second, outside of it. From then on no call of
this account begins, is answered, or is extended, whatever happens to us; each step can be run again. Whoever carries a
call settles it; the meter sees at its next heartbeat that the call was cut off, and behind both stands the sweep.
"""

import asyncio
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from talktime import log
from talktime.accounts import audit
from talktime.accounts.models import User, UserStatus
from talktime.accounts.operators import one_by_one
from talktime.accounts.people import withdraw
from talktime.carriers.contract import Carrier
from talktime.credits import money
from talktime.credits.operators import require_operator
from talktime.db.session import Database
from talktime.errors import BadInput, Conflict, NotFound, ProviderError

SUSPENDS_WHY = "the operator suspends somebody else's account, or ends that"
_HANG_UP_SECONDS = 8.0
_LOOK_SECONDS = 0.25
_BECAUSE_MAX = 200
_LOGGER = log.get(__name__)


class AlreadyClosed(Conflict):
    """This account is closed, and stays closed."""


@dataclass(frozen=True, slots=True)
class OpenCall:
    """A call that has not been settled, and how its carrier knows it."""

    call_id: uuid.UUID
    carrier: str
    carrier_call_id: str


async def open_calls(db: AsyncSession, user: uuid.UUID) -> list[OpenCall]:
    """The calls of somebody that are not settled yet."""
    rows = await db.execute(
        text(
            # A leg to a person ends with the call of its caller, also before it has a name.
            "SELECT h.call_id, c.carrier, coalesce(p.carrier_call_id, c.carrier_call_id) FROM credit_holds h"
            " JOIN calls c ON c.user_id = h.user_id AND c.id = h.call_id"
            " LEFT JOIN calls p ON p.user_id = c.user_id AND p.id = c.parent_id"
            " WHERE h.user_id = :user AND h.settled_at IS NULL ORDER BY h.call_id"
        ),
        {"user": user},
    )
    return [OpenCall(*row) for row in rows]


async def hang_up(carriers: Mapping[str, Carrier], calls: Sequence[OpenCall]) -> int:
    """End these calls at their carriers, all at once and outside of any transaction; gives how many that worked for."""
    return sum(await asyncio.gather(*(_hang_up(carriers, call) for call in calls)))


async def settled(database: Database, user: uuid.UUID, seconds_max: float) -> Sequence[uuid.UUID]:
    """Wait at most so long until every call of somebody is settled; gives those that are not."""
    until = time.monotonic() + seconds_max
    while True:
        async with database.transaction(user=user) as db:
            left = await open_calls(db, user)
        if not left or time.monotonic() >= until:
            return [call.call_id for call in left]
        await asyncio.sleep(_LOOK_SECONDS)


async def suspend(db: AsyncSession, user: uuid.UUID, actor: uuid.UUID, because: str) -> None:
    """Let nobody sign in and nothing start or extend on an account, until it is active again. Running calls go on as
    far as they were granted, and who rings gets the ladder.

    Suspending again changes the reason. Raises NotFound, NotAnOperator, BadInput, AlreadyClosed; Conflict for oneself,
    so there is always an operator left.
    """
    await one_by_one(db)
    await require_operator(db, actor)
    because = because.strip()
    if not because.isprintable() or not 1 <= len(because) <= _BECAUSE_MAX:
        raise BadInput(f"Say why the account is suspended, in at most {_BECAUSE_MAX} characters on one line.")
    if user == actor:
        raise Conflict("Nobody suspends themselves: let another operator do it.")
    await _refuse_closed(db, user)
    # With a word before it: the books know what is closed by its reason, and that is not for anybody to type.
    await money.block(db, user, f"suspended: {because}")
    before = await _set_status(db, user, UserStatus.SUSPENDED)
    # Also when only the reason changes; that stands on the account, and is no text for a log that stays.
    after = {"status": UserStatus.SUSPENDED.value}
    await audit.record(db, user, actor, "user.suspended", before={"status": before.value}, after=after)
    # An operator leaves nothing open in which they would still be somebody else.
    await withdraw(db, user, actor)
    _LOGGER.info("account suspended", user_id=str(user), actor_id=str(actor))


async def activate(db: AsyncSession, user: uuid.UUID, actor: uuid.UUID) -> None:
    """End a suspension; an account that is active stays so. Raises NotFound, NotAnOperator, AlreadyClosed."""
    await require_operator(db, actor)
    await _refuse_closed(db, user)
    await money.block(db, user, None)
    before = await _set_status(db, user, UserStatus.ACTIVE)
    if before is not UserStatus.ACTIVE:
        after = {"status": UserStatus.ACTIVE.value}
        await audit.record(db, user, actor, "user.activated", before={"status": before.value}, after=after)
    _LOGGER.info("account active again", user_id=str(user), actor_id=str(actor))


async def _refuse_closed(db: AsyncSession, user: uuid.UUID) -> UserStatus:
    status = await db.scalar(select(User.status).where(User.id == user))
    if status is None:
        raise NotFound("There is no such user.")
    if status is UserStatus.CLOSED:
        raise AlreadyClosed
    return status


async def _set_status(db: AsyncSession, user: uuid.UUID, status: UserStatus) -> UserStatus:
    """After the books were told, which lock the account and refuse one that was closed a moment ago; so what it was
    before, which this gives, is what it is now."""
    before = await _refuse_closed(db, user)
    changed = await db.execute(
        update(User).where(User.id == user, User.status != UserStatus.CLOSED).values(status=status).returning(User.id)
    )
    if changed.first() is None:
        raise AlreadyClosed
    return before


async def _hang_up(carriers: Mapping[str, Carrier], call: OpenCall) -> bool:
    """End one call at its carrier; False when that did not work, and somebody else has to see to it."""
    try:
        async with asyncio.timeout(_HANG_UP_SECONDS):
            await carriers[call.carrier].hang_up(call.carrier_call_id)
    except (ProviderError, KeyError, TimeoutError) as error:
        # Its owner ends it at the next heartbeat, because the hold was cut off.
        _LOGGER.warning("a call of a closed account was not hung up", call_id=str(call.call_id), error=repr(error))
        return False
    return True
