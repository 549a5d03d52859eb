"""`/v1/statements`, `/v1/invoices` and `/v1/billing-details`: documents of money, to read and to keep.

The rule: nothing is drawn or sent while a transaction is open, and whoever asks for many PDFs waits for their own.
"""

import asyncio
import uuid
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import Response
from pydantic import Field

from talktime.accounts import profile
from talktime.accounts.keys import Scope
from talktime.api.caller import Caller, needs
from talktime.api.files import CsvResponse, PdfResponse, csv, pdf
from talktime.api.paging import Page, Paging, pages, whole
from talktime.api.routing import api_router
from talktime.api.shapes import Fields, Moment, Resource, example
from talktime.api.writing import Match, if_match, shown, tag_of
from talktime.credits import statements
from talktime.credits.account import opened_at
from talktime.credits.models import TransactionType
from talktime.credits.money import hold_choices
from talktime.credits.statement_pages import document_of, stream_on_paper
from talktime.documents.export import stream_statement_csv
from talktime.documents.invoice import render_invoice
from talktime.documents.statement import render_statement_pdf
from talktime.http import drawing, months
from talktime.payments import billing_details, invoices, reading
from talktime.payments.billing_details import EMAIL_MAX, NAME_MAX, Details
from talktime.payments.invoice_models import Invoice as InvoiceRow
from talktime.payments.invoice_models import InvoiceKind

router = api_router("/statements", "Statements")
documents = api_router("/invoices", "Invoices")
billing = api_router("/billing-details", "Invoices")


class Month(Resource):
    """A month with a statement."""

    model_config = example(month="2026-11", is_over=False)

    month: str
    is_over: bool
    """Nothing is added to it any more."""


class StatementLine(Resource):
    """A line of the ledger, with what it was for."""

    seq: int
    at: Moment
    type: TransactionType
    amount: int
    balance_after: int
    call_id: uuid.UUID | None
    purchase_id: uuid.UUID | None
    reference: str | None
    reason: str | None
    purchase_name: str | None
    invoice_id: uuid.UUID | None
    invoice_number: str | None


class Statement(Resource):
    """A month of the ledger: what there was, every line, what there is. Lines come a page at a time."""

    model_config = example(
        month="2026-11",
        zone="Europe/Berlin",
        begin="2026-10-31T23:00:00Z",
        end="2026-11-30T23:00:00Z",
        is_over=False,
        opening_balance=1300,
        closing_balance=1270,
        totals={"CALL_USAGE": -30},
        data=[
            {
                "seq": 1204,
                "at": "2026-11-20T09:31:38.115Z",
                "type": "CALL_USAGE",
                "amount": -30,
                "balance_after": 1270,
                "call_id": "0199c901-2f7c-7d00-8b3e-9a2c4e6f8a01",
                "purchase_id": None,
                "reference": None,
                "reason": None,
                "purchase_name": None,
                "invoice_id": None,
                "invoice_number": None,
            }
        ],
        next_cursor=None,
        has_more=False,
    )

    month: str
    zone: str
    begin: Moment
    end: Moment
    """The first moment that is not in it any more."""
    is_over: bool
    opening_balance: int
    closing_balance: int
    totals: dict[TransactionType, int]
    """The sum of the month's lines of each type that occurs."""
    data: list[StatementLine]
    """Lines, the oldest first."""
    next_cursor: str | None
    has_more: bool


class Invoice(Resource):
    """An invoice, or a credit note, whose amounts are positive, too. None is ever changed."""

    model_config = example(
        id="0199c911-bbbb-7000-8000-000000000001",
        number="TT-2026-17",
        kind="INVOICE",
        purchase_id="0199c910-aaaa-7000-8000-000000000001",
        refers_to=None,
        description="Starter: 1500 credits",
        currency="EUR",
        net_minor=4118,
        vat_minor=782,
        gross_minor=4900,
        vat_basis_points=1900,
        issued_at="2026-11-20T09:01:00Z",
        paid_at="2026-11-20T09:00:58Z",
    )

    id: uuid.UUID
    number: str
    kind: InvoiceKind
    purchase_id: uuid.UUID
    refers_to: str | None
    """The number of the document that this one corrects."""
    description: str
    currency: str
    net_minor: int
    vat_minor: int
    gross_minor: int
    vat_basis_points: int
    """1900 is 19 %."""
    issued_at: Moment
    paid_at: Moment

    @classmethod
    def of(cls, found: InvoiceRow) -> "Invoice":
        return cls(**{name: getattr(found, name) for name in cls.model_fields})


class BillingDetails(Resource):
    """What stands on the next invoice; what is empty is left out."""

    model_config = example(
        name="Berger GmbH", address="Hauptstr. 1\n10115 Berlin", country="DE", vat_id="DE123456789", email=""
    )

    name: str
    address: str
    """Up to three lines."""
    country: str
    """Two letters: `DE`."""
    vat_id: str
    email: str
    """Of whoever keeps the books; nobody is written to there."""


class NewBillingDetails(Fields):
    """What is to stand on invoices from now on; what is left out is left empty."""

    model_config = example(name="Berger GmbH", address="Hauptstr. 1\n10115 Berlin", country="DE")

    name: str = Field(default="", max_length=NAME_MAX)
    address: str = Field(default="", max_length=500)
    country: str = Field(default="", max_length=2)
    vat_id: str = Field(default="", max_length=40)
    email: str = Field(default="", max_length=EMAIL_MAX)


