"""Telling customers: once, or again with the same id; by whoever comes first; and never somebody who has left."""

import asyncio
import uuid

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from structlog.testing import capture_logs

from talktime.alerts import open_alerts
from talktime.credits import ledger, money
from talktime.db.session import Database
from talktime.errors import ProviderError
from talktime.mail.message import Mail, Sender, Undeliverable
from talktime.mail.render import text_of
from talktime.mail.send import Smtp, SmtpServer
from talktime.notices.models import Notice
from talktime.notices.send import send_notices
from talktime.notices.tell import tell
from talktime.notices.waiting import waiting
from tests.mail.pigeon import Pigeon
from tests.mail.post_office import post_office
from tests.people import WHY, Person, new_call, new_person

SITE = "https://talktime.example"


async def told(database: Database, person: Person, subject: str = "1", credits: int = 100) -> bool:
    async with database.transaction(user=person.id) as db:
        return await tell(db, person.id, "purchase_paid", subject, {"purchase_id": subject, "credits": credits})


async def sent(database: Database, pigeon: Pigeon) -> int:
    return await send_notices(database, pigeon, base_url=SITE)


async def notices_of(database: Database, person: Person) -> list[Notice]:
    async with database.transaction(everyone=WHY) as db:
        return list(await db.scalars(select(Notice).where(Notice.user_id == person.id).order_by(Notice.created_at)))


async def let_time_pass(database: Database, hours: int = 7) -> None:
    async with database.transaction(everyone=WHY) as db:
        await db.execute(text(f"UPDATE notices SET not_before = not_before - interval '{hours} hours'"))


async def let_days_pass(database: Database) -> None:
    async with database.transaction(everyone=WHY) as db:
        await db.execute(text("RESET ROLE"))
        await db.execute(text("SET LOCAL ROLE talktime_owner"))
        await db.execute(
            text(
                "UPDATE notices SET created_at = created_at - interval '5 days', not_before = now() - interval '1 hour'"
            )
        )


def address_of(person: Person, name: str = "alice") -> str:
    return f"{name}.{person.id.hex}@example.org"


@pytest.fixture
async def carol(empty_database: Database) -> Person:
    """A customer in a database that nobody else sends from."""
    return await new_person(empty_database, "Alice", credits=1000)


async def test_a_notice_is_sent_once(empty_database: Database, carol: Person) -> None:
    assert await told(empty_database, carol)
    pigeon = Pigeon()
    assert await sent(empty_database, pigeon) == 1
    assert await sent(empty_database, pigeon) == 0
    [mail] = pigeon.sent
    [notice] = await notices_of(empty_database, carol)
    assert mail.id == notice.id
    assert mail.to == (address_of(carol),)
    assert "100 credits" in text_of(mail.words)
    assert f"{SITE}/credits" in text_of(mail.words)
    assert notice.mailed_at is not None


async def test_the_same_is_told_once_however_often_it_is_said(empty_database: Database, carol: Person) -> None:
    outcomes = await asyncio.gather(*(told(empty_database, carol) for _ in range(5)))
    assert sorted(outcomes) == [False, False, False, False, True]
    pigeon = Pigeon()
    assert await sent(empty_database, pigeon) == 1
    assert not await told(empty_database, carol)
    assert await sent(empty_database, pigeon) == 0
    assert await told(empty_database, carol, "2")
    assert await sent(empty_database, pigeon) == 1


async def test_what_is_rolled_back_is_told_to_nobody(empty_database: Database, carol: Person) -> None:
    with pytest.raises(ZeroDivisionError):
        async with empty_database.transaction(user=carol.id) as db:
            await tell(db, carol.id, "purchase_paid", "1", {"purchase_id": "1", "credits": 1})
            raise ZeroDivisionError
    assert await sent(empty_database, Pigeon()) == 0


async def test_alice_cannot_have_bob_told_anything(database: Database, alice: Person, bob: Person) -> None:
    with pytest.raises(DBAPIError):
        async with database.transaction(user=alice.id) as db:
            await tell(db, bob.id, "purchase_paid", "1", {"purchase_id": "1", "credits": 1})
    await told(database, bob, str(uuid.uuid4()))
    async with database.transaction(user=alice.id) as db:
        assert list(await db.scalars(select(Notice.user_id).distinct())) in ([], [alice.id])


async def test_processes_at_once_send_each_notice_once(empty_database: Database, carol: Person) -> None:
    for number in range(20):
        await told(empty_database, carol, str(number))
    pigeon = Pigeon()
    outcomes = await asyncio.gather(*(sent(empty_database, pigeon) for _ in range(4)))
    assert sum(outcomes) == 20
    assert len({mail.id for mail in pigeon.sent}) == len(pigeon.sent) == 20
    assert sum(outcome > 0 for outcome in outcomes) > 1


