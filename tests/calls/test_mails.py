"""What customers are mailed of their calls: a message, calls that nobody talked to, how one went, what a day brought.
Put together when it is sent, so that who was forgotten meanwhile is in none.
"""

import uuid
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select, text

from talktime.calls import lifecycle
from talktime.calls.mails import bounds, gatherers, have_days_told, spoken
from talktime.carriers.contract import Ring
from talktime.db.session import Database
from talktime.mail.message import Mail, Sender, to_message
from talktime.mail.render import text_of
from talktime.notices.choices import choose
from talktime.notices.models import Notice
from talktime.notices.send import send_notices
from tests.db.everything import become_owner
from tests.mail.pigeon import Pigeon
from tests.people import WHY, Person, new_person

SITE = "https://talktime.example"
SECRET = b"a secret of this test alone, long enough"
CALLER = "+493012345678"
SHOWN = "+49 30 12345678"


@pytest.fixture
async def carol(empty_database: Database) -> Person:
    """A customer in a database that nobody else sends from."""
    return await new_person(empty_database, "Carol", credits=1000)


async def called(
    database: Database, person: Person, *, caller: str = CALLER, seconds: int | None = 50, message: str | None = None
) -> uuid.UUID:
    """A call, talked to for so long, or not at all; gives its id."""
    async with database.transaction(everyone=WHY) as db:
        rang = Ring(account="AC", call_id=f"CA{uuid.uuid4().hex}", caller=caller, dialled=person.number)
        decision = await lifecycle.ring(db, "simulated", rang)
    call = decision.call_id
    assert call is not None
    if seconds is not None:
        async with database.transaction(user=person.id) as db:
            assert await lifecycle.answer(db, person.id, call, "owner") is not None
    if message is not None:
        async with database.transaction(user=person.id) as db:
            await lifecycle.note_outcome(db, person.id, call, "message", message)
    async with database.transaction(user=person.id) as db:
        await lifecycle.finish(db, person.id, call, seconds=seconds or 0, reason="caller_hung_up")
    return call


async def chosen(database: Database, person: Person, **changes: bool) -> None:
    async with database.transaction(user=person.id) as db:
        await choose(db, person.id, changes, actor=person.id)


async def waiting(database: Database, person: Person) -> list[Notice]:
    async with database.transaction(everyone=WHY) as db:
        found = (
            select(Notice).where(Notice.user_id == person.id, Notice.mailed_at.is_(None)).order_by(Notice.created_at)
        )
        return list(await db.scalars(found))


async def mailed(database: Database) -> list[Mail]:
    """Everything that waits, as if its time had come."""
    async with database.transaction(everyone=WHY) as db:
        await db.execute(text("UPDATE notices SET not_before = now() - interval '1 second' WHERE mailed_at IS NULL"))
    pigeon = Pigeon()
    await send_notices(database, pigeon, base_url=SITE, gatherers=gatherers(), secret=SECRET)
    return pigeon.sent


async def forgotten(database: Database, person: Person, call: uuid.UUID) -> None:
    async with database.transaction(user=person.id) as db:
        await db.execute(text("SELECT forget_calls_v1(:user, :calls)"), {"user": person.id, "calls": [call]})


async def test_a_message_is_mailed_once_its_call_is_over(empty_database: Database, carol: Person) -> None:
    call = await called(empty_database, carol, message="Message from Karl: the tap drips.")
    [notice] = await waiting(empty_database, carol)
    # Ids, and nothing else: not who called, and not what they said.
    assert (notice.kind, notice.subject, notice.detail) == ("message_taken", str(call), {"call_id": str(call)})
    [mail] = await mailed(empty_database)
    said = text_of(mail.words)
    assert mail.words.subject == f"A message was taken: {SHOWN}"
    assert "Reception took a message on" in said
    assert "“Message from Karl: the tap drips”." in said
    assert f"{SITE}/calls/{call}" in said
    assert await mailed(empty_database) == []


async def test_a_message_that_is_said_again_after_the_end_is_one_mail(empty_database: Database, carol: Person) -> None:
    call = await called(empty_database, carol, message="first")
    async with empty_database.transaction(user=carol.id) as db:
        await lifecycle.note_outcome(db, carol.id, call, "message", "second")
        await lifecycle.finish(db, carol.id, call, seconds=50, reason="caller_hung_up")
    [mail] = await mailed(empty_database)
    assert "“second”" in text_of(mail.words)


