"""Does it add up? A document whose figures do not is refused before a line of it is drawn.

The rule: arithmetic in whole numbers, rounded once, half-up, and net + VAT is gross to the last minor unit.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from talktime.documents.values import InvoiceDocument, InvoiceKind, InvoiceLine, ReceiptDocument, StatementDocument
from talktime.errors import TalktimeError

_WHOLE_BASIS_POINTS = 10_000


class DoesNotSum(TalktimeError):
    """The figures of this document do not add up, so it was not made: compare it with the ledger."""

    status = 500


@dataclass(frozen=True, slots=True)
class RateTotal:
    """What an invoice's lines at one rate come to."""

    vat_rate_basis_points: int
    net_minor: int
    vat_minor: int


def split_gross(gross_minor: int, rate_basis_points: int) -> tuple[int, int]:
    """A price with VAT, taken apart into (net, VAT).

    The VAT is rounded half-up, away from zero for what is taken back, so that a credit note mirrors its invoice.
    Raises ValueError for a rate below zero.
    """
    if rate_basis_points < 0:
        raise ValueError(f"a VAT rate is never below zero: {rate_basis_points} basis points")
    whole = _WHOLE_BASIS_POINTS + rate_basis_points
    vat = (2 * abs(gross_minor) * rate_basis_points + whole) // (2 * whole)
    vat = vat if gross_minor >= 0 else -vat
    return gross_minor - vat, vat


def line_of_gross(description: str, gross_minor: int, rate_basis_points: int, *, quantity: int = 1) -> InvoiceLine:
    """An invoice line from the price that was paid."""
    net, vat = split_gross(gross_minor, rate_basis_points)
    return InvoiceLine(description, quantity, net, rate_basis_points, vat, gross_minor)


def totals_per_rate(lines: Iterable[InvoiceLine]) -> tuple[RateTotal, ...]:
    """Net and VAT per rate, the highest rate first."""
    sums: dict[int, tuple[int, int]] = {}
    for line in lines:
        net, vat = sums.get(line.vat_rate_basis_points, (0, 0))
        sums[line.vat_rate_basis_points] = (net + line.net_minor, vat + line.vat_minor)
    return tuple(RateTotal(rate, *sums[rate]) for rate in sorted(sums, reverse=True))


def check_invoice(document: InvoiceDocument) -> None:
    """Raise DoesNotSum unless every line and the whole add up, and a credit note names its invoice."""
    for number, line in enumerate(document.lines, start=1):
        if line.net_minor + line.vat_minor != line.gross_minor:
            raise DoesNotSum(
                f"Line {number}: {line.net_minor} net and {line.vat_minor} VAT are not {line.gross_minor} gross."
            )
        if line.vat_minor and line.vat_rate_basis_points <= 0:
            raise DoesNotSum(f"Line {number}: {line.vat_minor} VAT at a rate of {line.vat_rate_basis_points}.")
    total = sum(line.gross_minor for line in document.lines)
    if total != document.gross_minor:
        raise DoesNotSum(f"The lines come to {total} gross, the document says {document.gross_minor}.")
    if (document.kind == InvoiceKind.CREDIT_NOTE) != bool(document.refers_to):
        raise DoesNotSum("A credit note names the invoice that it corrects, and an invoice names none.")


def check_sums(statement: StatementDocument) -> None:
    """Raise DoesNotSum unless opening + Σ = closing, and every balance follows from the one before it."""
    balance = statement.opening_balance
    seq: int | None = None
    for line in statement.lines:
        if seq is not None and line.seq != seq + 1:
            raise DoesNotSum(f"Line {line.seq} follows line {seq}: one is missing, or stands there twice.")
        balance += line.amount
        seq = line.seq
        if line.balance_after != balance:
            raise DoesNotSum(f"Line {seq}: the balance should be {balance}, and is {line.balance_after}.")
    if balance != statement.closing_balance:
        raise DoesNotSum(f"The lines lead to {balance}, the document says {statement.closing_balance}.")


def check_receipt(receipt: ReceiptDocument) -> None:
    """Raise DoesNotSum unless the billable seconds follow from the rule, and the ledger lines make the charge."""
    expected = billable_seconds(receipt)
    if receipt.billable_seconds != expected:
        raise DoesNotSum(f"By its rule this call has {expected} billable seconds, not {receipt.billable_seconds}.")
    posted = -sum(line.amount for line in receipt.lines)
    if posted != receipt.charged:
        raise DoesNotSum(f"The ledger lines come to {posted} credits, the receipt says {receipt.charged}.")


def billable_seconds(receipt: ReceiptDocument) -> int:
    """The seconds that the printed rule leads to; 0 when the call is free."""
    if receipt.not_charged_reason or receipt.seconds <= 0 or receipt.seconds < receipt.free_seconds:
        return 0
    return receipt.initial_seconds + receipt.increment_seconds * increments(receipt)


def increments(receipt: ReceiptDocument) -> int:
    """How many steps beyond the first were begun."""
    return max(0, -(-(receipt.seconds - receipt.initial_seconds) // receipt.increment_seconds))