@router.get("")
async def statements_list(caller: Annotated[Caller, needs(Scope.CREDITS_READ)]) -> Page[Month]:
    """Lists the months with a statement, the newest first, all of them at once."""
    async with caller.transaction() as db:
        opened = await opened_at(db, caller.user)
    if opened is None:
        return whole([])
    clock = ZoneInfo(caller.zone)
    this, month = (moment.astimezone(clock).date().replace(day=1) for moment in (datetime.now(UTC), opened))
    found = [month]
    while found[-1] < this:
        found.append(statements.after(found[-1]))
    return whole([Month(month=f"{each:%Y-%m}", is_over=each < this) for each in reversed(found)])


@router.get("/{month}.csv", response_class=CsvResponse)
async def statements_csv(caller: Annotated[Caller, needs(Scope.CREDITS_READ)], month: str) -> Response:
    """Gives a month for a spreadsheet, however long it is."""
    lines = stream_on_paper(caller.database, caller.user, months.first_of(month), caller.zone)
    return csv(stream_statement_csv(lines), f"credits-{month}.csv")


@router.get("/{month}.pdf", response_class=PdfResponse)
async def statements_pdf(caller: Annotated[Caller, needs(Scope.CREDITS_READ)], month: str) -> Response:
    """Gives a month as pages to keep; one of more than 10,000 lines as CSV only."""
    first = months.first_of(month)
    async with drawing.a_place(caller.user):
        async with caller.everyone(profile.WHY) as db:
            name = (await profile.of(db, caller.user)).name
        async with caller.transaction(snapshot=True) as db:
            drawing.refuse_too_long(await statements.count_lines(db, caller.user, first, caller.zone))
            found = await statements.statement(db, caller.user, first, caller.zone)
        body = await asyncio.to_thread(render_statement_pdf, document_of(found, name), caller.locale)
    return pdf(body, f"credits-{month}.pdf")


@router.get("/{month}")
async def statements_read(
    caller: Annotated[Caller, needs(Scope.CREDITS_READ)], month: str, page: Annotated[Paging, pages()]
) -> Statement:
    """Gives a month of the ledger, in the account's time zone: its balances, its sums, and its lines, oldest first."""
    first = months.first_of(month)
    number, limit = page.place(int, int) or (1, page.limit)
    begin, end = statements.month_edges(first, caller.zone)
    async with caller.transaction(snapshot=True) as db:
        found = await statements.statement_page(db, caller.user, first, caller.zone, number=number, lines_max=limit)
    lines = page.to(
        [StatementLine(**asdict(line)) for line in found.lines], [number + 1, limit] if found.newer else None
    )
    return Statement(
        month=month,
        zone=caller.zone,
        begin=begin,
        end=end,
        is_over=end <= datetime.now(UTC),
        opening_balance=found.opening_balance,
        closing_balance=found.closing_balance,
        totals=dict(found.totals),
        data=lines.data,
        next_cursor=lines.next_cursor,
        has_more=lines.has_more,
    )


@documents.get("")
async def invoices_list(
    caller: Annotated[Caller, needs(Scope.CREDITS_READ)], page: Annotated[Paging, pages()]
) -> Page[Invoice]:
    """Lists invoices and credit notes, the newest first."""
    async with caller.transaction() as db:
        rows = await reading.invoices(db, caller.user, before=page.moment_and_id, limit=page.limit + 1)
    return page.of(rows, key=lambda row: (row.issued_at, row.id), show=Invoice.of)


@documents.get("/{invoice_id}.pdf", response_class=PdfResponse)
async def invoices_pdf(caller: Annotated[Caller, needs(Scope.CREDITS_READ)], invoice_id: uuid.UUID) -> Response:
    """Gives a document as it was issued."""
    async with drawing.a_place(caller.user):
        async with caller.transaction() as db:
            document, locale = await invoices.document(db, caller.user, invoice_id)
        body = await asyncio.to_thread(render_invoice, document, locale)
    return pdf(body, f"invoice-{invoice_id}.pdf")


@documents.get("/{invoice_id}")
async def invoices_read(caller: Annotated[Caller, needs(Scope.CREDITS_READ)], invoice_id: uuid.UUID) -> Invoice:
    """Gives one document's figures."""
    async with caller.transaction() as db:
        return Invoice.of(await reading.invoice(db, caller.user, invoice_id))


@billing.get("", response_model=BillingDetails)
async def billing_details_read(caller: Annotated[Caller, needs(Scope.CREDITS_READ)]) -> Response:
    """Gives what stands on the next invoice."""
    async with caller.transaction() as db:
        return shown(_details(await billing_details.of(db, caller.user)))


@billing.put("", response_model=BillingDetails)
async def billing_details_set(
    caller: Annotated[Caller, needs(Scope.CREDITS_WRITE)],
    body: NewBillingDetails,
    match: Annotated[Match, if_match()],
) -> Response:
    """Sets what stands on invoices from now on; those that were issued stay as they are."""
    async with caller.transaction() as db:
        await hold_choices(db, caller.user)
        match.require(tag_of(_details(await billing_details.of(db, caller.user))))
        kept = await billing_details.keep(db, caller.user, Details(**body.model_dump()), actor=caller.user)
    return shown(_details(kept))


def _details(found: Details) -> BillingDetails:
    return BillingDetails(**asdict(found))
