"""A caller is forgotten: afterwards their number stands nowhere, whatever comes later, and every sum is what it was.

The test greps a full dump and the whole folder, after real calls through the phone company.
"""

import asyncio
import itertools
import json
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts import audit_log
from talktime.accounts.operators import NotAnOperator
from talktime.calls import history, lifecycle
from talktime.calls.receipt import receipt
from talktime.calls.routing import Route
from talktime.carriers.contract import Ring
from talktime.credits.verify import verify
from talktime.db import embedded
from talktime.db.base import new_id
from talktime.errors import BadInput, NotFound
from talktime.inbox import Incoming, store
from talktime.mail.message import Mail, Sender
from talktime.mail.message import Words as MailWords
from talktime.mail.send import Outbox
from talktime.privacy import forget
from talktime.privacy.forget import forget_caller
from talktime.simulate.orders import Faults, HangUp, WaitForAgent
from talktime.speech.choose import Trio
from talktime.speech.contract import Brief, CallTool, Message, Moment, Tool
from talktime.speech.contract import Say as Words
from tests.calls.putting_through import customer, settled, talking
from tests.db.everything import become_owner
from tests.house import House, Scripted, Tones, new_sid, open_house, say
from tests.people import WHY, Person, charges, new_person
from tests.privacy.searching import Dying, Killed, dump, files_with, places_of, spellings_of

_CALLERS = itertools.count(uuid.uuid4().int % 10**7)


class Secretary:
    """A head that repeats what it hears, and takes a message when somebody says a number."""

    name = "secretary"

    async def prepare(self, brief: Brief) -> None:
        pass

    async def reply(
        self, brief: Brief, moment: Moment, messages: Sequence[Message], tools: Sequence[Tool]
    ) -> AsyncIterator[Words | CallTool]:
        said = messages[-1].text
        if "0" in said and messages[-1].role == "user":
            number = said.rpartition(":")[2].strip()
            yield CallTool("1", "take_message", json.dumps({"name": "Kim", "message": said, "number": number}))
        yield Words(f"You said: {said}.")


