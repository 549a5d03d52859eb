"""Shapes of `admin_audit`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what to whom, and from where."""

    user_id: UUID
    """Whom it is about."""
    seq: int
    """Its number in their chain."""
    at: datetime
    actor_id: UUID | None
    """Who did it; null for the installation itself."""
    act: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    door: str
    network: str | None
    hash: str


@dataclass(frozen=True, slots=True)
class Violation:
    """What is wrong with a chain, and where."""

    seq: int
    problem: str
    """`changed`, `missing` (before this one), `cut short`, `beyond the end`."""


@dataclass(frozen=True, slots=True)
class AuditProof:
    """What a proof of somebody's chain found."""

    entries: int
    is_clean: bool
    violations: tuple[Violation, ...]
