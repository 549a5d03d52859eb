"""Documents of money to look at and to keep: statements by month, invoices, receipts.

The one rule: each is read in its owner's own transaction, so that somebody else's is as good as none; and nothing is
drawn or sent while a transaction is open.
"""

import asyncio
import uuid
from datetime import UTC, date, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from talktime.accounts.sessions import Identity
from talktime.calls import history, watching
from talktime.calls.receipt import document_of as receipt_document
from talktime.calls.receipt import receipt
from talktime.credits import statements
from talktime.credits.account import funds_of, opened_at
from talktime.credits.models import TransactionType
from talktime.credits.statement_pages import description_of, document_of, stream_on_paper
from talktime.credits.statements import StatementLine
from talktime.documents.export import stream_statement_csv
from talktime.documents.invoice import render_invoice
from talktime.documents.receipt import render_receipt_pdf
from talktime.documents.statement import render_statement_pdf
from talktime.http import drawing, months
from talktime.http.context import context_of
from talktime.payments import invoices
from talktime.web import credit_views as views
from talktime.web import words
from talktime.web.frame import frame
from talktime.web.render import page
from talktime.web.routing import PageRoute
from talktime.web.who import signed_in
from talktime.web.words import Clock

_PAGE_LINES_MAX = 1_000
"""Of a page: half a megabyte, and as little of the loop's time as any other page takes."""
_PAGE_NUMBER_MAX = 10**9
_KINDS = {
    TransactionType.PURCHASE: "Bought",
    TransactionType.CALL_USAGE: "Call",
    TransactionType.GRACE_USAGE: "Call, on grace",
    TransactionType.ADMIN_ADJUSTMENT: "Adjustment",
    TransactionType.REFUND: "Refund",
    TransactionType.DISPUTE: "Payment dispute",
}

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
) -> Response:
    """A month on a page, a long one on several: the newest lines, unless a page is asked for."""
    identity, first = await _asked(request, month)
    clock = Clock(datetime.now(UTC), identity.zone)
    async with context_of(request).database.transaction(user=identity.user_id, snapshot=True) as db:
        found = await statements.statement_page(
            db, identity.user_id, first, identity.zone, number=page_number, lines_max=_PAGE_LINES_MAX
        )
        funds = await funds_of(db, identity.user_id)
        opened = await opened_at(db, identity.user_id)
        live = await watching.running(db, identity.user_id)

    def drawn() -> Response:
        return page(
            "statement.html",
            **frame(identity, funds, live, clock, "credits"),
            title=f"{first:%B %Y}",
            address=f"/statements/{month}",
            opening=words.figure(found.opening_balance),
            closing=words.figure(found.closing_balance),
            lines=[_line(line, clock) for line in found.lines],
            totals=[(_KINDS[kind], words.signed(amount)) for kind, amount in found.totals.items()],
            older=_others(found.older, found.number - 1, month),
            newer=_others(found.newer, found.number + 1, month),
            earlier=_earlier(first, opened, clock),
            later=_later(first, clock),
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


def _line(line: StatementLine, clock: Clock) -> dict[str, str]:
    is_change = line.call_id is not None and line.type == TransactionType.ADMIN_ADJUSTMENT
    return {
        "seq": words.figure(line.seq),
        "iso": clock.local(line.at).isoformat(timespec="seconds"),
        "when": f"{clock.local(line.at):%d %b %H:%M}",
        "kind": "Call, corrected" if is_change else _KINDS[line.type],
        "about": _about(line),
        "call": str(line.call_id or ""),
        "invoice": str(line.invoice_id or ""),
        "invoice_number": line.invoice_number or "",
        "amount": words.signed(line.amount),
        "balance": words.figure(line.balance_after),
    }


def _about(line: StatementLine) -> str:
    """What a line was for, without what is a link beside it: a call, an invoice."""
    if line.invoice_number and not line.reason:
        return line.purchase_name or ""
    return description_of(line) if line.reason or line.reference or line.purchase_id else ""


def _others(lines: int, number: int, month: str) -> dict[str, str] | None:
    """The page beside this one, and how many lines of the month lie on that side."""
    if not lines:
        return None
    return {"lines": f"{words.figure(lines)} {'line' if lines == 1 else 'lines'}", "address": f"{month}?page={number}"}


def _earlier(month: date, opened: datetime | None, clock: Clock) -> str:
    """The address of the month before, unless there was nothing yet."""
    return f"/statements/{views.before(month):%Y-%m}" if opened and clock.local(opened).date() < month else ""


def _later(month: date, clock: Clock) -> str:
    """The address of the next month, unless it has not begun."""
    following = statements.after(month)
    return f"/statements/{following:%Y-%m}" if following <= clock.local(clock.now).date() else ""


def _pdf(body: bytes, name: str) -> Response:
    return Response(body, media_type="application/pdf", headers=_attached(name))


def _attached(name: str) -> dict[str, str]:
    """The name holds only what we put there: a month, an id."""
    return {"content-disposition": f'attachment; filename="{name}"'}
