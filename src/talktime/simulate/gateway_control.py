"""The door behind the simulated payment company, and the key to it: make things happen there, and see what was told.

The one rule: it asks for a secret of its own, and opens to this machine only. No real payment company has one.
"""

import asyncio
import os
import time
from collections.abc import Callable
from typing import Any, Self

import httpx
import orjson
from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from talktime.errors import BadInput, ProviderError
from talktime.simulate import gateway_deeds as deeds
from talktime.simulate.answers import in_json, refusal_at_control_door
from talktime.simulate.gateway_books import Books, Refusal
from talktime.simulate.gateway_events import Deliveries
from talktime.simulate.gateway_objects import Obj, shown

SETTLE_SECONDS_MAX = 60.0
_DEED: TypeAdapter[deeds.Deed] = TypeAdapter(deeds.Deed)


class ControlDoor:
    """What `GatewayControl` talks to."""

    def __init__(self, books: Books, deliveries: Deliveries, secret: str, on_faults: Callable[[], None]) -> None:
        self._books = books
        self._deliveries = deliveries
        self._secret = secret
        self._on_faults = on_faults

    def routes(self) -> list[Route]:
        """For a Starlette application."""
        return [
            Route("/simulate/health", self._health, methods=["GET"]),
            Route("/simulate/do", self._do, methods=["POST"]),
            Route("/simulate/faults", self._faults, methods=["POST"]),
            Route("/simulate/events", self._events, methods=["GET"]),
            Route("/simulate/settled", self._settled, methods=["GET"]),
        ]

    async def _health(self, request: Request) -> Response:
        refusal = self._refusal(request)
        counts = {name: len(shelf) for name, shelf in self._books.shelves.items()}
        return refusal or in_json({"ok": True, "pid": os.getpid(), "counts": counts})

    async def _do(self, request: Request) -> Response:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        try:
            deed = _DEED.validate_json(await request.body())
            return in_json(shown(self._perform(deed)))
        except ValidationError as error:
            return in_json({"detail": str(error)}, 422)
        except Refusal as error:
            return in_json({"detail": str(error)}, 409)

    async def _faults(self, request: Request) -> Response:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        try:
            self._deliveries.faults = deeds.Faults.model_validate_json(await request.body())
        except ValidationError as error:
            return in_json({"detail": str(error)}, 422)
        self._on_faults()
        return in_json({"ok": True})

    async def _events(self, request: Request) -> Response:
        events = [
            {
                **{name: event[name] for name in ("id", "type", "created")},
                "object": event["data"]["object"]["id"],
                "state": event["_state"],
                "tries": event["_tries"],
                "answer": event["_answer"],
            }
            for event in self._books.shelves["event"].values()
        ]
        return self._refusal(request) or in_json({"events": events})

    async def _settled(self, request: Request) -> Response:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        try:
            seconds = min(SETTLE_SECONDS_MAX, float(request.query_params.get("seconds", "10")))
        except ValueError:
            return in_json({"detail": "seconds is a number"}, 422)
        return in_json({"settled": await self._deliveries.settle(seconds)})

    def _perform(self, deed: deeds.Deed) -> Obj:
        """Raises Refusal. Gives the object that it is about."""
        books = self._books
        match deed:
            case deeds.Pay():
                session = books.find("checkout.session", deed.checkout)
                problem = books.pay(session, deed.how)
                if problem == "authentication_required":
                    books.authenticate(session, agrees=True)
                return session
            case deeds.Settle():
                payment = books.find("payment_intent", deed.payment)
                books.settle(payment, succeeds=deed.succeeds)
                return payment
            case deeds.Expire():
                session = books.find("checkout.session", deed.checkout)
                books.expire(session)
                return session
            case deeds.MakeRefund():
                return books.refund(books.find("payment_intent", deed.payment), deed.amount, deed.status, {})
            case deeds.ChangeRefund():
                refund = books.find("refund", deed.refund)
                books.change_refund(refund, deed.status)
                return refund
            case deeds.OpenDispute():
                payment = books.find("payment_intent", deed.payment)
                return books.open_dispute(payment, deed.amount, deed.reason, withdrawn=deed.withdrawn)
            case deeds.MoveDispute():
                dispute = books.find("dispute", deed.dispute)
                books.move_dispute(dispute, deed.to, deed.amount)
                return dispute
            case deeds.Resend():
                event = books.find("event", deed.event)
                self._deliveries.again(event, another_id=deed.another_id)
                return event
            case deeds.Release():
                self._deliveries.release()
                return {"released": True}

    def _refusal(self, request: Request) -> Response | None:
        return refusal_at_control_door(request, self._secret)


class GatewayControl:
    """Controls a simulated payment company that runs on this machine, in this process or another."""

    def __init__(self, api_base: str, secret: str) -> None:
        timeout = httpx.Timeout(10.0, read=SETTLE_SECONDS_MAX + 10)
        headers = {"Authorization": f"Bearer {secret}"}
        self._client = httpx.AsyncClient(base_url=api_base, headers=headers, timeout=timeout, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self._client.aclose()

    async def do(self, deed: deeds.Deed) -> Obj:
        """Make something happen; gives the object it is about. Raises BadInput when it cannot be, ProviderError."""
        return await self._ask("POST", "/simulate/do", deed.model_dump_json())

    async def go_wrong(self, faults: deeds.Faults) -> None:
        """Let things go wrong from now on; `Faults()` ends it. Raises ProviderError."""
        await self._ask("POST", "/simulate/faults", faults.model_dump_json())

    async def events(self, kind: str = "") -> list[Obj]:
        """What was told, or lost, oldest first: id, type, object, state, tries, answer. Raises ProviderError."""
        events = (await self._ask("GET", "/simulate/events"))["events"]
        return [event for event in events if kind in ("", event["type"])]

    async def settled(self, seconds_max: float = 10.0) -> bool:
        """Wait until every event was taken or given up; False when that takes longer. Raises ProviderError."""
        deadline = time.monotonic() + seconds_max
        while True:
            left = max(0.0, deadline - time.monotonic())
            if (await self._ask("GET", f"/simulate/settled?seconds={left:.3f}"))["settled"]:
                return True
            if left == 0:
                return False
            await asyncio.sleep(0.01)

    async def pid(self) -> int | None:
        """The process that answers and knows the secret; None when nobody does."""
        try:
            return int((await self._ask("GET", "/simulate/health"))["pid"])
        except ProviderError:
            return None

    async def _ask(self, method: str, path: str, body: str | None = None) -> dict[str, Any]:
        try:
            response = await self._client.request(method, path, content=body)
        except httpx.HTTPError as error:
            raise ProviderError(f"the simulated payment company is gone: {type(error).__name__}") from error
        if response.status_code in (409, 422):
            raise BadInput(str(orjson.loads(response.content).get("detail", "That cannot be done.")))
        if response.status_code != 200:
            raise ProviderError(f"the simulated payment company refuses: HTTP {response.status_code}", permanent=True)
        return dict(orjson.loads(response.content))
