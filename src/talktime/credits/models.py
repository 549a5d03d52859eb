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


class PriceKind(StrEnum):
    """What a price is for."""

    CALL = "CALL"
    TRANSFER = "TRANSFER"
    """The leg to a person that an agent handed the caller over to."""


class NotCharged(StrEnum):
    """Why a call that was answered costs nothing. The values are stored, and stand on the receipt in words."""

    PLATFORM_FAULT = "platform_fault"
    WRONG_NUMBER = "wrong_number"
    SPAM = "spam"
    NOT_A_CALL = "not_a_call"
    """Nobody was there: silence, a fax, a pocket."""


class ClaimState(StrEnum):
    """What became of a customer's word that a call was not a real one."""

    REQUESTED = "REQUESTED"
    GRANTED = "GRANTED"
    REFUSED = "REFUSED"


class Price(Model):
    """A line of the price list: everybody's when it names no user, else that user's own. The newest valid one wins.

    One that `follows_list` ends a user's own: from then on everybody's holds for them. Its figures are those it ended.
    """

    __tablename__ = "prices"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))
    kind: Mapped[PriceKind] = mapped_column(
        enum(PriceKind, "price_kind"), default=PriceKind.CALL, server_default=PriceKind.CALL.value
    )
    valid_from: Mapped[CreatedAt]
    credits_per_minute: Mapped[Credits]
    connection_fee: Mapped[Credits] = mapped_column(BigInteger, default=0, server_default=text("0"))
    initial_seconds: Mapped[int] = mapped_column(default=60, server_default=text("60"))
    increment_seconds: Mapped[int] = mapped_column(default=60, server_default=text("60"))
    free_seconds: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    follows_list: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    created_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        CheckConstraint("credits_per_minute BETWEEN 0 AND 1000000000", name="credits_per_minute"),
        CheckConstraint("connection_fee BETWEEN 0 AND 1000000000", name="connection_fee"),
        CheckConstraint("initial_seconds BETWEEN 1 AND 3600", name="initial_seconds"),
        CheckConstraint("increment_seconds BETWEEN 1 AND 3600", name="increment_seconds"),
        CheckConstraint("free_seconds BETWEEN 0 AND 3600", name="free_seconds"),
        CheckConstraint("NOT follows_list OR user_id IS NOT NULL", name="follows_list"),
        Index("ix_prices_user_id_kind_valid_from", "user_id", "kind", "valid_from"),
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
    spent_until: Mapped[datetime | None]
    """When that day ends."""
    spent_today: Mapped[Credits] = mapped_column(BigInteger, server_default=text("0"))
    """Charged and held by calls since that day began."""
    day_limit: Mapped[int | None] = mapped_column(BigInteger)
    """Spend guard: at most so many credits a day, in the user's zone."""
    call_limit: Mapped[int | None] = mapped_column(BigInteger)
    """Spend guard: at most so many credits for one call."""
    caller_limit: Mapped[int | None] = mapped_column(BigInteger)
    """Spend guard: at most so many credits a day for the calls of one caller."""
    low_balance: Mapped[int | None] = mapped_column(BigInteger)
    """Below this balance the customer is told, once each time it is crossed."""
    seq: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    """Number of the newest ledger line."""
    head: Mapped[bytes] = mapped_column(LargeBinary, server_default=text(r"'\x'"))
    """Hash of the newest ledger line."""

    user: Mapped[User] = relationship(lazy="raise", viewonly=True)

    __table_args__ = (
        # What else must hold of a row stands in `sql/15_sound.sql`: credit_account_is_sound.
        {"postgresql_with": {"fillfactor": "50"}},
    )


class CreditHold(Model):
    """Credits set aside for one call, the price they were set aside at, and what became of them."""

    __tablename__ = "credit_holds"

    user_id: Mapped[uuid.UUID]
    call_id: Mapped[uuid.UUID]
    price_id: Mapped[uuid.UUID | None]
    """Which line of the price list it was; the figures are copied, and no line is ever removed (`30_holds.sql`)."""
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
    corrections: Mapped[int] = mapped_column(server_default=text("0"))
    """How many correcting lines there are."""
    corrected_seconds: Mapped[int | None]
    """What the newest correction said the call lasted."""
    unbilled: Mapped[Credits] = mapped_column(BigInteger, server_default=text("0"))
    """What the call cost beyond what was held for it: the operator's loss."""
    request_no: Mapped[int] = mapped_column(server_default=text("0"))
    """Number of the newest request to extend."""
    final_reason: Mapped[str | None]
    """Why it got less than it asked for: `no_credit`, `debt`, `blocked`, or the name of a spend guard."""
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
        # What else must hold of a row stands in `sql/15_sound.sql`: credit_hold_is_sound. Nobody may delete an account
        # (`20_ledger.sql`), and whoever writes here has locked it: a foreign key to it would only ask again.
        PrimaryKeyConstraint("user_id", "call_id"),
        ForeignKeyConstraint(["user_id", "call_id"], ["calls.user_id", "calls.id"]),
        Index("ix_credit_holds_open", "user_id", "call_id", postgresql_where=text("settled_at IS NULL")),
        # Calls that cost nothing in the end, everybody's: the operator looks at why.
        Index(
            "ix_credit_holds_free",
            "created_at",
            "call_id",
            postgresql_where=text("state = 'SETTLED' AND charged + corrected = 0"),
        ),
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
        # What else must hold of a line stands in `sql/15_sound.sql`: credit_line_is_sound. To the account as a hold.
        PrimaryKeyConstraint("user_id", "seq"),
        ForeignKeyConstraint(["user_id", "call_id"], ["calls.user_id", "calls.id"]),
        ForeignKeyConstraint(["user_id", "purchase_id"], ["purchases.user_id", "purchases.id"]),
        # One index for all lines of a call, and each kind of usage at most once in it: what else a call has is told
        # apart by its number. A second index for the one or the other would cost every settlement an entry.
        Index(
            "uq_credit_transactions_call",
            "user_id",
            "call_id",
            text("(CASE type WHEN 'CALL_USAGE' THEN -1 WHEN 'GRACE_USAGE' THEN -2 ELSE seq END)"),
            unique=True,
            postgresql_where=text("call_id IS NOT NULL"),
        ),
        Index(
            "uq_credit_transactions_purchase",
            "user_id",
            "purchase_id",
            unique=True,
            postgresql_where=text("type = 'PURCHASE'"),
        ),
        Index(
            "uq_credit_transactions_reference",
            "user_id",
            "reference",
            unique=True,
            postgresql_where=text("reference IS NOT NULL"),
        ),
        # For proving purchases against their reversals: these are few, and what is proven every quarter of an hour must
        # not read every line for them.
        Index(
            "ix_credit_transactions_reversals",
            "user_id",
            "reference",
            postgresql_where=text("type IN ('REFUND', 'DISPUTE')"),
        ),
    )


