"""Requests of `webhooks`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from collections.abc import Sequence
from datetime import datetime

from talktime_client._generated.shapes.webhooks import (
    DeliveriesReplayed,
    Delivery,
    DeliveryOpened,
    DeliveryState,
    DeliveryStateName,
    Event,
    EventType,
    MadeSecret,
    MadeWebhook,
    Webhook,
)
from talktime_client._group import Group
from talktime_client._paging import Pages
from talktime_client._values import UNSET, Id, Unset, uuid_written


class WebhooksGroup(Group):
    """`client.webhooks`"""

    def list(self) -> Pages[Webhook]:
        """Lists the endpoints, the oldest first, all of them at once: there are 10 at most.

        `GET /v1/webhooks`, with the scope `webhooks:read`.
        """
        return self._pages(Webhook, "/v1/webhooks", {}, None)

    def create(
        self, *, url: str, events: Sequence[str], description: str | Unset = UNSET, idempotency_key: str | None = None
    ) -> MadeWebhook:
        """Makes an endpoint. Its secret stands in this answer, and nowhere ever after.

        `POST /v1/webhooks`, with the scope `webhooks:write`.

        - `url`: https, on port 443 or 8443, with a certificate that browsers take; redirects are not followed.
        - `events`: Types as `call.ended`, groups as `call.*`, or `*` for all there are and will be.
        """
        return self._ask(
            MadeWebhook,
            "POST",
            "/v1/webhooks",
            body={"url": url, "events": events, "description": description},
            once=idempotency_key,
        )

    def event_types(self) -> Pages[EventType]:
        """Lists the types of events that there are.

        `GET /v1/webhooks/event-types`, with the scope `webhooks:read`.
        """
        return self._pages(EventType, "/v1/webhooks/event-types", {}, None)

    def events(self, *, type: str | None = None, limit: int | None = None, cursor: str | None = None) -> Pages[Event]:
        """Lists what happened that an endpoint wanted to hear of, the newest first. It is kept for 30 days.

        `GET /v1/webhooks/events`, with the scope `webhooks:read`.

        - `type`: Of this type.
        """
        return self._pages(Event, "/v1/webhooks/events", {"type": type, "limit": limit}, cursor)

    def get(self, webhook_id: Id) -> Webhook:
        """Gives an endpoint, and how it is.

        `GET /v1/webhooks/{webhook_id}`, with the scope `webhooks:read`.
        """
        return self._ask(Webhook, "GET", f"/v1/webhooks/{uuid_written(webhook_id)}")

    def update(
        self,
        webhook_id: Id,
        *,
        if_match: str | None,
        description: str | Unset = UNSET,
        enabled: bool | Unset = UNSET,
        events: Sequence[str] | Unset = UNSET,
        url: str | Unset = UNSET,
    ) -> Webhook:
        """Changes an endpoint, or switches it on or off.

        `PATCH /v1/webhooks/{webhook_id}`, with the scope `webhooks:write`.

        - `enabled`: Switched on again, its failures are forgotten; what it missed is sent when it is replayed.
        """
        return self._ask(
            Webhook,
            "PATCH",
            f"/v1/webhooks/{uuid_written(webhook_id)}",
            body={"description": description, "enabled": enabled, "events": events, "url": url},
            if_match=if_match,
        )

    def delete(self, webhook_id: Id) -> None:
        """Deletes an endpoint; what still waited for it is not sent.

        `DELETE /v1/webhooks/{webhook_id}`, with the scope `webhooks:write`.
        """
        self._do("DELETE", f"/v1/webhooks/{uuid_written(webhook_id)}")

    def deliveries(
        self,
        webhook_id: Id,
        *,
        state: DeliveryState | DeliveryStateName | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Pages[Delivery]:
        """Lists what an endpoint was told, or is to be, the newest first. It is kept for 30 days.

        `GET /v1/webhooks/{webhook_id}/deliveries`, with the scope `webhooks:read`.

        - `state`: What became of it.
        - `since`: Happened at this moment, or later.
        - `until`: Happened before this moment.
        """
        return self._pages(
            Delivery,
            f"/v1/webhooks/{uuid_written(webhook_id)}/deliveries",
            {"state": state, "since": since, "until": until, "limit": limit},
            cursor,
        )

    def delivery(self, webhook_id: Id, delivery_id: Id) -> DeliveryOpened:
        """Gives a delivery with its body and every try: what was sent, and what came back.

        `GET /v1/webhooks/{webhook_id}/deliveries/{delivery_id}`, with the scope `webhooks:read`.
        """
        return self._ask(
            DeliveryOpened, "GET", f"/v1/webhooks/{uuid_written(webhook_id)}/deliveries/{uuid_written(delivery_id)}"
        )

    def replay_one(self, webhook_id: Id, delivery_id: Id, *, idempotency_key: str | None = None) -> Delivery:
        """Sends an event once more, under the same id, whatever became of it.

        `POST /v1/webhooks/{webhook_id}/deliveries/{delivery_id}/replay`, with the scope `webhooks:write`.
        """
        return self._ask(
            Delivery,
            "POST",
            f"/v1/webhooks/{uuid_written(webhook_id)}/deliveries/{uuid_written(delivery_id)}/replay",
            once=idempotency_key,
        )

    def replay(
        self,
        webhook_id: Id,
        *,
        since: datetime,
        until: datetime,
        everything: bool | Unset = UNSET,
        idempotency_key: str | None = None,
    ) -> DeliveriesReplayed:
        """Sends again what happened in a range of time and was not delivered, in that order, under the same ids: ten
        a second, so that what happens meanwhile comes in between.

        `POST /v1/webhooks/{webhook_id}/replay`, with the scope `webhooks:write`.

        - `everything`: Also what was delivered.
        """
        return self._ask(
            DeliveriesReplayed,
            "POST",
            f"/v1/webhooks/{uuid_written(webhook_id)}/replay",
            body={"since": since, "until": until, "everything": everything},
            once=idempotency_key,
        )

    def rotate(self, webhook_id: Id, *, idempotency_key: str | None = None) -> MadeSecret:
        """Makes a new secret. For 24 hours the old one signs beside it, so that your server can change over.

        `POST /v1/webhooks/{webhook_id}/rotate`, with the scope `webhooks:write`.
        """
        return self._ask(MadeSecret, "POST", f"/v1/webhooks/{uuid_written(webhook_id)}/rotate", once=idempotency_key)

    def test(self, webhook_id: Id, *, idempotency_key: str | None = None) -> Delivery:
        """Sends an event of the type `webhook.test`, whatever the endpoint wants to hear of; look at its delivery
        for what came of it.

        `POST /v1/webhooks/{webhook_id}/test`, with the scope `webhooks:write`.
        """
        return self._ask(Delivery, "POST", f"/v1/webhooks/{uuid_written(webhook_id)}/test", once=idempotency_key)
