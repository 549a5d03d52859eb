"""Shapes of `account`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

from talktime_client._values import OpenEnum


class Role(OpenEnum):
    """What somebody may do: a customer, or the operator."""

    USER = "USER"
    ADMIN = "ADMIN"


RoleName: TypeAlias = Literal["USER", "ADMIN"]


@dataclass(frozen=True, slots=True)
class Account:
    """A customer."""

    id: UUID
    email: str
    name: str
    locale: str
    """The language of pages and mails: `en` or `de`."""
    zone: str
    """Whose midnight days and months begin at: `Europe/Berlin`."""
    role: Role
    email_confirmed_at: datetime | None
    created_at: datetime
    etag: str | None = field(default=None, compare=False)
    """The state that it is in, for `if_match`; None in a list."""


@dataclass(frozen=True, slots=True)
class MailChoices:
    """What the customer is told by mail beside what must be told."""

    digest: bool
    """Every morning, what yesterday brought."""
    messages: bool
    """Each message that was taken."""
    missed_calls: bool
    """Calls that nobody talked to."""
    summaries: bool
    """How each call went."""
    etag: str | None = field(default=None, compare=False)
    """The state that it is in, for `if_match`; None in a list."""
