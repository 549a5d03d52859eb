"""An installation that has customers already is brought up to date: what they had means what it meant."""

import asyncio
import shutil
import uuid
from pathlib import Path

from talktime.calls.search import search
from talktime.calls.usage import count_days, used
from talktime.cli.fill import fill
from talktime.db import embedded
from talktime.db.deploy import REVISIONS, deploy
from talktime.db.session import connect
from tests.db.conftest import ask, run


def revisions_up_to(last: str, folder: Path) -> Path:
    """The revisions of an older release."""
    folder.mkdir()
    for file in sorted(REVISIONS.glob("[0-9]*.*")):
        if file.name[:4] <= last:
            shutil.copy(file, folder)
    return folder


def test_an_older_version_of_an_agent_keeps_the_language_and_zone_it_answered_in(
    servers: embedded.Server, tmp_path: Path
) -> None:
    run(servers.url("postgres"), "CREATE DATABASE older_release")
    url = servers.url("older_release")
    deploy(url, url, revisions=revisions_up_to("0003", tmp_path / "older"))
    run(
        url,
        """
        INSERT INTO users (id, email, name) VALUES ('018f0000-0000-7000-8000-000000000001', 'a@example.org', 'Alice');
        INSERT INTO agents (user_id, id, name, business, language, zone)
        SELECT id, id, 'Front desk', 'Alice GmbH', 'de', 'Europe/Vienna' FROM users;
        INSERT INTO agent_versions (user_id, agent_id, version_no, greeting) SELECT id, id, 1, 'Guten Tag' FROM users;
        UPDATE agents SET published_version = 1;
        INSERT INTO phone_numbers (id, number, carrier, status, user_id, agent_id)
        SELECT id, '+493012345678', 'simulated', 'ASSIGNED', id, id FROM users;
        """,
    )
    assert deploy(url, url).is_current
    assert ask(url, "SELECT concat_ws('|', business, language, zone) FROM agent_versions") == (
        "Alice GmbH|de|Europe/Vienna"
    )
    assert ask(url, "SELECT concat_ws('|', status, carrier_phase, rent_credits, rent_due_on) FROM phone_numbers") == (
        "ASSIGNED|AGREED|0"
    )


def test_calls_of_an_older_release_are_found_by_their_words_and_counted(
    servers: embedded.Server, tmp_path: Path
) -> None:
    run(servers.url("postgres"), "CREATE DATABASE release_with_calls")
    url = servers.url("release_with_calls")
    deploy(url, url, revisions=revisions_up_to("0004", tmp_path / "older"))
    fill(url, 2, 300, add=False, connections=1, say=lambda _: None)
    assert deploy(url, url).is_current
    asyncio.run(_found_and_counted(url))


async def _found_and_counted(url: str) -> None:
    database = connect(url)
    user = uuid.UUID(str(ask(url, "SELECT user_id::text FROM call_turns GROUP BY 1 ORDER BY count(*) DESC LIMIT 1")))
    called = int(str(ask(url, f"SELECT count(DISTINCT call_id) FROM call_turns WHERE user_id = '{user}'")))
    charged = int(str(ask(url, f"SELECT sum(charged + corrected) FROM credit_holds WHERE user_id = '{user}'")))
    async with database.transaction(user=user) as db:
        found = await search(db, user, words="appointment open", limit=500)
        before = await used(db, user, zone="Europe/Berlin", days=370)
    assert len(found.calls) == called
    assert sum(day.credits for day in before) == charged
    assert await count_days(database) == 2
    async with database.transaction(user=user) as db:
        assert await used(db, user, zone="Europe/Berlin", days=370) == before
    await database.close()
