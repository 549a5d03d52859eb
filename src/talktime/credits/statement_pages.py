"""A month of the ledger as documents have it: each line with what it was for in a few words.

The rule: who called stands in none of them.
"""

import uuid
from collections.abc import AsyncIterator
from datetime import date

from talktime.credits import statements
from talktime.credits.statements import Statement
from talktime.db.session import Database
from talktime.documents import values


def document_of(found: Statement, name: str) -> values.StatementDocument:
    """A statement as a page on paper."""
    return values.StatementDocument(
        user_name=name,
        month=found.month,
        zone=found.zone,
        opening_balance=found.opening_balance,
        lines=tuple(on_paper(line) for line in found.lines),
        closing_balance=found.closing_balance,
    )


def on_paper(line: statements.StatementLine) -> values.StatementLine:
    """One line."""
    return values.StatementLine(
        line.seq, line.at, line.type.value, description_of(line), line.amount, line.balance_after
    )


def description_of(line: statements.StatementLine) -> str:
    """What a line was for: names and numbers, which are the same in all languages, or the words of whoever wrote it."""
    if line.reason:
        return line.reason.replace("_", " ") if line.call_id is not None else line.reason
    if line.call_id is not None:
        return str(line.call_id)
    if line.purchase_id is not None:
        return ", ".join(filter(None, (line.purchase_name, line.invoice_number))) or str(line.purchase_id)
    return line.reference or ""


async def stream_on_paper(
    database: Database, user: uuid.UUID, month: date, zone: str
) -> AsyncIterator[values.StatementLine]:
    """The lines of a month one by one, as `stream_lines` reads them."""
    async for line in statements.stream_lines(database, user, month, zone):
        yield on_paper(line)