async def test_who_was_forgotten_is_in_no_mail(empty_database: Database, carol: Person) -> None:
    await chosen(empty_database, carol, summaries=True)
    talked = await called(empty_database, carol)
    left = await called(empty_database, carol, message="call me back")
    missed = await called(empty_database, carol, seconds=None)
    for call in (talked, left, missed):
        await forgotten(empty_database, carol, call)
    assert await mailed(empty_database) == []
    async with empty_database.transaction(everyone=WHY) as db:
        reasons = list(await db.scalars(select(Notice.dropped_reason)))
    assert reasons == ["nothing left to tell"] * 3


async def test_a_call_that_nobody_was_to_be_told_of_before_it_ended_is_told_to_nobody(
    empty_database: Database, carol: Person
) -> None:
    async with empty_database.transaction(everyone=WHY) as db:
        rang = Ring(account="AC", call_id="CA1", caller=CALLER, dialled=carol.number)
        decision = await lifecycle.ring(db, "simulated", rang)
    assert decision.call_id is not None
    await forgotten(empty_database, carol, decision.call_id)
    async with empty_database.transaction(user=carol.id) as db:
        await lifecycle.finish(db, carol.id, decision.call_id, seconds=0, reason="caller_gave_up")
    assert await waiting(empty_database, carol) == []


async def test_missed_calls_of_some_minutes_are_one_mail_and_those_after_it_the_next(
    empty_database: Database, carol: Person
) -> None:
    for number in range(3):
        await called(empty_database, carol, caller=f"+4930111111{number}", seconds=None)
    assert len(await waiting(empty_database, carol)) == 1
    [first] = await mailed(empty_database)
    assert first.words.subject == "3 missed calls"
    assert all(spoken(f"+4930111111{number}") in text_of(first.words) for number in range(3))  # type: ignore[operator]  # it is one
    await called(empty_database, carol, caller="", seconds=None)
    [second] = await mailed(empty_database)
    assert second.words.subject == "A missed call"
    assert "unknown number" in text_of(second.words)
    assert "+49 30" not in text_of(second.words)


async def test_a_call_that_comes_while_the_mail_is_on_its_way_is_in_one_of_the_two(
    empty_database: Database, carol: Person
) -> None:
    await called(empty_database, carol, caller="+4930111110", seconds=None)
    async with empty_database.transaction(everyone=WHY) as db:
        await db.execute(text("UPDATE notices SET not_before = now() - interval '1 second'"))
    pigeon = Pigeon()

    async def another() -> None:
        pigeon.before = None
        await called(empty_database, carol, caller="+4930111112", seconds=None)

    pigeon.before = another
    await send_notices(empty_database, pigeon, base_url=SITE, gatherers=gatherers())
    said = [text_of(mail.words) for mail in [*pigeon.sent, *await mailed(empty_database)]]
    assert sum("+49 30 111110" in text for text in said) == 1
    assert sum("+49 30 111112" in text for text in said) == 1


async def test_hundreds_of_missed_calls_are_twenty_and_a_number(empty_database: Database, carol: Person) -> None:
    async with empty_database.transaction(everyone=WHY) as db:
        await become_owner(db)
        for number in range(130):
            await db.execute(
                text(
                    "INSERT INTO calls (user_id, id, direction, carrier, carrier_call_id, caller, status, route,"
                    " started_at) VALUES (:user, gen_random_uuid(), 'INBOUND', 'simulated', :name, '+4930111111',"
                    " 'RINGING', 'no_credit', now())"
                ),
                {"user": carol.id, "name": f"CA{number}"},
            )
        await db.execute(text("UPDATE calls SET status = 'COMPLETED', ended_at = clock_timestamp()"))
    [mail] = await mailed(empty_database)
    assert mail.words.subject == "130 missed calls"
    assert "And 110 more." in text_of(mail.words)


async def test_how_a_call_went_is_told_to_who_asked_for_it(empty_database: Database, carol: Person) -> None:
    await called(empty_database, carol)
    assert await waiting(empty_database, carol) == []
    await chosen(empty_database, carol, summaries=True)
    await called(empty_database, carol)
    [mail] = await mailed(empty_database)
    assert "answered a call on" in text_of(mail.words)
    assert f"It lasted 0:50 minutes and cost {carol.rate.cost(50)} credits." in text_of(mail.words)


async def test_who_wants_none_of_it_gets_none_of_it(empty_database: Database, carol: Person) -> None:
    await chosen(empty_database, carol, digest=False, messages=False, missed_calls=False, summaries=False)
    await called(empty_database, carol)
    await called(empty_database, carol, message="hello")
    await called(empty_database, carol, seconds=None)
    assert await waiting(empty_database, carol) == []


