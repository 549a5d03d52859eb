"""What Stripe's events say to us, in the forms its documentation shows; and what hostile ones do not."""

import json
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talktime.gateways.contract import BadMessage, NoticeKind, RefundStatus
from talktime.gateways.stripe_notices import of_dispute, of_payment, of_refund, of_session, read_event

K = NoticeKind
PURCHASE, USER = uuid.UUID(int=1), uuid.UUID(int=2)
METADATA = {"purchase_id": str(PURCHASE), "user_id": str(USER)}
SESSION: dict[str, Any] = {
    "id": "cs_test_1", "object": "checkout.session", "mode": "payment", "amount_total": 2000, "currency": "eur",
    "client_reference_id": str(PURCHASE), "metadata": METADATA, "payment_intent": "pi_1", "payment_status": "paid",
    "status": "complete", "customer": None, "created": 1700000000, "livemode": False,
}  # fmt: skip
PAYMENT: dict[str, Any] = {
    "id": "pi_1", "object": "payment_intent", "amount": 2000, "amount_received": 2000, "currency": "eur",
    "metadata": {**METADATA, "talktime": "saved_card"}, "status": "succeeded", "customer": "cus_1",
    "created": 1700000000,
}  # fmt: skip
REFUND: dict[str, Any] = {
    "id": "re_1", "object": "refund", "amount": 500, "currency": "eur", "payment_intent": "pi_1", "status": "succeeded",
    "metadata": {}, "created": 1700000000,
}  # fmt: skip
DISPUTE: dict[str, Any] = {
    "id": "du_1", "object": "dispute", "amount": 2000, "currency": "eur", "payment_intent": "pi_1", "status": "lost",
    "reason": "fraudulent", "metadata": {}, "created": 1700000000, "balance_transactions": [],
}  # fmt: skip


def event(kind: str, obj: Any, **more: Any) -> bytes:
    said = {"id": "evt_1", "object": "event", "type": kind, "created": 1700000000, "livemode": False}
    return json.dumps({**said, "data": {"object": obj}, **more}).encode()


@pytest.mark.parametrize(
    ("kind", "obj", "expected"),
    [
        ("checkout.session.completed", SESSION, K.PAID),
        ("checkout.session.completed", {**SESSION, "payment_status": "unpaid"}, K.COMPLETED_UNPAID),
        ("checkout.session.completed", {**SESSION, "payment_status": "no_payment_required"}, K.COMPLETED_UNPAID),
        ("checkout.session.completed", {**SESSION, "payment_status": None}, K.COMPLETED_UNPAID),
        ("checkout.session.completed", {**SESSION, "mode": "subscription"}, K.OTHER),
        ("checkout.session.completed", {**SESSION, "mode": "setup"}, K.OTHER),
        ("checkout.session.async_payment_succeeded", SESSION, K.PAID),
        ("checkout.session.async_payment_failed", {**SESSION, "payment_status": "unpaid"}, K.PAYMENT_FAILED),
        ("checkout.session.expired", {**SESSION, "status": "expired"}, K.EXPIRED),
        ("payment_intent.succeeded", PAYMENT, K.CHARGE_PAID),
        ("payment_intent.succeeded", {**PAYMENT, "metadata": METADATA}, K.OTHER),
        ("payment_intent.payment_failed", PAYMENT, K.CHARGE_FAILED),
        ("payment_intent.payment_failed", {**PAYMENT, "metadata": {}}, K.OTHER),
        ("payment_intent.canceled", PAYMENT, K.CHARGE_FAILED),
        ("payment_intent.processing", PAYMENT, K.OTHER),
        ("refund.created", REFUND, K.REFUND),
        ("refund.updated", REFUND, K.REFUND),
        ("refund.failed", {**REFUND, "status": "failed"}, K.REFUND),
        ("charge.refund.updated", REFUND, K.REFUND),
        ("charge.refunded", {"id": "ch_1", "object": "charge", "amount": 2000, "payment_intent": "pi_1"}, K.HINT),
        ("charge.dispute.created", DISPUTE, K.DISPUTE_OPENED),
        ("charge.dispute.closed", DISPUTE, K.DISPUTE_CLOSED),
        ("charge.dispute.funds_withdrawn", DISPUTE, K.DISPUTE_WITHDRAWN),
        ("charge.dispute.funds_reinstated", DISPUTE, K.DISPUTE_REINSTATED),
        ("charge.dispute.updated", DISPUTE, K.OTHER),
        ("customer.created", {"id": "cus_1", "object": "customer"}, K.OTHER),
        ("something.new", {}, K.OTHER),
    ],
)
def test_each_event_is_what_it_says(kind: str, obj: dict[str, Any], expected: NoticeKind) -> None:
    notice = read_event(event(kind, obj))
    assert notice.kind is expected
    assert (notice.event_id, notice.type, notice.live) == ("evt_1", kind, False)
    assert notice.created_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


