"""Shapes of `admin_limits`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Limits:
    """How far an account may go."""

    grace_limit: int
    """How far running calls may go below zero, in credits."""
    max_open_calls: int
    etag: str | None = field(default=None, compare=False)
    """The state that it is in, for `if_match`; None in a list."""
