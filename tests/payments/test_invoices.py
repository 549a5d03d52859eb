"""Documents of money: one for each purchase and refund, never changed, numbered without a gap."""

import asyncio
import io

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from talktime.gateways.contract import NoticeKind, RefundStatus
from talktime.payments import billing_details, invoices
from talktime.payments.billing_details import Details, WrongDetails
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
        await billing_details.keep(
            db,
            alice.id,
            Details(name="Praxis Ärmel", address="Weg 1\n10115 Berlin", country="de", vat_id="DE 999.999.999"),
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
        await billing_details.keep(db, alice.id, Details(name="Other", country="FR"))
        await billing_details.keep(db, alice.id, Details(name="Other still", country="FR"))
    async with counter.database.transaction(user=alice.id) as db:
        assert await invoices.pdf(db, alice.id, invoice.id) == before


async def test_details_are_tidied_and_what_is_empty_is_the_accounts_own(counter: Counter, alice: Person) -> None:
    given = Details(" Alice GmbH ", " c/o Bob\n\n 1010 Wien ", "at", " ATU 123-456.78 ", "books@alice.example ")
    async with counter.database.transaction(user=alice.id) as db:
        kept = await billing_details.keep(db, alice.id, given)
        assert await billing_details.of(db, alice.id) == kept
    assert kept == Details("Alice GmbH", "c/o Bob\n1010 Wien", "AT", "ATU12345678", "books@alice.example")
    (invoice,) = await documents(counter, await paid(counter, alice))
    assert invoice.buyer == {
        "name": "Alice GmbH", "address": ["c/o Bob", "1010 Wien"], "country": "AT", "vat_id": "ATU12345678",
        "email": "books@alice.example", "locale": "en",
    }  # fmt: skip
    async with counter.database.transaction(user=alice.id) as db:
        await billing_details.keep(db, alice.id, Details())
    (plain,) = await documents(counter, await paid(counter, alice))
    assert (plain.buyer["name"], plain.buyer["address"], plain.buyer["country"]) == ("Alice", [], "")
    assert plain.buyer["email"] == f"alice.{alice.id.hex}@example.org"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        (Details(name="x" * 201), "name"),
        (Details(name="a\0b"), "name"),
        (Details(name="a\x1bb"), "name"),
        (Details(name="evil\u202egnp"), "name"),
        (Details(name="\ud800"), "name"),
        (Details(address="a\nb\nc\nd"), "address"),
        (Details(address="ok\n" + "x" * 101), "address"),
        (Details(address="a\rb"), "address"),
        (Details(country="DEU"), "country"),
        (Details(country="D1"), "country"),
        (Details(country="ÄÖ"), "country"),
        (Details(country="ß"), "country"),
        (Details(vat_id="123456789"), "vat_id"),
        (Details(vat_id="DE" + "1" * 40), "vat_id"),
        (Details(vat_id="DE<script>"), "vat_id"),
        (Details(vat_id="DE١٢٣"), "vat_id"),
        (Details(email="nobody"), "email"),
        (Details(email="a@b@example.com"), "email"),
        (Details(email="a b@example.com"), "email"),
        (Details(email="a@" + "x" * 260 + ".com"), "email"),
    ],
    ids=repr,
)
async def test_what_cannot_stand_on_an_invoice_is_refused_by_its_field(
    counter: Counter, alice: Person, given: Details, field: str
) -> None:
    async with counter.database.transaction(user=alice.id) as db:
        with pytest.raises(WrongDetails) as refused:
            await billing_details.keep(db, alice.id, given)
        assert list(refused.value.fields) == [field]
        assert await billing_details.of(db, alice.id) == Details()


async def test_any_script_can_stand_on_an_invoice(counter: Counter, alice: Person) -> None:
    strange = Details(name="株式会社 🦉 الشركة", address="улица 1\n<b>&amp;</b>\n" + "W" * 100)
    async with counter.database.transaction(user=alice.id) as db:
        await billing_details.keep(db, alice.id, strange)
    (invoice,) = await documents(counter, await paid(counter, alice))
    async with counter.database.transaction(user=alice.id) as db:
        assert (await invoices.pdf(db, alice.id, invoice.id)).startswith(b"%PDF")


async def test_bobs_details_stay_bobs(counter: Counter, alice: Person, bob: Person) -> None:
    async with counter.database.transaction(user=bob.id) as db:
        await billing_details.keep(db, bob.id, Details(name="Bob"))
    async with counter.database.transaction(user=alice.id) as db:
        assert await billing_details.of(db, bob.id) == Details()
    with pytest.raises(DBAPIError) as refused:
        async with counter.database.transaction(user=alice.id) as db:
            await billing_details.keep(db, bob.id, Details(name="Alice was here"))
    assert getattr(refused.value.orig, "sqlstate", "") == "42501"


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
