"""Somebody with the rights of the owner, and the triggers off, changes one thing in the books: it is found, with the
user and the line, and left as it is.
"""

import os
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import date

import psycopg
import pytest

from talktime.credits import ledger, money
from talktime.credits.models import TransactionType
from talktime.credits.pricing import Rate
from talktime.credits.verify import Violation, verify
from talktime.db import embedded
from talktime.db.base import new_id
from talktime.db.session import Database, connect
from tests.credits import books as stage
from tests.credits.conftest import address
from tests.people import WHY, Person, new_person

LONG = bool(os.environ.get("TALKTIME_TEST_LONG"))
OWNER = "voice-1"


@dataclass(frozen=True)
class Scene:
    """Alice's books have a line of every kind; Bob's are small."""

    database: str
    alice: Person
    bob: Person
    talked: uuid.UUID
    """Settled beyond the balance: lines 4 and 5, corrected in line 6."""
    short: uuid.UUID
    """Settled: line 3."""
    runs: uuid.UUID
    bought: uuid.UUID
    """Line 2, partly taken back in line 7."""


@pytest.fixture(scope="module")
async def scene(server: embedded.Server, new_database_url: Callable[[], str]) -> Scene:
    """The books before anybody cheats."""
    database = connect(url := new_database_url())
    alice = await new_person(database, "Alice", credits=100, rate=Rate(60, 0, 1, 1))
    bob = await new_person(database, "Bob", credits=50)
    calls = [new_id() for _ in range(4)]
    async with database.transaction(everyone=WHY) as db:
        bought = await stage.bought(db, alice.id, 50)
        await money.purchase(db, alice.id, bought)
        await money.set_limits(db, alice.id, grace_limit=100)
        for call in calls:
            await stage.rings(db, (bob if call == calls[3] else alice).id, call)
        for call, seconds, slices in [(calls[0], 50, 1), (calls[1], 180, 3)]:
            await ledger.authorise(db, alice.id, call)
            await ledger.answer(db, alice.id, call, OWNER)
            for number in range(1, slices):
                await ledger.extend(db, alice.id, call, OWNER, number)
            await ledger.settle(db, alice.id, call, seconds)
        await money.correct(db, alice.id, calls[1], 175)
        await money.reverse(db, alice.id, bought, kind=TransactionType.REFUND, reference="refund:a", credits=20)
        await money.rent(db, alice.id, alice.agent, date(2026, 11, 1), 10)
        await money.adjust(db, alice.id, reference="gift", amount=300, reason="sorry", actor=bob.id)
        await ledger.authorise(db, alice.id, calls[2])
        await ledger.answer(db, alice.id, calls[2], OWNER)
        await ledger.authorise(db, bob.id, calls[3])
        await ledger.settle(db, bob.id, calls[3], 0)
        await money.adjust(db, bob.id, reference="gift", amount=1, reason="one more", actor=alice.id)
        await stage.calls_follow(db, [alice.id, bob.id])
    await database.close()
    eyes = stage.Eyes(url)
    types = [line["type"] for line in eyes.state(alice.id, bob.id).lines[alice.id]]
    eyes.close()
    adjustment = "ADMIN_ADJUSTMENT"
    assert types == [
        *(adjustment, "PURCHASE", "CALL_USAGE", "CALL_USAGE", "GRACE_USAGE", adjustment, "REFUND"),
        *(adjustment, adjustment),
    ]
    return Scene(url.rpartition("/")[2].partition("?")[0], alice, bob, calls[1], calls[0], calls[2], bought)


@pytest.fixture
async def books(server: embedded.Server, scene: Scene) -> AsyncIterator[Database]:
    """A copy of them to cheat with."""
    name = f"cheat_{uuid.uuid4().hex[:12]}"
    embedded.ensure_database(server, name, template=scene.database)
    database = connect(server.url(name))
    yield database
    await database.close()


def cheat(database: Database, scene: Scene, *statements: str) -> None:
    """As the owner of everything, with triggers, foreign keys and the lines' own check off. Each statement changes
    something."""
    names = {
        "alice": scene.alice.id,
        "bob": scene.bob.id,
        "talked": scene.talked,
        "short": scene.short,
        "runs": scene.runs,
        "bought": scene.bought,
        "other": new_id(),
    }
    with psycopg.connect(address(database)) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("ALTER TABLE credit_transactions DROP CONSTRAINT IF EXISTS ck_credit_transactions_sound")
        for statement in statements:
            done = connection.execute(statement.encode(), names)
            assert done.rowcount > 0, statement


