"""The bench of the books runs and says what it promises to say; how fast it was is not asked here."""

import json

import pytest

from bench import ledger


def test_the_bench_ends_with_json_and_right_books(capsys: pytest.CaptureFixture[str]) -> None:
    ledger.main(["--rounds=1", "--seconds=0", "--users=800", "--scale=1", "--statement-lines=5000", "--verify-lines=0"])
    document = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert document["ratios"].keys() >= {"post", "authorise", "extend", "settle", "batch", "hot", "python"}
    assert all(ratio > 0 for ratio in document["ratios"].values())
    assert document["books_are_right"]
    assert document["statement_seconds"] > 0
    assert document["verify_lines_per_second"] > 0
