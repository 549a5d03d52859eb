"""A small real shop: the adapter, the simulated payment company it talks to, and a door where notices come in."""

import contextlib
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from talktime.gateways.contract import BadSignature, ChargeOrder, Checkout, CheckoutOrder, Notice, NoticeKind, SavedCard
from talktime.gateways.simulated import Simulated
from talktime.gateways.simulated_account import SimulatedGatewayAccount
from talktime.simulate.gateway import SimulatedGateway
from talktime.simulate.gateway_control import GatewayControl
from talktime.simulate.gateway_deeds import Faults, Means, Pay
from talktime.simulate.gateway_objects import Obj
from talktime.simulate.server import listen, serve

KEY, WEBHOOK, CONTROL = "sk_test_" + "k" * 24, "whsec_" + "w" * 32, "control-secret"


@dataclass
class Door:
    """Where notices come in: verified, noted, answered."""

    gateway: Simulated | None = None
    notices: list[Notice] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    """Statuses for the first requests; later ones get 204."""

    async def take(self, request: Request) -> Response:
        body = await request.body()
        assert self.gateway is not None
        if self.answers:
            return Response(status_code=self.answers.pop(0))
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        try:
            self.notices.append(self.gateway.verify(request.headers, body, datetime.now(UTC)))
        except BadSignature as error:
            self.refused.append(str(error))
        return Response(status_code=204)


@dataclass
class Shop:
    company: SimulatedGateway
    gateway: Simulated
    control: GatewayControl
    door: Door

    async def reset(self) -> None:
        """Nothing goes wrong, and nothing was heard."""
        await self.control.go_wrong(Faults())
        await self.control.settled()
        for seen in (self.door.notices, self.door.bodies, self.door.headers, self.door.refused, self.door.answers):
            seen.clear()

    async def checkout(self, **more: Any) -> Checkout:
        return await self.gateway.create_checkout(order(**more))

    async def pay(self, checkout: Checkout, how: Means = Means.CARD) -> Obj:
        """Somebody pays; gives the session."""
        return await self.control.do(Pay(checkout=checkout.id, how=how))

    async def paid(self, **more: Any) -> str:
        """Something that was paid: its payment's id."""
        session = await self.pay(await self.checkout(**more))
        await self.heard()
        self.door.notices.clear()
        return str(session["payment_intent"])

    async def card(self) -> SavedCard:
        """A card that was saved."""
        card = await self.gateway.saved_card(await self.paid(save_card=True))
        assert card is not None
        return card

    async def heard(self, *kinds: NoticeKind) -> list[Notice]:
        """What the door heard of these kinds, once everything was told; all but OTHER when none is given."""
        assert await self.control.settled()
        return [each for each in self.door.notices if each.kind in (kinds or set(NoticeKind) - {NoticeKind.OTHER})]

    async def listed(self, **ago: float) -> list[Notice]:
        """What the company lists, of the last day."""
        now = datetime.now(UTC)
        since = now - timedelta(**(ago or {"days": 1}))
        return [notice async for notice in self.gateway.list_payments(since, now + timedelta(seconds=5))]


def order(**more: Any) -> CheckoutOrder:
    """An order as a good one looks."""
    wanted: dict[str, Any] = {
        "purchase_id": uuid.uuid4(),
        "user_id": uuid.uuid4(),
        "name": "1,000 credits",
        "price_minor": 2000,
        "currency": "EUR",
        "success_url": "http://127.0.0.1:9/bought?checkout={CHECKOUT_SESSION_ID}",
        "cancel_url": "http://127.0.0.1:9/credits",
        "email": "alice@example.org",
        **more,
    }
    return CheckoutOrder(**wanted)


def charge(card: SavedCard, **more: Any) -> ChargeOrder:
    """A top-up as a good one looks."""
    wanted: dict[str, Any] = {
        "purchase_id": uuid.uuid4(),
        "user_id": uuid.uuid4(),
        "name": "1,000 credits",
        "price_minor": 2000,
        "currency": "EUR",
        "customer_id": card.customer_id,
        "payment_method_id": card.payment_method_id,
        **more,
    }
    return ChargeOrder(**wanted)


@contextlib.asynccontextmanager
async def open_shop(**company: Any) -> AsyncIterator[Shop]:
    """A shop for as long as the block."""
    door = Door()
    listener = listen(0)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/notices"
    made = SimulatedGateway(KEY, WEBHOOK, CONTROL, **{"webhook_url": url, **company})
    app = Starlette(routes=[Route("/notices", door.take, methods=["POST"])])
    async with serve(app, listener), made, made.control() as control:
        gateway = Simulated(SimulatedGatewayAccount(KEY, WEBHOOK, CONTROL, made.api_base))
        door.gateway = gateway
        try:
            yield Shop(made, gateway, control, door)
        finally:
            await gateway.close()
    listener.close()
