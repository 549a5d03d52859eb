"""Numbers as people type them in commands."""

import pytest
import typer

from talktime.cli.typed import digits


@pytest.mark.parametrize(("said", "meant"), [("10", 10), ("-10", -10), ("+7", 7), ("0", 0)])
def test_plain_digits_are_a_number(said: str, meant: int) -> None:
    assert digits(said) == meant


@pytest.mark.parametrize("said", ["", " ", "1_0", "1e3", "1.0", "1,000", "١٠", "0x10", "ten", "9" * 16, "1\n", "--5"])
def test_what_is_more_likely_a_slip_is_no_number(said: str) -> None:
    with pytest.raises(typer.BadParameter, match="plain digits"):
        digits(said)
