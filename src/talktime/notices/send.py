"""Telling customers, one mail for each notice.

The rule: who sends a notice is settled and committed before it is sent, and that it went out is written in a second
transaction. A process that dies between the two has it sent again, with the same Message-ID; two processes at once send
it once. What is not kept with a notice is gathered in between, and stands in no row of it.
"""

import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from talktime import log
from talktime.accounts.models import User, UserStatus
from talktime.alerts.board import raise_alert
from talktime.credits.forecast import days_left
from talktime.db.session import Database
from talktime.errors import ProviderError
from talktime.mail.message import Attachment, Mail, Undeliverable
from talktime.mail.send import Mailer
from talktime.notices.choices import OFF_HOOK, OFF_PAGE, path_off
from talktime.notices.kinds import KINDS, language_of
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
_DATABASE_FAILS = (SQLAlchemyError, OSError)
"""What is not this mail's fault: the round ends, and the next one goes on."""
_TRIED_FOR = timedelta(days=4)


@dataclass(frozen=True, slots=True)
class Occasion:
    """What a mail is to be about, for whoever puts together what it says."""

    user_id: uuid.UUID
    kind: str
    detail: Mapping[str, Any]
    created_at: datetime
    language: str
    zone: str


@dataclass(frozen=True, slots=True)
class Gathered:
    """What was put together for one mail: values for its template (`Kind.gathers`), and what goes with it."""

    values: Mapping[str, Any] = field(default_factory=dict)
    attachments: Sequence[Attachment] = ()


Gather = Callable[[Database, Occasion], Awaitable[Gathered | None]]
"""Puts together what a mail says when it is sent; None when there is nothing any more. Opens its own transactions."""


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
    zone: str
    days_left: int | None


async def send_notices(
    database: Database,
    mailer: Mailer,
    *,
    base_url: str,
    gatherers: Mapping[str, Gather] | None = None,
    secret: bytes | None = None,
) -> int:
    """Send what is due, oldest first; gives how many were sent. What fails is put off, and given up after four days.

    `gatherers` put together what the kinds say that are not told with all of it; `secret` signs the links by which
    somebody switches off what they chose, and without one there are none.
    """
    sent = failures = 0
    while sent < _PER_RUN_MAX and failures < _FAILURES_MAX:
        async with database.transaction(everyone=_WHY) as db:
            notice = await _claim_next(db, datetime.now(UTC))
        if notice is None:
            break
        try:
            gathered = await _gather(database, notice, (gatherers or {}).get(notice.kind))
        except _DATABASE_FAILS:
            raise
        except Exception as error:  # a mistake in one mail keeps nobody else's back
            _LOGGER.error("a mail could not be put together", notice_id=str(notice.id), exc_info=error)
            failures += 1
            await _put_off(database, notice, datetime.now(UTC))
            continue
        if gathered is None:
            await _finish(database, notice, dropped_at=datetime.now(UTC), dropped_reason="nothing left to tell")
            continue
        try:
            await mailer.send(_mail(notice, base_url, gathered, secret))
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
        zone=user.zone,
        days_left=lasts,
    )


async def _gather(database: Database, notice: _Claimed, gather: Gather | None) -> Gathered | None:
    """What it says beyond its detail; None when there is nothing left to tell."""
    kind = KINDS.get(notice.kind)
    found = None
    if gather is not None:
        language = language_of(notice.locale)
        about = Occasion(notice.user_id, notice.kind, notice.detail, notice.created_at, language, notice.zone)
        found = await gather(database, about)
    if found is None and kind is not None and kind.is_empty_without:
        return None
    return found or Gathered()


def _mail(notice: _Claimed, base_url: str, gathered: Gathered, secret: bytes | None) -> Mail:
    language = language_of(notice.locale)
    choice = KINDS[notice.kind].choice if notice.kind in KINDS else None
    off = None
    if choice is not None and secret is not None:
        off = path_off(secret, notice.user_id, choice)
    words = words_of(
        notice.kind,
        notice.detail,
        name=notice.name,
        language=language,
        base_url=base_url,
        days_left=notice.days_left,
        gathered=gathered.values,
        off_url=None if off is None else base_url + off,
    )
    hook = None if off is None else base_url + OFF_HOOK + off.removeprefix(OFF_PAGE)
    return Mail(notice.id, (notice.address,), language, words, gathered.attachments, hook)


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


async def _finish(database: Database, notice: _Claimed, **values: datetime | str) -> None:
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
