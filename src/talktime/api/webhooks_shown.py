"""What `/v1/webhooks` takes and shows: endpoints, deliveries with every try, events, replays."""

import uuid
from typing import Any

from pydantic import Field

from talktime.api.shapes import Fields, Moment, Resource, When, example, example_like, first_example
from talktime.webhooks import signing
from talktime.webhooks.deliveries import Listed, Told
from talktime.webhooks.endpoints import DESCRIPTION_LENGTH_MAX
from talktime.webhooks.models import DeliveryState, DisabledReason, WebhookAttempt, WebhookEndpoint, WebhookEvent
from talktime.webhooks.targets import URL_LENGTH_MAX


class Webhook(Resource):
    """An endpoint: where a program is told of what happens, and how that goes."""

    model_config = example(
        id="0199c8f6-77aa-7d3e-9a61-3c5d7e9f1b2c",
        url="https://crm.example.org/hooks/talktime",
        description="CRM",
        events=["call.*", "message.taken"],
        enabled=True,
        disabled_at=None,
        disabled_reason=None,
        old_secret_until=None,
        created_at="2026-10-01T08:20:00Z",
        delivered_at="2026-11-20T09:31:39Z",
        failing_since=None,
        failures=0,
        waiting=0,
    )

    id: uuid.UUID
    url: str
    description: str
    events: list[str]
    enabled: bool
    disabled_at: Moment | None
    disabled_reason: DisabledReason | None
    """Who switched it off: `OWNER` is you; `GONE`, it answered 410; `FAILING`, it failed for days."""
    old_secret_until: Moment | None
    """Until then the secret before signs as well."""
    created_at: Moment
    delivered_at: Moment | None
    """When something was delivered last."""
    failing_since: Moment | None
    """When the first of the failures was that nothing was delivered after."""
    failures: int
    waiting: int
    """How much is still to be sent; counted to 1000."""

    @classmethod
    def of(cls, endpoint: WebhookEndpoint, waiting: int) -> "Webhook":
        names = set(cls.model_fields) - {"enabled", "waiting"}
        shown = {name: getattr(endpoint, name) for name in names}
        return cls(**shown, enabled=endpoint.disabled_at is None, waiting=waiting)


class MadeWebhook(Resource):
    """A new endpoint, with the only sight of its secret."""

    model_config = example(webhook=first_example(Webhook), secret="whsec_…")  # noqa: S106  an example

    webhook: Webhook
    secret: str
    """Verifies what is sent, with any library for Standard Webhooks: `whsec_…`."""


class MadeSecret(Resource):
    """A new secret, with the only sight of it."""

    model_config = example(secret="whsec_…", old_secret_until="2026-11-21T09:30:00Z")  # noqa: S106  an example

    secret: str
    old_secret_until: Moment
    """Until then the old one signs as well, and none before it."""


class NewWebhook(Fields):
    """An endpoint to be made."""

    model_config = example(
        url="https://crm.example.org/hooks/talktime", events=["call.*", "message.taken"], description="CRM"
    )

    url: str = Field(min_length=1, max_length=URL_LENGTH_MAX)
    """https, on port 443 or 8443, with a certificate that browsers take; redirects are not followed."""
    events: list[str] = Field(min_length=1, max_length=50)
    """Types as `call.ended`, groups as `call.*`, or `*` for all there are and will be."""
    description: str = Field(default="", max_length=DESCRIPTION_LENGTH_MAX)


class WebhookChange(Fields):
    """What is to be changed of an endpoint; the rest stays."""

    model_config = example(enabled=True)

    url: str = Field(default="", min_length=1, max_length=URL_LENGTH_MAX)
    events: list[str] = Field(default=[], min_length=1, max_length=50)
    description: str = Field(default="", max_length=DESCRIPTION_LENGTH_MAX)
    enabled: bool = False
    """Switched on again, its failures are forgotten; what it missed is sent when it is replayed."""


