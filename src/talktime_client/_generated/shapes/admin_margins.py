"""Shapes of `admin_margins`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from talktime_client._values import OpenEnum


class MarginsBy(OpenEnum):
    """What margins are listed by."""

    DAY = "day"
    USER = "user"
    AGENT = "agent"


MarginsByName: TypeAlias = Literal["day", "user", "agent"]


@dataclass(frozen=True, slots=True)
class Margin:
    """What some calls brought in against what they cost, in millionths of currencies' units."""

    key: str
    """The day, or the id of the user, the agent or the call."""
    calls: int
    seconds: int
    credits: int
    revenue: Mapping[str, int]
    cost: Mapping[str, int]
    unknown: tuple[str, ...]
    """What else was used, and nobody has said the price of."""
    estimated: bool
    """Some of the cost is a guess."""
    margin: Mapping[str, int] | None
    """Null while some of the cost is unknown."""
