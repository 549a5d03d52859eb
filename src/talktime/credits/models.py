"""Prepaid credit. The database functions in `sql/` are the only writers of the accounts, the holds and the ledger: the
application's roles may only read them.
"""

import uuid
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from talktime.accounts.models import User
from talktime.db.base import CreatedAt, Credits, Minor, Model, enum, new_id

FENCE = 10**15
"""No balance and no hold comes near this; one that does is a bug, and the database refuses it."""


class TransactionType(StrEnum):
    """Why a line stands in the ledger."""

    PURCHASE = "PURCHASE"
    CALL_USAGE = "CALL_USAGE"
    GRACE_USAGE = "GRACE_USAGE"
    ADMIN_ADJUSTMENT = "ADMIN_ADJUSTMENT"
    REFUND = "REFUND"
    DISPUTE = "DISPUTE"


class HoldState(StrEnum):
    """The life of a charge: see docs/architecture.md."""

    DENIED = "DENIED"
    AUTHORISED = "AUTHORISED"
    ACTIVE = "ACTIVE"
    FINAL = "FINAL"
    """On its last grant: there is nothing left to extend it with, unless the customer tops up."""
    RECONCILE = "RECONCILE"
    """Its owner is lost: the slot is free again, the money still held."""
    SETTLED = "SETTLED"
    RELEASED = "RELEASED"


class Price(Model):
    """A line of the price list: everybody's when it names no user, else that user's own. The newest valid one wins."""

    __tablename__ = "prices"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))
    valid_from: Mapped[CreatedAt]
    credits_per_minute: Mapped[Credits]
    connection_fee: Mapped[Credits] = mapped_column(BigInteger, default=0, server_default=text("0"))
    initial_seconds: Mapped[int] = mapped_column(default=60, server_default=text("60"))
    increment_seconds: Mapped[int] = mapped_column(default=60, server_default=text("60"))
    free_seconds: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        CheckConstraint("credits_per_minute BETWEEN 0 AND 1000000000", name="credits_per_minute"),
        CheckConstraint("connection_fee BETWEEN 0 AND 1000000000", name="connection_fee"),
        CheckConstraint("initial_seconds BETWEEN 1 AND 3600", name="initial_seconds"),
        CheckConstraint("increment_seconds BETWEEN 1 AND 3600", name="increment_seconds"),
        CheckConstraint("free_seconds BETWEEN 0 AND 3600", name="free_seconds"),
        Index("ix_prices_user_id_valid_from", "user_id", "valid_from"),
    )


class CreditPack(Model):
    """What can be bought: so many credits for so much money."""

    __tablename__ = "credit_packs"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str]
    credits: Mapped[Credits]
    price_minor: Mapped[Minor]
    currency: Mapped[str]
    """ISO 4217, capitals."""
    active: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    position: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    gateway_price_id: Mapped[str | None]
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        CheckConstraint("credits BETWEEN 1 AND 1000000000000", name="credits"),
        CheckConstraint("price_minor BETWEEN 0 AND 1000000000000", name="price_minor"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        Index("ix_credit_packs_active_position", "active", "position"),
    )


