"""Making an account, and choosing a password when there is none or it was forgotten.

The rules: it begins with the address alone, and goes on where its mail is read; so nobody puts a password on somebody
else's address. The answer, and the work behind it, is the same whether the address has an account or not. A link is
spent in the transaction of its deed.
"""

import uuid

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from talktime.accounts import audit, links, mails, passwords, profile, sessions, throttle
from talktime.accounts.addresses import read_address
from talktime.accounts.links import LinkSpent
from talktime.accounts.models import LinkPurpose, Role, User, UserStatus
from talktime.accounts.sign_in import SignedIn
from talktime.db.base import new_id
from talktime.db.session import Database
from talktime.errors import Conflict
from talktime.jobs import Jobs

WHY = "nobody is signed in before they have an account, or without a password"


class HasAccount(Conflict):
    """This address has an account already: sign in, or choose a new password."""


async def ask(database: Database, jobs: Jobs, secret: bytes, email: str, *, locale: str, address: str | None) -> None:
    """Have a mail sent to an address with the link that makes an account, or with how to sign in when it has one.

    Whether signing up is open is the door's to know. Raises NoAddress, NoLocale, TooManyTries.
    """
    email, locale = read_address(email), profile.read_locale(locale)
    async with database.transaction(everyone=WHY) as db:
        await throttle.pour(db, secret, throttle.mails_to(email, address, purpose=LinkPurpose.SIGN_UP))
        link = await links.issue(db, LinkPurpose.SIGN_UP, email=email, locale=locale, secret=secret)
        # Whether there is an account is found out by who writes the mail.
        await mails.send_later(db, jobs, link, LinkPurpose.SIGN_UP)


async def finish(
    database: Database,
    secret: bytes,
    token: str,
    *,
    name: str,
    password: str,
    locale: str,
    zone: str,
    address: str | None,
    browser: str | None,
    email: str = "",
) -> str:
    """Make the account that a link of SIGN_UP or INVITE is good for, and sign in: the token for the cookie.

    The address is the one that the link went to, and counts as confirmed. An invitation that went to none takes it from
    `email`, unconfirmed. Raises LinkSpent, NoAddress, NoName, NoLocale, NoZone, BadPassword, HasAccount, TooManyTries.
    """
    name, locale, zone = profile.read_name(name), profile.read_locale(locale), profile.read_zone(zone)
    async with database.transaction(everyone=WHY) as db:
        poured = await throttle.pour(db, secret, throttle.tries_from(address))
        link = await links.look(db, token, LinkPurpose.SIGN_UP, LinkPurpose.INVITE)
        if link is None:
            raise LinkSpent
        await profile.require_known_zone(db, zone)
    kept = read_address(link.email or email)
    await passwords.judge(password, about=(name, kept))
    hashed = await passwords.hash_of(password)
    async with database.transaction(everyone=WHY) as db:
        spent = await links.spend(db, token, LinkPurpose.SIGN_UP, LinkPurpose.INVITE)
        if spent is None:
            raise LinkSpent
        user, role = new_id(), spent.role or Role.USER
        made = await db.execute(
            insert(User)
            .values(
                id=user,
                email=kept,
                name=name,
                password_hash=hashed,
                role=role,
                locale=locale,
                zone=zone,
                email_confirmed_at=func.now() if spent.email is not None else None,
            )
            .on_conflict_do_nothing()
            .returning(User.id)
        )
        if made.first() is None:
            raise HasAccount  # and the link stays as it was
        after: dict[str, audit.Value] = {"role": role.value, "link": str(spent.id)}
        if spent.made_by is not None:
            after["invited_by"] = str(spent.made_by)
        await audit.record(db, user, user, "user.made", after=after)
        await throttle.forgive(db, poured)
        return await sessions.begin(db, user, address=address, browser=browser)


async def ask_reset(database: Database, jobs: Jobs, secret: bytes, email: str, *, address: str | None) -> None:
    """Have a mail sent with the link to choose a new password, or the first; none to an address without an account.

    Raises NoAddress, TooManyTries.
    """
    email = read_address(email)
    async with database.transaction(everyone=WHY) as db:
        await throttle.pour(db, secret, throttle.mails_to(email, address, purpose=LinkPurpose.RESET))
        user: uuid.UUID | None = await db.scalar(
            select(User.id).where(func.lower(User.email) == email, User.status == UserStatus.ACTIVE)
        )
        if user is not None:
            link = await links.issue(db, LinkPurpose.RESET, user=user, secret=secret)
        else:
            # As much work for nobody: this link is never sent, and taken away by who would have sent it.
            link = await links.issue(db, LinkPurpose.SIGN_UP, email=email, secret=secret)
            await throttle.write_for_nobody(db, secret, email)
        await mails.send_later(db, jobs, link, LinkPurpose.RESET)


async def finish_reset(
    database: Database, secret: bytes, token: str, *, password: str, address: str | None, browser: str | None
) -> SignedIn:
    """Set the password that a RESET link is good for, end every session and every other link, and sign in; who has a
    second factor is asked for it. Raises LinkSpent, BadPassword, TooManyTries."""
    async with database.transaction(everyone=WHY) as db:
        poured = await throttle.pour(db, secret, throttle.tries_from(address))
        link = await links.look(db, token, LinkPurpose.RESET)
        if link is None:
            raise LinkSpent
        person = (await db.execute(select(User.name, User.email).where(User.id == link.user_id))).one()
    await passwords.judge(password, about=(person.name, person.email))
    hashed = await passwords.hash_of(password)
    async with database.transaction(everyone=WHY) as db:
        spent = await links.spend(db, token, LinkPurpose.RESET)
        if spent is None:
            raise LinkSpent
        assert spent.user_id is not None, spent.id
        user = spent.user_id
        if spent.made_by is None:
            # It went to the address; what an operator printed may have gone anywhere.
            await db.execute(
                update(User)
                .where(User.id == user, User.email_confirmed_at.is_(None))
                .values(email_confirmed_at=func.now())
            )
        await profile.set_password(db, user, hashed, act="password.reset")
        await throttle.forgive(db, poured)
        is_due = bool(await db.scalar(select(User.totp_since.is_not(None)).where(User.id == user)))
        begun = await sessions.begin(db, user, address=address, browser=browser, second_factor_due=is_due)
        return SignedIn(begun, is_due)
