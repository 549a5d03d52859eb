"""`talktime inbox` and `talktime db backup | restore | wake` as a person types them."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer
from sqlalchemy import select, text, update
from typer.testing import CliRunner

from talktime import inbox
from talktime.accounts.models import AuditEntry
from talktime.cli import backup
from talktime.cli.inbox import app as inbox_app
from talktime.db import embedded
from talktime.db.session import Database, connect
from talktime.errors import TalktimeError
from talktime.inbox import Incoming, ProviderEvent
from tests.people import WHY, new_person

BODY = b"CallSid=CA1&CallStatus=completed&From=%2B493012345678&CallerName=Karl"


def _copies() -> typer.Typer:
    made = typer.Typer()
    for command in (backup.backup, backup.restore, backup.wake):
        made.command()(command)
    return made


@dataclass(frozen=True)
class Terminal:
    """Somebody typing at an installation of its own."""

    url: str
    home: Path
    database: Database

    async def types(self, app: typer.Typer, *words: str, url: str | None = None, code: int = 0) -> str:
        environment = {"DATABASE_URL": url or self.url, "TALKTIME_HOME": str(self.home)}
        done = await asyncio.to_thread(CliRunner().invoke, app, words, env=environment)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == code, done.output
        return str(done.stdout)


@pytest.fixture
async def terminal(new_database_url: Callable[[], str], tmp_path: Path) -> AsyncIterator[Terminal]:
    url = new_database_url()
    database = connect(url)
    yield Terminal(url, tmp_path, database)
    await database.close()


async def stored(database: Database, **values: object) -> uuid.UUID:
    name = uuid.uuid4().hex
    async with database.transaction(everyone=WHY) as db:
        await inbox.store(db, Incoming("twilio", "AC", name, "carrier.report", BODY, {}))
        found: uuid.UUID | None = await db.scalar(select(ProviderEvent.id).where(ProviderEvent.event_id == name))
        assert found is not None
        # As if its call were known: of one that nobody knows nothing of the caller is kept to begin with.
        await db.execute(update(ProviderEvent).where(ProviderEvent.id == found).values(body=BODY, **values))
    return found


async def test_the_inbox_at_the_terminal(terminal: Terminal) -> None:
    ada = await new_person(terminal.database, "Ada", credits=0, admin=True)
    by = ("--by", str(ada.id))
    assert await terminal.types(inbox_app, "list") == "There are no such events.\n"
    given_up = await stored(terminal.database, gave_up_at=datetime.now(UTC), tries=10, error="ValueError: x\x1b[31m")
    handled = await stored(terminal.database, handled_at=datetime.now(UTC), verdict="handled")
    listed = await terminal.types(inbox_app, "list")
    assert listed.index(str(handled)) < listed.index(str(given_up))
    assert "10 tries" in listed
    assert "\x1b" not in listed
    rows = json.loads(await terminal.types(inbox_app, "list", "--state", "given_up", "--provider", "twilio", "--json"))
    assert [row["id"] for row in rows] == [str(given_up)]

    shown = await terminal.types(inbox_app, "show", str(given_up))
    assert "CallSid = CA1" in shown
    assert "Karl" not in shown
    revealed = json.loads(await terminal.types(inbox_app, "show", str(given_up), "--reveal", *by, "--json"))
    assert "Karl" in revealed["body"]
    for words, says in (
        (("show", str(given_up), "--reveal"), "--by"),
        (("show", str(uuid.uuid4())), "no event"),
        (("list", "--state", "lost"), "no state"),
        (("list", "--since", "yesterday"), "--since"),
        (("replay", str(handled), *by), "--again"),
        (("replay", str(handled), "--provider", "twilio", *by), "not both"),
    ):
        with pytest.raises(TalktimeError, match=says):
            await terminal.types(inbox_app, *words)

    assert await terminal.types(inbox_app, "replay", *by) == "1 event will be handled again.\n"
    assert await terminal.types(inbox_app, "replay", str(handled), "--again", *by) == "1 event will be handled again.\n"
    rows = json.loads(await terminal.types(inbox_app, "list", "--state", "waiting", "--json"))
    assert {row["id"] for row in rows} == {str(given_up), str(handled)}
    async with terminal.database.transaction(everyone=WHY) as db:
        acts = await db.scalars(select(AuditEntry.act).where(AuditEntry.user_id == ada.id).order_by(AuditEntry.seq))
        assert [act for act in acts if act.startswith("event.")] == [
            "event.revealed", "event.handled_again", "event.handled_again",
        ]  # fmt: skip


async def test_a_copy_is_made_restored_asleep_and_woken_at_the_terminal(
    terminal: Terminal, server: embedded.Server
) -> None:
    copies, file = _copies(), terminal.home / "talktime.dump"
    await new_person(terminal.database, "Alice", credits=1000)
    older = terminal.home / "older.dump"
    made = json.loads(await terminal.types(copies, "backup", str(older), "--json"))
    assert made["counts"]["users"] == 1
    said = await terminal.types(copies, "backup", str(file), "--keep", "1")
    assert f"Removed: {older}" in said
    assert not older.exists()
    assert not older.with_name("older.dump.json").exists()
    async with terminal.database.transaction(everyone=WHY) as db:
        assert await db.scalar(text("SELECT count(*) FROM marks WHERE name = 'db.backup'")) == 1

    name = f"bare_{uuid.uuid4().hex[:8]}"
    embedded.ensure_database(server, name)
    url = server.url(name)
    said = await terminal.types(copies, "restore", str(file), "--to", url)
    assert "The books are right: 1 lines." in said
    assert "talktime db wake" in said
    assert await terminal.types(copies, "wake", "--yes", url=url) == "It is awake.\n"
    with pytest.raises(TalktimeError, match="not asleep"):
        await terminal.types(copies, "wake", "--yes", url=url)
    other = f"bare_{uuid.uuid4().hex[:8]}"
    embedded.ensure_database(server, other)
    restored: dict[str, Any] = json.loads(
        await terminal.types(copies, "restore", str(file), "--to", server.url(other), "--awake", "--json")
    )
    assert (restored["asleep"], restored["violations"]) == (False, 0)
