"""Where a customer wants to be told: making, changing, switching on and off, the secret that signs.

The rules: a secret is given out when it is made and, later, only to somebody whose door has made sure who they are; a
program that follows the old one has a day to follow the new one. Every change is in the audit log, without the address.
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts import audit
from talktime.db.base import new_id
from talktime.errors import BadInput, Conflict, NotFound
from talktime.webhooks import events, recording, signing, targets
from talktime.webhooks.models import DeliveryState, DisabledReason, WebhookDelivery, WebhookEndpoint

ENDPOINTS_MAX = 10
DESCRIPTION_LENGTH_MAX = 200
CHANGING_OVER = timedelta(hours=24)
"""So long an old secret signs beside the new one."""


class NoSuchEndpoint(NotFound):
    """There is no such webhook endpoint."""


class TooManyEndpoints(Conflict):
    """There are 10 endpoints already: delete one, or have one of your servers tell the others."""


class BadEvents(BadInput):
    """Name the events that are to be sent: types as call.ended, groups as call.*, or * for all."""

    field = "events"


class BadDescription(BadInput):
    """A description is one line of at most 200 characters."""

    field = "description"


@dataclass(frozen=True, slots=True)
class Keeping:
    """What making and reading an endpoint needs of this installation."""

    key: bytes
    """Seals the secrets."""
    to_private: bool = False
    """This machine and its neighbours may be sent to."""


async def create(
    db: AsyncSession,
    user: uuid.UUID,
    keeping: Keeping,
    *,
    url: str,
    events: Iterable[str],
    description: str = "",
    actor: uuid.UUID | None = None,
) -> tuple[WebhookEndpoint, str]:
    """A new endpoint, and its secret. Raises BadTarget, BadEvents, BadDescription, TooManyEndpoints."""
    url, wanted, description = targets.checked(url, to_private=keeping.to_private), _wanted(events), _line(description)
    # Two that are made at once are counted one after the other.
    await db.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": f"webhooks:{user}"})
    count = await db.scalar(select(func.count()).where(*_there(user)))
    if (count or 0) >= ENDPOINTS_MAX:
        raise TooManyEndpoints
    endpoint, secret = new_id(), signing.new_secret()
    made = WebhookEndpoint(
        user_id=user,
        id=endpoint,
        url=url,
        description=description,
        events=wanted,
        secret=signing.seal(keeping.key, user, endpoint, secret),
    )
    db.add(made)
    await db.flush()
    await db.refresh(made)
    await _audit(db, made, actor, "webhook.made", after={"events": wanted})
    return made, secret


async def change(
    db: AsyncSession,
    endpoint: WebhookEndpoint,
    keeping: Keeping,
    *,
    url: str | None = None,
    events: Iterable[str] | None = None,
    description: str | None = None,
    enabled: bool | None = None,
    actor: uuid.UUID | None = None,
) -> None:
    """Change what is given of an endpoint that `locked` gave. One that is switched on again begins anew: what failed
    before counts no more. Raises BadTarget, BadEvents, BadDescription."""
    before: dict[str, audit.Value] = {}
    after: dict[str, audit.Value] = {}
    if url is not None and (new_url := targets.checked(url, to_private=keeping.to_private)) != endpoint.url:
        endpoint.url = new_url
        after["url"] = "changed"
    if events is not None and (wanted := _wanted(events)) != endpoint.events:
        before["events"], after["events"] = list(endpoint.events), wanted
        endpoint.events = wanted
    if description is not None and (line := _line(description)) != endpoint.description:
        endpoint.description = line
        after["description"] = "changed"
    if enabled is not None and enabled != (endpoint.disabled_at is None):
        before["enabled"], after["enabled"] = not enabled, enabled
        now = await _now(db)
        if enabled:
            endpoint.disabled_at = endpoint.disabled_reason = endpoint.failing_since = None
            endpoint.failures = 0
            endpoint.free_at = now
        else:
            endpoint.disabled_at, endpoint.disabled_reason = now, DisabledReason.OWNER
            await recording.skip_waiting(db, endpoint.user_id, endpoint.id, now)
    if after:
        endpoint.revision += 1
        await db.flush()
        await _audit(db, endpoint, actor, "webhook.changed", before=before, after=after)


async def rotate(
    db: AsyncSession, endpoint: WebhookEndpoint, keeping: Keeping, *, actor: uuid.UUID | None = None
) -> str:
    """A new secret for an endpoint that `locked` gave. The one before signs beside it for a day, and no older one."""
    secret = signing.new_secret()
    endpoint.old_secret, endpoint.old_secret_until = endpoint.secret, await _now(db) + CHANGING_OVER
    endpoint.secret = signing.seal(keeping.key, endpoint.user_id, endpoint.id, secret)
    endpoint.revision += 1
    await db.flush()
    await _audit(db, endpoint, actor, "webhook.rotated")
    return secret


async def reveal(
    db: AsyncSession, user: uuid.UUID, endpoint: uuid.UUID, keeping: Keeping, *, actor: uuid.UUID | None = None
) -> str:
    """The secret that signs now. For a door that knows who is there (`sessions.require_confirmed`); no key opens it.
    Raises NoSuchEndpoint."""
    found = await one(db, user, endpoint)
    await _audit(db, found, actor, "webhook.secret_shown")
    return signing.unseal(keeping.key, user, found.id, found.secret)


async def delete(db: AsyncSession, endpoint: WebhookEndpoint, *, actor: uuid.UUID | None = None) -> None:
    """Nothing is sent any more to an endpoint that `locked` gave; what was sent stays until it is forgotten."""
    now = await _now(db)
    await recording.skip_waiting(db, endpoint.user_id, endpoint.id, now)
    _empty(endpoint, now)
    await db.flush()
    await _audit(db, endpoint, actor, "webhook.deleted")


async def close_all(db: AsyncSession, user: uuid.UUID) -> int:
    """The same with all of them, because the account is closed; gives how many there were."""
    found = await db.scalars(select(WebhookEndpoint).where(*_there(user)).with_for_update(key_share=True))
    endpoints, now = found.all(), await _now(db)
    for endpoint in endpoints:
        await recording.skip_waiting(db, user, endpoint.id, now)
        _empty(endpoint, now)
    await db.flush()
    return len(endpoints)


async def of_user(db: AsyncSession, user: uuid.UUID) -> Sequence[WebhookEndpoint]:
    """A customer's endpoints, oldest first: there are never many."""
    found = await db.scalars(
        select(WebhookEndpoint).where(*_there(user)).order_by(WebhookEndpoint.created_at, WebhookEndpoint.id)
    )
    return found.all()


