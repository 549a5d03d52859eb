"""Shapes of `admin_number_drift`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from dataclasses import dataclass

from talktime_client._values import OpenEnum


class NumberDriftKind(OpenEnum):
    """In what a number differs."""

    ONLY_THERE = "only_there"
    ONLY_HERE = "only_here"
    OTHER_DOORS = "other_doors"
    OTHER_NAME = "other_name"
    NOT_GIVEN_BACK = "not_given_back"
    NOBODYS = "nobodys"
    ARCHIVED_AGENT = "archived_agent"
    NOT_TOLD = "not_told"


@dataclass(frozen=True, slots=True)
class NumberDrift:
    """A number in which pool and carrier differ."""

    number: str
    carrier: str
    difference: NumberDriftKind
    detail: str
    sentence: str
    """What it means, and what to do."""


@dataclass(frozen=True, slots=True)
class NumberDrifts:
    """Everything in which the pool and its carriers differ."""

    data: tuple[NumberDrift, ...]
