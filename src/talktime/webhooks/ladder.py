"""When something that failed is tried again, and when nobody tries any more (Standard Webhooks, "Retries").

The rule: every wait has an end. A receiver may ask for a longer one (`Retry-After`), and gets an hour at most.
"""

import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

WAITS_SECONDS = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""How long after each failure; after the one that follows the last of them an event is given up."""
TRIES_MAX = len(WAITS_SECONDS) + 1
JITTER = 0.2
"""Up to so much of a wait is added, so that what failed together does not come back together."""
REST_SECONDS_MAX = 3600.0
FAILING_MAX = timedelta(days=5)
"""An endpoint at which everything failed for so long is switched off."""


def wait_after(tries: int) -> float | None:
    """Seconds to wait after this many tries have failed; None when that was the last one."""
    assert tries >= 1, tries
    if tries >= TRIES_MAX:
        return None
    return WAITS_SECONDS[tries - 1] * random.uniform(1, 1 + JITTER)


def rest_asked(status: int | None, headers: Mapping[str, str], now: datetime) -> float:
    """How many seconds a receiver asks to be left alone (RFC 9110, 10.2.3): with 429 and 503, and never for long."""
    if status not in (429, 503):
        return 0.0
    said = headers.get("retry-after", "").strip()
    if said.isascii() and said.isdigit():
        seconds = float(said[:9])
    else:
        try:
            at = parsedate_to_datetime(said)
        except (ValueError, TypeError, OverflowError):
            return 0.0
        seconds = ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds()
    return min(REST_SECONDS_MAX, max(0.0, seconds))
