"""What people say of themselves, and how they change what they sign in with.

The rules: who changes a password or an address has proven a short while ago who they are, and is no operator in their
place; a new password ends every other session and every link, and the browser that set it gets a new token; an address
counts once a link that went to it was used.
"""

import unicodedata
import uuid
import zoneinfo
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts import audit, links, mails, passwords, sessions, throttle
from talktime.accounts.addresses import is_seen, read_address
from talktime.accounts.in_turn import in_turn
from talktime.accounts.models import Link, LinkPurpose, User
from talktime.accounts.sessions import Identity
from talktime.accounts.sign_in import check_own_password
from talktime.db.session import Database
from talktime.errors import BadInput, Conflict
from talktime.jobs import Jobs

WHY = "people stand in the directory, which no customer's transaction reads"
LOCALES = ("en", "de")
NAME_LENGTH_MAX = 80
_UNKNOWN_ZONE = "22023"


class NoName(BadInput):
    """Say how you are called, in at most 80 characters on one line."""

    field = "name"


class NoLocale(BadInput):
    """Choose one of the languages that there are."""

    field = "locale"


class NoZone(BadInput):
    """Choose one of the time zones that there are, such as Europe/Berlin."""

    field = "zone"


class SameAddress(BadInput):
    """This is your address already."""

    field = "email"


class AddressTaken(Conflict):
    """This address has an account already: sign in with it, or choose another address."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What somebody says of themselves."""

    id: uuid.UUID
    email: str
    name: str
    locale: str
    zone: str
    email_confirmed_at: datetime | None
    created_at: datetime


async def of(db: AsyncSession, user: uuid.UUID, *, locked: bool = False) -> Profile:
    """The profile of somebody who is there; `locked` it stays so until the transaction ends. Needs a transaction that
    is everyone's."""
    chosen = select(*(getattr(User, each.name) for each in fields(Profile))).where(User.id == user)
    return Profile(*(await db.execute(chosen.with_for_update(key_share=True) if locked else chosen)).one())


async def change(db: AsyncSession, identity: Identity, *, name: str, locale: str, zone: str) -> None:
    """Change how somebody is called, which language they read, and whose day they live in. Needs a transaction that is
    everyone's. Raises NoName, NoLocale, NoZone."""
    await change_of(db, identity.user_id, identity.acts_as, name=name, locale=locale, zone=zone)


async def change_of(db: AsyncSession, user: uuid.UUID, actor: uuid.UUID, *, name: str, locale: str, zone: str) -> None:
    """The same for whoever has the right to it otherwise."""
    name, locale, zone = read_name(name), read_locale(locale), read_zone(zone)
    await require_known_zone(db, zone)
    before = await db.execute(select(User.locale, User.zone).where(User.id == user).with_for_update(key_share=True))
    was = before.one()
    await db.execute(update(User).where(User.id == user).values(name=name, locale=locale, zone=zone))
    await audit.record(
        db,
        user,
        actor,
        "user.changed",
        before={"locale": was.locale, "zone": was.zone},
        after={"locale": locale, "zone": zone},
    )


async def change_password(
    database: Database,
    secret: bytes,
    identity: Identity,
    old: str,
    new: str,
    *,
    address: str | None,
) -> str:
    """Set a new password: every other session and every link of theirs ends. Gives a new token for the cookie, because
    a copy of the one it carries is worth nothing any more.

    Raises WrongPassword, TooManyTries, BadPassword, OwnerOnly, SignInAgain.
    """
    sessions.require_owner(identity)
    await check_own_password(database, secret, identity, old, address=address)
    await passwords.judge(new, about=(identity.name, identity.email))
    hashed = await passwords.hash_of(new)
    async with database.transaction(everyone=WHY) as db:
        await in_turn(db, identity.user_id)
        token = await sessions.rotate(db, identity.session_id)
        await set_password(db, identity.user_id, hashed, act="password.changed", but=identity.session_id)
        await sessions.confirm(db, identity.session_id)
    return token


async def set_password(
    db: AsyncSession, user: uuid.UUID, hashed: str, *, act: str, but: uuid.UUID | None = None
) -> None:
    """Set what a password is checked against, and end what the old one opened: all sessions `but` one, all links. The
    owner is told."""
    await db.execute(update(User).where(User.id == user).values(password_hash=hashed))
    ended = await sessions.end_all(db, user, but=but)
    taken_back = await links.end_all(db, user)
    seq = await audit.record(db, user, user, act, after={"sessions": ended, "links": taken_back})
    await mails.have_told(db, user, "password_changed", str(seq))


