"""How a call's charge was arrived at, line by line, so that a person can redo the sum by hand."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from talktime.calls.models import Call
from talktime.credits.models import CreditHold, CreditTransaction, HoldState
from talktime.credits.pricing import Rate


@dataclass(frozen=True, slots=True)
class ReceiptLine:
    """One line of the ledger that this call made."""

    seq: int
    type: str
    amount: int
    balance_after: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Receipt:
    """The charge of one call."""

    seconds: int
    carrier_seconds: int | None
    billable_seconds: int
    rate: Rate
    rated: int
    """What so many seconds cost at this rate, in credits."""
    charged: int
    """What was taken: the sum of the lines, positive."""
    unbilled: int
    not_charged_reason: str | None
    is_final: bool
    held: int
    """What is set aside while the call runs."""
    rule: str
    """The sum in words."""
    lines: Sequence[ReceiptLine]


def receipt_of(call: Call, hold: CreditHold, lines: Sequence[CreditTransaction]) -> Receipt:
    """Put a call's receipt together from what the books say."""
    rate = Rate(
        credits_per_minute=hold.credits_per_minute,
        connection_fee=hold.connection_fee,
        initial_seconds=hold.initial_seconds,
        increment_seconds=hold.increment_seconds,
        free_seconds=hold.free_seconds,
    )
    was_answered = hold.lease_owner is not None
    seconds = hold.settled_seconds if hold.settled_seconds is not None else hold.used_seconds
    seconds = seconds if was_answered else 0
    reason = hold.not_charged_reason
    billable = 0 if reason else rate.billable_seconds(seconds)
    rated = 0 if reason else rate.cost(seconds)
    return Receipt(
        seconds=seconds,
        carrier_seconds=call.carrier_seconds,
        billable_seconds=billable,
        rate=rate,
        rated=rated,
        charged=hold.charged + hold.corrected,
        unbilled=hold.unbilled,
        not_charged_reason=reason or (None if was_answered else _why_not(hold)),
        is_final=hold.settled_at is not None,
        held=hold.held,
        rule=_rule(rate, seconds, billable, rated),
        lines=tuple(
            ReceiptLine(line.seq, line.type.value, line.amount, line.balance_after, line.created_at) for line in lines
        ),
    )


def _why_not(hold: CreditHold) -> str:
    return hold.denied_reason or ("never answered" if hold.state == HoldState.RELEASED else "not answered yet")


def _rule(rate: Rate, seconds: int, billable: int, rated: int) -> str:
    """`95 s, billed as 120 s (first 60 s, then steps of 60 s) at 15 credits a minute = 30 credits`."""
    if not billable:
        return f"{seconds} s, not charged"
    fee = f"{rate.connection_fee} + " if rate.connection_fee else ""
    return (
        f"{seconds} s, billed as {billable} s"
        f" (first {rate.initial_seconds} s, then steps of {rate.increment_seconds} s)"
        f" at {rate.credits_per_minute} credits a minute:"
        f" {fee}{billable} / 60 × {rate.credits_per_minute} = {rated} credits"
    )
