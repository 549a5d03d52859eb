"""Buying credit: what was bought at the price it had when checkout began, what went back of it, and what tops up by
itself.

The rule: whether credits were granted or taken back stands in the ledger. These tables say what the payment company
told us, and converge on the same picture whatever the order of its words.
"""

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, PrimaryKeyConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from talktime.accounts.models import User
from talktime.credits.models import CreditPack
from talktime.db.base import CreatedAt, Credits, Minor, Model, UpdatedAt, enum, new_id


class PurchaseKind(StrEnum):
    """How a purchase came about."""

    CHECKOUT = "CHECKOUT"
    """Somebody paid on the payment company's page."""
    TOP_UP = "TOP_UP"
    """A saved card was charged because the credit ran low."""


class PurchaseState(StrEnum):
    """How far a purchase came. Credits are granted when it is PAID, never because it was completed."""

    OPEN = "OPEN"
    PENDING = "PENDING"
    """Completed, and the money is on its way."""
    PAID = "PAID"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"


class ReversalKind(StrEnum):
    """Why money went back to a buyer."""

    REFUND = "REFUND"
    """We gave it back."""
    DISPUTE = "DISPUTE"
    """The buyer's bank took it back."""


class ReversalState(StrEnum):
    """How a refund (the first four) or a dispute (the others) stands."""

    PENDING = "PENDING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"
    OPENED = "OPENED"
    WITHDRAWN = "WITHDRAWN"
    REINSTATED = "REINSTATED"
    WON = "WON"
    LOST = "LOST"


class RefundRequestState(StrEnum):
    """What became of an operator's wish to give money back."""

    ASKED = "ASKED"
    DONE = "DONE"
    """The payment company took it on; how it went on stands with the reversal."""
    REFUSED = "REFUSED"


class Purchase(Model):
    """One purchase; `credited_at` and `reversed_credits` are written by the credits functions alone."""

    __tablename__ = "purchases"

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[PurchaseKind] = mapped_column(
        enum(PurchaseKind, "purchase_kind"),
        default=PurchaseKind.CHECKOUT,
        server_default=PurchaseKind.CHECKOUT.value,
    )
    request_key: Mapped[str] = mapped_column(
        default=lambda: str(new_id()), server_default=text("gen_random_uuid()::text")
    )
    """The buyer's: the same one again is the same purchase. Never NULL, which never collides."""
    pack_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("credit_packs.id"))
    name: Mapped[str] = mapped_column(default="", server_default="")
    """The pack's, as it was."""
    credits: Mapped[Credits]
    price_minor: Mapped[Minor]
    currency: Mapped[str]
    gateway: Mapped[str]
    test: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """Begun with a payment company in test mode: no money moves."""
    save_card: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    success_url: Mapped[str | None]
    cancel_url: Mapped[str | None]
    """Kept, because an order that is sent once more must be the same order."""
    customer_id: Mapped[str | None]
    payment_method_id: Mapped[str | None]
    """Of a top-up: which card was to be charged; kept for the same reason."""
    checkout_url: Mapped[str | None]
    expires_at: Mapped[datetime | None]
    """When the checkout closes."""
    state: Mapped[PurchaseState] = mapped_column(
        enum(PurchaseState, "purchase_state"), default=PurchaseState.OPEN, server_default=PurchaseState.OPEN.value
    )
    failure: Mapped[str | None]
    """The payment company's code for why it failed."""
    paid_at: Mapped[datetime | None]
    # The application may not write these two, so their defaults are the database's.
    credited_at: Mapped[datetime | None] = mapped_column(server_default=text("NULL"))
    reversed_credits: Mapped[Credits] = mapped_column(BigInteger, server_default=text("0"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]

    user: Mapped[User] = relationship(lazy="raise", viewonly=True)
    pack: Mapped[CreditPack | None] = relationship(lazy="raise", viewonly=True)

    __table_args__ = (
        CheckConstraint("credits BETWEEN 1 AND 1000000000000", name="credits"),
        CheckConstraint("price_minor >= 0", name="price_minor"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        CheckConstraint("length(request_key) BETWEEN 1 AND 200", name="request_key"),
        CheckConstraint("reversed_credits BETWEEN 0 AND credits", name="reversed_credits"),
        CheckConstraint("credited_at IS NULL OR state = 'PAID'", name="credited_is_paid"),
        CheckConstraint("reversed_credits = 0 OR credited_at IS NOT NULL", name="reversed_was_credited"),
        Index("ix_purchases_user_id_created_at", "user_id", "created_at", "id"),
        # Everybody's, as the operator reads them.
        Index("ix_purchases_created_at", "created_at", "id"),
        Index("uq_purchases_user_id_request_key", "user_id", "request_key", unique=True),
        Index(
            "uq_purchases_top_up_in_flight",
            "user_id",
            unique=True,
            postgresql_where=text("kind = 'TOP_UP' AND state IN ('OPEN', 'PENDING')"),
        ),
        Index("ix_purchases_unfinished", "created_at", postgresql_where=text("state IN ('OPEN', 'PENDING')")),
    )


class PurchaseDirectory(Model):
    """How a gateway's event finds its purchase: by the checkout or the payment, each once it is known."""

    __tablename__ = "purchase_directory"

    user_id: Mapped[uuid.UUID]
    purchase_id: Mapped[uuid.UUID]
    gateway: Mapped[str]
    checkout_id: Mapped[str | None]
    payment_id: Mapped[str | None]

    __table_args__ = (
        # No foreign key to the purchase: in a cluster a directory would live on another server than tenants' tables.
        PrimaryKeyConstraint("user_id", "purchase_id"),
        Index("uq_purchase_directory_checkout", "gateway", "checkout_id", unique=True),
        Index("uq_purchase_directory_payment", "gateway", "payment_id", unique=True),
    )


class PaymentReversal(Model):
    """One refund or dispute of a purchase, as far as the payment company told of it.

    What it takes back in money: of a refund its amount, unless it failed; of a dispute what was withdrawn less what
    came back.
    """

    __tablename__ = "payment_reversals"

    user_id: Mapped[uuid.UUID]
    id: Mapped[str]
    """The payment company's name of it."""
    purchase_id: Mapped[uuid.UUID]
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
        PrimaryKeyConstraint("user_id", "id"),
        ForeignKeyConstraint(["user_id", "purchase_id"], ["purchases.user_id", "purchases.id"]),
        CheckConstraint("id ~ '^[A-Za-z0-9_]{1,150}$'", name="id"),
        CheckConstraint("amount_minor > 0 AND withdrawn_minor >= 0 AND reinstated_minor >= 0", name="amounts"),
        CheckConstraint(
            "(kind = 'REFUND') = (state IN ('PENDING', 'SUCCEEDED', 'FAILED', 'CANCELED'))", name="state_of_kind"
        ),
        Index("ix_payment_reversals_purchase", "user_id", "purchase_id"),
        Index("ix_payment_reversals_created_at", "created_at", "user_id", "id"),
    )


class RefundRequest(Model):
    """An operator wants money to go back: written before the payment company is asked, so that it is asked once."""

    __tablename__ = "refund_requests"

    user_id: Mapped[uuid.UUID]
    request_key: Mapped[str]
    purchase_id: Mapped[uuid.UUID]
    amount_minor: Mapped[Minor]
    actor_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    state: Mapped[RefundRequestState] = mapped_column(
        enum(RefundRequestState, "refund_request_state"),
        default=RefundRequestState.ASKED,
        server_default=RefundRequestState.ASKED.value,
    )
    refund_id: Mapped[str | None]
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        PrimaryKeyConstraint("user_id", "request_key"),
        ForeignKeyConstraint(["user_id", "purchase_id"], ["purchases.user_id", "purchases.id"]),
        CheckConstraint("length(request_key) BETWEEN 1 AND 200", name="request_key"),
        CheckConstraint("amount_minor > 0", name="amount_minor"),
        CheckConstraint("(state = 'DONE') = (refund_id IS NOT NULL)", name="refund_id"),
        Index("ix_refund_requests_purchase", "user_id", "purchase_id"),
    )


