"""The verbs of the books: each is one call of one database function (`sql/`), which is the only writer.

They run inside the caller's transaction. Asked a second time they give the first answer, so every step of a call can be
run again after a crash. Seconds are whole seconds, credits whole credits.
"""

import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Row, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.credits.models import HoldState
from talktime.errors import BadInput, Conflict, NotFound, Refused, TalktimeError


class NotEnoughCredit(TalktimeError):
    """There are not so many free credits."""

    status = 402


class NotTheOwner(Conflict):
    """Another process carries this call."""


Kind = TypeVar("Kind")

_ERRORS: Mapping[str, type[TalktimeError]] = {
    "TT402": NotEnoughCredit,
    "TT403": Refused,
    "TT404": NotFound,
    "TT409": Conflict,
    "TT410": NotTheOwner,
    "TT422": BadInput,
}


@dataclass(frozen=True, slots=True)
class Authorisation:
    """May the call begin?"""

    allowed: bool
    reason: str | None
    """Why not: `blocked`, `too_many_calls`, `debt`, `no_credit`, `no_price`; `over` when it ended before."""
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
    """Why not in full: `no_credit`, `blocked`, `debt`, `cut`, `over`, `repeated`, `stale`."""


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


@dataclass(frozen=True, slots=True)
class Posting:
    """A line of the ledger."""

    fresh: bool
    seq: int
    amount: int
    balance_after: int


@dataclass(frozen=True, slots=True)
class Limits:
    """How far running calls may go, and how many at once."""

    grace_limit: int
    max_open_calls: int
    clawback_debt: int


async def authorise(
    db: AsyncSession, user: uuid.UUID, call: uuid.UUID, price: uuid.UUID | None = None
) -> Authorisation:
    """Hold the first slice for a call, or say why not. Without a price, the one that holds for this user now."""
    return _value(
        Authorisation, await _one(db, "authorise_v1(:user, :call, :price)", user=user, call=call, price=price)
    )


async def answer(db: AsyncSession, user: uuid.UUID, call: uuid.UUID, owner: str) -> Claim:
    """Claim an authorised hold for the process `owner`, once."""
    return _value(Claim, await _one(db, "answer_v1(:user, :call, :owner)", user=user, call=call, owner=owner))


async def heartbeat(
    db: AsyncSession, owner: str, used_seconds: Mapping[tuple[uuid.UUID, uuid.UUID], int]
) -> set[tuple[uuid.UUID, uuid.UUID]]:
    """Renew the leases of the calls (user, call) and write their proven talk; gives back those still owned."""
    if not used_seconds:
        return set()
    keys = list(used_seconds)
    values = {
        "owner": owner,
        "users": [user for user, _ in keys],
        "calls": [call for _, call in keys],
        "used": [_whole(used_seconds[key], "seconds") for key in keys],
    }
    async with typed_errors():
        rows = await db.execute(text("SELECT * FROM heartbeat_v1(:owner, :users, :calls, :used)"), values)
    return {(row.user_id, row.call_id) for row in rows}


async def extend(
    db: AsyncSession, user: uuid.UUID, call: uuid.UUID, owner: str, request_no: int, *, slice_seconds: int = 60
) -> Extension:
    """Ask for more time. Raises NotTheOwner, NotFound."""
    row = await _one(
        db,
        "extend_v1(:user, :call, :owner, :request_no, :slice)",
        user=user,
        call=call,
        owner=owner,
        request_no=_whole(request_no, "request number"),
        slice=_whole(slice_seconds, "slice"),
    )
    return Extension(
        extended=row.extended,
        state=HoldState(row.state),
        granted_seconds=row.granted_seconds,
        cut_at=row.cut_at,
        held=row.held,
        reason=row.reason,
    )


async def cut(db: AsyncSession, user: uuid.UUID, call: uuid.UUID, owner: str) -> bool:
    """Claim the right to cut the call off; true once, when it is due."""
    (claimed,) = await _one(db, "cut_v1(:user, :call, :owner) AS claimed", user=user, call=call, owner=owner)
    return bool(claimed)


async def settle(
    db: AsyncSession, user: uuid.UUID, call: uuid.UUID, seconds: int, not_charged_reason: str | None = None
) -> Settlement:
    """Turn the hold into ledger lines, once."""
    row = await _one(
        db,
        "settle_v1(:user, :call, :seconds, :reason)",
        user=user,
        call=call,
        seconds=_whole(seconds, "seconds"),
        reason=not_charged_reason,
    )
    return Settlement(row.fresh, HoldState(row.state), row.charged, row.unbilled, row.balance)


