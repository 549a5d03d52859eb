"""The verbs that a random history says to the database; each takes a transaction, a customer and its words."""

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.calls import legs
from talktime.credits import ledger, money, prices
from talktime.credits.functions import typed_errors
from talktime.credits.models import PriceKind
from talktime.credits.pricing import Rate

CARRIER = "simulated"


@dataclass(frozen=True)
class Priced:
    """A line of the price list, and what it says."""

    price_id: uuid.UUID
    rate: Rate


async def set_price(
    db: AsyncSession, user: uuid.UUID | None, *, kind: PriceKind, rate: Rate, actor: uuid.UUID
) -> Priced:
    """Somebody's, or (None) everybody's from now on."""
    price = await prices.set_price(db, user=user, kind=kind, **asdict(rate), actor=actor, allow_free=True)
    return Priced(price.id, Rate(**{name: getattr(price, name) for name in asdict(rate)}))


async def follow_list(db: AsyncSession, user: uuid.UUID, *, kind: PriceKind, actor: uuid.UUID) -> bool:
    """Whether there is a line that says so."""
    price = await prices.follow_list(db, user=user, kind=kind, actor=actor)
    assert price is None or price.follows_list
    return price is not None


async def begin_leg(db: AsyncSession, user: uuid.UUID, *, call: uuid.UUID, leg: uuid.UUID, number: str) -> Any:
    """The first half of `transfers.begin`, before the carrier hears of it."""
    async with typed_errors():
        return (
            await db.execute(
                text("SELECT * FROM begin_leg_v1(:user, :call, :leg, :number)"),
                {"user": user, "call": call, "leg": leg, "number": number},
            )
        ).one()


async def name_leg(db: AsyncSession, user: uuid.UUID, *, call: uuid.UUID, called: str) -> bool:
    return await legs.name(db, CARRIER, user, call, called)


async def end_leg(
    db: AsyncSession, user: uuid.UUID, *, call: uuid.UUID, seconds: int, reason: str | None
) -> legs.Ended:
    return await legs.end(db, user, call, seconds=seconds, reason=reason)


VERBS: dict[str, Callable[..., Awaitable[Any]]] = {
    **{name: getattr(ledger, name) for name in ("authorise", "answer", "extend", "cut", "settle", "lose", "give_up")},
    **{
        name: getattr(money, name)
        for name in (
            *("purchase", "reverse", "correct", "waive", "claim", "decide_claim", "adjust", "payout", "rent"),
            *("set_limits", "set_guards", "set_low_balance", "block", "close"),
        )
    },
    "set_price": set_price,
    "follow_list": follow_list,
    "begin_leg": begin_leg,
    "name_leg": name_leg,
    "end_leg": end_leg,
}
OPERATORS = {
    "purchase", "reverse", "adjust", "set_limits", "block", "waive", "decide_claim", "payout", "set_price",
    "follow_list",
}  # fmt: skip
"""These see everyone, so that no customer can do them."""
