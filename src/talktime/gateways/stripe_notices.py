"""What Stripe's objects say, as notices: those in its events, and those its API lists.

The one rule: an object becomes PAID or CHARGE_PAID only when Stripe says that money came, and a field that is not of
the form it should have is missing, not guessed.
"""

import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from talktime.gateways.contract import BadMessage, Notice, NoticeKind, RefundStatus
from talktime.gateways.stripe_amounts import from_stripe

Json = Mapping[str, Any]

API_VERSION = "2026-10-28.endive"
"""Whose fields these files read. Webhook endpoints have a version of their own: it is to be set to this one."""

CHARGE_MARK = "saved_card"
"""Stands under `talktime` in the metadata of charges of a saved card. Payments on a page have their checkout's events.
"""

_ID = re.compile(r"[A-Za-z0-9_]{1,255}", re.ASCII)
_TYPE = re.compile(r"[a-z0-9_.]{1,100}", re.ASCII)
_CODE = re.compile(r"[a-z0-9_]{1,100}", re.ASCII)

_REFUNDS = {
    "pending": RefundStatus.PENDING,
    "requires_action": RefundStatus.PENDING,
    "succeeded": RefundStatus.SUCCEEDED,
    "failed": RefundStatus.FAILED,
    "canceled": RefundStatus.CANCELED,
}
_DISPUTES_DECIDED = {"won": True, "warning_closed": True, "prevented": True, "lost": False}
"""A warning that was closed, and a dispute that was prevented, cost nothing."""

_SESSIONS = {
    "checkout.session.async_payment_succeeded": NoticeKind.PAID,
    "checkout.session.async_payment_failed": NoticeKind.PAYMENT_FAILED,
    "checkout.session.expired": NoticeKind.EXPIRED,
}
_CHARGES = {
    "payment_intent.succeeded": NoticeKind.CHARGE_PAID,
    "payment_intent.payment_failed": NoticeKind.CHARGE_FAILED,
    "payment_intent.canceled": NoticeKind.CHARGE_FAILED,
}
_DISPUTES = {
    "charge.dispute.created": NoticeKind.DISPUTE_OPENED,
    "charge.dispute.closed": NoticeKind.DISPUTE_CLOSED,
    "charge.dispute.funds_withdrawn": NoticeKind.DISPUTE_WITHDRAWN,
    "charge.dispute.funds_reinstated": NoticeKind.DISPUTE_REINSTATED,
}
_REFUND_EVENTS = ("refund.created", "refund.updated", "refund.failed", "charge.refund.updated")


@dataclass(frozen=True, slots=True)
class _Envelope:
    """What is said of the telling, not of what is told."""

    event_id: str
    type: str
    live: bool
    created_at: datetime


def read_event(body: bytes) -> Notice:
    """The notice in the body of a webhook. Raises BadMessage for what is no event of Stripe's."""
    try:
        event = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadMessage("the body is no JSON") from error
    if not isinstance(event, dict) or event.get("object") != "event":
        raise BadMessage("the body is no event")
    data = event.get("data")
    obj = data.get("object") if isinstance(data, dict) else None
    if not isinstance(obj, dict):
        raise BadMessage("the event is about nothing")
    event_id, kind, live = event.get("id"), event.get("type"), event.get("livemode")
    if not isinstance(event_id, str) or not _ID.fullmatch(event_id):
        raise BadMessage("the event has no id of Stripe's form")
    if not isinstance(kind, str) or not _TYPE.fullmatch(kind) or not isinstance(live, bool):
        raise BadMessage("the event has no type, or does not say whether it is live")
    return _of_event(_Envelope(event_id, kind, live, _time(event.get("created"))), obj)


def of_session(session: Json, *, live: bool) -> Notice:
    """How a checkout stands that was asked for. Its payment should be expanded, or a failed one looks pending."""
    status, payment = session.get("status"), session.get("payment_intent")
    kind = NoticeKind.OPEN
    if session.get("mode") != "payment":
        kind = NoticeKind.OTHER
    elif status == "expired":
        kind = NoticeKind.EXPIRED
    elif status == "complete" and session.get("payment_status") == "paid":
        kind = NoticeKind.PAID
    elif status == "complete":
        is_lost = isinstance(payment, Mapping) and payment.get("status") in ("requires_payment_method", "canceled")
        kind = NoticeKind.PAYMENT_FAILED if is_lost else NoticeKind.COMPLETED_UNPAID
    return _session(_listed(session, kind.lower(), live), kind, session)


