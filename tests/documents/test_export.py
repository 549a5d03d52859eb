"""The statement for a spreadsheet: what was written comes back, and nothing in it is a formula."""

import csv
import io
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talktime.documents.export import HEADER, statement_csv, stream_statement_csv
from talktime.documents.values import StatementLine
from tests.documents.samples import statement

LINE = StatementLine(1, datetime(2026, 11, 3, 13, 4, 16, tzinfo=UTC), "CALL_USAGE", "Call", -45, -3)


def rows_of(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


def test_every_line_comes_back_as_it_was() -> None:
    month = statement(3)
    header, *rows = rows_of("".join(statement_csv(month.lines)))
    assert header == list(HEADER)
    assert rows == [
        [str(line.seq), line.at.isoformat(), line.kind, line.description, str(line.amount), str(line.balance_after)]
        for line in month.lines
    ]


def test_a_month_without_lines_is_a_header() -> None:
    assert "".join(statement_csv([])) == "seq,at,kind,description,amount,balance_after\r\n"


def test_lines_end_as_the_standard_says_and_quotes_are_doubled() -> None:
    text = "".join(statement_csv([replace(LINE, description='Call to "Müller, Söhne"\nand back')]))
    assert text.endswith('1,2026-11-03T13:04:16+00:00,CALL_USAGE,"Call to ""Müller, Söhne""\nand back",-45,-3\r\n')


@pytest.mark.parametrize(
    "text", ["=1+1", "+49 160", "-2", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "\u00a0=1", "＝1", "＋1", "－1", "＠A"]
)
def test_what_a_spreadsheet_would_run_is_defused(text: str) -> None:
    ((_, _, kind, description, amount, _),) = rows_of(
        "".join(statement_csv([replace(LINE, kind=text, description=text)]))
    )[1:]
    assert kind == description == f"'{text}"
    assert amount == "-45", "numbers stay numbers"


@given(st.text())
def test_no_text_breaks_the_file_or_becomes_a_formula(text: str) -> None:
    whole = "".join(statement_csv([replace(LINE, description=text), LINE]))
    whole.encode()
    rows = rows_of(whole)
    assert len(rows) == 3
    assert all(len(row) == len(HEADER) for row in rows)
    assert not rows[1][3].lstrip().startswith(("=", "+", "-", "@"))
    assert rows[1][3].removeprefix("'") == text.replace("\0", "\ufffd").removeprefix("'")


def test_half_a_character_does_not_end_the_download() -> None:
    text = "".join(statement_csv([replace(LINE, description="a\ud800b\0")]))
    assert rows_of(text.encode().decode())[1][3] == "a\ufffdb\ufffd"


async def test_lines_that_come_while_they_are_read_give_the_same_file() -> None:
    month = statement(1234)

    async def coming() -> AsyncIterator[StatementLine]:
        for line in month.lines:
            yield line

    chunks = [chunk async for chunk in stream_statement_csv(coming())]
    assert len(chunks) > 2
    assert "".join(chunks) == "".join(statement_csv(month.lines))


def test_a_long_file_is_never_in_memory_as_a_whole() -> None:
    def many() -> Iterator[StatementLine]:
        for seq in range(40_000):
            yield replace(LINE, seq=seq)

    tracemalloc.start()
    try:
        length = sum(len(chunk) for chunk in statement_csv(many()))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert length > 2_000_000
    assert peak < 1_000_000
