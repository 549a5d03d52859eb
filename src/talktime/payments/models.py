"""A purchase of credits: what was bought, at the price it had when checkout began."""

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from talktime.accounts.models import User
from talktime.credits.models import CreditPack
from talktime.db.base import CreatedAt, Credits, Minor, Model, UpdatedAt, enum, new_id


class PurchaseState(StrEnum):
    """How far a purchase came. Credits are granted when it is PAID, never because it was completed."""

    OPEN = "OPEN"
    PENDING = "PENDING"
    """Completed, and the money is on its way."""
    PAID = "PAID"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"


class Purchase(Model):
    """One purchase; `credited_at` and `reversed_credits` are written by the credits functions alone."""

    __tablename__ = "purchases"

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    pack_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("credit_packs.id"))
    credits: Mapped[Credits]
    price_minor: Mapped[Minor]
    currency: Mapped[str]
    gateway: Mapped[str]
    state: Mapped[PurchaseState] = mapped_column(
        enum(PurchaseState, "purchase_state"), default=PurchaseState.OPEN, server_default=PurchaseState.OPEN.value
    )
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
        CheckConstraint("reversed_credits BETWEEN 0 AND credits", name="reversed_credits"),
        CheckConstraint("credited_at IS NULL OR state = 'PAID'", name="credited_is_paid"),
        CheckConstraint("reversed_credits = 0 OR credited_at IS NOT NULL", name="reversed_was_credited"),
        Index("ix_purchases_user_id_created_at", "user_id", "created_at", "id"),
    )


class PurchaseDirectory(Model):
    """How a gateway's event finds its purchase."""

    __tablename__ = "purchase_directory"

    gateway: Mapped[str] = mapped_column(primary_key=True)
    checkout_id: Mapped[str] = mapped_column(primary_key=True)
    payment_id: Mapped[str | None]
    user_id: Mapped[uuid.UUID]
    purchase_id: Mapped[uuid.UUID]

    __table_args__ = (
        # No foreign key to the purchase: in a cluster a directory would live on another server than tenants' tables.
        Index("uq_purchase_directory_payment", "gateway", "payment_id", unique=True),
        Index("uq_purchase_directory_purchase", "user_id", "purchase_id", unique=True),
    )
