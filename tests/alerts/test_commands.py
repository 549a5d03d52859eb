"""`alerts` as a person types it: listed, acknowledged by name, and what is said when it cannot be."""

import asyncio
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from talktime.alerts import raise_alert
from talktime.cli.alerts import app
from talktime.db.session import Database, connect
from talktime.errors import TalktimeError
from tests.people import WHY, Person, new_person


@dataclass(frozen=True)
class Terminal:
    """Somebody typing at an installation of its own."""

    url: str
    database: Database

    async def types(self, *words: str) -> str:
        done = await asyncio.to_thread(CliRunner().invoke, app, words, env={"DATABASE_URL": self.url})
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.output
        return str(done.stdout)


@pytest.fixture
async def terminal(new_database_url: Callable[[], str]) -> Terminal:
    url = new_database_url()
    return Terminal(url, connect(url))


async def test_alerts_at_the_terminal(terminal: Terminal) -> None:
    ada = await new_person(terminal.database, "Ada", credits=0, admin=True)
    bob = await new_person(terminal.database, "Bob", credits=0)
    try:
        await nothing_is_said_plainly(terminal)
        alert = await an_open_one_is_listed_with_what_to_do(terminal, bob)
        await only_an_operator_may_acknowledge(terminal, alert, bob)
        await it_is_acknowledged_by_name_and_only_all_shows_it(terminal, alert, ada)
    finally:
        await terminal.database.close()


async def nothing_is_said_plainly(terminal: Terminal) -> None:
    assert await terminal.types("list") == "There are no open alerts.\n"
    assert await terminal.types("list", "--all") == "There are no alerts.\n"
    assert json.loads(await terminal.types("list", "--json")) == []


async def an_open_one_is_listed_with_what_to_do(terminal: Terminal, bob: Person) -> str:
    async with terminal.database.transaction(everyone=WHY) as db:
        await raise_alert(db, "dispute_opened", bob.id, {"purchase_id": "p\x1b[31m1"})
    said = await terminal.types("list")
    assert "A customer's bank disputes a payment." in said
    assert f"user: bob.{bob.id.hex}@example.org\n" in said
    # Nothing of a detail reaches the terminal as a command to it.
    assert "\x1b" not in said
    [document] = json.loads(await terminal.types("list", "--json"))
    assert document["kind"] == "dispute_opened"
    assert (document["user_id"], document["email"]) == (str(bob.id), f"bob.{bob.id.hex}@example.org")
    return str(document["id"])


async def only_an_operator_may_acknowledge(terminal: Terminal, alert: str, bob: Person) -> None:
    for by in (f"bob.{bob.id.hex}@example.org", "nobody@example.org"):
        with pytest.raises(TalktimeError):
            await terminal.types("acknowledge", alert, "--by", by)


async def it_is_acknowledged_by_name_and_only_all_shows_it(terminal: Terminal, alert: str, ada: Person) -> None:
    by = f"ADA.{ada.id.hex}@example.org"
    with pytest.raises(TalktimeError):
        await terminal.types("acknowledge", str(uuid.uuid4()), "--by", by)
    said = await terminal.types("acknowledge", alert, "--by", by, "--note", "wrote to the bank")
    assert said == f"Ada acknowledged dispute_opened ({alert}).\n"
    again = json.loads(await terminal.types("acknowledge", alert, "--by", by, "--json"))
    assert (again["id"], again["acknowledged_by"], again["note"]) == (alert, "Ada", "wrote to the bank")
    assert await terminal.types("list") == "There are no open alerts.\n"
    every = await terminal.types("list", "--all")
    assert "acknowledged by Ada" in every
    assert "wrote to the bank" in every
    async with terminal.database.transaction(everyone=WHY) as db:
        assert await db.scalar(text("SELECT note FROM alerts")) == "wrote to the bank"
