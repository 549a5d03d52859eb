"""API keys: what a program carries instead of a browser's session, and what each may do.

The rules: a key is shown once, and only its hash is kept; it says of itself that it is one of ours, so that a scanner
finds one that was published. A key of somebody who may not come in opens nothing. Making and revoking one asks for an
owner who has proven a short while ago who they are: the door's to see to (`sessions.require_confirmed`).
"""

import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts import audit
from talktime.accounts.models import ApiKey, Role, User, UserStatus
from talktime.accounts.sessions import SEEN_EVERY
from talktime.db.base import new_id
from talktime.errors import BadInput, Conflict
from talktime.security import new_token, token_hash

BEGINNING = "tt_live_"
KEYS_MAX = 20
NAME_LENGTH_MAX = 80
_FORM = re.compile(rf"{BEGINNING}[A-Za-z0-9_-]{{43}}")
_PREFIX_LENGTH = len(BEGINNING) + 4


class Scope(StrEnum):
    """What a key may do. Writing does not include reading."""

    ACCOUNT_READ = "account:read"
    AGENTS_READ = "agents:read"
    AGENTS_WRITE = "agents:write"
    CALLS_READ = "calls:read"
    CREDITS_READ = "credits:read"
    NUMBERS_READ = "numbers:read"


class NoKeyName(BadInput):
    """Give the key a name by which you know it again, in at most 80 characters on one line."""

    field = "name"


class NoScopes(BadInput):
    """Choose at least one thing that the key may do, of those that there are."""

    field = "scopes"


class TooManyKeys(Conflict):
    """There are 20 keys already: revoke one that is not used any more."""


@dataclass(frozen=True, slots=True)
class KeyIdentity:
    """Which program is asking, and in whose name."""

    key_id: uuid.UUID
    user_id: uuid.UUID
    scopes: frozenset[str]
    role: Role
    zone: str
    locale: str


async def make(db: AsyncSession, user: uuid.UUID, name: str, scopes: Iterable[str]) -> tuple[ApiKey, str]:
    """A new key, and its text, which is shown now and never again. Needs a transaction that is everyone's. Raises
    NoKeyName, NoScopes, TooManyKeys."""
    name = name.strip()
    if not name.isprintable() or not 1 <= len(name) <= NAME_LENGTH_MAX:
        raise NoKeyName
    chosen = sorted(set(scopes))
    if not chosen or not set(chosen) <= set(Scope):
        raise NoScopes
    await db.execute(select(User.id).where(User.id == user).with_for_update(key_share=True))
    unrevoked = select(func.count()).where(ApiKey.user_id == user, ApiKey.revoked_at.is_(None))
    if (await db.scalar(unrevoked) or 0) >= KEYS_MAX:
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


async def find(db: AsyncSession, text: str) -> KeyIdentity | None:
    """Whose key this is; None for one that is no key of ours, was revoked, or whose owner may not come in.

    One indexed query. Needs a transaction that is everyone's.
    """
    if not _FORM.fullmatch(text):
        return None
    row = (
        await db.execute(
            select(
                ApiKey.id,
                User.id,
                ApiKey.scopes,
                User.role,
                User.zone,
                User.locale,
                func.coalesce(ApiKey.last_used_at < func.now() - SEEN_EVERY, True),
            )
            .join(User, User.id == ApiKey.user_id)
            .where(
                ApiKey.key_hash == token_hash(text),
                ApiKey.revoked_at.is_(None),
                User.status == UserStatus.ACTIVE,
            )
        )
    ).first()
    if row is None:
        return None
    key, user, scopes, role, zone, locale, is_stale = row
    if is_stale:
        await db.execute(update(ApiKey).where(ApiKey.id == key).values(last_used_at=func.now()))
    return KeyIdentity(key, user, frozenset(scopes), role, zone, locale)


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


async def of_user(db: AsyncSession, user: uuid.UUID) -> Sequence[ApiKey]:
    """The keys of a user that were not revoked, newest first."""
    found = await db.scalars(
        select(ApiKey).where(ApiKey.user_id == user, ApiKey.revoked_at.is_(None)).order_by(ApiKey.id.desc())
    )
    return found.all()
