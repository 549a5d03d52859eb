"""Looking at what providers told us, and having it handled again: the operator's side of the inbox.

The rules: a body is shown without the people in it, unless an operator asks for them by name, which is written into the
audit log; and what was handled is handled again only when that is what was said. Handlers are idempotent, so once more
never does a thing twice; an event that was handled right says "granted already".
"""

import json
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qsl

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts import audit
from talktime.accounts.operators import require_operator
from talktime.errors import BadInput, NotFound
from talktime.inbox import DRAIN_JOB, ProviderEvent, begin_again
from talktime.jobs import Jobs

WHY = "the operator looks at what providers told us, whomever it is about"
AT_ONCE_MAX = 10_000


class State(StrEnum):
    """How an event stands."""

    WAITING = "waiting"
    """It is to be handled, or to be tried again."""
    HANDLED = "handled"
    GIVEN_UP = "given_up"
    """Nobody tries any more; an alert says so."""


class HandledAlready(BadInput):
    """This event was handled. Say that it is to be handled again all the same (`--again`)."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One event, as an operator sees it."""

    id: uuid.UUID
    provider: str
    account: str
    event_id: str
    kind: str
    state: State
    received_at: datetime
    handled_at: datetime | None
    verdict: str | None
    error: str | None
    tries: int
    not_before: datetime
    waits_for: str | None


@dataclass(frozen=True, slots=True)
class Opened:
    """The same with what it says."""

    event: Shown
    headers: dict[str, Any]
    body: str
    is_revealed: bool


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events; None is all."""

    provider: str | None = None
    kind: str | None = None
    state: State | None = None
    since: datetime | None = None
    until: datetime | None = None


async def listed(
    db: AsyncSession, which: Filter, *, before: uuid.UUID | None = None, limit: int = 100
) -> Sequence[Shown]:
    """Events, newest first; `before` pages on from the last one shown. Needs a transaction that is everyone's, as all
    of these."""
    # Ids are made in the order in which events come, and are what there is an index of.
    query = select(ProviderEvent).where(*_conditions(which))
    if before is not None:
        query = query.where(ProviderEvent.id < before)
    return [_shown(row) for row in await db.scalars(query.order_by(ProviderEvent.id.desc()).limit(limit))]


async def opened(db: AsyncSession, event: uuid.UUID, *, reveal_to: uuid.UUID | None = None) -> Opened:
    """One event with what it says; people in it only for the operator `reveal_to`, and that is written down.

    Raises NotFound, NotAnOperator.
    """
    found = await db.scalar(select(ProviderEvent).where(ProviderEvent.id == event))
    if found is None:
        raise NotFound(f"There is no event {event}.")
    if reveal_to is None:
        return Opened(_shown(found), found.headers, masked(found.body), is_revealed=False)
    await require_operator(db, reveal_to)
    await audit.record(db, reveal_to, reveal_to, "event.revealed", after={"event_id": str(event)})
    return Opened(_shown(found), found.headers, found.body.decode("utf-8", "replace"), is_revealed=True)


async def replay(
    db: AsyncSession, event: uuid.UUID, *, by: uuid.UUID, again: bool = False, jobs: Jobs | None = None
) -> Shown:
    """Have one event handled once more, from the beginning. One that was handled needs `again`.

    Raises NotFound, HandledAlready, NotAnOperator.
    """
    await require_operator(db, by)
    found = await db.scalar(select(ProviderEvent).where(ProviderEvent.id == event).with_for_update())
    if found is None:
        raise NotFound(f"There is no event {event}.")
    if found.handled_at is not None and not again:
        raise HandledAlready
    await begin_again(db, ProviderEvent.id == event)
    await audit.record(db, by, by, "event.handled_again", after={"event_id": str(event)})
    if jobs is not None:
        await jobs.enqueue(db, DRAIN_JOB)
    await db.refresh(found)
    return _shown(found)


async def replay_many(
    db: AsyncSession, which: Filter, *, by: uuid.UUID, again: bool = False, jobs: Jobs | None = None
) -> int:
    """Have a range of events handled once more, oldest first; gives how many. Without `again` those that were handled
    are left; those that are still tried are left in any case. Raises BadInput, NotAnOperator."""
    await require_operator(db, by)
    if which.state is State.WAITING:
        raise BadInput("What waits is tried again by itself.")
    if which.state is State.HANDLED and not again:
        raise HandledAlready
    if which.state is None and which.since is None and which.until is None and again:
        raise BadInput("That would be every event there is: say from when on, and until when.")
    gave_up, handled = ProviderEvent.gave_up_at.is_not(None), ProviderEvent.handled_at.is_not(None)
    is_over = or_(gave_up, handled) if again else gave_up
    chosen = await db.scalars(
        select(ProviderEvent.id).where(*_conditions(which), is_over).order_by(ProviderEvent.id).limit(AT_ONCE_MAX + 1)
    )
    events = chosen.all()
    if len(events) > AT_ONCE_MAX:
        raise BadInput(f"That is more than {AT_ONCE_MAX:,} events: choose a shorter time.")
    if events:
        await begin_again(db, ProviderEvent.id.in_(events))
        details: dict[str, audit.Value] = {"events": len(events), "provider": which.provider, "kind": which.kind}
        await audit.record(db, by, by, "event.handled_again", after=details)
        if jobs is not None:
            await jobs.enqueue(db, DRAIN_JOB)
    return len(events)


def masked(body: bytes) -> str:
    """What a provider said, without the people in it: names of fields, numbers, and words that only programs use."""
    text = body.decode("utf-8", "replace")
    try:
        return json.dumps(_masked(json.loads(text)), indent=2, ensure_ascii=False)
    except ValueError:
        fields = parse_qsl(text, keep_blank_values=True)
    if not fields or not all(_NAME.fullmatch(name) for name, _ in fields):
        return f"({len(body)} bytes)" if body else ""
    return "\n".join(f"{name} = {value if name in _FORM_FIELDS else _MASK if value else ''}" for name, value in fields)


_MASK = "•••"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.\[\]-]{0,60}")
"""What a program calls a field; anything else may be what a person said."""
_FORM_FIELDS = (
    "AccountSid", "ApiVersion", "CallDuration", "CallSid", "CallStatus", "CallbackSource", "DialCallDuration",
    "DialCallSid", "DialCallStatus", "Direction", "Duration", "ParentCallSid", "SequenceNumber", "Timestamp",
)  # fmt: skip
"""What `report_without_people` leaves of a carrier's form."""
_JSON_FIELDS = (
    "id", "object", "type", "status", "currency", "mode", "payment_status", "payment_intent", "charge", "api_version",
    "reason", "failure_code", "code", "decline_code", "request", "idempotency_key", "setup_future_usage",
    "balance_transaction", "latest_charge",
)  # fmt: skip
"""Texts in a payment company's document that are ids and states."""


