"""Invoices and credit notes, read back from their pages."""

import hashlib
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from talktime.documents.invoice import render_invoice, reverse_charge_note
from talktime.documents.sums import DoesNotSum, line_of_gross
from talktime.documents.values import Buyer, InvoiceKind
from tests.documents.reading import read
from tests.documents.samples import BUYER, SELLER, invoice

LONG = "W" * 10_000


def test_an_invoice_says_who_sold_what_to_whom() -> None:
    seen = read(render_invoice(invoice(), "en"))
    assert len(seen.pages) == 1
    assert seen.title == "Invoice 2026-000123"
    for words in [
        "Beispiel Telefon GmbH", "Aachener Straße 12", "50674 Köln", "Germany", "VAT ID DE123456789",
        "Tax number 215/5912/1234", "Amtsgericht Köln, HRB 12345", "rechnung@example.org",
        "Praxis Müller & Weiß", "Große Straße 7", "1010 Wien", "Austria", "ATU12345678",
        "3 November 2026", "2 November 2026", "5,000 credits", "€41.18", "19%", "€7.82", "€49.00",
        "Paid on 3 November 2026", "Payment reference: card ending 4242", "Page 1 of 1",
    ]:  # fmt: skip
        assert words in seen.text, words


def test_an_invoice_speaks_german() -> None:
    seen = read(render_invoice(invoice(line_of_gross("5.000 Credits", 123_456_789, 2550)), "de-AT"))
    for words in ["Rechnung 2026-000123", "3. November 2026", "Leistungsdatum", "Deutschland", "Österreich", "Menge"]:
        assert words in seen.text, words
    for words in ["983.719,43 €", "250.848,46 €", "1.234.567,89 €", "25,5 %", "Gesamtbetrag", "Bezahlt am"]:
        assert words in seen.text.replace("\u00a0", " "), words
    assert "Seite 1 von 1" in seen.text


def test_an_unknown_language_gets_english() -> None:
    assert "Invoice" in read(render_invoice(invoice(), "fr")).text


def test_a_credit_note_names_its_invoice_and_has_a_minus() -> None:
    note = invoice(kind=InvoiceKind.CREDIT_NOTE, refers_to="2026-000100")
    english, german = (read(render_invoice(note, language)).text for language in ("en", "de"))
    assert "Credit note 2026-000123" in english
    assert "Corrects invoice 2026-000100" in english
    assert "−€49.00" in english
    assert "Returned on 3 November 2026" in english
    assert "Rechnungskorrektur 2026-000123" in german
    assert "−49,00\u00a0€" in german or "−49,00 €" in german


def test_the_totals_stand_for_every_rate() -> None:
    document = invoice(
        line_of_gross("Credits", 4900, 1900),
        line_of_gross("Book", 1070, 700, quantity=3),
        line_of_gross("Free", 500, 0),
    )
    text = read(render_invoice(document, "en")).text
    for words in ["Net at 19% €41.18", "VAT 19% €7.82", "Net at 7% €10.00", "VAT 7% €0.70", "Net at 0% €5.00"]:
        assert words in text, words
    assert "Total €64.70" in text


@pytest.mark.parametrize(
    ("currency", "decimals", "english", "german"),
    [
        ("JPY", 0, "JP¥4,900", "4.900 ¥"),
        ("KWD", 3, "KWD4.900", "4,900 KWD"),
        ("USD", 2, "US$49.00", "49,00 $"),
        ("XTS", 4, "XTS0.4900", "0,4900 XTS"),
    ],
)
def test_a_currency_has_as_many_decimals_as_the_document_says(
    currency: str, decimals: int, english: str, german: str
) -> None:
    document = replace(invoice(line_of_gross("Credits", 4900, 0)), currency=currency, decimals=decimals)
    assert english in read(render_invoice(document, "en")).text.replace("\u00a0", "")
    assert german in read(render_invoice(document, "de")).text.replace("\u00a0", " ")


def test_reverse_charge_is_said_in_both_languages() -> None:
    document = invoice(line_of_gross("Credits", 4900, 0))
    for language, words in [("en", "recipient is liable"), ("de", "Steuerschuldnerschaft des Leistungsempfängers")]:
        text = read(render_invoice(replace(document, note=reverse_charge_note(language)), language)).text
        assert words in text
        assert "€0.00" in text or "0,00" in text


def test_what_is_not_paid_is_not_said_to_be() -> None:
    document = replace(invoice(), paid_on=None, payment_reference="")
    text = read(render_invoice(document, "en")).text
    assert "Not paid yet" in text
    assert "Paid on" not in text
    assert "Payment reference" not in text


