"""Shapes of `admin_cost_rates`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from talktime_client._values import OpenEnum


class CostKind(OpenEnum):
    """What a provider is paid for."""

    AUDIO_SECONDS = "AUDIO_SECONDS"
    CHARACTERS = "CHARACTERS"
    PROMPT_TOKENS = "PROMPT_TOKENS"
    CACHED_TOKENS = "CACHED_TOKENS"
    COMPLETION_TOKENS = "COMPLETION_TOKENS"
    CARRIER_SECONDS = "CARRIER_SECONDS"


CostKindName: TypeAlias = Literal[
    "AUDIO_SECONDS", "CHARACTERS", "PROMPT_TOKENS", "CACHED_TOKENS", "COMPLETION_TOKENS", "CARRIER_SECONDS"
]


@dataclass(frozen=True, slots=True)
class CostRate:
    """What a provider takes for so many units, from a moment on."""

    provider: str
    kind: CostKind
    valid_from: datetime
    units: int
    amount_micros: int
    """Millionths of the currency's unit."""
    currency: str
