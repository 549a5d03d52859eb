"""Prices are taken apart without losing a cent, and what does not add up is refused."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talktime.credits.pricing import Rate
from talktime.documents.sums import (
    DoesNotSum,
    RateTotal,
    billable_seconds,
    check_invoice,
    check_receipt,
    check_sums,
    line_of_gross,
    split_gross,
    totals_per_rate,
)
from talktime.documents.values import InvoiceKind
from tests.documents.samples import invoice, receipt, statement

RATES = st.one_of(st.sampled_from([0, 500, 700, 1900, 2000, 2550, 10_000]), st.integers(0, 100_000))


@given(gross=st.integers(-(10**15), 10**15), rate=RATES)
def test_net_and_vat_are_gross_to_the_last_cent(gross: int, rate: int) -> None:
    net, vat = split_gross(gross, rate)
    assert net + vat == gross
    # As near to the exact VAT as a whole number can be: |vat - gross × rate / whole| ≤ 1/2, without a fraction.
    whole = 10_000 + rate
    assert 2 * abs(vat * whole - gross * rate) <= whole


@given(gross=st.integers(0, 10**15), rate=RATES)
def test_a_credit_note_takes_back_exactly_what_the_invoice_asked_for(gross: int, rate: int) -> None:
    net, vat = split_gross(gross, rate)
    assert split_gross(-gross, rate) == (-net, -vat)


@pytest.mark.parametrize(
    ("gross", "rate", "net", "vat"),
    [
        (4900, 1900, 4118, 782),
        (1070, 700, 1000, 70),
        (12_550, 2550, 10_000, 2550),
        (4900, 0, 4900, 0),
        (0, 1900, 0, 0),
        (1, 1900, 1, 0),
        # Yen have no decimals, dinars three: the arithmetic does not care.
        (1100, 1000, 1000, 100),
        (10_500, 500, 10_000, 500),
        # Exactly half a cent of VAT is rounded up.
        (3, 2000, 2, 1),
        (-3, 2000, -2, -1),
    ],
)
def test_known_prices_are_split_as_an_accountant_would(gross: int, rate: int, net: int, vat: int) -> None:
    assert split_gross(gross, rate) == (net, vat)


def test_a_rate_below_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="-1 basis points"):
        split_gross(100, -1)


def test_the_totals_stand_per_rate_with_the_highest_first() -> None:
    lines = (line_of_gross("a", 107, 700), line_of_gross("b", 119, 1900), line_of_gross("c", 119, 1900))
    assert totals_per_rate(lines) == (RateTotal(1900, 200, 38), RateTotal(700, 100, 7))


def test_an_invoice_that_adds_up_passes() -> None:
    check_invoice(invoice())
    check_invoice(invoice(kind=InvoiceKind.CREDIT_NOTE, refers_to="2026-000122"))


def test_an_invoice_that_does_not_add_up_is_refused() -> None:
    good = invoice()
    (line,) = good.lines
    for bad, says in [
        (replace(good, gross_minor=4901), "4900 gross, the document says 4901"),
        (replace(good, lines=(replace(line, vat_minor=783),)), "Line 1"),
        (replace(good, lines=(replace(line, vat_rate_basis_points=0),)), "at a rate of 0"),
        (replace(good, lines=()), "come to 0"),
        (replace(good, refers_to="2026-000122"), "credit note names"),
        (replace(good, kind=InvoiceKind.CREDIT_NOTE), "credit note names"),
    ]:
        with pytest.raises(DoesNotSum, match=says):
            check_invoice(bad)


def test_a_statement_that_adds_up_passes() -> None:
    check_sums(statement())
    check_sums(statement(0))
    check_sums(statement(50, opening=-30))


def test_a_statement_that_does_not_add_up_is_refused() -> None:
    good = statement(5)
    first, second, third, *rest = good.lines
    for bad in [
        replace(good, opening_balance=101),
        replace(good, closing_balance=good.closing_balance + 1),
        replace(good, lines=good.lines[:-1]),
        replace(good, lines=(first, third, *rest)),
        replace(good, lines=(first, second, second, third, *rest)),
        replace(good, lines=(second, first, third, *rest)),
        replace(good, lines=(first, replace(second, amount=second.amount - 1), third, *rest)),
        replace(good, lines=(first, replace(second, balance_after=0), third, *rest)),
    ]:
        with pytest.raises(DoesNotSum):
            check_sums(bad)


def test_two_lines_that_cancel_each_other_are_missed_all_the_same() -> None:
    good = statement(4)
    first, second, third, fourth = good.lines
    cancelled = (first, replace(fourth, amount=second.amount + third.amount + fourth.amount))
    with pytest.raises(DoesNotSum, match="one is missing"):
        check_sums(replace(good, lines=cancelled))


def test_the_totals_per_kind_come_to_the_difference_of_the_balances() -> None:
    month = statement(500)
    assert sum(month.totals.values()) == month.closing_balance - month.opening_balance
    assert list(month.totals) == ["PURCHASE", "CALL_USAGE"]


def test_a_receipt_that_does_not_add_up_is_refused() -> None:
    good = receipt()
    check_receipt(good)
    for bad in [
        replace(good, billable_seconds=120),
        replace(good, charged=49),
        replace(good, lines=good.lines[:1]),
        replace(good, seconds=0),
        replace(good, not_charged_reason="platform_fault"),
    ]:
        with pytest.raises(DoesNotSum):
            check_receipt(bad)


@given(
    seconds=st.integers(0, 20_000),
    rate=st.builds(
        Rate,
        credits_per_minute=st.integers(0, 10**6),
        connection_fee=st.integers(0, 1000),
        initial_seconds=st.integers(1, 3600),
        increment_seconds=st.integers(1, 3600),
        free_seconds=st.integers(0, 60),
    ),
)
def test_the_printed_rule_is_the_one_that_calls_are_charged_by(seconds: int, rate: Rate) -> None:
    printed = replace(
        receipt(),
        seconds=seconds,
        billable_seconds=rate.billable_seconds(seconds),
        credits_per_minute=rate.credits_per_minute,
        connection_fee=rate.connection_fee,
        initial_seconds=rate.initial_seconds,
        increment_seconds=rate.increment_seconds,
        free_seconds=rate.free_seconds,
    )
    assert billable_seconds(printed) == rate.billable_seconds(seconds)
    assert printed.rated == rate.cost(seconds)
