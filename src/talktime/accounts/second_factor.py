"""Switching the second factor on and off, and making new recovery codes.

The rules: it counts from the first right code on, so that nobody shuts themselves out with an authenticator that does
not work; switching it on ends every browser that came in without it. Each of these asks for somebody who has proven a
short while ago who they are, and is no operator in their place.
"""

import uuid
from dataclasses import dataclass, field

import segno
from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts import audit, mails, sessions, throttle
from talktime.accounts import second_factor_codes as codes
from talktime.accounts.models import RecoveryCode, User
from talktime.accounts.sessions import Identity
from talktime.accounts.sign_in import WrongCode
from talktime.db.session import Database
from talktime.errors import Conflict

WHY = "who may come in stands in the directory, which no customer's transaction reads"


class AlreadyOn(Conflict):
    """The second factor is on already: switch it off first to use another app."""


class NotOn(Conflict):
    """The second factor is not on."""


class NotBegun(Conflict):
    """Begin again: the key that you were shown is not waiting for its first code any more."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What an authenticator needs, shown to its owner alone."""

    key: str = field(repr=False)
    """To type by hand."""
    uri: str = field(repr=False)

    @property
    def qr_svg(self) -> str:
        """The same as a picture to scan, as a piece of a page; dark on light whatever the page's colours are."""
        picture: str = segno.make(self.uri, error="m", micro=False).svg_inline(
            scale=4, border=4, dark="#000", light="#fff", omitsize=True
        )
        return picture


async def begin(db: AsyncSession, secret: bytes, identity: Identity) -> Setup:
    """A new key that waits for its first code; one that waited before is forgotten, whoever has seen it. Needs a
    transaction that is everyone's. Raises AlreadyOn, OwnerOnly, ConfirmFirst."""
    sessions.require_confirmed(identity)
    key = codes.new_key()
    begun = await db.execute(
        update(User)
        .where(User.id == identity.user_id, User.totp_since.is_(None))
        .values(totp_secret=codes.seal_key(secret, identity.user_id, key), totp_step=None)
        .returning(User.id)
    )
    if begun.first() is None:
        raise AlreadyOn
    return Setup(key, codes.uri_of(key, identity.email))


async def begun(db: AsyncSession, secret: bytes, identity: Identity) -> Setup | None:
    """The key that waits for its first code, to show it once more; None when none does."""
    sessions.require_confirmed(identity)
    sealed = await db.scalar(select(User.totp_secret).where(User.id == identity.user_id, User.totp_since.is_(None)))
    if sealed is None:
        return None
    try:
        key = codes.open_key(secret, identity.user_id, sealed)
    except codes.UnreadableSecondFactor:
        return None
    return Setup(key, codes.uri_of(key, identity.email))


async def switch_on(
    database: Database, secret: bytes, identity: Identity, code: str, *, address: str | None
) -> list[str]:
    """With the first right code it counts: gives the recovery codes, which are shown now and never again. Every other
    browser is signed out, and the owner told.

    Raises WrongCode, NotBegun, AlreadyOn, TooManyTries, OwnerOnly, ConfirmFirst.
    """
    sessions.require_confirmed(identity)
    user = identity.user_id
    async with database.transaction(everyone=WHY) as db:
        poured = await throttle.pour(db, secret, throttle.tries_of_code(user, address))
        state = (await db.execute(select(User.totp_secret, User.totp_since).where(User.id == user))).one()
    if state.totp_since is not None:
        raise AlreadyOn
    if state.totp_secret is None:
        raise NotBegun
    async with database.transaction(everyone=WHY) as db:
        try:
            is_right = await codes.take_totp(db, secret, user, code, User.totp_since.is_(None))
        except codes.UnreadableSecondFactor:
            raise NotBegun from None
        if not is_right:
            raise WrongCode
        await db.execute(update(User).where(User.id == user).values(totp_since=func.now()))
        made = await codes.replace(db, user)
        ended = await sessions.end_all(db, user, but=identity.session_id)
        seq = await audit.record(db, user, user, "second_factor.on", after={"codes": len(made), "sessions": ended})
        await mails.have_told(db, user, "second_factor_on", str(seq))
        await throttle.forgive(db, poured)
    return made


async def switch_off(db: AsyncSession, identity: Identity) -> None:
    """Forget the key and the recovery codes; the owner is told. Needs a transaction that is everyone's. Raises NotOn,
    OwnerOnly, ConfirmFirst."""
    sessions.require_confirmed(identity)
    if not await remove(db, identity.user_id):
        raise NotOn
    seq = await audit.record(db, identity.user_id, identity.user_id, "second_factor.off")
    await mails.have_told(db, identity.user_id, "second_factor_off", str(seq))


async def remove(db: AsyncSession, user: uuid.UUID) -> bool:
    """Take somebody's second factor away, without a word; False when it was not on."""
    # Whoever is typing a code at this moment comes before or after, not in between.
    was = await db.execute(select(User.totp_since).where(User.id == user).with_for_update(key_share=True))
    was_on = was.scalar_one() is not None
    await db.execute(update(User).where(User.id == user).values(totp_secret=None, totp_since=None, totp_step=None))
    await db.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user))
    return was_on


async def new_codes(db: AsyncSession, identity: Identity) -> list[str]:
    """New recovery codes, shown now and never again; the old ones work no more. Needs a transaction that is everyone's.
    Raises NotOn, OwnerOnly, ConfirmFirst."""
    sessions.require_confirmed(identity)
    is_on = await db.execute(select(User.totp_since).where(User.id == identity.user_id).with_for_update(key_share=True))
    if is_on.scalar_one() is None:
        raise NotOn
    made = await codes.replace(db, identity.user_id)
    await audit.record(db, identity.user_id, identity.user_id, "recovery_codes.made", after={"codes": len(made)})
    return made


async def codes_left(db: AsyncSession, user: uuid.UUID) -> int:
    """How many recovery codes are not used yet."""
    return await codes.left(db, user)
