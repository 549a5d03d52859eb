"""Shapes of `keys`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

from talktime_client._values import OpenEnum


class Scope(OpenEnum):
    """What a key may do. Writing does not include reading."""

    ACCOUNT_READ = "account:read"
    ACCOUNT_WRITE = "account:write"
    AGENTS_READ = "agents:read"
    AGENTS_WRITE = "agents:write"
    CALLS_READ = "calls:read"
    CALLS_WRITE = "calls:write"
    CREDITS_READ = "credits:read"
    CREDITS_WRITE = "credits:write"
    NUMBERS_READ = "numbers:read"
    NUMBERS_WRITE = "numbers:write"
    WEBHOOKS_READ = "webhooks:read"
    WEBHOOKS_WRITE = "webhooks:write"
    KEYS_READ = "keys:read"
    KEYS_WRITE = "keys:write"
    ADMIN_READ = "admin:read"
    ADMIN_WRITE = "admin:write"


ScopeName: TypeAlias = Literal[
    "account:read",
    "account:write",
    "agents:read",
    "agents:write",
    "calls:read",
    "calls:write",
    "credits:read",
    "credits:write",
    "numbers:read",
    "numbers:write",
    "webhooks:read",
    "webhooks:write",
    "keys:read",
    "keys:write",
    "admin:read",
    "admin:write",
]


@dataclass(frozen=True, slots=True)
class Key:
    """A key, as its owner knows it again."""

    id: UUID
    name: str
    prefix: str
    scopes: tuple[Scope, ...]
    created_at: datetime
    last_used_at: datetime | None
    """To the minute."""
    revoked_at: datetime | None
    expires_at: datetime | None
    """When it ends because another one has taken its place."""


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A new key, with the only sight of its secret there will ever be."""

    key: Key
    secret: str = field(repr=False)
    """Send it as `Authorization: Bearer …`. Only its hash is kept."""
