"""Shapes of `credits`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class CreditSettings:
    """What the customer lets be spent, and when they want to be told; null is no limit, and never."""

    day_limit: int | None
    """At most so many credits a day, in the account's time zone."""
    call_limit: int | None
    """At most so many credits for one call."""
    caller_limit: int | None
    """At most so many credits a day for the calls of one caller."""
    low_balance: int | None
    """Below so many credits the customer is told, once each time."""
    etag: str | None = field(default=None, compare=False)
    """The state that it is in, for `if_match`; None in a list."""


@dataclass(frozen=True, slots=True)
class Credits:
    """What there is, and how far calls may go."""

    balance: int
    """The sum of the ledger's lines. Below zero is grace in use, or money taken back."""
    held: int
    """Set aside for calls that run."""
    free: int
    """What a new call can begin with."""
    debt: int
    """While above zero no call begins."""
    is_blocked: bool
    """Nothing begins, because the account is suspended."""
    days_left: int | None
    """How long the free credits last if calls go on costing what they did; null while they cost nothing."""
    grace_limit: int
    """How far running calls may go below zero."""
    open_calls: int
    max_open_calls: int
    spent_today: int
    """By calls since midnight in the account's time zone, with what running ones hold."""
