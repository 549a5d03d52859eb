"""How the functions of the books are called from Python: one way in, typed errors out. Nothing is computed here.

Given a session, a function runs inside its transaction; given the `Database`, as one statement of its own, in one round
trip. psycopg sends a number as the smallest type it fits and None as no type at all, so each argument is cast: that is
how the function is found.
"""

import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import DataError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.db.session import Database
from talktime.errors import BadInput, Conflict, NotFound, Refused, TalktimeError


class NotEnoughCredit(TalktimeError):
    """There are not so many free credits."""

    status = 402


class NotTheOwner(Conflict):
    """Another process carries this call."""


_ERRORS: Mapping[str, type[TalktimeError]] = {
    "TT402": NotEnoughCredit,
    "TT403": Refused,
    "TT404": NotFound,
    "TT409": Conflict,
    "TT410": NotTheOwner,
    "TT422": BadInput,
}

# What a row refers to and is not there, by the constraint that says so.
_MISSING: Mapping[str, str] = {
    "fk_credit_accounts_user_id": "There is no such user.",
    "fk_credit_holds_user_id_call_id": "There is no such call.",
    "fk_credit_transactions_actor_id": "There is nobody with the actor's id.",
    "fk_charge_claims_decided_by": "There is nobody with the actor's id.",
}

_TYPES: Mapping[str, str] = {
    "user": "uuid",
    "call": "uuid",
    "price": "uuid",
    "purchase": "uuid",
    "actor": "uuid",
    "number": "uuid",
    "owner": "text",
    "reference": "text",
    "reason": "text",
    "note": "text",
    "kind": "transaction_type",
    "month": "date",
    "amount": "bigint",
    "credits": "bigint",
    "threshold": "bigint",
    "grace": "bigint",
    "day": "bigint",
    "per_call": "bigint",
    "per_caller": "bigint",
    "open_calls": "integer",
    "request_no": "integer",
    "slice": "integer",
    "seconds": "integer",
    "as_debt": "boolean",
    "grant": "boolean",
    "users": "uuid[]",
    "calls": "uuid[]",
    "references": "text[]",
    "reasons": "text[]",
    "amounts": "bigint[]",
    "many_seconds": "integer[]",
    "request_nos": "integer[]",
}


async def one(db: AsyncSession | Database, function: str, user: uuid.UUID, **values: Any) -> dict[str, Any]:
    """The one row of a function whose first argument is the user; `values` come in the order of its arguments."""
    async with typed_errors():
        if isinstance(db, Database):
            return await db.statement(user, function, [(_TYPES[name], value) for name, value in values.items()])
        rows = await db.execute(_select(function, {"user": user, **values}), {"user": user, **values})
        return dict(rows.one()._mapping)


async def many(db: AsyncSession, function: str, **values: Any) -> list[dict[str, Any]]:
    """All rows of a function; `values` come in the order of its arguments."""
    async with typed_errors():
        return [dict(row) for row in (await db.execute(_select(function, values), values)).mappings()]


@asynccontextmanager
async def typed_errors() -> AsyncIterator[None]:
    """Turn what the functions raise into the errors of this module; anything else passes through."""
    try:
        yield
    except UnicodeEncodeError as error:
        raise BadInput("A text contains half of a pair of characters, which cannot be kept.") from error
    except DBAPIError as error:
        state = getattr(error.orig, "sqlstate", None) or ""
        diagnostic = getattr(error.orig, "diag", None)
        if state in _ERRORS:
            raise _ERRORS[state](diagnostic.message_primary if diagnostic is not None else "") from error
        if diagnostic is not None and diagnostic.constraint_name in _MISSING:
            raise NotFound(_MISSING[diagnostic.constraint_name]) from error
        if isinstance(error, DataError) and not state:
            # It never reached the database, so there is no code.
            raise BadInput("A text contains a NUL character, which cannot be kept.") from error
        raise


def whole(value: int, name: str) -> int:
    """A whole number that fits the database, or BadInput: never a float, never a truth value."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadInput(f"The {name} must be a whole number, not {value!r}.")
    if abs(value) >= 2**63:
        raise BadInput(f"The {name} {value} is far out of range.")
    return value


def whole32(value: int, name: str) -> int:
    """The same for what the database keeps in 32 bits: seconds, counts."""
    if abs(whole(value, name)) >= 2**31:
        raise BadInput(f"The {name} {value} is far out of range.")
    return value


def texts(reference: object, reason: object) -> None:
    """A reference and a reason that the ledger can keep, or BadInput."""
    if not isinstance(reference, str) or not 1 <= len(reference.strip()) <= len(reference) <= 180:
        raise BadInput("A reference is 1 to 180 characters, and not blank.")
    if not isinstance(reason, str) or not 1 <= len(reason.strip()) <= len(reason) <= 1000:
        raise BadInput("A reason is 1 to 1000 characters, and not blank.")


def _select(function: str, values: Mapping[str, Any]) -> Any:
    arguments = ", ".join(f"CAST(:{name} AS {_TYPES[name]})" for name in values)
    return text(f"SELECT * FROM {function}({arguments})")  # noqa: S608  our own words only
