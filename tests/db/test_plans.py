"""How connections of the pools plan: nothing that helps long reports and costs pages milliseconds."""

import pytest
from sqlalchemy import text

from talktime.db.session import Database
from tests.people import Person


@pytest.mark.parametrize(("setting", "value"), [("max_parallel_workers_per_gather", "0"), ("jit", "off")])
async def test_a_page_waits_for_no_other_process_and_no_compiler(
    database: Database, alice: Person, setting: str, value: str
) -> None:
    async with database.transaction(user=alice.id) as db:
        assert await db.scalar(text("SELECT current_setting(:setting)"), {"setting": setting}) == value
    told = await database.statement_for(
        everyone="a test reads a setting", function="current_setting", arguments=[("text", setting)]
    )
    assert told == {"current_setting": value}
