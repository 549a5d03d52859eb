"""The statement as a file for a spreadsheet, line by line, so that a year of it needs no more memory than a page.

The rule: RFC 4180, and no cell is ever a formula. What people wrote gets an apostrophe in front when a spreadsheet
would take it for one; numbers stay numbers, and times are ISO 8601 in UTC.
"""

import csv
import io
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Sequence
from datetime import UTC
from itertools import islice

from talktime.documents.values import StatementLine

HEADER = ("seq", "at", "kind", "description", "amount", "balance_after")
_FORMULA_BEGINS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_LINES_PER_CHUNK = 500


def statement_csv(rows: Iterable[StatementLine]) -> Iterator[str]:
    """The lines as text, in chunks; the first begins with the names of the columns."""
    yield csv_text([HEADER])
    waiting = iter(rows)
    while chunk := list(islice(waiting, _LINES_PER_CHUNK)):
        yield csv_text([_cells(row) for row in chunk])


async def stream_statement_csv(rows: AsyncIterable[StatementLine]) -> AsyncIterator[str]:
    """The same, for lines that come while they are read."""
    yield csv_text([HEADER])
    chunk: list[Sequence[str | int]] = []
    async for row in rows:
        chunk.append(_cells(row))
        if len(chunk) >= _LINES_PER_CHUNK:
            yield csv_text(chunk)
            chunk = []
    if chunk:
        yield csv_text(chunk)


def _cells(row: StatementLine) -> Sequence[str | int]:
    at = row.at.astimezone(UTC).isoformat()
    return (row.seq, at, harmless(row.kind), harmless(row.description), row.amount, row.balance_after)


def harmless(text: str) -> str:
    """What people wrote, as a cell that no spreadsheet takes for a formula, and that any of them can read."""
    # NUL ends a cell, or the file, for some readers; a lone surrogate cannot be encoded, and would end the download.
    text = text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    # Some spreadsheets skip what is blank before they look for a formula.
    begins_formula = text.startswith(_FORMULA_BEGINS) or text.lstrip().startswith(_FORMULA_BEGINS)
    return f"'{text}" if begins_formula else text


def csv_text(rows: Iterable[Sequence[str | int]]) -> str:
    """Rows as RFC 4180 has them; the cells are to be `harmless` already."""
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\r\n").writerows(rows)
    return buffer.getvalue()
