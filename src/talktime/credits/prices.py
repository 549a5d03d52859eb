"""The price list: everybody's prices and those of single customers, each with the moment it begins.

The rule: a price is added, never changed, so what held at any moment can be read for ever. A running call keeps the
price it rang at, which stands on its hold.
"""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts import audit
from talktime.accounts.models import User
from talktime.credits.functions import whole
from talktime.credits.models import Price, PriceKind
from talktime.credits.operators import require_operator
from talktime.errors import BadInput, Conflict, NotFound

RATE_MAX = 10**9
SECONDS_MAX = 3600
_FIGURES = ("credits_per_minute", "connection_fee", "initial_seconds", "increment_seconds", "free_seconds")
TOLERANCE = timedelta(minutes=1)
"""How old "from now on" may be when it arrives: clocks differ, and a form takes a moment."""


class PriceInThePast(BadInput):
    """A price begins now or later: what has been charged stays as it was."""


class NothingToFollow(Conflict):
    """There is no price for everybody at that moment, so nothing of this customer would be answered: set one first."""


class FreeByMistake(BadInput):
    """A rate of zero makes calls free of charge: say that this is meant, or give a rate from 1 up."""


async def set_price(
    db: AsyncSession,
    *,
    user: uuid.UUID | None,
    kind: PriceKind,
    credits_per_minute: int,
    connection_fee: int = 0,
    initial_seconds: int = 60,
    increment_seconds: int = 60,
    free_seconds: int = 0,
    valid_from: datetime | None = None,
    actor: uuid.UUID,
    allow_free: bool = False,
) -> Price:
    """Add a price, everybody's when it names no user, that holds from `valid_from` (None: now) until a newer one.

    Figures that hold by then anyway give the price they hold by, so the same again changes nothing; others for the very
    moment when a price begins are a Conflict. Raises BadInput, NotAnOperator, NotFound. Needs a transaction that is
    everyone's.
    """
    figures = {
        "credits_per_minute": _between(credits_per_minute, "rate in credits per minute", 0, RATE_MAX),
        "connection_fee": _between(connection_fee, "connection fee", 0, RATE_MAX),
        "initial_seconds": _between(initial_seconds, "first step in seconds", 1, SECONDS_MAX),
        "increment_seconds": _between(increment_seconds, "step in seconds", 1, SECONDS_MAX),
        "free_seconds": _between(free_seconds, "time that is free, in seconds,", 0, SECONDS_MAX),
    }
    if credits_per_minute == 0 and allow_free is not True:
        raise FreeByMistake
    kind = _kind(kind)
    await require_operator(db, actor)
    if user is not None and await db.get(User, user) is None:
        raise NotFound("There is no such user.")
    begins = await _begin(db, valid_from)
    there = await _newest(db, user, kind, begins)
    is_same = there is not None and all(getattr(there, name) == value for name, value in figures.items())
    if there is not None and is_same and not there.follows_list:
        return there
    if there is not None and there.valid_from == begins:
        raise Conflict("Another price begins at that moment already: choose a later one.")
    price = Price(user_id=user, kind=kind, valid_from=begins, created_by=actor, **figures)
    db.add(price)
    await db.flush()
    await _record(db, "price.set", actor, before=there, after=price)
    return price


async def follow_list(
    db: AsyncSession, *, user: uuid.UUID, kind: PriceKind, valid_from: datetime | None = None, actor: uuid.UUID
) -> Price | None:
    """End a user's own price: from `valid_from` (None: now) on everybody's holds for them, whatever it then becomes.

    None when they have no price of their own by then; the same again changes nothing. Of their own prices those that
    begin later still begin. Raises NothingToFollow, Conflict, BadInput, NotAnOperator. Needs a transaction that is
    everyone's.
    """
    kind = _kind(kind)
    await require_operator(db, actor)
    begins = await _begin(db, valid_from)
    there = await _newest(db, user, kind, begins)
    if there is None or there.follows_list:
        return there
    if there.valid_from == begins:
        raise Conflict("Another price begins at that moment already: choose a later one.")
    if await _newest(db, None, kind, begins) is None:
        raise NothingToFollow
    # A line more, like every change of a price. Its figures are those that it ends: they are charged to nobody.
    figures = {name: getattr(there, name) for name in _FIGURES}
    price = Price(user_id=user, kind=kind, valid_from=begins, created_by=actor, follows_list=True, **figures)
    db.add(price)
    await db.flush()
    await _record(db, "price.ended", actor, before=there, after=price)
    return price