class CreditReversal(Model):
    """What one event of a payment company took back, or gave back, and what could not be taken: the operator's loss.

    Written by `reverse` alone; the reference makes it happen once, also where no line could be posted.
    """

    __tablename__ = "credit_reversals"

    user_id: Mapped[uuid.UUID]
    reference: Mapped[str]
    purchase_id: Mapped[uuid.UUID]
    type: Mapped[TransactionType] = mapped_column(enum(TransactionType, "transaction_type"))
    asked: Mapped[Credits]
    taken: Mapped[Credits]
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        PrimaryKeyConstraint("user_id", "reference"),
        ForeignKeyConstraint(["user_id", "purchase_id"], ["purchases.user_id", "purchases.id"]),
        CheckConstraint("type IN ('REFUND', 'DISPUTE')", name="type"),
        CheckConstraint("asked <> 0 AND sign(asked) * taken BETWEEN 0 AND abs(asked)", name="taken"),
        Index("ix_credit_reversals_purchase", "user_id", "purchase_id"),
    )


class ChargeClaim(Model):
    """A customer's word that a call was not a real one, and what became of it. Written by functions alone."""

    __tablename__ = "charge_claims"

    user_id: Mapped[uuid.UUID]
    call_id: Mapped[uuid.UUID]
    reason: Mapped[str]
    state: Mapped[ClaimState] = mapped_column(enum(ClaimState, "claim_state"))
    automatic: Mapped[bool]
    """Granted at once, because the call was short and it was one of the month's first."""
    credits: Mapped[Credits]
    """What the call had cost when it was claimed."""
    created_at: Mapped[CreatedAt]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))
    note: Mapped[str | None]

    __table_args__ = (
        PrimaryKeyConstraint("user_id", "call_id"),
        ForeignKeyConstraint(["user_id", "call_id"], ["credit_holds.user_id", "credit_holds.call_id"]),
        CheckConstraint("(state = 'REQUESTED') = (decided_at IS NULL)", name="decided_at"),
        CheckConstraint("decided_by IS NOT NULL OR automatic OR state = 'REQUESTED'", name="decided_by"),
        Index("ix_charge_claims_requested", "created_at", postgresql_where=text("state = 'REQUESTED'")),
    )


class ApprovalState(StrEnum):
    """Whether a second person said yes."""

    PENDING = "PENDING"
    APPROVED = "APPROVED"
    REFUSED = "REFUSED"


class Approval(Model):
    """An adjustment above the limit, waiting for a second person."""

    __tablename__ = "approvals"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    """Whose credits are to be adjusted."""
    reference: Mapped[str]
    amount: Mapped[Credits]
    reason: Mapped[str]
    as_debt: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    state: Mapped[ApprovalState] = mapped_column(
        enum(ApprovalState, "approval_state"),
        default=ApprovalState.PENDING,
        server_default=ApprovalState.PENDING.value,
    )
    requested_by: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[CreatedAt]
    decided_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))
    decided_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("decided_by <> requested_by", name="second_person"),
        CheckConstraint("(state = 'PENDING') = (decided_by IS NULL AND decided_at IS NULL)", name="decided"),
        CheckConstraint("amount <> 0", name="amount"),
        Index("uq_approvals_user_id_reference", "user_id", "reference", unique=True),
        Index("ix_approvals_pending", "created_at", postgresql_where=text("state = 'PENDING'")),
        Index("ix_approvals_created_at", "created_at", "id"),
    )


class LedgerCheckpoint(Model):
    """How far a user's ledger was verified, so that the next verification can go on from there."""

    __tablename__ = "ledger_checkpoints"

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger)
    balance: Mapped[Credits]
    hash: Mapped[bytes]
    verified_at: Mapped[datetime]