async def test_no_transaction_is_open_while_a_mail_is_sent(empty_database: Database, carol: Person) -> None:
    await told(empty_database, carol)
    pigeon = Pigeon()
    seen: list[int] = []

    async def look() -> None:
        async with empty_database.transaction(everyone=WHY) as db:
            await db.execute(text("RESET ROLE"))
            seen.append(
                await db.scalar(
                    text(
                        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                        " AND pid <> pg_backend_pid() AND xact_start IS NOT NULL AND backend_type = 'client backend'"
                    )
                )
            )

    pigeon.before = look
    assert await sent(empty_database, pigeon) == 1
    assert seen == [0]


async def test_a_crash_after_sending_has_the_same_mail_sent_again_with_the_same_id(
    empty_database: Database, carol: Person
) -> None:
    await told(empty_database, carol)

    class Crash(BaseException):
        pass

    class Dying(Pigeon):
        async def send(self, mail: Mail) -> None:
            await super().send(mail)
            raise Crash

    dying, pigeon = Dying(), Pigeon()
    with pytest.raises(Crash):
        await sent(empty_database, dying)
    assert await sent(empty_database, pigeon) == 0
    await let_time_pass(empty_database)
    assert await sent(empty_database, pigeon) == 1
    assert await sent(empty_database, pigeon) == 0
    assert pigeon.sent[0].id == dying.sent[0].id


async def test_a_failure_is_put_off_twice_as_long_each_time(empty_database: Database, carol: Person) -> None:
    await told(empty_database, carol)
    pigeon = Pigeon(*[ProviderError("not now")] * 3)
    waits = []
    for _ in range(3):
        assert await sent(empty_database, pigeon) == 0
        assert await sent(empty_database, pigeon) == 0
        [notice] = await notices_of(empty_database, carol)
        async with empty_database.transaction(everyone=WHY) as db:
            wait = await db.scalar(text("SELECT extract(epoch FROM not_before - now()) FROM notices"))
            waits.append(round(float(wait) / 60))
        await let_time_pass(empty_database)
    assert waits == [1, 2, 4]
    assert notice.tries == 3
    assert await sent(empty_database, pigeon) == 1


async def test_a_failing_server_is_asked_three_times_a_run_and_no_more(empty_database: Database, carol: Person) -> None:
    for number in range(6):
        await told(empty_database, carol, str(number))
    pigeon = Pigeon(*[ProviderError("away", permanent=True)] * 100)
    assert await sent(empty_database, pigeon) == 0
    assert sum(notice.tries for notice in await notices_of(empty_database, carol)) == 3
    # Nothing is dropped because the server wants another password.
    assert all(notice.dropped_at is None for notice in await notices_of(empty_database, carol))


async def test_one_that_fails_does_not_keep_the_others_from_being_told(empty_database: Database, carol: Person) -> None:
    for number in range(3):
        await told(empty_database, carol, str(number))
    pigeon = Pigeon(ProviderError("greylisted"))
    assert await sent(empty_database, pigeon) == 2


async def test_what_can_never_be_delivered_is_given_up_and_the_operator_knows(
    empty_database: Database, carol: Person
) -> None:
    await told(empty_database, carol)
    with capture_logs() as logs:
        assert await sent(empty_database, Pigeon(Undeliverable("the mail server refuses the address (550)"))) == 0
    [notice] = await notices_of(empty_database, carol)
    assert notice.dropped_reason == "undeliverable"
    async with empty_database.transaction(everyone=WHY) as db:
        [alert] = await open_alerts(db)
    assert (alert.kind, alert.user_id) == ("notice_failed", carol.id)
    assert alert.detail == {"notice_id": str(notice.id), "notice": "purchase_paid", "reason": "undeliverable"}
    assert address_of(carol) not in str(logs)
    await let_time_pass(empty_database)
    assert await sent(empty_database, Pigeon()) == 0


async def test_after_four_days_of_failing_it_is_given_up(empty_database: Database, carol: Person) -> None:
    await told(empty_database, carol)
    await let_days_pass(empty_database)
    assert await sent(empty_database, Pigeon(ProviderError("still away"))) == 0
    [notice] = await notices_of(empty_database, carol)
    assert notice.dropped_reason == "too late"
    async with empty_database.transaction(everyone=WHY) as db:
        assert [alert.kind for alert in await open_alerts(db)] == ["notice_failed"]


