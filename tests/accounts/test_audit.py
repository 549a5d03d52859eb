"""The audit log: every deed of an operator is in it, with the deed or not at all, and nobody changes it unseen."""

import ast
import asyncio
import csv
import inspect
import io
import itertools
import json
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from talktime import cli
from talktime.accounts import audit, audit_log, sessions
from talktime.accounts.audit_log import Entry, Filter
from talktime.alerts import board
from talktime.alerts.kinds import KINDS
from talktime.db.session import Database, connect
from talktime.errors import BadInput
from talktime.rounds import prove_audit
from tests.accounts import verbs as verbs_of_people
from tests.accounts import verbs_of_programs
from tests.accounts.verbs import ELSEWHERE, NOT_VERBS, VARIANTS, Scene, verbs
from tests.payments.counter import open_counter
from tests.people import WHY, Person, new_person

READY = {**verbs_of_people.READY, **verbs_of_programs.READY}


class Undone(Exception):
    """The transaction is given up."""


@pytest.fixture(scope="module")
async def scene(new_database_url: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    database = connect(new_database_url())
    async with open_counter(database, Path(tmp_path_factory.mktemp("counter"))) as counter:
        alice = await new_person(database, "Alice", credits=5000)
        ada, grace = [await new_person(database, name, credits=0, admin=True) for name in ("Ada", "Grace")]
        yield Scene(counter, alice, ada, grace, itertools.count(1))
    await database.close()


async def entries(database: Database, which: Filter | None = None) -> list[Entry]:
    """All of them, oldest first."""
    async with database.transaction(everyone=WHY) as db:
        page = await audit_log.page(db, which or Filter(), limit=audit_log.PAGE_MAX)
    assert page.older is None
    return list(page.entries)[::-1]


async def write(database: Database, person: Person, count: int, *, actor: uuid.UUID | None = None) -> None:
    async with database.transaction(everyone=WHY) as db:
        with audit.came_from("web", "192.0.2.77"):
            for number in range(count):
                await audit.record(db, person.id, actor, "thing.done", before={"n": number}, after={"n": number + 1})


# Every verb.


def test_every_verb_that_says_who_does_it_is_known_here() -> None:
    found = {name for name, _ in verbs()}
    assert found - NOT_VERBS.keys() - ELSEWHERE.keys() == READY.keys(), (
        "a new verb has to be in tests/accounts/verbs.py: how, and what it writes"
    )
    assert NOT_VERBS.keys() | ELSEWHERE.keys() <= found


def test_no_command_forgets_to_say_who_does_it() -> None:
    """Where a verb takes an actor and can do without, it is the customer's or the installation's own doing: a command
    is neither."""
    optional = {
        tuple(name.split(".")[1:])
        for name, verb in verbs()
        if "actor" in (words := inspect.signature(verb).parameters) and words["actor"].default is None
    }
    assert {("money", "set_limits"), ("packs", "create"), ("pool", "assign"), ("publish", "publish")} <= optional
    forgotten = []
    for path in sorted(Path(cli.__path__[0]).glob("*.py")):
        for call in ast.walk(ast.parse(path.read_text())):
            match call:
                case ast.Call(func=ast.Attribute(value=ast.Name(id=module), attr=verb)):
                    is_ours = (module, verb) in optional
                case ast.Call(func=ast.Name(id=verb)):
                    is_ours = verb in ("create", "publish")
                case _:
                    continue
            if is_ours and "actor" not in {word.arg for word in call.keywords}:
                forgotten.append(f"{path.name}:{call.lineno} {verb}")
    assert forgotten == []


@pytest.mark.parametrize("name", [*sorted(READY), *VARIANTS])
async def test_each_deed_is_written_down_with_who_did_it_and_where_from(scene: Scene, name: str) -> None:
    prepare, acts = {**READY, **VARIANTS}[name]
    done = await prepare(scene)
    database = scene.counter.database
    before = {(entry.user_id, entry.seq) for entry in await entries(database)}
    with audit.came_from("command"):
        if done.alone is not None:
            await done.alone()
        else:
            assert done.work is not None
            with pytest.raises(Undone):
                async with database.transaction(everyone=WHY) as db:
                    await done.work(db)
                    raise Undone
            # Neither the deed nor the entry without the other.
            assert {(entry.user_id, entry.seq) for entry in await entries(database)} == before
            async with database.transaction(everyone=WHY) as db:
                await done.work(db)
    written = [entry for entry in await entries(database) if (entry.user_id, entry.seq) not in before]
    assert [entry.act for entry in written] == list(acts)
    for entry in written:
        assert (entry.door, entry.network) == ("command", None)
        assert entry.actor_id == done.by
    assert done.about is None or {entry.user_id for entry in written} == {done.about}
    said = json.dumps([[entry.before, entry.after] for entry in written])
    for personal in ("example.org", "Alice", "Ada", "+1555", "asked for"):
        assert personal not in said
    assert (await audit_log.verify(database)).is_clean


async def test_what_was_done_already_is_not_written_down_again(scene: Scene) -> None:
    for name in ("credits.adjustments.approve", "credits.money.set_limits", "alerts.board.acknowledge"):
        done = await READY[name][0](scene)
        assert done.work is not None
        async with scene.counter.database.transaction(everyone=WHY) as db:
            await done.work(db)
        before = len(await entries(scene.counter.database))
        async with scene.counter.database.transaction(everyone=WHY) as db:
            await done.work(db)
        assert len(await entries(scene.counter.database)) == before, name


# What an entry is.


async def test_an_entry_takes_no_address_and_no_long_text(database: Database, alice: Person) -> None:
    async with database.transaction(user=alice.id) as db:
        for wrong in ("alice@example.org", "x" * 300):
            with pytest.raises(AssertionError):
                await audit.record(db, alice.id, None, "thing.done", after={"note": wrong})
    with pytest.raises(DBAPIError):
        async with database.transaction(user=alice.id) as db:
            await audit.record(db, alice.id, None, "Done something!")


async def test_where_it_came_from_is_a_network_and_no_address(database: Database, alice: Person) -> None:
    cases = {
        "192.0.2.77": "192.0.2.0/24",
        "::ffff:192.0.2.77": "192.0.2.0/24",
        "2001:db8:1:2::3": "2001:db8:1::/48",
        "nonsense": None,
    }
    async with database.transaction(user=alice.id) as db:
        for address in cases:
            with audit.came_from("api", address):
                await audit.record(db, alice.id, alice.id, "thing.done")
        await audit.record(db, alice.id, None, "thing.done")
    found = await entries(database, Filter(about=alice.id))
    assert [entry.network for entry in found] == [*cases.values(), None]
    assert [entry.door for entry in found] == ["api"] * 4 + ["worker"]


async def test_nobody_writes_about_somebody_else_and_nobody_reads_it(
    database: Database, alice: Person, bob: Person
) -> None:
    await write(database, alice, 2)
    async with database.transaction(user=bob.id) as db:
        assert await db.scalar(text("SELECT count(*) FROM audit_entries")) == 0
    for forbidden in (
        f"SELECT audit_v1('{alice.id}', NULL, 'thing.done', NULL, NULL, 'web', NULL)",
        f"INSERT INTO audit_heads (user_id, seq, hash) VALUES ('{bob.id}', 1, sha256(''))",
        "UPDATE audit_entries SET act = 'thing.undone'",
        "DELETE FROM audit_entries",
        "TRUNCATE audit_entries",
        "SELECT * FROM verify_audit_v1()",
    ):
        with pytest.raises(DBAPIError):
            async with database.transaction(user=bob.id) as db:
                await db.execute(text(forbidden))
    for forbidden in ("UPDATE audit_entries SET act = 'a.b'", "DELETE FROM audit_entries", "DELETE FROM audit_heads"):
        with pytest.raises(DBAPIError):
            async with database.transaction(everyone=WHY) as db:
                await db.execute(text(forbidden))


async def test_in_a_customers_transaction_nobody_is_named_who_does_nothing_in_it(
    database: Database, alice: Person, bob: Person, ada: Person
) -> None:
    async def write_as(actor: uuid.UUID | None) -> bool:
        try:
            async with database.transaction(user=alice.id) as db:
                await audit.record(db, alice.id, actor, "thing.done")
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", "") != "TT403":
                raise
            return False
        return True

    async def become(words: str) -> None:
        async with database.transaction(everyone=WHY) as db:
            await db.execute(text(f"UPDATE users SET {words} WHERE id = :ada"), {"ada": ada.id})

    assert await write_as(None) and await write_as(alice.id)
    assert not await write_as(bob.id)
    assert not await write_as(ada.id), "an operator, but nobody's guest"
    async with database.transaction(everyone=WHY) as db:
        of_bob = await sessions.begin(db, bob.id, address=None, browser=None, actor=ada.id)
    assert not await write_as(ada.id), "somebody else's guest"
    async with database.transaction(everyone=WHY) as db:
        visit = await sessions.begin(db, alice.id, address=None, browser=None, actor=ada.id)
    assert await write_as(ada.id)
    await become("status = 'SUSPENDED'")
    assert not await write_as(ada.id)
    await become("status = 'ACTIVE', role = 'USER'")
    assert not await write_as(ada.id)
    await become("role = 'ADMIN'")
    async with database.transaction(everyone=WHY) as db:
        await sessions.end(db, of_bob)
        over = "UPDATE sessions SET created_at = now() - interval '1 hour', expires_at = now() WHERE actor_id = :ada"
        await db.execute(text(over), {"ada": ada.id})
    assert not await write_as(ada.id), "the time is over"
    async with database.transaction(everyone=WHY) as db:
        await sessions.end(db, visit)
        # Commands and the worker have no session, and are believed.
        await audit.record(db, alice.id, ada.id, "thing.done")


async def test_many_who_write_about_one_person_at_once_make_one_chain(database: Database, alice: Person) -> None:
    await asyncio.gather(*(write(database, alice, 5) for _ in range(20)))
    assert [entry.seq for entry in await entries(database, Filter(about=alice.id))] == list(range(1, 101))
    assert (await audit_log.verify(database, alice.id)).entries == 100
    assert (await audit_log.verify(database, alice.id)).is_clean


# Looking at it.


async def test_the_log_is_read_page_by_page_and_by_what_one_looks_for(
    empty_database: Database,
) -> None:
    people = [await new_person(empty_database, name, credits=0) for name in ("Alice", "Bob")]
    alice, bob = people
    for _ in range(3):
        for person in people:
            await write(empty_database, person, 3, actor=bob.id)
    async with empty_database.transaction(everyone=WHY) as db:
        await audit.record(db, alice.id, None, "session.began")
        await audit.record(db, alice.id, alice.id, "session.ended")
    everything = (await entries(empty_database))[::-1]
    assert len(everything) == 20
    assert everything == sorted(everything, key=lambda entry: entry.at, reverse=True)
    seen: list[Entry] = []
    before = None
    async with empty_database.transaction(everyone=WHY) as db:
        while True:
            page = await audit_log.page(db, Filter(), before=before, limit=7)
            seen += page.entries
            if page.older is None:
                break
            before = audit_log.read_place(audit_log.written(page.older))
        assert seen == everything

        async def count(**which: Any) -> int:
            return len((await audit_log.page(db, Filter(**which))).entries)

        assert await count(about=alice.id) == 11
        assert await count(by=bob.id) == 18
        assert await count(about=alice.id, by=alice.id) == 1
        assert await count(act="session") == await count(act="session.") == 2
        assert await count(act="session.e") == 1
        middle = everything[10].at
        assert await count(since=middle) == 11
        assert await count(until=middle) == 9
        assert await count(since=middle, until=middle) == 0
        for wrong in ("%", "session.began.x", "'; DROP", "", "Session"):
            with pytest.raises(BadInput):
                await audit_log.page(db, Filter(act=wrong))
    for wrong in ("", "1,2,3", "2026-01-01,x,1", f"2026-01-01T00:00:00,{uuid.uuid4()},1", "a,b"):
        with pytest.raises(BadInput):
            audit_log.read_place(wrong)


async def test_entries_of_the_same_moment_are_each_on_one_page(empty_database: Database, as_owner: Any) -> None:
    alice, bob = [await new_person(empty_database, name, credits=0) for name in ("Alice", "Bob")]
    await write(empty_database, alice, 10)
    await write(empty_database, bob, 10)
    as_owner(empty_database, "UPDATE audit_entries SET at = '2026-01-01 00:00+00'")
    seen, before = [], None
    async with empty_database.transaction(everyone=WHY) as db:
        while True:
            page = await audit_log.page(db, Filter(), before=before, limit=3)
            seen += [(entry.user_id, entry.seq) for entry in page.entries]
            before = page.older
            if before is None:
                break
    assert len(seen) == len(set(seen)) == 20


async def test_all_of_it_is_exported_and_read_again(empty_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_log, "_EXPORT_PAGE", 4)
    alice = await new_person(empty_database, "Alice", credits=0)
    await write(empty_database, alice, 10)
    async with empty_database.transaction(everyone=WHY) as db:
        await audit.record(db, alice.id, None, "thing.done", after={"texts": ['with "quotes", and\nlines', "ü"]})
    everything = (await entries(empty_database))[::-1]
    lines = b"".join([part async for part in audit_log.export(empty_database, Filter(), "jsonl")]).splitlines()
    assert [json.loads(line) for line in lines] == [
        json.loads(json.dumps(audit_log.row_of(entry), default=str)) for entry in everything
    ]
    table = b"".join([part async for part in audit_log.export(empty_database, Filter(), "csv")]).decode()
    rows = list(csv.DictReader(io.StringIO(table, newline="")))
    assert [row["hash"] for row in rows] == [entry.hash.hex() for entry in everything]
    assert json.loads(rows[0]["after"]) == everything[0].after
    assert rows[0]["before"] == ""
    nothing = [part async for part in audit_log.export(empty_database, Filter(act="nothing"), "csv")]
    assert b"".join(nothing).count(b"\n") == 1


# Tampering.


@pytest.fixture
def as_owner() -> Callable[..., None]:
    """Does something as the owner of the tables, with their triggers off, as somebody would who covers up."""

    def do(database: Database, *statements: str) -> None:
        url = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(url) as connection:
            connection.execute("SET ROLE talktime_owner")
            for table in ("audit_entries", "audit_heads"):
                connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            for statement in statements:
                connection.execute(statement.encode())
            for table in ("audit_entries", "audit_heads"):
                connection.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")

    return do


CHANGES = {
    "user_id": "(SELECT id FROM users WHERE name = 'Bob')",
    "seq": "7",
    "at": "at + interval '1 microsecond'",
    "actor_id": "NULL",
    "act": "'thing.undone'",
    "before": "'{\"n\": 5}'",
    "after": "NULL",
    "door": "'worker'",
    "network": "'192.0.3.0/24'",
    "hash": "sha256('x')",
}


def test_each_column_is_tampered_with_below() -> None:
    from talktime.accounts.models import AuditEntry

    assert CHANGES.keys() == {column.name for column in AuditEntry.__table__.columns}


@pytest.mark.parametrize("column", CHANGES)
@pytest.mark.parametrize("seq", [1, 3, 6])
async def test_a_changed_column_is_seen(
    empty_database: Database, as_owner: Callable[..., None], column: str, seq: int
) -> None:
    alice = await _two_chains(empty_database)
    moved = f"UPDATE audit_entries SET {column} = {CHANGES[column]} WHERE user_id = '{alice.id}' AND seq = {seq}"
    if column == "user_id":
        # Bob has entries of these numbers.
        moved = moved.replace("SET user_id", "SET seq = 7, user_id")
    as_owner(empty_database, moved)
    verdict = await audit_log.verify(empty_database)
    assert verdict.violations, (column, seq)
    assert all(each.seq >= seq for each in verdict.violations)


_COPIED = (
    "INSERT INTO audit_entries SELECT user_id, {n}, at, actor_id, act, before, after, door, network,"
    " audit_hash(hash, user_id, {n}, at, actor_id, act, before, after, door, network)"
    " FROM audit_entries WHERE {alice} AND seq = {n} - 1"
)
_MOVED_BACK = (
    "UPDATE audit_heads SET (seq, hash) = (SELECT seq, hash FROM audit_entries WHERE seq = 4 AND {alice}) WHERE {alice}"
)
TAMPERED: dict[str, tuple[list[str], list[tuple[int, str]]]] = {
    "an entry is missing": (["DELETE FROM audit_entries WHERE {alice} AND seq = 3"], [(4, "missing")]),
    "the first is missing": (["DELETE FROM audit_entries WHERE {alice} AND seq = 1"], [(2, "missing")]),
    "two have changed places": (
        [
            "UPDATE audit_entries SET seq = 100 WHERE {alice} AND seq = 3",
            "UPDATE audit_entries SET seq = 3 WHERE {alice} AND seq = 4",
            "UPDATE audit_entries SET seq = 4 WHERE {alice} AND seq = 100",
        ],
        [(3, "changed"), (4, "changed"), (5, "changed")],
    ),
    "the end is cut off": (["DELETE FROM audit_entries WHERE {alice} AND seq > 4"], [(6, "cut short")]),
    "all of it is cut off": (["DELETE FROM audit_entries WHERE {alice}"], [(6, "cut short")]),
    "one more was put behind the end": ([_COPIED.replace("{n}", "7")], [(7, "beyond the end")]),
    "one more was put between": (
        [
            "UPDATE audit_entries SET seq = seq + 100 WHERE {alice} AND seq > 3",
            _COPIED.replace("{n}", "4"),
            "UPDATE audit_entries SET seq = seq - 99 WHERE {alice} AND seq > 100",
        ],
        [(5, "changed"), (6, "changed"), (6, "cut short"), (7, "beyond the end"), (7, "changed")],
    ),
    "the end was moved back": (
        [_MOVED_BACK],
        [(5, "beyond the end"), (6, "beyond the end")],
    ),
    "the end is gone": (["DELETE FROM audit_heads WHERE {alice}"], [(n, "beyond the end") for n in range(1, 7)]),
    "the end says another hash": (["UPDATE audit_heads SET hash = sha256('x') WHERE {alice}"], [(6, "cut short")]),
}


@pytest.mark.parametrize("what", TAMPERED)
async def test_tampering_is_seen_where_it_was_done(
    empty_database: Database, as_owner: Callable[..., None], what: str
) -> None:
    alice = await _two_chains(empty_database)
    statements, found = TAMPERED[what]
    as_owner(empty_database, *(each.replace("{alice}", f"user_id = '{alice.id}'") for each in statements))
    for verdict in (await audit_log.verify(empty_database), await audit_log.verify(empty_database, alice.id)):
        assert [(each.user_id, each.seq, each.problem) for each in verdict.violations] == [
            (alice.id, *each) for each in found
        ]


async def test_the_nightly_proof_puts_what_is_wrong_before_the_operator_once(
    empty_database: Database, as_owner: Callable[..., None]
) -> None:
    alice = await _two_chains(empty_database)
    assert await prove_audit(empty_database) == 0
    as_owner(empty_database, f"UPDATE audit_entries SET act = 'a.b' WHERE user_id = '{alice.id}' AND seq > 2")
    for _ in range(2):
        assert await prove_audit(empty_database) == 4
    async with empty_database.transaction(everyone=WHY) as db:
        alerts = await board.open_alerts(db)
    assert [(alert.kind, alert.user_id, alert.detail["seq"]) for alert in alerts] == [
        ("audit_wrong", alice.id, seq) for seq in (3, 4, 5, 6)
    ]
    assert alerts[0].detail["problem"] == "changed"
    assert "audit_wrong" in KINDS


async def test_people_are_proved_in_ranges_that_leave_nobody_out(
    empty_database: Database, as_owner: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_log, "_USERS_AT_ONCE", 2)
    monkeypatch.setattr(audit_log, "_ENTRIES_AT_ONCE", 5)
    people = [await new_person(empty_database, f"P{n}", credits=0) for n in range(7)]
    for number, person in enumerate(people):
        await write(empty_database, person, number)
    verdict = await audit_log.verify(empty_database)
    assert (verdict.people, verdict.entries, verdict.is_clean) == (7, 21, True)
    as_owner(empty_database, "UPDATE audit_entries SET act = 'a.b'")
    assert len((await audit_log.verify(empty_database)).violations) == 21


async def _two_chains(database: Database) -> Person:
    """Alice's and Bob's, six entries each."""
    alice, bob = [await new_person(database, name, credits=0) for name in ("Alice", "Bob")]
    for _ in range(3):
        for person in (alice, bob):
            await write(database, person, 2, actor=alice.id)
    assert (await audit_log.verify(database)).is_clean
    return alice
