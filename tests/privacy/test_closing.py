"""An account is closed, and the person goes out of it; the books and the audit log still prove.

What becomes of live calls stands in `tests/calls/test_closing.py`, of cards and checkouts in `tests/payments`.
"""

import itertools
import json
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts import audit_log, keys, links, sessions
from talktime.accounts.models import ApiKey, Link, LinkPurpose, RecoveryCode, Role, Session, User, UserStatus
from talktime.accounts.operators import LastOperator, NotAnOperator
from talktime.accounts.sessions import ConfirmFirst, Identity, OwnerOnly
from talktime.agents.models import Agent, AgentVersion
from talktime.calls import history, lifecycle
from talktime.carriers.contract import Ring
from talktime.credits import packs
from talktime.credits.verify import verify
from talktime.db import embedded
from talktime.db.base import new_id
from talktime.db.session import Database, connect
from talktime.documents.values import Seller
from talktime.errors import NotFound
from talktime.inbox import Incoming, store
from talktime.jobs import Jobs
from talktime.mail.message import Mail, Sender, Words
from talktime.mail.send import Outbox
from talktime.notices.models import Notice
from talktime.notices.tell import tell
from talktime.numbers.models import PhoneNumber, PhoneStatus
from talktime.payments import invoices
from talktime.payments.invoice_models import BillingDetails, Invoice
from talktime.payments.invoices import Billing
from talktime.payments.models import Purchase, PurchaseState
from talktime.privacy import closing
from talktime.privacy.closing import Closed, address_of, close_account, close_own
from tests.calls.putting_through import THEIRS, transferred
from tests.house import new_sid
from tests.people import WHY, Person, account_of, charges, new_person
from tests.privacy.searching import Dying, Killed, dump, files_with, places_of

CALLER = "+4930555000111"


@pytest.fixture
async def town(new_database_url: Callable[[], str]) -> AsyncIterator[Database]:
    """A database of one test's own, because all of it is looked at."""
    database = connect(new_database_url())
    yield database
    await database.close()


@pytest.fixture
async def ada(town: Database) -> Person:
    return await new_person(town, "Ada", credits=0, admin=True)


@pytest.fixture
async def alice(town: Database) -> Person:
    """A customer who has left traces everywhere."""
    person = await new_person(town, "Alice", credits=1000)
    await leave_traces(town, person)
    return person


def queue_of(database: Database) -> Jobs:
    return Jobs(database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False))


async def no_card(_: uuid.UUID) -> bool:
    return True


async def no_checkouts(_db: AsyncSession, _: uuid.UUID) -> int:
    return 0


async def close(database: Database, person: Person, actor: Person, home: Path | None = None) -> Closed:
    return await close_account(
        database, {}, person.id, actor.id, forget_card=no_card, end_checkouts=no_checkouts, home=home, seconds_max=0
    )


def email_of(person: Person) -> str:
    return f"alice.{person.id.hex}@example.org"


async def identity_of(database: Database, person: Person) -> Identity:
    async with database.transaction(everyone=WHY) as db:
        token = await sessions.begin(db, person.id, address="192.0.2.7", browser="Firefox")
        found = await sessions.identify(db, token)
    assert found is not None
    return found


