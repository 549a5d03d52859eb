"""Numbers as people type them in commands."""

import pytest
import typer

from talktime.cli.typed import between, digits


@pytest.mark.parametrize(("said", "meant"), [("10", 10), ("-10", -10), ("+7", 7), ("0", 0)])
def test_plain_digits_are_a_number(said: str, meant: int) -> None:
    assert digits(said) == meant


@pytest.mark.parametrize("said", ["", " ", "1_0", "1e3", "1.0", "1,000", "١٠", "0x10", "ten", "9" * 16, "1\n", "--5"])
def test_what_is_more_likely_a_slip_is_no_number(said: str) -> None:
    with pytest.raises(typer.BadParameter, match="plain digits"):
        digits(said)


def test_a_number_stays_within_its_bounds() -> None:
    number = between(1, 16)
    assert (number("1"), number("16"), number(2)) == (1, 16, 2)
    for said in ("0", "17", "-1"):
        with pytest.raises(typer.BadParameter, match="not between 1 and 16"):
            number(said)
    with pytest.raises(typer.BadParameter, match="plain digits"):
        number("1_0")
