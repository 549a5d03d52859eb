"""Signed-in browsers. A sign-in link works once; the cookie's token is made when it is used; only hashes are stored.

Nobody is signed in yet when these run, so they take a transaction that sees everyone.
"""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts.models import Role, Session, User, UserStatus
from talktime.security import new_token, token_hash

LINK_LASTS = timedelta(days=1)
SESSION_LASTS = timedelta(days=30)
WHY = "nobody is signed in before their session is found"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is asking."""

    user_id: uuid.UUID
    name: str
    email: str
    role: Role
    zone: str
    locale: str


async def make_link_token(db: AsyncSession, user: uuid.UUID) -> str:
    """A token for a sign-in link; it works once, for a day."""
    token = new_token()
    db.add(Session(user_id=user, token_hash=_link_hash(token), expires_at=datetime.now(UTC) + LINK_LASTS))
    await db.flush()
    return token


async def redeem(db: AsyncSession, token: str, *, address: str | None, browser: str | None) -> str | None:
    """Turn a link's token into a session's: the token for the cookie, or None when the link was used or is too old."""
    session_token = new_token()
    now = datetime.now(UTC)
    used = await db.execute(
        update(Session)
        .where(Session.token_hash == _link_hash(token), Session.expires_at > now)
        .values(
            token_hash=token_hash(session_token),
            expires_at=now + SESSION_LASTS,
            last_seen_at=now,
            address=address,
            browser=browser[:200] if browser else None,
        )
        .returning(Session.id)
    )
    return session_token if used.first() else None


async def identify(db: AsyncSession, token: str) -> Identity | None:
    """Who carries this cookie; None for nobody, for an expired session, and for a user who may not come in."""
    row = await db.execute(
        select(User.id, User.name, User.email, User.role, User.zone, User.locale)
        .join(Session, Session.user_id == User.id)
        .where(
            Session.token_hash == token_hash(token),
            Session.expires_at > datetime.now(UTC),
            User.status == UserStatus.ACTIVE,
        )
    )
    found = row.first()
    return Identity(*found) if found else None


async def end(db: AsyncSession, token: str) -> None:
    """Sign the browser with this cookie out; one that is not signed in stays so."""
    await db.execute(delete(Session).where(Session.token_hash == token_hash(token)))


def _link_hash(token: str) -> bytes:
    # Hashed with its purpose, so that a link's token put into a cookie finds nothing.
    return token_hash(f"sign-in link {token}")