class Delivery(Resource):
    """One event at one endpoint, as a row of a list."""

    model_config = example(
        id="0199c902-0000-7000-8000-000000000001",
        event_id="msg_0199c9020000700080000000000000aa",
        type="call.ended",
        state="PENDING",
        sequence=4711,
        attempts=2,
        created_at="2026-11-20T09:31:38.010Z",
        due_at="2026-11-20T09:37:02Z",
        ended_at=None,
        last_attempt_at="2026-11-20T09:31:45Z",
        last_status=500,
        last_error="The answer was 500, and only 200 to 299 is taken for a yes.",
    )

    id: uuid.UUID
    event_id: str
    """The `webhook-id` of every try."""
    type: str
    state: DeliveryState
    """`PENDING` is to be tried at `due_at`; `SKIPPED` happened while the endpoint was switched off."""
    sequence: int | None
    """Which of this endpoint's events it is, in the order of the first tries."""
    attempts: int
    created_at: Moment
    """When it happened."""
    due_at: Moment | None
    ended_at: Moment | None
    last_attempt_at: Moment | None
    last_status: int | None
    last_error: str | None

    @classmethod
    def of(cls, listed: Listed) -> "Delivery":
        names = set(Delivery.model_fields) - {"event_id"}
        shown = {name: getattr(listed, name) for name in names}
        return cls(**shown, event_id=signing.message_id(listed.event_id))


class Attempt(Resource):
    """One try."""

    model_config = example(
        attempt_no=1,
        began_at="2026-11-20T09:31:38.200Z",
        milliseconds=212,
        status=500,
        answer="Internal Server Error",
        error="The answer was 500, and only 200 to 299 is taken for a yes.",
    )

    attempt_no: int
    began_at: Moment
    milliseconds: int | None
    """Null while it goes on, or when our process died on it: then it is not known whether it arrived."""
    status: int | None
    answer: str | None
    """The first 4096 characters of what came back."""
    error: str | None

    @classmethod
    def of(cls, attempt: WebhookAttempt, *, is_shown: bool) -> "Attempt":
        shown = {name: getattr(attempt, name) for name in cls.model_fields}
        return cls(**(shown if is_shown else {**shown, "answer": None}))


class DeliveryOpened(Delivery):
    """One event at one endpoint, with what was sent and every try."""

    model_config = example_like(
        Delivery,
        body='{"type":"call.ended","timestamp":"2026-11-20T09:31:38Z","data":{"call_id":"0199c901-2f7c-7d00-8b3e-9a2c4e6f8a01"}}',
        tries=[first_example(Attempt)],
    )

    body: str | None
    """What is sent, byte for byte; null before the first try, when its caller was forgotten, and for a key that may not
    read what it is about."""
    tries: list[Attempt]

    @classmethod
    def told(cls, told: Told, *, is_shown: bool) -> "DeliveryOpened":
        return cls(
            **Delivery.of(told.listed).model_dump(),
            body=told.body if is_shown else None,
            tries=[Attempt.of(each, is_shown=is_shown) for each in told.attempts],
        )


class Event(Resource):
    """Something that happened and that an endpoint wanted to hear of."""

    model_config = example(
        id="msg_0199c9020000700080000000000000aa",
        type="call.ended",
        created_at="2026-11-20T09:31:38.010Z",
        data={"call_id": "0199c901-2f7c-7d00-8b3e-9a2c4e6f8a01", "status": "COMPLETED"},
    )

    id: str
    type: str
    created_at: Moment
    data: dict[str, Any]
    """The ids and sums of it; empty for a key that may not read what it is about."""

    @classmethod
    def of(cls, event: WebhookEvent, *, is_shown: bool) -> "Event":
        data = event.data if is_shown else {}
        return cls(id=signing.message_id(event.id), type=event.type, created_at=event.created_at, data=data)


class EventType(Resource):
    """A type of event."""

    model_config = example(type="call.ended", description="A call is over. What it cost is in it.")

    type: str
    description: str


class DeliveriesReplay(Fields):
    """What is to be sent again: what happened in between and was not delivered."""

    model_config = example(since="2026-11-20T08:00:00Z", until="2026-11-20T12:00:00Z")

    since: When
    until: When
    everything: bool = False
    """Also what was delivered."""


class DeliveriesReplayed(Resource):
    """How much is sent again."""

    model_config = example(count=17)

    count: int