async def one(db: AsyncSession, user: uuid.UUID, endpoint: uuid.UUID) -> WebhookEndpoint:
    """One of them. Raises NoSuchEndpoint."""
    found = await db.scalar(select(WebhookEndpoint).where(*_there(user), WebhookEndpoint.id == endpoint))
    if found is None:
        raise NoSuchEndpoint
    return found


async def locked(db: AsyncSession, user: uuid.UUID, endpoint: uuid.UUID) -> WebhookEndpoint:
    """The same, and nobody else changes it before this transaction ends. Raises NoSuchEndpoint."""
    found = await db.scalar(
        select(WebhookEndpoint)
        .where(*_there(user), WebhookEndpoint.id == endpoint)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if found is None:
        raise NoSuchEndpoint
    return found


async def waiting(db: AsyncSession, user: uuid.UUID, endpoint: uuid.UUID) -> int:
    """How much is still to be sent to it; counted to 1000."""
    some = (
        select(WebhookDelivery.id)
        .where(
            WebhookDelivery.user_id == user,
            WebhookDelivery.endpoint_id == endpoint,
            WebhookDelivery.state == DeliveryState.PENDING,
            WebhookDelivery.due_at.is_not(None),
        )
        .limit(1000)
        .subquery()
    )
    return await db.scalar(select(func.count()).select_from(some)) or 0


def _wanted(events_asked: Iterable[str]) -> list[str]:
    wanted = sorted(set(events_asked))
    if not wanted or not set(wanted) <= events.WANTED:
        unknown = sorted(set(wanted) - events.WANTED)
        raise BadEvents(
            f"There is no event {unknown[0][:80]!r}: name types as call.ended, groups as call.*, or * for all."
            if unknown
            else ""
        )
    return wanted


def _line(description: str) -> str:
    line = description.strip()
    if len(line) > DESCRIPTION_LENGTH_MAX or not line.isprintable():
        raise BadDescription
    return line


def _empty(endpoint: WebhookEndpoint, now: datetime) -> None:
    endpoint.url = endpoint.description = ""
    endpoint.secret, endpoint.old_secret, endpoint.old_secret_until = b"", None, None
    endpoint.disabled_at = endpoint.disabled_at or now
    endpoint.disabled_reason = endpoint.disabled_reason or DisabledReason.OWNER
    endpoint.deleted_at = now
    endpoint.revision += 1


def _there(user: uuid.UUID) -> tuple[ColumnElement[bool], ...]:
    return WebhookEndpoint.user_id == user, WebhookEndpoint.deleted_at.is_(None)


async def _now(db: AsyncSession) -> datetime:
    now: datetime | None = await db.scalar(select(func.clock_timestamp()))
    assert now is not None
    return now


async def _audit(
    db: AsyncSession,
    endpoint: WebhookEndpoint,
    actor: uuid.UUID | None,
    act: str,
    *,
    before: dict[str, audit.Value] | None = None,
    after: dict[str, audit.Value] | None = None,
) -> None:
    named: dict[str, audit.Value] = {"endpoint_id": str(endpoint.id), **(after or {})}
    await audit.record(db, endpoint.user_id, actor or endpoint.user_id, act, before=before, after=named)
