"""Documents of money: one for each purchase and refund, never changed, numbered without a gap."""

import asyncio
import io

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from talktime.gateways.contract import NoticeKind, RefundStatus
from talktime.payments import invoices
from talktime.payments.invoice_models import Invoice, InvoiceKind
from talktime.payments.invoices import NoSuchInvoice
from talktime.payments.models import Purchase
from tests.payments.counter import WHY, Counter, notice, open_purchase
from tests.payments.test_money_back import dispute, refund
from tests.people import Person

K, R = NoticeKind, RefundStatus
INVOICE, NOTE = InvoiceKind.INVOICE, InvoiceKind.CREDIT_NOTE


async def paid(counter: Counter, person: Person) -> Purchase:
    purchase = await open_purchase(counter.database, person, counter.gateway)
    await counter.hear(notice(purchase), times=4)
    return purchase


async def documents(counter: Counter, purchase: Purchase) -> list[Invoice]:
    async with counter.database.transaction(user=purchase.user_id) as db:
        return list(await invoices.of_purchase(db, purchase.user_id, purchase.id))


async def kinds(counter: Counter, purchase: Purchase) -> list[tuple[InvoiceKind, int]]:
    return [(each.kind, each.gross_minor) for each in await documents(counter, purchase)]


async def test_a_purchase_has_one_invoice_with_the_vat_in_its_price(counter: Counter, alice: Person) -> None:
    purchase = await paid(counter, alice)
    (invoice,) = await documents(counter, purchase)
    assert (invoice.net_minor, invoice.vat_minor, invoice.gross_minor) == (1681, 319, 2000)
    assert invoice.vat_basis_points == 1900
    assert invoice.seller["vat_id"] == "DE123456789"
    assert invoice.number == f"{invoice.series}-{invoice.no:06d}"
    assert invoice.series.startswith("TEST-")


async def test_numbers_have_no_gap_when_twenty_buy_at_once_and_some_fail(counter: Counter, alice: Person) -> None:
    bought = [await open_purchase(counter.database, alice, counter.gateway) for _ in range(20)]

    async def pay(purchase: Purchase, *, fails: bool) -> None:
        async with counter.database.transaction(everyone=WHY) as db:
            await counter.till.handle(db, counter.gateway, notice(purchase))
            if fails:
                raise RuntimeError("the process dies before it commits")

    await asyncio.gather(
        *(pay(purchase, fails=number % 3 == 0) for number, purchase in enumerate(bought)), return_exceptions=True
    )
    await asyncio.gather(*(pay(purchase, fails=False) for purchase in bought))
    async with counter.database.transaction(everyone=WHY) as db:
        series = [each.series for each in await invoices.newest(db, alice.id)]
        rows = await db.execute(
            text("SELECT no FROM invoice_numbers WHERE series = :series ORDER BY no"), {"series": series[0]}
        )
        numbers = [row.no for row in rows]
        last = await db.scalar(text("SELECT last_no FROM invoice_series WHERE series = :s"), {"s": series[0]})
    assert len(series) == 20
    assert numbers == list(range(1, len(numbers) + 1))
    assert last == numbers[-1]


async def test_each_refund_has_a_credit_note_and_one_that_failed_a_new_invoice(counter: Counter, alice: Person) -> None:
    purchase = await paid(counter, alice)
    await counter.hear(refund(purchase, "a", 500), times=4)
    await counter.hear(refund(purchase, "b", 700, R.PENDING), times=2)
    await counter.hear(refund(purchase, "b", 700, R.FAILED), times=4)
    assert await kinds(counter, purchase) == [(INVOICE, 2000), (NOTE, 500), (NOTE, 700), (INVOICE, 700)]
    first, note, other, again = await documents(counter, purchase)
    assert note.refers_to == first.number
    assert again.refers_to == other.number
    assert (note.net_minor, note.vat_minor) == (420, 80)


async def test_a_refund_that_never_left_has_no_document(counter: Counter, alice: Person) -> None:
    purchase = await paid(counter, alice)
    await counter.hear(refund(purchase, "a", 500, R.FAILED))
    await counter.hear(refund(purchase, "a", 500, R.PENDING))
    assert await kinds(counter, purchase) == [(INVOICE, 2000)]