async def ask_new_email(
    database: Database, jobs: Jobs, secret: bytes, identity: Identity, email: str, *, address: str | None
) -> None:
    """Have a link sent to a new address; the old one is told. Nothing changes until the link is used.

    The answer is the same whether the address has an account or not. Raises NoAddress, SameAddress, TooManyTries,
    OwnerOnly, ConfirmFirst.
    """
    sessions.require_confirmed(identity)
    email = read_address(email)
    async with database.transaction(everyone=WHY) as db:
        await throttle.pour(db, secret, throttle.mails_to(email, address, purpose=LinkPurpose.CHANGE_EMAIL))
        own = await db.execute(
            select(User.email, User.email_confirmed_at)
            .where(User.id == identity.user_id)
            .with_for_update(key_share=True)
        )
        person = own.one()
        # The same address again is how somebody confirms it whom an operator invited without one.
        if person.email.lower() == email and person.email_confirmed_at is not None:
            raise SameAddress
        await _end_asked(db, identity.user_id)
        link = await links.issue(db, LinkPurpose.CHANGE_EMAIL, user=identity.user_id, email=email, secret=secret)
        await mails.send_later(db, jobs, link, LinkPurpose.CHANGE_EMAIL)


async def asked_email(db: AsyncSession, user: uuid.UUID) -> str | None:
    """The new address that somebody asked for and did not confirm yet."""
    asked: str | None = await db.scalar(
        select(Link.email)
        .where(Link.user_id == user, Link.purpose == LinkPurpose.CHANGE_EMAIL, links.is_open())
        .order_by(Link.created_at.desc())
        .limit(1)
    )
    return asked


async def cancel_new_email(db: AsyncSession, identity: Identity) -> None:
    """Stay with the old address: the link to the new one ends."""
    sessions.require_owner(identity)
    await _end_asked(db, identity.user_id)


async def finish_new_email(database: Database, token: str) -> str:
    """Use the link that went to the new address; gives the address. All other links end. Whoever has the link need not
    be signed in. Raises LinkSpent, AddressTaken."""
    try:
        async with database.transaction(everyone=WHY) as db:
            link = await links.spend(db, token, LinkPurpose.CHANGE_EMAIL)
            if link is None:
                raise links.LinkSpent
            assert link.user_id is not None, link.id
            assert link.email is not None, link.id
            # The index says so, too, to two who come at once; but its words with the address stand in the server's log.
            if await db.scalar(
                select(User.id).where(func.lower(User.email) == link.email.lower(), User.id != link.user_id)
            ):
                raise AddressTaken
            await db.execute(
                update(User).where(User.id == link.user_id).values(email=link.email, email_confirmed_at=func.now())
            )
            taken_back = await links.end_all(db, link.user_id)
            after: dict[str, audit.Value] = {"link": str(link.id), "links": taken_back}
            await audit.record(db, link.user_id, link.user_id, "email.changed", after=after)
    except IntegrityError as error:
        if "uq_users_email_lower" not in str(error.orig):
            raise
        raise AddressTaken from None
    return link.email


def read_name(said: str) -> str:
    """A name on one line. Raises NoName."""
    name = " ".join(filter(None, unicodedata.normalize("NFC", said).split(" ")))
    if not is_seen(name) or len(name) > NAME_LENGTH_MAX:
        raise NoName
    return name


def read_locale(said: str) -> str:
    """One of our languages. Raises NoLocale."""
    if said not in LOCALES:
        raise NoLocale
    return said


def read_zone(said: str) -> str:
    """A time zone that this machine knows. Raises NoZone. The database must know it, too: `require_known_zone`."""
    if said not in _zones():
        raise NoZone
    return said


async def require_known_zone(db: AsyncSession, zone: str) -> None:
    """Raise NoZone for one that the database does not know, whose list may be another: the books count a day in it."""
    try:
        await db.execute(text("SELECT now() AT TIME ZONE :zone"), {"zone": zone})
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != _UNKNOWN_ZONE:
            raise
        raise NoZone from None


async def _end_asked(db: AsyncSession, user: uuid.UUID) -> None:
    await db.execute(
        delete(Link).where(Link.user_id == user, Link.purpose == LinkPurpose.CHANGE_EMAIL, Link.used_at.is_(None))
    )


@cache
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones() - {"localtime", "posixrules", "Factory"})
