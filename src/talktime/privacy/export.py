"""Everything that a customer has, as one ZIP file.

It goes straight to whoever asks, page by page, each page read in a short transaction of its own. So a download that
takes an hour holds no transaction, needs little memory, and leaves no copy of anybody's calls on a disk. What it costs:
there is no one moment that all of it shows. Rows are paged by keys that never change, so none comes twice and none that
was there is missing; one that changes meanwhile stands in it as it was when its page was read.

The rule: every row is looked for by its owner's id, in the owner's own transaction wherever one reaches it, and no
secret is ever among them (`shelves.py` says what is in and what is not). A customer has one at a time, whichever
process makes it, because each keeps a database and a processor busy beside calls.
"""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy import select, tuple_

from talktime.accounts import audit, sessions
from talktime.accounts.models import User
from talktime.accounts.operators import require_operator
from talktime.accounts.sessions import Identity
from talktime.agents.models import Agent
from talktime.calls.models import Call
from talktime.credits import statements
from talktime.credits.account import opened_at
from talktime.credits.models import CreditHold
from talktime.credits.statement_pages import document_of, on_paper, stream_on_paper
from talktime.db.session import Database
from talktime.documents import values
from talktime.documents.export import csv_text, harmless, stream_statement_csv
from talktime.documents.invoice import render_invoice
from talktime.documents.statement import render_statement_pdf
from talktime.errors import Conflict, NotFound
from talktime.payments import invoices
from talktime.payments.invoice_models import Invoice
from talktime.privacy.alone import alone
from talktime.privacy.archive import Archive, Content
from talktime.privacy.readme import readme
from talktime.privacy.shelves import SHELVES, Shelf

WHY = "an export has rows that are found before anybody knows whose they are"
RECORDINGS = "recordings/{call_id}.wav"
"""Where the recording of a call would stand, and no other name: there are none yet."""

_PAGE = 200
"""Rows at once: few enough that who is on the telephone in this process notices nothing."""
_PDF_LINES_MAX = 5_000
"""Of a month; one that has more is there as a table only."""
_CALL_COLUMNS: dict[str, Any] = {
    "call_id": Call.id,
    "started_at": Call.started_at,
    "answered_at": Call.answered_at,
    "ended_at": Call.ended_at,
    "direction": Call.direction,
    "caller": Call.caller,
    "dialled": Call.dialled,
    "agent": Agent.name,
    "status": Call.status,
    "outcome": Call.outcome,
    "end_reason": Call.end_reason,
    "seconds": Call.seconds,
    "carrier_seconds": Call.carrier_seconds,
    "credits": CreditHold.charged + CreditHold.corrected,
    "summary": Call.summary,
    "put_through_from": Call.parent_id,
}


class ExportRuns(Conflict):
    """Your export is being sent already. Once it is complete, or you broke it off, you can begin another one."""


async def stream(database: Database, user: uuid.UUID, *, actor: uuid.UUID | None = None) -> AsyncGenerator[bytes, None]:
    """The archive, piece by piece. `actor` is the operator who asks for somebody else's; else it is the customer.

    Raises NotFound and NotAnOperator before the first piece.
    """
    async with database.transaction(everyone=WHY) as db:
        if actor is not None and actor != user:
            await require_operator(db, actor)
        found = await db.get(User, user)
        if found is None:
            raise NotFound("There is no such user.")
        await audit.record(db, user, actor or user, "user.exported")
    archive = Archive()
    try:
        # Closed by us and not when they are found to be garbage: whoever downloads may break off at any piece.
        async with contextlib.aclosing(_files(database, found)) as files:
            async for name, content in files:
                async with contextlib.aclosing(archive.add(name, content)) as pieces:
                    async for piece in pieces:
                        if piece:
                            yield piece
    finally:
        rest = archive.end()
    yield rest


def stream_own(database: Database, identity: Identity) -> AsyncGenerator[bytes, None]:
    """The archive of who is signed in. Raises OwnerOnly, ConfirmFirst; with the first piece, too, ExportRuns."""
    sessions.require_confirmed(identity)
    return _stream_alone(database, identity.user_id)


async def _stream_alone(database: Database, user: uuid.UUID) -> AsyncGenerator[bytes, None]:
    async with alone(database, f"export {user}") as is_alone:
        if not is_alone:
            raise ExportRuns
        async with contextlib.aclosing(stream(database, user)) as pieces:
            async for piece in pieces:
                yield piece


def file_name(user: uuid.UUID, now: datetime) -> str:
    """What to call the archive."""
    return f"talktime-{now:%Y-%m-%d}-{user}.zip"


async def _files(database: Database, user: User) -> AsyncGenerator[tuple[str, Content], None]:
    """What is in it, one after the other: each is read while it is packed."""
    yield "README.txt", _whole(readme(user.name, user.locale, datetime.now(UTC)).encode())
    for shelf in SHELVES:
        yield shelf.file, _rows(database, user.id, shelf)
    yield "calls.csv", _calls(database, user.id)
    yield "ledger.csv", _encoded(stream_statement_csv(_ledger(database, user.id)))
    async for month in _months(database, user):
        lines = stream_on_paper(database, user.id, month, user.zone)
        yield f"statements/{month:%Y-%m}.csv", _encoded(stream_statement_csv(lines))
        drawn = await _statement(database, user, month)
        if drawn is not None:
            yield f"statements/{month:%Y-%m}.pdf", _whole(drawn)
    async for invoice, number in _invoices(database, user.id):
        async with database.transaction(user=user.id) as db:
            document, locale = await invoices.document(db, user.id, invoice)
        yield f"invoices/{number}.pdf", _whole(await asyncio.to_thread(render_invoice, document, locale))