async def leave_traces(database: Database, person: Person) -> None:
    """Everything that says who somebody is, and who called them."""
    email = email_of(person)
    async with database.transaction(everyone=WHY) as db:
        await db.execute(
            text(
                "UPDATE users SET name = 'Alice Wonderland', password_hash = 'argon', totp_secret = 'key',"
                " totp_since = now(), email_confirmed_at = now() WHERE id = :id"
            ),
            {"id": person.id},
        )
        await sessions.begin(db, person.id, address="192.0.2.7", browser="Firefox of Wonderland")
        await links.issue(db, LinkPurpose.RESET, user=person.id)
        await links.issue(db, LinkPurpose.CHANGE_EMAIL, user=person.id, email="alice@wonderland.example")
        db.add(RecoveryCode(user_id=person.id, code_hash=b"c" * 32))
        await tell(db, person.id, "low_balance", "x", {"balance": 1, "threshold": 2})
        db.add(
            BillingDetails(
                user_id=person.id, name="Wonderland Ltd", address="Rabbit Hole 1", vat_id="DE99", email=email
            )
        )
        bought = Purchase(
            user_id=person.id, id=new_id(), name="Small", credits=10, price_minor=100, currency="EUR", test=True,
            gateway="simulated", state=PurchaseState.PAID, paid_at=datetime.now(UTC),
        )  # fmt: skip
        db.add(bought)
        await db.flush()
        seller = Seller(name="Talktime Ltd", address=("Street 1",), country="DE", vat_id="DE1", email="us@example.org")
        await invoices.issue(db, Billing(seller), bought, None)
        told = {"data": {"customer_details": {"name": "Alice Wonderland", "email": email.upper(), "phone": "+4930777"}}}
        event = Incoming("stripe", "live", f"evt_{person.id}", "payment.told", json.dumps(told).encode(), {})
        assert await store(db, event)
        await db.execute(text("UPDATE agents SET business = 'Wonderland Tea' WHERE user_id = :id"), {"id": person.id})
        ring = Ring(account="AC1", call_id=(sid := new_sid()), caller=CALLER, dialled=person.number)
        call = (await lifecycle.ring(db, "simulated", ring)).call_id
        assert call is not None
        turn = {"user_id": person.id, "call_id": call, "speaker": "CALLER", "text": "tea at five", "turn_no": 1}
        await lifecycle.write_turn(db, {**turn, "began_ms": 0, "ended_ms": 9})
        await lifecycle.note_outcome(db, person.id, call, "message", "Wants tea")
        await lifecycle.finish(db, person.id, call, seconds=0, reason="caller_gave_up")
        body = f"AccountSid=AC1&CallSid={sid}&CallStatus=completed&From=%2B{CALLER[1:]}&FromCity=BERLIN"
        assert await store(db, Incoming("simulated", "AC1", f"{sid}:2:completed", "carrier.report", body.encode(), {}))
    async with database.transaction(everyone=WHY) as db:
        await keys.make(db, person.id, "Alice's program", [keys.Scope.CALLS_READ])
    await transferred(database, person)


TRACES = (
    "Wonderland", "argon", "192.0.2.7", "alice@", "alice.", "Rabbit Hole", "DE99", "tea at five", "Wants tea",
    CALLER[1:], CALLER[-9:], "4915123456789", THEIRS[1:], "Firefox", "+4930777", "BERLIN", "Alice",
)  # fmt: skip


async def test_the_person_and_their_callers_are_gone_and_the_books_stay(
    server: embedded.Server, town: Database, alice: Person, *, ada: Person, tmp_path: Path
) -> None:
    outbox = Outbox(tmp_path / "outbox", Sender.of("Talktime <desk@example.org>"))
    for to in (email_of(alice), "bob@example.org"):
        await outbox.send(Mail(new_id(), (to,), "en", Words("Hello", ("Dear Alice",))))
    before = await dump(server, town)
    assert not [trace for trace in TRACES if not places_of([trace], before)], "or nothing would be proven"
    money = (await charges(town, alice), (await account_of(town, alice)).balance)

    done = await close(town, alice, ada, tmp_path)

    assert (done.balance, done.emptied, done.card_is_gone) == (money[1], 3, True)
    after = "".join(line for line in (await dump(server, town)).splitlines() if "TT-0000" not in line)
    assert [trace for trace in TRACES if places_of([trace], after)] == []
    assert files_with([email_of(alice)], tmp_path) == [] and len(list((tmp_path / "outbox").iterdir())) == 1
    assert (await charges(town, alice), (await account_of(town, alice)).balance) == money
    assert (await verify(town, full=True)).is_clean and (await audit_log.verify(town)).is_clean
    async with town.transaction(everyone=WHY) as db:
        gone = await db.get_one(User, alice.id)
        assert (gone.status, gone.name, gone.email) == (UserStatus.CLOSED, "", address_of(alice.id))
        assert gone.closed_at is not None and gone.locale == "en"
        for model in (Session, Link, RecoveryCode):
            assert (await db.execute(select(model).where(model.user_id == alice.id))).first() is None
        (key,) = (await db.scalars(select(ApiKey).where(ApiKey.user_id == alice.id))).all()
        assert key.revoked_at is not None
        (number,) = (await db.scalars(select(PhoneNumber).where(PhoneNumber.number == alice.number))).all()
        assert (number.status, number.user_id, number.agent_id) == (PhoneStatus.RELEASED, None, None)
        assert number.quarantine_until is not None and number.quarantine_until > datetime.now(UTC) + timedelta(days=29)
        notices = (await db.scalars(select(Notice).where(Notice.user_id == alice.id))).all()
        assert {(notice.mailed_at, notice.dropped_reason) for notice in notices} == {(None, "closed")}
        agent = await db.get_one(Agent, (alice.id, alice.agent))
        assert (agent.active, agent.business) == (False, "") and agent.archived_at is not None
        assert (await db.get_one(AgentVersion, (alice.id, alice.agent, 1))).greeting == "-"
        (invoice,) = (await db.scalars(select(Invoice).where(Invoice.user_id == alice.id))).all()
        assert invoice.buyer["name"] == "Wonderland Ltd", "a document of money stays as it was issued"