def test_everything_that_is_needed_is_read() -> None:
    notice = read_event(event("checkout.session.completed", {**SESSION, "customer": "cus_1"}, livemode=True))
    assert (notice.live, notice.checkout_id, notice.payment_id, notice.customer_id) == (
        True,
        "cs_test_1",
        "pi_1",
        "cus_1",
    )
    assert (notice.purchase_id, notice.user_id) == (PURCHASE, USER)
    assert (notice.amount_minor, notice.currency) == (2000, "EUR")
    refund = read_event(event("refund.failed", {**REFUND, "status": "failed", "failure_reason": "expired_card"}))
    assert (refund.refund_status, refund.refund_id, refund.reason) == (RefundStatus.FAILED, "re_1", "expired_card")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("pending", RefundStatus.PENDING),
        ("requires_action", RefundStatus.PENDING),
        ("succeeded", RefundStatus.SUCCEEDED),
        ("failed", RefundStatus.FAILED),
        ("canceled", RefundStatus.CANCELED),
    ],
)
def test_a_refund_stands_as_it_says(status: str, expected: RefundStatus) -> None:
    assert read_event(event("refund.updated", {**REFUND, "status": status})).refund_status is expected
    assert of_refund({**REFUND, "status": status}, live=True).event_id == f"list:re_1:{status}"


def test_a_charge_is_paid_with_what_was_received_not_with_what_was_asked() -> None:
    notice = read_event(event("payment_intent.succeeded", {**PAYMENT, "amount_received": 100}))
    assert notice.amount_minor == 100


@pytest.mark.parametrize(
    ("reference", "metadata", "expected"),
    [
        (str(PURCHASE), METADATA, PURCHASE),
        (None, METADATA, PURCHASE),
        (str(PURCHASE), {}, PURCHASE),
        (str(PURCHASE), None, PURCHASE),
        (str(USER), METADATA, None),
        ("' OR 1=1 --", METADATA, None),
        (7, {"purchase_id": ["x"]}, None),
        (None, {"purchase_id": {"a": 1}}, None),
        (None, [], None),
    ],
)
def test_whose_purchase_it_is_must_not_contradict_itself(reference: Any, metadata: Any, expected: Any) -> None:
    obj = {**SESSION, "client_reference_id": reference, "metadata": metadata}
    assert read_event(event("checkout.session.completed", obj)).purchase_id == expected


def test_an_expanded_payment_is_the_same_payment() -> None:
    assert of_session({**SESSION, "payment_intent": PAYMENT}, live=False).payment_id == "pi_1"
    assert of_session({**SESSION, "payment_intent": None}, live=False).payment_id is None


def test_what_a_dispute_gave_back_counts_only_in_the_buyers_currency() -> None:
    def movements(*amounts: tuple[int, str]) -> dict[str, Any]:
        return {**DISPUTE, "balance_transactions": [{"amount": each, "currency": money} for each, money in amounts]}

    kind = "charge.dispute.funds_reinstated"
    assert read_event(event(kind, movements((-2000, "eur"), (700, "eur")))).amount_minor == 700
    assert read_event(event(kind, movements((-2200, "usd"), (2200, "usd")))).amount_minor == 2000
    assert read_event(event(kind, {**DISPUTE, "balance_transactions": "none"})).amount_minor == 2000
    kinds = [each.kind for each in of_dispute(movements((-2000, "eur")), live=False)]
    assert kinds == [K.DISPUTE_OPENED, K.DISPUTE_WITHDRAWN, K.DISPUTE_CLOSED]


