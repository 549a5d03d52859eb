"""Statements, read back from their pages."""

import re
import time
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from talktime.documents.statement import render_statement_pdf
from talktime.documents.sums import DoesNotSum
from talktime.documents.values import StatementDocument, StatementLine
from tests.documents.reading import read, texts
from tests.documents.samples import statement


def test_a_statement_goes_from_the_opening_to_the_closing_balance() -> None:
    month = statement(3)
    seen = read(render_statement_pdf(month, "en"))
    assert len(seen.pages) == 1
    for words in [
        "Statement of credits, November 2026", "Hanna Weiß", "Europe/Berlin",
        "Opening balance", "100 credits", "Closing balance", "5,095 credits",
        "Credits bought +5,000", "Call −5",
        "1 Nov 13:00 Credits bought Call 0 to Praxis Müller 7 +5,000 5,100",
        "1 Nov 13:08 Call Call 1 to Praxis Müller 8 −2 5,098",
        "1 Nov 13:16 Call Call 2 to Praxis Müller 9 −3 5,095",
        "Page 1 of 1",
    ]:  # fmt: skip
        assert words in seen.text, words


def test_a_statement_speaks_german() -> None:
    text = read(render_statement_pdf(statement(3), "de")).text
    for words in ["Kontoauszug, November 2026", "Anfangsstand", "5.095 Credits", "Credits gekauft", "01.11. 13:08"]:
        assert words in text, words


def test_one_credit_is_not_credits() -> None:
    line = StatementLine(1, datetime(2026, 11, 1, tzinfo=UTC), "PURCHASE", "", 1, 1)
    month = StatementDocument("Bob", date(2026, 11, 1), "UTC", 0, (line,), 1)
    assert "1 credit Sums" in read(render_statement_pdf(month, "en")).text.replace("0 credits ", "")


def test_a_month_in_which_nothing_happened_says_so() -> None:
    seen = read(render_statement_pdf(statement(0), "en"))
    assert "No credits were bought or used" in seen.text
    assert seen.text.count("100 credits") == 2


def test_a_balance_below_zero_is_shown_below_zero() -> None:
    month = statement(1, opening=-5300)
    assert "−5,300 credits" in read(render_statement_pdf(month, "en")).text


def test_the_hour_that_exists_twice_is_shown_on_the_readers_clock() -> None:
    lines = (
        StatementLine(1, datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "PURCHASE", "first", 5, 5),
        StatementLine(2, datetime(2026, 10, 25, 1, 30, tzinfo=UTC), "PURCHASE", "second", 5, 10),
    )
    month = StatementDocument("Bob", date(2026, 10, 1), "Europe/Berlin", 0, lines, 10)
    text = read(render_statement_pdf(month, "en")).text
    assert "25 Oct 02:30 Credits bought first" in text
    assert "25 Oct 02:30 Credits bought second" in text


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../../etc/passwd", "\0", "x" * 10_000])
def test_a_zone_that_nobody_knows_is_read_as_utc_and_said(zone: str) -> None:
    text = read(render_statement_pdf(replace(statement(1), zone=zone), "en")).text
    assert "Times are those of UTC." in text
    assert "1 Nov 12:00" in text


def test_a_kind_that_this_version_does_not_know_is_shown_as_it_is() -> None:
    line = StatementLine(1, datetime(2026, 11, 1, tzinfo=UTC), "LOYALTY_GIFT", "x" * 10_000, 10**15, 10**15)
    month = StatementDocument("W" * 10_000, date(2026, 11, 1), "UTC", 0, (line,), 10**15)
    for language in ("en", "de"):
        seen = read(render_statement_pdf(month, language))
        assert "Loyalty gift" in seen.text
        assert "1,000,000,000,000,000" in seen.text or "1.000.000.000.000.000" in seen.text


def test_a_statement_that_does_not_add_up_is_not_drawn() -> None:
    with pytest.raises(DoesNotSum):
        render_statement_pdf(replace(statement(3), closing_balance=1), "en")


def test_five_thousand_lines_are_all_there_and_quick() -> None:
    month = statement(5000)
    render_statement_pdf(statement(1), "en")  # the fonts are cut once per process
    began = time.perf_counter()
    data = render_statement_pdf(month, "en")
    # About two seconds on a quiet machine; the bound only catches what grows faster than the lines do.
    assert time.perf_counter() - began < 30
    assert len(data) < 2_000_000
    pages = texts(data)
    text = " ".join(" ".join(pages).split())
    shown = [int(number.replace(",", "")) for number in re.findall(r"to Praxis Müller ([\d,]+) [−+]", text)]
    assert shown == [line.seq for line in month.lines]
    assert all("When" in page and "Balance" in page for page in pages)
    assert f"Page {len(pages)} of {len(pages)}" in pages[-1]


def test_the_same_statement_is_the_same_bytes() -> None:
    assert render_statement_pdf(statement(90), "de") == render_statement_pdf(statement(90), "de")
