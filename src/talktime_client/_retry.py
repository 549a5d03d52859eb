"""When a request is sent again, and how long that waits. Nothing in this file does anything: it only says.

The rule: a request is sent again only when it cannot be done twice by that. That is so when it never reached the
server, when the server says that it was too early for it (429), and otherwise for reading and for what carries an
Idempotency-Key alone. Every wait, every count and the whole are bounded.
"""

import random
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from talktime_client._exchange import Answer, Asked
from talktime_client.errors import UNDER_WAY, ConnectionFailed

_GATEWAY = (502, 503, 504)
"""What is tried again with an idempotency key: after any other failure of the server nothing would be better."""


@dataclass(frozen=True, slots=True)
class Retry:
    """How stubborn a client is. `Retry(tries_max=1)` never sends anything twice."""

    tries_max: int = 5
    """With the first. Waiting for a request of our own that is still under way does not count, but takes time."""
    seconds_max: float = 60.0
    """No try begins later than this after the first one; an answer that asks to wait beyond it is given at once."""
    first_wait_seconds: float = 0.5
    """Doubled from try to try, and shortened by up to half by chance."""
    wait_seconds_max: float = 8.0
    """Unless the server says (Retry-After) how long it wants."""


@dataclass(slots=True)
class Patience:
    """What is left of it for one request."""

    retry: Retry
    asked: Asked
    _tries: int = 0
    _began: float = field(default_factory=time.monotonic)

    def after_failure(self, failure: ConnectionFailed) -> float | None:
        """How many seconds to wait before the next try; None when there is none."""
        if failure.maybe_done and not self.asked.is_repeatable:
            return None
        return self._next(None)

    def after(self, answer: Answer) -> float | None:
        """The same after an answer."""
        if not self._is_worth_it(answer):
            return None
        return self._next(retry_after(answer), counts=not _is_under_way(answer))

    def _is_worth_it(self, answer: Answer) -> bool:
        if answer.status == 429:
            return True
        if answer.status >= 500:
            return self.asked.is_reading or (self.asked.is_repeatable and answer.status in _GATEWAY)
        return self.asked.is_repeatable and not self.asked.is_reading and _is_under_way(answer)

    def _next(self, asked_for: float | None, *, counts: bool = True) -> float | None:
        self._tries += counts
        if self._tries >= self.retry.tries_max:
            return None
        own = min(self.retry.wait_seconds_max, self.retry.first_wait_seconds * 2.0 ** max(0, self._tries - 1))
        wait = own * random.uniform(0.5, 1.0)
        if asked_for is not None:
            # Never earlier than it was asked for, and not all at the same moment.
            wait = max(wait, asked_for + random.uniform(0.0, 0.1) * min(asked_for, 1.0))
        return wait if time.monotonic() - self._began + wait <= self.retry.seconds_max else None


def retry_after(answer: Answer) -> float | None:
    """How many seconds the server wants to be left alone; None where it says nothing that can be read."""
    said = answer.headers.get("retry-after", "").strip()
    if said.isascii() and said.isdigit():
        return float(said[:9])
    try:
        moment = parsedate_to_datetime(said)
    except (ValueError, IndexError):
        return None
    if moment.tzinfo is None:
        return None
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _is_under_way(answer: Answer) -> bool:
    return answer.status == 409 and answer.problem_type == UNDER_WAY
