"""What an operator does about people: find them, make operators, take a lost second factor off, show somebody the door.

The rule: each verb asks for the permission in its own transaction, writes one entry into the audit log, and leaves one
operator at least. Suspending and closing stand with what else they touch (`calls/closing.py`, `privacy`).
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Delete, Select, Uuid, column, delete, func, or_, select, table
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts import audit, links, mails, second_factor, sessions
from talktime.accounts.addresses import read_address
from talktime.accounts.models import Link, LinkPurpose, Role, Session, User, UserStatus
from talktime.accounts.operators import NotAnOperator, is_there_one, leave_one, one_by_one, require_operator
from talktime.accounts.profile import read_locale, read_name, read_zone, require_known_zone
from talktime.errors import Conflict, NotFound

PAGE_MAX = 200


class NoSuchPerson(NotFound):
    """There is nobody with this address or id."""


class ClosedAccount(Conflict):
    """This account is closed, and stays closed."""


class HasAnAccount(Conflict):
    """This address has an account already: change the role of that one."""


class NoVisit(Conflict):
    """Nobody signs in as somebody who may not sign in themselves: end the suspension first."""


class VisitReason(StrEnum):
    """Why an operator signs in as somebody; a fixed word, since the audit log takes no texts."""

    ASKED_BY_CUSTOMER = "asked_by_customer"
    FAULT = "fault"
    BILLING = "billing"
    ABUSE = "abuse"
    LEGAL = "legal"


class YourOwnSecondFactor(Conflict):
    """Nobody takes off their own second factor here: switch it off on your own page, or let another operator do it."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, in a list of many."""

    id: uuid.UUID
    email: str
    name: str
    role: Role
    status: UserStatus
    locale: str
    zone: str
    has_second_factor: bool
    created_at: datetime
    balance: int
    """In credits; 0 for somebody who never had any."""
    last_seen_at: datetime | None
    """In a browser that is still signed in; None when there is none."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some people, newest first, and the last of them when there are more."""

    people: Sequence[Person]
    older: uuid.UUID | None


async def find(db: AsyncSession, user: uuid.UUID) -> Person:
    """Raises NoSuchPerson."""
    row = (await db.execute(_LISTED.where(User.id == user))).first()
    if row is None:
        raise NoSuchPerson
    return Person(*row)


async def listed(
    db: AsyncSession,
    *,
    status: UserStatus | None = None,
    role: Role | None = None,
    search: str = "",
    before: uuid.UUID | None = None,
    limit: int = 50,
) -> Page:
    """The newest people, or those before one: of a status, of a role, with a part of their address or name."""
    assert 1 <= limit <= PAGE_MAX, limit
    chosen = _LISTED
    if status is not None:
        chosen = chosen.where(User.status == status)
    if role is not None:
        chosen = chosen.where(User.role == role)
    if part := " ".join(search.replace("\0", " ").split()):
        # Looked for as it is: no letter of it means anything else, as % and _ would.
        chosen = chosen.where(
            or_(*(func.strpos(func.lower(of), func.lower(part)) > 0 for of in (User.email, User.name)))
        )
    if before is not None:
        chosen = chosen.where(User.id < before)
    # Ids are made in the order of time, so the key is the order.
    rows = (await db.execute(chosen.order_by(User.id.desc()).limit(limit + 1))).all()
    people = [Person(*row) for row in rows[:limit]]
    return Page(people, people[-1].id if len(rows) > limit else None)


async def change_role(db: AsyncSession, user: uuid.UUID, role: Role, actor: uuid.UUID) -> bool:
    """Make somebody an operator, or a customer again; False when they are that already.

    They are signed out everywhere, so that no browser goes on with what its owner was. Who is no operator any more
    leaves nothing open behind them (`withdraw`). Raises NotAnOperator, NoSuchPerson, ClosedAccount, LastOperator.
    """
    await one_by_one(db)
    await require_operator(db, actor)
    person = await _locked(db, user)
    if person.role is role:
        return False
    if role is not Role.ADMIN:
        await leave_one(db, user)
    before, person.role = person.role, role
    await db.flush()
    if role is not Role.ADMIN:
        await withdraw(db, user, actor)
    await sessions.end_all(db, user, actor=actor)
    after: dict[str, audit.Value] = {"role": role.value}
    await audit.record(db, user, actor, "user.role_changed", before={"role": before.value}, after=after)
    return True


async def reset_second_factor(db: AsyncSession, user: uuid.UUID, actor: uuid.UUID) -> bool:
    """Take off the second factor of somebody who has lost it; False when there was none.

    They are signed out everywhere, and told: whoever asked for this in their name is found out. Raises NotAnOperator,
    NoSuchPerson, ClosedAccount, YourOwnSecondFactor.
    """
    await require_operator(db, actor)
    if user == actor:
        raise YourOwnSecondFactor
    await _locked(db, user)
    if not await second_factor.remove(db, user):
        return False
    await sessions.end_all(db, user, actor=actor)
    seq = await audit.record(db, user, actor, "second_factor.reset", before={"on": True}, after={"on": False})
    await mails.have_told(db, user, "second_factor_off", str(seq))
    return True


async def end_sessions(db: AsyncSession, user: uuid.UUID, actor: uuid.UUID) -> int:
    """Sign somebody out everywhere; gives in how many browsers. Raises NotAnOperator, NoSuchPerson."""
    await require_operator(db, actor)
    await _locked(db, user, also_closed=True)
    return await sessions.end_all(db, user, actor=actor)