async def found(database: Database) -> list[Violation]:
    return list((await verify(database, full=True)).violations)


LINE = "UPDATE credit_transactions SET {} WHERE user_id = %(alice)s AND seq = {}"
AGAIN = (
    "UPDATE credit_transactions t SET hash = credit_line_hash(coalesce((SELECT p.hash FROM credit_transactions p"
    " WHERE p.user_id = t.user_id AND p.seq = t.seq - 1), ''), t.user_id, t.seq, t.type, t.amount, t.balance_after,"
    " t.call_id, t.purchase_id, t.reference, t.reason, t.actor_id, t.created_at)"
    " WHERE t.user_id = %(alice)s AND t.seq = {}"
)
"""A forger who knows how the hash of a line is made."""


async def test_what_nobody_touched_is_clean(books: Database, scene: Scene) -> None:
    verdict = await verify(books, full=True)
    assert (verdict.is_clean, verdict.accounts, verdict.lines) == (True, 2, 11)


@pytest.mark.parametrize("seq", range(1, 10) if LONG else (1, 4, 9))
@pytest.mark.parametrize(
    "change",
    [
        "amount = amount - 1",
        "amount = amount * 3",
        "balance_after = balance_after + 1",
        "created_at = created_at + interval '1 microsecond'",
        "hash = set_byte(hash, 0, get_byte(hash, 0) # 1)",
        "hash = set_byte(hash, 31, get_byte(hash, 31) # 128)",
        "reference = coalesce(reference, '') || 'x'",
        "reason = coalesce(reason, '') || ' '",
        "actor_id = CASE WHEN actor_id = %(alice)s THEN %(bob)s ELSE %(alice)s END",
    ],
)
async def test_a_changed_line_is_found(books: Database, scene: Scene, change: str, seq: int) -> None:
    cheat(books, scene, LINE.format(change, seq))
    violations = await found(books)
    assert (scene.alice.id, seq) in {(each.user_id, each.seq) for each in violations}
    assert {each.user_id for each in violations} == {scene.alice.id}
    # Looking repairs nothing.
    assert await found(books) == violations


@pytest.mark.parametrize(
    ("seq", "change"),
    [
        (4, "call_id = %(runs)s"),
        (3, "call_id = %(other)s"),
        (5, "type = 'CALL_USAGE', call_id = %(runs)s"),
        (3, "type = 'GRACE_USAGE'"),
        (6, "call_id = %(short)s"),
        (6, "call_id = NULL"),
        (7, "type = 'DISPUTE'"),
        (7, "purchase_id = %(other)s"),
        (2, "purchase_id = %(other)s"),
        (9, "call_id = %(short)s"),
        (9, "purchase_id = %(bought)s"),
        (1, "reference = NULL, type = 'PURCHASE', purchase_id = %(other)s"),
    ],
)
async def test_a_line_that_stands_for_something_else_is_found(
    books: Database, scene: Scene, seq: int, change: str
) -> None:
    cheat(books, scene, LINE.format(change, seq))
    assert (scene.alice.id, seq) in {(each.user_id, each.seq) for each in await found(books)}


@pytest.mark.parametrize("seq", range(1, 10) if LONG else (1, 5, 9))
async def test_a_line_that_was_hashed_again_breaks_the_next(books: Database, scene: Scene, seq: int) -> None:
    cheat(books, scene, LINE.format("created_at = created_at - interval '1 hour'", seq), AGAIN.format(seq))
    assert {(each.user_id, each.seq) for each in await found(books)} == {(scene.alice.id, min(seq + 1, 9))}


async def test_a_forger_who_hashes_everything_again_is_betrayed_by_the_call(books: Database, scene: Scene) -> None:
    # Line 3 cost 50; now it cost one less, and all that follows says so, in the account too.
    later = "UPDATE credit_transactions SET balance_after = balance_after + 1 WHERE user_id = %(alice)s AND seq >= 3"
    account = (
        "UPDATE credit_accounts a SET balance = t.balance_after, head = t.hash FROM credit_transactions t"
        " WHERE a.user_id = %(alice)s AND t.user_id = a.user_id AND t.seq = 9"
    )
    hashed = [AGAIN.format(seq) for seq in range(3, 10)]
    cheat(books, scene, LINE.format("amount = amount + 1", 3), later, *hashed, account)
    violations = await found(books)
    assert [(each.user_id, each.seq) for each in violations] == [(scene.alice.id, 3)]
    assert str(scene.short) in violations[0].problem


