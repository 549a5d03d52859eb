"""One-time links: who gets one, what it is good for, and how long.

The rules: only a token's hash is stored. Looking at a link spends nothing, because mail programs and chat windows open
links by themselves; `spend` does, once, in the transaction of the deed. A link that a job writes into a mail has an
HMAC over its id as its token, so that no token stands in a job; one that is printed has a random one.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts import audit
from talktime.accounts.in_turn import in_turn
from talktime.accounts.models import Link, LinkPurpose, Role, User, UserStatus
from talktime.db.base import new_id
from talktime.errors import TalktimeError
from talktime.security import new_token, sign, token_hash

LASTS: Mapping[LinkPurpose, timedelta] = {
    LinkPurpose.SIGN_UP: timedelta(days=3),
    LinkPurpose.INVITE: timedelta(days=7),
    LinkPurpose.SIGN_IN: timedelta(days=1),
    LinkPurpose.RESET: timedelta(hours=2),
    LinkPurpose.CHANGE_EMAIL: timedelta(days=1),
}
_PAGES: Mapping[LinkPurpose, str] = {
    LinkPurpose.SIGN_UP: "/welcome",
    LinkPurpose.INVITE: "/welcome",
    LinkPurpose.SIGN_IN: "/sign-in",
    LinkPurpose.RESET: "/reset",
    LinkPurpose.CHANGE_EMAIL: "/confirm-email",
}
_KEPT = timedelta(days=7)


class LinkSpent(TalktimeError):
    """This link does not work any more: it was used, or it is too old. Ask for a new one."""

    status = 410


@dataclass(frozen=True, slots=True)
class Issued:
    """A new link. The token is not stored: it is mailed or printed, or lost."""

    id: uuid.UUID
    token: str = field(repr=False)


def path_of(purpose: LinkPurpose, token: str) -> str:
    """Where a link leads, from the root of the site."""
    return f"{_PAGES[purpose]}/{token}"


def token_of(secret: bytes, link: uuid.UUID) -> str:
    """The token of a link that was issued with a secret."""
    return sign(secret, "account-link", str(link))


async def issue(
    db: AsyncSession,
    purpose: LinkPurpose,
    *,
    user: uuid.UUID | None = None,
    email: str | None = None,
    role: Role | None = None,
    locale: str | None = None,
    made_by: uuid.UUID | None = None,
    secret: bytes | None = None,
    lasts: timedelta | None = None,
) -> Issued:
    """Make a link. With a `secret` its token follows from its id, for a mail that a job writes; else it is random.

    `made_by` is the operator who made it: what they invite to ends with their right to, and a SIGN_IN link of theirs
    signs in them, as that user. Needs a transaction that is everyone's.
    """
    link = new_id()
    token = token_of(secret, link) if secret is not None else new_token()
    await db.execute(
        insert(Link).values(
            id=link,
            token_hash=token_hash(token),
            purpose=purpose,
            user_id=user,
            email=email,
            role=role,
            locale=locale,
            made_by=made_by,
            expires_at=func.now() + (lasts or LASTS[purpose]),
        )
    )
    subject = user or made_by
    if subject is not None:
        # Who changes their own address is signed in; who asks for a new password is nobody yet.
        actor = user if purpose is LinkPurpose.CHANGE_EMAIL else made_by
        after: dict[str, audit.Value] = {"link": str(link), "purpose": purpose.value}
        await audit.record(db, subject, actor, "link.issued", after=after | ({"role": role.value} if role else {}))
    return Issued(link, token)


async def look(db: AsyncSession, token: str, *purposes: LinkPurpose) -> Link | None:
    """What a link is good for, when it is good for one of these; None for one that is used, too old, or made up."""
    found: Link | None = await db.scalar(select(Link).where(_is_good(token, purposes)))
    return found


async def spend(db: AsyncSession, token: str, *purposes: LinkPurpose) -> Link | None:
    """Use a link up: of any number who try at once one gets it, all others None. Its user is held until the end."""
    found = await look(db, token, *purposes)
    if found is None:
        return None
    if found.user_id is not None:
        await in_turn(db, found.user_id)
    spent: Link | None = await db.scalar(
        update(Link)
        .where(_is_good(token, purposes))
        .values(used_at=func.now())
        .returning(Link)
        .execution_options(populate_existing=True, synchronize_session=False)
    )
    return spent


async def end_all(db: AsyncSession, user: uuid.UUID) -> int:
    """Take back every link of a user that is not used yet; gives how many."""
    gone = await db.execute(delete(Link).where(Link.user_id == user, Link.used_at.is_(None)).returning(Link.id))
    return len(gone.all())


async def prune(db: AsyncSession) -> int:
    """Forget links that ended a week ago, and with them the addresses that they went to; gives how many."""
    gone = await db.execute(delete(Link).where(Link.expires_at < func.now() - _KEPT).returning(Link.id))
    return len(gone.all())


def is_open() -> ColumnElement[bool]:
    """Neither used nor too old."""
    return and_(Link.used_at.is_(None), Link.expires_at > func.now())


def _is_good(token: str, purposes: tuple[LinkPurpose, ...]) -> ColumnElement[bool]:
    assert purposes, "a link is good for something"
    owner_may = select(User.id).where(User.id == Link.user_id, User.status == UserStatus.ACTIVE).exists()
    maker_may = (
        select(User.id)
        .where(User.id == Link.made_by, User.role == Role.ADMIN, User.status == UserStatus.ACTIVE)
        .exists()
    )
    is_there_an_operator = select(User.id).where(User.role == Role.ADMIN, User.status == UserStatus.ACTIVE).exists()
    conditions: list[Any] = [
        Link.token_hash == token_hash(token),
        is_open(),
        Link.purpose.in_(purposes),
        or_(Link.user_id.is_(None), owner_may),
        or_(Link.made_by.is_(None), maker_may),
        # What nobody made is the first start's: it ends as soon as there is an operator, whoever let them in.
        or_(Link.made_by.is_not(None), Link.role.is_distinct_from(Role.ADMIN), ~is_there_an_operator),
    ]
    return and_(*conditions)
