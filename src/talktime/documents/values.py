"""What the documents are made of: frozen values, put together by whoever knows the books.

The rule: amounts of money are whole minor units and credits are whole numbers; nothing here is ever a float. Figures
that can be worked out from others are not fields, so that they cannot disagree.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum


class InvoiceKind(StrEnum):
    """What a document asks of its reader."""

    INVOICE = "INVOICE"
    CREDIT_NOTE = "CREDIT_NOTE"
    """Takes back an invoice, or part of one. Its amounts are positive, and printed with a minus."""


@dataclass(frozen=True, slots=True)
class Seller:
    """The operator, as the law wants to see them on an invoice. What is empty is left out."""

    name: str
    address: tuple[str, ...]
    country: str
    """ISO 3166, two letters."""
    vat_id: str = ""
    tax_number: str = ""
    email: str = ""
    web: str = ""
    register: str = ""
    """`Amtsgericht Köln, HRB 12345`, and who may sign."""


@dataclass(frozen=True, slots=True)
class Buyer:
    """The customer."""

    name: str
    address: tuple[str, ...] = ()
    country: str = ""
    vat_id: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """One thing sold. The amounts are those of the whole line, not of one piece."""

    description: str
    quantity: int
    net_minor: int
    vat_rate_basis_points: int
    """1900 is 19 %."""
    vat_minor: int
    gross_minor: int


@dataclass(frozen=True, slots=True)
class InvoiceDocument:
    """An invoice, or the credit note that corrects one."""

    number: str
    kind: InvoiceKind
    issued_on: date
    delivered_on: date
    seller: Seller
    buyer: Buyer
    lines: tuple[InvoiceLine, ...]
    currency: str
    """ISO 4217, capitals."""
    decimals: int
    """How many digits of the currency stand behind the point: 2 for EUR, 0 for JPY, 3 for KWD."""
    gross_minor: int
    paid_on: date | None = None
    """When it was paid; on a credit note, when the money went back."""
    payment_reference: str = ""
    refers_to: str = ""
    """The number of the invoice that a credit note corrects."""
    note: str = ""
    """Why no VAT is charged, and the like; paragraphs are kept."""


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One line of the ledger."""

    seq: int
    at: datetime
    kind: str
    """The ledger's type: `PURCHASE`, `CALL_USAGE` …"""
    description: str
    amount: int
    balance_after: int


@dataclass(frozen=True, slots=True)
class StatementDocument:
    """One month of somebody's credits."""

    user_name: str
    month: date
    """Any day of it."""
    zone: str
    """Where the reader lives: `Europe/Berlin`. One that nobody knows is read as UTC, and the page says so."""
    opening_balance: int
    lines: tuple[StatementLine, ...]
    closing_balance: int

    @property
    def totals(self) -> Mapping[str, int]:
        """Credits per kind, in the order in which the kinds first occur."""
        totals: dict[str, int] = {}
        for line in self.lines:
            totals[line.kind] = totals.get(line.kind, 0) + line.amount
        return totals


@dataclass(frozen=True, slots=True)
class ReceiptLine:
    """One line of the ledger that a call made."""

    seq: int
    at: datetime
    kind: str
    amount: int
    balance_after: int
    reason: str = ""
    """Why, where somebody or something had to say so: a correction, a call that is not charged."""


@dataclass(frozen=True, slots=True)
class ReceiptDocument:
    """How one call's charge was arrived at."""

    business_name: str
    reference: str
    """Names the call."""
    zone: str
    began_at: datetime
    answered_at: datetime | None
    ended_at: datetime
    seconds: int
    """Talk, by our clock, rounded up."""
    carrier_seconds: int | None
    billable_seconds: int
    credits_per_minute: int
    connection_fee: int
    initial_seconds: int
    increment_seconds: int
    free_seconds: int
    charged: int
    """What was taken: the ledger lines' sum, positive."""
    unbilled: int
    """What the call cost beyond what was set aside for it: the customer does not pay that."""
    not_charged_reason: str
    """Empty, or why the call costs nothing: `platform_fault`, `no_credit` …"""
    lines: tuple[ReceiptLine, ...]
    final_reason: str = ""
    """Empty, or why the call got no more time: `no_credit`, `debt`, `blocked`, or a spend guard's name."""

    @property
    def rated(self) -> int:
        """What the billable seconds cost: fee + ceil(rate × billable / 60), in credits."""
        if not self.billable_seconds:
            return 0
        return self.connection_fee - (-self.credits_per_minute * self.billable_seconds // 60)

    @property
    def correction(self) -> int:
        """What the ledger took beyond the rated sum less the unbilled: a later correction; nearly always 0."""
        return self.charged + self.unbilled - self.rated
