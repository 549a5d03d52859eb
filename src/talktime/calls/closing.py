"""Closing an account: nothing starts any more, what runs is ended, and what it cost is settled. And suspending one:
nothing starts or is extended until it is active again, and what runs may use what it was granted.

The rule: the books are told first, in one transaction, and the telephone second, outside of it. From then on no call of
this account begins, is answered, or is extended, whatever happens to us; each step can be run again. Whoever carries a
call settles it; the meter sees at its next heartbeat that the call was cut off, and behind both stands the sweep.
"""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from talktime import log
from talktime.accounts.models import User, UserStatus
from talktime.carriers.contract import Carrier
from talktime.credits import money
from talktime.credits.operators import require_operator
from talktime.db.session import Database
from talktime.errors import BadInput, Conflict, NotFound, ProviderError

WHY = "the operator closes somebody else's account"
SUSPENDS_WHY = "the operator suspends somebody else's account, or ends that"
SETTLES_SECONDS_MAX = 30.0
_HANG_UP_SECONDS = 8.0
_LOOK_SECONDS = 0.25
_BECAUSE_MAX = 200
_LOGGER = log.get(__name__)

ForgetCard = Callable[[uuid.UUID], Awaitable[bool]]
"""Makes the payment company forget somebody's card; False when it did not."""
EndCheckouts = Callable[[AsyncSession, uuid.UUID], Awaitable[int]]
"""Sees to it that what somebody began to buy can be paid no more; gives how much that is. In the transaction that
closes the account, so that neither happens without the other."""


class AlreadyClosed(Conflict):
    """This account is closed, and stays closed."""


@dataclass(frozen=True, slots=True)
class Closed:
    """What came of closing an account."""

    hung_up: int
    """Calls that the carrier took the end of."""
    left: Sequence[uuid.UUID]
    """Calls that are not settled yet: the sweep does it, within two minutes. Closing again says how they stand."""
    checkouts: int
    """Pages where something could still be paid: the payment company is asked to close them, by a job."""
    card_is_gone: bool
    """False: the payment company still has the card, because it did not answer. Closing again asks it again."""


@dataclass(frozen=True, slots=True)
class _Open:
    call_id: uuid.UUID
    carrier: str
    carrier_call_id: str


async def close_account(
    database: Database,
    carriers: Mapping[str, Carrier],
    user: uuid.UUID,
    actor: uuid.UUID,
    *,
    forget_card: ForgetCard,
    end_checkouts: EndCheckouts,
    seconds_max: float = SETTLES_SECONDS_MAX,
) -> Closed:
    """Close an account for good, ending its calls, and wait at most so long for them to be settled.

    Its card is charged no more and forgotten, and what it began to buy can be paid no more. Closing a closed one again
    ends what is still open. Raises NotFound, NotAnOperator.
    """
    async with database.transaction(everyone=WHY) as db:
        await require_operator(db, actor)
        await money.close(db, user)
        done = await db.execute(update(User).where(User.id == user).values(status=UserStatus.CLOSED).returning(User.id))
        if done.first() is None:
            raise NotFound("There is no such user.")
        calls = await _open_calls(db, user)
        # After the account and its owner are closed: a purchase that is begun now waits for that, and is refused.
        checkouts = await end_checkouts(db, user)
    _LOGGER.info("account closed", user_id=str(user), actor_id=str(actor), open_calls=len(calls))
    ends = await asyncio.gather(*(_hang_up(carriers, call) for call in calls))
    card_is_gone = await forget_card(user)
    left = await _wait(database, user, seconds_max if calls else 0)
    return Closed(sum(ends), [call.call_id for call in left], checkouts, card_is_gone)


async def suspend(db: AsyncSession, user: uuid.UUID, actor: uuid.UUID, because: str) -> None:
    """Let nobody sign in and nothing start or extend on an account, until it is active again. Running calls go on as
    far as they were granted, and who rings gets the ladder.

    Suspending again changes the reason. Raises NotFound, NotAnOperator, BadInput, AlreadyClosed; Conflict for oneself.
    """
    await require_operator(db, actor)
    because = because.strip()
    if not because.isprintable() or not 1 <= len(because) <= _BECAUSE_MAX:
        raise BadInput(f"Say why the account is suspended, in at most {_BECAUSE_MAX} characters on one line.")
    if user == actor:
        raise Conflict("Nobody suspends themselves: let another operator do it.")
    await _refuse_closed(db, user)
    # With a word before it: the books know what is closed by its reason, and that is not for anybody to type.
    await money.block(db, user, f"suspended: {because}")
    await _set_status(db, user, UserStatus.SUSPENDED)
    _LOGGER.info("account suspended", user_id=str(user), actor_id=str(actor))


async def activate(db: AsyncSession, user: uuid.UUID, actor: uuid.UUID) -> None:
    """End a suspension; an account that is active stays so. Raises NotFound, NotAnOperator, AlreadyClosed."""
    await require_operator(db, actor)
    await _refuse_closed(db, user)
    await money.block(db, user, None)
    await _set_status(db, user, UserStatus.ACTIVE)
    _LOGGER.info("account active again", user_id=str(user), actor_id=str(actor))


async def _refuse_closed(db: AsyncSession, user: uuid.UUID) -> None:
    status = await db.scalar(select(User.status).where(User.id == user))
    if status is None:
        raise NotFound("There is no such user.")
    if status is UserStatus.CLOSED:
        raise AlreadyClosed


async def _set_status(db: AsyncSession, user: uuid.UUID, status: UserStatus) -> None:
    """After the books were told, which lock the account and refuse one that was closed a moment ago."""
    changed = await db.execute(
        update(User).where(User.id == user, User.status != UserStatus.CLOSED).values(status=status).returning(User.id)
    )
    if changed.first() is None:
        raise AlreadyClosed


async def _open_calls(db: AsyncSession, user: uuid.UUID) -> list[_Open]:
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
    return [_Open(*row) for row in rows]


async def _hang_up(carriers: Mapping[str, Carrier], call: _Open) -> bool:
    """End one call at its carrier; False when that did not work, and somebody else has to see to it."""
    try:
        async with asyncio.timeout(_HANG_UP_SECONDS):
            await carriers[call.carrier].hang_up(call.carrier_call_id)
    except (ProviderError, KeyError, TimeoutError) as error:
        # Its owner ends it at the next heartbeat, because the hold was cut off.
        _LOGGER.warning("a call of a closed account was not hung up", call_id=str(call.call_id), error=repr(error))
        return False
    return True


async def _wait(database: Database, user: uuid.UUID, seconds_max: float) -> list[_Open]:
    """Wait until every call of the account is settled; gives those that are not after so long."""
    until = time.monotonic() + seconds_max
    while True:
        async with database.transaction(everyone=WHY) as db:
            left = await _open_calls(db, user)
        if not left or time.monotonic() >= until:
            return left
        await asyncio.sleep(_LOOK_SECONDS)
