"""Alerts: raised with the fact, listed until somebody acknowledges them by name."""

import asyncio
import re
import uuid
from importlib.resources import files
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

import talktime
from talktime.accounts.models import User
from talktime.accounts.operators import NotAnOperator
from talktime.alerts import acknowledge, amend_alerts, open_alerts, put_away, raise_alert
from talktime.alerts.board import AlreadyAcknowledged, Shown, counts, ledger_violations, newest_alerts
from talktime.alerts.kinds import KINDS
from talktime.db.session import Database
from talktime.errors import BadInput, NotFound
from talktime.hooks.live import HANG_UP_JOB
from talktime.payments.fulfilment import SAVE_CARD_JOB
from talktime.rounds import VERIFY_FULL_JOB, VERIFY_JOB
from tests.people import WHY, Person, new_person


async def about(database: Database, person: Person) -> list[Shown]:
    async with database.transaction(everyone=WHY) as db:
        return [alert for alert in await open_alerts(db, limit=10_000) if alert.user_id == person.id]


async def raised(database: Database, person: Person, kind: str = "dispute_opened") -> uuid.UUID:
    async with database.transaction(everyone=WHY) as db:
        await raise_alert(db, kind, person.id, {"purchase_id": str(uuid.uuid4())})
    return (await about(database, person))[-1].id


async def test_an_alert_says_what_happened_and_what_to_do(database: Database, alice: Person) -> None:
    await raised(database, alice)
    [alert] = await about(database, alice)
    assert (alert.kind, alert.sentence) == ("dispute_opened", KINDS["dispute_opened"])
    assert (alert.acknowledged_at, alert.acknowledged_by) == (None, None)


async def test_what_is_rolled_back_raised_nothing(database: Database, alice: Person) -> None:
    with pytest.raises(ZeroDivisionError):
        async with database.transaction(everyone=WHY) as db:
            await raise_alert(db, "refund_failed", alice.id, {})
            raise ZeroDivisionError
    assert await about(database, alice) == []


async def test_a_kind_that_only_the_database_knows_is_shown_all_the_same(database: Database, alice: Person) -> None:
    async with database.transaction(everyone=WHY) as db:
        await db.execute(
            text("INSERT INTO alerts (id, kind, user_id, detail) VALUES (gen_random_uuid(), 'brand_new', :user, '{}')"),
            {"user": alice.id},
        )
    [alert] = await about(database, alice)
    assert "brand_new" in alert.sentence


async def test_a_customers_own_transaction_may_raise_one_about_them_and_see_none(
    database: Database, alice: Person, bob: Person
) -> None:
    async with database.transaction(user=alice.id) as db:
        await raise_alert(db, "charge_claimed", alice.id, {"call_id": str(uuid.uuid4())})
    assert len(await about(database, alice)) == 1
    for user in (bob.id, None):
        with pytest.raises(DBAPIError):
            async with database.transaction(user=alice.id) as db:
                await raise_alert(db, "charge_claimed", user, {})
    with pytest.raises(DBAPIError):
        async with database.transaction(user=alice.id) as db:
            await open_alerts(db)
    assert await about(database, bob) == []


async def test_once_adds_nothing_while_the_same_is_open(database: Database, alice: Person, ada: Person) -> None:
    async def find() -> None:
        async with database.transaction(everyone=WHY) as db:
            await raise_alert(db, "ledger_wrong", alice.id, {"violations": 2}, once=True)

    await asyncio.gather(*(find() for _ in range(5)))
    [alert] = await about(database, alice)
    async with database.transaction(everyone=WHY) as db:
        await raise_alert(db, "ledger_wrong", alice.id, {"violations": 3}, once=True)
    assert len(await about(database, alice)) == 2
    async with database.transaction(everyone=WHY) as db:
        await acknowledge(db, alert.id, ada.id)
    await find()
    assert sorted(str(alert.detail) for alert in await about(database, alice)) == [
        "{'violations': 2}",
        "{'violations': 3}",
    ]


async def test_an_operator_acknowledges_by_name_and_it_is_gone_from_the_list(
    database: Database, alice: Person, ada: Person
) -> None:
    alert = await raised(database, alice)
    async with database.transaction(everyone=WHY) as db:
        done = await acknowledge(db, alert, ada.id, "called the bank")
    assert (done.acknowledged_by, done.note) == ("Ada", "called the bank")
    assert await about(database, alice) == []
    async with database.transaction(everyone=WHY) as db:
        assert alert in [shown.id for shown in await newest_alerts(db, limit=10_000)]


