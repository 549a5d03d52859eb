"""What an installation needs to take money: its payment companies, what its invoices say, and who handles the events.

The rule: a notice from a web hook, from a list and from an answer goes one way, through `fulfilment.handle`.
"""

import dataclasses
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from talktime import inbox
from talktime.documents.values import Seller
from talktime.errors import Conflict
from talktime.gateways.contract import Gateway, Notice, NoticeKind, RefundStatus
from talktime.gateways.simulated import Simulated
from talktime.gateways.stripe import Stripe
from talktime.inbox import Incoming, ProviderEvent
from talktime.jobs import Jobs
from talktime.payments import fulfilment
from talktime.payments.invoices import Billing
from talktime.settings import Settings

TOLD = "payment.told"
"""Kind of the inbox's events that a payment company sent."""
LISTED = "payment.listed"
"""Kind of those that it showed when it was asked."""
NO_COMPANY = "There is no payment company: set STRIPE_API_KEY and STRIPE_WEBHOOK_SECRET, or run with --demo."
"""What to do where nothing can be asked."""


@dataclass(frozen=True, slots=True)
class Till:
    """Everything that the handlers of payments share."""

    gateways: Mapping[str, Gateway]
    billing: Billing
    jobs: Jobs

    def handlers(self) -> Mapping[str, inbox.Handle]:
        """Who handles which kind of event."""
        return {TOLD: self._told, LISTED: self._listed}

    async def handle(self, db: AsyncSession, gateway: Gateway, notice: Notice) -> str:
        """Do what a notice calls for; gives the verdict. Needs a transaction that is everyone's."""
        return await fulfilment.handle(db, self.jobs, self.billing, gateway, notice)

    async def _told(self, db: AsyncSession, event: ProviderEvent) -> str:
        gateway = self.gateway(event.provider)
        return await self.handle(db, gateway, gateway.parse(event.body))

    async def _listed(self, db: AsyncSession, event: ProviderEvent) -> str:
        return await self.handle(db, self.gateway(event.provider), _read(event.body))

    def gateway(self, name: str) -> Gateway:
        """Raises Conflict for one whose keys are not set any more."""
        found = self.gateways.get(name)
        if found is None:
            raise Conflict(f"The payment company {name!r} is not set up here: {_TO_SET_UP.get(name, _UNKNOWN)}.")
        return found


def told(gateway: Gateway, notice: Notice, body: bytes, headers: Mapping[str, str]) -> Incoming:
    """A web hook, once its signature was found right, for the inbox."""
    return Incoming(gateway.name, account_of(notice), notice.event_id, TOLD, body, headers)


def listed(gateway: Gateway, notice: Notice) -> Incoming:
    """A notice that we found by asking, for the inbox."""
    body = orjson.dumps(dataclasses.asdict(notice))
    return Incoming(gateway.name, account_of(notice), notice.event_id, LISTED, body, {})


def account_of(notice: Notice) -> str:
    """The half of an account with a payment company that a notice comes from."""
    return "live" if notice.live else "test"


def gateways_of(settings: Settings, *, demo: bool) -> dict[str, Gateway]:
    """The payment companies this installation has: Stripe with its keys, else in demo mode the simulated one."""
    gateways: dict[str, Gateway] = {}
    if settings.stripe_api_key is not None:
        secrets = settings.stripe_webhook_secret
        gateways[Stripe.name] = Stripe(
            settings.stripe_api_key.get_secret_value(),
            [] if secrets is None else [secret.strip() for secret in secrets.get_secret_value().split(",")],
            settings.stripe_api_base,
        )
    elif demo:
        gateways[Simulated.name] = Simulated.of(settings, settings.gateway_port)
    return gateways


def billing_of(settings: Settings) -> Billing:
    """What invoices say of the operator."""
    lines = settings.seller_address.replace(";", "\n").splitlines()
    seller = Seller(
        name=settings.seller_name or "Talktime",
        address=tuple(line.strip() for line in lines if line.strip()),
        country=settings.seller_country,
        vat_id=settings.seller_vat_id,
        tax_number=settings.seller_tax_number,
        email=settings.seller_email,
        web=settings.base_url,
    )
    return Billing(seller, int((settings.vat_percent or 0) * 100), settings.invoice_series)


_UNKNOWN = "this program knows none of this name"
_TO_SET_UP = {Stripe.name: "set STRIPE_API_KEY and STRIPE_WEBHOOK_SECRET", Simulated.name: "run with --demo"}


def _read(body: bytes) -> Notice:
    values: dict[str, Any] = orjson.loads(body)
    for name in ("purchase_id", "user_id"):
        values[name] = uuid.UUID(values[name]) if values[name] else None
    values["kind"] = NoticeKind(values["kind"])
    values["created_at"] = datetime.fromisoformat(values["created_at"])
    values["refund_status"] = RefundStatus(values["refund_status"]) if values["refund_status"] else None
    return Notice(**values)
