"""Shapes of `admin_calls`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Waived:
    """What was given back for a call."""

    amount: int
    balance: int
