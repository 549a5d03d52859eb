"""What became of a try: written down, and what follows from it decided.

The rules: a try counts for its delivery only if it is the newest one of it; and nothing is switched off without a mail
and an entry in the audit log, in the same transaction. Locks in the order of `sql/20_sending.sql`: the call, the
endpoint, the delivery, the attempt.
"""

import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from talktime import log
from talktime.accounts import audit, mails
from talktime.webhooks import ladder
from talktime.webhooks.models import DeliveryState, DisabledReason, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from talktime.webhooks.post import Outcome

if TYPE_CHECKING:
    from talktime.webhooks.sending import Claimed

WHY = "what customers' endpoints answered is written down by one step"
NOTICE = "webhook_disabled"
_GONE = 410
_LOGGER = log.get(__name__)


async def record(db: AsyncSession, tried: "Claimed", outcome: Outcome) -> None:
    """Write down what became of a try, and when the next one is, if there is to be one."""
    may_keep = await _may_keep(db, tried)
    found = await db.execute(
        select(WebhookEndpoint, func.clock_timestamp())
        .where(WebhookEndpoint.user_id == tried.user_id, WebhookEndpoint.id == tried.endpoint_id)
        .with_for_update(key_share=True)
    )
    row = found.one_or_none()
    if row is None:
        return
    endpoint, now = row
    whose = (WebhookDelivery.user_id == tried.user_id, WebhookDelivery.id == tried.delivery_id)
    delivery = await db.scalar(select(WebhookDelivery).where(*whose).with_for_update(key_share=True))
    await db.execute(
        update(WebhookAttempt)
        .where(
            WebhookAttempt.user_id == tried.user_id,
            WebhookAttempt.delivery_id == tried.delivery_id,
            WebhookAttempt.attempt_no == tried.attempt_no,
        )
        .values(
            milliseconds=outcome.milliseconds,
            status=outcome.status,
            answer=outcome.answer if may_keep and endpoint.deleted_at is None else None,
            error=outcome.error,
        )
    )
    if delivery is None or delivery.attempts != tried.attempt_no:
        return  # it took so long that somebody else tried meanwhile, and theirs counts
    rest = timedelta(seconds=ladder.rest_asked(outcome.status, outcome.headers, now))
    endpoint.free_at = now + rest
    if outcome.is_success:
        endpoint.delivered_at, endpoint.failing_since, endpoint.failures = now, None, 0
        if delivery.state in (DeliveryState.PENDING, DeliveryState.SKIPPED):
            _end(delivery, DeliveryState.DELIVERED, now)
        return
    endpoint.failures += 1
    endpoint.failing_since = endpoint.failing_since or now
    if delivery.state is not DeliveryState.PENDING:
        return  # switched off, or closed, while it was under way
    # Asked for once more while it was under way, it stands below the ladder, and is due already.
    if delivery.tries > 0:
        wait = ladder.wait_after(delivery.tries)
        if wait is None:
            _end(delivery, DeliveryState.FAILED, now)
        else:
            delivery.due_at = now + max(rest, timedelta(seconds=wait))
    reason = await _reason_to_disable(db, endpoint, delivery, outcome, now)
    if reason is not None:
        await _disable(db, endpoint, reason, now)


async def skip_waiting(db: AsyncSession, user: uuid.UUID, endpoint: uuid.UUID, now: datetime) -> None:
    """What waits for an endpoint that is switched off is not sent; it can be replayed. The endpoint is locked."""
    await db.execute(
        update(WebhookDelivery)
        .where(
            WebhookDelivery.user_id == user,
            WebhookDelivery.endpoint_id == endpoint,
            WebhookDelivery.due_at.is_not(None),
        )
        .values(state=DeliveryState.SKIPPED, due_at=None, ended_at=now)
        .execution_options(synchronize_session=False)
    )


async def _reason_to_disable(
    db: AsyncSession, endpoint: WebhookEndpoint, delivery: WebhookDelivery, outcome: Outcome, now: datetime
) -> DisabledReason | None:
    if endpoint.disabled_at is not None:
        return None
    if outcome.status == _GONE:
        return DisabledReason.GONE
    assert endpoint.failing_since is not None
    if now - endpoint.failing_since >= ladder.FAILING_MAX:
        return DisabledReason.FAILING
    if delivery.state is not DeliveryState.FAILED:
        return None
    # One event that a receiver cannot digest, while it takes the others, is given up by itself.
    first_tried = await db.scalar(
        select(WebhookAttempt.began_at).where(
            WebhookAttempt.user_id == delivery.user_id,
            WebhookAttempt.delivery_id == delivery.id,
            WebhookAttempt.attempt_no == delivery.attempts - delivery.tries + 1,
        )
    )
    has_worked = first_tried and endpoint.delivered_at and endpoint.delivered_at > first_tried
    return None if has_worked else DisabledReason.FAILING


async def _disable(db: AsyncSession, endpoint: WebhookEndpoint, reason: DisabledReason, now: datetime) -> None:
    endpoint.disabled_at, endpoint.disabled_reason = now, reason
    endpoint.revision += 1
    await db.flush()
    await skip_waiting(db, endpoint.user_id, endpoint.id, now)
    detail: dict[str, audit.Value] = {"endpoint_id": str(endpoint.id), "reason": reason.value}
    await audit.record(db, endpoint.user_id, None, "webhook.disabled", after=detail)
    told = {"endpoint_id": str(endpoint.id), "reason": reason.value.lower()}
    await mails.have_told(db, endpoint.user_id, NOTICE, f"{endpoint.id}:{endpoint.revision}", told)
    _LOGGER.info("an endpoint was switched off", endpoint_id=str(endpoint.id), reason=reason.value)


async def _may_keep(db: AsyncSession, tried: "Claimed") -> bool:
    """Whether what was answered may be kept: a receiver may repeat what it was sent, and its caller may be forgotten.
    Holds the call's lock, so that whoever forgets comes before this, or finds what is written here."""
    if tried.call_id is None:
        return True
    whose = {"user": tried.user_id, "call": tried.call_id}
    row = (await db.execute(_CALL, whose)).first()
    return row is not None and row.forgotten_at is None


def _end(delivery: WebhookDelivery, state: DeliveryState, now: datetime) -> None:
    delivery.state, delivery.due_at, delivery.ended_at = state, None, now


_CALL = text("SELECT forgotten_at FROM calls WHERE user_id = :user AND id = :call FOR KEY SHARE")
