"""The bench of the doors runs and says what it promises to say; how fast it was is not asked here."""

import json
import os

import pytest
from bench.http import Figures

from bench import http

LONG = bool(os.environ.get("TALKTIME_TEST_LONG"))


@pytest.mark.skipif(not LONG, reason="starts three servers: with make test-long only")
def test_the_bench_loses_nothing_and_ends_with_json(capsys: pytest.CaptureFixture[str]) -> None:
    http.main(
        ["--users=30", "--calls=3000", "--pages=10", "--reads=20", "--rings=50", "--events=300"],
    )
    said = capsys.readouterr().out.strip().splitlines()
    document = json.loads(said[-1])
    assert document.keys() >= {"list_p99_ms", "ring_p99_ms", "intake_per_s", "intake_p99_ms", "lost"}
    assert document["list_p99_ms"].keys() == {"1", "10"}
    assert document["lost"] == 0
    assert document["ring_p99_ms"] > 0
    assert "The books are right." in said


def test_a_bench_that_lost_something_or_is_too_slow_does_not_pass() -> None:
    good = Figures(
        10, 10, list_p99_ms={"1": 5.0, "10000": 6.0}, ring_p99_ms=30, intake_per_s=600, intake_p99_ms=40, handled_s=9,
        books_are_right=True,
    )  # fmt: skip
    assert http.passes(good)
    for name, value in (
        ("lost", 1), ("books_are_right", False), ("ring_p99_ms", 101), ("intake_per_s", 499), ("intake_p99_ms", 101),
        ("handled_s", 61), ("list_p99_ms", {"1": 5.0, "10000": 11.0}),
    ):  # fmt: skip
        bad = Figures(**{**{name: getattr(good, name) for name in good.__dataclass_fields__}, name: value})
        assert not http.passes(bad), name
