"""What the pages show of a receipt, as plain values: every figure a customer needs to do the sum again.

The rule: the sum that is written here is the one that the books say; why a call costs nothing is said in the same words
as on paper (`documents.words`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from talktime.calls.history import CallRecord
from talktime.calls.receipt import Receipt, ReceiptLine
from talktime.calls.routing import Route
from talktime.credits.models import ChargeClaim, ClaimState, NotCharged
from talktime.documents.words import Words, words_of
from talktime.web import local, words
from talktime.web.language import _
from talktime.web.words import Clock


@dataclass(frozen=True, slots=True)
class LineView:
    """One line of the ledger that a call made."""

    label: str
    credits: str
    balance: str
    """Before and after."""
    seq: str
    address: str
    """Where the line stands among the others."""


@dataclass(frozen=True, slots=True)
class ReceiptView:
    """How a call's charge was arrived at."""

    tag: str
    tone: words.Tone
    facts: Sequence[tuple[str, str]]
    rule: str
    """How time becomes credits."""
    sum: str
    """The sum itself."""
    lines: Sequence[LineView]
    total: str
    notes: Sequence[str]
    is_final: bool = False


@dataclass(frozen=True, slots=True)
class ClaimView:
    """Whether a customer may say that a call was not a real one, or what became of their saying so."""

    choices: Sequence[tuple[str, str]]
    """Value and words; none when nothing is to be said."""
    sentence: str
    tone: words.Tone


def claim_reasons() -> dict[NotCharged, str]:
    """What a customer may say of a call that was not a real one."""
    return {
        NotCharged.SPAM: _("Spam, or somebody selling something"),
        NotCharged.WRONG_NUMBER: _("A wrong number"),
        NotCharged.NOT_A_CALL: _("Nobody was there: silence, a fax, a pocket"),
    }


def claim_view(record: CallRecord, claim: ChargeClaim | None) -> ClaimView:
    """What stands below a call's receipt."""
    if claim is not None:
        said = _("You said: “{reason}”.").format(reason=claim_reasons()[NotCharged(claim.reason)])
        if claim.state == ClaimState.GRANTED:
            given = _("What it had cost is back in your balance: {credits}.")
            return ClaimView((), f"{said} {given.format(credits=words.credits_in_words(claim.credits))}", "ok")
        if claim.state == ClaimState.REFUSED:
            return ClaimView((), f"{said} {_('Somebody looked at it, and the charge stays.')}", "")
        return ClaimView((), f"{said} {_('Somebody looks at it; you are told by mail.')}", "warn")
    if record.receipt is not None and record.receipt.can_be_claimed:
        return ClaimView([(reason.value, said) for reason, said in claim_reasons().items()], "", "")
    return ClaimView((), "", "")


def receipt_view(record: CallRecord, clock: Clock) -> ReceiptView:
    """A call's receipt as the pages show it, whether it is settled, still open, or there never was one."""
    receipt = record.receipt
    if receipt is None:
        note = _("Not charged: the agent did not answer.")
        return ReceiptView(_("not charged"), "", (), "", "", (), words.credits_in_words(0), [note])
    if not receipt.is_final:
        return _open_receipt(receipt)
    return ReceiptView(
        tag=_("settled") if receipt.charged else _("not charged"),
        tone="ok" if receipt.charged else "",
        facts=_facts(record, receipt, clock),
        rule=_rule(receipt) if receipt.billable_seconds else "",
        sum=_sum(receipt) if receipt.billable_seconds else "",
        lines=[_line(line, clock) for line in receipt.lines],
        total=words.credits_in_words(receipt.charged),
        notes=_notes(receipt),
        is_final=True,
    )


def _open_receipt(receipt: Receipt) -> ReceiptView:
    rate = _("{credits} a minute").format(credits=words.credits_in_words(receipt.rate.credits_per_minute))
    return ReceiptView(
        tag=_("held"),
        tone="live",
        facts=[(_("Price"), rate), (_("Held for this call"), words.credits_in_words(receipt.held))],
        rule=_("What the call does not use is free again the moment it ends."),
        sum="",
        lines=(),
        total="",
        notes=(),
    )


def _facts(record: CallRecord, receipt: Receipt, clock: Clock) -> list[tuple[str, str]]:
    call = record.call
    facts = []
    if call.answered_at is not None:
        facts.append((_("Answered at"), f"{clock.local(call.answered_at):%H:%M:%S}"))
    if call.ended_at is not None:
        facts.append((_("Ended at"), f"{clock.local(call.ended_at):%H:%M:%S}"))
    if call.answered_at is not None:
        theirs = _("By the phone company’s clock")
        is_theirs = receipt.parent_id is not None
        whose = _("Talk time, by the phone company’s clock") if is_theirs else _("Talk time, by our clock")
        facts.append((whose, words.length_in_words(receipt.seconds)))
        if receipt.carrier_seconds is not None and receipt.is_comparable:
            facts.append((theirs, words.length_in_words(receipt.carrier_seconds)))
    return facts