def _masked(value: Any, name: str = "") -> Any:
    match value:
        case dict():
            return {key if _NAME.fullmatch(key) else _MASK: _masked(each, key) for key, each in value.items()}
        case list():
            return [_masked(each, name) for each in value]
        case str() if value and name not in _JSON_FIELDS:
            return _MASK
        case bool() | None:
            return value
        case int() | float() if name in ("phone", "number", "last4"):
            return _MASK
    return value


def _conditions(which: Filter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if which.provider is not None:
        conditions.append(ProviderEvent.provider == which.provider)
    if which.kind is not None:
        conditions.append(ProviderEvent.kind == which.kind)
    if which.since is not None:
        conditions.append(ProviderEvent.received_at >= which.since)
    if which.until is not None:
        conditions.append(ProviderEvent.received_at < which.until)
    match which.state:
        case State.WAITING:
            conditions += [ProviderEvent.handled_at.is_(None), ProviderEvent.gave_up_at.is_(None)]
        case State.HANDLED:
            conditions.append(ProviderEvent.handled_at.is_not(None))
        case State.GIVEN_UP:
            conditions += [ProviderEvent.gave_up_at.is_not(None), ProviderEvent.handled_at.is_(None)]
    return conditions


def _shown(row: ProviderEvent) -> Shown:
    state = State.WAITING
    if row.handled_at is not None:
        state = State.HANDLED
    elif row.gave_up_at is not None:
        state = State.GIVEN_UP
    return Shown(
        id=row.id,
        provider=row.provider,
        account=row.account,
        event_id=row.event_id,
        kind=row.kind,
        state=state,
        received_at=row.received_at,
        handled_at=row.handled_at,
        verdict=row.verdict,
        error=row.error,
        tries=row.tries,
        not_before=row.not_before,
        waits_for=row.waits_for,
    )
