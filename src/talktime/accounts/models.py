"""People who sign in, the browsers and keys they do it with, and what was done to whom.

Users, sessions, links and keys are directory tables: an e-mail address and a token are unique in the whole system, and
are looked for before anybody knows whose they are. Of a token only the hash is stored.
"""

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, Double, ForeignKey, Index, SmallInteger, Text, text
from sqlalchemy.dialects.postgresql import JSONB
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
    email_confirmed_at: Mapped[datetime | None]
    """When a link that went to the address was opened; None for somebody whom the operator made."""
    totp_secret: Mapped[bytes | None]
    """The second factor's key, sealed (`security.seal`); it counts from `totp_since` on."""
    totp_since: Mapped[datetime | None]
    totp_step: Mapped[int | None] = mapped_column(BigInteger)
    """The last half minute whose code was taken: none is taken twice (RFC 6238, 5.2)."""
    closed_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]

    __table_args__ = (
        Index("uq_users_email_lower", text("lower(email)"), unique=True),
        CheckConstraint("email LIKE '%_@_%'", name="email"),
        # Fails for a zone that PostgreSQL does not know: the books count a day in it.
        CheckConstraint("(TIMESTAMPTZ '2000-01-01 00:00+00' AT TIME ZONE zone) IS NOT NULL", name="zone"),
        CheckConstraint("totp_since IS NULL OR totp_secret IS NOT NULL", name="totp"),
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
    """The end, however busy it is; an idle one ends before (`sessions.IDLE`)."""
    address: Mapped[str | None]
    browser: Mapped[str | None]
    second_factor_due: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """The password was right; until the second factor was too, this browser may do nothing else."""
    confirmed_at: Mapped[CreatedAt]
    """When whoever sits there last proved who they are; changing a password or a second factor asks for a fresh one."""
    actor_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))
    """The operator who is signed in as this user; None for the user themselves."""

    user: Mapped[User] = relationship(lazy="raise", foreign_keys=[user_id])

    __table_args__ = (
        CheckConstraint("octet_length(token_hash) = 32", name="token_hash"),
        CheckConstraint("expires_at > created_at", name="expires_later"),
    )


class LinkPurpose(StrEnum):
    """What a one-time link is good for."""

    SIGN_UP = "SIGN_UP"
    """Make the account of the address that it was sent to."""
    INVITE = "INVITE"
    """The same by an operator's leave, also where signing up is switched off; with the role that they chose."""
    SIGN_IN = "SIGN_IN"
    RESET = "RESET"
    """Choose a new password, or the first."""
    CHANGE_EMAIL = "CHANGE_EMAIL"


class Link(Model):
    """A one-time link. Its token is random, or an HMAC over its id where a job has to write it into a mail."""

    __tablename__ = "account_links"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    purpose: Mapped[LinkPurpose] = mapped_column(enum(LinkPurpose, "link_purpose"))
    user_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"), index=True)
    email: Mapped[str | None]
    """The address it went to, where that is not the user's."""
    locale: Mapped[str | None]
    """The language to write to somebody in who has no account yet."""
    role: Mapped[Role | None] = mapped_column(enum(Role, "role"))
    made_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("octet_length(token_hash) = 32", name="token_hash"),
        CheckConstraint("expires_at > created_at", name="expires_later"),
        CheckConstraint("(role IS NOT NULL) = (purpose = 'INVITE')", name="role"),
        CheckConstraint("(user_id IS NULL) = (purpose IN ('SIGN_UP', 'INVITE'))", name="user"),
        CheckConstraint("email IS NOT NULL OR purpose NOT IN ('SIGN_UP', 'CHANGE_EMAIL')", name="email"),
        Index("ix_account_links_expires_at", "expires_at"),
    )


