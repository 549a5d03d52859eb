"""Alice's program on one side, a worker that sends on the other, and a clock that can be put forward between them."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from talktime import webhooks
from talktime.db.session import Database
from talktime.simulate.receiver import Receiver
from talktime.webhooks import endpoints
from talktime.webhooks.bodies import Renderers
from talktime.webhooks.endpoints import Keeping
from talktime.webhooks.events import Value
from talktime.webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint, WebhookEvent
from talktime.webhooks.post import Poster
from talktime.webhooks.sending import Sender
from tests.db.everything import become_owner
from tests.people import WHY, Person, new_person

KEY = b"a key that seals secrets in tests"
KEEPING = Keeping(KEY, to_private=True)
POSTER = Poster(to_private=True, seconds_max=2)
TIMES = (
    ("webhook_deliveries", "due_at"),
    ("webhook_deliveries", "ended_at"),
    ("webhook_endpoints", "free_at"),
    ("webhook_endpoints", "failing_since"),
    ("webhook_endpoints", "delivered_at"),
    ("webhook_endpoints", "old_secret_until"),
    ("webhook_attempts", "began_at"),
)


@dataclass(eq=False)
class Desk:
    """Somebody's endpoints, and who sends to them."""

    database: Database
    person: Person
    receiver: Receiver
    endpoint: uuid.UUID
    renderers: Renderers = field(default_factory=dict)

    def sender(self) -> Sender:
        return Sender(self.database, KEY, self.renderers, POSTER)

    async def emit(self, type: str = "call.ended", **data: Value | uuid.UUID) -> bool:
        async with self.database.transaction(user=self.person.id) as db:
            return await webhooks.emit(db, self.person.id, type, data)

    async def send(self) -> int:
        """Send what is due by now."""
        return await self.sender().send_due()

    async def later(self, **wait: float) -> None:
        """So much time passes: what was done, and what is to be, lies further back."""
        async with self.database.transaction(everyone=WHY) as db:
            await become_owner(db)
            for table, column in TIMES:
                statement = (
                    f"UPDATE {table} SET {column} = {column} - CAST(:wait AS interval) WHERE {column} IS NOT NULL"
                )
                await db.execute(text(statement), {"wait": timedelta(**wait)})

    async def until_due(self) -> None:
        """The next wait on the ladder passes, with its jitter."""
        async with self.database.transaction(everyone=WHY) as db:
            wait = await db.scalar(text("SELECT min(due_at) - clock_timestamp() FROM webhook_deliveries"))
        if wait is not None and wait > timedelta():
            await self.later(seconds=wait.total_seconds() + 0.01)

    async def here(self) -> WebhookEndpoint:
        async with self.database.transaction(user=self.person.id) as db:
            return (await db.scalars(select(WebhookEndpoint).where(WebhookEndpoint.id == self.endpoint))).one()

    async def deliveries(self) -> list[WebhookDelivery]:
        async with self.database.transaction(user=self.person.id) as db:
            found = await db.scalars(select(WebhookDelivery).order_by(WebhookDelivery.created_at))
            return list(found)

    async def attempts(self) -> list[WebhookAttempt]:
        async with self.database.transaction(user=self.person.id) as db:
            found = await db.scalars(
                select(WebhookAttempt).order_by(WebhookAttempt.began_at, WebhookAttempt.attempt_no)
            )
            return list(found)

    async def events(self) -> list[WebhookEvent]:
        async with self.database.transaction(user=self.person.id) as db:
            return list(await db.scalars(select(WebhookEvent).order_by(WebhookEvent.created_at)))

    async def notices(self) -> list[str]:
        async with self.database.transaction(user=self.person.id) as db:
            rows = await db.execute(text("SELECT kind FROM notices WHERE kind = 'webhook_disabled'"))
            return [row.kind for row in rows]

    async def change(self, **what: object) -> None:
        async with self.database.transaction(user=self.person.id) as db:
            endpoint = await endpoints.locked(db, self.person.id, self.endpoint)
            await endpoints.change(db, endpoint, KEEPING, **what)  # type: ignore[arg-type]  # as the test has it

    async def add(self, receiver: Receiver, *events: str) -> uuid.UUID:
        """One more endpoint; the receiver gets to know its secret."""
        return await add_endpoint(self.database, self.person, receiver, *events)


async def add_endpoint(database: Database, person: Person, receiver: Receiver, *events: str) -> uuid.UUID:
    async with database.transaction(user=person.id) as db:
        made, receiver.secret = await endpoints.create(
            db, person.id, KEEPING, url=receiver.url, events=events or ["*"], description="CRM"
        )
    return made.id


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as receiver:
        yield receiver


@pytest.fixture
async def desk(empty_database: Database, receiver: Receiver) -> Desk:
    """Alice, with one endpoint that wants to hear of everything."""
    alice = await new_person(empty_database, "Alice", credits=1000)
    endpoint = await add_endpoint(empty_database, alice, receiver)
    return Desk(empty_database, alice, receiver, endpoint)


__all__ = ["KEEPING", "KEY", "Desk", "add_endpoint"]