async def invite(db: AsyncSession, *, email: str | None, role: Role, locale: str, actor: uuid.UUID) -> links.Issued:
    """A link that makes an account with a role, once, within a week; for anybody who has it, where no address is said.

    It ends with the right of whoever made it. Raises NotAnOperator, HasAnAccount, NoAddress, NoLocale.
    """
    await require_operator(db, actor)
    read_locale(locale)
    kept = None if email is None else read_address(email)
    if kept is not None and await _has_account(db, kept):
        raise HasAnAccount
    return await links.issue(db, LinkPurpose.INVITE, email=kept, role=role, locale=locale, made_by=actor)


async def create_admin(
    db: AsyncSession, *, email: str, name: str, locale: str, zone: str, actor: uuid.UUID | None
) -> tuple[uuid.UUID, links.Issued]:
    """Make an operator, who chooses a password with the link. Without an actor only as long as there is no operator.

    Raises NotAnOperator, HasAnAccount, NoAddress, NoName, NoLocale, NoZone.
    """
    kept = read_address(email)
    said = {"name": read_name(name), "locale": read_locale(locale), "zone": read_zone(zone)}
    await one_by_one(db)
    if actor is not None:
        await require_operator(db, actor)
    elif await is_there_one(db):
        raise NotAnOperator("There is an operator already: one of them has to make the next one.")
    if await _has_account(db, kept):
        raise HasAnAccount
    await require_known_zone(db, said["zone"])
    made = User(email=kept, role=Role.ADMIN, **said)
    db.add(made)
    await db.flush()
    await audit.record(db, made.id, actor, "user.made", after={"role": Role.ADMIN.value})
    # Where nobody makes it, it is their own: the address is not confirmed by a link that was printed.
    return made.id, await links.issue(db, LinkPurpose.RESET, user=made.id, made_by=actor or made.id)


async def sign_in_as(db: AsyncSession, user: uuid.UUID, reason: VisitReason, actor: uuid.UUID) -> str:
    """A token with which an operator signs in as somebody, once, within ten minutes and for half an hour.

    Why stands in the audit log, and there, too, when the visit begins and when it ends. Raises NotAnOperator,
    NoSuchPerson, ClosedAccount, NoVisit for another operator and for somebody suspended.
    """
    await require_operator(db, actor)
    person = await _locked(db, user)
    if person.role is Role.ADMIN:
        raise NoVisit("Nobody signs in as an operator: each has rights of their own, and answers for them.")
    if person.status is not UserStatus.ACTIVE:
        raise NoVisit
    minutes = int(sessions.VISIT_LASTS.total_seconds()) // 60
    await audit.record(db, user, actor, "visit.allowed", after={"reason": reason.value, "minutes_max": minutes})
    return await sessions.make_link_token(db, user, visitor=actor)


async def note_ended_visits(db: AsyncSession) -> int:
    """Write down that visits are over whose time ran out, and forget them; gives how many."""
    over = delete(Session).where(Session.actor_id.is_not(None), Session.expires_at <= func.now())
    return await _end_visits(db, over, actor=None)


async def withdraw(db: AsyncSession, operator: uuid.UUID, actor: uuid.UUID) -> None:
    """What an operator leaves open behind them ends: browsers in which they are signed in as somebody else, and links
    that they made and nobody has used. They work no more anyway; this way they do not again, either."""
    await _end_visits(db, delete(Session).where(Session.actor_id == operator), actor=actor)
    await db.execute(delete(Link).where(Link.made_by == operator, Link.used_at.is_(None)))


async def _end_visits(db: AsyncSession, which: Delete, *, actor: uuid.UUID | None) -> int:
    gone = (await db.execute(which.returning(Session.id, Session.user_id))).all()
    for session, user in gone:
        await audit.record(db, user, actor, "session.ended", after={"session": str(session), "count": 1})
    return len(gone)


async def _has_account(db: AsyncSession, email: str) -> bool:
    return (await db.execute(select(User.id).where(func.lower(User.email) == email))).first() is not None


async def _locked(db: AsyncSession, user: uuid.UUID, *, also_closed: bool = False) -> User:
    """Somebody, who stays as they are until the transaction ends."""
    chosen = select(User).where(User.id == user).with_for_update(key_share=True)
    person = (await db.execute(chosen.execution_options(populate_existing=True))).scalar_one_or_none()
    if person is None:
        raise NoSuchPerson
    if person.status is UserStatus.CLOSED and not also_closed:
        raise ClosedAccount
    return person


# The books stand above the accounts, and their model is out of reach here.
_BALANCES = table("credit_accounts", column("user_id", Uuid), column("balance", BigInteger))
_LISTED: Select[*tuple[Any, ...]] = select(
    User.id,
    User.email,
    User.name,
    User.role,
    User.status,
    User.locale,
    User.zone,
    User.totp_since.is_not(None),
    User.created_at,
    func.coalesce(select(_BALANCES.c.balance).where(_BALANCES.c.user_id == User.id).scalar_subquery(), 0),
    select(func.max(Session.last_seen_at))
    .where(Session.user_id == User.id, Session.actor_id.is_(None), Session.expires_at > func.now())
    .scalar_subquery(),
)
