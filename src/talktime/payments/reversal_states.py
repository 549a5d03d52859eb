"""How far a refund or a dispute came, and what it has taken out, whatever payment it is of.

The rule: a state gives way to a higher one only, and sums to larger ones, so that any order of the same words, and any
number of times, ends the same.
"""

from talktime.gateways.contract import Notice, NoticeKind, RefundStatus
from talktime.payments.models import PaymentReversal, ReversalKind, ReversalState
from talktime.payments.ungranted_models import UngrantedReversal

AnyReversal = PaymentReversal | UngrantedReversal

_NEVER_LEFT = frozenset({ReversalState.FAILED, ReversalState.CANCELED})
_RANKS = {
    ReversalState.PENDING: 0,
    ReversalState.OPENED: 0,
    ReversalState.SUCCEEDED: 1,
    ReversalState.WITHDRAWN: 1,
    ReversalState.REINSTATED: 2,
    ReversalState.FAILED: 3,
    ReversalState.CANCELED: 3,
    ReversalState.WON: 3,
    ReversalState.LOST: 3,
}
"""A refund that failed did so after it seemed to succeed."""
_REFUNDS = {
    RefundStatus.PENDING: ReversalState.PENDING,
    RefundStatus.SUCCEEDED: ReversalState.SUCCEEDED,
    RefundStatus.FAILED: ReversalState.FAILED,
    RefundStatus.CANCELED: ReversalState.CANCELED,
}
_DISPUTES = {
    NoticeKind.DISPUTE_OPENED: ReversalState.OPENED,
    NoticeKind.DISPUTE_WITHDRAWN: ReversalState.WITHDRAWN,
    NoticeKind.DISPUTE_REINSTATED: ReversalState.REINSTATED,
}


def waits_for(payment_id: str) -> str:
    """What an event waits for that is about a payment we have not heard of yet."""
    return f"payment {payment_id}"


def kind_of(notice: Notice) -> ReversalKind:
    """Whether a notice is about a refund or a dispute."""
    return ReversalKind.REFUND if notice.kind is NoticeKind.REFUND else ReversalKind.DISPUTE


def name_of(notice: Notice) -> str:
    """The payment company's name of the refund or dispute."""
    name = notice.refund_id if notice.kind is NoticeKind.REFUND else notice.dispute_id
    assert name is not None, notice.kind
    return name


def first_state(kind: ReversalKind) -> ReversalState:
    """How one stands before its first word."""
    return ReversalState.PENDING if kind is ReversalKind.REFUND else ReversalState.OPENED


def money_out(reversal: AnyReversal) -> int:
    """What one refund or dispute has taken out of its payment, in minor units."""
    if reversal.kind is ReversalKind.REFUND:
        return 0 if reversal.state in _NEVER_LEFT else reversal.amount_minor
    return max(0, reversal.withdrawn_minor - reversal.reinstated_minor)


def advance(reversal: AnyReversal, notice: Notice) -> None:
    """Let a word change what is known, whether it comes early or late."""
    amount_minor = notice.amount_minor or 0
    if notice.kind is NoticeKind.REFUND:
        assert notice.refund_status is not None
        state = _REFUNDS[notice.refund_status]
    elif notice.kind is NoticeKind.DISPUTE_CLOSED:
        state = ReversalState.WON if notice.dispute_won else ReversalState.LOST
        if state is ReversalState.LOST:
            # Lost is gone, also where nobody told that it was taken.
            reversal.withdrawn_minor = max(reversal.withdrawn_minor, amount_minor)
    else:
        state = _DISPUTES[notice.kind]
        if state is ReversalState.WITHDRAWN:
            reversal.withdrawn_minor = max(reversal.withdrawn_minor, amount_minor)
        elif state is ReversalState.REINSTATED:
            reversal.reinstated_minor = max(reversal.reinstated_minor, amount_minor)
    if reversal.kind is ReversalKind.DISPUTE:
        # Of what comes back a part may be named; the dispute is about the most that anybody named.
        reversal.amount_minor = max(reversal.amount_minor, amount_minor)
    if _RANKS[state] > _RANKS[reversal.state]:
        reversal.state = state
    reversal.reason = reversal.reason or notice.reason


def carry(kept: UngrantedReversal, reversal: PaymentReversal) -> None:
    """Let what was kept of one while its payment granted nothing change what is known of it now."""
    assert kept.kind is reversal.kind, (kept.id, kept.kind, reversal.kind)
    reversal.amount_minor = max(reversal.amount_minor, kept.amount_minor)
    reversal.withdrawn_minor = max(reversal.withdrawn_minor, kept.withdrawn_minor)
    reversal.reinstated_minor = max(reversal.reinstated_minor, kept.reinstated_minor)
    if _RANKS[kept.state] > _RANKS[reversal.state]:
        reversal.state = kept.state
    reversal.reason = reversal.reason or kept.reason
