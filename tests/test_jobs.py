"""Every job that is enqueued somewhere is done by somebody: one that nobody does waits for ever, and says nothing."""

import re
from collections.abc import Callable
from pathlib import Path

import talktime
from tests.house import open_house

_NAME = re.compile(r'^\w*JOB = "([a-z_.]+)"$', re.MULTILINE)


def named_jobs() -> set[str]:
    """Every name of a job that stands in the source."""
    sources = Path(talktime.__path__[0]).rglob("*.py")
    return {name for path in sources for name in _NAME.findall(path.read_text(encoding="utf-8"))}


async def test_a_worker_does_every_job_that_has_a_name(new_database_url: Callable[[], str], tmp_path: Path) -> None:
    named = named_jobs()
    assert {"inbox.drain", "privacy.finish_closing", "ledger.verify"} <= named
    async with open_house(new_database_url(), tmp_path) as house:
        done = set(house.context.jobs._app.tasks)
    assert named - done == set()