async def test_lines_of_the_first_version_are_proven_as_well(books: Database, scene: Scene) -> None:
    older = [AGAIN.replace("credit_line_hash", "credit_line_hash_1").format(seq) for seq in range(1, 6)]
    newer = [AGAIN.format(seq) for seq in range(6, 10)]
    head = (
        "UPDATE credit_accounts a SET head = t.hash FROM credit_transactions t"
        " WHERE a.user_id = %(alice)s AND t.user_id = a.user_id AND t.seq = 9"
    )
    cheat(books, scene, *older, *newer, head)
    assert await found(books) == [], "the books of somebody who was there before the second version"
    cheat(books, scene, LINE.format("reason = 'no reason'", 1))
    assert [violation.seq for violation in await found(books)] == [1]


@pytest.mark.parametrize("seq", range(1, 10) if LONG else (1, 5, 9))
async def test_a_missing_line_is_found(books: Database, scene: Scene, seq: int) -> None:
    cheat(books, scene, f"DELETE FROM credit_transactions WHERE user_id = %(alice)s AND seq = {seq}")
    seen = {(each.user_id, each.seq) for each in await found(books)}
    assert (scene.alice.id, min(seq + 1, 9)) in seen


async def test_all_lines_missing_are_found(books: Database, scene: Scene) -> None:
    cheat(books, scene, "DELETE FROM credit_transactions WHERE user_id = %(bob)s")
    assert (scene.bob.id, 2) in {(each.user_id, each.seq) for each in await found(books)}


@pytest.mark.parametrize(("one", "other"), [(1, 2), (3, 4), (6, 8), (1, 9), (8, 9)])
async def test_two_lines_in_each_others_place_are_found(books: Database, scene: Scene, one: int, other: int) -> None:
    cheat(books, scene, LINE.format("seq = 1000", one), LINE.format(f"seq = {one}", other))
    cheat(books, scene, LINE.format(f"seq = {other}", 1000))
    seen = {each.seq for each in await found(books) if each.user_id == scene.alice.id}
    assert {one, other} <= seen


INSERTED = (
    "INSERT INTO credit_transactions (user_id, seq, type, amount, balance_after, reference, reason, actor_id,"
    " created_at, hash) SELECT user_id, {}, type, 5, balance_after + 5, 'again', reason, actor_id, created_at, hash"
    " FROM credit_transactions WHERE user_id = %(alice)s AND seq = 9"
)


@pytest.mark.parametrize("seq", [10, 11, 2**40])
async def test_a_line_too_many_is_found(books: Database, scene: Scene, seq: int) -> None:
    cheat(books, scene, INSERTED.format(seq))
    seen = {each.seq for each in await found(books) if each.user_id == scene.alice.id}
    assert seq in seen


async def test_a_line_between_two_others_is_found(books: Database, scene: Scene) -> None:
    moved = [LINE.format(f"seq = {seq + 1}", seq) for seq in range(9, 4, -1)]
    account = "UPDATE credit_accounts SET seq = 10 WHERE user_id = %(alice)s"
    cheat(books, scene, *moved, account, INSERTED.format(5).replace("seq = 9", "seq = 10"))
    seen = {each.seq for each in await found(books) if each.user_id == scene.alice.id}
    assert {5, 6} <= seen


@pytest.mark.parametrize("seq", [1, 9])
async def test_a_line_of_somebody_elses_is_found_on_both_sides(books: Database, scene: Scene, seq: int) -> None:
    cheat(books, scene, LINE.format("user_id = %(bob)s, seq = 3, reference = 'moved'", seq))
    seen = {(each.user_id, each.seq) for each in await found(books)}
    assert (scene.bob.id, 3) in seen
    assert (scene.alice.id, min(seq + 1, 9)) in seen


@pytest.mark.parametrize(
    "change",
    [
        "balance = balance + 1",
        "balance = balance - 1",
        "held = held - 1",
        "held = held + 1",
        "seq = seq + 1",
        "seq = seq - 1",
        "head = set_byte(head, 7, get_byte(head, 7) # 1)",
        "head = ''",
        "open_calls = open_calls + 1",
        "open_calls = 0",
        "clawback_debt = clawback_debt + 1",
    ],
)
async def test_a_changed_account_is_found(books: Database, scene: Scene, change: str) -> None:
    cheat(books, scene, f"UPDATE credit_accounts SET {change} WHERE user_id = %(alice)s")
    violations = await found(books)
    assert {each.user_id for each in violations} == {scene.alice.id}
    assert {each.seq for each in violations} <= {8, 9, 10}
    assert await found(books) == violations


