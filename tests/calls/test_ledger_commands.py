"""`talktime ledger …` and `talktime users close`, as an operator types them, on a database of their own."""

import asyncio
import json
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs
from typer.testing import CliRunner

from talktime import cli
from talktime.calls import lifecycle
from talktime.carriers.contract import Ring
from talktime.credits import money
from talktime.db.session import Database
from talktime.errors import TalktimeError
from talktime.payments.models import Purchase, PurchaseState
from tests.people import WHY, Person, account_of, charges, new_person

OWNER = "process-1"


@dataclass(frozen=True)
class Said:
    """What a command left behind."""

    code: int
    out: str
    error: str

    @property
    def document(self) -> Any:
        return json.loads(self.out.splitlines()[-1])  # what is logged comes before it here


Type = Callable[..., Any]


@pytest.fixture(scope="session")
def _commands() -> None:
    if not cli.app.registered_commands:
        cli._add_commands()


@pytest.fixture
def type_in(_commands: None, empty_database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Type:
    """Types a command and gives what it says."""
    monkeypatch.setenv("DATABASE_URL", empty_database.engine.url.set(drivername="postgresql").render_as_string(False))
    monkeypatch.setenv("TALKTIME_HOME", str(tmp_path))
    monkeypatch.setattr("talktime.log.configure", lambda *_: None)  # it is the process's, and this one goes on

    async def type_in(*words: object) -> Said:
        result = await asyncio.to_thread(CliRunner().invoke, cli.app, [str(word) for word in words])
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


@pytest.fixture
async def grace(empty_database: Database) -> Person:
    return await new_person(empty_database, "Grace", credits=0, admin=True)


def email_of(person: Person, name: str) -> str:
    return f"{name.lower()}.{person.id.hex}@example.org"


async def talked(database: Database, person: Person, seconds: int) -> uuid.UUID:
    rang = Ring(account="AC1", call_id=f"CA{uuid.uuid4().hex}", caller="+15550100123", dialled=person.number)
    async with database.transaction(everyone=WHY) as db:
        decision = await lifecycle.ring(db, "simulated", rang)
    assert decision.call_id is not None
    async with database.transaction(user=person.id) as db:
        assert await lifecycle.answer(db, person.id, decision.call_id, OWNER)
    await lifecycle.finish(database, person.id, decision.call_id, seconds=seconds, reason="caller_hung_up")
    return decision.call_id


async def test_an_adjustment_is_posted_once_and_a_large_one_waits_for_a_second_person(
    type_in: Type, empty_database: Database, alice: Person, ada: Person, grace: Person
) -> None:
    by = ("--by", email_of(ada, "Ada"))
    for again in ("", ", as it was before"):
        said = await type_in(
            "ledger", "adjust", email_of(alice, "Alice"), 50, "--reference", "T-1", "--reason", "sorry", *by
        )
        assert (said.code, said.out) == (0, f"Alice: +50 in line 2{again}; then 1,050 credits.\n")
    taken = await type_in("ledger", "adjust", alice.id, "-20", "--reference", "T-2", "--reason", "typo", *by, "--json")
    assert taken.document == {"seq": 3, "amount": -20, "balance_after": 1030, "fresh": True}

    large = ("ledger", "adjust", alice.id, 50_000, "--reference", "T-3", "--reason", "a gift", "--json")
    waits = (await type_in(*large, *by)).document
    assert (waits["state"], waits["amount"]) == ("PENDING", 50_000)
    assert await charges(empty_database, alice) == [50, -20]
    (listed,) = (await type_in("ledger", "approvals", "list", "--json")).document
    assert (listed["id"], listed["user_id"], listed["requested_by"]) == (waits["id"], str(alice.id), str(ada.id))
    emails = (email_of(alice, "Alice"), email_of(ada, "Ada"))
    assert (listed["email"], listed["requested_by_email"]) == (waits["email"], waits["requested_by_email"]) == emails
    spelled = (await type_in("ledger", "approvals", "list")).out
    assert all(email in spelled for email in emails) and str(alice.id) not in spelled
    same = await type_in("ledger", "approvals", "approve", waits["id"], *by)
    assert (same.code, same.error) == (1, "Somebody else must decide this: you asked for it yourself.")
    second = await type_in("ledger", "approvals", "approve", waits["id"], "--by", email_of(grace, "Grace"))
    assert second.out == f"Posted for {email_of(alice, 'Alice')}: +50,000 in line 4.\n"
    again = (await type_in("ledger", "approvals", "approve", waits["id"], "--by", grace.id, "--json")).document
    assert (again["user_id"], again["seq"], again["fresh"]) == (str(alice.id), 4, False)
    assert (await type_in("ledger", "approvals", "list")).out == "Nothing waits for a second person.\n"

    refused = (await type_in(*(word if word != "T-3" else "T-4" for word in large), *by)).document
    assert (await type_in("ledger", "approvals", "refuse", refused["id"], "--by", email_of(grace, "Grace"))).code == 0
    assert await charges(empty_database, alice) == [50, -20, 50_000]


async def test_nobody_but_an_operator_changes_anything(
    type_in: Type, empty_database: Database, alice: Person, ada: Person
) -> None:
    call = await talked(empty_database, alice, 40)
    by = ("--by", email_of(alice, "Alice"))
    for words in (
        ("ledger", "adjust", alice.id, 5, "--reference", "x", "--reason", "x"),
        ("ledger", "limits", alice.id, "--grace", 100),
        ("ledger", "guards", alice.id, "--day", 100),
        ("ledger", "waive", call, "--because", "spam"),
        ("ledger", "payout", alice.id, "--reference", "x"),
        ("ledger", "prices", "set", 1),
        ("ledger", "claims", "grant", call),
        ("users", "close", alice.id),
    ):
        said = await type_in(*words, *by)
        assert (said.code, "Only an operator" in said.error) == (1, True), (words, said)
    assert await charges(empty_database, alice) == [-15]
    nobody = await type_in("ledger", "show", "nobody@example.org")
    assert (nobody.code, nobody.error) == (1, "Nobody here has the address or the id nobody@example.org.")
    missing = await type_in("ledger", "limits", alice.id, "--grace", 5)
    assert missing.error == "Say who changes this: --by EMAIL."


async def test_limits_and_guards_are_shown_changed_one_by_one_and_lifted(
    type_in: Type, empty_database: Database, alice: Person, ada: Person
) -> None:
    by = ("--by", email_of(ada, "Ada"), "--json")
    assert (await type_in("ledger", "limits", alice.id, "--grace", 40, "--calls", 3, *by)).document == {
        "grace_limit": 40, "max_open_calls": 3, "clawback_debt": 0,
    }  # fmt: skip
    assert (await type_in("ledger", "guards", alice.id, "--day", 500, "--low-balance", 100, *by)).code == 0
    assert (await type_in("ledger", "guards", alice.id, "--call", 60, *by)).document == {
        "day_limit": 500, "call_limit": 60, "caller_limit": None, "low_balance": 100,
    }  # fmt: skip
    assert (await type_in("ledger", "guards", alice.id, "--day", "none", *by)).document["day_limit"] is None
    for wrong in ("-5", "1.5", "many", "٣", "1_0", "9" * 5000):
        assert "whole number" in (await type_in("ledger", "guards", alice.id, f"--day={wrong}", *by)).error
    for wrong in ("1_0", "٣", "1e3"):
        assert (await type_in("ledger", "limits", alice.id, "--calls", wrong, *by)).code == 2
    shown = (await type_in("ledger", "guards", alice.id)).out
    assert re.search(r"a call +60\n", shown) and re.search(r"a day +none\n", shown)
    bare = await new_person(empty_database, "Bare", credits=0)
    assert (await type_in("ledger", "limits", bare.id, "--json")).document["max_open_calls"] == 10


async def test_who_changed_limits_and_guards_of_whom_is_logged_by_ids_alone(
    type_in: Type, empty_database: Database, alice: Person, ada: Person
) -> None:
    by = ("--by", email_of(ada, "Ada"))
    with capture_logs() as logged:
        await type_in("ledger", "limits", email_of(alice, "Alice"), "--grace", 40, *by)
        await type_in("ledger", "guards", email_of(alice, "Alice"), "--day", 500, "--low-balance", 90, *by)
    limits, guards = logged
    for line in logged:
        assert (line["user_id"], line["actor_id"]) == (str(alice.id), str(ada.id))
        assert "@" not in str(line)
    assert (limits["event"], limits["grace_limit"]) == ("limits changed", 40)
    assert (guards["event"], guards["day_limit"], guards["low_balance"]) == ("guards changed", 500, 90)
    with capture_logs() as logged:
        await type_in("ledger", "limits", alice.id)
        await type_in("ledger", "guards", alice.id)
        await type_in("ledger", "limits", alice.id, "--grace", 1, "--by", email_of(alice, "Alice"))
    assert logged == []


async def test_the_account_and_the_receipt_can_be_read_and_the_sum_done_again(
    type_in: Type, empty_database: Database, alice: Person, ada: Person, tmp_path: Path
) -> None:
    call = await talked(empty_database, alice, 58)
    async with empty_database.transaction(everyone=WHY) as db:
        await lifecycle.report(
            db, "simulated", await _carrier_call(empty_database, alice, call), is_over=True, seconds=40
        )
    shown = await type_in("ledger", "show", email_of(alice, "Alice"), "--json")
    assert (shown.document["balance"], shown.document["held"], len(shown.document["lines"])) == (985, 0, 2)
    assert "CALL_USAGE" in (await type_in("ledger", "show", alice.id)).out

    said = (await type_in("ledger", "receipt", call)).out
    assert "58 s by our clock, 40 s by the carrier's" in said
    assert "40 s by the carrier's clock (58 s by ours), billed as 60 s" in said
    assert "60 / 60 × 15 = 15 credits" in said and "charged: 15 credits" in said
    document = (await type_in("ledger", "receipt", call, "--json", "--pdf", tmp_path / "r.pdf")).document
    assert sum(line["amount"] for line in document["lines"]) == -document["charged"] == -15
    assert document["charged"] + document["unbilled"] == document["rated"]
    assert (tmp_path / "r.pdf").read_bytes().startswith(b"%PDF-")
    for place in (tmp_path / "nowhere" / "r.pdf", tmp_path):
        refused = await type_in("ledger", "receipt", call, "--pdf", place)
        assert (refused.code, f"{place} cannot be written" in refused.error) == (1, True), refused
    assert (await type_in("ledger", "receipt", uuid.uuid4())).code == 1

    waived = await type_in("ledger", "waive", call, "--because", "platform_fault", "--by", email_of(ada, "Ada"))
    assert waived.out == "Given back: 15 credits; the balance is 1,000.\n"
    again = await type_in("ledger", "waive", call, "--because", "platform_fault", "--by", email_of(ada, "Ada"))
    assert again.out.startswith("It is not charged already")
    assert "not charged: platform fault" in (await type_in("ledger", "receipt", call)).out


async def test_a_statement_is_printed_and_written_and_it_sums(
    type_in: Type, empty_database: Database, alice: Person, tmp_path: Path
) -> None:
    await talked(empty_database, alice, 40)
    month = f"{datetime.now(UTC):%Y-%m}"
    words = ("ledger", "statement", email_of(alice, "Alice"), month)
    document = (await type_in(*words, "--json", "--pdf", tmp_path / "s.pdf", "--csv", tmp_path / "s.csv")).document
    assert (document["opening_balance"], document["closing_balance"]) == (0, 985)
    assert sum(line["amount"] for line in document["lines"]) == 985
    assert document["totals"] == {"ADMIN_ADJUSTMENT": 1000, "CALL_USAGE": -15}
    assert (tmp_path / "s.pdf").read_bytes().startswith(b"%PDF-")
    assert (tmp_path / "s.csv").read_text().count("\n") == 3
    assert (await type_in(*words, "--csv", "-")).out.startswith("seq,at,kind")
    for option in ("--csv", "--pdf"):
        refused = await type_in(*words, option, tmp_path / "nowhere" / "s")
        assert (refused.code, "nowhere/s cannot be written" in refused.error) == (1, True), refused
    assert "closing balance 985" in (await type_in(*words)).out
    for wrong in ("2026-13", "11/2026", "now"):
        assert "written like 2026-11" in (await type_in(*words[:3], wrong)).error


async def test_a_claim_is_decided_by_an_operator(
    type_in: Type, empty_database: Database, alice: Person, ada: Person
) -> None:
    granted, refused = await talked(empty_database, alice, 45), await talked(empty_database, alice, 50)
    async with empty_database.transaction(user=alice.id) as db:
        for call in (granted, refused):
            assert (await money.claim(db, alice.id, call, "spam")).state == "REQUESTED"
    listed = (await type_in("ledger", "claims", "list", "--json")).document
    assert [row["call_id"] for row in listed] == [str(granted), str(refused)]
    by = ("--by", email_of(ada, "Ada"), "--note", "listened to it")
    assert (await type_in("ledger", "claims", "grant", granted, *by)).out == "Granted.\n"
    decided = (await type_in("ledger", "claims", "refuse", refused, *by, "--json")).document
    assert decided == {
        "call_id": str(refused), "user_id": str(alice.id), "email": email_of(alice, "Alice"), "state": "REFUSED",
    }  # fmt: skip
    assert (await type_in("ledger", "claims", "refuse", granted, *by)).code == 1
    assert (await type_in("ledger", "claims", "list")).out == "Nobody waits for a decision.\n"
    assert len((await type_in("ledger", "claims", "list", "--all", "--json")).document) == 2
    assert await charges(empty_database, alice) == [-15, -15, 15]
    assert "spam: granted" in (await type_in("ledger", "receipt", granted)).out


async def test_prices_are_set_for_everybody_and_for_one(
    type_in: Type, empty_database: Database, alice: Person, ada: Person
) -> None:
    by = ("--by", email_of(ada, "Ada"))
    assert (await type_in("ledger", "prices", "set", 20, *by)).code == 0
    own = await type_in(
        "ledger", "prices", "set", 12, *by, "--user", alice.id, "--fee", 2, "--initial", 30, "--increment", 6, "--json"
    )
    assert (own.document["credits_per_minute"], own.document["initial_seconds"]) == (12, 30)
    assert "free of charge" in (await type_in("ledger", "prices", "set", 0, *by)).error
    assert "now or later" in (await type_in("ledger", "prices", "set", 5, *by, "--from", "2020-01-01")).error
    for option in ("--initial", "--increment", "--free"):
        assert (await type_in("ledger", "prices", "set", 5, *by, option, "1_0")).code == 2
    spelled = (await type_in("ledger", "prices", "list")).out
    assert email_of(alice, "Alice") in spelled and str(alice.id) not in spelled
    listed = (await type_in("ledger", "prices", "list", "--json")).document
    emails = {row["user_id"]: (row["email"], row["created_by_email"]) for row in listed}
    assert emails[None] == (None, email_of(ada, "Ada"))
    assert emails[str(alice.id)] == (email_of(alice, "Alice"), email_of(ada, "Ada"))
    assert [row["credits_per_minute"] for row in listed if row["user_id"] in (None, str(alice.id))] == [20, 12]
    assert len((await type_in("ledger", "prices", "list", "--user", alice.id, "--json")).document) == 2


async def test_an_account_is_closed_and_paid_out(
    type_in: Type, empty_database: Database, alice: Person, ada: Person
) -> None:
    by = ("--by", email_of(ada, "Ada"))
    early = await type_in("ledger", "payout", alice.id, "--reference", "bank-1", *by)
    assert (early.code, "close it first" in early.error) == (1, True)
    for _ in range(2):
        closed = await type_in("users", "close", alice.id, *by, "--yes", "--json")
        done = {"hung_up": 0, "left": [], "checkouts": 0, "card_is_gone": True, "balance": 1000, "emptied": 0}
        assert (closed.code, closed.document) == (0, {"user": str(alice.id), **done})
    for _ in range(2):
        paid = await type_in("ledger", "payout", alice.id, "--reference", "bank-1", *by)
        assert paid.out == "Paid out: 1,000 credits, line 2.\n"
    assert (await account_of(empty_database, alice)).balance == 0
    verified = await type_in("ledger", "verify", "--full", "--json")
    assert (verified.code, verified.document["violations"]) == (0, [])


async def test_closing_an_account_has_what_it_began_to_buy_ended(
    type_in: Type, empty_database: Database, alice: Person, ada: Person
) -> None:
    async with empty_database.transaction(everyone=WHY) as db:
        for key, state in (("a", PurchaseState.OPEN), ("b", PurchaseState.OPEN), ("c", PurchaseState.PENDING)):
            bought = {"credits": 5, "price_minor": 5, "currency": "EUR", "gateway": "simulated", "test": True}
            db.add(Purchase(user_id=alice.id, request_key=key, state=state, **bought))
    by = ("--by", email_of(ada, "Ada"))
    said = await type_in("users", "close", email_of(alice, "Alice"), *by, "--yes")
    assert (said.code, "2 checkouts were open" in said.out) == (0, True)
    async with empty_database.transaction(everyone=WHY) as db:
        asked = await db.scalars(text("SELECT task_name FROM procrastinate_jobs"))
        assert sorted(asked) == ["payments.end_checkout"] * 2 + ["privacy.finish_closing"]


async def test_an_account_is_suspended_and_active_again(
    type_in: Type, empty_database: Database, alice: Person, ada: Person
) -> None:
    by = ("--by", email_of(ada, "Ada"))
    email = email_of(alice, "Alice")
    for _ in range(2):
        said = await type_in("users", "suspend", email, "--because", "closed", *by)
        assert (said.code, said.out.splitlines()[-1]) == (0, "Suspended.")
    assert (await account_of(empty_database, alice)).blocked_reason == "suspended: closed"
    for _ in range(2):
        assert (await type_in("users", "activate", email, *by, "--json")).document == {"status": "ACTIVE"}
    assert (await account_of(empty_database, alice)).blocked_reason is None
    for wrong in (("suspend", email), ("suspend", email, "--because", " ", *by), ("activate", email, "--by", email)):
        assert (await type_in("users", *wrong)).code != 0
    await type_in("users", "close", email, *by, "--yes")
    for words in (("suspend", str(alice.id), "--because", "x", *by), ("activate", str(alice.id), *by)):
        refused = await type_in("users", *words)
        assert (refused.code, "stays closed" in refused.error) == (1, True)
    assert (await account_of(empty_database, alice)).blocked_reason == "closed"


async def test_a_customers_own_price_is_ended(
    type_in: Type, empty_database: Database, alice: Person, ada: Person
) -> None:
    by = ("--by", email_of(ada, "Ada"))
    follow = ("ledger", "prices", "set", "--follow-list", *by)
    assert "set one first" in (await type_in(*follow, "--user", alice.id)).error
    await type_in("ledger", "prices", "set", 20, *by)
    for _ in range(2):
        said = await type_in(*follow, "--user", alice.id)
        assert (said.code, "everybody's price" in said.out) == (0, True)
    assert "no price of their own" in (await type_in(*follow, "--user", alice.id, "--transfer")).out
    assert (await type_in(*follow)).code == 2
    assert (await type_in("ledger", "prices", "set", 5, "--follow-list", *by, "--user", alice.id)).code == 2
    assert (await type_in("ledger", "prices", "set", *by)).code == 2
    listed = (await type_in("ledger", "prices", "list", "--json")).document
    assert [row["user_id"] for row in listed].count(str(alice.id)) == 0
    history = (await type_in("ledger", "prices", "list", "--user", alice.id, "--json")).document
    assert [row["follows_list"] for row in history] == [True, False]


async def _carrier_call(database: Database, person: Person, call: uuid.UUID) -> str:
    from talktime.calls import history

    async with database.transaction(user=person.id) as db:
        return (await history.one(db, person.id, call)).call.carrier_call_id
