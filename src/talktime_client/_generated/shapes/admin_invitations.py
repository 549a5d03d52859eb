"""Shapes of `admin_invitations`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Invitation:
    """A link that makes an account, once, within a week. Hand it over yourself."""

    id: UUID
    url: str