def of_payment(payment: Json, *, live: bool) -> Iterator[Notice]:
    """A charge of a saved card that is decided; nothing for other payments, which their checkouts tell of."""
    kinds = {
        "succeeded": NoticeKind.CHARGE_PAID,
        "requires_payment_method": NoticeKind.CHARGE_FAILED,
        "canceled": NoticeKind.CHARGE_FAILED,
    }
    kind = kinds.get(str(payment.get("status")))
    if kind is not None and _is_charge(payment):
        yield _payment(_listed(payment, kind.lower(), live), kind, payment)


def of_refund(refund: Json, *, live: bool) -> Notice:
    """A refund as it stands."""
    return _refund(_listed(refund, str(refund.get("status")), live), refund)


def of_dispute(dispute: Json, *, live: bool) -> Iterator[Notice]:
    """Everything that has happened in a dispute."""
    yield _dispute(_listed(dispute, "opened", live), NoticeKind.DISPUTE_OPENED, dispute)
    moved = [movement["amount"] for movement in _movements(dispute)]
    if any(amount < 0 for amount in moved):
        yield _dispute(_listed(dispute, "withdrawn", live), NoticeKind.DISPUTE_WITHDRAWN, dispute)
    if any(amount > 0 for amount in moved):
        yield _dispute(_listed(dispute, "reinstated", live), NoticeKind.DISPUTE_REINSTATED, dispute)
    if dispute.get("status") in _DISPUTES_DECIDED:
        yield _dispute(_listed(dispute, "closed", live), NoticeKind.DISPUTE_CLOSED, dispute)


def id_of(value: object) -> str | None:
    """The id of an object that Stripe names, or shows whole."""
    found = value.get("id") if isinstance(value, Mapping) else value
    return found if isinstance(found, str) and _ID.fullmatch(found) else None


def refund_status(refund: Json) -> RefundStatus | None:
    """None for a status that nobody has heard of."""
    return _REFUNDS.get(str(refund.get("status")))


def code_of(value: object) -> str:
    """A code of Stripe's as it is, "" for anything else: texts may name people."""
    return value if isinstance(value, str) and _CODE.fullmatch(value) else ""


def _of_event(envelope: _Envelope, obj: Json) -> Notice:
    kind = envelope.type
    if kind == "checkout.session.completed" and obj.get("mode") == "payment":
        is_paid = obj.get("payment_status") == "paid"
        return _session(envelope, NoticeKind.PAID if is_paid else NoticeKind.COMPLETED_UNPAID, obj)
    if kind in _SESSIONS and obj.get("mode") == "payment":
        return _session(envelope, _SESSIONS[kind], obj)
    if kind in _CHARGES and _is_charge(obj):
        return _payment(envelope, _CHARGES[kind], obj)
    if kind in _REFUND_EVENTS:
        return _refund(envelope, obj)
    if kind in _DISPUTES:
        return _dispute(envelope, _DISPUTES[kind], obj)
    if kind == "charge.refunded":
        return _make(envelope, NoticeKind.HINT, obj, payment_id=id_of(obj.get("payment_intent")))
    return _make(envelope, NoticeKind.OTHER, obj)


def _session(envelope: _Envelope, kind: NoticeKind, session: Json) -> Notice:
    payment = session.get("payment_intent")
    return _make(
        envelope,
        kind,
        session,
        amount=session.get("amount_total"),
        checkout_id=id_of(session),
        payment_id=id_of(payment),
        customer_id=id_of(session.get("customer")),
        reason=_failure(payment) if isinstance(payment, Mapping) else "",
    )


def _payment(envelope: _Envelope, kind: NoticeKind, payment: Json) -> Notice:
    is_paid = kind is NoticeKind.CHARGE_PAID
    return _make(
        envelope,
        kind,
        payment,
        amount=payment.get("amount_received") if is_paid else payment.get("amount"),
        payment_id=id_of(payment),
        customer_id=id_of(payment.get("customer")),
        reason="" if is_paid else _failure(payment),
    )


