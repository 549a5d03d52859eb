"""One mail to the operator for all that is new: once, or again with the same id."""

import asyncio
import uuid

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from talktime.alerts import Alert, acknowledge, raise_alert
from talktime.alerts.digest import mail_alerts
from talktime.db.session import Database
from talktime.errors import ProviderError
from talktime.mail.message import Undeliverable
from talktime.mail.render import html_of, text_of
from tests.mail.pigeon import Pigeon
from tests.people import WHY, new_person

TO = ("ada@example.org",)
SITE = "https://talktime.example"


async def put_up(database: Database, *kinds: str) -> None:
    async with database.transaction(everyone=WHY) as db:
        for kind in kinds:
            await raise_alert(db, kind, None, {"call_id": str(uuid.uuid4())})


async def mailed(database: Database, pigeon: Pigeon) -> int:
    return await mail_alerts(database, pigeon, TO, base_url=SITE)


async def let_time_pass(database: Database) -> None:
    async with database.transaction(everyone=WHY) as db:
        await db.execute(text("UPDATE alerts SET digest_after = digest_after - interval '7 hours'"))


async def test_all_that_is_new_goes_out_in_one_mail_and_then_nothing(empty_database: Database) -> None:
    pigeon = Pigeon()
    assert await mailed(empty_database, pigeon) == 0
    await put_up(empty_database, "dispute_opened", "call_unbilled", "dispute_opened")
    assert await mailed(empty_database, pigeon) == 3
    assert await mailed(empty_database, pigeon) == 0
    [mail] = pigeon.sent
    assert mail.to == TO
    assert mail.words.subject == "Talktime: 3 alerts: dispute_opened (2), call_unbilled"
    said = text_of(mail.words)
    assert said.count("A customer's bank disputes a payment.") == 2
    assert "A call cost more than was set aside for it" in said
    await put_up(empty_database, "refund_failed")
    assert await mailed(empty_database, pigeon) == 1
    assert pigeon.sent[0].id != pigeon.sent[1].id


async def test_two_processes_at_once_send_once(empty_database: Database) -> None:
    await put_up(empty_database, *["dispute_opened"] * 20)
    pigeon = Pigeon()
    outcomes = await asyncio.gather(*(mailed(empty_database, pigeon) for _ in range(6)))
    assert sorted(outcomes) == [0, 0, 0, 0, 0, 20]
    assert len(pigeon.sent) == 1


async def test_a_crash_after_sending_has_the_same_mail_sent_again_with_the_same_id(empty_database: Database) -> None:
    await put_up(empty_database, "dispute_opened")

    class Crash(BaseException):
        pass

    class Dying(Pigeon):
        async def send(self, mail: object) -> None:
            await super().send(mail)  # type: ignore[arg-type]  # it is a mail, and only handed on
            raise Crash

    dying = Dying()
    with pytest.raises(Crash):
        await mailed(empty_database, dying)
    await put_up(empty_database, "refund_failed")
    pigeon = Pigeon()
    # What is new does not wait for it, and does not change what the first mail was.
    assert await mailed(empty_database, pigeon) == 1
    assert await mailed(empty_database, pigeon) == 0
    await let_time_pass(empty_database)
    assert await mailed(empty_database, pigeon) == 1
    assert await mailed(empty_database, pigeon) == 0
    assert pigeon.sent[1].id == dying.sent[0].id
    assert pigeon.sent[1].words == dying.sent[0].words


async def test_what_could_not_be_sent_is_tried_again_later_and_nothing_personal_is_logged(
    empty_database: Database,
) -> None:
    await put_up(empty_database, "dispute_opened")
    pigeon = Pigeon(ProviderError("not now"), Undeliverable("never"))
    with capture_logs() as logs:
        assert await mailed(empty_database, pigeon) == 0
        assert await mailed(empty_database, pigeon) == 0
        await let_time_pass(empty_database)
        assert await mailed(empty_database, pigeon) == 0
        await let_time_pass(empty_database)
        assert await mailed(empty_database, pigeon) == 1
    assert len(logs) == 2
    assert "ada@example.org" not in str(logs)


async def test_what_was_acknowledged_needs_no_mail(empty_database: Database) -> None:
    ada = await new_person(empty_database, "Ada", credits=0, admin=True)
    await put_up(empty_database, "dispute_opened")
    async with empty_database.transaction(everyone=WHY) as db:
        alert = (await db.execute(text("SELECT id FROM alerts"))).scalar_one()
        await acknowledge(db, alert, ada.id)
    pigeon = Pigeon()
    assert await mailed(empty_database, pigeon) == 0
    assert pigeon.sent == []


async def test_with_nobody_named_it_goes_to_the_operators(empty_database: Database) -> None:
    await new_person(empty_database, "Alice", credits=0)
    await put_up(empty_database, "dispute_opened")
    pigeon = Pigeon()
    with capture_logs() as logs:
        assert await mail_alerts(empty_database, pigeon, (), base_url=SITE) == 0
    assert len(logs) == 1
    ada = await new_person(empty_database, "Ada", credits=0, admin=True)
    await let_time_pass(empty_database)
    assert await mail_alerts(empty_database, pigeon, (), base_url=SITE) == 1
    assert pigeon.sent[0].to == (f"ada.{ada.id.hex}@example.org",)


async def test_a_wrong_address_among_the_readers_keeps_nobody_else_from_reading(empty_database: Database) -> None:
    await put_up(empty_database, "dispute_opened")
    pigeon = Pigeon()
    assert await mail_alerts(empty_database, pigeon, ("ada@example.org\nBcc: x@y.example", *TO), base_url=SITE) == 1
    assert pigeon.sent[0].to == TO


async def test_a_flood_is_one_mail_that_can_be_read(empty_database: Database) -> None:
    async with empty_database.transaction(everyone=WHY) as db:
        await db.execute(
            text(
                "INSERT INTO alerts (id, kind, detail) SELECT gen_random_uuid(), 'kind_' || n % 5, '{}'"
                " FROM generate_series(1, 1500) n"
            )
        )
    pigeon = Pigeon()
    assert await mailed(empty_database, pigeon) == 1000
    assert await mailed(empty_database, pigeon) == 500
    assert await mailed(empty_database, pigeon) == 0
    assert len(text_of(pigeon.sent[0].words)) < 20_000
    assert "And 950 more" in text_of(pigeon.sent[0].words)
    assert "and 2 other kinds" in pigeon.sent[0].words.subject


async def test_whatever_stands_in_the_detail_is_cut_and_escaped(empty_database: Database) -> None:
    async with empty_database.transaction(everyone=WHY) as db:
        detail = {
            "<i>": "<b>\nSubject: x" + "y" * 5000,
            "list": [1, {"a": None}],
            **{f"k{n}": n for n in range(99)},
        }
        db.add(Alert(kind="odd <kind>\nBcc: x@y.example", detail=detail))
    pigeon = Pigeon()
    assert await mailed(empty_database, pigeon) == 1
    page = html_of(pigeon.sent[0].words, "en")
    assert "<i>" not in page
    assert "&lt;i&gt;: &lt;b&gt; Subject: x" in page
    assert len(page) < 5000
