"""Documents of money: invoices and credit notes, with numbers that have no gap.

The rule: a document is never changed and never deleted, whoever asks; what was wrong is set right by another document.
"""

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, PrimaryKeyConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from talktime.db.base import CreatedAt, Minor, Model, UpdatedAt, enum, new_id


class InvoiceKind(StrEnum):
    """What a document says."""

    INVOICE = "INVOICE"
    CREDIT_NOTE = "CREDIT_NOTE"
    """Takes back an invoice, or part of one; its amounts are positive."""


class Invoice(Model):
    """One document. Both sides stand in it as they were when it was issued."""

    __tablename__ = "invoices"

    user_id: Mapped[uuid.UUID]
    id: Mapped[uuid.UUID] = mapped_column(default=new_id)
    number: Mapped[str]
    series: Mapped[str]
    no: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[InvoiceKind] = mapped_column(enum(InvoiceKind, "invoice_kind"))
    purchase_id: Mapped[uuid.UUID]
    reversal_id: Mapped[str | None]
    """The refund or dispute that a credit note is about, or whose failure an invoice takes a credit note back for."""
    refers_to: Mapped[str | None]
    """The number of the document that this one corrects."""
    issued_at: Mapped[CreatedAt]
    paid_at: Mapped[datetime]
    """When the money came, or went back."""
    seller: Mapped[dict[str, Any]]
    buyer: Mapped[dict[str, Any]]
    description: Mapped[str]
    payment_reference: Mapped[str]
    currency: Mapped[str]
    vat_basis_points: Mapped[int]
    """1900 is 19 %."""
    net_minor: Mapped[Minor]
    vat_minor: Mapped[Minor]
    gross_minor: Mapped[Minor]

    __table_args__ = (
        PrimaryKeyConstraint("user_id", "id"),
        ForeignKeyConstraint(["user_id", "purchase_id"], ["purchases.user_id", "purchases.id"]),
        CheckConstraint("net_minor + vat_minor = gross_minor AND gross_minor > 0 AND vat_minor >= 0", name="sums"),
        CheckConstraint("vat_basis_points BETWEEN 0 AND 10000", name="vat_basis_points"),
        CheckConstraint("kind = 'INVOICE' OR (reversal_id IS NOT NULL AND refers_to IS NOT NULL)", name="credit_note"),
        Index(
            "uq_invoices_purchase",
            "user_id",
            "purchase_id",
            unique=True,
            postgresql_where=text("kind = 'INVOICE' AND reversal_id IS NULL"),
        ),
        Index(
            "uq_invoices_reversal",
            "user_id",
            "reversal_id",
            "kind",
            unique=True,
            postgresql_where=text("reversal_id IS NOT NULL"),
        ),
        Index("uq_invoices_number", "user_id", "number", unique=True),
        Index("ix_invoices_user_id_issued_at", "user_id", "issued_at", "id"),
    )


class InvoiceSeries(Model):
    """The last number of a series, locked in the very transaction that issues the next."""

    __tablename__ = "invoice_series"

    series: Mapped[str] = mapped_column(primary_key=True)
    last_no: Mapped[int] = mapped_column(BigInteger)

    __table_args__ = (
        CheckConstraint("series ~ '^[A-Z0-9-]{1,20}$'", name="series"),
        CheckConstraint("last_no >= 1", name="last_no"),
    )


class InvoiceNumber(Model):
    """Whose document a number is: unique in the whole system."""

    __tablename__ = "invoice_numbers"

    series: Mapped[str]
    no: Mapped[int] = mapped_column(BigInteger)
    user_id: Mapped[uuid.UUID]
    invoice_id: Mapped[uuid.UUID]

    __table_args__ = (
        PrimaryKeyConstraint("series", "no"),
        Index("uq_invoice_numbers_invoice", "user_id", "invoice_id", unique=True),
    )


class BillingDetails(Model):
    """What a customer wants to stand on their invoices; what is empty is left out."""

    __tablename__ = "billing_details"

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    name: Mapped[str] = mapped_column(default="", server_default="")
    address: Mapped[str] = mapped_column(default="", server_default="")
    """Its lines, as they are to be printed."""
    country: Mapped[str] = mapped_column(default="", server_default="")
    """ISO 3166, two letters."""
    vat_id: Mapped[str] = mapped_column(default="", server_default="")
    email: Mapped[str] = mapped_column(default="", server_default="")
    """Of who keeps their books; nobody is written to there."""
    updated_at: Mapped[UpdatedAt]

    __table_args__ = (
        CheckConstraint(
            "length(name) <= 200 AND length(address) <= 500 AND length(vat_id) <= 40 AND length(email) <= 254",
            name="texts",
        ),
        CheckConstraint("country ~ '^([A-Z]{2})?$'", name="country"),
    )