def test_many_lines_take_many_pages_and_every_page_has_the_head() -> None:
    document = invoice(*(line_of_gross(f"Item number {number}", 100 + number, 1900) for number in range(150)))
    seen = read(render_invoice(document, "en"))
    assert 4 <= len(seen.pages) <= 8
    for number, page in enumerate(seen.pages, start=1):
        assert f"Page {number} of {len(seen.pages)}" in page
        assert ("Description" in page) == ("Item number" in page)
        assert "Invoice 2026-000123" in page
    for number in range(150):
        assert len(re.findall(rf"Item number {number}\b", seen.text)) == 1
    assert f"Total €{sum(100 + number for number in range(150)) / 100:.2f}" in seen.text


def test_names_of_all_europe_are_shown() -> None:
    name = "Żółć Dvořák Çağlayan Őry Ελληνικά Кириллица Їжак Þór Æsir ẞ Nguyễn"
    seen = read(render_invoice(replace(invoice(), buyer=replace(BUYER, name=name)), "en"))
    assert name in seen.text
    assert "\ufffd" not in seen.text
    assert all("Inter" in font and "+" in font for font in seen.fonts), "embedded, and only what is used"


def test_what_the_font_lacks_is_a_box_and_the_rest_stays() -> None:
    name = "Sushi 寿司 \u202egnp.exe\u202c 😀 Ltd"
    seen = read(render_invoice(replace(invoice(), buyer=replace(BUYER, name=name)), "en"))
    assert "Sushi \ufffd\ufffd \ufffdgnp.exe\ufffd \ufffd Ltd" in seen.text


def test_letters_written_in_two_pieces_are_put_together() -> None:
    seen = read(render_invoice(replace(invoice(), buyer=replace(BUYER, name="Mu\u0308ller")), "en"))
    assert "Müller" in seen.text


def test_an_invoice_of_nothing_but_hostile_text_is_still_an_invoice() -> None:
    hostile = replace(
        invoice(
            line_of_gross(LONG, 10**15, 1900, quantity=10**12),
            line_of_gross("", 1, 0),
            line_of_gross("a\n\tb\x00\x1b[31m" * 500, 1, 0),
        ),
        number=LONG,
        seller=replace(SELLER, name=LONG, address=(LONG,) * 50, register=LONG, email=LONG, vat_id=LONG, country=LONG),
        buyer=Buyer("שלום " * 2000, (LONG, "\n") * 300, "??", LONG, LONG),
        payment_reference="Ω " * 5000,
        note="\n".join(["%s {0} \\ ( ) <b>&amp;", LONG, "مرحبا " * 2000]),
    )
    for language in ("en", "de"):
        seen = read(render_invoice(hostile, language))
        assert 2 <= len(seen.pages) <= 30
        assert "%s {0} \\ ( ) <b>&amp;" in seen.text
    assert "…" in seen.text, "what was cut shows it"


def test_an_address_that_is_too_long_shows_that_it_was_cut() -> None:
    buyer = replace(BUYER, address=tuple(f"Street {number}" for number in range(20)))
    text = read(render_invoice(replace(invoice(), buyer=buyer), "en")).text
    assert "Street 7 …" in text
    assert "Street 8" not in text


def test_an_invoice_without_an_address_is_possible() -> None:
    assert "Bob" in read(render_invoice(replace(invoice(), buyer=Buyer("Bob")), "en")).text


@settings(max_examples=60, deadline=None)
@given(name=st.text(max_size=300), description=st.text(max_size=2000), note=st.text(max_size=2000))
def test_any_text_makes_a_page_that_can_be_read(name: str, description: str, note: str) -> None:
    document = invoice(line_of_gross(description, 4900, 1900))
    seen = read(render_invoice(replace(document, buyer=replace(BUYER, name=name), note=note), "en"))
    assert "Total €49.00" in seen.text


def test_an_invoice_that_does_not_add_up_is_not_drawn() -> None:
    with pytest.raises(DoesNotSum):
        render_invoice(replace(invoice(), gross_minor=4901), "en")


def test_the_same_invoice_is_the_same_bytes() -> None:
    first = render_invoice(invoice(), "de")
    assert render_invoice(invoice(), "de") == first
    assert render_invoice(invoice(), "en") != first
    assert read(first).created.startswith("D:20261103000000")


def test_the_same_invoice_is_the_same_bytes_in_another_process_on_another_day() -> None:
    program = (
        "import hashlib\n"
        "from talktime.documents.invoice import render_invoice\n"
        "from tests.documents.samples import invoice\n"
        "print(hashlib.sha256(render_invoice(invoice(), 'de')).hexdigest())\n"
    )
    other = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONHASHSEED": "7", "TZ": "Pacific/Kiritimati", "LC_ALL": "C"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert other.stdout.strip() == hashlib.sha256(render_invoice(invoice(), "de")).hexdigest()


def test_invoices_drawn_at_once_do_not_disturb_each_other() -> None:
    documents = [replace(invoice(), buyer=replace(BUYER, name=f"{chr(0x0410 + number)} GmbH")) for number in range(16)]
    alone = [render_invoice(document, "en") for document in documents]
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(lambda document: render_invoice(document, "en"), documents)) == alone