async def price_of(db: AsyncSession, user: uuid.UUID, at: datetime, kind: PriceKind = PriceKind.CALL) -> Price | None:
    """The price that holds for a user at a moment: the newest of their own that had begun, else of everybody's.

    The newest of everybody's, too, when the newest of their own follows the list.
    """
    own = await _newest(db, user, _kind(kind), _aware(at))
    return own if own is not None and not own.follows_list else await _newest(db, None, _kind(kind), at)


async def price_for_everybody(db: AsyncSession, at: datetime, kind: PriceKind = PriceKind.CALL) -> Price | None:
    """The price that holds for whoever has none of their own; None where none is set."""
    return await _newest(db, None, _kind(kind), _aware(at))


async def price_list(db: AsyncSession, at: datetime) -> Sequence[Price]:
    """What holds at a moment: everybody's prices first, then those that single users have of their own."""
    newest = (
        select(Price.id)
        .ext(distinct_on(Price.user_id, Price.kind))
        .where(Price.valid_from <= _aware(at))
        .order_by(Price.user_id, Price.kind, Price.valid_from.desc(), Price.id.desc())
    )
    listed = select(Price).where(Price.id.in_(newest), Price.follows_list.is_(False))
    return (await db.execute(listed.order_by(Price.user_id.asc().nulls_first(), Price.kind))).scalars().all()


async def history(
    db: AsyncSession, user: uuid.UUID | None, kind: PriceKind = PriceKind.CALL, *, limit: int = 200
) -> Sequence[Price]:
    """Every price there was, is and will be for a user (None: everybody's), newest first."""
    every = select(Price).where(_whose(user), Price.kind == _kind(kind))
    return (await db.execute(every.order_by(Price.valid_from.desc(), Price.id.desc()).limit(limit))).scalars().all()


async def _newest(db: AsyncSession, user: uuid.UUID | None, kind: PriceKind, at: datetime) -> Price | None:
    """The line that counts for a user, or (None) for everybody, at a moment."""
    begun = select(Price).where(_whose(user), Price.kind == kind, Price.valid_from <= at)
    return (await db.execute(begun.order_by(Price.valid_from.desc(), Price.id.desc()).limit(1))).scalar_one_or_none()


async def _record(db: AsyncSession, act: str, actor: uuid.UUID, *, before: Price | None, after: Price) -> None:
    """In the audit log a price for everybody is about the operator who set it."""
    held = None if before is None or before.follows_list else {name: getattr(before, name) for name in _FIGURES}
    holds = {} if after.follows_list else {name: getattr(after, name) for name in _FIGURES}
    about = {"price_id": str(after.id), "kind": after.kind.value, "valid_from": after.valid_from.isoformat()}
    everybody = {"everybody": after.user_id is None}
    await audit.record(db, after.user_id or actor, actor, act, before=held, after={**about, **everybody, **holds})


async def _begin(db: AsyncSession, valid_from: datetime | None) -> datetime:
    """The moment a price begins, by the database's clock, which is the one that calls are priced by."""
    # Of one that is a little late the seconds that have gone by stay as they were charged.
    now: datetime = (await db.execute(select(func.clock_timestamp()))).scalar_one()
    if valid_from is None:
        return now
    if _aware(valid_from) < now - TOLERANCE:
        raise PriceInThePast
    return max(valid_from.astimezone(UTC), now)


def _whose(user: uuid.UUID | None) -> ColumnElement[bool]:
    return Price.user_id.is_(None) if user is None else Price.user_id == user


def _kind(kind: PriceKind) -> PriceKind:
    try:
        return PriceKind(kind)
    except ValueError as error:
        raise BadInput(f"A price is for {' or '.join(PriceKind)}, not for {kind!r}.") from error


def _aware(at: datetime) -> datetime:
    if at.utcoffset() is None:
        raise BadInput("A moment has a date, a time and a zone.")
    return at


def _between(value: int, name: str, low: int, high: int) -> int:
    if not low <= whole(value, name) <= high:
        raise BadInput(f"The {name} is {low:,} to {high:,}, not {value:,}.")
    return value
