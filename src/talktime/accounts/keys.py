"""API keys: what a program carries instead of a browser's session, and what each may do.

The rules: a key is shown once, and only its hash is kept; it says of itself that it is one of ours, so that a scanner
finds one that was published. A key of somebody who may not come in opens nothing. Making and revoking one asks for an
owner who has proven a short while ago who they are: the door's to see to (`sessions.require_confirmed`).
"""

import math
import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts import audit
from talktime.accounts.models import ApiKey, Role, User
from talktime.accounts.throttle import Limit, network_of
from talktime.db.base import new_id
from talktime.db.session import Database
from talktime.errors import BadInput, Conflict, NotFound, Refused, TalktimeError
from talktime.security import new_token, sign, token_hash

ENTER_WHY = "whose key it is nobody knows before it is found"
BEGINNING = "tt_live_"
KEYS_MAX = 20
NAME_LENGTH_MAX = 80
GUESSES = Limit("keys guessed from a network", 50, 10)
_ACCOUNT_FACTOR = 2
"""All keys of an account together may ask so many times what one may."""
_PREFIX_LENGTH = len(BEGINNING) + 4


class Scope(StrEnum):
    """What a key may do. Writing does not include reading."""

    ACCOUNT_READ = "account:read"
    ACCOUNT_WRITE = "account:write"
    AGENTS_READ = "agents:read"
    AGENTS_WRITE = "agents:write"
    CALLS_READ = "calls:read"
    CALLS_WRITE = "calls:write"
    CREDITS_READ = "credits:read"
    CREDITS_WRITE = "credits:write"
    NUMBERS_READ = "numbers:read"
    NUMBERS_WRITE = "numbers:write"
    WEBHOOKS_READ = "webhooks:read"
    WEBHOOKS_WRITE = "webhooks:write"
    KEYS_READ = "keys:read"
    KEYS_WRITE = "keys:write"
    ADMIN_READ = "admin:read"
    ADMIN_WRITE = "admin:write"


OPERATORS_SCOPES = frozenset({Scope.ADMIN_READ, Scope.ADMIN_WRITE})
"""For keys of operators, and for as long as their owner is one."""


class NoKeyName(BadInput):
    """Give the key a name by which you know it again, in at most 80 characters on one line."""

    field = "name"


class NoScopes(BadInput):
    """Choose at least one thing that the key may do, of those that there are."""

    field = "scopes"


class NotYoursToGive(Refused):
    """A key gives no other key what it may not do itself, and only an operator's may do what operators do."""

    field = "scopes"


class TooManyKeys(Conflict):
    """There are 20 keys already: revoke one that is not used any more."""


class NoSuchKey(NotFound):
    """There is no such key."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much a key may ask at once, what is left of it, and when all of it is there again."""

    limit: int
    remaining: int
    reset_seconds: int


class TooManyRequests(TalktimeError):
    """That is more than may be asked in so short a time. Wait as long as Retry-After says, then go on more slowly."""

    status = 429

    def __init__(self, retry_after: int, allowance: Allowance | None) -> None:
        super().__init__()
        self.retry_after = retry_after
        """Seconds until the next request."""
        self.allowance = allowance
        """None for somebody who has shown no key that works."""


@dataclass(frozen=True, slots=True)
class KeyIdentity:
    """Which program is asking, and in whose name."""

    key_id: uuid.UUID
    user_id: uuid.UUID
    scopes: frozenset[str]
    role: Role
    zone: str
    locale: str


async def make(
    db: AsyncSession,
    user: uuid.UUID,
    name: str,
    scopes: Iterable[str],
    *,
    within: Collection[str] | None = None,
) -> tuple[ApiKey, str]:
    """A new key, and its text, which is shown now and never again. Needs a transaction that is everyone's.

    `within` is what the key may do that asks for another. Raises NoKeyName, NoScopes, NotYoursToGive, TooManyKeys.
    """
    name = name.strip()
    if not name.isprintable() or not 1 <= len(name) <= NAME_LENGTH_MAX:
        raise NoKeyName
    chosen = sorted(set(scopes))
    if not chosen or not set(chosen) <= set(Scope):
        raise NoScopes
    if within is not None and not set(chosen) <= set(within):
        raise NotYoursToGive
    role = await db.scalar(select(User.role).where(User.id == user).with_for_update(key_share=True))
    if role is not Role.ADMIN and OPERATORS_SCOPES & set(chosen):
        raise NotYoursToGive
    # Those whose place was taken end by themselves.
    staying = func.count().filter(ApiKey.expires_at.is_(None))
    stay, there_are = (await db.execute(select(staying, func.count()).where(ApiKey.user_id == user, _WORKS))).one()
    if stay >= KEYS_MAX or there_are >= 2 * KEYS_MAX:
        raise TooManyKeys
    text = BEGINNING + new_token()
    key = ApiKey(
        id=new_id(),
        key_hash=token_hash(text),
        user_id=user,
        name=name,
        prefix=text[:_PREFIX_LENGTH],
        scopes=[str(scope) for scope in chosen],
    )
    db.add(key)
    await db.flush()
    await db.refresh(key)
    await audit.record(db, user, user, "key.made", after={"key": str(key.id), "scopes": key.scopes})
    return key, text


