"""Invoices and credit notes: issued in the transaction of the fact, with numbers that have no gap.

The rule: a document is never changed. A refund makes a credit note; a refund that failed makes a new invoice over the
same sum, which takes the credit note back. A lost dispute makes a credit note, too, because the sale was undone and its
VAT is no longer owed; one that is only open does not, because the money may come back.
"""

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts.models import User
from talktime.db.base import new_id
from talktime.documents.invoice import render_invoice
from talktime.documents.sums import split_gross
from talktime.documents.values import Buyer, InvoiceDocument, InvoiceLine, Seller
from talktime.documents.values import InvoiceKind as DocumentKind
from talktime.errors import NotFound
from talktime.gateways import currencies
from talktime.payments.invoice_models import BillingDetails, Invoice, InvoiceKind, InvoiceNumber, InvoiceSeries
from talktime.payments.models import PaymentReversal, Purchase, ReversalKind

_WORDS = {
    "en": {
        "sold": "{name}: {credits} credits",
        "refund": "Refund of {number}: {name}",
        "dispute": "Payment taken back by the bank, {number}: {name}",
        "again": "{name}: {credits} credits, payment of {number}",
        "takes_back": "Takes back {number}: the money did not leave us, and the credits are yours again.",
    },
    "de": {
        "sold": "{name}: {credits} Credits",
        "refund": "Erstattung zu {number}: {name}",
        "dispute": "Rückbuchung durch die Bank zu {number}: {name}",
        "again": "{name}: {credits} Credits, Zahlung zu {number}",
        "takes_back": "Hebt {number} auf: Das Geld ist bei uns geblieben, die Credits gehören wieder Ihnen.",
    },
}


class NoSuchInvoice(NotFound):
    """There is no such invoice, or it is somebody else's."""


@dataclass(frozen=True, slots=True)
class Billing:
    """What invoices say of the operator. Prices are gross: they include the VAT."""

    seller: Seller
    vat_basis_points: int = 0
    """1900 is 19 %."""
    series: str = "TT"


async def issue(db: AsyncSession, billing: Billing, purchase: Purchase, payment_id: str | None) -> Invoice:
    """The invoice of a purchase that was just credited; asked again, the same. Last of all in its transaction.

    Whoever issues holds its series until the end of the transaction: that is what leaves no gap.
    """
    first = await _invoice_of(db, purchase)
    if first is not None:
        return first
    buyer = await _buyer(db, purchase.user_id)
    words = _words(buyer["locale"])
    return await _write(
        db,
        billing,
        purchase,
        kind=InvoiceKind.INVOICE,
        gross_minor=purchase.price_minor,
        buyer=buyer,
        description=words["sold"].format(name=purchase.name, credits=purchase.credits).removeprefix(": "),
        payment_reference=payment_id or "",
        paid_at=purchase.paid_at,
    )


async def follow(db: AsyncSession, billing: Billing, purchase: Purchase, reversal: PaymentReversal, out: int) -> None:
    """Bring the documents about a refund or a dispute in line with what it has taken back so far, in minor units."""
    first = await _invoice_of(db, purchase)
    if first is None:
        return
    others = (
        await db.scalars(
            select(Invoice).where(
                Invoice.user_id == purchase.user_id,
                Invoice.purchase_id == purchase.id,
                Invoice.reversal_id.is_not(None),
            )
        )
    ).all()
    mine = {other.kind: other for other in others if other.reversal_id == reversal.id}
    note = mine.get(InvoiceKind.CREDIT_NOTE)
    if note is None and out > 0:
        left = first.gross_minor - sum(
            other.gross_minor if other.kind is InvoiceKind.CREDIT_NOTE else -other.gross_minor for other in others
        )
        if left > 0:
            await _correct(
                db,
                billing,
                purchase,
                reversal,
                kind=InvoiceKind.CREDIT_NOTE,
                refers_to=first,
                gross_minor=min(out, left),
                words="refund" if reversal.kind is ReversalKind.REFUND else "dispute",
            )
    elif note is not None and out < note.gross_minor and InvoiceKind.INVOICE not in mine:
        await _correct(
            db,
            billing,
            purchase,
            reversal,
            kind=InvoiceKind.INVOICE,
            refers_to=note,
            gross_minor=note.gross_minor - out,
            words="again",
        )


async def newest(db: AsyncSession, user: uuid.UUID, *, limit: int = 100) -> Sequence[Invoice]:
    """Somebody's documents, newest first."""
    chosen = select(Invoice).where(Invoice.user_id == user).order_by(Invoice.issued_at.desc(), Invoice.id.desc())
    return (await db.scalars(chosen.limit(limit))).all()


async def of_purchase(db: AsyncSession, user: uuid.UUID, purchase: uuid.UUID) -> Sequence[Invoice]:
    """The documents about one purchase, oldest first."""
    chosen = select(Invoice).where(Invoice.user_id == user, Invoice.purchase_id == purchase)
    return (await db.scalars(chosen.order_by(Invoice.issued_at, Invoice.no))).all()


async def of_purchases(db: AsyncSession, user: uuid.UUID, purchases: Sequence[uuid.UUID]) -> Sequence[Invoice]:
    """The documents about some purchases, oldest first."""
    if not purchases:
        return []
    chosen = select(Invoice).where(Invoice.user_id == user, Invoice.purchase_id.in_(purchases))
    return (await db.scalars(chosen.order_by(Invoice.issued_at, Invoice.no))).all()


async def document(db: AsyncSession, user: uuid.UUID, invoice: uuid.UUID) -> tuple[InvoiceDocument, str]:
    """What stands on a document, and the locale its reader had when it was issued. Raises NoSuchInvoice."""
    found = await db.scalar(select(Invoice).where(Invoice.user_id == user, Invoice.id == invoice))
    if found is None:
        raise NoSuchInvoice
    return _document(found), str(found.buyer.get("locale", "en"))


