"""Money that came and granted nothing: a second payment of one purchase, a wrong sum, a purchase that nobody knows.

The rule: it stands apart from what was bought, so that whatever becomes of it never reaches the books. A payment that
was granted in the end is the purchase's, whatever stands here.
"""

import uuid

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Index, PrimaryKeyConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from talktime.db.base import CreatedAt, Minor, Model, UpdatedAt, enum
from talktime.payments.models import ReversalKind, ReversalState


class UngrantedPayment(Model):
    """A payment that no credits were granted for; the operator has an alert about it."""

    __tablename__ = "ungranted_payments"

    gateway: Mapped[str]
    payment_id: Mapped[str]
    why: Mapped[str]
    """The kind of its alert: `paid_twice`, `wrong_amount` …"""
    user_id: Mapped[uuid.UUID | None]
    purchase_id: Mapped[uuid.UUID | None]
    """What it was to pay for, where anybody knows. Kept as a word of the payment company's: nothing refers to it."""
    amount_minor: Mapped[int | None] = mapped_column(BigInteger)
    currency: Mapped[str]
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        PrimaryKeyConstraint("gateway", "payment_id"),
        Index("ix_ungranted_payments_created_at", "created_at", "gateway", "payment_id"),
    )


class UngrantedReversal(Model):
    """One refund or dispute of such a payment, as far as the payment company told of it."""

    __tablename__ = "ungranted_reversals"

    gateway: Mapped[str]
    id: Mapped[str]
    """The payment company's name of it."""
    payment_id: Mapped[str]
    kind: Mapped[ReversalKind] = mapped_column(enum(ReversalKind, "reversal_kind"))
    state: Mapped[ReversalState] = mapped_column(enum(ReversalState, "reversal_state"))
    amount_minor: Mapped[Minor]
    currency: Mapped[str]
    withdrawn_minor: Mapped[Minor] = mapped_column(default=0, server_default=text("0"))
    reinstated_minor: Mapped[Minor] = mapped_column(default=0, server_default=text("0"))
    reason: Mapped[str] = mapped_column(default="", server_default="")
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]

    __table_args__ = (
        PrimaryKeyConstraint("gateway", "id"),
        ForeignKeyConstraint(
            ["gateway", "payment_id"], ["ungranted_payments.gateway", "ungranted_payments.payment_id"]
        ),
        CheckConstraint("amount_minor > 0 AND withdrawn_minor >= 0 AND reinstated_minor >= 0", name="amounts"),
        CheckConstraint(
            "(kind = 'REFUND') = (state IN ('PENDING', 'SUCCEEDED', 'FAILED', 'CANCELED'))", name="state_of_kind"
        ),
        Index("ix_ungranted_reversals_payment", "gateway", "payment_id"),
    )
