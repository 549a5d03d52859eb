"""The log of what was sent, and sending it once more: "why did my CRM not update?"

The rules: a replay is the same event under the same id, so that a receiver that had it already knows it again; and it
never pushes itself in front of what happens now.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, bindparam, delete, exists, func, select, text, tuple_
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.db.base import new_id
from talktime.db.session import Database
from talktime.errors import BadInput, Conflict, NotFound
from talktime.webhooks import endpoints
from talktime.webhooks.bodies import envelope
from talktime.webhooks.events import TEST
from talktime.webhooks.models import DeliveryState, WebhookAttempt, WebhookDelivery, WebhookEndpoint, WebhookEvent

KEPT_DAYS = 30
REPLAY_MAX = 10_000
REPLAYED_EVERY = timedelta(milliseconds=100)
"""What is replayed goes out no faster, so that what happens meanwhile comes in between."""
FAILED = (DeliveryState.FAILED, DeliveryState.SKIPPED)
WHY = "what was told to endpoints a month ago is forgotten, whoever's it was"
_PRUNED_AT_ONCE = 2000


class NoSuchDelivery(NotFound):
    """There is no such delivery. They are kept for 30 days."""


class EndpointIsOff(Conflict):
    """This endpoint is switched off: switch it on, then send again."""


class BadRange(BadInput):
    """A range begins before it ends."""

    field = "until"


class TooMuchToReplay(BadInput):
    """More than 10,000 deliveries lie in that range: replay a shorter one, and the next when that is through."""

    field = "since"


@dataclass(frozen=True, slots=True)
class Listed:
    """A delivery as a row of a list."""

    id: uuid.UUID
    endpoint_id: uuid.UUID
    event_id: uuid.UUID
    type: str
    state: DeliveryState
    sequence: int | None
    attempts: int
    due_at: datetime | None
    ended_at: datetime | None
    created_at: datetime
    last_attempt_at: datetime | None
    last_status: int | None
    last_error: str | None


@dataclass(frozen=True, slots=True)
class Told:
    """A delivery with all that is known of it."""

    listed: Listed
    body: str | None
    """What is sent, or was; None before the first try, and when it was emptied."""
    attempts: Sequence[WebhookAttempt]


async def of_endpoint(
    db: AsyncSession,
    user: uuid.UUID,
    endpoint: uuid.UUID,
    *,
    state: DeliveryState | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    after: tuple[datetime, uuid.UUID] | None = None,
    limit: int = 50,
) -> list[Listed]:
    """What was told to an endpoint, or is to be, newest first, of facts from `since` on and before `until`."""
    page = _listing(user).where(WebhookDelivery.endpoint_id == endpoint)
    if state is not None:
        page = page.where(WebhookDelivery.state == state)
    if since is not None:
        page = page.where(WebhookDelivery.created_at >= since)
    if until is not None:
        page = page.where(WebhookDelivery.created_at < until)
    place = tuple_(WebhookDelivery.created_at, WebhookDelivery.id)
    if after is not None:
        page = page.where(place < after)
    page = page.order_by(WebhookDelivery.created_at.desc(), WebhookDelivery.id.desc()).limit(limit)
    return [_listed(row) for row in await db.execute(page)]


async def one(db: AsyncSession, user: uuid.UUID, endpoint: uuid.UUID, delivery: uuid.UUID) -> Told:
    """One of them, with its body and every try. Raises NoSuchDelivery."""
    query = _listing(user).where(WebhookDelivery.endpoint_id == endpoint, WebhookDelivery.id == delivery)
    row = (await db.execute(query.add_columns(WebhookEvent.body))).one_or_none()
    if row is None:
        raise NoSuchDelivery
    tries = await db.scalars(
        select(WebhookAttempt)
        .where(WebhookAttempt.user_id == user, WebhookAttempt.delivery_id == delivery)
        .order_by(WebhookAttempt.attempt_no)
    )
    listed = _listed(row)
    body = None
    if row.body is not None and listed.sequence is not None:
        body = envelope(listed.type, listed.created_at, listed.sequence, row.body).decode()
    return Told(listed, body, tries.all())


async def events_of(
    db: AsyncSession,
    user: uuid.UUID,
    *,
    type: str | None = None,
    after: tuple[datetime, uuid.UUID] | None = None,
    limit: int = 50,
) -> list[WebhookEvent]:
    """What happened that an endpoint wanted to hear of, newest first."""
    page = select(WebhookEvent).where(WebhookEvent.user_id == user)
    if type is not None:
        page = page.where(WebhookEvent.type == type)
    if after is not None:
        page = page.where(tuple_(WebhookEvent.created_at, WebhookEvent.id) < after)
    found = await db.scalars(page.order_by(WebhookEvent.created_at.desc(), WebhookEvent.id.desc()).limit(limit))
    return list(found)


async def replay(db: AsyncSession, user: uuid.UUID, endpoint: uuid.UUID, delivery: uuid.UUID) -> None:
    """Send one once more, now, whatever became of it. Raises NoSuchEndpoint, NoSuchDelivery, EndpointIsOff."""
    await _working(db, user, endpoint)
    again = await db.execute(_AGAIN_ONE, {"user": user, "endpoint": endpoint, "delivery": delivery})
    if again.first() is None:
        raise NoSuchDelivery


async def replay_range(
    db: AsyncSession,
    user: uuid.UUID,
    endpoint: uuid.UUID,
    *,
    since: datetime,
    until: datetime,
    everything: bool = False,
) -> int:
    """Send again what happened from `since` on and before `until`, in that order: what was not delivered, or
    `everything`. Gives how many. Raises NoSuchEndpoint, EndpointIsOff, BadRange, TooMuchToReplay."""
    if since >= until:
        raise BadRange
    await _working(db, user, endpoint)
    states = [*FAILED, *([DeliveryState.DELIVERED] if everything else [])]
    again = await db.execute(
        _AGAIN_RANGE,
        {
            "user": user,
            "endpoint": endpoint,
            "since": since,
            "until": until,
            "states": [state.value for state in states],
            "most": REPLAY_MAX + 1,
            "every": REPLAYED_EVERY,
        },
    )
    count = len(again.all())
    if count > REPLAY_MAX:
        raise TooMuchToReplay
    return count


async def test(db: AsyncSession, user: uuid.UUID, endpoint: uuid.UUID) -> uuid.UUID:
    """Send an event to an endpoint that says nothing but that it works; gives the delivery. Raises NoSuchEndpoint,
    EndpointIsOff."""
    found = await _working(db, user, endpoint)
    now = (await db.execute(select(func.clock_timestamp()))).scalar_one()
    values = {"user": user, "event": new_id(), "endpoint": endpoint, "type": TEST, "now": now}
    await db.execute(_TEST, {**values, "data": {"endpoint_id": str(found.id)}})
    delivery = new_id()
    await db.execute(_INSERT, {**values, "id": delivery})
    return delivery


async def prune(database: Database, days: int = KEPT_DAYS) -> int:
    """Forget what is older, and endpoints that were deleted and have nothing left; gives how many events. What was
    replayed meanwhile goes with its event."""
    gone = 0
    while True:
        async with database.transaction(everyone=WHY) as db:
            old = (
                select(WebhookEvent.user_id, WebhookEvent.id)
                .where(WebhookEvent.created_at < func.now() - timedelta(days=days))
                .order_by(WebhookEvent.created_at)
                .limit(_PRUNED_AT_ONCE)
            )
            events = [tuple(row) for row in await db.execute(old)]
            if events:
                theirs = tuple_(WebhookDelivery.user_id, WebhookDelivery.event_id).in_(events)
                deliveries = select(WebhookDelivery.user_id, WebhookDelivery.id).where(theirs)
                await db.execute(
                    delete(WebhookAttempt).where(
                        tuple_(WebhookAttempt.user_id, WebhookAttempt.delivery_id).in_(deliveries)
                    )
                )
                await db.execute(delete(WebhookDelivery).where(theirs))
                await db.execute(delete(WebhookEvent).where(tuple_(WebhookEvent.user_id, WebhookEvent.id).in_(events)))
        gone += len(events)
        if len(events) < _PRUNED_AT_ONCE:
            break
    async with database.transaction(everyone=WHY) as db:
        left = exists().where(
            WebhookDelivery.user_id == WebhookEndpoint.user_id, WebhookDelivery.endpoint_id == WebhookEndpoint.id
        )
        # A day later at the earliest: by then no transaction is left that saw it before it was deleted.
        long_gone = WebhookEndpoint.deleted_at < func.now() - timedelta(days=1)
        await db.execute(delete(WebhookEndpoint).where(long_gone, ~left))
    return gone


async def _working(db: AsyncSession, user: uuid.UUID, endpoint: uuid.UUID) -> WebhookEndpoint:
    found = await endpoints.locked(db, user, endpoint)
    if found.disabled_at is not None:
        raise EndpointIsOff
    return found


def _listing(user: uuid.UUID) -> Any:
    return (
        select(
            WebhookDelivery.id,
            WebhookDelivery.endpoint_id,
            WebhookDelivery.event_id,
            WebhookEvent.type,
            WebhookDelivery.state,
            WebhookDelivery.sequence,
            WebhookDelivery.attempts,
            WebhookDelivery.due_at,
            WebhookDelivery.ended_at,
            WebhookDelivery.created_at,
            WebhookAttempt.began_at,
            WebhookAttempt.status,
            WebhookAttempt.error,
        )
        .join(
            WebhookEvent,
            (WebhookEvent.user_id == WebhookDelivery.user_id) & (WebhookEvent.id == WebhookDelivery.event_id),
        )
        .outerjoin(
            WebhookAttempt,
            (WebhookAttempt.user_id == WebhookDelivery.user_id)
            & (WebhookAttempt.delivery_id == WebhookDelivery.id)
            & (WebhookAttempt.attempt_no == WebhookDelivery.attempts),
        )
        .where(WebhookDelivery.user_id == user)
    )


def _listed(row: Row[Any]) -> Listed:
    return Listed(*tuple(row)[:13])


_AGAIN_ONE = text(
    "UPDATE webhook_deliveries SET state = 'PENDING', tries = 0, due_at = clock_timestamp(), ended_at = NULL"
    " WHERE user_id = :user AND endpoint_id = :endpoint AND id = :delivery RETURNING 1"
)
_AGAIN_RANGE = text(
    """
    WITH chosen AS (
        SELECT d.id, row_number() OVER (ORDER BY d.created_at, d.id) - 1 AS place FROM webhook_deliveries d
        WHERE d.user_id = :user AND d.endpoint_id = :endpoint AND d.created_at >= :since AND d.created_at < :until
            AND d.state = ANY (CAST(:states AS webhook_delivery_state[]))
        ORDER BY d.created_at, d.id LIMIT :most
    )
    UPDATE webhook_deliveries d SET
        state = 'PENDING', tries = 0, ended_at = NULL,
        due_at = statement_timestamp() + s.place * CAST(:every AS interval)
    FROM chosen s WHERE d.user_id = :user AND d.id = s.id RETURNING 1
    """
)
_TEST = text(
    "INSERT INTO webhook_events (user_id, id, type, data, created_at) VALUES (:user, :event, :type, :data, :now)"
).bindparams(bindparam("data", type_=JSONB))
_INSERT = text(
    "INSERT INTO webhook_deliveries (user_id, id, endpoint_id, event_id, state, due_at, created_at)"
    " VALUES (:user, :id, :endpoint, :event, 'PENDING', :now, :now)"
)