async def pdf(db: AsyncSession, user: uuid.UUID, invoice: uuid.UUID) -> bytes:
    """A document as a page, drawn at once: not for a server, which has others waiting. Raises NoSuchInvoice."""
    return render_invoice(*await document(db, user, invoice))


async def _correct(
    db: AsyncSession,
    billing: Billing,
    purchase: Purchase,
    reversal: PaymentReversal,
    *,
    kind: InvoiceKind,
    refers_to: Invoice,
    gross_minor: int,
    words: str,
) -> None:
    """A document that corrects another, at the rate and between the names of that one."""
    said = _words(str(refers_to.buyer.get("locale", "en")))[words]
    await _write(
        db,
        billing,
        purchase,
        kind=kind,
        gross_minor=gross_minor,
        seller=refers_to.seller,
        buyer=refers_to.buyer,
        vat_basis_points=refers_to.vat_basis_points,
        description=said.format(name=purchase.name, credits=purchase.credits, number=refers_to.number),
        payment_reference=reversal.id,
        reversal_id=reversal.id,
        refers_to=refers_to.number,
        paid_at=None,
    )


async def _write(
    db: AsyncSession,
    billing: Billing,
    purchase: Purchase,
    *,
    kind: InvoiceKind,
    gross_minor: int,
    buyer: dict[str, Any],
    paid_at: datetime | None,
    seller: dict[str, Any] | None = None,
    vat_basis_points: int | None = None,
    **values: Any,
) -> Invoice:
    rate = billing.vat_basis_points if vat_basis_points is None else vat_basis_points
    net, vat = split_gross(gross_minor, rate)
    # What costs nothing but words has numbers of its own, so that the tax office's have no gap.
    series = f"TEST-{billing.series}"[:20] if purchase.test else billing.series
    # Counted here and nowhere else: the row is locked until this transaction ends, or was never counted.
    counted = insert(InvoiceSeries).values(series=series, last_no=1)
    no = await db.scalar(
        counted.on_conflict_do_update(
            index_elements=[InvoiceSeries.series], set_={"last_no": InvoiceSeries.last_no + 1}
        ).returning(InvoiceSeries.last_no)
    )
    assert isinstance(no, int), no
    now = datetime.now(UTC)
    invoice = Invoice(
        user_id=purchase.user_id,
        id=new_id(),
        number=f"{series}-{no:06d}",
        series=series,
        no=no,
        kind=kind,
        purchase_id=purchase.id,
        issued_at=now,
        paid_at=paid_at or now,
        seller=seller if seller is not None else asdict(billing.seller),
        buyer=buyer,
        currency=purchase.currency,
        vat_basis_points=rate,
        net_minor=net,
        vat_minor=vat,
        gross_minor=gross_minor,
        **values,
    )
    db.add(InvoiceNumber(series=series, no=no, user_id=purchase.user_id, invoice_id=invoice.id))
    db.add(invoice)
    await db.flush()
    return invoice


async def _invoice_of(db: AsyncSession, purchase: Purchase) -> Invoice | None:
    found: Invoice | None = await db.scalar(
        select(Invoice).where(
            Invoice.user_id == purchase.user_id,
            Invoice.purchase_id == purchase.id,
            Invoice.kind == InvoiceKind.INVOICE,
            Invoice.reversal_id.is_(None),
        )
    )
    return found


async def _buyer(db: AsyncSession, user: uuid.UUID) -> dict[str, Any]:
    """The customer as they are now."""
    row = (
        await db.execute(
            select(
                func.coalesce(func.nullif(BillingDetails.email, ""), User.email).label("email"),
                User.locale,
                func.coalesce(func.nullif(BillingDetails.name, ""), User.name).label("name"),
                BillingDetails.address,
                BillingDetails.country,
                BillingDetails.vat_id,
            )
            .outerjoin(BillingDetails, BillingDetails.user_id == User.id)
            .where(User.id == user)
        )
    ).one()
    return {
        "name": row.name,
        "address": (row.address or "").splitlines(),
        "country": row.country or "",
        "vat_id": row.vat_id or "",
        "email": row.email,
        "locale": row.locale,
    }


def _document(invoice: Invoice) -> InvoiceDocument:
    is_note = invoice.kind is InvoiceKind.CREDIT_NOTE
    note = ""
    if not is_note and invoice.refers_to:
        note = _words(str(invoice.buyer.get("locale", "en")))["takes_back"].format(number=invoice.refers_to)
    buyer = {name: value for name, value in invoice.buyer.items() if name != "locale"}
    line = InvoiceLine(
        invoice.description, 1, invoice.net_minor, invoice.vat_basis_points, invoice.vat_minor, invoice.gross_minor
    )
    return InvoiceDocument(
        number=invoice.number,
        kind=DocumentKind(invoice.kind.value),
        issued_on=invoice.issued_at.astimezone(UTC).date(),
        delivered_on=invoice.paid_at.astimezone(UTC).date(),
        seller=Seller(**{**invoice.seller, "address": tuple(invoice.seller["address"])}),
        buyer=Buyer(**{**buyer, "address": tuple(buyer["address"])}),
        lines=(line,),
        currency=invoice.currency,
        decimals=currencies.decimals(invoice.currency),
        gross_minor=invoice.gross_minor,
        paid_on=invoice.paid_at.astimezone(UTC).date(),
        payment_reference=invoice.payment_reference,
        refers_to=invoice.refers_to or "" if is_note else "",
        note=note,
    )


def _words(locale: str) -> dict[str, str]:
    return _WORDS["de" if locale.lower().startswith("de") else "en"]
