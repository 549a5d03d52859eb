"""Shapes of `invoices`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from talktime_client._values import OpenEnum


class InvoiceKind(OpenEnum):
    """What a document says."""

    INVOICE = "INVOICE"
    CREDIT_NOTE = "CREDIT_NOTE"


@dataclass(frozen=True, slots=True)
class Invoice:
    """An invoice, or a credit note, whose amounts are positive, too. None is ever changed."""

    id: UUID
    number: str
    kind: InvoiceKind
    purchase_id: UUID
    refers_to: str | None
    """The number of the document that this one corrects."""
    description: str
    currency: str
    net_minor: int
    vat_minor: int
    gross_minor: int
    vat_basis_points: int
    """1900 is 19 %."""
    issued_at: datetime
    paid_at: datetime