async def test_a_mail_that_was_chosen_says_how_to_end_it_and_programs_can(
    empty_database: Database, carol: Person
) -> None:
    await called(empty_database, carol, message="hello")
    [mail] = await mailed(empty_database)
    assert mail.off_url is not None
    assert mail.off_url.startswith(f"{SITE}/hooks/mail/off/{carol.id}/messages/")
    assert mail.off_url.replace("/hooks", "") in text_of(mail.words)
    sender = Sender.of("Talktime <desk@example.org>")
    message = to_message(mail, sender, text="x", html="x", now=datetime.now(UTC))
    assert message["List-Unsubscribe"] == f"<{mail.off_url}>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


async def yesterday(database: Database, *calls: uuid.UUID, hours: int = 24) -> None:
    async with database.transaction(everyone=WHY) as db:
        await become_owner(db)
        await db.execute(
            text(
                "UPDATE calls SET started_at = started_at - :ago, answered_at = answered_at - :ago,"
                " ended_at = ended_at - :ago WHERE id = ANY (:calls)"
            ),
            {"ago": timedelta(hours=hours), "calls": list(calls)},
        )


async def at_hour(database: Database, person: Person, hour: int) -> None:
    """Somebody for whom it is this hour just now, or nearly."""
    async with database.transaction(everyone=WHY) as db:
        ahead = (hour - int(await db.scalar(text("SELECT extract(hour FROM now() AT TIME ZONE 'UTC')"))) + 12) % 24 - 12
        zone = f"Etc/GMT{-ahead:+d}"
        await db.execute(text("UPDATE users SET zone = :zone WHERE id = :id"), {"zone": zone, "id": person.id})


async def test_a_day_is_told_the_next_morning_once_where_the_customer_lives(
    empty_database: Database, carol: Person
) -> None:
    calls = [
        await called(empty_database, carol),
        await called(empty_database, carol, message="hello"),
        await called(empty_database, carol, seconds=None),
    ]
    async with empty_database.transaction(everyone=WHY) as db:
        await db.execute(text("UPDATE notices SET mailed_at = now()"))
    await yesterday(empty_database, *calls)
    await at_hour(empty_database, carol, 7)
    assert await have_days_told(empty_database) == 0
    await at_hour(empty_database, carol, 8)
    assert await have_days_told(empty_database) == 1
    assert await have_days_told(empty_database) == 0
    [notice] = await waiting(empty_database, carol)
    assert set(notice.detail) == {"on"}
    [mail] = await mailed(empty_database)
    said = text_of(mail.words)
    assert "Calls: 3, of which nobody was talked to in 1." in said
    assert "Talked: 2 minutes." in said
    assert "Messages taken: 1." in said
    used = 2 * carol.rate.cost(50)
    assert f"Credit: {used} credits used, {1000 - used} credits left." in said
    assert "+49" not in said


async def test_a_day_without_calls_is_told_to_nobody(empty_database: Database, carol: Person) -> None:
    await at_hour(empty_database, carol, 9)
    await called(empty_database, carol)  # today is not yesterday
    older = await called(empty_database, carol)
    await yesterday(empty_database, older, hours=49)
    assert await have_days_told(empty_database) == 0


async def test_who_does_not_want_it_or_is_not_active_is_told_no_day(empty_database: Database, carol: Person) -> None:
    await at_hour(empty_database, carol, 9)
    await yesterday(empty_database, await called(empty_database, carol))
    await chosen(empty_database, carol, digest=False)
    assert await have_days_told(empty_database) == 0
    await chosen(empty_database, carol, digest=True)
    async with empty_database.transaction(everyone=WHY) as db:
        await db.execute(text("UPDATE users SET status = 'SUSPENDED' WHERE id = :id"), {"id": carol.id})
    assert await have_days_told(empty_database) == 0
    async with empty_database.transaction(everyone=WHY) as db:
        await db.execute(text("UPDATE users SET status = 'ACTIVE' WHERE id = :id"), {"id": carol.id})
    assert await have_days_told(empty_database) == 1


def test_a_day_begins_at_midnight_where_the_customer_lives_and_may_have_another_length() -> None:
    began, ended = bounds(date(2026, 3, 29), "Europe/Berlin")
    assert (began.isoformat(), ended - began) == ("2026-03-28T23:00:00+00:00", timedelta(hours=23))
    began, ended = bounds(date(2026, 10, 25), "Europe/Berlin")
    assert ended - began == timedelta(hours=25)


def test_a_number_that_is_none_is_said_as_it_is() -> None:
    assert spoken("+493012345678") == SHOWN
    assert spoken("anonymous") == "anonymous"
    assert spoken(None) is None