@pytest.mark.parametrize(
    ("kind", "detail"),
    [
        ("purchase_paid", "{}"),
        ("brand_new", "{}"),
        ("purchase_paid", '{"purchase_id": 1, "credits": "many"}'),
    ],
)
async def test_a_notice_without_words_stops_no_other(
    empty_database: Database, carol: Person, kind: str, detail: str
) -> None:
    async with empty_database.transaction(everyone=WHY) as db:
        await db.execute(
            text(
                "INSERT INTO notices (user_id, id, kind, subject, detail)"
                " VALUES (:user, gen_random_uuid(), :kind, 'x', CAST(:detail AS jsonb))"
            ),
            {"user": carol.id, "kind": kind, "detail": detail},
        )
    await told(empty_database, carol)
    pigeon = Pigeon()
    with capture_logs() as logs:
        assert await sent(empty_database, pigeon) == 1
    assert len(logs) == 1
    async with empty_database.transaction(everyone=WHY) as db:
        assert [alert.detail["reason"] for alert in await open_alerts(db)] == ["no words"]


async def test_somebody_who_has_left_is_told_nothing_and_somebody_suspended_is(
    empty_database: Database, carol: Person
) -> None:
    dora = await new_person(empty_database, "Dora", credits=0)
    await told(empty_database, carol)
    await told(empty_database, dora)
    async with empty_database.transaction(everyone=WHY) as db:
        await db.execute(text("UPDATE users SET status = 'CLOSED' WHERE id = :id"), {"id": carol.id})
        await db.execute(text("UPDATE users SET status = 'SUSPENDED' WHERE id = :id"), {"id": dora.id})
    pigeon = Pigeon()
    assert await sent(empty_database, pigeon) == 1
    assert pigeon.sent[0].to == (address_of(dora, "dora"),)
    [notice] = await notices_of(empty_database, carol)
    assert notice.dropped_reason == "closed"
    async with empty_database.transaction(everyone=WHY) as db:
        assert await open_alerts(db) == []


async def test_everybody_is_told_in_their_language(empty_database: Database, carol: Person) -> None:
    async with empty_database.transaction(everyone=WHY) as db:
        await db.execute(text("UPDATE users SET locale = 'de-AT', name = 'Jürgen' WHERE id = :id"), {"id": carol.id})
    await told(empty_database, carol)
    pigeon = Pigeon()
    await sent(empty_database, pigeon)
    assert pigeon.sent[0].language == "de"
    assert text_of(pigeon.sent[0].words).startswith("Guten Tag Jürgen,\n")


async def test_what_the_books_have_to_say_can_be_said(empty_database: Database, carol: Person) -> None:
    """The database's own functions write these: what they write is what the words need."""
    async with empty_database.transaction(everyone=WHY) as db:
        await db.execute(text("RESET ROLE"))
        await db.execute(text("SET LOCAL ROLE talktime_owner"))
        await db.execute(
            text("UPDATE credit_accounts SET low_balance = 900, day_limit = 20 WHERE user_id = :id"), {"id": carol.id}
        )
    async with empty_database.transaction(everyone=WHY) as db:
        await money.adjust(db, carol.id, reference="less", amount=-200, reason="a test", actor=carol.id)
    for _ in range(2):
        call = await new_call(empty_database, carol)
        async with empty_database.transaction(user=carol.id) as db:
            await ledger.authorise(db, carol.id, call)
    kinds = {notice.kind for notice in await notices_of(empty_database, carol)}
    assert kinds == {"low_balance", "calls_refused"}
    pigeon = Pigeon()
    assert await sent(empty_database, pigeon) == 2
    assert any("800 credits left" in mail.words.subject for mail in pigeon.sent)
    assert any("limit for the day was reached" in text_of(mail.words) for mail in pigeon.sent)


async def test_what_waits_is_counted(empty_database: Database, carol: Person) -> None:
    await told(empty_database, carol)
    await told(empty_database, carol, "2")
    await let_days_pass(empty_database)
    async with empty_database.transaction(everyone=WHY) as db:
        count = await waiting(db)
    assert count.count == 2
    assert abs(count.oldest_seconds - 5 * 86400) < 100
    await sent(empty_database, Pigeon())
    async with empty_database.transaction(everyone=WHY) as db:
        assert (await waiting(db)).count == 0


async def test_from_the_books_to_a_real_mail_server(empty_database: Database, carol: Person) -> None:
    await told(empty_database, carol)
    async with post_office() as office:
        mailer = Smtp(SmtpServer("127.0.0.1", office.port, "never"), Sender.of("Talktime <hello@talktime.example>"))
        office.to_recipient = ["451 4.7.1 come back later"]
        assert await send_notices(empty_database, mailer, base_url=SITE) == 0
        await let_time_pass(empty_database)
        assert await send_notices(empty_database, mailer, base_url=SITE) == 1
    [letter] = office.letters
    [notice] = await notices_of(empty_database, carol)
    assert letter.to == (address_of(carol),)
    assert letter.message["Message-ID"] == f"<{notice.id}@talktime.example>"
    assert "100 credits were added" in letter.part("plain")