@pytest.fixture(scope="module")
async def house(new_database_url: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    ears = Scripted()
    trio = Trio(ears, Secretary(), Tones())
    home = Path(tmp_path_factory.mktemp("home"))
    async with open_house(new_database_url(), home, trio=trio, ears=ears) as house:
        yield house


@pytest.fixture
def kim() -> str:
    """Somebody who calls."""
    return f"+4930{next(_CALLERS) % 10**7:07d}4"


@pytest.fixture
async def alice(house: House) -> Person:
    return await new_person(house.database, "Alice", credits=1000)


@pytest.fixture
async def bob(house: House) -> Person:
    return await new_person(house.database, "Bob", credits=1000)


@pytest.fixture
async def ada(house: House) -> Person:
    return await new_person(house.database, "Ada", credits=0, admin=True)


async def rang(house: House, person: Person, caller: str, words: str, faults: Faults | None = None) -> str:
    """A call in which somebody says something; gives the carrier's name of it."""
    house.ears.words[:] = [words]
    steps = (WaitForAgent(), say("hello"), WaitForAgent(), HangUp())
    events = await house.call(person, *steps, caller=caller, faults=faults)
    return (await house.record(person, events)).call.carrier_call_id


async def assert_gone(server: embedded.Server, house: House, number: str) -> None:
    written = await dump(server, house.database)
    assert places_of(spellings_of(number), written) == []
    assert files_with(spellings_of(number), house.settings.home) == []


async def assert_proven(house: House) -> None:
    assert (await verify(house.database, full=True)).is_clean
    assert (await audit_log.verify(house.database)).is_clean


async def plant(house: House, person: Person, number: str) -> None:
    """The number where it should never stand, as a mistake of somebody's would leave it."""
    detail = {"said": f"call {number}", "in a list": [number, {"digits": int(number[1:])}]}
    async with house.database.transaction(everyone=WHY) as db:
        as_json = bindparam("detail", detail, JSONB)
        values = {"user": person.id, "note": f"they rang from {number}", "id": new_id()}
        await db.execute(
            text("INSERT INTO alerts (id, kind, user_id, detail) VALUES (:id, 'x', :user, :detail)").bindparams(
                as_json
            ),
            values,
        )
        await db.execute(
            text(
                "INSERT INTO notices (user_id, id, kind, subject, detail) VALUES (:user, :id, 'x', 'x', :detail)"
            ).bindparams(as_json),
            values,
        )
        await db.execute(
            text(
                "INSERT INTO approvals (id, user_id, reference, amount, reason, requested_by)"
                " VALUES (:id, :user, 'r', 5, :note, :user)"
            ),
            values,
        )
        await house.context.jobs.enqueue(db, "nobody.does", user=str(person.id), number=number)
        await db.execute(
            text(
                "INSERT INTO idempotency_keys (user_id, key, digest, status, answer)"
                " VALUES (:user, :note, sha256(''), 200, 'sealed')"
            ),
            values,
        )
        await plant_webhook(db, person, number)
        forms = f"From={number.replace('+', '%2B')}&To=x&CallerName=Kim&FromCity=BERLIN"
        document = json.dumps({"object": {"phone": number, "id": 7, "note": f"tel:{number}"}})
        for kind, body in (("x.form", forms), ("x.json", document), ("x.text", f"\x00{number}\xff")):
            event = Incoming(
                "x", "x", f"{kind}{person.id}{number[-4:]}", kind, body.encode("latin-1"), {"user-agent": number}
            )
            assert await store(db, event)
        # Of a carrier, about a call that nobody knows: its ring never reached us.
        lost = Incoming("simulated", "AC1", f"{new_sid()}:2:completed", "carrier.report", forms.encode(), {})
        assert await store(db, lost)
    outbox = Outbox(house.settings.home / "outbox", Sender.of("Talktime <desk@example.org>"))
    words = MailWords(subject=f"Call {number} back", paragraphs=(f"They rang from {number} – today.",))
    await outbox.send(Mail(new_id(), ("alice@example.org",), "en", words))


async def plant_webhook(db: AsyncSession, person: Person, number: str) -> None:
    """A webhook's body, and what its receiver answered, with the number in them."""
    await become_owner(db)
    body = json.dumps({"said": f"call {number}", "digits": int(number[1:])})
    values = {"user": person.id, "id": new_id(), "body": body, "answer": f"saved {number}"}
    for statement in (
        (
            "INSERT INTO webhook_endpoints (user_id, id, url, events, secret, disabled_at, disabled_reason)"
            " VALUES (:user, :id, 'https://crm.example.org', ARRAY['booking.held'], '', now(), 'OWNER')"
        ),
        (
            "INSERT INTO webhook_events (user_id, id, type, data, body)"
            " VALUES (:user, :id, 'booking.held', CAST(:body AS jsonb), :body)"
        ),
        (
            "INSERT INTO webhook_deliveries (user_id, id, endpoint_id, event_id, state, sequence, attempts, ended_at)"
            " VALUES (:user, :id, :id, :id, 'DELIVERED', 1, 1, now())"
        ),
        (
            "INSERT INTO webhook_attempts (user_id, delivery_id, attempt_no, status, answer)"
            " VALUES (:user, :id, 1, 200, :answer)"
        ),
    ):
        await db.execute(text(statement), values)
    await db.execute(text("SET LOCAL ROLE talktime_everyone"))


async def test_after_real_calls_the_number_stands_nowhere_and_the_books_and_the_audit_log_still_prove(
    server: embedded.Server, house: House, *, alice: Person, bob: Person, ada: Person, kim: str
) -> None:
    national = f"0{kim[3:5]} {kim[5:]}"
    sid = await rang(house, alice, kim, f"my number is: {national}")
    await rang(house, bob, kim, "good morning")
    await rang(house, alice, "+4917012345670", f"please tell who has this number: {national}")
    async with talking(house, tara := await customer(house.database), caller=kim, dial_seconds=0.5) as call:
        put_through = await call.put_through()
        await call.until("leg_ended")
    await settled(house.database, tara, put_through.leg_id)
    await plant(house, alice, kim)
    before = await dump(server, house.database)
    found = places_of(spellings_of(kim), before)
    assert len(found) > 5 and files_with(spellings_of(kim), house.settings.home), "or nothing would be proven"
    costs = [await charges(house.database, person) for person in (alice, bob, tara)]

    done = await forget_caller(house.database, kim, actor=ada.id, home=house.settings.home)

    assert done.calls == 4 and done.mentions >= 5 and done.events >= 4 and done.mails == 1 and not done.stands_in
    await assert_gone(server, house, kim)
    assert "Kim" not in await dump(server, house.database)
    await assert_proven(house)
    assert [await charges(house.database, person) for person in (alice, bob, tara)] == costs
    async with house.database.transaction(user=alice.id) as db:
        records = {each.call.carrier_call_id: each for each in await history.newest(db, alice.id)}
        gone = records.pop(sid)
        assert (gone.call.caller, gone.call.summary, list(gone.turns)) == (None, None, [])
        assert gone.call.forgotten_at is not None and gone.call.seconds
        assert (await receipt(db, alice.id, gone.call.id)).charged == 15
        (other,) = records.values()
        assert other.call.caller == "+4917012345670" and other.call.forgotten_at is None
        assert any("forgotten" in turn.text for turn in other.turns), "what others said of the number"
    again = await forget_caller(house.database, kim, actor=ada.id, home=house.settings.home)
    assert again == forget.Forgotten(0, 0, 0, 0)


@pytest.mark.parametrize("how", ["national", "spaces", "zeros"])
async def test_a_customer_forgets_a_caller_of_their_own_and_nobody_elses(
    server: embedded.Server, house: House, *, alice: Person, bob: Person, ada: Person, kim: str, how: str
) -> None:
    await rang(house, alice, kim, "good morning")
    theirs = await rang(house, bob, kim, f"my number is: 0{kim[3:5]} {kim[5:]}")
    events = text("SELECT body FROM provider_events WHERE event_id LIKE :sid || ':%' ORDER BY id")
    async with house.database.transaction(everyone=WHY) as db:
        before = (await db.scalars(events, {"sid": theirs})).all()
    typed = {"national": f"0{kim[3:]}", "spaces": f"+49 (0){kim[3:5]} {kim[5:]}", "zeros": f"00{kim[1:]}"}[how]
    done = await forget_caller(house.database, typed, user=alice.id, actor=alice.id, region="DE")
    assert done.calls == 1
    async with house.database.transaction(everyone=WHY) as db:
        kept = await db.scalars(text("SELECT user_id FROM calls WHERE caller = :kim"), {"kim": kim})
        assert list(kept) == [bob.id]
        assert (await db.scalars(events, {"sid": theirs})).all() == before
        assert await db.scalar(text("SELECT count(*) FROM call_turns WHERE user_id = :bob"), {"bob": bob.id}) == 3
        assert await db.scalar(text("SELECT count(*) FROM call_turns WHERE user_id = :id"), {"id": alice.id}) == 0
    await forget_caller(house.database, typed, user=bob.id, actor=ada.id, region="DE")
    await assert_gone(server, house, kim)


async def test_a_customer_who_forgets_a_number_changes_nothing_that_is_the_operators(
    house: House, alice: Person, ada: Person, kim: str
) -> None:
    """Any number can be typed there: also one that stands in an alert about nobody in particular."""
    alert = new_id()
    async with house.database.transaction(everyone=WHY) as db:
        detail = bindparam("detail", {"payment_id": f"pi_{kim[1:]}"}, JSONB)
        await db.execute(
            text("INSERT INTO alerts (id, kind, user_id, detail) VALUES (:id, 'x', NULL, :detail)").bindparams(detail),
            {"id": alert},
        )

    async def kept() -> bool:
        async with house.database.transaction(everyone=WHY) as db:
            return kim[1:] in str(await db.scalar(text("SELECT detail FROM alerts WHERE id = :id"), {"id": alert}))

    await forget_caller(house.database, kim, user=alice.id, actor=alice.id)
    assert await kept()
    await forget_caller(house.database, kim, actor=ada.id)
    assert not await kept()


async def test_a_live_call_goes_on_and_is_charged_and_nothing_more_of_it_is_kept(
    server: embedded.Server, house: House, ada: Person, kim: str
) -> None:
    tara = await customer(house.database)
    house.ears.words[:] = []
    async with talking(house, tara, caller=kim, dial_seconds=0.5) as call:
        await forget_caller(house.database, kim, actor=ada.id)
        await asyncio.sleep(0.3)
        async with house.database.transaction(user=tara.id) as db:
            await lifecycle.note_outcome(db, tara.id, call.call, "message", f"call {kim} back")
        assert (await history_of(house, tara, call.call)).is_live
        done = await call.put_through()
        await call.until("leg_ended")
    await settled(house.database, tara, done.leg_id)
    record = await settled(house.database, tara, call.call)
    assert record.call.seconds and (await charges(house.database, tara))[0] < 0
    assert (record.call.summary, record.call.outcome, list(record.turns)) == (None, "message", [])
    assert (await history_of(house, tara, done.leg_id)).call.forgotten_at is not None, "its reports name the caller"
    await assert_gone(server, house, kim)
    await assert_proven(house)


async def history_of(house: House, person: Person, call: uuid.UUID) -> history.CallRecord:
    async with house.database.transaction(user=person.id) as db:
        return await history.one(db, person.id, call)


async def test_a_report_that_comes_after_the_erasure_brings_nobody_back_and_is_still_handled(
    server: embedded.Server, house: House, alice: Person, ada: Person, kim: str
) -> None:
    house.ears.words[:] = ["good morning"]
    late = Faults(reports_delay_seconds=2.5, report_copies=2)
    ringing = asyncio.create_task(
        house.call(alice, WaitForAgent(), say("hello"), WaitForAgent(), HangUp(), caller=kim, faults=late)
    )
    async with asyncio.timeout(15):
        while True:
            async with house.database.transaction(user=alice.id) as db:
                over = await db.scalar(text("SELECT count(*) FROM calls WHERE ended_at IS NOT NULL"))
            if over:
                break
            await asyncio.sleep(0.05)
    assert (await forget_caller(house.database, kim, actor=ada.id)).calls == 1
    await ringing
    async with asyncio.timeout(15):
        while True:
            record = (await newest(house, alice))[0]
            if record.call.carrier_seconds is not None:
                break
            await asyncio.sleep(0.05)
    async with house.database.transaction(everyone=WHY) as db:
        bodies = await db.scalars(
            text("SELECT body FROM provider_events WHERE event_id LIKE :sid || ':%'"),
            {"sid": record.call.carrier_call_id},
        )
        kept = [bytes(body).decode() for body in bodies]
    assert kept and all("CallStatus=" in body and "From" not in body for body in kept)
    await assert_gone(server, house, kim)


async def newest(house: House, person: Person) -> list[history.CallRecord]:
    async with house.database.transaction(user=person.id) as db:
        return await history.newest(db, person.id)


async def test_a_caller_who_rings_again_is_a_new_call(house: House, alice: Person, ada: Person, kim: str) -> None:
    await rang(house, alice, kim, "good morning")
    await forget_caller(house.database, kim, actor=ada.id)
    await rang(house, alice, kim, "good morning")
    assert [record.call.caller for record in await newest(house, alice)] == [kim, None]
    assert (await forget_caller(house.database, kim, actor=ada.id)).calls == 1


async def test_a_ring_that_is_repeated_after_the_erasure_gets_its_answer_and_nothing_is_written(
    server: embedded.Server, house: House, alice: Person, ada: Person, kim: str
) -> None:
    ring = Ring(account="AC1", call_id=new_sid(), caller=kim, dialled=alice.number)
    for again in (False, True):
        async with house.database.transaction(everyone=WHY) as db:
            decision = await lifecycle.ring(db, "simulated", ring)
        assert (decision.route, decision.fresh) == (Route.TALK, not again)
        await forget_caller(house.database, kim, actor=ada.id)
    await assert_gone(server, house, kim)


async def test_a_turn_that_is_being_written_is_waited_for_and_one_that_comes_later_is_not_kept(
    house: House, alice: Person, ada: Person, kim: str
) -> None:
    ring = Ring(account="AC1", call_id=new_sid(), caller=kim, dialled=alice.number)
    async with house.database.transaction(everyone=WHY) as db:
        call = (await lifecycle.ring(db, "simulated", ring)).call_id
    turn = {"user_id": alice.id, "call_id": call, "speaker": "CALLER", "text": kim, "began_ms": 0, "ended_ms": 9}
    async with house.database.transaction(user=alice.id) as db:
        await lifecycle.write_turn(db, {**turn, "turn_no": 1})
        forgetting = asyncio.create_task(forget_caller(house.database, kim, actor=ada.id))
        await asyncio.sleep(0.5)
        assert not forgetting.done()
    await forgetting
    async with house.database.transaction(user=alice.id) as db:
        await lifecycle.write_turn(db, {**turn, "turn_no": 2})
    async with house.database.transaction(user=alice.id) as db:
        assert await db.scalar(text("SELECT count(*) FROM call_turns")) == 0


async def test_whoever_is_killed_in_between_is_finished_by_doing_it_again(
    server: embedded.Server, house: House, *, alice: Person, bob: Person, ada: Person, kim: str
) -> None:
    for lives in itertools.count(1, 3):
        for person in (alice, bob):
            await rang_without_sound(house, person, kim)
        try:
            await forget_caller(Dying(house.database, lives), kim, user=alice.id, actor=ada.id)
        except Killed:
            await forget_caller(house.database, kim, actor=ada.id, home=house.settings.home)
        else:
            await forget_caller(house.database, kim, actor=ada.id)
            break
        await assert_gone(server, house, kim)
    assert lives > 6
    await assert_proven(house)


async def rang_without_sound(house: House, person: Person, caller: str) -> None:
    """A call as the database alone sees it, with a turn and a report."""
    sid = new_sid()
    async with house.database.transaction(everyone=WHY) as db:
        ring = Ring(account="AC1", call_id=sid, caller=caller, dialled=person.number)
        call = (await lifecycle.ring(db, "simulated", ring)).call_id
        assert call is not None
        turn = {
            "user_id": person.id,
            "call_id": call,
            "speaker": "CALLER",
            "text": caller,
            "began_ms": 0,
            "ended_ms": 9,
        }
        await lifecycle.write_turn(db, {**turn, "turn_no": 1})
        await lifecycle.finish(db, person.id, call, seconds=0, reason="caller_gave_up")
        body = f"CallSid={sid}&CallStatus=completed&From={caller.replace('+', '%2B')}&AccountSid=AC1"
        assert await store(db, Incoming("simulated", "AC1", f"{sid}:2:completed", "kept.report", body.encode(), {}))


async def test_only_an_operator_forgets_for_others_and_what_is_no_number_is_refused(
    house: House, alice: Person, bob: Person, ada: Person, kim: str
) -> None:
    for whose in (None, alice.id):
        with pytest.raises(NotAnOperator):
            await forget_caller(house.database, kim, user=whose, actor=bob.id)
    with pytest.raises(NotFound):
        await forget_caller(house.database, kim, user=new_id(), actor=ada.id)
    for number in ("", "hello", "030 1234567", "' OR 1=1"):
        with pytest.raises(BadInput):
            await forget_caller(house.database, number, actor=ada.id)


async def test_where_nobody_may_change_it_it_is_said_that_the_number_stands_there(
    house: House, alice: Person, ada: Person, kim: str
) -> None:
    from talktime.credits import money

    async with house.database.transaction(everyone=WHY) as db:
        await money.adjust(db, alice.id, reference="gift", amount=5, reason=f"for the trouble with {kim}", actor=ada.id)
    done = await forget_caller(house.database, kim, user=alice.id, actor=ada.id)
    assert dict(done.stands_in) == {"ledger": 1}
    assert (await verify(house.database, full=True)).is_clean


async def test_the_number_is_in_no_audit_entry_and_it_is_written_down_who_asked(
    house: House, alice: Person, ada: Person, kim: str
) -> None:
    await rang(house, alice, kim, "good morning")
    await forget_caller(house.database, kim, user=alice.id, actor=ada.id)
    async with house.database.transaction(everyone=WHY) as db:
        rows = await db.execute(
            text("SELECT act, actor_id, after FROM audit_entries WHERE user_id = :id ORDER BY seq"), {"id": alice.id}
        )
        began, ended = [row for row in rows if row.act.startswith("caller.")]
    assert (began.act, began.actor_id) == ("caller.forgetting", ada.id)
    assert (ended.act, ended.actor_id, ended.after["calls"]) == ("caller.forgotten", ada.id, 1)
