"""Stripe's objects as its API shows them, for the simulated payment company.

The one rule: the forms are those of the API version that the adapter asks for. What stands under a name that begins
with an underscore is ours and never shown.
"""

import secrets
import time
from typing import Any

from talktime.gateways.stripe_notices import API_VERSION

Obj = dict[str, Any]

CHECKOUT_SECONDS = 24 * 3600
CARD_YEARS = 6


def new_id(prefix: str, length: int = 24) -> str:
    """A name nobody can guess."""
    return prefix + secrets.token_hex(length // 2)


def shown(obj: Obj) -> Obj:
    """An object without what is ours."""
    return {key: value for key, value in obj.items() if not key.startswith("_")}


def session(url: str, asked: Obj) -> Obj:
    """A checkout that waits. `asked` holds what was ordered."""
    now, name = int(time.time()), new_id("cs_test_a1", 56)
    email = asked["email"]
    return {
        "id": name,
        "object": "checkout.session",
        "amount_subtotal": asked["amount"],
        "amount_total": asked["amount"],
        "automatic_tax": {"enabled": False, "status": None},
        "cancel_url": asked["cancel_url"],
        "client_reference_id": asked["client_reference_id"],
        "created": now,
        "currency": asked["currency"],
        "customer": asked["customer"],
        "customer_creation": None if asked["customer"] else asked["customer_creation"] or "if_required",
        "customer_details": {"email": email, "name": None, "address": None, "tax_ids": []} if email else None,
        "customer_email": email,
        "expires_at": asked["expires_at"] or now + CHECKOUT_SECONDS,
        "invoice": None,
        "livemode": False,
        "locale": asked["locale"],
        "metadata": asked["metadata"],
        "mode": "payment",
        "payment_intent": None,
        "payment_method_types": ["card", "sepa_debit"],
        "payment_status": "unpaid",
        "status": "open",
        "success_url": asked["success_url"],
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page",
        "url": f"{url}/c/pay/{name}",
        "_name": asked["name"],
        "_payment_metadata": asked["payment_metadata"],
        "_saves_card": asked["saves_card"],
        "_attempt": None,
    }


def payment(amount: int, currency: str, metadata: Obj, customer: str | None, description: str | None = None) -> Obj:
    """A payment that was not tried yet."""
    name = new_id("pi_3")
    return {
        "id": name,
        "object": "payment_intent",
        "amount": amount,
        "amount_received": 0,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic_async",
        "client_secret": new_id(f"{name}_secret_"),
        "created": int(time.time()),
        "currency": currency,
        "customer": customer,
        "description": description,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": metadata,
        "next_action": None,
        "payment_method": None,
        "payment_method_types": ["card", "sepa_debit"],
        "setup_future_usage": None,
        "status": "requires_payment_method",
        "_session": None,
        "_refunded": 0,
        "_settles_at": None,
        "_settles_well": True,
    }


def charge(payment: Obj, method: Obj) -> Obj:
    """The movement of money that a payment made."""
    return {
        "id": new_id("ch_3"),
        "object": "charge",
        "amount": payment["amount"],
        "amount_captured": payment["amount"],
        "amount_refunded": 0,
        "billing_details": method["billing_details"],
        "captured": True,
        "created": int(time.time()),
        "currency": payment["currency"],
        "customer": payment["customer"],
        "disputed": False,
        "failure_code": None,
        "livemode": False,
        "metadata": payment["metadata"],
        "paid": True,
        "payment_intent": payment["id"],
        "payment_method": method["id"],
        "payment_method_details": {"type": method["type"], method["type"]: method[method["type"]]},
        "refunded": False,
        "status": "succeeded",
    }


def method(kind: str, email: str | None, *, last4: str = "4242") -> Obj:
    """A test card, or a test account to debit."""
    details: Obj = {"last4": "3000", "country": "DE", "bank_code": "37040044"}
    if kind == "card":
        year = time.gmtime().tm_year + CARD_YEARS
        details = {"brand": "visa", "last4": last4, "exp_month": 12, "exp_year": year, "country": "US"}
    return {
        "id": new_id("pm_1"),
        "object": "payment_method",
        "billing_details": {"address": None, "email": email, "name": None, "phone": None},
        "created": int(time.time()),
        "customer": None,
        "livemode": False,
        "metadata": {},
        "type": kind,
        kind: details,
    }


def customer(email: str | None) -> Obj:
    """Somebody who bought."""
    return {
        "id": new_id("cus_", 14),
        "object": "customer",
        "created": int(time.time()),
        "email": email,
        "livemode": False,
        "metadata": {},
        "name": None,
    }


def refund(payment: Obj, amount: int, status: str, metadata: Obj) -> Obj:
    """Money on its way back."""
    return {
        "id": new_id("re_3"),
        "object": "refund",
        "amount": amount,
        "charge": payment["latest_charge"],
        "created": int(time.time()),
        "currency": payment["currency"],
        "destination_details": {"type": "card", "card": {"type": "refund"}},
        "metadata": metadata,
        "payment_intent": payment["id"],
        "reason": None,
        "receipt_number": None,
        "status": status,
    }


def dispute(payment: Obj, amount: int, reason: str) -> Obj:
    """A bank that wants money back."""
    return {
        "id": new_id("du_1"),
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": payment["latest_charge"],
        "created": int(time.time()),
        "currency": payment["currency"],
        "enhanced_eligibility_types": [],
        "evidence_details": {"due_by": int(time.time()) + 7 * 24 * 3600, "has_evidence": False, "past_due": False},
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": {},
        "payment_intent": payment["id"],
        "reason": reason,
        "status": "needs_response",
    }


def movement(dispute: Obj, amount: int) -> Obj:
    """What a dispute takes (below zero) or gives back."""
    fee = 1500 if amount < 0 else 0
    return {
        "id": new_id("txn_1"),
        "object": "balance_transaction",
        "amount": amount,
        "created": int(time.time()),
        "currency": dispute["currency"],
        "fee": fee,
        "net": amount - fee,
        "reporting_category": "dispute" if amount < 0 else "dispute_reversal",
        "source": dispute["id"],
        "type": "adjustment",
    }


def event(kind: str, about: Obj) -> Obj:
    """What is told of an object as it stands now."""
    return {
        "id": new_id("evt_1"),
        "object": "event",
        "api_version": API_VERSION,
        "created": int(time.time()),
        "data": {"object": about},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": kind,
        "_state": "waiting",
        "_tries": 0,
        "_answer": None,
    }
