"""An export has everything that somebody has, and nothing of anybody else's, and no secrets; however much it is."""

import csv
import io
import json
import tracemalloc
import zipfile
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import LargeBinary, text

from talktime.accounts import keys, sessions
from talktime.accounts.operators import NotAnOperator
from talktime.accounts.sessions import ConfirmFirst, OwnerOnly
from talktime.calls import lifecycle
from talktime.carriers.contract import Ring
from talktime.db.base import new_id
from talktime.db.session import Database, connect
from talktime.documents.values import Seller
from talktime.errors import NotFound
from talktime.numbers.models import NumberProof
from talktime.payments import invoices
from talktime.payments.invoices import Billing
from talktime.payments.models import Purchase, PurchaseState
from talktime.privacy import export
from talktime.privacy.shelves import LEFT_OUT, SHELVES
from tests.db.everything import TABLES, become_owner, fill
from tests.house import new_sid
from tests.people import WHY, Person, new_person

FORMULA = "=cmd|'/C calc'!A0"


@pytest.fixture
async def town(new_database_url: Callable[[], str]) -> AsyncIterator[Database]:
    database = connect(new_database_url())
    yield database
    await database.close()


async def archive_of(database: Database, person: Person, **more: Any) -> dict[str, bytes]:
    """The files of somebody's export."""
    pieces = [piece async for piece in export.stream(database, person.id, **more)]
    with zipfile.ZipFile(io.BytesIO(b"".join(pieces))) as found:
        assert found.testzip() is None
        return {name: found.read(name) for name in found.namelist()}


def rows_in(content: bytes, name: str) -> list[dict[str, Any]]:
    documents: list[dict[str, Any]] = (
        json.loads(content) if name.endswith(".json") else [json.loads(line) for line in content.splitlines()]
    )
    return documents


