"""`/v1/webhooks`: where a customer's programs are told of what happens, what they were told, and telling it again.

The rules: the secret that signs stands in the answer that makes it, and nowhere ever after. What a key may not read
itself it has sent to nobody, and does not read in the log either.
"""

import uuid
from typing import Annotated

from fastapi import Query, Response

from talktime.accounts.keys import Scope
from talktime.api.caller import Caller, needs
from talktime.api.paging import Page, Paging, pages, whole
from talktime.api.routing import api_router
from talktime.api.shapes import When
from talktime.api.webhooks_shown import (
    DeliveriesReplay,
    DeliveriesReplayed,
    Delivery,
    DeliveryOpened,
    Event,
    EventType,
    MadeSecret,
    MadeWebhook,
    NewWebhook,
    Webhook,
    WebhookChange,
)
from talktime.api.writing import Match, Once, if_match, only_once, shown
from talktime.db.session import Session
from talktime.errors import Refused
from talktime.webhooks import deliveries, endpoints
from talktime.webhooks.endpoints import Keeping
from talktime.webhooks.events import EVERYTHING, KINDS
from talktime.webhooks.models import DeliveryState, WebhookEndpoint

router = api_router("/webhooks", "Webhooks")

_NEEDED = {
    "call": Scope.CALLS_READ,
    "message": Scope.CALLS_READ,
    "booking": Scope.CALLS_READ,
    "credits": Scope.CREDITS_READ,
    "agent": Scope.AGENTS_READ,
    "number": Scope.NUMBERS_READ,
}
"""What a key must be able to read itself to have it sent somewhere."""
_TYPE = Query(max_length=100, description="Of this type.")
_STATE = Query(description="What became of it.")
_SINCE = Query(description="Happened at this moment, or later.")
_UNTIL = Query(description="Happened before this moment.")


class NotYoursToHear(Refused):
    """A key has nothing sent that it may not read itself."""

    field = "events"

    def __init__(self, scope: Scope) -> None:
        super().__init__(
            f"A key has nothing sent that it may not read itself: this one lacks the scope {scope.value}."
            " Name fewer events, or use a key that has it."
        )


@router.get("")
async def webhooks_list(caller: Annotated[Caller, needs(Scope.WEBHOOKS_READ)]) -> Page[Webhook]:
    """Lists the endpoints, the oldest first, all of them at once: there are 10 at most."""
    async with caller.transaction() as db:
        found = await endpoints.of_user(db, caller.user)
        return whole([await _webhook(db, each) for each in found])


@router.post("", status_code=201, response_model=MadeWebhook)
async def webhooks_make(
    caller: Annotated[Caller, needs(Scope.WEBHOOKS_WRITE)], body: NewWebhook, once: Annotated[Once, only_once()]
) -> Response:
    """Makes an endpoint. Its secret stands in this answer, and nowhere ever after."""
    _require_readable(caller, body.events)

    async def make(db: Session) -> MadeWebhook:
        made, secret = await endpoints.create(
            db, caller.user, _keeping(caller), url=body.url, events=body.events, description=body.description
        )
        return MadeWebhook(webhook=await _webhook(db, made), secret=secret)

    return await once.do(make, headers=lambda made: {"location": f"/v1/webhooks/{made.webhook.id}"})


@router.get("/event-types")
async def webhooks_event_types(caller: Annotated[Caller, needs(Scope.WEBHOOKS_READ)]) -> Page[EventType]:
    """Lists the types of events that there are."""
    del caller  # the same for everybody
    return whole([EventType(type=kind, description=words) for kind, words in KINDS.items()])


@router.get("/events")
async def webhooks_events(
    caller: Annotated[Caller, needs(Scope.WEBHOOKS_READ)],
    page: Annotated[Paging, pages()],
    type: Annotated[str | None, _TYPE] = None,
) -> Page[Event]:
    """Lists what happened that an endpoint wanted to hear of, the newest first. It is kept for 30 days."""
    async with caller.transaction() as db:
        rows = await deliveries.events_of(db, caller.user, type=type, after=page.moment_and_id, limit=page.limit + 1)
    return page.of(
        rows,
        key=lambda row: (row.created_at, row.id),
        show=lambda row: Event.of(row, is_shown=_lacking(caller, row.type) is None),
    )


# What is no id is no address here: `/events` has no PATCH.
@router.get("/{webhook_id:uuid}", response_model=Webhook)
async def webhooks_read(caller: Annotated[Caller, needs(Scope.WEBHOOKS_READ)], webhook_id: uuid.UUID) -> Response:
    """Gives an endpoint, and how it is."""
    async with caller.transaction() as db:
        found = await endpoints.one(db, caller.user, webhook_id)
        return shown(await _webhook(db, found), tag=_tag(found))


@router.patch("/{webhook_id:uuid}", response_model=Webhook)
async def webhooks_change(
    caller: Annotated[Caller, needs(Scope.WEBHOOKS_WRITE)],
    webhook_id: uuid.UUID,
    body: WebhookChange,
    match: Annotated[Match, if_match()],
) -> Response:
    """Changes an endpoint, or switches it on or off."""
    async with caller.transaction() as db:
        found = await endpoints.locked(db, caller.user, webhook_id)
        match.require(_tag(found))
        change = body.sent()
        # Where it leads is as good as what is sent there.
        if change.keys() & {"url", "events"} or change.get("enabled"):
            _require_readable(caller, change.get("events", found.events))
        await endpoints.change(db, found, _keeping(caller), **change)
        webhook = await _webhook(db, found)
    return shown(webhook, tag=_tag(found))


