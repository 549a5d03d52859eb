"""Documents of money to look at and to keep: statements by month, invoices, receipts.

The one rule: each is read in its owner's own transaction, so that somebody else's is as good as none; and nothing is
drawn or sent while a transaction is open.
"""

import asyncio
import uuid
from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from talktime.accounts.sessions import Identity
from talktime.calls import history, named
from talktime.calls.receipt import document_of as receipt_document
from talktime.calls.receipt import receipt
from talktime.credits import statements
from talktime.credits.account import opened_at
from talktime.credits.statement_pages import document_of, stream_on_paper
from talktime.credits.statements import StatementPage
from talktime.documents.export import stream_statement_csv
from talktime.documents.invoice import render_invoice
from talktime.documents.receipt import render_receipt_pdf
from talktime.documents.statement import render_statement_pdf
from talktime.http import drawing, months
from talktime.http.context import context_of
from talktime.payments import invoices
from talktime.web import local
from talktime.web.credits import said
from talktime.web.credits.lines_shown import kinds, line_view
from talktime.web.credits.purchases_shown import before
from talktime.web.language import _
from talktime.web.routing import PageRoute
from talktime.web.sheet import sheet
from talktime.web.who import signed_in
from talktime.web.words import Clock

_PAGE_LINES_MAX = 200
"""Of a page: a hundred kilobytes, and as little time as any other page takes."""
_PAGE_NUMBER_MAX = 10**9

router = APIRouter(route_class=PageRoute)


@router.get("/statements/{month}.csv")
async def as_csv(request: Request, month: str) -> Response:
    """A month for a spreadsheet, streamed."""
    identity, first = await _asked(request, month)
    lines = stream_on_paper(context_of(request).database, identity.user_id, first, identity.zone)
    return StreamingResponse(
        stream_statement_csv(lines), media_type="text/csv; charset=utf-8", headers=_attached(f"credits-{month}.csv")
    )


@router.get("/statements/{month}.pdf")
async def as_pdf(request: Request, month: str) -> Response:
    """A month as pages to keep."""
    identity, first = await _asked(request, month)
    async with drawing.a_place(identity.user_id):
        async with context_of(request).database.transaction(user=identity.user_id, snapshot=True) as db:
            drawing.refuse_too_long(await statements.count_lines(db, identity.user_id, first, identity.zone))
            found = await statements.statement(db, identity.user_id, first, identity.zone)
        document = document_of(found, identity.name)
        body = await asyncio.to_thread(render_statement_pdf, document, identity.locale)
    return _pdf(body, f"credits-{month}.pdf")


@router.get("/statements/{month}")
async def statement(
    request: Request,
    month: str,
    page_number: Annotated[int | None, Query(alias="page", ge=1, le=_PAGE_NUMBER_MAX)] = None,
    line: Annotated[int | None, Query(ge=1, le=_PAGE_NUMBER_MAX)] = None,
) -> Response:
    """A month on a page, a long one on several: the newest lines, or the page that is asked for, or that of a line."""
    identity, first = await _asked(request, month)
    async with context_of(request).database.transaction(user=identity.user_id, snapshot=True) as db:
        paper = await sheet(request, db, identity, "credits")
        found = await statements.statement_page(
            db, identity.user_id, first, identity.zone, number=page_number, lines_max=_PAGE_LINES_MAX
        )
        if line is not None and (number := _page_with(line, found)) is not None:
            found = await statements.statement_page(
                db, identity.user_id, first, identity.zone, number=number, lines_max=_PAGE_LINES_MAX
            )
        calls = await named.of_ids(db, identity.user_id, [line.call_id for line in found.lines if line.call_id])
        opened = await opened_at(db, identity.user_id)

    def drawn() -> Response:
        names = kinds()
        return paper.page(
            "credits/statement.html",
            title=said.month_of(first),
            address=f"/statements/{month}",
            opening=local.figure(found.opening_balance),
            closing=local.figure(found.closing_balance),
            lines=[line_view(line, paper.clock, calls) for line in found.lines],
            totals=[(names[kind], said.signed(amount)) for kind, amount in found.totals.items()],
            older=_others(found.older, found.number - 1, month),
            newer=_others(found.newer, found.number + 1, month),
            earlier=_earlier(first, opened, paper.clock),
            later=_later(first, paper.clock),
        )

    # So many lines take their time, and this process may be carrying calls.
    return await asyncio.to_thread(drawn)


@router.get("/invoices/{invoice}.pdf")
async def invoice_pdf(request: Request, invoice: uuid.UUID) -> Response:
    """An invoice or a credit note."""
    identity = await signed_in(request)
    async with drawing.a_place(identity.user_id):
        async with context_of(request).database.transaction(user=identity.user_id) as db:
            document, locale = await invoices.document(db, identity.user_id, invoice)
        body = await asyncio.to_thread(render_invoice, document, locale)
    return _pdf(body, f"invoice-{invoice}.pdf")


@router.get("/calls/{call}/receipt.pdf")
async def receipt_pdf(request: Request, call: uuid.UUID) -> Response:
    """How a call's charge was arrived at."""
    identity = await signed_in(request)
    async with context_of(request).database.transaction(user=identity.user_id, snapshot=True) as db:
        record = await history.one(db, identity.user_id, call)
        found = await receipt(db, identity.user_id, call)
    business = record.call.agent.business if record.call.agent else identity.name
    document = receipt_document(found, business=business, zone=identity.zone)
    async with drawing.a_place(identity.user_id):
        body = await asyncio.to_thread(render_receipt_pdf, document, identity.locale)
    return _pdf(body, f"receipt-{call}.pdf")


async def _asked(request: Request, month: str) -> tuple[Identity, date]:
    """Who asks, and the first day of the month. Raises NoSuchMonth."""
    identity = await signed_in(request)
    return identity, months.first_of(month)


def _page_with(line: int, last: StatementPage) -> int | None:
    """On which page before the last one a line of the month stands; None where it is on that one, or on none."""
    if not last.lines or line >= last.lines[0].seq:
        return None
    before = last.lines[0].seq - 1 - last.older
    return (line - before - 1) // _PAGE_LINES_MAX + 1 if line > before else None


def _others(lines: int, number: int, month: str) -> dict[str, str] | None:
    """The page beside this one, and how many lines of the month lie on that side."""
    if not lines:
        return None
    written = _("1 line") if lines == 1 else _("{lines} lines").format(lines=local.figure(lines))
    return {"lines": written, "address": f"{month}?page={number}"}


def _earlier(month: date, opened: datetime | None, clock: Clock) -> str:
    """The address of the month before, unless there was nothing yet."""
    return f"/statements/{before(month):%Y-%m}" if opened and clock.local(opened).date() < month else ""


def _later(month: date, clock: Clock) -> str:
    """The address of the next month, unless it has not begun."""
    following = statements.after(month)
    return f"/statements/{following:%Y-%m}" if following <= clock.local(clock.now).date() else ""


def _pdf(body: bytes, name: str) -> Response:
    return Response(body, media_type="application/pdf", headers=_attached(name))


def _attached(name: str) -> dict[str, str]:
    """The name holds only what we put there: a month, an id."""
    return {"content-disposition": f'attachment; filename="{name}"'}
