"""The waits after failures, and what a receiver may ask for."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from talktime.webhooks import ladder

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_the_ladder_is_the_one_of_standard_webhooks() -> None:
    minutes = [1 / 12, 5, 30, 120, 300, 600, 840, 1200, 1440]
    for tries, expected in enumerate(minutes, start=1):
        waits = [ladder.wait_after(tries) for _ in range(50)]
        assert all(wait is not None and expected * 60 <= wait <= expected * 60 * 1.2 for wait in waits)
        assert len(set(waits)) > 40, "what failed together comes back together"
    assert ladder.wait_after(10) is None
    assert ladder.wait_after(11) is None


@pytest.mark.parametrize(
    ("status", "said", "seconds"),
    [
        (429, "17", 17),
        (503, "17", 17),
        (503, " 17 ", 17),
        (429, "99999999999999999999", 3600),
        (429, "-5", 0),
        (429, "1e3", 0),
        (429, "soon", 0),
        (429, "", 0),
        (429, "١٧", 0),
        (429, "\0" * 40, 0),
        (500, "17", 0),
        (200, "17", 0),
        (None, "17", 0),
        (429, format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90),
        (429, format_datetime(NOW - timedelta(seconds=90), usegmt=True), 0),
        (429, format_datetime(NOW + timedelta(days=900), usegmt=True), 3600),
        (429, "Sun, 99 Mar 2026 12:00:00 GMT", 0),
    ],
)
def test_a_rest_that_is_asked_for_is_given_and_bounded(status: int | None, said: str, seconds: float) -> None:
    assert ladder.rest_asked(status, {"retry-after": said}, NOW) == seconds


def test_without_the_header_no_rest_is_asked_for() -> None:
    assert ladder.rest_asked(429, {}, NOW) == 0
