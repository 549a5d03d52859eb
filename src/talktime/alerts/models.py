"""What a person must see. Written in the transaction of the fact, also by database functions, so any kind may come.

A directory table: whom it is about may be nobody. The detail holds ids and sums only, never personal data.
"""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from talktime.db.base import CreatedAt, Model, new_id


class Alert(Model):
    """What a person must see: mailed, counted, and listed until somebody acknowledges it by name."""

    __tablename__ = "alerts"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[str]
    """One of `alerts.kinds.KINDS`, or one that they do not know yet."""
    user_id: Mapped[uuid.UUID | None]
    """Whom it is about; ids only, never personal data."""
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'"))
    created_at: Mapped[CreatedAt]
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[uuid.UUID | None]
    """None also where nothing was left to do, and it was put away by itself."""
    note: Mapped[str | None]
    """What whoever acknowledged it wants to be remembered."""
    digest_id: Mapped[uuid.UUID | None]
    """The mail it goes out with; one that may have gone out and is sent again keeps its id, and so its Message-ID."""
    digest_after: Mapped[datetime | None]
    """When that mail may be tried again, should it still be unsent."""
    mailed_at: Mapped[datetime | None]

    __table_args__ = (
        Index("ix_alerts_open", "created_at", postgresql_where=text("acknowledged_at IS NULL")),
        Index("ix_alerts_unmailed", "created_at", postgresql_where=text("mailed_at IS NULL")),
        Index("ix_alerts_kind", "kind"),
        Index("ix_alerts_created_at", "created_at", "id"),
        CheckConstraint("jsonb_typeof(detail) = 'object'", name="detail"),
        CheckConstraint("acknowledged_by IS NULL OR acknowledged_at IS NOT NULL", name="acknowledged_by"),
        CheckConstraint("note IS NULL OR (acknowledged_at IS NOT NULL AND length(note) <= 1000)", name="note"),
        CheckConstraint("mailed_at IS NULL OR digest_id IS NOT NULL", name="mailed_with"),
    )