async def _rows(database: Database, user: uuid.UUID, shelf: Shelf) -> AsyncGenerator[bytes, None]:
    """A table's rows as JSON."""
    is_list, is_first = shelf.file.endswith(".json"), True
    async for page in _pages(database, user, shelf):
        packed = await asyncio.to_thread(_documents, page, is_list, is_first)
        is_first = False
        yield packed
    if is_list:
        yield b"[]\n" if is_first else b"\n]\n"


def _documents(page: Sequence[dict[str, Any]], is_list: bool, is_first: bool) -> bytes:
    lines = [orjson.dumps(row) for row in page]
    if not is_list:
        return b"".join(line + b"\n" for line in lines)
    return (b"[\n" if is_first else b",\n") + b",\n".join(lines)


async def _pages(database: Database, user: uuid.UUID, shelf: Shelf) -> AsyncIterator[list[dict[str, Any]]]:
    after: tuple[Any, ...] | None = None
    columns = shelf.columns
    while True:
        page = select(*columns, *(key.label(f"key_{place}") for place, key in enumerate(shelf.key)))
        page = page.where(shelf.owner == user).order_by(*shelf.key).limit(_PAGE)
        if after is not None:
            page = page.where(tuple_(*shelf.key) > after)
        async with _reading(database, user, shelf) as db:
            found = (await db.execute(page)).all()
        if not found:
            return
        after = tuple(found[-1][-len(shelf.key) :])
        yield [{column.key: value for column, value in zip(columns, row, strict=False)} for row in found]


def _reading(database: Database, user: uuid.UUID, shelf: Shelf) -> Any:
    """The owner's own transaction, wherever it reaches."""
    return database.transaction(everyone=WHY) if shelf.is_directory else database.transaction(user=user)


async def _calls(database: Database, user: uuid.UUID) -> AsyncGenerator[bytes, None]:
    """The calls for a spreadsheet."""
    yield csv_text([tuple(_CALL_COLUMNS)]).encode()
    last: uuid.UUID | None = None
    while True:
        page = (
            select(*_CALL_COLUMNS.values())
            .select_from(Call)
            .outerjoin(Agent, (Agent.user_id == Call.user_id) & (Agent.id == Call.agent_id))
            .outerjoin(CreditHold, (CreditHold.user_id == Call.user_id) & (CreditHold.call_id == Call.id))
            .where(Call.user_id == user)
            .order_by(Call.id)
            .limit(_PAGE)
        )
        if last is not None:
            page = page.where(Call.id > last)
        async with database.transaction(user=user) as db:
            found = (await db.execute(page)).all()
        if not found:
            return
        last = found[-1][0]
        yield await asyncio.to_thread(_table, found)


def _table(rows: Sequence[Sequence[Any]]) -> bytes:
    return csv_text([[_cell(value) for value in row] for row in rows]).encode()


def _cell(value: StrEnum | str | int | datetime | uuid.UUID | None) -> str | int:
    match value:
        case None:
            return ""
        case datetime():
            return value.astimezone(UTC).isoformat()
        case uuid.UUID():
            return str(value)
        case StrEnum():
            return value.value
        case str():
            return harmless(value)
    return value


async def _ledger(database: Database, user: uuid.UUID) -> AsyncIterator[values.StatementLine]:
    async for line in statements.stream_lines(database, user):
        yield on_paper(line)


async def _months(database: Database, user: User) -> AsyncIterator[date]:
    """The months of the ledger, from its first line to now."""
    async with database.transaction(user=user.id) as db:
        opened = await opened_at(db, user.id)
    if opened is None:
        return
    clock = ZoneInfo(user.zone)
    month, now = (at.astimezone(clock).date().replace(day=1) for at in (opened, datetime.now(UTC)))
    while month <= now:
        yield month
        month = date(month.year + month.month // 12, month.month % 12 + 1, 1)


async def _statement(database: Database, user: User, month: date) -> bytes | None:
    """A month as pages; None for one that would be too many."""
    async with database.transaction(user=user.id, snapshot=True) as db:
        if await statements.count_lines(db, user.id, month, user.zone) > _PDF_LINES_MAX:
            return None
        found = await statements.statement(db, user.id, month, user.zone)
    return await asyncio.to_thread(render_statement_pdf, document_of(found, user.name), user.locale)


async def _invoices(database: Database, user: uuid.UUID) -> AsyncIterator[tuple[uuid.UUID, str]]:
    last: uuid.UUID | None = None
    while True:
        page = select(Invoice.id, Invoice.number).where(Invoice.user_id == user).order_by(Invoice.id).limit(_PAGE)
        if last is not None:
            page = page.where(Invoice.id > last)
        async with database.transaction(user=user) as db:
            found = (await db.execute(page)).all()
        if not found:
            return
        last = found[-1].id
        for row in found:
            yield row.id, row.number


async def _whole(content: bytes) -> AsyncGenerator[bytes, None]:
    yield content


async def _encoded(pieces: AsyncIterator[str]) -> AsyncGenerator[bytes, None]:
    async for piece in pieces:
        yield piece.encode()
