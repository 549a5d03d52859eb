"""Verification finds what was tampered with, however the work is cut into parts."""

import pytest
from sqlalchemy import text

from talktime.credits import money
from talktime.credits.verify import Progress, verify
from talktime.db.session import Database, connect
from tests.credits.conftest import address
from tests.people import WHY, Person, new_person

PARTS = (2, 5, 1000)
"""Lines in a part: every ledger cut, some cut, none cut."""


async def books(database: Database) -> Person:
    """Three people; the second has twelve lines, the others three."""
    people = [await new_person(database, name, credits=10) for name in ("Ann", "Ben", "Cay")]
    for person, count in zip(people, (2, 11, 2), strict=True):
        async with database.transaction(everyone=WHY) as db:
            for number in range(count):
                await money.adjust(db, person.id, reference=f"{number}", amount=1, reason="more", actor=person.id)
    return people[1]


async def tamper(database: Database, statement: str, person: Person) -> None:
    async with database.transaction(everyone=WHY) as db:
        await db.execute(text("SET LOCAL ROLE NONE"))
        await db.execute(text("SET LOCAL session_replication_role = replica"))
        await db.execute(text(statement), {"user": person.id})


@pytest.mark.parametrize("part", PARTS)
async def test_right_books_are_right_and_progress_is_told(empty_database: Database, part: int) -> None:
    await books(empty_database)
    told: list[Progress] = []
    verdict = await verify(empty_database, full=True, part_lines=part, progress=told.append)
    assert (verdict.is_clean, verdict.accounts, verdict.lines) == (True, 3, 18)
    assert told[-1] == Progress(18, 18)
    again = await verify(empty_database, part_lines=part)
    assert (again.is_clean, again.lines) == (True, 0)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("seq", [1, 2, 6, 12])
async def test_a_changed_line_is_found_once(empty_database: Database, part: int, full: bool, seq: int) -> None:
    ben = await books(empty_database)
    await tamper(
        empty_database,
        f"UPDATE credit_transactions SET reason = 'forged' WHERE user_id = :user AND seq = {seq}",
        ben,
    )
    verdict = await verify(empty_database, full=full, part_lines=part)
    assert [(found.user_id, found.seq, found.problem) for found in verdict.violations] == [
        (ben.id, seq, "the hash does not match the line")
    ]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("seq", [1, 2, 6])
async def test_a_missing_line_is_found(empty_database: Database, part: int, seq: int) -> None:
    ben = await books(empty_database)
    await tamper(empty_database, f"DELETE FROM credit_transactions WHERE user_id = :user AND seq = {seq}", ben)
    verdict = await verify(empty_database, full=True, part_lines=part)
    # Where a part begins with the missing line, the one before it is not known.
    assert any(
        (found.user_id, found.seq) == (ben.id, seq + 1) and found.problem.startswith(f"line {seq + 1} follows line ")
        for found in verdict.violations
    )


async def test_a_quick_run_sees_that_its_checkpoint_fits_no_more(empty_database: Database) -> None:
    ben = await books(empty_database)
    assert (await verify(empty_database)).is_clean
    await tamper(
        empty_database, "UPDATE credit_transactions SET hash = sha256(hash) WHERE user_id = :user AND seq = 12", ben
    )
    verdict = await verify(empty_database)
    assert {found.problem for found in verdict.violations} == {
        "the line is not the one that was verified",
        "the head is not the hash of the newest line",
    }


@pytest.mark.parametrize(("written", "read"), [("LATIN1", "UTF8"), ("UTF8", "LATIN1")])
async def test_a_line_is_genuine_whatever_encoding_a_client_has(
    empty_database: Database, monkeypatch: pytest.MonkeyPatch, written: str, read: str
) -> None:
    eve = await new_person(empty_database, "Eve", credits=0)
    monkeypatch.setenv("PGCLIENTENCODING", written)
    writer = connect(address(empty_database))
    try:
        async with writer.transaction(everyone=WHY) as db:
            await money.adjust(db, eve.id, reference="gift", amount=5, reason="für Müller", actor=eve.id)
    finally:
        await writer.close()
    monkeypatch.setenv("PGCLIENTENCODING", read)
    reader = connect(address(empty_database))
    try:
        verdict = await verify(reader, full=True)
    finally:
        await reader.close()
    assert not verdict.violations