async def test_an_operator_who_is_closed_leaves_no_visit_open_and_its_end_is_written_down(
    town: Database, alice: Person, ada: Person
) -> None:
    grace = await new_person(town, "Grace", credits=0, admin=True)
    async with town.transaction(everyone=WHY) as db:
        await sessions.begin(db, alice.id, address=None, browser=None, actor=grace.id)
        invited = await links.issue(db, LinkPurpose.INVITE, role=Role.ADMIN, made_by=grace.id)
        browsers = await db.scalar(text("SELECT count(*) FROM sessions WHERE user_id = :id"), {"id": grace.id})
    await close(town, grace, ada)
    async with town.transaction(everyone=WHY) as db:
        last = await db.execute(
            text("SELECT act, actor_id, after FROM audit_entries WHERE user_id = :id ORDER BY seq DESC LIMIT 1"),
            {"id": alice.id},
        )
        assert last.one()[:2] == ("session.ended", ada.id)
        assert await db.get(Link, invited.id) is None
        said = await db.scalar(
            text("SELECT after FROM audit_entries WHERE user_id = :id AND act = 'user.closed'"), {"id": grace.id}
        )
        assert said["sessions"] == browsers == 0


async def test_whose_deed_it_is_that_a_top_up_ends_stands_in_the_log(
    town: Database, alice: Person, ada: Person
) -> None:
    async with town.transaction(everyone=WHY) as db:
        pack = await packs.create(db, name="Small", credits=10, price_minor=100, currency="EUR")
        await db.execute(
            text(
                "INSERT INTO top_ups (user_id, enabled, threshold, pack_id, credits, price_minor, currency,"
                " ceiling_minor, consented_at, gateway, customer_id, payment_method_id)"
                " VALUES (:id, true, 5, :pack, 10, 100, 'EUR', 1000, now(), 'simulated', 'cus_1', 'pm_1')"
            ),
            {"id": alice.id, "pack": pack.id},
        )
    await close(town, alice, ada)
    async with town.transaction(everyone=WHY) as db:
        by = await db.scalars(
            text("SELECT actor_id FROM audit_entries WHERE user_id = :id AND act = 'top_up.off'"), {"id": alice.id}
        )
        assert by.all() == [ada.id]


