"""A request that comes twice is done once: the key that a program gives it, and what it was answered.

The rules: the key is written in the transaction of the deed, so that neither is there without the other; whoever comes
with the same key meanwhile waits for that transaction's end. An answer is kept sealed, for a day.
"""

import uuid
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts.models import IdempotencyKey
from talktime.db.base import new_id
from talktime.errors import Conflict
from talktime.security import seal, unseal

KEPT = timedelta(hours=24)
TAKEN_OVER_AFTER = timedelta(seconds=60)
"""Whoever has not answered by then died on the way: longer than anything takes that is done for a request."""
_WAIT_MS = 3000
_PRUNED_AT_ONCE = 10_000


class UsedForSomethingElse(Conflict):
    """This Idempotency-Key came with another request already. Choose a new key for each thing that is to be done."""


class UnderWay(Conflict):
    """A request with this Idempotency-Key is being worked on. Wait a moment, then send it again to get its answer."""

    retry_after = 2


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered: an HTTP status, and a document that begins with the headers that belong to it."""

    status: int
    document: bytes


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for, by whom, under which key."""

    user: uuid.UUID
    key: str
    digest: bytes

    @property
    def _about(self) -> str:
        return f"idempotency {self.user} {self.key}"

    def sealed(self, secret: bytes, document: bytes) -> bytes:
        return seal(secret, self._about, document)

    def unsealed(self, secret: bytes, sealed: bytes) -> bytes:
        return unseal(secret, self._about, sealed)


async def begin(db: AsyncSession, secret: bytes, asked: Asked) -> Answer | None:
    """Claim the key in the caller's transaction; gives the answer when it was done before. Raises
    UsedForSomethingElse, and UnderWay when whoever was first does not come to an end soon."""
    values = {"user_id": asked.user, "key": asked.key, "digest": asked.digest}
    claim = insert(IdempotencyKey).values(**values).on_conflict_do_nothing().returning(IdempotencyKey.key)
    try:
        await db.execute(text(f"SET LOCAL lock_timeout = {_WAIT_MS}"))
        # Older ones are as good as gone, also before the night comes that removes them.
        await db.execute(delete(IdempotencyKey).where(_of(asked), IdempotencyKey.created_at < func.now() - KEPT))
        is_first = (await db.execute(claim)).first() is not None
        await db.execute(text("SET LOCAL lock_timeout TO DEFAULT"))
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) == "55P03":
            raise UnderWay from None
        raise
    if is_first:
        return None
    found = (
        await db.execute(select(IdempotencyKey.digest, IdempotencyKey.status, IdempotencyKey.answer).where(_of(asked)))
    ).first()
    if found is None:
        raise UnderWay  # whoever was first has given up just now
    if found.digest != asked.digest:
        raise UsedForSomethingElse
    if found.status is None or found.answer is None:
        await _take_over(db, asked)
        return None
    return Answer(found.status, asked.unsealed(secret, found.answer))


async def finish(db: AsyncSession, secret: bytes, asked: Asked, answer: Answer) -> None:
    """Keep the answer, in the transaction of what was done last."""
    sealed = asked.sealed(secret, answer.document)
    await db.execute(update(IdempotencyKey).where(_of(asked)).values(status=answer.status, answer=sealed))


async def give_up(db: AsyncSession, asked: Asked) -> None:
    """Nothing was done: the key is free again."""
    await db.execute(delete(IdempotencyKey).where(_of(asked), IdempotencyKey.status.is_(None)))


def new_name() -> str:
    """A name for something that nobody gave one to."""
    return new_id().hex


async def prune(db: AsyncSession) -> int:
    """Forget the answers that are older than a day; gives how many. Needs a transaction that is everyone's."""
    old = (
        select(IdempotencyKey.user_id, IdempotencyKey.key)
        .where(IdempotencyKey.created_at < func.now() - KEPT)
        .limit(_PRUNED_AT_ONCE)
        .cte()
    )
    gone = await db.execute(
        delete(IdempotencyKey)
        .where(IdempotencyKey.user_id == old.c.user_id, IdempotencyKey.key == old.c.key)
        .returning(IdempotencyKey.user_id)
    )
    return len(gone.all())


async def _take_over(db: AsyncSession, asked: Asked) -> None:
    """Do again what somebody began and did not finish. Raises UnderWay while they still may."""
    taken = await db.execute(
        update(IdempotencyKey)
        .where(
            _of(asked),
            IdempotencyKey.status.is_(None),
            IdempotencyKey.claimed_at < func.clock_timestamp() - TAKEN_OVER_AFTER,
        )
        .values(claimed_at=func.clock_timestamp())
        .returning(IdempotencyKey.key)
    )
    if taken.first() is None:
        raise UnderWay


def _of(asked: Asked) -> ColumnElement[bool]:
    return (IdempotencyKey.user_id == asked.user) & (IdempotencyKey.key == asked.key)
