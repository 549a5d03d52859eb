"""One mail to the operator for all that is new, again and again until it has gone out.

The rule: which alerts a mail carries is settled and committed before it is sent, and that it went out is written in a
second transaction. A process that dies between the two has it sent again, with the same Message-ID; two processes at
once send one mail.
"""

import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from talktime import log
from talktime.alerts.kinds import sentence
from talktime.alerts.models import Alert
from talktime.db.base import new_id
from talktime.db.session import Database
from talktime.errors import ProviderError
from talktime.mail.message import Mail, Words, is_mailbox
from talktime.mail.send import Mailer

_WHY = "alerts are the operator's, whomever they are about"
_LOGGER = log.get(__name__)
_OPERATORS = "SELECT email FROM users WHERE role = 'ADMIN' AND status = 'ACTIVE' ORDER BY created_at LIMIT 20"
_CARRIED_MAX = 1000
_SPELLED_MAX = 50
_AGAIN = timedelta(minutes=5)
"""Longer than sending a mail can take: until then whoever claimed it is believed to be at it."""
_AGAIN_MAX = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class _Digest:
    id: uuid.UUID
    alerts: Sequence[Alert]


async def mail_alerts(database: Database, mailer: Mailer, to: Sequence[str], *, base_url: str) -> int:
    """Mail what was not mailed yet, if anything; gives how many alerts went out. What fails is logged and tried again.

    With nobody in `to` it goes to every operator's own address.
    """
    async with database.transaction(everyone=_WHY) as db:
        digest = await _claim(db, datetime.now(UTC))
        readers = to or list(await db.scalars(text(_OPERATORS)))
    if digest is None:
        return 0
    try:
        reachable = tuple(address for address in readers if is_mailbox(address))
        if not reachable:
            raise ProviderError("no operator has an address that mail can be sent to")
        await mailer.send(Mail(digest.id, reachable, "en", _words(digest.alerts, base_url)))
    except ProviderError as error:
        _LOGGER.error("the operator could not be told of alerts by mail", error=str(error), alerts=len(digest.alerts))
        async with database.transaction(everyone=_WHY) as db:
            await _put_off(db, digest, datetime.now(UTC))
        return 0
    async with database.transaction(everyone=_WHY) as db:
        await db.execute(
            update(Alert).where(Alert.digest_id == digest.id, Alert.mailed_at.is_(None)).values(mailed_at=func.now())
        )
    return len(digest.alerts)


async def _claim(db: AsyncSession, now: datetime) -> _Digest | None:
    """A mail that may not have gone out, else a new one for all that is in none yet."""
    # One claim at a time, so that what is new is never split over two mails.
    await db.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('talktime alerts digest', 0))"))
    waiting = select(Alert.id).where(Alert.mailed_at.is_(None), Alert.acknowledged_at.is_(None))
    digest_id = await db.scalar(
        select(Alert.digest_id)
        .where(Alert.mailed_at.is_(None), Alert.acknowledged_at.is_(None), Alert.digest_after < now)
        .order_by(Alert.digest_after)
        .limit(1)
    )
    chosen = (
        waiting.where(Alert.digest_id.is_(None)).order_by(Alert.created_at).limit(_CARRIED_MAX)
        if digest_id is None
        else waiting.where(Alert.digest_id == digest_id)
    )
    digest_id = digest_id or new_id()
    claimed = await db.execute(
        update(Alert)
        .where(Alert.id.in_(chosen))
        .values(digest_id=digest_id, digest_after=now + _AGAIN)
        .returning(Alert)
        .execution_options(synchronize_session=False)
    )
    alerts = sorted(claimed.scalars(), key=lambda alert: (alert.created_at, alert.id))
    return _Digest(digest_id, alerts) if alerts else None


async def _put_off(db: AsyncSession, digest: _Digest, now: datetime) -> None:
    """Wait as long again as the oldest has waited already."""
    waited = now - digest.alerts[0].created_at
    await db.execute(
        update(Alert)
        .where(Alert.digest_id == digest.id, Alert.mailed_at.is_(None))
        .values(digest_after=now + min(_AGAIN_MAX, max(_AGAIN, waited)))
    )


def _words(alerts: Sequence[Alert], base_url: str) -> Words:
    kinds = Counter(alert.kind for alert in alerts)
    count = len(alerts)
    spelled, rest = alerts[:_SPELLED_MAX], Counter(alert.kind for alert in alerts[_SPELLED_MAX:])
    paragraphs = [
        f"{count} {'thing needs' if count == 1 else 'things need'} a person's eye at {base_url}.",
        *(_paragraph(alert) for alert in spelled),
    ]
    if rest:
        more = ", ".join(f"{kind} {number} times" for kind, number in sorted(rest.items()))
        paragraphs.append(f"And {rest.total()} more: {more}.")
    named = ", ".join(f"{kind} ({number})" if number > 1 else kind for kind, number in kinds.most_common(3))
    return Words(
        subject=f"Talktime: {count} {'alert' if count == 1 else 'alerts'}: {named}"
        + (f" and {len(kinds) - 3} other kinds" if len(kinds) > 3 else ""),
        paragraphs=paragraphs,
        closing="`talktime ledger alerts list` shows what is open, `talktime ledger alerts acknowledge ID --by YOU`"
        " puts one away.",
    )


def _paragraph(alert: Alert) -> str:
    lines = [sentence(alert.kind), f"{alert.kind}, {alert.created_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC, {alert.id}"]
    if alert.user_id is not None:
        lines.append(f"user: {alert.user_id}")
    lines += _spelled(alert.detail)
    return "\n".join(lines)


def _spelled(detail: Mapping[str, Any]) -> list[str]:
    """A function of the database may have put anything into it: it is cut, not trusted."""
    return [f"{name}: {' '.join(str(value).split())[:200]}" for name, value in list(detail.items())[:20]]