def _rule(receipt: Receipt) -> str:
    """`95 s, billed as 120 s: the first 60 s, then steps of 60 s.`"""
    rate = receipt.rate
    said = (
        _("{counted} s, billed as {billed} s: the first {first} s, then steps of {step} s.")
        if receipt.counted_seconds == receipt.seconds
        else _(
            "{counted} s by the phone company’s clock ({seconds} s by ours), billed as {billed} s: the first {first} s,"
            " then steps of {step} s."
        )
    )
    return said.format(
        counted=local.figure(receipt.counted_seconds),
        seconds=local.figure(receipt.seconds),
        billed=local.figure(receipt.billable_seconds),
        first=rate.initial_seconds,
        step=rate.increment_seconds,
    )


def _sum(receipt: Receipt) -> str:
    """`120 / 60 × 15 = 30 credits`, as one types it into a calculator."""
    rate = receipt.rate
    fee = f"{local.figure(rate.connection_fee)} + " if rate.connection_fee else ""
    factors = f"{fee}{local.figure(receipt.billable_seconds)} / 60 × {local.figure(rate.credits_per_minute)}"
    total = words.credits_in_words(receipt.rated)
    is_exact = rate.credits_per_minute * receipt.billable_seconds % 60 == 0
    return f"{factors} = {total}" if is_exact else _("{sum}, rounded up, = {total}").format(sum=factors, total=total)


def _line(line: ReceiptLine, clock: Clock) -> LineView:
    before = words.figure(line.balance_after - line.amount)
    return LineView(
        label=_label(line),
        credits=words.signed(line.amount),
        balance=_("Balance {before} → {after}").format(before=before, after=words.figure(line.balance_after)),
        seq=_("line {number}").format(number=local.figure(line.seq)),
        address=_address(line.seq, clock.local(line.created_at)),
    )


def _label(line: ReceiptLine) -> str:
    if line.type == "ADMIN_ADJUSTMENT":
        return _("Given back") if (line.reason or "").startswith("not charged") else _("Correction")
    known = {"CALL_USAGE": _("From your credits"), "GRACE_USAGE": _("On grace")}
    return known.get(line.type) or _paper().kind_of(line.type)


def _address(seq: int, at: datetime) -> str:
    return f"/statements/{at:%Y-%m}?line={seq}#line-{seq}"


def _notes(receipt: Receipt) -> list[str]:
    reason = receipt.not_charged_reason
    notes = []
    if reason:
        notes.append(_not_charged(reason, is_leg=receipt.parent_id is not None))
    elif not receipt.charged and 0 < receipt.seconds < receipt.rate.free_seconds:
        free = words.length_in_words(receipt.rate.free_seconds)
        notes.append(_("Not charged: a call shorter than {length} is free.").format(length=free))
    elif not receipt.charged:
        notes.append(_("Not charged."))
    if any(line.type == "GRACE_USAGE" for line in receipt.lines):
        notes.append(_("On grace means below zero, so that a call is not cut short; your next purchase pays it back."))
    if receipt.legs:
        notes.append(
            _("The agent’s part ends where the caller was put through. That is a call of its own, with its receipt.")
        )
    if receipt.parent_id is not None and receipt.charged:
        notes.append(_("Time and charge of a call that was put through go by the phone company’s clock."))
    if receipt.counted_seconds != receipt.seconds and not reason:
        notes.append(_("The phone company measured another length than we did; theirs is what counts."))
    if receipt.final_reason is not None and receipt.final_reason in _paper().endings:
        why = _paper().ending_of(receipt.final_reason)
        notes.append(_("It got no more time: {reason}.").format(reason=why))
    if receipt.unbilled:
        more = words.credits_in_words(receipt.unbilled)
        notes.append(_("{credits} more than was held: you do not pay them.").format(credits=more))
    return notes


def _not_charged(reason: str, *, is_leg: bool) -> str:
    """Why a call costs nothing, or a leg to a person."""
    if is_leg and reason in set(Route):
        return _("Not charged: nobody was rung.")
    if reason == "not answered yet":
        return _("Not charged yet: the phone is still ringing.")
    paper = _paper()
    return paper.not_charged.format(reason=paper.reason_of(reason))


def _paper() -> Words:
    """How the same is said on paper, in the reader's language."""
    return words_of("de" if local.language() == "de" else "en")
