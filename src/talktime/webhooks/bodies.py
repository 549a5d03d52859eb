"""What is sent: put together once for each event, when it is first sent, and stored: so every try sends the same.

The rule: who reads a call for a body holds the call's lock while the body is stored. So whoever forgets its caller
comes before that, and there is nobody left to be read, or after it, and empties what was stored.
"""

import uuid
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.webhooks.models import WebhookEvent

BYTES_MAX = 20_000
"""Of a whole body, as Standard Webhooks asks."""
_ENVELOPE_BYTES_MAX = 300

Render = Callable[[AsyncSession, uuid.UUID, Mapping[str, Any]], Awaitable[Mapping[str, Any] | None]]
"""Makes of an event's ids what is shown of it, in a transaction of its owner: None when there is nothing of it any
more, and then the ids are all that is sent."""
Renderers = Mapping[str, Render]
"""By the event's type, or by its group: `call.*`."""


async def body_of(db: AsyncSession, renderers: Renderers, user: uuid.UUID, event: uuid.UUID) -> str | None:
    """The data of an event as JSON, put together if it never was, or was emptied; None for an event that is gone. Needs
    a transaction of its owner, committed before anything is sent."""
    whose = (WebhookEvent.user_id == user, WebhookEvent.id == event)
    columns = select(WebhookEvent.type, WebhookEvent.data, WebhookEvent.call_id, WebhookEvent.body).where(*whose)
    found = (await db.execute(columns)).one_or_none()
    if found is None or found.body is not None:
        return found.body if found is not None else None
    if found.call_id is not None:
        await db.execute(_LOCK_CALL, {"user": user, "call": found.call_id})
    render = renderers.get(found.type) or renderers.get(f"{found.type.partition('.')[0]}.*")
    shown = await render(db, user, found.data) if render is not None else None
    body = _fitting(found.data, shown)
    stored = await db.execute(
        update(WebhookEvent)
        .where(*whose, WebhookEvent.body.is_(None))
        .values(body=body)
        .returning(WebhookEvent.id)
        .execution_options(synchronize_session=False)
    )
    if stored.first() is None:
        # Somebody else sends it to another endpoint, and was first.
        other: str | None = await db.scalar(select(WebhookEvent.body).where(*whose))
        return other
    return body


def envelope(type: str, happened_at: datetime, sequence: int, data: str) -> bytes:
    """The body that is sent; of the same values always the same bytes."""
    at = happened_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    beginning = orjson.dumps({"type": type, "timestamp": at, "sequence": sequence})
    return beginning[:-1] + b',"data":' + data.encode() + b"}"


def _fitting(data: Mapping[str, Any], shown: Mapping[str, Any] | None) -> str:
    body = orjson.dumps({**data, **(shown or {})}, default=str)
    if len(body) > BYTES_MAX - _ENVELOPE_BYTES_MAX:
        body = orjson.dumps({**data, "truncated": True})
    return body.decode()


_LOCK_CALL = text("SELECT FROM calls WHERE user_id = :user AND id = :call FOR KEY SHARE")
