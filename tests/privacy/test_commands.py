"""`talktime users close`, `export` and `forget-caller`, as an operator types them."""

import asyncio
import json
import uuid
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from talktime import cli
from talktime.calls import lifecycle
from talktime.carriers.contract import Ring
from talktime.db.session import Database
from talktime.errors import TalktimeError
from talktime.privacy.closing import address_of
from tests.house import new_sid
from tests.people import WHY, Person, new_person

KIM = "+4930555000111"
Type = Callable[..., Any]


@dataclass(frozen=True)
class Said:
    """What a command left behind."""

    code: int
    out: str
    error: str

    @property
    def document(self) -> Any:
        return json.loads(self.out.splitlines()[-1])  # what is logged comes before it here


@pytest.fixture(scope="session")
def _commands() -> None:
    if not cli.app.registered_commands:
        cli._add_commands()


@pytest.fixture
def type_in(_commands: None, empty_database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Type:
    """Types a command, and what it asks for; gives what it says."""
    monkeypatch.setenv("DATABASE_URL", empty_database.engine.url.set(drivername="postgresql").render_as_string(False))
    monkeypatch.setenv("TALKTIME_HOME", str(tmp_path))
    monkeypatch.setattr("talktime.log.configure", lambda *_: None)  # it is the process's, and this one goes on

    async def type_in(*words: object, answer: str = "") -> Said:
        result = await asyncio.to_thread(CliRunner().invoke, cli.app, [str(word) for word in words], input=answer)
        if isinstance(result.exception, TalktimeError):
            return Said(1, result.stdout, str(result.exception))
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return Said(result.exit_code, result.stdout, result.stderr)

    return type_in


@pytest.fixture
async def alice(empty_database: Database) -> Person:
    person = await new_person(empty_database, "Alice", credits=1000)
    async with empty_database.transaction(everyone=WHY) as db:
        ring = Ring(account="AC1", call_id=new_sid(), caller=KIM, dialled=person.number)
        call = (await lifecycle.ring(db, "simulated", ring)).call_id
        assert call is not None
        await lifecycle.finish(db, person.id, call, seconds=0, reason="caller_gave_up")
    return person


@pytest.fixture
async def ada(empty_database: Database) -> Person:
    return await new_person(empty_database, "Ada", credits=0, admin=True)


def email_of(person: Person, name: str) -> str:
    return f"{name.lower()}.{person.id.hex}@example.org"


def drafts_in(folder: Path) -> list[Path]:
    return list(folder.glob(".*.zip.*"))


async def caller_of(database: Database, person: Person) -> str | None:
    async with database.transaction(user=person.id) as db:
        found: str | None = await db.scalar(text("SELECT caller FROM calls"))
        return found


async def test_a_question_stands_before_what_cannot_be_undone(
    type_in: Type, empty_database: Database, alice: Person, ada: Person
) -> None:
    by = ("--by", email_of(ada, "Ada"))
    for words in (("close", alice.id), ("forget-caller", KIM), ("forget-caller", KIM, "--user", alice.id)):
        for answer in ("", "n\n"):
            said = await type_in("users", *words, *by, answer=answer)
            assert said.code == 1 and "[y/N]" in said.error, said
    assert await caller_of(empty_database, alice) == KIM
    said = await type_in("users", "forget-caller", KIM, *by, answer="y\n")
    assert (said.code, said.out.splitlines()[-1]) == (
        0,
        "Forgotten. 1 calls were emptied, 0 texts and 0 events changed.",
    )
    assert await caller_of(empty_database, alice) is None


async def test_an_account_is_closed_by_its_address_and_again_by_its_id(
    type_in: Type, empty_database: Database, alice: Person, ada: Person
) -> None:
    by = ("--by", email_of(ada, "Ada"), "--yes")
    said = await type_in("users", "close", email_of(alice, "Alice"), *by)
    assert said.code == 0 and "1 calls were emptied" in said.out and f"payout {alice.id}" in said.out
    assert "Nobody here" in (await type_in("users", "close", email_of(alice, "Alice"), *by)).error
    for name in (alice.id, address_of(alice.id)):
        again = await type_in("users", "close", name, *by, "--json")
        assert (again.code, again.document["emptied"], again.document["user"]) == (0, 0, str(alice.id))
    async with empty_database.transaction(everyone=WHY) as db:
        doors = await db.scalars(text("SELECT door FROM audit_entries WHERE act = 'user.closed'"))
        assert list(doors) == ["command"]


async def test_an_export_is_a_file_for_nobody_else_and_a_folder_that_is_not_there_is_said(
    type_in: Type, alice: Person, ada: Person, tmp_path: Path
) -> None:
    by = ("--by", email_of(ada, "Ada"))
    path = tmp_path / "alice.zip"
    for _ in range(2):
        said = await type_in("users", "export", email_of(alice, "Alice"), *by, "--out", path, "--json")
        assert said.document == {"file": str(path), "bytes": path.stat().st_size}
    assert path.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(path) as found:
        assert KIM in found.read("calls.jsonl").decode()
    nowhere = tmp_path / "nowhere" / "alice.zip"
    assert "cannot be written" in (await type_in("users", "export", alice.id, *by, "--out", nowhere)).error
    assert drafts_in(tmp_path) == []


async def test_a_number_without_its_country_needs_one(
    type_in: Type, empty_database: Database, alice: Person, ada: Person
) -> None:
    by = ("--by", email_of(ada, "Ada"), "--yes")
    assert "say the country" in (await type_in("users", "forget-caller", "030 555000111", *by)).error
    said = await type_in("users", "forget-caller", "030 555000111", "--country", "DE", *by, "--json")
    assert said.document == {"calls": 1, "mentions": 0, "events": 0, "mails": 0, "stands_in": {}}
    assert await caller_of(empty_database, alice) is None


async def test_only_an_operator_may_and_what_is_not_there_is_said(type_in: Type, alice: Person, ada: Person) -> None:
    for words in (
        ("close", ada.id),
        ("export", ada.id),
        ("forget-caller", KIM),
        ("forget-caller", KIM, "--user", ada.id),
    ):
        said = await type_in(
            "users", *words, "--by", email_of(alice, "Alice"), *([] if "export" in words else ["--yes"])
        )
        assert (said.code, "Only an operator" in said.error) == (1, True), (words, said)
    by = ("--by", email_of(ada, "Ada"))
    assert "Nobody here" in (await type_in("users", "export", uuid.uuid4(), *by)).error
    assert "last operator" in (await type_in("users", "close", ada.id, *by, "--yes")).error
    for command in ("close", "export", "forget-caller"):
        assert "--by" in (await type_in("users", command, "--help")).out
