"""Documents to begin with; a test replaces what it is about."""

from datetime import UTC, date, datetime, timedelta

from talktime.documents.sums import line_of_gross
from talktime.documents.values import (
    Buyer,
    InvoiceDocument,
    InvoiceKind,
    InvoiceLine,
    ReceiptDocument,
    ReceiptLine,
    Seller,
    StatementDocument,
    StatementLine,
)

SELLER = Seller(
    name="Beispiel Telefon GmbH",
    address=("Aachener Straße 12", "50674 Köln"),
    country="DE",
    vat_id="DE123456789",
    tax_number="215/5912/1234",
    email="rechnung@example.org",
    web="example.org",
    register="Amtsgericht Köln, HRB 12345",
)
BUYER = Buyer("Praxis Müller & Weiß", ("Große Straße 7", "1010 Wien"), "AT", "ATU12345678", "hanna@praxis.example")
DAY = date(2026, 11, 3)


def invoice(*lines: InvoiceLine, kind: InvoiceKind = InvoiceKind.INVOICE, refers_to: str = "") -> InvoiceDocument:
    """A paid invoice over some lines; one over 49.00 at 19 % when none are given."""
    lines = lines or (line_of_gross("5,000 credits", 4900, 1900),)
    return InvoiceDocument(
        number="2026-000123",
        kind=kind,
        issued_on=DAY,
        delivered_on=date(2026, 11, 2),
        seller=SELLER,
        buyer=BUYER,
        lines=lines,
        currency="EUR",
        decimals=2,
        gross_minor=sum(line.gross_minor for line in lines),
        paid_on=DAY,
        payment_reference="card ending 4242",
        refers_to=refers_to,
    )


def statement(count: int = 3, *, opening: int = 100) -> StatementDocument:
    """A purchase and then calls, one every eight minutes."""
    balance, lines = opening, []
    for index in range(count):
        kind, amount = ("PURCHASE", 5000) if index % 400 == 0 else ("CALL_USAGE", -(1 + index % 20))
        balance += amount
        at = datetime(2026, 11, 1, 12, tzinfo=UTC) + timedelta(minutes=8 * index)
        lines.append(StatementLine(7 + index, at, kind, f"Call {index} to Praxis Müller", amount, balance))
    return StatementDocument("Hanna Weiß", date(2026, 11, 1), "Europe/Berlin", opening, tuple(lines), balance)


def receipt() -> ReceiptDocument:
    """125 s at 15 a minute and a fee of 5, paid partly from below zero."""
    ended = datetime(2026, 11, 3, 13, 4, 16, tzinfo=UTC)
    return ReceiptDocument(
        business_name="Praxis Müller",
        reference="0192f5c8-7d4e-7c11-b0a9-2f9d8a1c5e77",
        zone="Europe/Berlin",
        began_at=ended - timedelta(seconds=129),
        answered_at=ended - timedelta(seconds=125),
        ended_at=ended,
        seconds=125,
        carrier_seconds=124,
        billable_seconds=180,
        credits_per_minute=15,
        connection_fee=5,
        initial_seconds=60,
        increment_seconds=60,
        free_seconds=6,
        charged=50,
        unbilled=0,
        not_charged_reason="",
        lines=(ReceiptLine(2318, ended, "CALL_USAGE", -45, 0), ReceiptLine(2319, ended, "GRACE_USAGE", -5, -5)),
    )