class TopUp(Model):
    """A customer's saved card, and what may be charged to it when the credit runs low."""

    __tablename__ = "top_ups"

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    # What the customer chose.
    enabled: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    threshold: Mapped[int | None] = mapped_column(BigInteger)
    """Free credits; below it the card is charged."""
    pack_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("credit_packs.id"))
    credits: Mapped[int | None] = mapped_column(BigInteger)
    price_minor: Mapped[int | None] = mapped_column(BigInteger)
    currency: Mapped[str | None]
    """The pack as it was agreed to: one that was changed since is not charged."""
    ceiling_minor: Mapped[int | None] = mapped_column(BigInteger)
    """The most that is charged in a month of the customer's zone."""
    consented_at: Mapped[datetime | None]
    """When the customer agreed to be charged while away."""
    # The card, as the payment company knows it. No number of it is ever here.
    gateway: Mapped[str | None]
    customer_id: Mapped[str | None]
    payment_method_id: Mapped[str | None]
    brand: Mapped[str] = mapped_column(default="", server_default="")
    last4: Mapped[str] = mapped_column(default="", server_default="")
    expires_month: Mapped[int | None]
    expires_year: Mapped[int | None]
    # How it goes.
    declines: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    not_before: Mapped[datetime | None]
    """After a decline nothing is tried before."""
    stopped_reason: Mapped[str | None]
    """Why it was switched off without the customer's doing: `declined`, `pack_changed`."""
    updated_at: Mapped[UpdatedAt]

    pack: Mapped[CreditPack | None] = relationship(lazy="raise", viewonly=True)

    __table_args__ = (
        CheckConstraint("threshold BETWEEN 1 AND 1000000000000", name="threshold"),
        CheckConstraint("ceiling_minor BETWEEN 1 AND 1000000000000", name="ceiling_minor"),
        CheckConstraint("declines >= 0", name="declines"),
        CheckConstraint(
            "NOT enabled OR (threshold IS NOT NULL AND pack_id IS NOT NULL AND credits IS NOT NULL"
            " AND price_minor IS NOT NULL AND currency IS NOT NULL AND ceiling_minor IS NOT NULL"
            " AND consented_at IS NOT NULL AND gateway IS NOT NULL AND customer_id IS NOT NULL"
            " AND payment_method_id IS NOT NULL)",
            name="enabled",
        ),
        Index("ix_top_ups_enabled", "user_id", postgresql_where=text("enabled")),
    )


class PaymentRound(Model):
    """When each payment company was last asked for what we never heard of; whoever moves it on does the asking."""

    __tablename__ = "payment_rounds"

    gateway: Mapped[str] = mapped_column(primary_key=True)
    reconciled_at: Mapped[datetime]
    succeeded_at: Mapped[datetime | None]
    """Up to when the last round that came to its end had asked; None before the first. From there the next goes on."""