def table_in(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


async def settle(database: Database, person: Person) -> None:
    """What they have beside a row in every table: keys, sign-ins, a real invoice, a number that is only theirs."""
    async with database.transaction(everyone=WHY) as db:
        await sessions.begin(db, person.id, address="192.0.2.7", browser="Firefox")
        await keys.make(db, person.id, "a program", [keys.Scope.CALLS_READ])
        await db.execute(
            text("UPDATE users SET password_hash = 'argon-secret', totp_secret = 'totp-secret', totp_since = now()")
        )
        bought = Purchase(
            user_id=person.id, id=new_id(), name="Small", credits=10, price_minor=100, currency="EUR", test=True,
            gateway="simulated", state=PurchaseState.PAID, paid_at=datetime.now(UTC), customer_id="cus_secret",
            payment_method_id="pm_secret", checkout_url="https://pay.example/secret",
        )  # fmt: skip
        db.add(bought)
        in_an_hour = datetime.now(UTC) + timedelta(hours=1)
        db.add(NumberProof(user_id=person.id, number="+493012345678", carrier="simulated", expires_at=in_an_hour))
        await db.flush()
        seller = Seller(name="Talktime Ltd", address=("Street 1",), country="DE", vat_id="DE1", email="us@example.org")
        await invoices.issue(db, Billing(seller), bought, None)


def test_every_table_of_customers_is_exported_or_it_is_said_why_not() -> None:
    theirs = {name for name, table in TABLES.items() if "user_id" in table.columns} | {"users"}
    exported = {shelf.model.__tablename__ for shelf in SHELVES}
    assert exported | set(LEFT_OUT) == theirs, "a new table belongs into SHELVES, or with a reason into LEFT_OUT"
    assert not exported & set(LEFT_OUT)
    assert len({shelf.file for shelf in SHELVES}) == len(SHELVES)


def test_no_column_that_may_hold_a_secret_is_exported() -> None:
    for shelf in SHELVES:
        table = TABLES[shelf.model.__tablename__]
        assert set(shelf.left_out) <= set(table.columns.keys()), shelf.file
        exported = {column.key for column in shelf.columns}
        assert len(exported) + len(shelf.left_out) + sum(
            isinstance(column.type, LargeBinary) and column.name not in shelf.left_out for column in table.columns
        ) == len(table.columns), shelf.file
        for word in ("hash", "secret", "token", "password", "payment_method"):
            assert not [name for name in exported if word in name], shelf.file


def test_the_pages_go_by_what_is_unique_among_somebodys_rows() -> None:
    for shelf in SHELVES:
        table = TABLES[shelf.model.__tablename__]
        by = {shelf.whose, *(column.key for column in shelf.key)}
        assert {column.name for column in table.primary_key.columns} <= by, shelf.file


async def test_an_export_has_a_row_of_every_table_and_none_of_anybody_elses(town: Database) -> None:
    alice, bob = [await new_person(town, name, credits=1000) for name in ("Alice", "Bob")]
    for person in (alice, bob):
        await fill(town, person)
        await settle(town, person)
    async with town.engine.begin() as connection:
        # The one that `fill` wrote has nobody's name on it, so it cannot be drawn.
        await connection.execute(text("SET LOCAL ROLE NONE"))
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        await connection.execute(text("DELETE FROM invoices WHERE number = 'TT-1'"))
    files = await archive_of(town, alice)
    whole = b"".join(content for name, content in files.items() if not name.endswith(".pdf"))
    for someone in (bob.id, bob.agent, bob.number, "Bob"):
        assert str(someone).encode() not in whole
    for secret in (b"argon-secret", b"totp-secret", b"cus_secret", b"pm_secret", b"/secret"):
        assert secret not in whole
    for shelf in SHELVES:
        rows = rows_in(files[shelf.file], shelf.file)
        # These two need more than a customer: an operator's price, and money that came for nothing.
        assert rows or shelf.file in {"other-payments.json", "links.json"}, shelf.file
        assert {row[shelf.whose] for row in rows} <= {str(alice.id)}, shelf.file
    (call,) = table_in(files["calls.csv"])
    assert (call["caller"], call["agent"], call["credits"]) == ("'+4915112345678", "Reception", "0")
    assert [line["amount"] for line in table_in(files["ledger.csv"])] == ["1000"]
    month = f"{datetime.now(UTC):%Y-%m}"
    assert [line["amount"] for line in table_in(files[f"statements/{month}.csv"])] == ["1000"]
    assert files[f"statements/{month}.pdf"].startswith(b"%PDF")
    assert len([name for name in files if name.startswith("invoices/TEST-TT") and name.endswith(".pdf")]) == 1
    assert b"Everything that Talktime has of Alice" in files["README.txt"]
    named = files["README.txt"].decode()
    assert [name for name in files if name.partition("/")[0] not in named] == ["README.txt"]
    assert not [name for name in files if name.startswith("recordings/")]


async def test_what_people_wrote_is_no_formula_and_a_forgotten_caller_is_not_in_it(town: Database) -> None:
    alice = await new_person(town, "Alice", credits=1000)
    async with town.transaction(everyone=WHY) as db:
        ring = Ring(account="AC1", call_id=new_sid(), caller="+4930555000111", dialled=alice.number)
        call = (await lifecycle.ring(db, "simulated", ring)).call_id
        assert call is not None
        await lifecycle.note_outcome(db, alice.id, call, "message", FORMULA)
        await db.execute(text("UPDATE agents SET name = '@SUM(A1)'"))
    (row,) = table_in((await archive_of(town, alice))["calls.csv"])
    assert (row["summary"], row["agent"], row["caller"]) == (f"'{FORMULA}", "'@SUM(A1)", "'+4930555000111")
    async with town.transaction(user=alice.id) as db:
        await db.execute(text("SELECT forget_calls_v1(:user, ARRAY[:call])"), {"user": alice.id, "call": call})
    (row,) = table_in((await archive_of(town, alice))["calls.csv"])
    assert (row["summary"], row["caller"], row["call_id"]) == ("", "", str(call))


async def test_an_export_of_somebody_who_has_nothing_is_whole(town: Database) -> None:
    ada = await new_person(town, "Ada", credits=0, admin=True)
    async with town.transaction(everyone=WHY) as db:
        await db.execute(text("UPDATE users SET locale = 'de-AT', name = '' WHERE id = :id"), {"id": ada.id})
    files = await archive_of(town, ada)
    assert rows_in(files["keys.json"], "keys.json") == [] and files["calls.jsonl"] == b""
    assert files["README.txt"].decode().startswith("Alles, was Talktime")


async def test_only_its_owner_and_an_operator_get_it_and_it_is_written_down(town: Database) -> None:
    alice, bob = [await new_person(town, name, credits=0) for name in ("Alice", "Bob")]
    ada = await new_person(town, "Ada", credits=0, admin=True)
    with pytest.raises(NotAnOperator):
        await archive_of(town, alice, actor=bob.id)
    with pytest.raises(NotFound):
        await archive_of(town, replace(alice, id=new_id()), actor=ada.id)
    await archive_of(town, alice, actor=ada.id)
    await archive_of(town, alice)
    async with town.transaction(everyone=WHY) as db:
        actors = await db.scalars(text("SELECT actor_id FROM audit_entries WHERE act = 'user.exported' ORDER BY seq"))
        assert list(actors) == [ada.id, alice.id]
        token = await sessions.begin(db, alice.id, address=None, browser=None)
        identity = await sessions.identify(db, token)
    assert identity is not None
    assert [piece async for piece in export.stream_own(town, identity)]
    for wrong, error in (
        (replace(identity, actor_id=ada.id), OwnerOnly),
        (replace(identity, confirmed_at=datetime.now(UTC) - timedelta(minutes=16)), ConfirmFirst),
    ):
        with pytest.raises(error):
            export.stream_own(town, wrong)


async def many_calls(database: Database, person: Person, count: int) -> None:
    """So many calls, each with a turn, as the owner of the tables would put them there."""
    async with database.transaction(everyone=WHY) as db:
        await become_owner(db)
        values = {"user": person.id, "count": count}
        await db.execute(
            text(
                "INSERT INTO calls (user_id, id, direction, carrier, carrier_call_id, caller, status, route,"
                " started_at, ended_at, seconds)"
                " SELECT :user, gen_random_uuid(), 'INBOUND', 'x', n::text, '+4930555' || n, 'COMPLETED', 'talk',"
                " now(), now(), n FROM generate_series(1, :count) n"
            ),
            values,
        )
        await db.execute(
            text(
                "INSERT INTO call_turns (user_id, call_id, turn_no, speaker, text, began_ms, ended_ms)"
                " SELECT user_id, id, 1, 'CALLER', repeat('word ', 40) || carrier_call_id, 0, 9 FROM calls"
                " WHERE user_id = :user"
            ),
            values,
        )


async def test_a_long_export_is_complete_and_needs_little_memory_and_holds_no_transaction(town: Database) -> None:
    alice = await new_person(town, "Alice", credits=10)
    await archive_of(town, alice)  # what is drawn with is loaded once
    await many_calls(town, alice, 6_000)
    tracemalloc.start()
    kept, idle = [], 0
    async for piece in export.stream(town, alice.id):
        kept.append(len(piece))
        # Between two pieces whoever downloads may take as long as they like.
        async with town.engine.connect() as connection:
            await connection.execute(text("SET LOCAL ROLE NONE"))
            idle += int(
                await connection.scalar(
                    text(
                        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                        " AND state LIKE 'idle in transaction%' AND pid <> pg_backend_pid()"
                    )
                )
                or 0
            )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert idle == 0 and max(kept) < 1_000_000
    assert peak < 24_000_000, f"{peak:,} bytes at once"
    files = await archive_of(town, alice)
    for name in ("calls.jsonl", "turns.jsonl"):
        assert len(files[name].splitlines()) == 6_000
    assert len({row["call_id"] for row in table_in(files["calls.csv"])}) == 6_000


async def test_whoever_breaks_off_leaves_nothing_open(town: Database) -> None:
    alice = await new_person(town, "Alice", credits=10)
    await many_calls(town, alice, 2_000)
    pieces = export.stream(town, alice.id)
    for _ in range(3):
        await anext(pieces)
    await pieces.aclose()
    async with town.transaction(everyone=WHY) as db:
        assert await db.scalar(text("SELECT 1")) == 1
    assert town.engine.pool.checkedout() == 0  # type: ignore[attr-defined]  # the pool that a test can ask