@pytest.mark.parametrize(
    ("status", "won"), [("won", True), ("lost", False), ("warning_closed", True), ("under_review", None)]
)
def test_a_dispute_is_won_or_lost_only_when_it_is_decided(status: str, won: bool | None) -> None:
    assert read_event(event("charge.dispute.closed", {**DISPUTE, "status": status})).dispute_won is won


def test_a_payment_that_is_not_decided_is_not_listed() -> None:
    assert not list(of_payment({**PAYMENT, "status": "processing"}, live=False))
    assert not list(of_payment({**PAYMENT, "metadata": METADATA}, live=False))
    assert [each.kind for each in of_payment(PAYMENT, live=False)] == [K.CHARGE_PAID]


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b'"event"', b"{}", b"\xff", b"{" * 5000, b'{"object":"event"}',
        event("x", None), event("x", []), event("x", "cs_1"), event("", SESSION), event("X Y", SESSION),
        event("x", {}, id=None), event("x", {}, id=""), event("x", {}, id="evt 1"), event("x", {}, id="evt_\x00"),
        event("x", {}, id="e" * 256), event("x", {}, id=["evt_1"]), event("x", {}, type=1), event("x", {}, data=None),
        event("x", {}, livemode="true"), event("x", {}, livemode=None), event("x", {}, livemode=0),
        event("x", {}, created=None), event("x", {}, created=-1), event("x", {}, created=10**18),
        event("x", {}, created=True), event("x", {}, created=1.5), event("x", {}, object="v2.core.event"),
        event("refund.created", {**REFUND, "status": "gone"}), event("refund.created", {**REFUND, "id": 1}),
        event("charge.dispute.created", {**DISPUTE, "id": None}),
    ],
)  # fmt: skip
def test_what_is_no_event_is_refused(body: bytes) -> None:
    with pytest.raises(BadMessage):
        read_event(body)


@pytest.mark.parametrize("amount", ["2000", 2000.0, -2000, True, None, 10**15, [], {}])
def test_an_amount_of_a_wrong_form_matches_nothing(amount: Any) -> None:
    notice = read_event(event("checkout.session.completed", {**SESSION, "amount_total": amount}))
    assert notice.amount_minor is None


@pytest.mark.parametrize("currency", ["", "eu", "euro", "€", None, 1, "e\u0000r"])
def test_a_currency_of_a_wrong_form_matches_nothing(currency: Any) -> None:
    notice = read_event(event("checkout.session.completed", {**SESSION, "currency": currency}))
    assert (notice.amount_minor, notice.currency) == (None, "")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)
_NAMES = sorted({*SESSION, *PAYMENT, *REFUND, *DISPUTE, "last_payment_error", "failure_reason"})
_KINDS = [
    "checkout.session.completed", "payment_intent.payment_failed", "refund.updated", "charge.dispute.closed",
    "charge.dispute.funds_reinstated", "charge.refunded", "anything.else",
]  # fmt: skip


@given(st.sampled_from(_KINDS), st.sampled_from([SESSION, PAYMENT, REFUND, DISPUTE]), st.data())
def test_a_field_of_any_form_is_survived(kind: str, obj: dict[str, Any], data: st.DataObject) -> None:
    bent = {**obj, **data.draw(st.dictionaries(st.sampled_from(_NAMES), _JSON, max_size=4))}
    try:
        notice = read_event(event(kind, bent))
    except BadMessage:
        return
    assert notice.amount_minor is None or notice.amount_minor >= 0
    for text in (notice.checkout_id, notice.payment_id, notice.refund_id, notice.dispute_id, notice.reason):
        assert text is None or text.isascii()
