"""Who is asking: the key that came with a request, whose it is, and what it may do.

The rules: a route says what it needs (`caller: Annotated[Caller, needs(Scope.AGENTS_READ)]`), and a route that says
nothing is answered to anybody, which a test allows the description of the API alone. A browser's session opens nothing
here. Whose key it is, and whether it may ask again already, is one round trip, before anything else of a request is
looked at.
"""

import uuid
from dataclasses import dataclass
from typing import Any

from fastapi import Depends, Request

from talktime.accounts import keys
from talktime.accounts.keys import KeyIdentity, Scope, TooManyRequests
from talktime.accounts.models import Role
from talktime.db.session import Database, Transaction
from talktime.errors import Refused, TalktimeError
from talktime.http.address import client_address
from talktime.http.context import Context, context_of

_SCHEME = "bearer"
_LENGTH_MAX = 200
"""Of what is sent as a key: no longer one is looked at."""


class NoKey(TalktimeError):
    """Send an API key that works, as `Authorization: Bearer tt_live_…`. Keys are made on the settings' pages."""

    status = 401


class MissingScope(Refused):
    """This key may not do that: make one that may."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(f"This key may not do that: it lacks the scope {scope.value}. Make a key that has it.")


class NotAnOperatorsKey(Refused):
    """Only a key of an operator opens this."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose program is asking, and what it may do."""

    user: uuid.UUID
    role: Role
    zone: str
    locale: str
    key_id: uuid.UUID
    scopes: frozenset[str]
    context: Context

    @property
    def database(self) -> Database:
        return self.context.database

    def transaction(self, *, snapshot: bool = False) -> Transaction:
        """A transaction that sees what is the caller's. Have it end before the answer is given."""
        return self.database.transaction(user=self.user, snapshot=snapshot)

    def everyone(self, why: str, *, snapshot: bool = False) -> Transaction:
        """A transaction that sees everybody's; `why` is a constant, and stands in docs/everyone.md."""
        return self.database.transaction(everyone=why, snapshot=snapshot)


@dataclass(frozen=True, slots=True)
class Needs:
    """What a route asks of whoever calls it; None is a key, whatever it may do."""

    scope: Scope | None

    async def __call__(self, request: Request) -> Caller:
        caller: Caller = request.state.caller
        return caller


def needs(scope: Scope) -> Any:
    """For a route's signature: the caller, whose key has this scope."""
    return Depends(Needs(scope))


def any_key() -> Any:
    """For a route's signature: the caller, whatever their key may do."""
    return Depends(Needs(None))


async def enter(request: Request, need: Needs) -> Caller:
    """Let a request in: the key is known, may ask now, and may do this. What is left of its allowance is kept in
    `request.state.allowance`. Raises NoKey, TooManyRequests, MissingScope, NotAnOperatorsKey."""
    context = context_of(request)
    settings = context.settings
    text = _key_of(request)
    if text is None:
        raise NoKey
    try:
        found = await keys.enter(
            context.database,
            settings.secret,
            text,
            address=client_address(request, settings),
            per_minute=settings.api_requests_per_minute,
            burst=settings.api_requests_burst,
        )
    except TooManyRequests as error:
        request.state.allowance = error.allowance
        raise
    if found is None:
        raise NoKey
    identity, request.state.allowance = found
    _refuse_unallowed(identity, need)
    return Caller(
        identity.user_id, identity.role, identity.zone, identity.locale, identity.key_id, identity.scopes, context
    )


def _refuse_unallowed(identity: KeyIdentity, need: Needs) -> None:
    if need.scope is None:
        return
    if need.scope not in identity.scopes:
        raise MissingScope(need.scope)
    # Who is no operator any more keeps keys from when they were one.
    if need.scope in keys.OPERATORS_SCOPES and identity.role is not Role.ADMIN:
        raise NotAnOperatorsKey


def _key_of(request: Request) -> str | None:
    """The key of a request; None where none is sent, or several are."""
    said = request.headers.getlist("authorization")
    if len(said) != 1:
        return None
    scheme, _, text = said[0].partition(" ")
    text = text.strip(" ")
    return text if scheme.lower() == _SCHEME and 0 < len(text) <= _LENGTH_MAX else None