async def test_acknowledging_twice_changes_nothing_and_the_first_of_two_counts(
    database: Database, alice: Person, ada: Person
) -> None:
    grace = await new_person(database, "Grace", credits=0, admin=True)
    alert = await raised(database, alice)
    async with database.transaction(everyone=WHY) as db:
        first = await acknowledge(db, alert, ada.id, "mine")
    async with database.transaction(everyone=WHY) as db:
        assert await acknowledge(db, alert, ada.id, "again") == first
    with pytest.raises(AlreadyAcknowledged, match="Ada"):
        async with database.transaction(everyone=WHY) as db:
            await acknowledge(db, alert, grace.id)


async def test_two_operators_at_once_are_one_and_a_refusal(database: Database, alice: Person, ada: Person) -> None:
    grace = await new_person(database, "Grace", credits=0, admin=True)
    alert = await raised(database, alice)

    async def try_it(who: Person) -> str | None:
        async with database.transaction(everyone=WHY) as db:
            return (await acknowledge(db, alert, who.id)).acknowledged_by

    outcomes = await asyncio.gather(try_it(ada), try_it(grace), return_exceptions=True)
    assert sum(isinstance(outcome, AlreadyAcknowledged) for outcome in outcomes) == 1
    assert sum(outcome in ("Ada", "Grace") for outcome in outcomes) == 1


async def test_only_an_active_operator_may_acknowledge(database: Database, alice: Person, ada: Person) -> None:
    alert = await raised(database, alice)
    async with database.transaction(everyone=WHY) as db:
        user = await db.get_one(User, ada.id)
        await db.execute(text("UPDATE users SET status = 'SUSPENDED' WHERE id = :id"), {"id": user.id})
    for who in (alice.id, ada.id, uuid.uuid4()):
        with pytest.raises(NotAnOperator):
            async with database.transaction(everyone=WHY) as db:
                await acknowledge(db, alert, who)
    assert len(await about(database, alice)) == 1


async def test_what_is_not_there_cannot_be_acknowledged_and_a_note_is_short(database: Database, ada: Person) -> None:
    async with database.transaction(everyone=WHY) as db:
        with pytest.raises(NotFound):
            await acknowledge(db, uuid.uuid4(), ada.id)
        with pytest.raises(BadInput):
            await acknowledge(db, uuid.uuid4(), ada.id, "x" * 1001)


async def test_alerts_are_counted_by_kind(empty_database: Database) -> None:
    ada = await new_person(empty_database, "Ada", credits=0, admin=True)
    first = await raised(empty_database, ada, "refund_failed")
    await raised(empty_database, ada, "refund_failed")
    async with empty_database.transaction(everyone=WHY) as db:
        await acknowledge(db, first, ada.id)
        [count] = await counts(db)
    assert (count.kind, count.open, count.ever, count.unmailed) == ("refund_failed", 1, 2, 1)


async def test_violations_are_summed_and_a_vague_alert_counts_one(empty_database: Database) -> None:
    async with empty_database.transaction(everyone=WHY) as db:
        assert await ledger_violations(db) == 0
        await raise_alert(db, "ledger_wrong", None, {"violations": 3})
        await raise_alert(db, "ledger_wrong", None, {"violations": "many"})
        await raise_alert(db, "ledger_wrong", None, {})
        assert await ledger_violations(db) == 5


def test_every_kind_that_the_code_raises_is_described() -> None:
    root = Path(str(files(talktime)))
    python = r"raise_alert\(\s*\w+,\s*\"(\w+)\""
    sql = r"credit_alert\([^,]+,\s*'(\w+)'|INSERT INTO alerts[^;]*?gen_random_uuid\(\), '(\w+)'"
    raised_kinds = {
        kind
        for pattern, ending in ((python, "*.py"), (sql, "*.sql"))
        for path in root.rglob(ending)
        if "migrations" not in path.parts
        for found in re.findall(pattern, path.read_text(encoding="utf-8"))
        for kind in ([found] if isinstance(found, str) else found)
        if kind
    }
    assert {"call_unbilled", "notice_failed"} <= raised_kinds
    assert raised_kinds <= KINDS.keys()


