"""`talktime users …` as an operator types it, on a database of its own."""

import asyncio
import csv
import io
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import text, update
from typer.models import CommandInfo
from typer.testing import CliRunner

from talktime import cli
from talktime.accounts import audit_log, links, sessions
from talktime.accounts.audit_log import Filter
from talktime.accounts.models import LinkPurpose, Role, User, UserStatus
from talktime.db.session import Database
from talktime.errors import TalktimeError
from tests.people import WHY, Person, new_person


@dataclass(frozen=True)
class Said:
    """What a command left behind."""

    code: int
    out: str
    error: str

    @property
    def document(self) -> Any:
        return json.loads(self.out.splitlines()[-1])

    @property
    def token(self) -> str:
        """Of the link that was printed."""
        return self.out.splitlines()[-1].rpartition("/")[2]


Type = Callable[..., Any]


@pytest.fixture(scope="session")
def _commands() -> None:
    if not cli.app.registered_commands:
        cli._add_commands()


@pytest.fixture
def type_in(_commands: None, empty_database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Type:
    """Types a command of `talktime users` and gives what it says."""
    monkeypatch.setenv("DATABASE_URL", empty_database.engine.url.set(drivername="postgresql").render_as_string(False))
    monkeypatch.setenv("TALKTIME_HOME", str(tmp_path))
    monkeypatch.setattr("talktime.log.configure", lambda *_: None)  # it is the process's, and this one goes on

    async def type_in(*words: object, of: str = "users") -> Said:
        result = await asyncio.to_thread(CliRunner().invoke, cli.app, [of, *(str(word) for word in words)])
        if isinstance(result.exception, TalktimeError):
            return Said(1, result.stdout, str(result.exception))
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return Said(result.exit_code, result.stdout, result.stderr)

    return type_in


@pytest.fixture
async def alice(empty_database: Database) -> Person:
    return await new_person(empty_database, "Alice", credits=1000)


@pytest.fixture
async def ada(empty_database: Database) -> Person:
    return await new_person(empty_database, "Ada", credits=0, admin=True)


def email_of(person: Person, name: str) -> str:
    return f"{name.lower()}.{person.id.hex}@example.org"


async def acts(database: Database, person: Person) -> list[str]:
    """What commands did to somebody, as the log has it, oldest first."""
    async with database.transaction(everyone=WHY) as db:
        page = await audit_log.page(db, Filter(about=person.id), limit=1000)
    return [entry.act for entry in page.entries if entry.door == "command"][::-1]


async def signed_in(database: Database, person: Person) -> str:
    async with database.transaction(everyone=WHY) as db:
        return await sessions.begin(db, person.id, address="192.0.2.1", browser="Test")


async def user_of(database: Database, person: Person) -> User:
    async with database.transaction(everyone=WHY) as db:
        return await db.get_one(User, person.id)


async def test_people_are_listed_found_and_shown(
    type_in: Type, empty_database: Database, alice: Person, ada: Person
) -> None:
    await signed_in(empty_database, alice)
    listed = await type_in("list")
    assert listed.code == 0
    newest, oldest = listed.out.splitlines()
    assert (email_of(ada, "Ada") in newest, "operator" in newest, "not signed in" in newest) == (True, True, True)
    assert (email_of(alice, "Alice") in oldest, "1,000 credits" in oldest, "seen 20" in oldest) == (True, True, True)
    page = (await type_in("list", "--limit", "1", "--json")).document
    assert [row["id"] for row in page["people"]] == [str(ada.id)]
    rest = (await type_in("list", "--before", page["older"], "--json")).document
    assert ([row["id"] for row in rest["people"]], rest["older"]) == ([str(alice.id)], None)
    assert f"--before {ada.id}" in (await type_in("list", "--limit", 1)).out
    for words, found in (
        (("search", "ALICE"), [alice]),
        (("search", alice.id.hex[:20]), [alice]),
        (("search", "%"), []),
        (("list", "--role", "admin"), [ada]),
        (("list", "--status", "suspended"), []),
        (("search", "example.org", "--role", "user"), [alice]),
    ):
        document = (await type_in(*words, "--json")).document
        assert [row["id"] for row in document["people"]] == [str(person.id) for person in found], words
    assert (await type_in("search", "nobody-at-all")).out == "There is nobody like that.\n"
    assert "Say what to look for" in (await type_in("search", " ")).error
    assert "active, suspended or closed" in (await type_in("list", "--status", "gone")).error
    assert "user or admin" in (await type_in("list", "--role", "root")).error

    shown = await type_in("show", email_of(alice, "Alice"))
    assert shown.code == 0
    for piece in (alice.number, "1,000", "1 browsers", "Alice's shop", "second factor   off", "last calls      none"):
        assert piece in shown.out
    document = (await type_in("show", alice.id, "--json")).document
    assert (document["funds"]["balance"], document["sessions"], document["numbers"]) == (1000, 1, [alice.number])
    assert document["audit"][0]["act"] == "session.began"
    empty = await new_person(empty_database, "Nil", credits=0)
    assert (await type_in("show", empty.id)).code == 0
    assert "Nobody here has the address" in (await type_in("show", "nobody@example.org")).error


async def test_the_first_operator_needs_nobody_and_the_next_one_does(type_in: Type, empty_database: Database) -> None:
    words = ("--name", "Ada Lovelace", "--language", "de")
    made = await type_in("create-admin", " Ada@Example.org", *words, "--json")
    assert made.code == 0
    token = made.document["link"].rpartition("/")[2]
    async with empty_database.transaction(everyone=WHY) as db:
        user = await db.get_one(User, uuid.UUID(made.document["id"]))
        assert (user.email, user.role, user.password_hash, user.locale) == ("ada@example.org", Role.ADMIN, None, "de")
        assert await links.look(db, token, LinkPurpose.RESET) is not None
        assert await links.look(db, token, LinkPurpose.SIGN_IN) is None
    assert "There is an operator already" in (await type_in("create-admin", "eve@example.org", *words)).error
    by = ("--by", "ada@example.org")
    assert (await type_in("create-admin", "grace@example.org", "--name", "Grace", *by)).code == 0
    for wrong, said in (
        (("ada@example.org", *words, *by), "has an account already"),
        (("no address", *words, *by), "not an e-mail address"),
        (("x@example.org", "--name", " ", *by), "Say how you are called"),
        (("x@example.org", "--name", "X", "--zone", "Nowhere", *by), "time zones"),
        (("x@example.org", "--name", "X", "--language", "fr", *by), "languages"),
        (("x@example.org", "--name", "X", "--by", "nobody@example.org"), "Nobody here"),
    ):
        refused = await type_in("create-admin", *wrong)
        assert (refused.code, said in refused.error) == (1, True), (wrong, refused.error)
    async with empty_database.transaction(everyone=WHY) as db:
        assert await db.scalar(text("SELECT count(*) FROM users")) == 2


async def test_roles_change_and_one_operator_always_stays(
    type_in: Type, empty_database: Database, alice: Person, ada: Person
) -> None:
    token = await signed_in(empty_database, alice)
    by = ("--by", email_of(ada, "Ada"))
    last = await type_in("role", ada.id, "user", *by)
    assert (last.code, "last operator" in last.error) == (1, True)
    said = await type_in("role", email_of(alice, "Alice"), "admin", *by)
    assert said.out == "Now an operator, and signed out everywhere.\n"
    async with empty_database.transaction(everyone=WHY) as db:
        assert await sessions.identify(db, token) is None
    assert (await type_in("role", alice.id, "admin", *by, "--json")).document == {"role": "ADMIN", "changed": False}
    assert (await type_in("role", ada.id, "user", *by)).code == 0
    refused = await type_in("role", ada.id, "admin", *by)
    assert (refused.code, "Only an operator" in refused.error) == (1, True)
    assert "user or admin" in (await type_in("role", alice.id, "root", *by)).error
    assert await acts(empty_database, alice) == ["session.ended", "user.role_changed"]


async def test_somebody_is_suspended_signed_out_and_active_again(
    type_in: Type, empty_database: Database, alice: Person, ada: Person
) -> None:
    by = ("--by", email_of(ada, "Ada"))
    assert (await type_in("suspend", alice.id, "--because", "a stolen card", *by)).out.endswith("Suspended.\n")
    assert (await user_of(empty_database, alice)).status is UserStatus.SUSPENDED
    assert "a stolen card" in (await type_in("show", alice.id)).out
    assert (await type_in("activate", alice.id, *by)).out.endswith("Active again.\n")
    assert (await type_in("sign-out", alice.id, *by)).out == "Nobody was signed in.\n"
    tokens = [await signed_in(empty_database, alice) for _ in range(2)]
    assert (await type_in("sign-out", alice.id, *by)).out == "Signed out of 2 browsers.\n"
    async with empty_database.transaction(everyone=WHY) as db:
        assert [await sessions.identify(db, token) for token in tokens] == [None, None]
    assert (await type_in("limits", alice.id, "--grace", "20", *by)).code == 0
    assert (await type_in("limits", alice.id, "--json")).document["grace_limit"] == 20


async def test_a_lost_second_factor_is_taken_off_and_its_owner_told(
    type_in: Type, empty_database: Database, alice: Person, ada: Person
) -> None:
    by = ("--by", email_of(ada, "Ada"))
    assert (await type_in("reset-second-factor", alice.id, *by)).out == "There was none: nothing changed.\n"
    async with empty_database.transaction(everyone=WHY) as db:
        on = update(User).where(User.id == alice.id).values(totp_secret=b"sealed", totp_since=text("now()"))
        await db.execute(on)
    assert "second factor   on" in (await type_in("show", alice.id)).out
    said = await type_in("reset-second-factor", alice.id, *by, "--json")
    assert said.document == {"changed": True}
    assert (await user_of(empty_database, alice)).totp_secret is None
    async with empty_database.transaction(user=alice.id) as db:
        assert list(await db.scalars(text("SELECT kind FROM notices"))) == ["second_factor_off"]
    own = await type_in("reset-second-factor", ada.id, *by)
    assert (own.code, "their own second factor" in own.error) == (1, True)


async def test_links_are_printed_and_do_what_they_say(
    type_in: Type, empty_database: Database, alice: Person, ada: Person
) -> None:
    by = ("--by", email_of(ada, "Ada"))
    invited = await type_in("invite", "New@Example.org", *by, "--language", "de")
    assert "/welcome/" in invited.out
    for_anybody = await type_in("invite", "--role", "admin", *by, "--json")
    assert for_anybody.document["role"] == "ADMIN"
    assert "has an account already" in (await type_in("invite", email_of(alice, "Alice").upper(), *by)).error
    signs_in = await type_in("sign-in", email_of(alice, "Alice"))
    assert signs_in.code == 0
    visits = await type_in("sign-in-as", alice.id, "--reason", "fault", *by)
    async with empty_database.transaction(everyone=WHY) as db:
        link = await links.look(db, invited.token, LinkPurpose.INVITE)
        assert link is not None
        assert (link.email, link.role, link.made_by, link.locale) == ("new@example.org", Role.USER, ada.id, "de")
        token = await sessions.redeem(db, signs_in.token, address=None, browser=None)
        assert token is not None
        identity = await sessions.identify(db, token)
        assert identity is not None
        assert (identity.user_id, identity.actor_id) == (alice.id, None)
        token = await sessions.redeem(db, visits.token, address=None, browser=None)
        assert token is not None
        identity = await sessions.identify(db, token)
        assert identity is not None
        assert (identity.user_id, identity.actor_id) == (alice.id, ada.id)
        assert await sessions.redeem(db, visits.token, address=None, browser=None) is None
    found = await type_in("audit", alice.id, "--act", "sign_in.", "--json")
    assert [row["act"] for row in found.document["entries"]] == ["sign_in.printed"]
    for words, said in (
        (("sign-in-as", alice.id, "--reason", "curious", *by), "asked_by_customer, fault"),
        (("sign-in-as", ada.id, "--reason", "fault", *by), "as an operator"),
        (("sign-in-as", alice.id, "--reason", "fault", "--by", alice.id), "Only an operator"),
        (("sign-in", alice.id, "--by", alice.id), "Only an operator"),
        (("invite", "--by", alice.id), "Only an operator"),
    ):
        refused = await type_in(*words)
        assert (refused.code, said in refused.error) == (1, True), (words, refused.error)


async def test_the_audit_log_is_read_proved_and_exported(
    type_in: Type, empty_database: Database, alice: Person, ada: Person, tmp_path: Path
) -> None:
    assert (await type_in("audit")).out == "Nothing like that was written down.\n"
    by = ("--by", email_of(ada, "Ada"))
    await type_in("suspend", alice.id, "--because", "a reason", *by)
    await type_in("activate", alice.id, *by)
    await type_in("invite", *by)
    said = (await type_in("audit", email_of(alice, "Alice"))).out.splitlines()
    assert len(said) == 2
    assert f"user.activated  about {email_of(alice, 'Alice')}  by {email_of(ada, 'Ada')}  (command)" in said[0]
    assert '{"status":"SUSPENDED"}' in said[1]
    page = (await type_in("audit", "--limit", "1", "--json")).document
    assert [row["act"] for row in page["entries"]] == ["link.issued"]
    rest = (await type_in("audit", "--before", page["older"], "--json")).document
    assert [row["act"] for row in rest["entries"]] == ["user.activated", "user.suspended"]
    assert (await type_in("audit", "--actor", ada.id, "--act", "user.", "--json")).document["older"] is None
    assert (await type_in("audit", "--from", "2099-01-01")).out == "Nothing like that was written down.\n"
    assert "begin with the newest page" in (await type_in("audit", "--before", "x")).error
    assert "An act is a noun" in (await type_in("audit", "--act", "%")).error

    proved = await type_in("audit-verify")
    assert (proved.code, proved.out.startswith("Nothing was changed: 3 entries about 2 people")) == (0, True)
    lines = (await type_in("audit-export")).out.splitlines()
    assert [json.loads(line)["act"] for line in lines] == ["link.issued", "user.activated", "user.suspended"]
    file = tmp_path / "log.csv"
    written = await type_in("audit-export", alice.id, "--format", "csv", "--out", file, "--json")
    assert written.document == {"file": str(file), "bytes": file.stat().st_size}
    rows = list(csv.DictReader(io.StringIO(file.read_text())))
    assert [row["act"] for row in rows] == ["user.activated", "user.suspended"]
    assert "csv or jsonl" in (await type_in("audit-export", "--format", "xml")).error
    assert "cannot be written" in (await type_in("audit-export", "--out", tmp_path)).error

    url = empty_database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as connection:
        connection.execute("ALTER TABLE audit_entries DISABLE TRIGGER USER")
        connection.execute("UPDATE audit_entries SET actor_id = NULL WHERE act = 'user.suspended'")
    found = await type_in("audit-verify", "--json")
    assert found.code == 1
    assert [row["problem"] for row in found.document["violations"]] == ["changed"]
    assert f"{alice.id}  entry 1: changed" in (await type_in("audit-verify", alice.id)).out
    assert (await type_in("audit-verify", ada.id)).code == 0


async def test_a_payments_event_that_is_handled_again_is_written_down_with_the_deed(
    type_in: Type, empty_database: Database, ada: Person
) -> None:
    event = uuid.uuid4()
    async with empty_database.transaction(everyone=WHY) as db:
        await db.execute(
            text(
                "INSERT INTO provider_events (id, provider, account, event_id, kind, body, gave_up_at)"
                " VALUES (:id, 'simulated', '', 'evt_1', 'payment.told', '', now())"
            ),
            {"id": event},
        )
    for code in (0, 1):
        assert (await type_in("payments", "again", event, "--by", ada.id, of="ledger")).code == code
    rate = ("costs", "rates", "set", "x/y", "characters", "0.5", "EUR", "--from", "2020-01-01", "--by", ada.id)
    for _ in range(2):
        assert (await type_in(*rate, of="ledger")).code == 0
    assert await acts(empty_database, ada) == ["event.handled_again", "cost_rate.set"]


async def test_nobody_but_an_operator_does_anything(
    type_in: Type, empty_database: Database, alice: Person, ada: Person
) -> None:
    eve = await new_person(empty_database, "Eve", credits=0)
    gone = await new_person(empty_database, "Gone", credits=0, admin=True)
    async with empty_database.transaction(everyone=WHY) as db:
        await db.execute(update(User).where(User.id == gone.id).values(status=UserStatus.SUSPENDED))
    for command in (
        ("invite", "x@example.org"),
        ("create-admin", "x@example.org", "--name", "X"),
        ("role", alice.id, "admin"),
        ("suspend", alice.id, "--because", "x"),
        ("activate", alice.id),
        ("reset-second-factor", alice.id),
        ("sign-out", alice.id),
        ("limits", alice.id, "--grace", "5"),
        ("sign-in", alice.id),
        ("sign-in-as", alice.id, "--reason", "fault"),
        ("close", alice.id, "--yes"),
    ):
        for who in (eve, gone):
            refused = await type_in(*command, "--by", who.id)
            assert (refused.code, "Only an operator may do this" in refused.error) == (1, True), (command, refused)
    async with empty_database.transaction(everyone=WHY) as db:
        assert await db.scalar(text("SELECT count(*) FROM audit_entries")) == 0


async def test_each_command_has_help_and_a_document_for_programs(type_in: Type) -> None:
    names = [_name(command) for command in cli.users.app.registered_commands]
    assert set(names) >= {
        "list", "search", "show", "invite", "create-admin", "role", "suspend", "activate", "reset-second-factor",
        "sign-out", "limits", "sign-in", "sign-in-as", "audit", "audit-verify", "audit-export", "close", "export",
        "forget-caller",
    }  # fmt: skip
    assert len(names) == len(set(names))
    for name in names:
        said = await type_in(name, "--help")
        assert said.code == 0, name
        assert "--json" in said.out, name


def _name(command: CommandInfo) -> str:
    assert command.callback is not None
    return command.name or command.callback.__name__
