"""The rest of `verbs`: what is done by programs and to them, and what an operator does with providers' events."""

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select, update

from talktime import inbox
from talktime.accounts import profile
from talktime.alerts import events
from talktime.db.session import Database
from talktime.inbox import Incoming, ProviderEvent
from talktime.webhooks import endpoints
from talktime.webhooks.endpoints import Keeping
from talktime.webhooks.models import WebhookEndpoint
from tests.accounts.verbs import Done, Ready, Scene, prepared
from tests.people import WHY

_KEEPING = Keeping(b"k" * 32)


async def _change_profile(scene: Scene) -> Any:
    words = {"name": f"Alice {next(scene.figures)}", "locale": "de", "zone": "Europe/Vienna"}
    return lambda db: profile.change_of(db, scene.alice.id, scene.ada.id, **words)


async def _given_up(database: Database, kind: str) -> uuid.UUID:
    """An event of Alice's call that nobody tries any more."""
    name = uuid.uuid4().hex
    async with database.transaction(everyone=WHY) as db:
        body = b"CallSid=CA1&From=%2B15550100123&CallerName=Alice"
        await inbox.store(db, Incoming("simulated", "AC", name, kind, body, {}))
        await db.execute(update(ProviderEvent).where(ProviderEvent.event_id == name).values(gave_up_at=func.now()))
        return (await db.execute(select(ProviderEvent.id).where(ProviderEvent.event_id == name))).scalar_one()


async def _replay(scene: Scene) -> Any:
    event = await _given_up(scene.counter.database, "test.one")
    return lambda db: events.replay(db, event, by=scene.ada.id)


async def _replay_many(scene: Scene) -> Any:
    kind = f"test.{uuid.uuid4().hex}"
    for _ in range(2):
        await _given_up(scene.counter.database, kind)
    return lambda db: events.replay_many(db, events.Filter(kind=kind), by=scene.ada.id)


async def _endpoint(scene: Scene) -> uuid.UUID:
    async with scene.counter.database.transaction(user=scene.alice.id) as db:
        url = f"https://alice.example.org/{next(scene.figures)}"
        made, _ = await endpoints.create(db, scene.alice.id, _KEEPING, url=url, events=["call.ended"])
        return made.id


async def _make_endpoint(scene: Scene) -> Done:
    carol = await scene.other("Carol")
    words: dict[str, Any] = {"url": "https://alice.example.org", "events": ["*"], "actor": scene.ada.id}
    return Done(lambda db: endpoints.create(db, carol.id, _KEEPING, **words), carol.id, scene.ada.id)


def _with_endpoint(verb: Any, *needs: Any, **words: Any) -> Any:
    """A verb for an endpoint that is there and locked."""

    async def ready(scene: Scene) -> Any:
        made = await _endpoint(scene)

        async def work(db: Any) -> None:
            found: WebhookEndpoint = await endpoints.locked(db, scene.alice.id, made)
            await verb(db, found, *needs, **words, actor=scene.ada.id)

        return work

    return ready


async def _reveal(scene: Scene) -> Any:
    made = await _endpoint(scene)
    return lambda db: endpoints.reveal(db, scene.alice.id, made, _KEEPING, actor=scene.ada.id)


READY: Mapping[str, tuple[Ready, tuple[str, ...]]] = {
    "accounts.profile.change_of": prepared(_change_profile, "user.changed"),
    "alerts.events.replay": prepared(_replay, "event.handled_again", about="ada"),
    "alerts.events.replay_many": prepared(_replay_many, "event.handled_again", about="ada"),
    "webhooks.endpoints.create": (_make_endpoint, ("webhook.made",)),
    "webhooks.endpoints.change": prepared(
        _with_endpoint(endpoints.change, _KEEPING, description="Alice's till"), "webhook.changed"
    ),
    "webhooks.endpoints.rotate": prepared(_with_endpoint(endpoints.rotate, _KEEPING), "webhook.rotated"),
    "webhooks.endpoints.reveal": prepared(_reveal, "webhook.secret_shown"),
    "webhooks.endpoints.delete": prepared(_with_endpoint(endpoints.delete), "webhook.deleted"),
}
"""As in `verbs`."""
