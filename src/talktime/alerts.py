"""What a person must see: listed, and acknowledged by name. Written in the transaction of the fact."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from talktime.db.base import CreatedAt, Model, new_id


class Alert(Model):
    """What a person must see: listed until somebody acknowledges it by name."""

    __tablename__ = "alerts"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[str]
    user_id: Mapped[uuid.UUID | None]
    """Whom it is about; ids only, never personal data."""
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'"))
    created_at: Mapped[CreatedAt]
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[uuid.UUID | None]

    __table_args__ = (Index("ix_alerts_open", "created_at", postgresql_where=text("acknowledged_at IS NULL")),)
