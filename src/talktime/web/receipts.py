"""What the pages show of a receipt, as plain values: every figure a customer needs to do the sum again."""

from collections.abc import Sequence
from dataclasses import dataclass

from talktime.calls.history import CallRecord
from talktime.calls.receipt import Receipt, ReceiptLine
from talktime.credits.models import ChargeClaim, ClaimState, NotCharged
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
    is_final: bool = False


CLAIM_REASONS = {
    NotCharged.SPAM: "Spam, or somebody selling something",
    NotCharged.WRONG_NUMBER: "A wrong number",
    NotCharged.NOT_A_CALL: "Nobody was there: silence, a fax, a pocket",
}
"""What a customer may say of a call that was not a real one."""


@dataclass(frozen=True, slots=True)
class ClaimView:
    """Whether a customer may say that a call was not a real one, or what became of their saying so."""

    choices: Sequence[tuple[str, str]]
    """Value and words; none when nothing is to be said."""
    sentence: str
    tone: words.Tone


def claim_view(record: CallRecord, claim: ChargeClaim | None) -> ClaimView:
    """What stands below a call's receipt."""
    if claim is not None:
        said = f"You said: {CLAIM_REASONS[NotCharged(claim.reason)].lower()}."
        given = words.credits_in_words(claim.credits)
        if claim.state == ClaimState.GRANTED:
            return ClaimView((), f"{said} The {given} it had cost are back in your balance.", "ok")
        if claim.state == ClaimState.REFUSED:
            return ClaimView((), f"{said} Somebody looked at it, and the charge stays.", "")
        return ClaimView((), f"{said} Somebody looks at it; you are told by mail.", "warn")
    if record.receipt is not None and record.receipt.can_be_claimed:
        return ClaimView([(reason.value, said) for reason, said in CLAIM_REASONS.items()], "", "")
    return ClaimView((), "", "")


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
        rule=receipt.rule.replace("the carrier's clock", "the phone company's clock")
        if receipt.billable_seconds
        else "",
        lines=[_receipt_line(line) for line in receipt.lines],
        total=words.credits_in_words(receipt.charged),
        notes=_receipt_notes(receipt),
        is_final=True,
    )


def _receipt_facts(record: CallRecord, receipt: Receipt, clock: Clock) -> list[tuple[str, str]]:
    call = record.call
    facts = []
    if call.answered_at is not None:
        facts.append(("Answered", f"{clock.local(call.answered_at):%H:%M:%S}"))
    if call.ended_at is not None:
        facts.append(("Ended", f"{clock.local(call.ended_at):%H:%M:%S}"))
    if call.answered_at is not None:
        whose = "the phone company's" if receipt.parent_id is not None else "our"
        facts.append((f"Talk time, by {whose} clock", words.length_in_words(receipt.seconds)))
        if receipt.carrier_seconds is not None and receipt.is_comparable:
            facts.append(("By the phone company's clock", words.length_in_words(receipt.carrier_seconds)))
    return facts


def _receipt_line(line: ReceiptLine) -> tuple[str, str, str]:
    known = {"CALL_USAGE": "From your credits", "GRACE_USAGE": "On grace", "ADMIN_ADJUSTMENT": "Correction"}
    label = known.get(line.type, line.type.capitalize().replace("_", " "))
    if line.type == "ADMIN_ADJUSTMENT" and (line.reason or "").startswith("not charged"):
        label = "Given back"
    before = words.figure(line.balance_after - line.amount)
    return label, words.signed(line.amount), f"Balance {before} → {words.figure(line.balance_after)}"


def _receipt_notes(receipt: Receipt) -> list[str]:
    notes = []
    if receipt.not_charged_reason:
        notes.append(words.not_charged(receipt.not_charged_reason, is_leg=receipt.parent_id is not None))
    elif not receipt.charged and 0 < receipt.seconds < receipt.rate.free_seconds:
        notes.append(f"Not charged: a call shorter than {words.length_in_words(receipt.rate.free_seconds)} is free.")
    elif not receipt.charged:
        notes.append("Not charged.")
    if any(line.type == "GRACE_USAGE" for line in receipt.lines):
        notes.append("On grace means below zero, so that a call is not cut short; your next purchase pays it back.")
    if receipt.legs:
        notes.append(
            "The agent's part ends where the caller was put through. That is a call of its own, with its receipt."
        )
    if receipt.parent_id is not None and receipt.charged:
        notes.append("Time and charge of a call that was put through go by the phone company's clock.")
    if receipt.counted_seconds != receipt.seconds and not receipt.not_charged_reason:
        notes.append("The phone company measured another length than we did; theirs is what counts.")
    if receipt.final_reason and (note := words.no_more_time(receipt.final_reason)):
        notes.append(note)
    if receipt.unbilled:
        notes.append(f"{words.credits_in_words(receipt.unbilled)} more than was held: you do not pay them.")
    return notes
