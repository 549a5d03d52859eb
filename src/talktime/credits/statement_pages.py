"""A month of the ledger as documents have it, and read piece by piece for somebody who may read slowly.

The rule: no transaction is held while a reader reads. A ledger only grows at its end, so the lines between two numbers
are the same in each transaction.
"""

import uuid
from collections.abc import AsyncIterator
from datetime import date

from talktime.credits import statements
from talktime.credits.statements import Statement
from talktime.db.session import Database
from talktime.documents import values

_PIECE = 1000


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
    """One line, with what it was for in a few words; never who called."""
    return values.StatementLine(
        line.seq, line.at, line.type.value, description_of(line), line.amount, line.balance_after
    )


def description_of(line: statements.StatementLine) -> str:
    """What a line was for."""
    if line.reason:
        return line.reason.replace("_", " ") if line.call_id is not None else line.reason
    if line.call_id is not None:
        return f"call {line.call_id}"
    return f"purchase {line.purchase_id}" if line.purchase_id is not None else line.reference or ""


async def stream_on_paper(
    database: Database, user: uuid.UUID, month: date, zone: str
) -> AsyncIterator[values.StatementLine]:
    """The lines of a month one by one, read in pieces, each in a transaction of its own."""
    async with database.transaction(user=user) as db:
        before, through = await statements.numbers(db, user, month, zone)
    while before < through:
        async with database.transaction(user=user) as db:
            piece = await statements.lines(db, user, before, min(through, before + _PIECE))
        for line in piece:
            yield on_paper(line)
        before += _PIECE
