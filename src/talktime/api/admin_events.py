"""`/v1/admin/events`: what providers told us, and having it handled once more.

The rule: a body is shown without the people in it. Whoever needs them reads it with `talktime inbox show --reveal`, by
name, which the audit log keeps.
"""

import uuid
from typing import Annotated, Any

from fastapi import Query

from talktime.accounts.keys import Scope
from talktime.alerts import events
from talktime.alerts.events import Filter, State
from talktime.api.caller import Caller, needs
from talktime.api.paging import Page, Paging, pages
from talktime.api.routing import api_router
from talktime.api.shapes import Fields, Moment, Resource, When, example

router = api_router("/admin/events", "Operator: watching")

_EXAMPLE: dict[str, Any] = {
    "id": "0199c930-0000-7000-8000-000000000001",
    "provider": "stripe",
    "account": "acct_1",
    "event_id": "evt_1",
    "kind": "payment.told",
    "state": "handled",
    "received_at": "2026-11-20T09:00:59Z",
    "handled_at": "2026-11-20T09:01:00Z",
    "verdict": "granted",
    "error": None,
    "tries": 0,
    "not_before": "2026-11-20T09:00:59Z",
    "waits_for": None,
}


class ProviderEvent(Resource):
    """An event of a provider, and how it stands."""

    model_config = example(**_EXAMPLE)

    id: uuid.UUID
    provider: str
    account: str
    event_id: str
    """The provider's own name of it."""
    kind: str
    state: State
    received_at: Moment
    handled_at: Moment | None
    verdict: str | None
    """What handling it came to."""
    error: str | None
    tries: int
    not_before: Moment
    waits_for: str | None
    """What must happen before it can be handled."""

    @classmethod
    def of(cls, found: events.Shown) -> "ProviderEvent":
        return cls(**{name: getattr(found, name) for name in ProviderEvent.model_fields})


class OpenedEvent(Resource):
    """An event with what it says, without the people in it."""

    model_config = example(event=_EXAMPLE, headers={"content-type": "application/json"}, body='{"id": "evt_1"}')

    event: ProviderEvent
    headers: dict[str, Any]
    body: str


class Replay(Fields):
    """Whether one that was handled is handled again, too. Handlers may be told anything twice."""

    model_config = example(again=False)

    again: bool = False


class ReplayMany(Fields):
    """Which events are handled again: of those that were given up, and with `again` of those that were handled."""

    model_config = example(provider="stripe", since="2026-11-20T08:00:00Z", until="2026-11-20T12:00:00Z", again=False)

    provider: str | None = None
    kind: str | None = None
    since: When | None = None
    until: When | None = None
    again: bool = False


class Replayed(Resource):
    """How many events will be handled again, within seconds."""

    model_config = example(events=3)

    events: int


@router.get("")
async def admin_events_list(
    *,
    caller: Annotated[Caller, needs(Scope.ADMIN_READ)],
    page: Annotated[Paging, pages()],
    provider: Annotated[str | None, Query(max_length=80, description="Only of this one.")] = None,
    kind: Annotated[str | None, Query(max_length=80, description="Only of this kind.")] = None,
    state: Annotated[State | None, Query(description="Only those that stand so.")] = None,
    since: Annotated[When | None, Query(description="Came at this moment, or later.")] = None,
    until: Annotated[When | None, Query(description="Came before this moment.")] = None,
) -> Page[ProviderEvent]:
    """Lists what providers told us, the newest first."""
    before = page.single(uuid.UUID)
    async with caller.everyone(events.WHY) as db:
        which = Filter(provider, kind, state, since, until)
        rows = await events.listed(db, which, before=before, limit=page.limit + 1)
    return page.of(rows, key=lambda row: [row.id], show=ProviderEvent.of)


# What is no id is no address here: `/replay` has no GET.
@router.get("/{event_id:uuid}")
async def admin_events_read(caller: Annotated[Caller, needs(Scope.ADMIN_READ)], event_id: uuid.UUID) -> OpenedEvent:
    """Gives one event with what it says; names, numbers and words of people are masked."""
    async with caller.everyone(events.WHY) as db:
        found = await events.opened(db, event_id)
    return OpenedEvent(event=ProviderEvent.of(found.event), headers=found.headers, body=found.body)


@router.post("/replay", status_code=202)
async def admin_events_replay_many(caller: Annotated[Caller, needs(Scope.ADMIN_WRITE)], body: ReplayMany) -> Replayed:
    """Has a range of events handled once more, 10,000 at most."""
    async with caller.everyone(events.WHY) as db:
        which = Filter(body.provider, body.kind, None, body.since, body.until)
        count = await events.replay_many(db, which, by=caller.user, again=body.again, jobs=caller.context.jobs)
    return Replayed(events=count)


@router.post("/{event_id}/replay", status_code=202)
async def admin_events_replay(
    caller: Annotated[Caller, needs(Scope.ADMIN_WRITE)], event_id: uuid.UUID, body: Replay
) -> ProviderEvent:
    """Has one event handled once more, from the beginning."""
    async with caller.everyone(events.WHY) as db:
        return ProviderEvent.of(
            await events.replay(db, event_id, by=caller.user, again=body.again, jobs=caller.context.jobs)
        )
