"""People who sign in, and the browsers they do it from. Directory tables: an e-mail address and a session's token are
unique in the whole system. Only the hash of a token is stored.
"""

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from talktime.db.base import CreatedAt, Model, UpdatedAt, enum, new_id


class Role(StrEnum):
    """What somebody may do: a customer, or the operator."""

    USER = "USER"
    ADMIN = "ADMIN"


class UserStatus(StrEnum):
    """Whether somebody may do it at the moment."""

    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    CLOSED = "CLOSED"


class User(Model):
    """Someone who signs in; today a user is also the tenant."""

    __tablename__ = "users"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    email: Mapped[str]
    name: Mapped[str]
    password_hash: Mapped[str | None]
    role: Mapped[Role] = mapped_column(enum(Role, "role"), default=Role.USER, server_default=Role.USER.value)
    status: Mapped[UserStatus] = mapped_column(
        enum(UserStatus, "user_status"), default=UserStatus.ACTIVE, server_default=UserStatus.ACTIVE.value
    )
    locale: Mapped[str] = mapped_column(default="en", server_default="en")
    zone: Mapped[str] = mapped_column(default="Europe/Berlin", server_default="Europe/Berlin")
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]

    __table_args__ = (
        Index("uq_users_email_lower", text("lower(email)"), unique=True),
        CheckConstraint("email LIKE '%_@_%'", name="email"),
        # Fails for a zone that PostgreSQL does not know: the books count a day in it.
        CheckConstraint("(TIMESTAMPTZ '2000-01-01 00:00+00' AT TIME ZONE zone) IS NOT NULL", name="zone"),
    )


class Session(Model):
    """One signed-in browser."""

    __tablename__ = "sessions"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    """SHA-256 of the token in the cookie."""
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), index=True)
    created_at: Mapped[CreatedAt]
    last_seen_at: Mapped[CreatedAt]
    expires_at: Mapped[datetime]
    address: Mapped[str | None]
    browser: Mapped[str | None]

    user: Mapped[User] = relationship(lazy="raise")

    __table_args__ = (
        CheckConstraint("octet_length(token_hash) = 32", name="token_hash"),
        CheckConstraint("expires_at > created_at", name="expires_later"),
    )
