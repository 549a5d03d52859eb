"""Lines of the ledger in words: what each was, what it was about, and where that is to be seen.

The rule: nothing here reads the database; a line says what happened, never more than its owner may see.
"""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from talktime.calls.named import NamedCall
from talktime.credits.models import TransactionType
from talktime.credits.statement_pages import description_of
from talktime.credits.statements import StatementLine
from talktime.web import local, words
from talktime.web.credits import said
from talktime.web.language import _
from talktime.web.words import Clock

_NO_CALL: Mapping[uuid.UUID, NamedCall] = {}
_MEASURED = re.compile(r"the carrier measured ([0-9]+) s, we ([0-9]+) s", re.ASCII)
_RENT = re.compile(r"rent:[0-9a-f-]{36}:(20[0-9]{2})-(0[1-9]|1[0-2])", re.ASCII)


@dataclass(frozen=True, slots=True)
class LineView:
    """One line."""

    seq: int
    number: str
    iso: str
    when: str
    kind: str
    about: str
    call: str
    """The id of its call; "" where there is none."""
    invoice: str
    invoice_number: str
    amount: str
    is_gain: bool
    balance: str


def kinds() -> dict[TransactionType, str]:
    """What each type of line is called."""
    return {
        TransactionType.PURCHASE: _("Bought"),
        TransactionType.CALL_USAGE: _("Call"),
        TransactionType.GRACE_USAGE: _("Call, on grace"),
        TransactionType.ADMIN_ADJUSTMENT: _("Adjustment"),
        TransactionType.REFUND: _("Refund"),
        TransactionType.DISPUTE: _("Payment dispute"),
    }


def line_view(line: StatementLine, clock: Clock, calls: Mapping[uuid.UUID, NamedCall] = _NO_CALL) -> LineView:
    """A line as the pages show it; of a call that is among `calls` it says which one it was."""
    at = clock.local(line.at)
    return LineView(
        seq=line.seq,
        number=local.figure(line.seq),
        iso=at.isoformat(timespec="seconds"),
        when=f"{local.short_day(at.date())} {at:%H:%M}",
        kind=_kind(line),
        about=_about(line, calls.get(line.call_id) if line.call_id else None),
        call=str(line.call_id or ""),
        invoice=str(line.invoice_id or ""),
        invoice_number=line.invoice_number or "",
        amount=said.signed(line.amount),
        is_gain=line.amount > 0,
        balance=local.figure(line.balance_after),
    )


def _kind(line: StatementLine) -> str:
    if line.type is TransactionType.ADMIN_ADJUSTMENT and line.call_id is not None:
        return _("Call, corrected")
    if line.type is TransactionType.ADMIN_ADJUSTMENT and _RENT.fullmatch(line.reference or ""):
        return _("Rent of a number")
    return kinds()[line.type]


def _about(line: StatementLine, call: NamedCall | None) -> str:
    """What a line was for, without what is a link beside it: an invoice."""
    why = _reason(line)
    if call is not None:
        took = f", {words.length_in_words(call.seconds)}" if call.seconds and not why else ""
        return f"{said.caller_of(call)}{took}" + (f"; {why}" if why else "")
    if why:
        return why
    if line.invoice_number:
        return line.purchase_name or ""
    return description_of(line) if line.reference or line.purchase_id else ""


def _reason(line: StatementLine) -> str:
    """Why somebody or something posted it: our own reasons in the reader's language, what a person typed as it is."""
    reason = line.reason or ""
    if line.call_id is not None:
        measured = _MEASURED.fullmatch(reason)
        if measured:
            return _("the phone company measured {theirs} s, we {ours} s").format(theirs=measured[1], ours=measured[2])
        return _not_charged().get(reason, reason.replace("_", " "))
    rent = _RENT.fullmatch(line.reference or "")
    return said.month_of(date(int(rent[1]), int(rent[2]), 1)) if rent else reason


def _not_charged() -> dict[str, str]:
    return {
        "not charged: platform_fault": _("not charged: the fault was ours"),
        "not charged: wrong_number": _("not charged: wrong number"),
        "not charged: spam": _("not charged: spam"),
        "not charged: not_a_call": _("not charged: nobody was there"),
    }