async def test_a_dispute_has_a_credit_note_when_it_is_lost_and_not_before(counter: Counter, alice: Person) -> None:
    purchase = await paid(counter, alice)
    await counter.hear(dispute(purchase, K.DISPUTE_WITHDRAWN))
    assert await kinds(counter, purchase) == [(INVOICE, 2000)]
    await counter.hear(dispute(purchase, K.DISPUTE_CLOSED, dispute_won=False), times=4)
    assert await kinds(counter, purchase) == [(INVOICE, 2000), (NOTE, 2000)]


async def test_credit_notes_never_exceed_the_invoice(counter: Counter, alice: Person) -> None:
    purchase = await paid(counter, alice)
    await counter.hear(refund(purchase, "a", 1500))
    await counter.hear(dispute(purchase, K.DISPUTE_CLOSED, dispute_won=False))
    assert await kinds(counter, purchase) == [(INVOICE, 2000), (NOTE, 1500), (NOTE, 500)]


@pytest.mark.parametrize("statement", ["UPDATE {} SET no = 7", "DELETE FROM {}", "TRUNCATE {}"])
@pytest.mark.parametrize("table", ["invoices", "invoice_numbers"])
async def test_documents_are_never_changed_not_even_by_their_owner(
    counter: Counter, alice: Person, statement: str, table: str
) -> None:
    await paid(counter, alice)
    with pytest.raises(DBAPIError) as refused:
        async with counter.database.transaction(everyone=WHY) as db:
            await db.execute(text("RESET ROLE"))
            await db.execute(text("SET LOCAL ROLE talktime_owner"))
            await db.execute(text(statement.format(table)))
    assert getattr(refused.value.orig, "sqlstate", "") == "TT409"


async def test_pages_show_what_was_issued_in_the_readers_language(counter: Counter, alice: Person) -> None:
    async with counter.database.transaction(everyone=WHY) as db:
        await db.execute(text("UPDATE users SET locale = 'de' WHERE id = :user"), {"user": alice.id})
    async with counter.database.transaction(user=alice.id) as db:
        await invoices.set_billing_details(
            db, alice.id, name="Praxis Ärmel", address="Weg 1\n10115 Berlin", country="de", vat_id="DE999999999"
        )
    purchase = await paid(counter, alice)
    await counter.hear(refund(purchase, "b", 700, R.PENDING))
    await counter.hear(refund(purchase, "b", 700, R.FAILED))
    for document in await documents(counter, purchase):
        async with counter.database.transaction(user=alice.id) as db:
            page = await invoices.pdf(db, alice.id, document.id)
        assert page.startswith(b"%PDF")
        said = _text(page)
        assert "Praxis Ärmel" in said
        assert document.number in said
        assert ("Gutschrift" in said or "Rechnungskorrektur" in said) == (document.kind is NOTE)


async def test_what_an_invoice_says_does_not_follow_its_reader(counter: Counter, alice: Person) -> None:
    purchase = await paid(counter, alice)
    (invoice,) = await documents(counter, purchase)
    async with counter.database.transaction(user=alice.id) as db:
        before = await invoices.pdf(db, alice.id, invoice.id)
        await invoices.set_billing_details(db, alice.id, name="Other", address="", country="FR", vat_id="")
        await invoices.set_billing_details(db, alice.id, name="Other still", address="", country="FR", vat_id="")
    async with counter.database.transaction(user=alice.id) as db:
        assert await invoices.pdf(db, alice.id, invoice.id) == before


async def test_bob_does_not_get_alices_invoice(counter: Counter, alice: Person, bob: Person) -> None:
    purchase = await paid(counter, alice)
    (invoice,) = await documents(counter, purchase)
    async with counter.database.transaction(user=bob.id) as db:
        for whose in (alice.id, bob.id):
            with pytest.raises(NoSuchInvoice):
                await invoices.pdf(db, whose, invoice.id)
        assert list(await invoices.newest(db, alice.id)) == []


def _text(page: bytes) -> str:
    from pypdf import PdfReader

    return "\n".join(each.extract_text() for each in PdfReader(io.BytesIO(page)).pages)
