"""Every event of a provider: verified, stored once, answered, handled once in a job, replayable.

The rule: acknowledge only what is stored. A second delivery finds its row by (provider, account, event id) and changes
nothing. What cannot be handled in the end is put before the operator, never dropped.
"""

import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Index, bindparam, func, select, text, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from talktime import log
from talktime.db.base import CreatedAt, Model, new_id
from talktime.db.session import Database

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
    not_before: Mapped[CreatedAt]
    """When it may be tried again."""
    gave_up_at: Mapped[datetime | None]
    """Nobody tries any more: it is on the operator's list."""
    waits_for: Mapped[str | None]
    """What must happen before it can be handled, as its handler calls it."""

    __table_args__ = (
        Index("uq_provider_events_event", "provider", "account", "event_id", unique=True),
        # When each provider was last heard of, and how often.
        Index("ix_provider_events_received_at", "provider", "received_at"),
        Index(
            "ix_provider_events_unhandled",
            "received_at",
            postgresql_where=text("handled_at IS NULL AND gave_up_at IS NULL"),
        ),
        Index(
            "ix_provider_events_given_up",
            "gave_up_at",
            postgresql_where=text("gave_up_at IS NOT NULL AND handled_at IS NULL"),
        ),
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


class NotYet(Exception):
    """An event came before what it is about: it is tried again for a week.

    `waits_for` names what is missing, so that `wake` can have it handled as soon as that is there.
    """

    def __init__(self, waits_for: str) -> None:
        super().__init__(f"waits for {waits_for}")
        self.waits_for = waits_for


Handle = Callable[[AsyncSession, ProviderEvent], Awaitable[str]]
"""Handles one stored event in the given transaction; gives the verdict. May raise NotYet."""

HandleTogether = Callable[[AsyncSession, Sequence[ProviderEvent]], Awaitable[Mapping[uuid.UUID, str]]]
"""Handles those of some events that need only a few statements for all of them, in the given transaction; gives the
verdict on each. Whatever waits, locks an account or may fail it leaves out: that is handled alone."""

DRAIN_JOB = "inbox.drain"
BATCH = 100
"""So many events are taken at a turn."""
_TRIES_MAX = 10
_KEPT_HEADERS = ("content-type", "i-twilio-idempotency-token", "user-agent")
_WHY = "providers' events are everybody's until they are handled"
AGAIN_WHY = "a full inbox asks for another turn"
_PATIENCE = timedelta(days=7)


KEPT_DAYS = 30


async def prune(database: Database, days: int = KEPT_DAYS) -> int:
    """Forget what was handled so long ago: bodies hold names and numbers. What nobody could handle stays."""
    async with database.transaction(everyone=_WHY) as db:
        gone = await db.execute(
            text("DELETE FROM provider_events WHERE handled_at < now() - make_interval(days => :days) RETURNING 1"),
            {"days": days},
        )
        return len(gone.all())


async def accept(database: Database, event: Incoming) -> bool:
    """Store an event and ask for it to be handled; False when it was there already. Then it may be acknowledged.

    One statement and one commit, whoever waits for us: `accept_event_v1` asks for a job only when none waits already.
    """
    stored = await database.statement_for(
        everyone=_WHY,
        function="accept_event_v1",
        arguments=(
            ("uuid", new_id()),
            ("text", event.provider),
            ("text", event.account),
            ("text", event.event_id),
            ("text", event.kind),
            ("bytea", event.body),
            ("jsonb", orjson.dumps(_kept(event.headers)).decode()),
            ("text", DRAIN_JOB),
        ),
    )
    assert stored is not None, event.event_id
    return bool(stored["stored"])


async def store(db: AsyncSession, event: Incoming) -> bool:
    """Store an event for the next drain; False when it was there already. Needs a transaction that is everyone's."""
    stored = await db.execute(
        insert(ProviderEvent)
        .values(
            id=new_id(),
            provider=event.provider,
            account=event.account,
            event_id=event.event_id,
            kind=event.kind,
            body=event.body,
            headers=_kept(event.headers),
        )
        .on_conflict_do_nothing(index_elements=[ProviderEvent.provider, ProviderEvent.account, ProviderEvent.event_id])
        .returning(ProviderEvent.id)
    )
    return stored.first() is not None


async def wake(db: AsyncSession, provider: str, waits_for: str) -> None:
    """What they waited for is there: let the events be handled as soon as this transaction is committed."""
    # One that somebody is handling right now is left alone: it may be waiting for this very transaction.
    waiting = (
        select(ProviderEvent.id)
        .where(_UNHANDLED, ProviderEvent.provider == provider, ProviderEvent.waits_for == waits_for)
        .with_for_update(skip_locked=True)
    )
    await db.execute(
        update(ProviderEvent)
        .where(ProviderEvent.id.in_(waiting))
        .values(not_before=func.now())
        .execution_options(synchronize_session=False)
    )


async def again(db: AsyncSession, event: uuid.UUID) -> bool:
    """Have an event that was given up tried again, from the beginning; False when it was not."""
    is_given_up = ProviderEvent.handled_at.is_(None) & ProviderEvent.gave_up_at.is_not(None)
    return await begin_again(db, ProviderEvent.id == event, is_given_up) > 0


async def begin_again(db: AsyncSession, *which: ColumnElement[bool]) -> int:
    """As if they had just come: a week of patience and ten tries begin anew, also for what was handled; gives how many
    there were."""
    changed = await db.execute(
        update(ProviderEvent)
        .where(*which)
        .values(
            handled_at=None,
            verdict=None,
            gave_up_at=None,
            tries=0,
            waits_for=None,
            received_at=func.now(),
            not_before=func.now(),
        )
        .returning(ProviderEvent.id)
        .execution_options(synchronize_session=False)
    )
    return len(changed.all())


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn at the inbox came to."""

    taken: int
    handled: int

    @property
    def is_full(self) -> bool:
        """It took as much as a turn may: there is probably more."""
        return self.taken == BATCH


async def drain(
    database: Database, handlers: Mapping[str, Handle], together: Mapping[str, HandleTogether] | None = None
) -> int:
    """Take one turn at the inbox; gives how many events were handled."""
    return (await turn(database, handlers, together)).handled


async def turn(
    database: Database, handlers: Mapping[str, Handle], together: Mapping[str, HandleTogether] | None = None
) -> Turn:
    """Handle up to a hundred events that lie in the inbox, oldest first. Kinds without a handler are left.

    What can be handled together is, in a few statements and one transaction. Each of the others has a transaction of
    its own, together with what it changes: one that fails spoils no other, and is tried again by later turns until it
    has failed ten times, or has waited for a week. Then it is given up with an alert. Any number of turns may be taken
    at once, also by other processes: what somebody is handling nobody else takes.
    """
    taken, verdicts = await _take(database, handlers, together or {})
    handled = len(verdicts)
    for event in taken:
        if event not in verdicts:
            handled += await _handle_alone(database, handlers, event)
    return Turn(len(taken), handled)


async def _take(
    database: Database, handlers: Mapping[str, Handle], together: Mapping[str, HandleTogether]
) -> tuple[Sequence[uuid.UUID], Mapping[uuid.UUID, str]]:
    """The oldest events that are due, and the verdicts on those that could be handled together."""
    due = (
        select(ProviderEvent)
        .where(_UNHANDLED, ProviderEvent.not_before <= func.clock_timestamp(), ProviderEvent.kind.in_(list(handlers)))
        .order_by(ProviderEvent.received_at)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )
    taken: Sequence[uuid.UUID] = ()
    verdicts: dict[uuid.UUID, str] = {}
    try:
        async with database.transaction(everyone=_WHY) as db:
            events = (await db.scalars(due)).all()
            taken = [event.id for event in events]
            for kind, handle in together.items():
                of_kind = [event for event in events if event.kind == kind]
                if of_kind:
                    verdicts |= await handle(db, of_kind)
            if verdicts:
                await db.execute(_HANDLED, {"events": list(verdicts), "verdicts": list(verdicts.values())})
    except Exception as error:  # one of them spoils what is done together, and fails again when its own turn comes
        if not taken:
            raise
        _LOGGER.warning("events could not be handled together", error=type(error).__name__)
        return taken, {}
    return taken, verdicts


_HANDLED = text(
    "UPDATE provider_events e SET handled_at = now(), verdict = v.verdict, error = NULL, waits_for = NULL"
    " FROM unnest(CAST(:events AS uuid[]), CAST(:verdicts AS text[])) v (id, verdict) WHERE e.id = v.id"
)


async def _handle_alone(database: Database, handlers: Mapping[str, Handle], event_id: uuid.UUID) -> bool:
    """Handle one event, unless somebody else is at it, or was; False when it waits on."""
    try:
        async with database.transaction(everyone=_WHY) as db:
            event = await db.scalar(
                select(ProviderEvent)
                .where(ProviderEvent.id == event_id, _UNHANDLED, ProviderEvent.not_before <= func.clock_timestamp())
                .with_for_update(skip_locked=True)
            )
            if event is None:
                return False
            event.verdict = await handlers[event.kind](db, event)
            event.handled_at = datetime.now(UTC)
            event.error = event.waits_for = None
    except Exception as error:  # noqa: BLE001  whatever a handler raises is kept with its event, for a person to read
        _LOGGER.info("an event waits", event_id=str(event_id)) if isinstance(error, NotYet) else _LOGGER.warning(
            "an event could not be handled", event_id=str(event_id), error=type(error).__name__
        )
        async with database.transaction(everyone=_WHY) as db:
            await _put_off(db, event_id, error)
        return False
    return True


async def _put_off(db: AsyncSession, event_id: uuid.UUID, error: Exception) -> None:
    """Keep what went wrong, and say when the event is tried again, if at all."""
    event = await db.scalar(select(ProviderEvent).where(ProviderEvent.id == event_id).with_for_update())
    if event is None or event.handled_at is not None or event.gave_up_at is not None:
        return  # somebody else had it in the meantime
    now = datetime.now(UTC)
    # Whatever else an error says may be what the event says of people, and this is shown, and mailed with the alert.
    event.error = log.headline(getattr(error, "orig", None) or error)[:1000].replace("\0", "")
    event.last_tried_at = now
    if isinstance(error, NotYet):
        event.waits_for = error.waits_for
        age = now - event.received_at
        # Asked more and more seldom, but never less than every ten minutes.
        event.not_before = now + min(timedelta(minutes=10), max(timedelta(seconds=2), age / 4))
        is_over = age >= _PATIENCE
    else:
        event.waits_for = None
        event.tries += 1
        # Twice as long each time.
        event.not_before = now + timedelta(seconds=2**event.tries)
        is_over = event.tries >= _TRIES_MAX
    if is_over:
        event.gave_up_at = now
        detail = {"event_id": str(event.id), "provider": event.provider, "kind": event.kind, "error": event.error[:200]}
        # The board of alerts stands beside this file, not below it: so it is written as the database's functions do.
        await db.execute(
            text("INSERT INTO alerts (id, kind, detail) VALUES (:id, 'event_failed', :detail)").bindparams(
                bindparam("detail", detail, JSONB)
            ),
            {"id": new_id()},
        )


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: headers[name] for name in _KEPT_HEADERS if name in headers}


_UNHANDLED = ProviderEvent.handled_at.is_(None) & ProviderEvent.gave_up_at.is_(None)
