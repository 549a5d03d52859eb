"""Codes of the second factor: those of an authenticator (TOTP, RFC 6238) and recovery codes.

The rules: a code works once. The authenticator's key is kept sealed; recovery codes are kept as hashes, and go on
working when the installation's secret key was changed and the authenticator's key cannot be read any more.
"""

import base64
import hmac
import re
import secrets
import time
import unicodedata
import uuid
from collections.abc import Sequence

import pyotp
from sqlalchemy import ColumnElement, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts import audit, mails
from talktime.accounts.models import RecoveryCode, User
from talktime.errors import Conflict
from talktime.security import Unsealable, seal, token_hash, unseal

STEP_SECONDS = 30
CODES = 10
_STEPS_AROUND = 1
"""A clock may be half a minute off, and typing takes a while."""
_CODE_BYTES = 10


class UnreadableSecondFactor(Conflict):
    """The second factor cannot be checked here any more, because the secret key of this server was changed. Type a
    recovery code, or ask the people who run this server to take the second factor off."""


async def take(db: AsyncSession, secret: bytes, user: uuid.UUID, typed: str) -> int | None:
    """Use up a code of somebody whose second factor is on; gives how many recovery codes are left, or None when it is
    not right or was used. Raises UnreadableSecondFactor."""
    code = _plain(typed)
    if re.fullmatch(r"[0-9]{6}", code):
        is_right = await take_totp(db, secret, user, code, User.totp_since.is_not(None))
    else:
        is_right = await _take_recovery(db, user, code)
    if not is_right:
        return None
    return await left(db, user)


async def take_totp(
    db: AsyncSession, secret: bytes, user: uuid.UUID, typed: str, condition: ColumnElement[bool]
) -> bool:
    """Use up a code of the authenticator, of somebody for whom the condition is true. Raises UnreadableSecondFactor."""
    sealed = await db.scalar(select(User.totp_secret).where(User.id == user, condition))
    if sealed is None:
        return False
    step = _step_of(_open(secret, user, sealed), _plain(typed), time.time())
    if step is None:
        return False
    # Nothing but the next one is ever taken, so of two who type the same at once one is late.
    taken = await db.execute(
        update(User)
        .where(
            User.id == user,
            condition,
            User.totp_secret == sealed,
            or_(User.totp_step.is_(None), User.totp_step < step),
        )
        .values(totp_step=step)
        .returning(User.id)
    )
    return taken.first() is not None


async def left(db: AsyncSession, user: uuid.UUID) -> int:
    """How many recovery codes are not used yet."""
    count = select(func.count()).where(RecoveryCode.user_id == user, RecoveryCode.used_at.is_(None))
    return int(await db.scalar(count) or 0)


async def replace(db: AsyncSession, user: uuid.UUID) -> list[str]:
    """New recovery codes instead of the old ones. They are shown now and never again."""
    codes = [_new_code() for _ in range(CODES)]
    await db.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user))
    await db.execute(
        insert(RecoveryCode), [{"user_id": user, "code_hash": _hash(user, _plain(code))} for code in codes]
    )
    return codes


def new_key() -> str:
    """A new key for an authenticator (160 bits, RFC 4226), as it is typed by hand."""
    return pyotp.random_base32()


def seal_key(secret: bytes, user: uuid.UUID, key: str) -> bytes:
    """The key as it is kept."""
    return seal(secret, _about(user), key.encode())


def open_key(secret: bytes, user: uuid.UUID, sealed: bytes) -> str:
    """The key as an authenticator needs it. Raises UnreadableSecondFactor."""
    return _open(secret, user, sealed)


def uri_of(key: str, email: str) -> str:
    """What an authenticator reads from a picture."""
    return pyotp.TOTP(key, interval=STEP_SECONDS).provisioning_uri(name=email, issuer_name="Talktime")


async def _take_recovery(db: AsyncSession, user: uuid.UUID, code: str) -> bool:
    owner_has_one = select(User.id).where(User.id == user, User.totp_since.is_not(None)).exists()
    used = await db.execute(
        update(RecoveryCode)
        .where(
            RecoveryCode.user_id == user,
            RecoveryCode.code_hash == _hash(user, code),
            RecoveryCode.used_at.is_(None),
            owner_has_one,
        )
        .values(used_at=func.now())
        .returning(RecoveryCode.user_id)
    )
    if used.first() is None:
        return False
    remaining = await left(db, user)
    seq = await audit.record(db, user, user, "recovery_codes.used", after={"left": remaining})
    await mails.have_told(db, user, "recovery_code_used", str(seq), {"left": remaining})
    return True


def _step_of(key: str, code: str, now: float) -> int | None:
    """The half minute that a code belongs to, of those around now. All are looked at, whichever it is."""
    at = int(now) // STEP_SECONDS
    generator = pyotp.TOTP(key, interval=STEP_SECONDS)
    steps: Sequence[int] = range(at - _STEPS_AROUND, at + _STEPS_AROUND + 1)
    right = [step for step in steps if hmac.compare_digest(generator.generate_otp(step).encode(), code.encode())]
    return right[-1] if right else None


def _open(secret: bytes, user: uuid.UUID, sealed: bytes) -> str:
    try:
        return unseal(secret, _about(user), sealed).decode()
    except Unsealable:
        raise UnreadableSecondFactor from None


def _about(user: uuid.UUID) -> str:
    return f"totp {user}"


def _new_code() -> str:
    """80 random bits in letters and digits that are not taken for one another, in groups of four."""
    said = base64.b32encode(secrets.token_bytes(_CODE_BYTES)).decode().lower()
    return "-".join(said[at : at + 4] for at in range(0, len(said), 4))


def _hash(user: uuid.UUID, code: str) -> bytes:
    return token_hash(f"recovery code {user} {code}")


def _plain(typed: str) -> str:
    """As people type it: with blanks and dashes, in capitals, with the digits of another alphabet."""
    said = unicodedata.normalize("NFKC", typed[:100]).lower()
    return "".join(char for char in said if char.isascii() and char.isalnum())