class RecoveryCode(Model):
    """One way in for somebody who lost their second factor; each works once."""

    __tablename__ = "recovery_codes"

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    code_hash: Mapped[bytes] = mapped_column(primary_key=True)
    """SHA-256 of the code with its owner: a code has 80 random bits, so a slow hash would add nothing."""
    used_at: Mapped[datetime | None]

    __table_args__ = (CheckConstraint("octet_length(code_hash) = 32", name="code_hash"),)


class Throttle(Model):
    """How often something was tried lately: a bucket that leaks. In the database, so that it counts for all processes
    and outlives them."""

    __tablename__ = "throttles"

    key: Mapped[bytes] = mapped_column(primary_key=True)
    """An HMAC over what is counted: no address of anybody is kept here."""
    level: Mapped[float] = mapped_column(Double)
    updated_at: Mapped[CreatedAt]

    __table_args__ = (
        CheckConstraint("octet_length(key) = 32", name="key"),
        CheckConstraint("level >= 0", name="level"),
        Index("ix_throttles_updated_at", "updated_at"),
    )


class ApiKey(Model):
    """What a program carries instead of a browser's session."""

    __tablename__ = "api_keys"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    key_hash: Mapped[bytes] = mapped_column(unique=True)
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), index=True)
    name: Mapped[str]
    prefix: Mapped[str]
    """The key's beginning, by which its owner knows it again."""
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    created_at: Mapped[CreatedAt]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    """When it opens nothing any more, because another one has taken its place; None for never."""

    __table_args__ = (
        CheckConstraint("octet_length(key_hash) = 32", name="key_hash"),
        CheckConstraint("length(name) BETWEEN 1 AND 80", name="name"),
        CheckConstraint("cardinality(scopes) > 0", name="scopes"),
    )


class IdempotencyKey(Model):
    """What a program asked for under a key of its own, and what it was answered: the same again when it asks again."""

    __tablename__ = "idempotency_keys"

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[bytes]
    """SHA-256 of the request."""
    created_at: Mapped[CreatedAt]
    claimed_at: Mapped[CreatedAt]
    """When somebody last began to do it, where that takes more than one transaction."""
    status: Mapped[int | None] = mapped_column(SmallInteger)
    """Of the answer; None while it is under way."""
    answer: Mapped[bytes | None]
    """The answer, sealed: a new API key stands in clear nowhere."""

    __table_args__ = (
        CheckConstraint("length(key) BETWEEN 1 AND 255", name="key"),
        CheckConstraint("octet_length(digest) = 32", name="digest"),
        CheckConstraint("(status IS NULL) = (answer IS NULL)", name="answer"),
        Index("ix_idempotency_keys_created_at", "created_at"),
    )


class AuditEntry(Model):
    """Who did what to whom. Only `audit_v1` writes it, and nobody changes it; ids and states, never personal data."""

    __tablename__ = "audit_entries"

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    """Whom it is about; of a change that is about nobody in particular, the operator who made it."""
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    actor_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"), index=True)
    """Who did it; None for nobody who was signed in, and for us."""
    act: Mapped[str]
    """`session.began`, `price.set`: a noun and what happened to it."""
    before: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    after: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    door: Mapped[str]
    """`web`, `api`, `command`, `worker`."""
    network: Mapped[str | None]
    """Where from: the /24 or /48 of the address, which says enough and stays when a person is forgotten."""
    hash: Mapped[bytes]
    """SHA-256 over the entry and the hash before it."""

    __table_args__ = (
        CheckConstraint("seq > 0", name="seq"),
        CheckConstraint("act ~ '^[a-z_]+[.][a-z_]+$'", name="act"),
        CheckConstraint("door IN ('web', 'api', 'command', 'worker')", name="door"),
        CheckConstraint("octet_length(hash) = 32", name="hash"),
        Index("ix_audit_entries_at", "at"),
    )


class AuditHead(Model):
    """Where a user's chain of entries ends, so that one cut short is seen; locked by whoever writes the next."""

    __tablename__ = "audit_heads"

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[bytes]
