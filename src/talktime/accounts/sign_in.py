"""Signing in: the password, then the second factor where there is one.

The rules: nobody learns whether an address has an account; a wrong password, an unknown address and somebody who may
not come in get the same answer, by the same work: as many statements, one check of argon2. What was tried is counted
before it is made. Whoever was right has a session whose token did not exist before.
"""

import uuid
from dataclasses import dataclass, field

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts import audit, passwords, second_factor_codes, sessions, throttle
from talktime.accounts.addresses import look_up_key
from talktime.accounts.in_turn import in_turn
from talktime.accounts.models import Session, User, UserStatus
from talktime.accounts.sessions import Identity, SignInAgain
from talktime.db.session import Database
from talktime.errors import Refused

WHY = sessions.WHY


class WrongSignIn(Refused):
    """The e-mail address or the password is not right."""


class WrongPassword(Refused):
    """The password is not right."""


class WrongCode(Refused):
    """The code is not right, or it was used already. Wait for the next one, or type a recovery code."""


class Suspended(Refused):
    """This account is suspended. Write to us to find out why."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session that just began: what goes into the browser's cookie."""

    token: str = field(repr=False)
    second_factor_due: bool
    """The session is good for typing the second factor alone (`second_factor`)."""


@dataclass(frozen=True, slots=True)
class _Account:
    """What a password is checked against."""

    id: uuid.UUID
    password_hash: str | None


async def sign_in(
    database: Database, secret: bytes, email: str, password: str, *, address: str | None, browser: str | None
) -> SignedIn:
    """Begin a session for whoever knows the password. Raises WrongSignIn, Suspended, TooManyTries, Busy."""
    who = look_up_key(email)
    async with database.transaction(everyone=WHY) as db:
        poured = await throttle.pour(db, secret, throttle.tries_of(who, address))
        row = (await db.execute(select(User.id, User.password_hash).where(func.lower(User.email) == who))).one_or_none()
    account = _Account(*row) if row is not None else None
    is_right, fresh_hash = await _check(password, account)
    outcome: SignedIn | Refused
    async with database.transaction(everyone=WHY) as db:
        if account is None:
            await throttle.write_for_nobody(db, secret, who)
            outcome = WrongSignIn()
        elif not is_right:
            outcome = await _refuse(db, account.id, WrongSignIn())
        else:
            outcome = await _come_in(db, account, fresh_hash, address=address, browser=browser)
            if isinstance(outcome, SignedIn):
                await throttle.forgive(db, poured)
    # What was refused is written down, so it is raised only now.
    if isinstance(outcome, Refused):
        raise outcome
    return outcome


async def second_factor(database: Database, secret: bytes, token: str, code: str, *, address: str | None) -> str:
    """Finish signing in with a code of the authenticator, or a recovery code: the token for the cookie.

    The session that waited is gone. Raises SignInAgain when none waits any more, WrongCode, TooManyTries, and
    UnreadableSecondFactor when the installation's secret key was changed: then only a recovery code helps.
    """
    async with database.transaction(everyone=WHY) as db:
        waiting = await sessions.waiting(db, token)
        if waiting is None:
            raise SignInAgain
        user = waiting.user_id
        poured = await throttle.pour(db, secret, throttle.tries_of_code(user, address))
    async with database.transaction(everyone=WHY) as db:
        await in_turn(db, user)
        left_before = await second_factor_codes.take(db, secret, user, code)
        if left_before is None:
            await _refuse(db, user, WrongCode(), because="second factor")
        else:
            ended = await db.execute(
                delete(Session)
                .where(Session.id == waiting.session_id, Session.second_factor_due)
                .returning(Session.address, Session.browser)
            )
            was = ended.one_or_none()
            if was is None:
                raise SignInAgain  # somebody else finished it; the code is not spent
            began = await sessions.begin(db, user, address=was.address, browser=was.browser)
            await throttle.forgive(db, poured)
    if left_before is None:
        raise WrongCode
    return began


async def confirm_password(
    database: Database, secret: bytes, identity: Identity, password: str, *, address: str | None
) -> None:
    """Have whoever sits there prove again who they are, for `sessions.CONFIRMED_FOR`.

    Raises WrongPassword, TooManyTries, OwnerOnly, Busy.
    """
    await check_own_password(database, secret, identity, password, address=address)
    async with database.transaction(everyone=WHY) as db:
        await sessions.confirm(db, identity.session_id)


async def check_own_password(
    database: Database, secret: bytes, identity: Identity, password: str, *, address: str | None
) -> None:
    """Raise WrongPassword unless this is the password of somebody who is signed in; counted like signing in.

    Raises OwnerOnly, TooManyTries, Busy, too.
    """
    sessions.require_owner(identity)
    async with database.transaction(everyone=WHY) as db:
        poured = await throttle.pour(db, secret, throttle.tries_of(look_up_key(identity.email), address))
        kept = await db.scalar(select(User.password_hash).where(User.id == identity.user_id))
    is_right, fresh_hash = await _check(password, _Account(identity.user_id, kept))
    async with database.transaction(everyone=WHY) as db:
        if is_right:
            await throttle.forgive(db, poured)
            if fresh_hash is not None:
                await _rehash(db, identity.user_id, kept, fresh_hash)
        else:
            await _refuse(db, identity.user_id, WrongPassword(), because="confirmation")
    if not is_right:
        raise WrongPassword


async def _check(password: str, account: _Account | None) -> tuple[bool, str | None]:
    """Whether the password is right, and a new hash where the one that is kept has other parameters than today's."""
    kept = account.password_hash if account is not None else None
    is_right = await passwords.check(password, kept)
    is_outdated = is_right and kept is not None and passwords.is_outdated(kept)
    return is_right, await passwords.hash_of(password) if is_outdated else None


async def _come_in(
    db: AsyncSession, account: _Account, fresh_hash: str | None, *, address: str | None, browser: str | None
) -> SignedIn | Refused:
    """The password was right a moment ago; what counts is what stands there now."""
    found = await db.execute(
        select(User.password_hash, User.status, User.totp_since)
        .where(User.id == account.id)
        .with_for_update(key_share=True)
    )
    now = found.one()
    if now.password_hash != account.password_hash or now.status is UserStatus.CLOSED:
        return await _refuse(db, account.id, WrongSignIn())
    if now.status is UserStatus.SUSPENDED:
        return await _refuse(db, account.id, Suspended(), because="suspended")
    if fresh_hash is not None:
        await _rehash(db, account.id, account.password_hash, fresh_hash)
    is_due = now.totp_since is not None
    token = await sessions.begin(db, account.id, address=address, browser=browser, second_factor_due=is_due)
    return SignedIn(token, is_due)


async def _refuse(db: AsyncSession, user: uuid.UUID, error: Refused, *, because: str = "password") -> Refused:
    await audit.record(db, user, None, "session.refused", after={"because": because})
    return error


async def _rehash(db: AsyncSession, user: uuid.UUID, kept: str | None, fresh_hash: str) -> None:
    """Keep the same password under today's parameters, unless it was changed meanwhile."""
    await db.execute(update(User).where(User.id == user, User.password_hash == kept).values(password_hash=fresh_hash))
