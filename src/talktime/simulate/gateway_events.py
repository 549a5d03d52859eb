"""How the simulated payment company tells what happened: signed, repeated until it is taken, and bent on demand.

The one rule: what is sent is signed over exactly the bytes that are sent, and an event keeps its id over all its
repetitions, so that whoever gets it twice can know.
"""

import asyncio
import copy
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import orjson

from talktime.gateways import stripe_signature
from talktime.simulate.gateway_deeds import Faults
from talktime.simulate.gateway_objects import Obj, new_id, shown

RETRY_SECONDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 60.0)
"""Waits between the tries: some minutes in all, where Stripe takes days."""
POST_SECONDS_MAX = 10.0
_AT_ONCE = 20


class Deliveries:
    """Sends in the background; `settle` waits for the end of it."""

    def __init__(self, url: str, secret: str, client: httpx.AsyncClient) -> None:
        """Without a `url` nothing is sent."""
        self.url = url
        self.faults = Faults()
        self.answers = 0
        """How many deliveries came to their end."""
        self._secret = secret
        self._client = client
        self._held: list[Callable[[], None]] = []
        self._under_way: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(_AT_ONCE)

    def add(self, event: Obj) -> None:
        """Tell an event, as the faults of the moment have it."""
        faults = self.faults
        concerned = not faults.types or event["type"] in faults.types
        if not concerned or not self.url:
            faults = Faults()
        if faults.lost or not self.url:
            event["_state"] = "lost"
            return
        _bend(event, faults)

        def start() -> None:
            for number in range(faults.copies):
                sent = {**event, "id": new_id("evt_1")} if faults.another_id and number else event
                self._start(event, sent, faults)

        if not faults.hold:
            start()
            return
        self._held.append(start)
        if len(self._held) >= faults.hold:
            self.release()

    def again(self, event: Obj, *, another_id: bool) -> None:
        """Send an event once more, whatever the faults are."""
        sent = {**event, "id": new_id("evt_1")} if another_id else event
        self._start(event, sent, Faults())

    def release(self) -> None:
        """Send what is held back, newest first."""
        held, self._held = self._held, []
        for start in reversed(held):
            start()

    async def settle(self, seconds_max: float) -> bool:
        """Wait until everything was taken or given up; False when that takes longer."""
        if self._under_way:
            await asyncio.wait(set(self._under_way), timeout=seconds_max)
        return not self._under_way

    async def close(self) -> None:
        """Give up what is under way; it stays marked as waiting."""
        for task in tuple(self._under_way):
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    def _start(self, event: Obj, sent: Obj, faults: Faults) -> None:
        event["_state"] = "waiting"
        task = asyncio.create_task(self._deliver(event, orjson.dumps(shown(sent)), faults))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _deliver(self, event: Obj, body: bytes, faults: Faults) -> None:
        await asyncio.sleep(faults.delay_seconds)
        for wait in (*RETRY_SECONDS, None):
            event["_tries"] += 1
            event["_answer"] = await self._post(body, faults)
            if isinstance(event["_answer"], int) and 200 <= event["_answer"] < 300:
                event.update(_state="delivered", pending_webhooks=0)
                self.answers += 1
                return
            if wait is not None:
                await asyncio.sleep(wait)
        event["_state"] = "failed"
        self.answers += 1

    async def _post(self, body: bytes, faults: Faults) -> int | str:
        """The status of the answer, or what went wrong."""
        at = datetime.now(UTC) - timedelta(seconds=faults.stale_seconds)
        secret = f"{self._secret}x" if faults.bad_signature else self._secret
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            "Stripe-Signature": stripe_signature.sign(secret, body, at),
        }
        try:
            async with self._room:
                response = await self._client.post(self.url, content=body, headers=headers, timeout=POST_SECONDS_MAX)
        except httpx.HTTPError as error:
            return type(error).__name__
        return response.status_code


def _bend(event: Obj, faults: Faults) -> None:
    """Let an event say what is not so. What the API shows stays right."""
    if faults.live is not None:
        event["livemode"] = faults.live
    about = copy.deepcopy(event["data"]["object"])
    for name in ("amount", "amount_total", "amount_received"):
        if faults.amount is not None and name in about:
            about[name] = faults.amount
    if faults.currency is not None and "currency" in about:
        about["currency"] = faults.currency.lower()
    if faults.live is not None and "livemode" in about:
        about["livemode"] = faults.live
    event["data"] = {"object": about}
