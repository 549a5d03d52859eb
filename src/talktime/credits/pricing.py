"""What a call costs. The database decides (`sql/10_rules.sql`); this is the same arithmetic for pages, estimates and
receipts, and a test holds the two against each other.
"""

from dataclasses import dataclass

GRANT_SECONDS_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class Rate:
    """The price of one call, frozen when it rang."""

    credits_per_minute: int
    connection_fee: int = 0
    initial_seconds: int = 60
    increment_seconds: int = 60
    free_seconds: int = 0
    """A call shorter than this is not charged."""

    def billable_seconds(self, seconds: int) -> int:
        """Talk of so many seconds, rounded up to whole steps; 0 when it is free."""
        if seconds <= 0 or seconds < self.free_seconds:
            return 0
        return self.initial_seconds + self._steps(max(0, seconds - self.initial_seconds))

    def cost(self, seconds: int) -> int:
        """Credits for so many seconds: fee + ceil(rate × billable / 60), rounded once, at the end, up."""
        billable = self.billable_seconds(seconds)
        return self.connection_fee + _ceil(self.credits_per_minute * billable, 60) if billable else 0

    def affords(self, budget: int) -> int:
        """The longest grant in seconds that a budget in credits pays for; 0 when not even the first step."""
        if budget < self.connection_fee + _ceil(self.credits_per_minute * self.initial_seconds, 60):
            return 0
        if self.credits_per_minute == 0:
            return GRANT_SECONDS_MAX
        seconds = (budget - self.connection_fee) * 60 // self.credits_per_minute
        steps = (seconds - self.initial_seconds) // self.increment_seconds
        return min(GRANT_SECONDS_MAX, self.initial_seconds + steps * self.increment_seconds)

    def _steps(self, seconds: int) -> int:
        return _ceil(seconds, self.increment_seconds) * self.increment_seconds


def _ceil(value: int, divisor: int) -> int:
    return -(-value // divisor)
