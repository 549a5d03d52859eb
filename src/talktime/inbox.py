"""Every event of a provider: verified, stored once, answered, handled once in a job, replayable.

The rule: acknowledge only what is stored. A second delivery finds its row by (provider, account, event id) and changes
nothing.
"""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from talktime.db.base import CreatedAt, Model, new_id


class ProviderEvent(Model):
    """One event as it came. Kept for 30 days."""

    __tablename__ = "provider_events"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    provider: Mapped[str]
    account: Mapped[str]
    event_id: Mapped[str]
    kind: Mapped[str]
    body: Mapped[bytes]
    headers: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'"))
    """An allow-list of them; never an authorisation."""
    received_at: Mapped[CreatedAt]
    handled_at: Mapped[datetime | None]
    verdict: Mapped[str | None]
    """What handling it came to: `handled`, `nothing to do`, `unknown call`."""
    error: Mapped[str | None]
    tries: Mapped[int] = mapped_column(default=0, server_default=text("0"))

    __table_args__ = (
        Index("uq_provider_events_event", "provider", "account", "event_id", unique=True),
        Index("ix_provider_events_unhandled", "received_at", postgresql_where=text("handled_at IS NULL")),
    )
