"""Signed-in browsers: a row for each, found by the hash of the token in its cookie.

The rules: a token is made when somebody has proven who they are, and never taken over from before, so that a cookie
that was planted is worth nothing. A session ends when nobody used it for a while, and at the latest at its absolute
end; the database's clock decides. Who is asking is one indexed query.

Nobody is signed in yet when these run, so they take a transaction that sees everyone.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from talktime.accounts import audit, links
from talktime.accounts.in_turn import in_turn
from talktime.accounts.models import LinkPurpose, Role, Session, User, UserStatus
from talktime.db.base import new_id
from talktime.errors import Refused
from talktime.security import new_token, token_hash

WHY = "nobody is signed in before their session is found"
IDLE = timedelta(days=14)
IDLE_OPERATOR = timedelta(hours=12)
SESSION_LASTS = timedelta(days=60)
OPERATOR_SESSION_LASTS = timedelta(days=7)
SECOND_FACTOR_WAITS = timedelta(minutes=10)
VISIT_LASTS = timedelta(minutes=30)
"""How long an operator is signed in as somebody else, however busy."""
VISIT_LINK_LASTS = timedelta(minutes=10)
CONFIRMED_FOR = timedelta(minutes=15)
SEEN_EVERY = timedelta(minutes=1)
_ACTOR = aliased(User)
_SHOWN_MAX = 100
_BROWSER_LENGTH_MAX = 200


class ConfirmFirst(Refused):
    """Confirm your password first, then try again."""


class OwnerOnly(Refused):
    """Only the owner of the account may do this, not an operator who is signed in as them."""


class SignInAgain(Refused):
    """You are not signed in any more: sign in again."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is asking."""

    user_id: uuid.UUID
    name: str
    email: str
    role: Role
    zone: str
    locale: str
    session_id: uuid.UUID
    actor_id: uuid.UUID | None
    """The operator who is signed in as this user; None for the user themselves."""
    confirmed_at: datetime
    """When they last proved who they are, in this browser."""
    has_second_factor: bool

    @property
    def acts_as(self) -> uuid.UUID:
        """Whose deed it is, for the audit log."""
        return self.actor_id or self.user_id

    def is_confirmed(self, now: datetime) -> bool:
        """Whether they proved who they are lately enough to change how one signs in."""
        return self.confirmed_at > now - CONFIRMED_FOR


@dataclass(frozen=True, slots=True)
class Shown:
    """One session, as its owner sees it."""

    id: uuid.UUID
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    address: str | None
    browser: str | None
    actor_id: uuid.UUID | None
    """The operator who is signed in as this user."""


async def begin(
    db: AsyncSession,
    user: uuid.UUID,
    *,
    address: str | None,
    browser: str | None,
    second_factor_due: bool = False,
    actor: uuid.UUID | None = None,
) -> str:
    """Sign a browser in; gives the token for its cookie. `actor` is the operator who is signed in as this user: of them
    nothing more is kept here, because this user sees it and takes it along."""
    token, session = new_token(), new_id()
    role = await db.scalar(select(User.role).where(User.id == user))
    await db.execute(
        insert(Session).values(
            id=session,
            token_hash=token_hash(token),
            user_id=user,
            expires_at=func.now() + _lasts(role, second_factor_due=second_factor_due, is_visit=actor is not None),
            address=address if actor is None else None,
            browser=_printable(browser) if actor is None else None,
            second_factor_due=second_factor_due,
            actor_id=actor,
        )
    )
    if not second_factor_due:
        await audit.record(db, user, actor or user, "session.began", after={"session": str(session)})
    return token


async def identify(db: AsyncSession, token: str) -> Identity | None:
    """Who carries this cookie; None for nobody, for a session that ended, for one that still waits for the second
    factor, and for a user who may not come in."""
    return await _find(db, token, second_factor_due=False)


async def waiting(db: AsyncSession, token: str) -> Identity | None:
    """Who has given the right password with this cookie, and the second factor not yet."""
    return await _find(db, token, second_factor_due=True)


async def of_user(db: AsyncSession, user: uuid.UUID) -> Sequence[Shown]:
    """The browsers that are signed in, the one used last first."""
    rows = await db.execute(
        select(
            Session.id,
            Session.created_at,
            Session.last_seen_at,
            Session.expires_at,
            Session.address,
            Session.browser,
            Session.actor_id,
        )
        .join(User, User.id == Session.user_id)
        .outerjoin(_ACTOR, _ACTOR.id == Session.actor_id)
        .where(Session.user_id == user, Session.second_factor_due.is_(False), _is_alive())
        .order_by(Session.last_seen_at.desc(), Session.id)
        .limit(_SHOWN_MAX)
    )
    return [Shown(*row) for row in rows]


async def end(db: AsyncSession, token: str) -> None:
    """Sign the browser with this cookie out; one that is not signed in stays so."""
    await _end(db, Session.token_hash == token_hash(token), actor=None)


async def end_one(db: AsyncSession, user: uuid.UUID, session_id: uuid.UUID, *, actor: uuid.UUID | None = None) -> bool:
    """Sign one browser of a user out; False when there is no such one. `actor` is whoever does it for them."""
    return await _end(db, and_(Session.user_id == user, Session.id == session_id), actor=actor) == 1


async def end_all(
    db: AsyncSession, user: uuid.UUID, *, but: uuid.UUID | None = None, actor: uuid.UUID | None = None
) -> int:
    """Sign all browsers of a user out, `but` one; gives how many. `actor` is whoever does it for them."""
    await in_turn(db, user)
    others = and_(Session.user_id == user, Session.id != but) if but is not None else Session.user_id == user
    return await _end(db, others, actor=actor)


