"""The receipt of one call: a person can redo the sum."""

from dataclasses import replace
from datetime import timedelta

import pytest

from talktime.documents.receipt import render_receipt_pdf
from talktime.documents.sums import DoesNotSum
from talktime.documents.values import ReceiptLine
from tests.documents.reading import read
from tests.documents.samples import receipt


def test_a_receipt_leads_from_seconds_to_credits() -> None:
    seen = read(render_receipt_pdf(receipt(), "en"))
    assert len(seen.pages) == 1
    for words in [
        "Receipt of a call", "Praxis Müller", "0192f5c8-7d4e-7c11-b0a9-2f9d8a1c5e77", "Europe/Berlin",
        "Rang 3 Nov 2026, 14:02:07", "Answered 3 Nov 2026, 14:02:11", "Ended 3 Nov 2026, 14:04:16",
        "Talk time, by our clock 125 s", "By the phone company's clock 124 s",
        "Price 15 credits a minute", "Counted in the first 60 s, then steps of 60 s",
        "Connection fee 5 credits", "Free below 6 s",
        "Billed time 60 s + 2 × 60 s = 180 s", "Sum 5 + 180 ÷ 60 × 15 = 50 credits", "Charged 50 credits",
        "2,318 3 Nov 2026, 14:04:16 Call −45 45 → 0", "2,319 3 Nov 2026, 14:04:16 Call, below zero −5 0 → −5",
    ]:  # fmt: skip
        assert words in seen.text, words


def test_a_receipt_speaks_german() -> None:
    text = read(render_receipt_pdf(receipt(), "de")).text
    for words in ["Beleg für einen Anruf", "15 Credits pro Minute", "5 + 180 ÷ 60 × 15 = 50 Credits", "Abgebucht"]:
        assert words in text, words


@pytest.mark.parametrize(
    ("rate", "billed", "formula"),
    [
        (31, 75, "75 ÷ 60 × 31 = 38.75, rounded up to 39 credits"),
        (7, 65, "65 ÷ 60 × 7 ≈ 7.58, rounded up to 8 credits"),
        (1, 60, "60 ÷ 60 × 1 = 1 credit Charged"),
        (0, 60, "60 ÷ 60 × 0 = 0 credits"),
    ],
)
def test_the_rounding_is_spelled_out(rate: int, billed: int, formula: str) -> None:
    document = replace(
        receipt(),
        seconds=billed,
        billable_seconds=billed,
        increment_seconds=1,
        credits_per_minute=rate,
        connection_fee=0,
        lines=(),
        charged=0,
    )
    document = replace(document, charged=document.rated)
    lines = (ReceiptLine(1, document.ended_at, "CALL_USAGE", -document.rated, 0),) if document.rated else ()
    assert formula in read(render_receipt_pdf(replace(document, lines=lines), "en")).text


def test_what_was_not_billed_is_named() -> None:
    document = replace(receipt(), unbilled=5, charged=45, lines=receipt().lines[:1])
    text = read(render_receipt_pdf(document, "en")).text
    assert "Not billed: more than was set aside for this call" in text
    assert "−5" in text
    assert "Charged 45 credits" in text
    assert "Corrected" not in text


def test_a_later_correction_is_a_step_of_the_sum() -> None:
    first, second = receipt().lines
    correction = ReceiptLine(2400, first.at + timedelta(hours=1), "ADMIN_ADJUSTMENT", 15, 10)
    document = replace(receipt(), charged=35, lines=(first, second, correction))
    text = read(render_receipt_pdf(document, "en")).text
    assert "Corrected afterwards −15" in text
    assert "Charged 35 credits" in text
    assert "Adjustment +15 −5 → 10" in text