@router.delete("/{webhook_id:uuid}", status_code=204)
async def webhooks_delete(caller: Annotated[Caller, needs(Scope.WEBHOOKS_WRITE)], webhook_id: uuid.UUID) -> None:
    """Deletes an endpoint; what still waited for it is not sent."""
    async with caller.transaction() as db:
        await endpoints.delete(db, await endpoints.locked(db, caller.user, webhook_id))


@router.post("/{webhook_id}/rotate", status_code=201, response_model=MadeSecret)
async def webhooks_rotate(
    caller: Annotated[Caller, needs(Scope.WEBHOOKS_WRITE)], webhook_id: uuid.UUID, once: Annotated[Once, only_once()]
) -> Response:
    """Makes a new secret. For 24 hours the old one signs beside it, so that your server can change over."""

    async def rotate(db: Session) -> MadeSecret:
        found = await endpoints.locked(db, caller.user, webhook_id)
        _require_readable(caller, found.events)
        secret = await endpoints.rotate(db, found, _keeping(caller))
        assert found.old_secret_until is not None
        return MadeSecret(secret=secret, old_secret_until=found.old_secret_until)

    return await once.do(rotate)


@router.post("/{webhook_id}/test", status_code=202, response_model=Delivery)
async def webhooks_test(
    caller: Annotated[Caller, needs(Scope.WEBHOOKS_WRITE)], webhook_id: uuid.UUID, once: Annotated[Once, only_once()]
) -> Response:
    """Sends an event of the type `webhook.test`, whatever the endpoint wants to hear of; look at its delivery for what
    came of it."""

    async def test(db: Session) -> Delivery:
        made = await deliveries.test(db, caller.user, webhook_id)
        return Delivery.of((await deliveries.one(db, caller.user, webhook_id, made)).listed)

    return await once.do(test, status=202)


@router.get("/{webhook_id}/deliveries")
async def webhooks_deliveries(
    *,
    caller: Annotated[Caller, needs(Scope.WEBHOOKS_READ)],
    webhook_id: uuid.UUID,
    page: Annotated[Paging, pages()],
    state: Annotated[DeliveryState | None, _STATE] = None,
    since: Annotated[When | None, _SINCE] = None,
    until: Annotated[When | None, _UNTIL] = None,
) -> Page[Delivery]:
    """Lists what an endpoint was told, or is to be, the newest first. It is kept for 30 days."""
    async with caller.transaction() as db:
        await endpoints.one(db, caller.user, webhook_id)
        rows = await deliveries.of_endpoint(
            db,
            caller.user,
            webhook_id,
            state=state,
            since=since,
            until=until,
            after=page.moment_and_id,
            limit=page.limit + 1,
        )
    return page.of(rows, key=lambda row: (row.created_at, row.id), show=Delivery.of)


@router.get("/{webhook_id}/deliveries/{delivery_id}")
async def webhooks_delivery(
    caller: Annotated[Caller, needs(Scope.WEBHOOKS_READ)], webhook_id: uuid.UUID, delivery_id: uuid.UUID
) -> DeliveryOpened:
    """Gives a delivery with its body and every try: what was sent, and what came back."""
    async with caller.transaction() as db:
        await endpoints.one(db, caller.user, webhook_id)
        told = await deliveries.one(db, caller.user, webhook_id, delivery_id)
    return DeliveryOpened.told(told, is_shown=_lacking(caller, told.listed.type) is None)


@router.post("/{webhook_id}/deliveries/{delivery_id}/replay", status_code=202, response_model=Delivery)
async def webhooks_replay_one(
    caller: Annotated[Caller, needs(Scope.WEBHOOKS_WRITE)],
    webhook_id: uuid.UUID,
    delivery_id: uuid.UUID,
    once: Annotated[Once, only_once()],
) -> Response:
    """Sends an event once more, under the same id, whatever became of it."""

    async def replay(db: Session) -> Delivery:
        await deliveries.replay(db, caller.user, webhook_id, delivery_id)
        return Delivery.of((await deliveries.one(db, caller.user, webhook_id, delivery_id)).listed)

    return await once.do(replay, status=202)


@router.post("/{webhook_id}/replay", status_code=202, response_model=DeliveriesReplayed)
async def webhooks_replay(
    caller: Annotated[Caller, needs(Scope.WEBHOOKS_WRITE)],
    webhook_id: uuid.UUID,
    body: DeliveriesReplay,
    once: Annotated[Once, only_once()],
) -> Response:
    """Sends again what happened in a range of time and was not delivered, in that order, under the same ids: ten a
    second, so that what happens meanwhile comes in between."""

    async def replay(db: Session) -> DeliveriesReplayed:
        count = await deliveries.replay_range(
            db, caller.user, webhook_id, since=body.since, until=body.until, everything=body.everything
        )
        return DeliveriesReplayed(count=count)

    return await once.do(replay, status=202)


async def _webhook(db: Session, endpoint: WebhookEndpoint) -> Webhook:
    return Webhook.of(endpoint, await endpoints.waiting(db, endpoint.user_id, endpoint.id))


def _keeping(caller: Caller) -> Keeping:
    settings = caller.context.settings
    return Keeping(settings.secret, to_private=settings.webhooks_to_private)


def _tag(endpoint: WebhookEndpoint) -> str:
    """Of what its owner decides; how it goes changes by itself."""
    return f'"{endpoint.id.hex}-{endpoint.revision}"'


def _require_readable(caller: Caller, events: list[str]) -> None:
    for event in events:
        lacking = _lacking(caller, event)
        if lacking is not None:
            raise NotYoursToHear(lacking)


def _lacking(caller: Caller, event: str) -> Scope | None:
    """The scope that a key lacks to read what such events are about; of what is no event somebody else says so."""
    needed = sorted(set(_NEEDED.values())) if event == EVERYTHING else [_NEEDED.get(event.partition(".")[0])]
    return next((scope for scope in needed if scope is not None and scope not in caller.scopes), None)
