"""Who called is forgotten: what was told of them, what receivers answered, and what is still to be told."""

import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.api import events
from talktime.calls import lifecycle, retention
from talktime.calls.retention import Keep
from talktime.db import embedded
from talktime.privacy import closing
from talktime.privacy.forget import forget_caller
from talktime.simulate.receiver import Receiver
from talktime.webhooks import recording, sending
from talktime.webhooks.models import DeliveryState
from tests.db.everything import become_owner
from tests.people import WHY, new_person
from tests.privacy.searching import dump, places_of, spellings_of
from tests.webhooks.conftest import Desk
from tests.webhooks.test_facts import answered, finish

CALLER = "+4915112345678"


async def talk(desk: Desk) -> uuid.UUID:
    """A call of the caller's, from ring to end, with what it led to."""
    desk.renderers = events.renderers()
    call = await answered(desk)
    async with desk.database.transaction(user=desk.person.id) as db:
        await lifecycle.note_outcome(db, desk.person.id, call, "message", f"Message from Kim: call back {CALLER}.")
    await finish(desk, call)
    return call


async def test_bodies_answers_and_what_waits_are_emptied_when_a_caller_is_forgotten(
    desk: Desk, server: embedded.Server, tmp_path: Path
) -> None:
    """The receiver repeats what it is told, as many do, and refuses the last of it, so that it waits."""
    desk.receiver.status, desk.receiver.answer = 200, f'{{"saved": "{CALLER}"}}'.encode()
    desk.receiver.on_received = lambda came: setattr(
        desk.receiver, "status", 500 if b'"call.ended"' in came.body else 200
    )
    await talk(desk)
    await desk.send()
    assert [each.state for each in await desk.deliveries()].count(DeliveryState.PENDING) == 1
    written = await dump(server, desk.database)
    assert sum(CALLER in line for line in written.splitlines()) > 5
    await forget_caller(desk.database, CALLER, user=desk.person.id, actor=desk.person.id, home=tmp_path)
    assert places_of(spellings_of(CALLER), await dump(server, desk.database)) == []
    # What waits is still told, of a call that nobody made.
    desk.receiver.on_received = lambda _: None
    desk.receiver.status = 200
    desk.receiver.answer = b"saved"
    await desk.until_due()
    await desk.send()
    last = orjson.loads(desk.receiver.genuine[-1].body)
    assert last["type"] == "call.ended"
    assert (last["data"]["call"]["caller"], last["data"]["call"]["summary"]) == (None, None)
    assert places_of(spellings_of(CALLER), await dump(server, desk.database)) == []


async def test_an_answer_that_comes_after_its_caller_was_forgotten_is_not_kept(
    desk: Desk, server: embedded.Server, tmp_path: Path
) -> None:
    desk.receiver.status, desk.receiver.answer = 200, CALLER.encode()
    await talk(desk)
    (claimed,) = await sending.claim(desk.database, most=10, ailing_most=10)
    sender = desk.sender()
    outcome = await sender._send(claimed)
    assert outcome.answer == CALLER
    await forget_caller(desk.database, CALLER, user=desk.person.id, actor=desk.person.id, home=tmp_path)
    async with desk.database.transaction(everyone=WHY) as db:
        await recording.record(db, claimed, outcome)
    assert places_of(spellings_of(CALLER), await dump(server, desk.database)) == []


async def test_a_number_that_another_callers_message_names_is_taken_out_and_the_body_stays_json(
    desk: Desk, server: embedded.Server, tmp_path: Path
) -> None:
    kim, detail = "+4930901820", {"said": "call +4930901820", "digits": 4930901820, "in": ["030 901820"]}
    await talk(desk)
    await desk.emit("credits.low", balance=1)
    await desk.send()
    async with desk.database.transaction(everyone=WHY) as db:
        await become_owner(db)
        await db.execute(
            text("UPDATE webhook_events SET data = data || :detail, body = CAST(data || :detail AS text)").bindparams(
                bindparam("detail", detail, JSONB)
            )
        )
        await db.execute(text("UPDATE webhook_attempts SET answer = :said, error = :said"), {"said": f"no {kim}"})
    await forget_caller(desk.database, kim, user=desk.person.id, actor=desk.person.id, home=tmp_path)
    assert places_of(spellings_of(kim), await dump(server, desk.database)) == []
    for event in await desk.events():
        assert event.body is not None
        assert orjson.loads(event.body)["digits"] is None


async def test_what_is_kept_of_calls_for_a_week_is_kept_no_longer_in_what_was_told_of_them(
    desk: Desk, server: embedded.Server
) -> None:
    desk.receiver.status, desk.receiver.answer = 200, CALLER.encode()
    await talk(desk)
    await desk.send()
    keep, in_a_week = Keep(turns_days=7, summaries_days=7, callers_days=7), datetime.now(UTC) + timedelta(days=8)
    await retention.forget_old(desk.database, keep, now=in_a_week)
    assert places_of(spellings_of(CALLER), await dump(server, desk.database)) == []
    assert {event.body for event in await desk.events() if event.call_id is not None} == {None}


async def test_a_closed_account_is_told_nothing_and_nothing_of_where_is_left(
    desk: Desk, server: embedded.Server
) -> None:
    ada = await new_person(desk.database, "Ada", credits=0, admin=True)
    desk.receiver.status, desk.receiver.answer = 500, CALLER.encode()
    await talk(desk)
    async with Receiver() as second:
        await desk.add(second)
        await desk.send()
        await desk.emit("agent.published")
        told = len(second.received) + len(desk.receiver.received)
        await closing.close_account(
            desk.database, {}, desk.person.id, ada.id, forget_card=_no_card, end_checkouts=_no_checkouts, seconds_max=0
        )
        await desk.until_due()
        assert await desk.send() == 0
        assert not await desk.emit("agent.published")
        assert len(second.received) + len(desk.receiver.received) == told
    written = await dump(server, desk.database)
    assert places_of(spellings_of(CALLER), written) == []
    assert "127.0.0.1" not in written
    assert "CRM" not in written
    assert {each.state for each in await desk.deliveries()} <= {DeliveryState.SKIPPED, DeliveryState.DELIVERED}


async def _no_card(_: uuid.UUID) -> bool:
    return True


async def _no_checkouts(_db: AsyncSession, _: uuid.UUID) -> int:
    return 0
