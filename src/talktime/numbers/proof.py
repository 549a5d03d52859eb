"""Whose own a number is: we call it and say a code, and whoever tells us the code holds the telephone.

The rules: of the code only an HMAC is kept, for ten minutes and five tries; the call is placed once, and never again by
itself, because somebody's telephone rings each time; and who proves a number last has it, because numbers change hands.
"""

import hmac
import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from talktime import log
from talktime.accounts import audit
from talktime.accounts.models import User, UserStatus
from talktime.carriers.numbers import Numbers, Spoken
from talktime.credits.account import funds_of
from talktime.credits.money import NotEnoughCredit
from talktime.db.session import Database
from talktime.errors import BadInput, Conflict, NotFound, ProviderError, TalktimeError
from talktime.numbers.forms import ordinary
from talktime.numbers.models import NumberProof, PhoneNumber, PhoneStatus
from talktime.numbers.rows import one_by_one

WHY = "whose own a number is concerns everybody who says so"
VALID = timedelta(minutes=10)
TRIES_MAX = 5
PER_NUMBER_A_DAY = 3
PER_USER_A_DAY = 10
_DIGITS = 6
_LOGGER = log.get(__name__)

_SENTENCES = {
    "en": ("Hello. This is Talktime. Your code is:", "Once more, your code is:", "Goodbye."),
    "de": ("Guten Tag. Hier ist Talktime. Ihr Code lautet:", "Noch einmal, Ihr Code lautet:", "Auf Wiederhören."),
}


class OurOwnNumber(Conflict):
    """This number is one of ours, and not a number of your own: prove the one that people call you on today."""

    field = "number"


class TooManyProofs(TalktimeError):
    """This number was called often enough today: try again tomorrow."""

    status = 429
    retry_after = 24 * 3600


class NoCallerNumber(Conflict):
    """There is no number here to call you from: the operator has to add one of the carrier's first."""


class WrongCode(BadInput):
    """This is not the code that the call said: listen again, or begin anew."""

    field = "code"


class ProofOver(Conflict):
    """This proof is over: it took too long, or the code was wrong too often. Begin anew, and we call again."""


@dataclass(frozen=True, slots=True)
class _Begun:
    proof: uuid.UUID
    code: str
    language: str
    caller: str
    carrier: str


async def begin(
    database: Database, user: uuid.UUID, number: str, carriers: Mapping[str, Numbers], *, secret: bytes
) -> NumberProof:
    """Call a number and say a code; gives the proof that waits for it. Its `error` says when the carrier refused.

    Raises NoNumber, DearNumber, UnknownNumber, OurOwnNumber, TooManyProofs, NoCallerNumber, NotEnoughCredit.
    """
    number = ordinary(number)
    async with database.transaction(everyone=WHY) as db:
        begun = await _begin(db, user, number, list(carriers), secret)
    spoken = Spoken(sentences=_said(begun.code, begun.language), language=begun.language, seconds_max=60)
    call, error = None, None
    try:
        call = await carriers[begun.carrier].place(number, begun.caller, spoken)
    except ProviderError as failed:
        # It may ring all the same, and then the code is right: only a refusal for good ends the proof.
        _LOGGER.warning("a number could not be called", proof_id=str(begun.proof), permanent=failed.permanent)
        error = "refused" if failed.permanent else "no answer"
    async with database.transaction(everyone=WHY) as db:
        proof = await _locked(db, user, begun.proof)
        proof.carrier_call_id, proof.error = call, error
        if error == "refused":
            proof.ended_at, proof.code_hash = datetime.now(UTC), None
    return proof


async def finish(
    database: Database, user: uuid.UUID, proof_id: uuid.UUID, code: str, *, secret: bytes, now: datetime
) -> NumberProof:
    """The code that the call said. Said again after it was right, it changes nothing. Raises NotFound, WrongCode,
    ProofOver, OurOwnNumber."""
    async with database.transaction(everyone=WHY) as db:
        proof = await _locked(db, user, proof_id)
        if proof.proven_at is not None and proof.ended_at is None:
            return proof
        if proof.ended_at is not None or proof.code_hash is None or proof.expires_at <= now:
            raise ProofOver
        is_right = hmac.compare_digest(proof.code_hash, _hash(secret, proof.id, _digits(code)))
        if is_right:
            await _prove(db, proof, now)
        else:
            # Counted before it is answered, and kept although it is answered with an error.
            proof.tries += 1
            if proof.tries >= TRIES_MAX:
                proof.ended_at, proof.code_hash = now, None
    if not is_right:
        raise ProofOver if proof.ended_at is not None else WrongCode
    return proof


async def is_proven(db: AsyncSession, user: uuid.UUID | None, number: str) -> bool:
    """Whether this number is proven to be this user's; with None, to be anybody's."""
    proven = select(NumberProof.user_id).where(
        NumberProof.number == number, NumberProof.proven_at.is_not(None), NumberProof.ended_at.is_(None)
    )
    whose = await db.scalar(proven)
    return whose is not None and user in (None, whose)


async def of_user(db: AsyncSession, user: uuid.UUID, *, after: uuid.UUID | None, limit: int) -> Sequence[NumberProof]:
    """A user's proofs, newest first."""
    query = select(NumberProof).where(NumberProof.user_id == user)
    if after is not None:
        query = query.where(NumberProof.id < after)
    return (await db.execute(query.order_by(NumberProof.id.desc()).limit(limit))).scalars().all()


