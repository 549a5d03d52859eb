"""Stripe: pages to pay on, saved cards, refunds, signed notices, and lists of what it knows.

The one rule: nothing is made twice. Every request that makes something carries an idempotency key of the caller's, and
its parameters depend on nothing but what the caller gave: with other parameters Stripe would refuse the same key.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import stripe

from talktime.errors import BadInput, ProviderError
from talktime.gateways import stripe_notices as notices
from talktime.gateways import stripe_signature
from talktime.gateways.contract import (
    Charge,
    ChargeOrder,
    ChargeStatus,
    Checkout,
    CheckoutOrder,
    Notice,
    NoticeKind,
    Refund,
    SavedCard,
)
from talktime.gateways.stripe_amounts import from_stripe, to_stripe
from talktime.gateways.stripe_transport import Missing, Transport, bounded, raise_failure

API_BASE = "https://api.stripe.com"
RETRIES_MAX = 2
_PAGE = 100
_CHARGES = {
    "succeeded": ChargeStatus.SUCCEEDED,
    "processing": ChargeStatus.PROCESSING,
    "requires_action": ChargeStatus.NEEDS_AUTHENTICATION,
    "requires_payment_method": ChargeStatus.DECLINED,
    "canceled": ChargeStatus.DECLINED,
}


class Stripe:
    """One Stripe account, in test mode or live, as the key says."""

    name = "stripe"

    def __init__(
        self, api_key: str, webhook_secrets: Sequence[str], api_base: str = API_BASE, *, trust_env: bool = True
    ) -> None:
        """`trust_env` lets the environment's proxies be used. Without a secret no notice is ever believed."""
        if not api_key.startswith(("sk_test_", "sk_live_", "rk_test_", "rk_live_")):
            raise ValueError("Stripe needs a secret key: it begins with sk_live_, sk_test_, rk_live_ or rk_test_")
        self.live = api_key[3:].startswith("live_")
        self._secrets = tuple(secret for secret in webhook_secrets if secret.strip())
        self._transport = Transport(trust_env=trust_env)
        client = stripe.StripeClient(
            api_key,
            stripe_version=notices.API_VERSION,
            base_addresses={"api": api_base.rstrip("/")},
            max_network_retries=RETRIES_MAX,
            http_client=self._transport,
        )
        self._api = client.v1

    # What Stripe tells.

    def verify(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Notice:
        """Raises BadSignature, BadMessage."""
        stripe_signature.check(self._secrets, headers.get(stripe_signature.HEADER, ""), body, now)
        return notices.read_event(body)

    def parse(self, body: bytes) -> Notice:
        """Raises BadMessage."""
        return notices.read_event(body)

    # Paying on a page.

    async def create_checkout(self, order: CheckoutOrder) -> Checkout:
        """A page that can be paid for a day. Raises BadInput, ProviderError."""
        metadata = {"purchase_id": str(order.purchase_id), "user_id": str(order.user_id)}
        params: Any = {
            "mode": "payment",
            "line_items": [
                {
                    "quantity": 1,
                    "price_data": {
                        "currency": order.currency.lower(),
                        "unit_amount": to_stripe(order.price_minor, order.currency),
                        "product_data": {"name": order.name},
                    },
                }
            ],
            "client_reference_id": str(order.purchase_id),
            "metadata": metadata,
            "payment_intent_data": {"metadata": metadata},
            "success_url": order.success_url,
            "cancel_url": order.cancel_url,
        }
        if order.customer_id:
            params["customer"] = order.customer_id
        else:
            if order.email:
                params["customer_email"] = order.email
            if order.save_card:
                params["customer_creation"] = "always"
        if order.save_card:
            params["payment_intent_data"]["setup_future_usage"] = "off_session"
        options: Any = {"idempotency_key": str(order.purchase_id)}
        session = await _ask("make a checkout", self._api.checkout.sessions.create_async(params, options))
        url, expires = session.get("url"), session.get("expires_at")
        if notices.id_of(session) is None or not isinstance(url, str) or not isinstance(expires, int):
            raise ProviderError("Stripe's answer shows no checkout that can be paid")
        return Checkout(
            id=str(session["id"]),
            url=url,
            payment_id=notices.id_of(session.get("payment_intent")),
            expires_at=datetime.fromtimestamp(expires, UTC),
        )

    async def fetch_checkout(self, checkout_id: str) -> Notice | None:
        """How a checkout stands; None when Stripe does not know it. Raises ProviderError."""
        params: Any = {"expand": ["payment_intent"]}
        try:
            session = await _ask(
                "show a checkout", self._api.checkout.sessions.retrieve_async(_id(checkout_id), params)
            )
        except Missing:
            return None
        return notices.of_session(session, live=self.live)

    async def expire_checkout(self, checkout_id: str) -> Notice:
        """Close a checkout, and say how it stands. Raises ProviderError."""
        refused: ProviderError | None = None
        try:
            await _ask("expire a checkout", self._api.checkout.sessions.expire_async(_id(checkout_id)))
        except ProviderError as error:
            # One that was completed or has expired cannot be; what it is now is the answer.
            if not error.permanent:
                raise
            refused = error
        now = await self.fetch_checkout(checkout_id)
        if now is None or now.kind is NoticeKind.OPEN:
            raise refused or ProviderError("Stripe expired a checkout, and shows it open")
        return now

    # Saved cards.

    async def charge_saved_card(self, order: ChargeOrder) -> Charge:
        """Charge a card whose owner is not there. Raises BadInput, ProviderError."""
        params: Any = {
            "amount": to_stripe(order.price_minor, order.currency),
            "currency": order.currency.lower(),
            "customer": order.customer_id,
            "payment_method": order.payment_method_id,
            "off_session": True,
            "confirm": True,
            "description": order.name,
            "metadata": {
                "purchase_id": str(order.purchase_id),
                "user_id": str(order.user_id),
                "talktime": notices.CHARGE_MARK,
            },
        }
        options: Any = {"idempotency_key": str(order.purchase_id)}
        try:
            answer = await bounded("charge a card", self._api.payment_intents.create_async(params, options))
        except stripe.CardError as error:
            return _declined(error)
        payment = answer.to_dict()
        status, found = _CHARGES.get(str(payment.get("status"))), notices.id_of(payment)
        if status is None or found is None:
            raise ProviderError("Stripe's answer shows no charge, or one in no known state")
        return Charge(found, status, "")

    async def saved_card(self, payment_id: str) -> SavedCard | None:
        """The means of payment that a payment left for later; None when it left none. Raises ProviderError."""
        params: Any = {"expand": ["payment_method"]}
        try:
            payment = await _ask("show a payment", self._api.payment_intents.retrieve_async(_id(payment_id), params))
        except Missing:
            return None
        customer, method = notices.id_of(payment.get("customer")), payment.get("payment_method")
        is_kept = payment.get("setup_future_usage") == "off_session" and payment.get("status") == "succeeded"
        if not is_kept or customer is None or not isinstance(method, dict) or notices.id_of(method) is None:
            return None
        kind = str(method.get("type"))
        details = method.get(kind)
        card = details if isinstance(details, dict) else {}
        return SavedCard(
            customer_id=customer,
            payment_method_id=str(method["id"]),
            brand=str(card.get("brand") or kind),
            last4=str(card.get("last4") or ""),
            expires_month=card.get("exp_month"),
            expires_year=card.get("exp_year"),
        )

    async def forget_card(self, payment_method_id: str) -> None:
        """Detach it from its customer, after which Stripe lets nobody charge it. Raises ProviderError."""
        found = _id(payment_method_id)
        try:
            await _ask("forget a card", self._api.payment_methods.detach_async(found))
        except ProviderError as error:
            # One that is detached already cannot be detached, and one that is unknown needs not.
            if not error.permanent or await self._is_attached(found):
                raise

    async def _is_attached(self, payment_method_id: str) -> bool:
        try:
            method = await _ask("show a card", self._api.payment_methods.retrieve_async(payment_method_id))
        except Missing:
            return False
        return method.get("customer") is not None

    # Money back.

    async def refund(self, payment_id: str, *, amount_minor: int | None, currency: str, idempotency_key: str) -> Refund:
        """Raises BadInput, ProviderError; permanent when more is asked for than is left."""
        if not idempotency_key:
            raise BadInput("A refund needs a key of its own, so that it is never made twice.")
        params: Any = {"payment_intent": _id(payment_id)}
        if amount_minor is not None:
            params["amount"] = to_stripe(amount_minor, currency)
        options: Any = {"idempotency_key": idempotency_key}
        refund = await _ask("refund", self._api.refunds.create_async(params, options))
        found, status = notices.id_of(refund), notices.refund_status(refund)
        amount = from_stripe(refund.get("amount"), currency)
        if found is None or status is None or amount is None or str(refund.get("currency")).upper() != currency:
            raise ProviderError("Stripe's answer shows no such refund, or one in another currency", permanent=True)
        return Refund(found, payment_id, status, amount, currency)

    # Everything that Stripe knows.

    async def list_payments(self, since: datetime, until: datetime) -> AsyncIterator[Notice]:
        """Checkouts, charges, refunds and disputes, each newest first. Raises ProviderError."""
        created = {"gte": int(since.timestamp()), "lt": int(until.timestamp())}
        api = self._api
        sessions: Any = {"created": created, "expand": ["data.payment_intent"]}
        async for session in _pages(api.checkout.sessions.list_async, sessions):
            notice = notices.of_session(session, live=self.live)
            if notice.kind not in (NoticeKind.OPEN, NoticeKind.OTHER):
                yield notice
        async for payment in _pages(api.payment_intents.list_async, {"created": created}):
            for notice in notices.of_payment(payment, live=self.live):
                yield notice
        async for refund in _pages(api.refunds.list_async, {"created": created}):
            yield notices.of_refund(refund, live=self.live)
        async for dispute in _pages(api.disputes.list_async, {"created": created}):
            for notice in notices.of_dispute(dispute, live=self.live):
                yield notice

    async def close(self) -> None:
        """Let go of connections."""
        await self._transport.close_async()


async def _ask(verb: str, asking: Awaitable[stripe.StripeObject]) -> dict[str, Any]:
    """An object as plain values. Raises ProviderError, and Missing for a thing that Stripe does not know."""
    try:
        return (await bounded(verb, asking)).to_dict()
    except stripe.CardError as error:
        raise_failure(verb, error)


def _declined(error: stripe.CardError) -> Charge:
    """What a refusal by the card's bank means; the payment that was tried stands in the error."""
    said = error.json_body.get("error") if isinstance(error.json_body, Mapping) else None
    told: Mapping[str, Any] = said if isinstance(said, Mapping) else {}
    code = notices.code_of(told.get("code"))
    needs_owner = "authentication_required" in (code, told.get("decline_code"))
    return Charge(
        payment_id=notices.id_of(told.get("payment_intent")) or "",
        status=ChargeStatus.NEEDS_AUTHENTICATION if needs_owner else ChargeStatus.DECLINED,
        reason=notices.code_of(told.get("decline_code")) or code,
    )


async def _pages(list_async: Callable[..., Awaitable[Any]], params: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
    """Everything of one kind, page after page."""
    after: dict[str, str] = {}
    while True:
        page = await _ask("list payments", list_async({**params, **after, "limit": _PAGE}))
        items = page.get("data")
        if not isinstance(items, list):
            raise ProviderError("Stripe's answer is no list")
        for item in items:
            yield item
        if not page.get("has_more"):
            return
        last = notices.id_of(items[-1]) if items else None
        if last is None or after.get("starting_after") == last:
            raise ProviderError("Stripe's list does not end")
        after = {"starting_after": last}


def _id(text: str) -> str:
    """An id that goes into an address."""
    found = notices.id_of(text)
    if found is None:
        raise ProviderError("this is no name of anything at Stripe", permanent=True)
    return found