def _refund(envelope: _Envelope, refund: Json) -> Notice:
    status = refund_status(refund)
    if status is None or id_of(refund) is None:
        raise BadMessage("a refund has no id, or a status that Stripe does not name")
    return _make(
        envelope,
        NoticeKind.REFUND,
        refund,
        amount=refund.get("amount"),
        payment_id=id_of(refund.get("payment_intent")),
        refund_id=id_of(refund),
        refund_status=status,
        reason=code_of(refund.get("failure_reason")),
    )


def _dispute(envelope: _Envelope, kind: NoticeKind, dispute: Json) -> Notice:
    if id_of(dispute) is None:
        raise BadMessage("a dispute has no id")
    amount = dispute.get("amount")
    if kind is NoticeKind.DISPUTE_REINSTATED:
        # Less may come back than was taken. What moved is told in the currency of our bank account: it says more than
        # the dispute's own amount only where that is the buyer's currency, too.
        back = [
            movement["amount"]
            for movement in _movements(dispute)
            if movement.get("currency") == dispute.get("currency") and movement["amount"] > 0
        ]
        amount = sum(back) or amount
    return _make(
        envelope,
        kind,
        dispute,
        amount=amount,
        payment_id=id_of(dispute.get("payment_intent")),
        dispute_id=id_of(dispute),
        dispute_won=_DISPUTES_DECIDED.get(str(dispute.get("status"))),
        reason=code_of(dispute.get("reason")),
    )


def _make(envelope: _Envelope, kind: NoticeKind, obj: Json, *, amount: object = None, **fields: Any) -> Notice:
    currency = obj.get("currency")
    currency = currency.upper() if isinstance(currency, str) and re.fullmatch(r"[A-Za-z]{3}", currency) else ""
    return Notice(
        event_id=envelope.event_id,
        kind=kind,
        type=envelope.type,
        live=envelope.live,
        created_at=envelope.created_at,
        purchase_id=_named(obj, "purchase_id", obj.get("client_reference_id")),
        user_id=_named(obj, "user_id"),
        amount_minor=from_stripe(amount, currency),
        currency=currency,
        **fields,
    )


def _listed(obj: Json, state: str, live: bool) -> _Envelope:
    """For what was found, not told: an id that stays the same as long as the state does."""
    found = id_of(obj)
    if found is None:
        raise BadMessage("something in a list has no id of Stripe's form")
    return _Envelope(f"list:{found}:{state}", f"list.{obj.get('object')}", live, _time(obj.get("created")))


def _named(obj: Json, key: str, also: object = None) -> uuid.UUID | None:
    """An id of ours that stands in the metadata, and perhaps in a second place; None where the two differ."""
    metadata = obj.get("metadata")
    said = [metadata.get(key) if isinstance(metadata, Mapping) else None, also]
    found = set()
    for text in said:
        if isinstance(text, str):
            try:
                found.add(uuid.UUID(text))
            except ValueError:
                return None
    return found.pop() if len(found) == 1 else None


def _is_charge(payment: Json) -> bool:
    metadata = payment.get("metadata")
    return isinstance(metadata, Mapping) and metadata.get("talktime") == CHARGE_MARK


def _failure(payment: Json) -> str:
    error = payment.get("last_payment_error")
    if not isinstance(error, Mapping):
        return code_of(payment.get("cancellation_reason"))
    return code_of(error.get("decline_code")) or code_of(error.get("code"))


def _movements(dispute: Json) -> list[Json]:
    """What the dispute moved: taken below zero, given back above it."""
    found = dispute.get("balance_transactions")
    if not isinstance(found, list):
        return []
    return [each for each in found if isinstance(each, Mapping) and isinstance(each.get("amount"), int)]


def _time(epoch: object) -> datetime:
    if not isinstance(epoch, int) or isinstance(epoch, bool) or not 0 < epoch < 10**11:
        raise BadMessage("something has no time at which it was made")
    return datetime.fromtimestamp(epoch, UTC)
