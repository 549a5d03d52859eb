"""What mails say of payments, put together when they are sent: the invoice, as it was issued."""

import asyncio
import uuid
from collections.abc import Mapping

from sqlalchemy import select

from talktime.db.session import Database
from talktime.documents.invoice import render_invoice
from talktime.gateways.currencies import format_money
from talktime.mail.message import Attachment
from talktime.notices.send import Gather, Gathered, Occasion
from talktime.payments import invoices
from talktime.payments.invoice_models import Invoice, InvoiceKind


def gatherers() -> Mapping[str, Gather]:
    """Who puts together which kind of mail."""
    return {"purchase_paid": _bill, "top_up_done": _bill}


async def _bill(database: Database, about: Occasion) -> Gathered | None:
    """The invoice of a purchase; None when none was issued. Drawn in a thread, because others wait."""
    try:
        purchase = uuid.UUID(str(about.detail.get("purchase_id")))
    except ValueError:
        return None
    async with database.transaction(user=about.user_id) as db:
        invoice = await db.scalar(
            select(Invoice)
            .where(
                Invoice.user_id == about.user_id,
                Invoice.purchase_id == purchase,
                Invoice.kind == InvoiceKind.INVOICE,
                Invoice.reversal_id.is_(None),
            )
            .limit(1)
        )
        if invoice is None:
            return None
        document, locale = await invoices.document(db, about.user_id, invoice.id)
    drawn = await asyncio.to_thread(render_invoice, document, locale)
    total = format_money(invoice.gross_minor, invoice.currency, about.language)
    return Gathered({"invoice": invoice.number, "total": total}, (Attachment(f"{invoice.number}.pdf", drawn),))