async def test_an_alert_that_is_amended_says_more_and_the_others_do_not(
    database: Database, alice: Person, bob: Person, ada: Person
) -> None:
    one, two, seen = str(uuid.uuid4()), str(uuid.uuid4()), str(uuid.uuid4())
    async with database.transaction(everyone=WHY) as db:
        for whose, kind, payment in (
            (alice, "paid_twice", one),
            (alice, "paid_twice", two),
            (bob, "paid_twice", seen),
            (bob, "wrong_amount", one),
        ):
            await raise_alert(db, kind, whose.id, {"gateway": "stripe", "payment_id": payment, "amount_minor": 5})
    [shown] = [alert for alert in await about(database, bob) if alert.kind == "paid_twice"]
    async with database.transaction(everyone=WHY) as db:
        await acknowledge(db, shown.id, ada.id)
    async with database.transaction(everyone=WHY) as db:
        for _ in range(2):
            assert await amend_alerts(db, "paid_twice", about={"payment_id": one}, more={"left_minor": 3}) == 1
        assert await amend_alerts(db, "paid_twice", about={"payment_id": seen}, more={"left_minor": 0}) == 1
        assert await amend_alerts(db, "paid_twice", about={"payment_id": "none"}, more={"left_minor": 0}) == 0
        newest = {(each.kind, each.detail.get("payment_id")): each.detail for each in await newest_alerts(db, limit=20)}
    said = {"gateway": "stripe", "payment_id": one, "amount_minor": 5}
    assert newest["paid_twice", one] == {**said, "left_minor": 3}
    assert newest["wrong_amount", one] == said
    assert newest["paid_twice", two] == {**said, "payment_id": two}
    assert newest["paid_twice", seen]["left_minor"] == 0


async def test_what_was_asked_for_is_done_and_only_its_open_alerts_go(
    database: Database, alice: Person, ada: Person
) -> None:
    one, two, seen = str(uuid.uuid4()), str(uuid.uuid4()), str(uuid.uuid4())
    async with database.transaction(everyone=WHY) as db:
        for detail in ({"payment_id": one}, {"payment_id": one, "refund_id": "re_1"}, {"payment_id": two}):
            await raise_alert(db, "wrong_amount", alice.id, detail)
        await raise_alert(db, "paid_twice", alice.id, {"payment_id": one})
        await raise_alert(db, "wrong_amount", alice.id, {"payment_id": seen})
    [looked_at] = [alert for alert in await about(database, alice) if alert.detail["payment_id"] == seen]
    async with database.transaction(everyone=WHY) as db:
        await acknowledge(db, looked_at.id, ada.id, "mine")
        for payment, count in ((one, 1), (one, 0), (seen, 0)):
            known = {"payment_id": payment}
            gone = await put_away(db, "wrong_amount", about=known, without=("refund_id",), decided_by=None, note="done")
            assert gone == count, payment
        newest = {str(each.detail): each for each in await newest_alerts(db, limit=20) if each.kind == "wrong_amount"}
    away = newest[str({"payment_id": one})]
    assert away.acknowledged_at is not None and (away.acknowledged_by, away.note) == (None, "done")
    assert newest[str({"payment_id": seen})].note == "mine"
    left = {(alert.kind, str(alert.detail)) for alert in await about(database, alice)}
    assert left == {
        ("wrong_amount", str({"refund_id": "re_1", "payment_id": one})),
        ("wrong_amount", str({"payment_id": two})),
        ("paid_twice", str({"payment_id": one})),
    }
    # Somebody who acknowledges it now is not told that another person was first.
    async with database.transaction(everyone=WHY) as db:
        assert (await acknowledge(db, away.id, ada.id)).acknowledged_by is None


async def test_a_customers_own_transaction_amends_nothing(database: Database, alice: Person) -> None:
    async with database.transaction(user=alice.id) as db:
        await raise_alert(db, "charge_claimed", alice.id, {"call_id": "x"})
    with pytest.raises(DBAPIError):
        async with database.transaction(user=alice.id) as db:
            await amend_alerts(db, "charge_claimed", about={"call_id": "x"}, more={"call_id": "y"})


def test_what_can_be_done_again_is_said_with_its_command() -> None:
    assert "`talktime ledger payments again ID --by YOU`" in KINDS["event_failed"]
    jobs = KINDS["job_failed"]
    assert all(name in jobs for name in (HANG_UP_JOB, SAVE_CARD_JOB, VERIFY_JOB, VERIFY_FULL_JOB))