class CreditAccount(Model):
    """A customer's credit: one row per user, the only one that is contended, and always locked before a hold."""

    __tablename__ = "credit_accounts"

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    balance: Mapped[Credits] = mapped_column(BigInteger, server_default=text("0"))
    """The sum of the ledger lines; below zero is grace in use, or money taken back."""
    held: Mapped[Credits] = mapped_column(BigInteger, server_default=text("0"))
    """The sum of unsettled holds."""
    grace_limit: Mapped[Credits] = mapped_column(BigInteger, server_default=text("0"))
    """How far running calls may go below zero."""
    clawback_debt: Mapped[Credits] = mapped_column(BigInteger, server_default=text("0"))
    """What a reversal, or a lowered limit, took below the grace line; while above 0 nothing starts or extends."""
    blocked_reason: Mapped[str | None]
    open_calls: Mapped[int] = mapped_column(server_default=text("0"))
    max_open_calls: Mapped[int] = mapped_column(server_default=text("10"))
    spent_on: Mapped[date | None]
    """The day, in the user's zone, that `spent_today` counts."""
    spent_today: Mapped[Credits] = mapped_column(BigInteger, server_default=text("0"))
    """Charged and held by calls since that day began."""
    seq: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    """Number of the newest ledger line."""
    head: Mapped[bytes] = mapped_column(LargeBinary, server_default=text(r"'\x'"))
    """Hash of the newest ledger line."""

    user: Mapped[User] = relationship(lazy="raise", viewonly=True)

    __table_args__ = (
        CheckConstraint("balance - held >= -grace_limit - clawback_debt", name="never_overspent"),
        CheckConstraint("held >= 0", name="held"),
        CheckConstraint("grace_limit >= 0", name="grace_limit"),
        CheckConstraint("clawback_debt >= 0", name="clawback_debt"),
        CheckConstraint("open_calls >= 0", name="open_calls"),
        CheckConstraint("max_open_calls >= 0", name="max_open_calls"),
        CheckConstraint("spent_today >= 0", name="spent_today"),
        CheckConstraint("seq >= 0", name="seq"),
        CheckConstraint(
            f"balance BETWEEN -{FENCE} AND {FENCE} AND held <= {FENCE}"
            f" AND grace_limit <= {FENCE} AND clawback_debt <= {FENCE}",
            name="fence",
        ),
        {"postgresql_with": {"fillfactor": "50"}},
    )


class CreditHold(Model):
    """Credits set aside for one call, the price they were set aside at, and what became of them."""

    __tablename__ = "credit_holds"

    user_id: Mapped[uuid.UUID]
    call_id: Mapped[uuid.UUID]
    price_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("prices.id"))
    credits_per_minute: Mapped[Credits]
    connection_fee: Mapped[Credits]
    initial_seconds: Mapped[int]
    increment_seconds: Mapped[int]
    free_seconds: Mapped[int]
    state: Mapped[HoldState] = mapped_column(enum(HoldState, "hold_state"))
    denied_reason: Mapped[str | None]
    granted_seconds: Mapped[int] = mapped_column(server_default=text("0"))
    used_seconds: Mapped[int] = mapped_column(server_default=text("0"))
    """Proven talk: what the newest heartbeat said."""
    held: Mapped[Credits] = mapped_column(BigInteger, server_default=text("0"))
    held_peak: Mapped[Credits] = mapped_column(BigInteger, server_default=text("0"))
    charged: Mapped[Credits] = mapped_column(BigInteger, server_default=text("0"))
    corrected: Mapped[Credits] = mapped_column(BigInteger, server_default=text("0"))
    unbilled: Mapped[Credits] = mapped_column(BigInteger, server_default=text("0"))
    """What the call cost beyond what was held for it: the operator's loss."""
    request_no: Mapped[int] = mapped_column(server_default=text("0"))
    """Number of the newest request to extend."""
    lease_owner: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    lost_at: Mapped[datetime | None]
    """When its owner was given up; it may still come back until the call is finished."""
    cut_at: Mapped[datetime | None]
    cut_claimed_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]
    settled_seconds: Mapped[int | None]
    not_charged_reason: Mapped[str | None]
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        PrimaryKeyConstraint("user_id", "call_id"),
        ForeignKeyConstraint(["user_id"], ["credit_accounts.user_id"]),
        ForeignKeyConstraint(["user_id", "call_id"], ["calls.user_id", "calls.id"]),
        CheckConstraint("held BETWEEN 0 AND held_peak", name="held"),
        CheckConstraint("charged >= 0 AND charged + corrected BETWEEN 0 AND held_peak", name="charged"),
        CheckConstraint("granted_seconds >= 0 AND used_seconds >= 0 AND unbilled >= 0", name="counts"),
        CheckConstraint(
            "(settled_at IS NOT NULL) = (state IN ('DENIED', 'SETTLED', 'RELEASED'))", name="closed_is_settled"
        ),
        CheckConstraint("settled_at IS NULL OR held = 0", name="closed_holds_nothing"),
        CheckConstraint("state <> 'RECONCILE' OR lost_at IS NOT NULL", name="lost_at"),
        CheckConstraint("(denied_reason IS NOT NULL) = (state = 'DENIED')", name="denied_reason"),
        CheckConstraint(
            "state NOT IN ('ACTIVE', 'FINAL') OR (lease_owner IS NOT NULL AND cut_at IS NOT NULL)",
            name="active_is_owned",
        ),
        Index("ix_credit_holds_open", "user_id", "call_id", postgresql_where=text("settled_at IS NULL")),
        {"postgresql_with": {"fillfactor": "70"}},
    )


