"""What a buyer is mailed: that the money came, with the invoice as it was issued."""

import io
from pathlib import Path

from pypdf import PdfReader
from sqlalchemy import text

from talktime.db.session import Database
from talktime.mail.message import Mail
from talktime.mail.render import text_of
from talktime.mail.send import mailer_of
from talktime.notices.send import send_notices
from talktime.payments import invoices
from talktime.payments.mails import gatherers
from tests.mail.pigeon import Pigeon
from tests.payments.counter import Counter
from tests.people import WHY, Person


async def mailed(database: Database, person: Person) -> list[Mail]:
    """What they are mailed now; what others are waiting for is none of this test's."""
    async with database.transaction(everyone=WHY) as db:
        await db.execute(text("UPDATE notices SET not_before = now() + interval '1 day' WHERE mailed_at IS NULL"))
        await db.execute(
            text("UPDATE notices SET not_before = now() - interval '1 second' WHERE user_id = :user"),
            {"user": person.id},
        )
    pigeon = Pigeon()
    await send_notices(database, pigeon, base_url="https://talktime.example", gatherers=gatherers())
    return pigeon.sent


async def test_a_receipt_has_its_invoice_with_it(
    database: Database, counter: Counter, alice: Person, tmp_path: Path
) -> None:
    pack = await counter.pack()
    purchase, _ = await counter.bought(alice, pack)
    [mail] = await mailed(database, alice)
    async with database.transaction(user=alice.id) as db:
        [invoice] = await invoices.of_purchase(db, alice.id, purchase.id)
    said = text_of(mail.words)
    assert f"The invoice {invoice.number} over" in said
    assert "is attached." in said
    [attached] = mail.attachments
    assert attached.name == f"{invoice.number}.pdf"
    words = " ".join(page.extract_text() for page in PdfReader(io.BytesIO(attached.content)).pages)
    assert invoice.number in words
    # As it travels: text, page, document.
    await mailer_of(None, None, tmp_path).send(mail)
    content = (tmp_path / "outbox" / f"{mail.id}.eml").read_bytes()
    assert b"application/pdf" in content
    assert f'filename="{invoice.number}.pdf"'.encode() in content


async def test_what_has_no_invoice_is_told_without_one(database: Database, alice: Person) -> None:
    from talktime.notices.tell import tell

    async with database.transaction(user=alice.id) as db:
        await tell(db, alice.id, "purchase_paid", "x", {"purchase_id": "no purchase at all", "credits": 5})
    [mail] = await mailed(database, alice)
    assert mail.attachments == ()
    assert "invoice" not in text_of(mail.words)