async def test_who_paid_is_gone_also_where_they_had_another_address_then(
    server: embedded.Server, town: Database, alice: Person, ada: Person
) -> None:
    """The payment company knows them by the checkout; what they typed there is not for us to know."""
    checkout, payment = f"cs_{uuid.uuid4().hex}", f"pi_{uuid.uuid4().hex}"
    details = {"email": "hatter@typed.example", "name": "Mad Hatter", "phone": "+4930999", "address": {"line1": "Tea"}}
    async with town.transaction(everyone=WHY) as db:
        await db.execute(
            text(
                "INSERT INTO purchase_directory (user_id, purchase_id, gateway, checkout_id, payment_id)"
                " VALUES (:user, :purchase, 'simulated', :checkout, :payment)"
            ),
            {"user": alice.id, "purchase": new_id(), "checkout": checkout, "payment": payment},
        )
        for name, about in (("a", checkout), ("b", payment), ("other", f"{payment}0")):
            told = {
                "data": {"object": {"id": about, "amount": 500, "customer_details": details, "receipt_email": "h@x.io"}}
            }
            event = Incoming(
                "simulated", "live", f"evt_{name}_{payment}", "payment.told", json.dumps(told).encode(), {}
            )
            assert await store(db, event)
    await close(town, alice, ada)
    async with town.transaction(everyone=WHY) as db:
        rows = await db.execute(
            text("SELECT event_id, body FROM provider_events WHERE event_id LIKE :like"), {"like": f"evt_%_{payment}"}
        )
        bodies = {row.event_id.split("_")[1]: json.loads(bytes(row.body)) for row in rows}
    for name, about in (("a", checkout), ("b", payment)):
        left = bodies[name]["data"]["object"]
        assert (left["id"], left["amount"]) == (about, 500), "what is handled stays"
        assert set(left["customer_details"].values()) == {None} and left["receipt_email"] is None
    assert bodies["other"]["data"]["object"]["customer_details"] == details, "somebody else's"


async def test_their_address_is_free_again(town: Database, alice: Person, ada: Person) -> None:
    await close(town, alice, ada)
    async with town.transaction(everyone=WHY) as db:
        db.add(User(email=email_of(alice).upper(), name="Alice the second"))


async def test_closing_twice_writes_it_down_once_and_of_others_nothing_is_touched(
    town: Database, alice: Person, ada: Person
) -> None:
    bob = await new_person(town, "Bob", credits=500)
    await leave_traces(town, bob)
    assert (await close(town, alice, ada)).emptied == 3
    assert (await close(town, alice, ada)).emptied == 0
    async with town.transaction(everyone=WHY) as db:
        acts = await db.scalars(
            text("SELECT act FROM audit_entries WHERE user_id = :id AND act LIKE 'user.%' ORDER BY seq"),
            {"id": alice.id},
        )
        assert list(acts) == ["user.closed", "user.anonymised"]
        found = await db.get_one(User, bob.id)
        assert (found.name, found.status) == ("Alice Wonderland", UserStatus.ACTIVE)
        told = await db.scalar(text("SELECT body FROM provider_events WHERE event_id = :id"), {"id": f"evt_{bob.id}"})
        assert b"Wonderland" in bytes(told)
        assert (await db.execute(select(Session).where(Session.user_id == bob.id))).first() is not None
    async with town.transaction(user=bob.id) as db:
        assert CALLER in {record.call.caller for record in await history.newest(db, bob.id)}


async def test_whoever_is_killed_in_between_is_finished_by_closing_again(
    server: embedded.Server, town: Database, ada: Person
) -> None:
    for lives in itertools.count():
        person = await new_person(town, "Alice", credits=1000)
        await leave_traces(town, person)
        try:
            await close(Dying(town, lives), person, ada)
        except Killed:
            await close(town, person, ada)
        else:
            break
    assert lives > 6
    after = "".join(line for line in (await dump(server, town)).splitlines() if "TT-0000" not in line)
    assert [trace for trace in TRACES if places_of([trace], after)] == []
    assert (await verify(town, full=True)).is_clean and (await audit_log.verify(town)).is_clean


async def test_the_job_that_was_left_finishes_it_and_touches_no_open_account(
    town: Database, alice: Person, ada: Person
) -> None:
    assert await closing.finish(town, alice.id) == 0
    identity = await identity_of(town, alice)
    done = await close_own(
        town, {}, identity, forget_card=no_card, end_checkouts=no_checkouts, jobs=queue_of(town), seconds_max=0
    )
    assert done.emptied is None and done.balance == (await account_of(town, alice)).balance
    async with town.transaction(everyone=WHY) as db:
        (asked,) = (await db.execute(text("SELECT task_name, args FROM procrastinate_jobs"))).all()
        assert tuple(asked) == (closing.FINISH_JOB, {"user": str(alice.id)})
        assert await sessions.identify(db, "x") is None
        assert (await db.get_one(User, alice.id)).status is UserStatus.CLOSED
        actor = await db.scalar(text("SELECT actor_id FROM audit_entries WHERE act = 'user.closed'"))
        assert actor == alice.id
    await closing.jobs_of(town, None)[closing.FINISH_JOB](user=str(alice.id))
    assert await closing.finish(town, alice.id) == 0
    async with town.transaction(everyone=WHY) as db:
        assert (await db.get_one(User, alice.id)).email == address_of(alice.id)