async def enter(
    database: Database, secret: bytes, text: str, *, address: str | None, per_minute: int, burst: int
) -> tuple[KeyIdentity, Allowance] | None:
    """Whose key this is, and what it may still ask after this request, which is counted: for the key, and for all keys
    of its owner together, who may ask twice as much. None for one that opens nothing.

    One round trip and a transaction of its own: what is counted stays counted, whatever becomes of the request. Wrong
    keys are guesses, and counted by where they come from. Raises TooManyRequests.
    """
    network, hashed = network_of(address), token_hash(text)
    leak_seconds = 60 / per_minute
    row = await database.statement_for(
        everyone=ENTER_WHY,
        function="enter_api_v1",
        arguments=[
            ("bytea", hashed),
            ("bytea", token_hash(sign(secret, "throttle", GUESSES.name, network))),
            ("bytea", token_hash(sign(secret, "throttle", "a guess", network, hashed.hex()))),
            ("double precision", float(GUESSES.size)),
            ("double precision", float(GUESSES.leak_seconds)),
            ("double precision", float(burst)),
            ("double precision", float(burst * _ACCOUNT_FACTOR)),
            ("double precision", leak_seconds),
        ],
    )
    assert row is not None, "a function gives a row"
    remaining = int(row["remaining"] or 0)
    allowance = Allowance(burst, remaining, math.ceil((burst - remaining) * leak_seconds)) if row["key_id"] else None
    if row["wait_seconds"] and row["wait_seconds"] > 0:
        raise TooManyRequests(math.ceil(row["wait_seconds"]), allowance)
    if allowance is None:
        return None
    identity = KeyIdentity(
        row["key_id"], row["user_id"], frozenset(row["scopes"]), Role(row["role"]), row["zone"], row["locale"]
    )
    return identity, allowance


async def rotate(
    db: AsyncSession, user: uuid.UUID, key: uuid.UUID, *, old_works: timedelta, within: Collection[str] | None = None
) -> tuple[ApiKey, str]:
    """A new key in the place of one that works, with its name and scopes, and its text; the old one ends when so much
    time is over. Needs a transaction that is everyone's. Raises NoSuchKey, NotYoursToGive, TooManyKeys."""
    chosen = select(ApiKey).where(ApiKey.id == key, ApiKey.user_id == user, _WORKS).with_for_update()
    old = await db.scalar(chosen.execution_options(populate_existing=True))
    if old is None:
        raise NoSuchKey
    ends = func.now() + old_works
    await db.execute(
        update(ApiKey)
        .where(ApiKey.id == key)
        .values(expires_at=func.least(func.coalesce(ApiKey.expires_at, ends), ends))
    )
    made, text = await make(db, user, old.name, old.scopes, within=within)
    after: dict[str, audit.Value] = {"key": str(key), "new_key": str(made.id)}
    await audit.record(db, user, user, "key.rotated", after={**after, "old_seconds": int(old_works.total_seconds())})
    return made, text


async def revoke(db: AsyncSession, user: uuid.UUID, key: uuid.UUID, *, actor: uuid.UUID | None = None) -> bool:
    """End a key of this user for good; False when there is no such one. Revoking it again changes nothing. `actor` is
    whoever does it for them."""
    revoked = await db.execute(
        update(ApiKey)
        .where(ApiKey.id == key, ApiKey.user_id == user, ApiKey.revoked_at.is_(None))
        .values(revoked_at=func.now())
        .returning(ApiKey.id)
    )
    if revoked.first() is not None:
        await audit.record(db, user, actor or user, "key.revoked", after={"key": str(key)})
        return True
    return await db.scalar(select(ApiKey.id).where(ApiKey.id == key, ApiKey.user_id == user)) is not None


async def one(db: AsyncSession, user: uuid.UUID, key: uuid.UUID) -> ApiKey:
    """One key of a user, also a revoked one. Raises NoSuchKey. Needs a transaction that is everyone's."""
    found = await db.scalar(select(ApiKey).where(ApiKey.id == key, ApiKey.user_id == user))
    if found is None:
        raise NoSuchKey
    return found


async def of_user(db: AsyncSession, user: uuid.UUID) -> Sequence[ApiKey]:
    """The keys of a user that work, newest first."""
    found = await db.scalars(select(ApiKey).where(ApiKey.user_id == user, _WORKS).order_by(ApiKey.id.desc()))
    return found.all()


_WORKS = ApiKey.revoked_at.is_(None) & (ApiKey.expires_at.is_(None) | (ApiKey.expires_at > func.now()))
