"""What the pages show of a receipt, as plain values: every figure a customer needs to do the sum again."""

from collections.abc import Sequence
from dataclasses import dataclass

from talktime.calls.history import CallRecord
from talktime.calls.receipt import Receipt
from talktime.web import words
from talktime.web.words import Clock


@dataclass(frozen=True, slots=True)
class ReceiptView:
    """How a call's charge was arrived at."""

    tag: str
    tone: words.Tone
    facts: Sequence[tuple[str, str]]
    rule: str
    lines: Sequence[tuple[str, str, str]]
    """What for, credits, and the balance before and after."""
    total: str
    notes: Sequence[str]


def receipt_view(record: CallRecord, clock: Clock) -> ReceiptView:
    """A call's receipt as the pages show it, whether it is settled, still open, or there never was one."""
    receipt = record.receipt
    if receipt is None:
        return ReceiptView("not charged", "", (), "", (), "0 credits", ["Not charged: the agent did not answer."])
    if not receipt.is_final:
        rate = f"{words.credits_in_words(receipt.rate.credits_per_minute)} a minute"
        return ReceiptView(
            tag="held",
            tone="live",
            facts=[("Price", rate), ("Held for this call", words.credits_in_words(receipt.held))],
            rule="What the call does not use is free again the moment it ends.",
            lines=(),
            total="",
            notes=(),
        )
    return ReceiptView(
        tag="settled" if receipt.charged else "not charged",
        tone="ok" if receipt.charged else "",
        facts=_receipt_facts(record, receipt, clock),
        rule=receipt.rule if receipt.billable_seconds else "",
        lines=[_receipt_line(line.type, line.amount, line.balance_after) for line in receipt.lines],
        total=words.credits_in_words(receipt.charged),
        notes=_receipt_notes(receipt),
    )


def _receipt_facts(record: CallRecord, receipt: Receipt, clock: Clock) -> list[tuple[str, str]]:
    call = record.call
    facts = []
    if call.answered_at is not None:
        facts.append(("Answered", f"{clock.local(call.answered_at):%H:%M:%S}"))
    if call.ended_at is not None:
        facts.append(("Ended", f"{clock.local(call.ended_at):%H:%M:%S}"))
    if call.answered_at is not None:
        facts.append(("Talk time, by our clock", words.length_in_words(receipt.seconds)))
        if receipt.carrier_seconds is not None:
            facts.append(("By the phone company's clock", words.length_in_words(receipt.carrier_seconds)))
    return facts


def _receipt_line(kind: str, amount: int, balance_after: int) -> tuple[str, str, str]:
    known = {"CALL_USAGE": "From your credits", "GRACE_USAGE": "On grace", "ADMIN_ADJUSTMENT": "Correction"}
    label = known.get(kind, kind.capitalize().replace("_", " "))
    before = words.figure(balance_after - amount)
    return label, words.figure(amount), f"Balance {before} → {words.figure(balance_after)}"


def _receipt_notes(receipt: Receipt) -> list[str]:
    notes = []
    if receipt.not_charged_reason:
        notes.append(words.not_charged(receipt.not_charged_reason))
    elif not receipt.charged and 0 < receipt.seconds < receipt.rate.free_seconds:
        notes.append(f"Not charged: a call shorter than {words.length_in_words(receipt.rate.free_seconds)} is free.")
    elif not receipt.charged:
        notes.append("Not charged.")
    if any(line.type == "GRACE_USAGE" for line in receipt.lines):
        notes.append("On grace means below zero, so that a call is not cut short; your next purchase pays it back.")
    if receipt.unbilled:
        notes.append(f"{words.credits_in_words(receipt.unbilled)} more than was held: you do not pay them.")
    return notes