async def test_an_account_that_no_job_finished_is_finished_by_the_round(
    town: Database, alice: Person, ada: Person
) -> None:
    with pytest.raises(Killed):
        await close(Dying(town, 2), alice, ada)
    assert await closing.finish_left_over(town) == 1
    assert await closing.finish_left_over(town) == 0
    async with town.transaction(everyone=WHY) as db:
        assert (await db.get_one(User, alice.id)).email == address_of(alice.id)


async def test_the_customers_own_door_asks_for_the_password_lately_and_for_the_owner(
    town: Database, alice: Person, ada: Person
) -> None:
    identity = await identity_of(town, alice)
    wrong = {
        replace(identity, confirmed_at=datetime.now(UTC) - timedelta(minutes=16)): ConfirmFirst,
        replace(identity, actor_id=ada.id): OwnerOnly,
    }
    for who, error in wrong.items():
        with pytest.raises(error):
            await close_own(
                town, {}, who, forget_card=no_card, end_checkouts=no_checkouts, jobs=queue_of(town), seconds_max=0
            )
    async with town.transaction(everyone=WHY) as db:
        assert (await db.get_one(User, alice.id)).status is UserStatus.ACTIVE


async def test_the_last_operator_stays_and_a_customer_closes_nobody(town: Database, alice: Person, ada: Person) -> None:
    with pytest.raises(NotAnOperator):
        await close(town, ada, alice)
    with pytest.raises(LastOperator):
        await close(town, ada, ada)
    with pytest.raises(LastOperator):
        await close_own(
            town, {}, await identity_of(town, ada), forget_card=no_card, end_checkouts=no_checkouts,
            jobs=queue_of(town), seconds_max=0,
        )  # fmt: skip
    with pytest.raises(NotFound):
        await close(town, replace(alice, id=new_id()), ada)
    grace = await new_person(town, "Grace", credits=0, admin=True)
    await close(town, ada, ada)
    with pytest.raises(NotAnOperator):
        await close(town, alice, ada)
    with pytest.raises(LastOperator):
        await close(town, grace, grace)


async def test_what_comes_for_a_closed_account_is_not_kept(town: Database, alice: Person, ada: Person) -> None:
    ring = Ring(account="AC1", call_id=(sid := new_sid()), caller=CALLER, dialled=alice.number)
    async with town.transaction(everyone=WHY) as db:
        call = (await lifecycle.ring(db, "simulated", ring)).call_id
    assert call is not None
    done = await close(town, alice, ada)
    assert list(done.left) == [call], "nobody has said yet that it is over"
    async with town.transaction(everyone=WHY) as db:
        turn = {"user_id": alice.id, "call_id": call, "speaker": "CALLER", "text": "tea", "turn_no": 1}
        await lifecycle.write_turn(db, {**turn, "began_ms": 0, "ended_ms": 9})
        body = f"AccountSid=AC1&CallSid={sid}&CallStatus=no-answer&From=%2B{CALLER[1:]}"
        assert await store(db, Incoming("simulated", "AC1", f"{sid}:9:x", "carrier.report", body.encode(), {}))
        kept = await db.scalar(text("SELECT body FROM provider_events WHERE event_id = :id"), {"id": f"{sid}:9:x"})
        assert bytes(kept) == f"AccountSid=AC1&CallSid={sid}&CallStatus=no-answer".encode()
        assert await lifecycle.report(db, "simulated", sid, is_over=True, seconds=0) == "never answered"
        assert await db.scalar(text("SELECT count(*) FROM call_turns WHERE user_id = :id"), {"id": alice.id}) == 0
    assert list((await close(town, alice, ada)).left) == []
    assert (await verify(town, full=True)).is_clean
