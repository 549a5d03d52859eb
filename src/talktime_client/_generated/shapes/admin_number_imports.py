"""Shapes of `admin_number_imports`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NumberImport:
    """What was taken in."""

    added: tuple[str, ...]
    renamed: tuple[str, ...]
    """Known before, and now tied to the carrier's name of them."""
    known: int
    refused: Mapping[str, str]
    """Numbers that may not be in the pool, and why."""