async def one(db: AsyncSession, user: uuid.UUID, proof: uuid.UUID) -> NumberProof:
    """One of a user's proofs. Raises NotFound."""
    found = await db.scalar(select(NumberProof).where(NumberProof.id == proof, NumberProof.user_id == user))
    if found is None:
        raise NotFound("There is no such proof.")
    return found


async def _begin(db: AsyncSession, user: uuid.UUID, number: str, carriers: Sequence[str], secret: bytes) -> _Begun:
    """The proof is written before anybody is called, and counted before that."""
    who = (await db.execute(select(User.status, User.locale).where(User.id == user))).one_or_none()
    if who is None or who.status is not UserStatus.ACTIVE:
        raise NotFound("There is no such user.")
    # The call is ours to pay: whoever has just signed up has nobody called.
    if (await funds_of(db, user)).free < 1:
        raise NotEnoughCredit("Buy credits first: a number is called for an account that has some.")
    await db.execute(select(func.pg_advisory_xact_lock(func.hashtextextended("number proofs", 0))))
    await _require_not_ours(db, number)
    day = func.now() - timedelta(days=1)
    recent = select(func.count()).where(NumberProof.created_at > day)
    if (await db.scalar(recent.where(NumberProof.number == number)) or 0) >= PER_NUMBER_A_DAY:
        raise TooManyProofs
    if (await db.scalar(recent.where(NumberProof.user_id == user)) or 0) >= PER_USER_A_DAY:
        raise TooManyProofs("You had enough numbers called today: try again tomorrow.")
    carrier, caller = await caller_for(db, carriers, user)
    now = datetime.now(UTC)
    # Of two codes for one number only the newer one counts.
    await db.execute(
        update(NumberProof)
        .where(
            NumberProof.user_id == user,
            NumberProof.number == number,
            NumberProof.proven_at.is_(None),
            NumberProof.ended_at.is_(None),
        )
        .values(ended_at=now, code_hash=None)
    )
    code = f"{secrets.randbelow(10**_DIGITS):0{_DIGITS}d}"
    proof = NumberProof(user_id=user, number=number, carrier=carrier, expires_at=now + VALID)
    db.add(proof)
    await db.flush()
    proof.code_hash = _hash(secret, proof.id, code)
    await db.flush()
    await audit.record(db, user, user, "number_proof.begun", after={"proof_id": str(proof.id)})
    language = "de" if who.locale.lower().startswith("de") else "en"
    return _Begun(proof.id, code, language, caller, carrier)


async def caller_for(
    db: AsyncSession, carriers: Sequence[str], user: uuid.UUID | None, *, besides: uuid.UUID | None = None
) -> tuple[str, str]:
    """A number of ours to call from, as its carrier and its digits: the user's own before any other. Raises
    NoCallerNumber."""
    query = select(PhoneNumber.carrier, PhoneNumber.number).where(
        PhoneNumber.carrier.in_(carriers),
        PhoneNumber.carrier_number_id.is_not(None),
        PhoneNumber.status != PhoneStatus.RETURNED,
    )
    if besides is not None:
        query = query.where(PhoneNumber.id != besides)
    is_theirs = func.coalesce(PhoneNumber.user_id == user, False).desc()
    found = (await db.execute(query.order_by(is_theirs, PhoneNumber.status, PhoneNumber.id).limit(1))).first()
    if found is None:
        raise NoCallerNumber
    return found[0], found[1]


async def _prove(db: AsyncSession, proof: NumberProof, now: datetime) -> None:
    await one_by_one(db, proof.number)
    await _require_not_ours(db, proof.number)
    await db.execute(
        update(NumberProof)
        .where(NumberProof.number == proof.number, NumberProof.proven_at.is_not(None), NumberProof.ended_at.is_(None))
        .values(ended_at=now)
    )
    proof.proven_at, proof.code_hash = now, None
    await db.flush()
    await audit.record(db, proof.user_id, proof.user_id, "number_proof.proven", after={"proof_id": str(proof.id)})


async def _require_not_ours(db: AsyncSession, number: str) -> None:
    ours = select(PhoneNumber.id).where(
        PhoneNumber.number == number, PhoneNumber.status != PhoneStatus.RETURNED, PhoneNumber.owner_id.is_(None)
    )
    if await db.scalar(ours) is not None:
        raise OurOwnNumber


async def _locked(db: AsyncSession, user: uuid.UUID, proof: uuid.UUID) -> NumberProof:
    found = select(NumberProof).where(NumberProof.id == proof, NumberProof.user_id == user).with_for_update()
    row = (await db.execute(found.execution_options(populate_existing=True))).scalar_one_or_none()
    if row is None:
        raise NotFound("There is no such proof.")
    return row


def _hash(secret: bytes, proof: uuid.UUID, code: str) -> bytes:
    return hmac.new(secret, b"number-proof:" + proof.bytes + code.encode(), "sha256").digest()


def _digits(code: str) -> str:
    """What was typed, without what people put between digits."""
    found = "".join(sign for sign in code[:20] if sign not in " -.")
    if not (found.isascii() and found.isdecimal() and len(found) == _DIGITS):
        raise WrongCode(f"A code has {_DIGITS} digits.")
    return found


def _said(code: str, language: str) -> list[str]:
    hello, again, goodbye = _SENTENCES[language]
    spelled = ", ".join(code)
    return [hello, spelled, again, spelled, goodbye]