async def lose(db: AsyncSession, user: uuid.UUID, call: uuid.UUID) -> Loss:
    """Free the slot of a call whose lease ran out; its money stays held until it is settled."""
    return _value(Loss, await _one(db, "lose_v1(:user, :call)", user=user, call=call))


async def give_up(db: AsyncSession, user: uuid.UUID, call: uuid.UUID) -> bool:
    """A lost call is about to be hung up: its owner cannot take it up again. False when it has done so already."""
    (given_up,) = await _one(db, "give_up_v1(:user, :call) AS given_up", user=user, call=call)
    return bool(given_up)


async def purchase(db: AsyncSession, user: uuid.UUID, purchase_id: uuid.UUID) -> Posting:
    """Turn a paid purchase into credits, once."""
    return _value(Posting, await _one(db, "purchase_v1(:user, :purchase)", user=user, purchase=purchase_id))


async def adjust(
    db: AsyncSession,
    user: uuid.UUID,
    *,
    reference: str,
    amount: int,
    reason: str,
    actor: uuid.UUID,
    as_debt: bool = False,
) -> Posting:
    """Give (or, negative, take) credits by hand; the reference makes it happen once. Raises NotEnoughCredit."""
    row = await _one(
        db,
        "adjust_v1(:user, :reference, :amount, :reason, :actor, :as_debt)",
        user=user,
        reference=reference,
        amount=_whole(amount, "amount"),
        reason=reason,
        actor=actor,
        as_debt=as_debt,
    )
    return _value(Posting, row)


async def set_limits(
    db: AsyncSession, user: uuid.UUID, *, grace_limit: int | None = None, max_open_calls: int | None = None
) -> Limits:
    """Set how far running calls may go below zero and how many may run; None leaves one as it is."""
    row = await _one(
        db,
        "set_limits_v1(:user, :grace, :calls)",
        user=user,
        grace=None if grace_limit is None else _whole(grace_limit, "grace limit"),
        calls=None if max_open_calls is None else _whole(max_open_calls, "number of calls"),
    )
    return _value(Limits, row)


async def block(db: AsyncSession, user: uuid.UUID, reason: str | None) -> None:
    """Let nothing start or extend on this account, or (None) again."""
    await _one(db, "block_v1(:user, :reason)", user=user, reason=reason)


@asynccontextmanager
async def typed_errors() -> AsyncIterator[None]:
    """Turn what the functions raise into the errors of this module; anything else passes through."""
    try:
        yield
    except DBAPIError as error:
        state = getattr(error.orig, "sqlstate", None) or ""
        diagnostic = getattr(error.orig, "diag", None)
        if state in _ERRORS:
            raise _ERRORS[state](diagnostic.message_primary if diagnostic is not None else "") from error
        if isinstance(error, IntegrityError) and "fk_credit_accounts_user_id" in str(error.orig):
            raise NotFound("There is no such user.") from error
        raise


_TYPES: Mapping[str, str] = {
    "user": "uuid",
    "call": "uuid",
    "price": "uuid",
    "purchase": "uuid",
    "actor": "uuid",
    "owner": "text",
    "reference": "text",
    "reason": "text",
    "amount": "bigint",
    "grace": "bigint",
    "calls": "integer",
    "request_no": "integer",
    "slice": "integer",
    "seconds": "integer",
    "as_debt": "boolean",
}
"""psycopg sends a number as the smallest type it fits and None as no type at all: the function is found by casts."""


def _value(kind: type[Kind], row: Row[Any]) -> Kind:
    return kind(**row._mapping)


async def _one(db: AsyncSession, function: str, **values: Any) -> Row[Any]:
    for name in values:
        function = function.replace(f":{name}", f"CAST(:{name} AS {_TYPES[name]})")
    async with typed_errors():
        return (await db.execute(text(f"SELECT * FROM {function}"), values)).one()  # noqa: S608  our own words only


def _whole(value: int, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadInput(f"The {name} must be a whole number, not {value!r}.")
    if abs(value) >= 2**63:
        raise BadInput(f"The {name} {value} is far out of range.")
    return value
