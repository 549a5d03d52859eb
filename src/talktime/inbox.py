"""Every event of a provider: verified, stored once, answered, handled once in a job, replayable.

The rule: acknowledge only what is stored. A second delivery finds its row by (provider, account, event id) and changes
nothing.
"""

import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Index, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from talktime import log
from talktime.db.base import CreatedAt, Model, new_id
from talktime.db.session import Database
from talktime.jobs import Jobs

_LOGGER = log.get(__name__)


class ProviderEvent(Model):
    """One event as it came. Kept for 30 days."""

    __tablename__ = "provider_events"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    provider: Mapped[str]
    account: Mapped[str]
    event_id: Mapped[str]
    kind: Mapped[str]
    body: Mapped[bytes]
    headers: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'"))
    """An allow-list of them; never an authorisation."""
    received_at: Mapped[CreatedAt]
    handled_at: Mapped[datetime | None]
    verdict: Mapped[str | None]
    """What handling it came to: `handled`, `nothing to do`, `unknown call`."""
    error: Mapped[str | None]
    tries: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    last_tried_at: Mapped[datetime | None]

    __table_args__ = (
        Index("uq_provider_events_event", "provider", "account", "event_id", unique=True),
        Index("ix_provider_events_unhandled", "received_at", postgresql_where=text("handled_at IS NULL")),
    )


@dataclass(frozen=True, slots=True)
class Incoming:
    """An event of a provider whose signature was found right."""

    provider: str
    account: str
    event_id: str
    kind: str
    body: bytes
    headers: Mapping[str, str]


Handle = Callable[[AsyncSession, ProviderEvent], Awaitable[str]]
"""Handles one stored event in the given transaction; gives the verdict."""

DRAIN_JOB = "inbox.drain"
_BATCH = 100
_TRIES_MAX = 10
_KEPT_HEADERS = ("content-type", "i-twilio-idempotency-token", "user-agent")
_WHY = "providers' events are everybody's until they are handled"


async def accept(database: Database, jobs: Jobs, event: Incoming) -> bool:
    """Store an event and ask for it to be handled; False when it was there already. Then it may be acknowledged."""
    async with database.transaction(everyone=_WHY) as db:
        stored = await db.execute(
            insert(ProviderEvent)
            .values(
                id=new_id(),
                provider=event.provider,
                account=event.account,
                event_id=event.event_id,
                kind=event.kind,
                body=event.body,
                headers={name: event.headers[name] for name in _KEPT_HEADERS if name in event.headers},
            )
            .on_conflict_do_nothing(
                index_elements=[ProviderEvent.provider, ProviderEvent.account, ProviderEvent.event_id]
            )
            .returning(ProviderEvent.id)
        )
        is_new = stored.first() is not None
        if is_new:
            await jobs.enqueue(db, DRAIN_JOB)
    return is_new


async def drain(database: Database, handlers: Mapping[str, Handle]) -> int:
    """Handle what lies in the inbox, oldest first; gives how many were handled.

    Each event has a transaction of its own, together with what it changes: one that fails spoils no other, and is
    tried again by the next drain until it has failed ten times. Then it stays in the list for the operator.
    """
    handled = 0
    for _ in range(_BATCH):
        outcome = await _handle_next(database, handlers)
        if outcome is None:
            break
        handled += outcome
    return handled


async def _handle_next(database: Database, handlers: Mapping[str, Handle]) -> bool | None:
    failed: tuple[uuid.UUID, str] | None = None
    try:
        async with database.transaction(everyone=_WHY) as db:
            event = (
                await db.execute(
                    select(ProviderEvent)
                    .where(
                        ProviderEvent.handled_at.is_(None),
                        ProviderEvent.tries < _TRIES_MAX,
                        # A failed one waits before it is tried again, twice as long each time.
                        text("(tries = 0 OR last_tried_at < now() - power(2, tries) * interval '1 second')"),
                    )
                    .order_by(ProviderEvent.received_at)
                    .limit(1)
                    .with_for_update(skip_locked=True)
                )
            ).scalar_one_or_none()
            if event is None:
                return None
            failed = (event.id, "")
            event.verdict = await handlers[event.kind](db, event)
            event.handled_at = datetime.now(UTC)
            event.error = None
    except Exception as error:  # whatever a handler raises is kept with its event, for a person to read
        if failed is None:
            raise
        _LOGGER.warning("an event could not be handled", event_id=str(failed[0]), error=type(error).__name__)
        async with database.transaction(everyone=_WHY) as db:
            await db.execute(
                update(ProviderEvent)
                .where(ProviderEvent.id == failed[0])
                .values(
                    tries=ProviderEvent.tries + 1,
                    error=f"{type(error).__name__}: {error}"[:1000],
                    last_tried_at=datetime.now(UTC),
                )
            )
        return False
    return True
