"""A number is found in all the ways it is written, by Python and by PostgreSQL alike, and nothing else is."""

import pytest
from sqlalchemy import text

from talktime.db.session import Database
from talktime.errors import BadInput
from talktime.privacy.spellings import WORD, spelled
from tests.people import WHY

BERLIN = "+493012345678"
FOUND = (
    "+493012345678",
    "493012345678",
    "00493012345678",
    "011493012345678",
    "03012345678",
    "3012345678",
    "+49 30 12345678",
    "+49 (0) 30 1234 5678",
    "+49(0)3012345678",
    "030/12345678",
    "(030) 1234-5678",
    "030 – 12 34 56 78",
    "030\N{NO-BREAK SPACE}12345678",
    "030, 123, 45, 678",
    "zero, 030, 12 34 56 78, again",
    "%2B493012345678",
    "%2b493012345678",
    "%252B493012345678",
    "%2B49%2030%2012345678",
    "%2B49+30+12345678",
    "030%2F12345678",
    "tel:+493012345678",
    "From=%2B493012345678&To=1",
    "call me at 030 12345678.",
    '{"number": "\\u002b493012345678"}',
    '["+493012345678"]',
)
OTHERS = (
    "+493012345679",
    "+4930123456781",
    "1493012345678",
    "+443012345678",
    "130 12345678",
    "12345678",
    "0190c0de-3012-3456-78ab-000000000000",
    "CA3012345678abcdef",
    "ab3012345678",
    "30123456780",
    "3012345678a",
)


@pytest.mark.parametrize("written", FOUND)
def test_every_spelling_is_found(written: str) -> None:
    who = spelled(BERLIN)
    assert who.is_in(written)
    left = who.redact(f"before {written} after")
    assert WORD in left and left.startswith("before ") and left.endswith(" after")
    assert "345678" not in left.replace(" ", "")


@pytest.mark.parametrize("written", OTHERS)
def test_another_number_and_an_id_are_left_alone(written: str) -> None:
    assert spelled(BERLIN).redact(written) == written


async def test_the_database_reads_the_expression_as_we_do(database: Database) -> None:
    for number in (BERLIN, "+15550100123", "+390612345678", "+4930123", "+37060012345"):
        who = spelled(number)
        for written in (*FOUND, *OTHERS, number, number[1:], number[2:], number[-10:]):
            async with database.transaction(everyone=WHY) as db:
                redacted = await db.scalar(
                    text("SELECT regexp_replace(:written, :pattern, :word, 'g')"),
                    {"written": written, "pattern": who.pattern, "word": WORD},
                )
            assert redacted == who.redact(written), (number, written)


@pytest.mark.parametrize(
    ("written", "region", "number"),
    [
        ("+49 30 12345678", None, BERLIN),
        ("  0049 30 12345678 ", "DE", BERLIN),
        ("030 / 12 34 56 78", "DE", BERLIN),
        ("+49 (0)30 12345678", None, BERLIN),
        ("(555) 010-0123", "US", "+15550100123"),
        ("06 12345678", "IT", "+390612345678"),
    ],
)
def test_a_number_is_read_as_people_write_it(written: str, region: str | None, number: str) -> None:
    assert spelled(written, region).number == number


@pytest.mark.parametrize("written", ["", "030 12345678", "anonymous", "+49", "++", "+" + "1" * 40, "\0", "' OR 1=1"])
def test_what_is_no_number_is_refused(written: str) -> None:
    with pytest.raises(BadInput) as refused:
        spelled(written)
    assert len(written) < 5 or written not in str(refused.value), "an error may come to stand in a log"


def test_a_number_of_a_country_without_a_zero_is_found_as_it_is_said_there() -> None:
    who = spelled("+390612345678")
    assert who.is_in("06 1234 5678") and not who.is_in("6 1234 567")


def test_a_short_number_is_only_found_with_its_country_or_its_zero() -> None:
    who = spelled("+4930123")
    assert who.is_in("030 123") and who.is_in("+49 30 123") and not who.is_in("30123")
