"""What the tests of the operator's pages share: Ada's browser, a counter that sells, and one case of everything."""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from talktime.alerts import board, raise_alert
from talktime.credits import adjustments, money
from talktime.credits.models import Approval
from talktime.db.session import Database
from talktime.gateways.contract import Notice, NoticeKind
from talktime.simulate.gateway_deeds import MakeRefund
from tests.payments.counter import Counter, open_counter
from tests.people import WHY, Person
from tests.web.conftest import Browser, OpenBrowser, signed_in
from tests.web.stage import answer, finish

PAGES = (
    "/operator",
    "/operator/users",
    "/operator/users/invite",
    "/operator/users/{user}",
    "/operator/users/{user}/suspend",
    "/operator/users/{user}/adjust",
    "/operator/users/{user}/limits",
    "/operator/users/{user}/role",
    "/operator/users/{user}/visit",
    "/operator/users/{user}/close",
    "/operator/users/{user}/calls/{call}",
    "/operator/users/{user}/calls/{call}/waive",
    "/operator/numbers",
    "/operator/numbers/drift",
    "/operator/numbers/add",
    "/operator/numbers/buy",
    "/operator/numbers/{number}",
    "/operator/numbers/{number}/assign",
    "/operator/numbers/{number}/change",
    "/operator/prices",
    "/operator/prices/history",
    "/operator/prices/new",
    "/operator/prices/packs/new",
    "/operator/prices/packs/{pack}",
    "/operator/money",
    "/operator/money/purchases",
    "/operator/money/purchases/{user}/{purchase}/refund",
    "/operator/money/reversals",
    "/operator/money/ungranted",
    "/operator/unbilled",
    "/operator/events",
    "/operator/events/{event}",
    "/operator/jobs",
    "/operator/audit",
    "/operator/audit/{user}/proof",
    "/operator/health",
    "/operator/settings",
)
"""Every page of the operator's, as its address is made."""


@pytest.fixture(scope="module")
def database(own_database: Database) -> Database:
    """Nobody else's cases are on the pages."""
    return own_database


@pytest.fixture
async def as_ada(open_browser: OpenBrowser, database: Database, ada: Person) -> Browser:
    """The operator's browser."""
    return await signed_in(open_browser(), database, ada)


@pytest.fixture
async def counter(database: Database, tmp_path: Path) -> AsyncIterator[Counter]:
    async with open_counter(database, tmp_path) as counter:
        yield counter


async def number_of(database: Database, person: Person) -> uuid.UUID:
    """The id of somebody's number."""
    return await one(database, "SELECT id FROM phone_numbers WHERE number = :number", number=person.number)


async def one(database: Database, statement: str, **values: object) -> uuid.UUID:
    """An id, by a statement that finds one."""
    async with database.transaction(everyone=WHY) as db:
        found = await db.scalar(text(statement), values)
    assert isinstance(found, uuid.UUID), statement
    return found


async def acts_on(database: Database, person: Person) -> list[tuple[str, uuid.UUID | None]]:
    """What was done to somebody, oldest first, and who did it; that they signed in is left out."""
    async with database.transaction(everyone=WHY) as db:
        rows = await db.execute(
            text(
                "SELECT act, actor_id FROM audit_entries WHERE user_id = :user"
                " AND act !~ '^(session|link)[.]' ORDER BY seq"
            ),
            {"user": person.id},
        )
        return [(row.act, row.actor_id) for row in rows]


async def an_alert(database: Database, person: Person) -> uuid.UUID:
    name = uuid.uuid4().hex
    async with database.transaction(everyone=WHY) as db:
        await raise_alert(db, "unknown_payment", person.id, {"payment_id": name})
    return await one(database, "SELECT id FROM alerts WHERE detail ->> 'payment_id' = :name", name=name)


async def a_request(database: Database, person: Person, actor: Person, amount: int = 500) -> Approval:
    async with database.transaction(everyone=WHY) as db:
        made = await adjustments.request(
            db,
            user=person.id,
            reference=uuid.uuid4().hex,
            amount=amount,
            reason="<b>an apology</b>",
            actor=actor.id,
            limit=10,
        )
    assert isinstance(made, Approval)
    return made


async def one_of_each(counter: Counter, customer: Person, operator_: Person) -> None:
    """A purchase, money back, an event that leads to nothing with its alert, a claim and an approval."""
    database = counter.database
    _, payment = await counter.bought(customer)
    await counter.control.do(MakeRefund(payment=payment, amount=500))
    await counter.told()
    unknown = f"pi_{uuid.uuid4().hex}"
    await counter.hear(Notice(f"evt_{unknown}", NoticeKind.PAID, "test", False, datetime.now(UTC), unknown, unknown))
    call = await answer(database, customer)
    await finish(database, customer, call, 45)
    async with database.transaction(user=customer.id) as db:
        await money.claim(db, customer.id, call, "spam")
    await a_request(database, customer, operator_)
    async with database.transaction(everyone=WHY) as db:
        for alert in await board.open_alerts(db):
            if alert.kind == "charge_claimed":
                await board.acknowledge(db, alert.id, operator_.id)


async def addresses(counter: Counter, customer: Person) -> list[str]:
    """Every page of the operator's, about this customer's things."""
    database = counter.database
    found = {
        "user": customer.id,
        "call": await one(database, "SELECT id FROM calls WHERE user_id = :user LIMIT 1", user=customer.id),
        "number": await number_of(database, customer),
        "pack": await one(database, "SELECT id FROM credit_packs LIMIT 1"),
        "purchase": await one(database, "SELECT id FROM purchases WHERE user_id = :user LIMIT 1", user=customer.id),
        "event": await one(database, "SELECT id FROM provider_events ORDER BY id DESC LIMIT 1"),
    }
    return [each.format(**found) for each in PAGES]