@pytest.mark.parametrize(
    ("locale", "reason", "words"),
    [
        ("en", "the carrier measured 40 s, we 58 s", "Adjustment: the phone company measured 40 s, we 58 s"),
        ("de", "the carrier measured 40 s, we 58 s", "Korrektur: die Telefongesellschaft hat 40 s gemessen, wir 58 s"),
        ("en", "not charged: platform_fault", "Adjustment: the fault was ours"),
        ("de", "not charged: spam", "Korrektur: es war ein Werbeanruf"),
        ("de", "Sorry, our mistake", "Korrektur: Sorry, our mistake"),
        ("en", "<b>W</b>\u202e\n" * 500, "Adjustment: <b>W</b>"),
    ],
)
def test_a_correction_says_why(locale: str, reason: str, words: str) -> None:
    first, second = receipt().lines
    correction = ReceiptLine(2400, first.at + timedelta(hours=1), "ADMIN_ADJUSTMENT", 15, 10, reason)
    document = replace(receipt(), charged=35, lines=(first, second, correction))
    seen = read(render_receipt_pdf(document, locale))
    assert words in seen.text
    assert len(seen.pages) == 1


@pytest.mark.parametrize(
    ("locale", "reason", "words"),
    [
        ("en", "no_credit", "It got no more time there was no credit left to go on with"),
        ("de", "no_credit", "Nicht verlängert es war kein Guthaben mehr da"),
        ("de", "day_limit", "Nicht verlängert die Tagesgrenze war erreicht"),
        ("en", "a_reason_of_tomorrow", "It got no more time a reason of tomorrow"),
    ],
)
def test_a_call_that_got_no_more_time_says_why(locale: str, reason: str, words: str) -> None:
    assert words in read(render_receipt_pdf(replace(receipt(), final_reason=reason), locale)).text
    assert "no more time" not in read(render_receipt_pdf(receipt(), "en")).text


@pytest.mark.parametrize(
    ("reason", "seconds", "words"),
    [
        ("platform_fault", 125, "Not charged: the fault was ours."),
        ("no_credit", 0, "because there was no credit."),
        ("", 5, "Not charged: a call shorter than 6 s is free."),
        ("", 0, "Not charged: nothing was used."),
        ("a_reason_of_tomorrow", 125, "Not charged: a reason of tomorrow."),
    ],
)
def test_a_call_that_costs_nothing_says_why(reason: str, seconds: int, words: str) -> None:
    document = replace(receipt(), not_charged_reason=reason, seconds=seconds, billable_seconds=0, charged=0, lines=())
    text = read(render_receipt_pdf(document, "en")).text
    assert words in text
    assert "Charged 0 credits" in text
    assert "In your ledger" not in text


def test_a_call_that_nobody_answered_has_a_receipt() -> None:
    document = replace(
        receipt(),
        answered_at=None,
        carrier_seconds=None,
        seconds=0,
        billable_seconds=0,
        charged=0,
        lines=(),
        not_charged_reason="never answered",
    )
    text = read(render_receipt_pdf(document, "de")).text
    assert "nicht angenommen" in text
    assert "Telefongesellschaft" not in text


def test_a_receipt_that_does_not_add_up_is_not_drawn() -> None:
    with pytest.raises(DoesNotSum):
        render_receipt_pdf(replace(receipt(), charged=49), "en")


def test_a_hostile_receipt_is_still_a_receipt() -> None:
    lines = tuple(ReceiptLine(number, receipt().ended_at, "X" * 500, -(10**13), 0) for number in range(1, 101))
    document = replace(
        receipt(),
        business_name="Ω\u202e\n" * 5000,
        reference="W" * 10_000,
        lines=lines,
        charged=10**15,
        unbilled=10**15,
    )
    seen = read(render_receipt_pdf(document, "de"))
    assert len(seen.pages) < 12
    assert "1.000.000.000.000.000 Credits" in seen.text


def test_the_same_receipt_is_the_same_bytes() -> None:
    assert render_receipt_pdf(receipt(), "de") == render_receipt_pdf(receipt(), "de")
