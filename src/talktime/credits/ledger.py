"""The life of a charge: each verb is one call of one database function (`sql/30_holds.sql`), which is the only writer.

They run inside the caller's transaction; given the `Database`, as one statement of their own. Asked a second time they
give the first answer, so every step of a call can be run again after a crash. Seconds are whole seconds, credits
whole credits.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from talktime.credits.functions import NotTheOwner, many, one, whole32
from talktime.credits.models import HoldState
from talktime.db.session import Database

__all__ = ["NotTheOwner"]


@dataclass(frozen=True, slots=True)
class Authorisation:
    """May the call begin?"""

    allowed: bool
    reason: str | None
    """Why not: `blocked`, `too_many_calls`, `debt`, `no_credit`, `no_price`, the name of a spend guard (`day_limit`,
    `call_limit`, `caller_limit`); `over` when it ended before."""
    granted_seconds: int
    held: int
    fresh: bool


@dataclass(frozen=True, slots=True)
class Claim:
    """Whether the hold is ours from now on."""

    claimed: bool
    granted_seconds: int | None
    cut_at: datetime | None


@dataclass(frozen=True, slots=True)
class Extension:
    """Where the hold stands after a request for more time."""

    extended: bool
    state: HoldState
    granted_seconds: int
    cut_at: datetime
    held: int
    reason: str | None
    """Why not in full: `no_credit`, `blocked`, `debt`, a spend guard's name, `cut`, `over`, `repeated`, `stale`."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What the call came to."""

    fresh: bool
    state: HoldState
    charged: int
    unbilled: int
    balance: int


@dataclass(frozen=True, slots=True)
class Loss:
    """Whether the call was given up by its owner, and what is known of it."""

    lost: bool
    used_seconds: int | None
    answered: bool


async def authorise(
    db: AsyncSession, user: uuid.UUID, call: uuid.UUID, price: uuid.UUID | None = None
) -> Authorisation:
    """Hold the first slice for a call, or say why not. Without a price, the one that holds for this user now."""
    return Authorisation(**await one(db, "authorise_v1", user, call=call, price=price))


async def answer(db: AsyncSession, user: uuid.UUID, call: uuid.UUID, owner: str) -> Claim:
    """Claim an authorised hold for the process `owner`, once."""
    return Claim(**await one(db, "answer_v1", user, call=call, owner=owner))


async def heartbeat(
    db: AsyncSession, owner: str, used_seconds: Mapping[tuple[uuid.UUID, uuid.UUID], int]
) -> set[tuple[uuid.UUID, uuid.UUID]]:
    """Renew the leases of the calls (user, call) and write their proven talk; gives back those still owned."""
    if not used_seconds:
        return set()
    keys = list(used_seconds)
    rows = await many(
        db,
        "heartbeat_v1",
        owner=owner,
        users=[user for user, _ in keys],
        calls=[call for _, call in keys],
        many_seconds=[whole32(used_seconds[key], "seconds") for key in keys],
    )
    return {(row["user_id"], row["call_id"]) for row in rows}


async def extend(
    db: AsyncSession | Database,
    user: uuid.UUID,
    call: uuid.UUID,
    owner: str,
    request_no: int,
    *,
    slice_seconds: int = 60,
) -> Extension:
    """Ask for more time. Raises NotTheOwner, NotFound."""
    row = await one(
        db,
        "extend_v1",
        user,
        call=call,
        owner=owner,
        request_no=whole32(request_no, "request number"),
        slice=whole32(slice_seconds, "slice"),
    )
    return Extension(**{**row, "state": HoldState(row["state"])})


async def cut(db: AsyncSession | Database, user: uuid.UUID, call: uuid.UUID, owner: str) -> bool:
    """Claim the right to cut the call off; true once, when it is due."""
    return bool((await one(db, "cut_v1", user, call=call, owner=owner))["cut_v1"])


async def settle(
    db: AsyncSession | Database, user: uuid.UUID, call: uuid.UUID, seconds: int, not_charged_reason: str | None = None
) -> Settlement:
    """Turn the hold into ledger lines, once."""
    row = await one(db, "settle_v1", user, call=call, seconds=whole32(seconds, "seconds"), reason=not_charged_reason)
    return Settlement(**{**row, "state": HoldState(row["state"])})


async def lose(db: AsyncSession, user: uuid.UUID, call: uuid.UUID) -> Loss:
    """Free the slot of a call whose lease ran out; its money stays held until it is settled."""
    return Loss(**await one(db, "lose_v1", user, call=call))


async def give_up(db: AsyncSession, user: uuid.UUID, call: uuid.UUID) -> bool:
    """A lost call is about to be hung up: its owner cannot take it up again. False when it has done so already."""
    return bool((await one(db, "give_up_v1", user, call=call))["give_up_v1"])