async def rotate(db: AsyncSession, session_id: uuid.UUID) -> str:
    """Give a session another token, so that a copy of the old one is worth nothing. Raises SignInAgain."""
    token = new_token()
    changed = await db.execute(
        update(Session)
        .where(Session.id == session_id, Session.second_factor_due.is_(False))
        .values(token_hash=token_hash(token))
        .returning(Session.id)
    )
    if changed.first() is None:
        raise SignInAgain
    return token


async def confirm(db: AsyncSession, session_id: uuid.UUID) -> None:
    """Whoever sits there has just proven again who they are."""
    await db.execute(update(Session).where(Session.id == session_id).values(confirmed_at=func.now()))


def require_owner(identity: Identity) -> None:
    """Raise OwnerOnly for an operator who is signed in as somebody."""
    if identity.actor_id is not None:
        raise OwnerOnly


def require_confirmed(identity: Identity) -> None:
    """Raise OwnerOnly or ConfirmFirst unless the owner has proven lately who they are."""
    require_owner(identity)
    if not identity.is_confirmed(datetime.now(UTC)):
        raise ConfirmFirst


async def make_link_token(db: AsyncSession, user: uuid.UUID, *, visitor: uuid.UUID | None = None) -> str:
    """A token for a sign-in link; it works once, for a day. With a `visitor` it signs that operator in as the user, and
    works for ten minutes."""
    lasts = VISIT_LINK_LASTS if visitor else None
    return (await links.issue(db, LinkPurpose.SIGN_IN, user=user, made_by=visitor, lasts=lasts)).token


async def redeem(db: AsyncSession, token: str, *, address: str | None, browser: str | None) -> str | None:
    """Turn a link's token into a session's: the token for the cookie, or None when the link was used or is too old.

    A link stands in for the password: who has a second factor is asked for it (`waiting`). An operator's visit to
    somebody who was made an operator meanwhile does not begin.
    """
    link = await links.spend(db, token, LinkPurpose.SIGN_IN)
    if link is None:
        return None
    assert link.user_id is not None, link.id
    found = await db.execute(select(User.role, User.totp_since.is_not(None)).where(User.id == link.user_id))
    role, is_on = found.one()
    if link.made_by is not None and role is not Role.USER:
        return None
    return await begin(
        db,
        link.user_id,
        address=address,
        browser=browser,
        second_factor_due=is_on and link.made_by is None,
        actor=link.made_by,
    )


async def prune(db: AsyncSession) -> int:
    """Forget sessions that ended; gives how many."""
    is_over = or_(Session.expires_at < func.now(), Session.last_seen_at < func.now() - IDLE)
    gone = await db.execute(delete(Session).where(is_over).returning(Session.id))
    return len(gone.all())


async def _find(db: AsyncSession, token: str, *, second_factor_due: bool) -> Identity | None:
    row = (await db.execute(_whose(token, second_factor_due=second_factor_due))).first()
    if row is None:
        return None
    identity = Identity(*row[:-1])
    if row.is_stale:
        await db.execute(
            update(Session)
            .where(Session.id == identity.session_id, Session.last_seen_at < func.now() - SEEN_EVERY)
            .values(last_seen_at=func.now())
        )
    return identity


def _whose(token: str, *, second_factor_due: bool) -> Select[*tuple[Any, ...]]:
    return (
        select(
            User.id,
            User.name,
            User.email,
            User.role,
            User.zone,
            User.locale,
            Session.id,
            Session.actor_id,
            Session.confirmed_at,
            User.totp_since.is_not(None),
            (Session.last_seen_at < func.now() - SEEN_EVERY).label("is_stale"),
        )
        .join(Session, Session.user_id == User.id)
        .outerjoin(_ACTOR, _ACTOR.id == Session.actor_id)
        .where(
            Session.token_hash == token_hash(token),
            Session.second_factor_due.is_(second_factor_due),
            _is_alive(),
        )
    )


def _is_alive() -> ColumnElement[bool]:
    """Neither over nor idle, its user may come in, and whoever is signed in as them still may, too: as a customer."""
    return and_(
        User.status == UserStatus.ACTIVE,
        Session.expires_at > func.now(),
        Session.last_seen_at > func.now() - case((User.role == Role.ADMIN, IDLE_OPERATOR), else_=IDLE),
        or_(
            Session.actor_id.is_(None),
            and_(_ACTOR.role == Role.ADMIN, _ACTOR.status == UserStatus.ACTIVE, User.role == Role.USER),
        ),
    )


async def _end(db: AsyncSession, which: ColumnElement[bool], *, actor: uuid.UUID | None) -> int:
    rows = await db.execute(
        delete(Session).where(which).returning(Session.id, Session.user_id, Session.actor_id, Session.second_factor_due)
    )
    gone = rows.all()
    # One that still waited for the second factor never began.
    began = [row for row in gone if not row.second_factor_due]
    if began:
        [user] = {row.user_id for row in began}
        by = actor or (began[0].actor_id if len(began) == 1 else None) or user
        ended: audit.Value = str(began[0].id) if len(began) == 1 else None
        await audit.record(db, user, by, "session.ended", after={"session": ended, "count": len(began)})
    return len(began)


def _lasts(role: Role | None, *, second_factor_due: bool, is_visit: bool) -> timedelta:
    if second_factor_due:
        return SECOND_FACTOR_WAITS
    if is_visit:
        return VISIT_LASTS
    return OPERATOR_SESSION_LASTS if role is Role.ADMIN else SESSION_LASTS


def _printable(browser: str | None) -> str | None:
    """What a browser says of itself is whatever somebody wants it to be."""
    said = "".join(char for char in browser or "" if char.isprintable())
    return said[:_BROWSER_LENGTH_MAX] or None
