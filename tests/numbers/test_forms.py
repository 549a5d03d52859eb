"""Which numbers there are, which may be used, and how they are shown."""

import pytest

from talktime.errors import BadInput
from talktime.numbers.forms import DearNumber, NoNumber, UnknownNumber, country_of, e164, ordinary
from talktime.numbers.shown import international, national


@pytest.mark.parametrize(
    ("written", "region", "number"),
    [
        ("+49 30 23125-000", None, "+493023125000"),
        ("030 23125 000", "DE", "+493023125000"),
        ("(0)20 7946 0958", "GB", "+442079460958"),
        ("+44 (0) 20 7946 0958", None, "+442079460958"),
        ("tel:+1-212-555-0100", None, "+12125550100"),
        ("0049 30 23125000", "DE", "+493023125000"),
    ],
)
def test_however_it_is_written_it_is_one_number(written: str, region: str | None, number: str) -> None:
    assert e164(written, region) == number
    assert ordinary(written, region) == number


@pytest.mark.parametrize(
    "written", ["", "   ", "hello", "030 123", "+", "+49", "12", "+4930" + "1" * 30, "\0", "+٤٩", "9" * 5000]
)
def test_what_is_no_number_says_how_one_is_written(written: str) -> None:
    with pytest.raises(NoNumber) as error:
        e164(written)
    assert len(str(error.value)) < 150


def test_an_extension_is_nobodys_to_ring() -> None:
    with pytest.raises(NoNumber, match="extension"):
        e164("+49 30 23125000 ext. 12")


@pytest.mark.parametrize(
    "dear",
    [
        "+49 900 1234567",
        "+49 180 5123456",
        "+49 137 1234567",
        "+44 9012 345678",
        "+44 844 123 4567",
        "+1 900 555 1234",
        "+881 612345678",
        "+882 1234567890",
        "+979 123456789",
        "+44 70 1234 5678",
    ],
)
def test_dear_numbers_are_refused_and_the_answer_says_what_to_choose(dear: str) -> None:
    with pytest.raises((DearNumber, UnknownNumber), match=r"choose|look"):
        ordinary(dear)


@pytest.mark.parametrize("unknown", ["+49 1 2345678", "+1 555 123 4567", "+999 123456789"])
def test_numbers_that_nobody_gives_out_are_refused(unknown: str) -> None:
    with pytest.raises(BadInput):
        ordinary(unknown)


@pytest.mark.parametrize("short", ["110", "112", "911", "116117", "22022"])
def test_short_numbers_are_refused(short: str) -> None:
    for region in ("DE", "US"):
        with pytest.raises(BadInput):
            ordinary(short, region)


def test_numbers_are_shown_as_they_are_dialled() -> None:
    assert national("+493023125000") == "030 23125000"
    assert national("+493023125000", "de") == "030 23125000"
    assert national("+493023125000", "GB") == "+49 30 23125000"
    assert national("+442079460958", "GB") == "020 7946 0958"
    assert international("+442079460958") == "+44 20 7946 0958"
    assert national("nothing") == international("nothing") == "nothing"
    assert (country_of("+442079460958"), country_of("+12125550100"), country_of("+88161234567"), country_of("x")) == (
        "GB", "US", "", "",
    )  # fmt: skip
