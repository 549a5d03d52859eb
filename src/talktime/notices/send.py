"""Telling customers, one mail for each notice.

The rule: who sends a notice is settled and committed before it is sent, and that it went out is written in a second
transaction. A process that dies between the two has it sent again, with the same Message-ID; two processes at once send
it once.
"""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from talktime import log
from talktime.accounts.models import User, UserStatus
from talktime.alerts.board import raise_alert
from talktime.credits.forecast import days_left
from talktime.db.session import Database
from talktime.errors import ProviderError
from talktime.mail.message import Mail, Undeliverable
from talktime.mail.send import Mailer
from talktime.notices.kinds import language_of
from talktime.notices.models import Notice
from talktime.notices.words import NoWords, words_of

_WHY = "notices to all customers are sent by one step"
_LOGGER = log.get(__name__)
_PER_RUN_MAX = 200
_FAILURES_MAX = 3
"""When so many fail in one run it is the server that fails, and the others need not find that out."""
_CLAIMED = timedelta(minutes=5)
"""Longer than sending can take: until then whoever claimed a notice is believed to be at it."""
_AGAIN_MAX = timedelta(hours=6)
_TRIED_FOR = timedelta(days=4)


@dataclass(frozen=True, slots=True)
class _Claimed:
    """A notice that nobody else sends for a while, and who reads it."""

    user_id: uuid.UUID
    id: uuid.UUID
    kind: str
    detail: dict[str, Any]
    created_at: datetime
    tries: int
    address: str
    name: str
    locale: str
    days_left: int | None


async def send_notices(database: Database, mailer: Mailer, *, base_url: str) -> int:
    """Send what is due, oldest first; gives how many were sent. What fails is put off, and given up after four days."""
    sent = failures = 0
    while sent < _PER_RUN_MAX and failures < _FAILURES_MAX:
        async with database.transaction(everyone=_WHY) as db:
            notice = await _claim_next(db, datetime.now(UTC))
        if notice is None:
            break
        try:
            await mailer.send(_mail(notice, base_url))
        except NoWords as error:
            _LOGGER.error("a notice cannot be put into words", notice_id=str(notice.id), error=str(error))
            await _drop(database, notice, "no words")
        except Undeliverable as error:
            _LOGGER.warning("a notice can never be delivered", notice_id=str(notice.id), error=str(error))
            await _drop(database, notice, "undeliverable")
        except ProviderError as error:
            _LOGGER.warning("a notice could not be sent", notice_id=str(notice.id), error=str(error))
            failures += 1
            await _put_off(database, notice, datetime.now(UTC))
        else:
            await _finish(database, notice, mailed_at=datetime.now(UTC))
            sent += 1
    return sent


async def _claim_next(db: AsyncSession, now: datetime) -> _Claimed | None:
    """The notice that waited longest. Those of closed accounts are put away on the way: nobody is there to be told."""
    while True:
        found = await db.execute(
            select(Notice, User)
            .join(User, User.id == Notice.user_id)
            .where(Notice.mailed_at.is_(None), Notice.dropped_at.is_(None), Notice.not_before <= now)
            .order_by(Notice.not_before)
            .limit(1)
            .with_for_update(skip_locked=True, of=Notice)
        )
        row = found.first()
        if row is None:
            return None
        notice, user = row
        if user.status != UserStatus.CLOSED:
            break
        notice.dropped_at, notice.dropped_reason = now, "closed"
        await db.flush()
    notice.tries += 1
    notice.not_before = now + _CLAIMED
    lasts = await days_left(db, user.id, now, zone=user.zone) if notice.kind == "low_balance" else None
    return _Claimed(
        user_id=notice.user_id,
        id=notice.id,
        kind=notice.kind,
        detail=notice.detail,
        created_at=notice.created_at,
        tries=notice.tries,
        address=user.email,
        name=user.name,
        locale=user.locale,
        days_left=lasts,
    )


def _mail(notice: _Claimed, base_url: str) -> Mail:
    language = language_of(notice.locale)
    words = words_of(
        notice.kind,
        notice.detail,
        name=notice.name,
        language=language,
        base_url=base_url,
        days_left=notice.days_left,
    )
    return Mail(notice.id, (notice.address,), language, words)


async def _put_off(database: Database, notice: _Claimed, now: datetime) -> None:
    """Wait a minute, then twice as long each time."""
    if now - notice.created_at > _TRIED_FOR:
        await _drop(database, notice, "too late")
        return
    wait = min(_AGAIN_MAX, timedelta(minutes=2 ** min(notice.tries - 1, 20)))
    await _finish(database, notice, not_before=now + wait)


async def _drop(database: Database, notice: _Claimed, reason: str) -> None:
    """Give it up, and have the operator know in the same transaction."""
    async with database.transaction(everyone=_WHY) as db:
        dropped = await db.execute(
            _open(notice).values(dropped_at=datetime.now(UTC), dropped_reason=reason).returning(Notice.id)
        )
        if dropped.first() is not None:
            detail = {"notice_id": str(notice.id), "notice": notice.kind, "reason": reason}
            await raise_alert(db, "notice_failed", notice.user_id, detail)


async def _finish(database: Database, notice: _Claimed, **values: datetime) -> None:
    async with database.transaction(everyone=_WHY) as db:
        await db.execute(_open(notice).values(**values))


def _open(notice: _Claimed) -> Any:
    """This notice, unless somebody else has brought it to an end meanwhile."""
    return update(Notice).where(
        Notice.user_id == notice.user_id,
        Notice.id == notice.id,
        Notice.mailed_at.is_(None),
        Notice.dropped_at.is_(None),
    )
