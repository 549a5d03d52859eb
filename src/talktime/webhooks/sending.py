"""Telling customers' programs what happened: take what is due, send it, write down what came of it.

The rules: that a delivery is tried is written down and committed before anything leaves us, and what came of it in a
second transaction; no transaction is open while something is sent. A process that dies in between has it sent again,
with the same id. One delivery at a time goes to an endpoint, whoever sends it; an endpoint that is slow, or down, takes
one place of many, and those that fail never more than half of them.
"""

import asyncio
import contextlib
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from talktime import log
from talktime.db.session import Database
from talktime.security import Unsealable
from talktime.webhooks import recording, signing
from talktime.webhooks.bodies import Renderers, body_of, envelope
from talktime.webhooks.post import Outcome, Poster

WHY = "what is due at customers' endpoints is sent by one step, whoever's it is"
LEASE_SECONDS = 60
"""Much longer than a try can take: so long nobody else sends to an endpoint."""
_POLL_SECONDS = 0.5
_ENDS_SECONDS_MAX = 5.0
_LOGGER = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that is ours to try, once."""

    user_id: uuid.UUID
    endpoint_id: uuid.UUID
    delivery_id: uuid.UUID
    event_id: uuid.UUID
    call_id: uuid.UUID | None
    attempt_no: int
    tries: int
    sequence: int
    type: str
    created_at: datetime
    url: str
    secret: bytes
    old_secret: bytes | None
    ailing: bool
    """Its endpoint has failed since it last worked."""


@dataclass(eq=False)
class Sender:
    """What one process sends, at most so much at once."""

    database: Database
    key: bytes
    """Opens the endpoints' secrets."""
    renderers: Renderers
    poster: Poster = field(default_factory=Poster)
    at_once: int = 200
    _at_work: dict["asyncio.Task[None]", Claimed] = field(init=False, default_factory=dict)
    _wake: asyncio.Event = field(init=False, default_factory=asyncio.Event)
    _connections: asyncio.Semaphore = field(init=False, default_factory=lambda: asyncio.Semaphore(4))
    """Calls that this process may carry want the database, too: so few of its connections are for us."""

    async def run(self) -> None:
        """Send what is due until cancelled; what is under way then is given a few seconds to end."""
        try:
            while True:
                try:
                    is_more = await self._take() > 0
                except (SQLAlchemyError, OSError) as error:
                    _LOGGER.warning("what is due at endpoints was not reached", error=type(error).__name__)
                    is_more = False
                if not is_more:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(_POLL_SECONDS):
                            await self._wake.wait()
                self._wake.clear()
        finally:
            await self._end(_ENDS_SECONDS_MAX)

    async def send_due(self) -> int:
        """Send what is due now, and what becomes due by that; gives how many tries that were."""
        sent = 0
        try:
            while (taken := await self._take()) or self._at_work:
                sent += taken
                if self._at_work:
                    await asyncio.wait(list(self._at_work), return_when=asyncio.FIRST_COMPLETED)
        finally:
            await self._end(0)
        return sent

    async def _take(self) -> int:
        """Begin to send as much as there is a place for; gives how much that is."""
        places = self.at_once - len(self._at_work)
        ailing = self.at_once // 2 - sum(claimed.ailing for claimed in self._at_work.values())
        if places <= 0:
            return 0
        claimed = await claim(self.database, most=min(places, 50), ailing_most=max(0, ailing))
        for each in claimed:
            task = asyncio.create_task(self._try(each))
            self._at_work[task] = each
            task.add_done_callback(self._ended)
        return len(claimed)

    async def _end(self, seconds_max: float) -> None:
        """Let what is under way end, and break off what does not: its endpoint is somebody's again after the lease."""
        if self._at_work:
            await asyncio.wait(list(self._at_work), timeout=seconds_max)
        left = list(self._at_work)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        del self._at_work[task]
        if not task.cancelled() and (error := task.exception()) is not None:
            # Its name alone: what is sent, and what comes back, may stand in its words.
            _LOGGER.error("a delivery was not tried to its end", error=type(error).__name__)
        # Its endpoint is free: perhaps more is due there.
        self._wake.set()

    async def _try(self, claimed: Claimed) -> None:
        outcome = await self._send(claimed)
        async with self._connections, self.database.transaction(everyone=recording.WHY) as db:
            await recording.record(db, claimed, outcome)

    async def _send(self, claimed: Claimed) -> Outcome:
        sealed = [claimed.secret, *([claimed.old_secret] if claimed.old_secret else [])]
        try:
            signs = [signing.unseal(self.key, claimed.user_id, claimed.endpoint_id, each) for each in sealed]
        except Unsealable:
            _LOGGER.error("an endpoint's secret cannot be opened", endpoint_id=str(claimed.endpoint_id))
            return Outcome(0, error="The secret that signs cannot be read here any more: rotate it.")
        data = await self._data(claimed)
        if data is None:
            return Outcome(0, error="The event is gone: it was kept for 30 days.")
        body = envelope(claimed.type, claimed.created_at, claimed.sequence, data)
        headers = signing.headers(claimed.event_id, datetime.now(UTC), body, *signs)
        return await self.poster.send(claimed.url, body, headers)

    async def _data(self, claimed: Claimed) -> str | None:
        try:
            async with self._connections, self.database.transaction(user=claimed.user_id) as db:
                return await body_of(db, self.renderers, claimed.user_id, claimed.event_id)
        except SQLAlchemyError:
            raise  # nothing was tried, and after the lease somebody tries
        except Exception as error:  # noqa: BLE001  a mistake of ours: the receiver is told of the fact, if of no more
            _LOGGER.error("an event could not be put together", type=claimed.type, error=type(error).__name__)
        async with self._connections, self.database.transaction(user=claimed.user_id) as db:
            return await body_of(db, {}, claimed.user_id, claimed.event_id)


async def claim(database: Database, *, most: int, ailing_most: int, seconds: int = LEASE_SECONDS) -> list[Claimed]:
    """Take what is due, at most one delivery of each endpoint. Committed when it is given."""
    async with database.transaction(everyone=WHY) as db:
        rows = await db.execute(_CLAIM, {"most": most, "ailing_most": ailing_most, "seconds": seconds})
        return [Claimed(**_plain(row._mapping)) for row in rows]


def _plain(row: Any) -> dict[str, Any]:
    return {key: bytes(value) if isinstance(value, memoryview) else value for key, value in row.items()}


_CLAIM = text("SELECT * FROM claim_webhooks_v1(:most, :ailing_most, :seconds)")