class CreditTransaction(Model):
    """One line of the append-only ledger."""

    __tablename__ = "credit_transactions"

    user_id: Mapped[uuid.UUID]
    seq: Mapped[int] = mapped_column(BigInteger)
    type: Mapped[TransactionType] = mapped_column(enum(TransactionType, "transaction_type"))
    amount: Mapped[Credits]
    balance_after: Mapped[Credits]
    call_id: Mapped[uuid.UUID | None]
    purchase_id: Mapped[uuid.UUID | None]
    reference: Mapped[str | None]
    reason: Mapped[str | None]
    actor_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))
    """Who did it; None is the system."""
    created_at: Mapped[datetime]
    hash: Mapped[bytes]
    """SHA-256 over every column and the hash of the line before."""

    __table_args__ = (
        PrimaryKeyConstraint("user_id", "seq"),
        ForeignKeyConstraint(["user_id"], ["credit_accounts.user_id"]),
        ForeignKeyConstraint(["user_id", "call_id"], ["calls.user_id", "calls.id"]),
        ForeignKeyConstraint(["user_id", "purchase_id"], ["purchases.user_id", "purchases.id"]),
        CheckConstraint("amount <> 0", name="amount"),
        CheckConstraint("seq >= 1", name="seq"),
        CheckConstraint("octet_length(hash) = 32", name="hash"),
        CheckConstraint(
            "type NOT IN ('CALL_USAGE', 'GRACE_USAGE') OR (call_id IS NOT NULL AND amount < 0)", name="usage_has_call"
        ),
        CheckConstraint("type <> 'PURCHASE' OR (purchase_id IS NOT NULL AND amount > 0)", name="purchase_has_purchase"),
        CheckConstraint(
            "type NOT IN ('REFUND', 'DISPUTE') OR (purchase_id IS NOT NULL AND reference IS NOT NULL)",
            name="reversal_has_purchase",
        ),
        CheckConstraint(
            "type <> 'ADMIN_ADJUSTMENT' OR (reference IS NOT NULL AND reason IS NOT NULL)",
            name="adjustment_has_reference",
        ),
        CheckConstraint(
            "type <> 'ADMIN_ADJUSTMENT' OR actor_id IS NOT NULL"
            " OR reference LIKE 'correction:%' OR reference LIKE 'rent:%'",
            name="adjustment_has_actor",
        ),
        CheckConstraint("length(reference) BETWEEN 1 AND 200 AND length(reason) BETWEEN 1 AND 1000", name="texts"),
        Index(
            "uq_credit_transactions_call_type",
            "user_id",
            "call_id",
            "type",
            unique=True,
            postgresql_where=text("type IN ('CALL_USAGE', 'GRACE_USAGE')"),
        ),
        Index(
            "uq_credit_transactions_purchase",
            "user_id",
            "purchase_id",
            unique=True,
            postgresql_where=text("type = 'PURCHASE'"),
        ),
        Index(
            "ix_credit_transactions_call",
            "user_id",
            "call_id",
            postgresql_where=text("call_id IS NOT NULL"),
        ),
        Index("uq_credit_transactions_reference", "user_id", "reference", unique=True),
    )


class LedgerCheckpoint(Model):
    """How far a user's ledger was verified, so that the next verification can go on from there."""

    __tablename__ = "ledger_checkpoints"

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger)
    balance: Mapped[Credits]
    hash: Mapped[bytes]
    verified_at: Mapped[datetime]
