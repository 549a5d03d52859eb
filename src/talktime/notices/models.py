"""What a customer is to be told, and what they want to be told by mail. A row is written in the transaction of the
fact; sending it is somebody else's turn.

Once per (user, kind, subject): whoever writes the same again changes nothing. The detail holds ids and sums only, never
personal data, and never a caller's number.
"""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from talktime.accounts.models import User
from talktime.db.base import CreatedAt, Model, UpdatedAt, new_id


class Notice(Model):
    """One thing to tell one customer."""

    __tablename__ = "notices"

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[str]
    """One of `notices.kinds.KINDS`."""
    subject: Mapped[str]
    """What it is about, so that it is said once: a call's id, a purchase's, a day."""
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'"))
    """Ids and sums; what each kind needs stands in `notices.kinds`."""
    created_at: Mapped[CreatedAt]
    not_before: Mapped[CreatedAt]
    """When it may be sent; moved ahead while somebody is sending it, and after a failure."""
    tries: Mapped[int] = mapped_column(server_default=text("0"))
    mailed_at: Mapped[datetime | None]
    dropped_at: Mapped[datetime | None]
    """When it was given up, and in `dropped_reason` why: nobody is told any more."""
    dropped_reason: Mapped[str | None]

    user: Mapped[User] = relationship(lazy="raise", viewonly=True)

    __table_args__ = (
        Index("uq_notices_user_id_kind_subject", "user_id", "kind", "subject", unique=True),
        Index("ix_notices_unsent", "not_before", postgresql_where=text("mailed_at IS NULL AND dropped_at IS NULL")),
        # One mail at a time gathers missed calls, until somebody begins to send it.
        Index(
            "uq_notices_gathering",
            "user_id",
            unique=True,
            postgresql_where=text("kind = 'missed_calls' AND tries = 0 AND mailed_at IS NULL AND dropped_at IS NULL"),
        ),
        CheckConstraint("length(kind) BETWEEN 1 AND 100 AND length(subject) BETWEEN 1 AND 200", name="texts"),
        CheckConstraint("jsonb_typeof(detail) = 'object'", name="detail"),
        CheckConstraint("tries >= 0", name="tries"),
        CheckConstraint("mailed_at IS NULL OR dropped_at IS NULL", name="one_end"),
        CheckConstraint("(dropped_at IS NULL) = (dropped_reason IS NULL)", name="dropped_reason"),
    )


class MailChoice(Model):
    """What one customer wants to be told by mail; who has no row gets what `notices.choices` says by default. What is
    about money or about how they come in is told in any case."""

    __tablename__ = "mail_choices"

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    digest: Mapped[bool]
    """Every morning, what yesterday brought; nothing when it brought nothing."""
    messages: Mapped[bool]
    """Each message that was taken."""
    missed_calls: Mapped[bool]
    """Calls that nobody talked to, some minutes of them at once."""
    summaries: Mapped[bool]
    """How each call went."""
    updated_at: Mapped[UpdatedAt]