async def test_a_missing_account_is_found(books: Database, scene: Scene) -> None:
    cheat(books, scene, "DELETE FROM credit_accounts WHERE user_id = %(bob)s")
    assert {each.user_id for each in await found(books)} == {scene.bob.id}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE credit_holds SET charged = charged + 1 WHERE call_id = %(short)s",
        "UPDATE credit_holds SET charged = charged - 1 WHERE call_id = %(talked)s",
        "UPDATE credit_holds SET corrected = corrected - 1 WHERE call_id = %(talked)s",
        "UPDATE credit_holds SET held = held - 1 WHERE call_id = %(runs)s",
        "UPDATE credit_holds SET held = held + 1, held_peak = held_peak + 1 WHERE call_id = %(runs)s",
        "UPDATE credit_holds SET state = 'RECONCILE', lost_at = now() WHERE call_id = %(runs)s",
        "UPDATE credit_holds SET state = 'SETTLED', settled_at = now(), held = 0 WHERE call_id = %(runs)s",
        "DELETE FROM credit_holds WHERE call_id = %(short)s",
        "DELETE FROM credit_holds WHERE call_id = %(runs)s",
        "UPDATE purchases SET reversed_credits = reversed_credits - 1 WHERE id = %(bought)s",
        "UPDATE purchases SET reversed_credits = 0, credited_at = NULL WHERE id = %(bought)s",
        "UPDATE purchases SET credits = credits + 1 WHERE id = %(bought)s",
        "DELETE FROM purchases WHERE id = %(bought)s",
        "UPDATE purchases SET user_id = %(bob)s WHERE id = %(bought)s",
        "UPDATE calls SET status = 'COMPLETED', ended_at = now() WHERE id = %(runs)s",
        "DELETE FROM calls WHERE id = %(short)s",
    ],
)
async def test_what_the_lines_do_not_bear_out_is_found(books: Database, scene: Scene, statement: str) -> None:
    cheat(books, scene, statement)
    violations = await found(books)
    assert scene.alice.id in {each.user_id for each in violations}
    assert await found(books) == violations


@pytest.mark.parametrize("change", ["taken = taken - 1", "taken = 0", None])
async def test_a_changed_record_of_a_reversal_is_found(books: Database, scene: Scene, change: str | None) -> None:
    where = "credit_reversals {} WHERE user_id = %(alice)s"
    cheat(books, scene, f"UPDATE {where.format('SET ' + change)}" if change else f"DELETE FROM {where.format('')}")
    assert {each.user_id for each in await found(books)} == {scene.alice.id}


async def test_a_quick_look_sees_what_came_since_the_last_clean_one(books: Database, scene: Scene) -> None:
    assert (await verify(books)).is_clean
    cheat(books, scene, LINE.format("amount = amount + 1", 9))
    # It stands before the checkpoint: only the full one looks there.
    assert (scene.alice.id, 9) in {(each.user_id, each.seq) for each in await found(books)}
    cheat(books, scene, LINE.format("amount = amount - 1", 9))
    async with books.transaction(everyone=WHY) as db:
        await money.adjust(db, scene.alice.id, reference="new", amount=5, reason="new", actor=scene.bob.id)
    cheat(books, scene, LINE.format("amount = 6", 10))
    assert (scene.alice.id, 10) in {(each.user_id, each.seq) for each in (await verify(books)).violations}
    cheat(books, scene, LINE.format("amount = 5", 10))
    assert (await verify(books)).is_clean


async def test_the_command_names_the_line_and_fails(books: Database, scene: Scene) -> None:
    assert (await typed(books)).returncode == 0
    cheat(books, scene, LINE.format("amount = amount + 1", 7))
    told = await typed(books)
    assert told.returncode == 1
    assert f"user {scene.alice.id} line 7: " in told.stdout


async def typed(database: Database) -> "subprocess.CompletedProcess[str]":
    """What `talktime ledger verify --full` says."""
    environment = {**os.environ, "DATABASE_URL": address(database)}
    return subprocess.run(  # noqa: ASYNC221  nothing else goes on meanwhile
        [sys.executable, "-m", "talktime", "ledger", "verify", "--full"],
        env=environment,
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )
