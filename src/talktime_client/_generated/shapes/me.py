"""Shapes of `me`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from dataclasses import dataclass
from uuid import UUID

from talktime_client._generated.shapes.account import Role
from talktime_client._generated.shapes.keys import Scope


@dataclass(frozen=True, slots=True)
class Me:
    """Whose key this is, and what it may do."""

    user_id: UUID
    key_id: UUID
    role: Role
    scopes: tuple[Scope, ...]
    zone: str
    locale: str
