"""What an owner does with endpoints, and what they find in the log."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from sqlalchemy import text

from talktime.security import Unsealable
from talktime.simulate.receiver import Receiver
from talktime.webhooks import deliveries, endpoints
from talktime.webhooks.deliveries import BadRange, EndpointIsOff, NoSuchDelivery, TooMuchToReplay
from talktime.webhooks.endpoints import (
    BadDescription,
    BadEvents,
    Keeping,
    NoSuchEndpoint,
    TooManyEndpoints,
)
from talktime.webhooks.models import DeliveryState, DisabledReason
from talktime.webhooks.targets import BadTarget
from tests.db.everything import become_owner
from tests.people import WHY, new_person
from tests.webhooks.conftest import KEEPING, KEY, Desk, add_endpoint

STRICT = Keeping(KEY)
URL = "https://crm.example.org/hook"
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("what", "error"),
    [
        ({"url": "https://127.0.0.1/"}, BadTarget),
        ({"url": "http://crm.example.org/"}, BadTarget),
        ({"events": []}, BadEvents),
        ({"events": ["call.*", "call.exploded"]}, BadEvents),
        ({"events": ["webhook.test"]}, BadEvents),
        ({"events": ["**"]}, BadEvents),
        ({"events": ["call"]}, BadEvents),
        ({"events": [""]}, BadEvents),
        ({"description": "x" * 201}, BadDescription),
        ({"description": "two\nlines"}, BadDescription),
        ({"description": "a\0b"}, BadDescription),
    ],
)
async def test_what_cannot_be_right_is_refused_and_nothing_is_written(
    desk: Desk, what: dict[str, object], error: type[Exception]
) -> None:
    user = desk.person.id
    with pytest.raises(error):
        async with desk.database.transaction(user=user) as db:
            made = {"url": URL, "events": ["*"], "description": "", **what}
            await endpoints.create(db, user, STRICT, **made)  # type: ignore[arg-type]  # as the test has it
    with pytest.raises(error):
        async with desk.database.transaction(user=user) as db:
            found = await endpoints.locked(db, user, desk.endpoint)
            await endpoints.change(db, found, STRICT, **what)  # type: ignore[arg-type]  # as the test has it
    assert (await desk.here()).revision == 1


async def test_there_are_ten_at_most_however_many_are_made_at_once(desk: Desk) -> None:
    async def make() -> None:
        async with desk.database.transaction(user=desk.person.id) as db:
            await endpoints.create(db, desk.person.id, STRICT, url=URL, events=["*"])

    made = await asyncio.gather(*(make() for _ in range(12)), return_exceptions=True)
    assert sum(isinstance(each, TooManyEndpoints) for each in made) == 3
    async with desk.database.transaction(user=desk.person.id) as db:
        assert len(await endpoints.of_user(db, desk.person.id)) == 10


async def test_a_secret_is_kept_sealed_and_shown_to_its_owner_on_demand(desk: Desk) -> None:
    async with desk.database.transaction(user=desk.person.id) as db:
        assert await endpoints.reveal(db, desk.person.id, desk.endpoint, KEEPING) == desk.receiver.secret
    assert desk.receiver.secret.encode() not in (await desk.here()).secret
    with pytest.raises(Unsealable):
        async with desk.database.transaction(user=desk.person.id) as db:
            await endpoints.reveal(db, desk.person.id, desk.endpoint, Keeping(b"another key"))
    bob = await new_person(desk.database, "Bob", credits=0)
    for verb in (
        lambda db: endpoints.reveal(db, bob.id, desk.endpoint, KEEPING),
        lambda db: endpoints.one(db, bob.id, desk.endpoint),
        lambda db: endpoints.locked(db, bob.id, desk.endpoint),
        lambda db: deliveries.test(db, bob.id, desk.endpoint),
    ):
        with pytest.raises(NoSuchEndpoint):
            async with desk.database.transaction(user=bob.id) as db:
                await verb(db)


async def test_a_secret_of_another_installation_fails_in_words(desk: Desk) -> None:
    await desk.emit("call.ended")
    sender = desk.sender()
    sender.key = b"another key"
    await sender.send_due()
    (attempt,) = await desk.attempts()
    assert attempt.error == "The secret that signs cannot be read here any more: rotate it."


async def test_every_change_is_in_the_audit_log_and_no_address_is(desk: Desk) -> None:
    await desk.change(url=f"{desk.receiver.url}/other", description="New CRM", events=["call.*"])
    await desk.change(enabled=False)
    await desk.change(enabled=False)
    await desk.change(enabled=True)
    async with desk.database.transaction(user=desk.person.id) as db:
        found = await endpoints.locked(db, desk.person.id, desk.endpoint)
        await endpoints.rotate(db, found, KEEPING)
        await endpoints.reveal(db, desk.person.id, desk.endpoint, KEEPING)
        await endpoints.delete(db, found)
    async with desk.database.transaction(everyone=WHY) as db:
        rows = await db.execute(
            text("SELECT act, before, after FROM audit_entries WHERE act LIKE 'webhook%' ORDER BY seq")
        )
        entries = [tuple(row) for row in rows]
    assert [entry[0] for entry in entries] == [
        "webhook.made", *["webhook.changed"] * 3, "webhook.rotated", "webhook.secret_shown", "webhook.deleted",
    ]  # fmt: skip
    assert entries[1][1:] == (
        {"events": ["*"]},
        {"endpoint_id": str(desk.endpoint), "url": "changed", "description": "changed", "events": ["call.*"]},
    )
    assert "127.0.0.1" not in str(entries)
    assert "CRM" not in str(entries)


async def test_what_happens_while_it_is_off_is_kept_and_sent_when_it_is_replayed(desk: Desk) -> None:
    await desk.emit("call.started")
    await desk.change(enabled=False)
    await desk.emit("call.ended")
    assert (await desk.here()).disabled_reason is DisabledReason.OWNER
    assert await desk.send() == 0
    assert [each.state for each in await desk.deliveries()] == [DeliveryState.SKIPPED] * 2
    now = datetime.now(UTC)
    async with desk.database.transaction(user=desk.person.id) as db:
        with pytest.raises(EndpointIsOff):
            await deliveries.replay_range(db, desk.person.id, desk.endpoint, since=now - HOUR, until=now + HOUR)
    await desk.change(enabled=True)
    assert await desk.send() == 0
    async with desk.database.transaction(user=desk.person.id) as db:
        again = await deliveries.replay_range(db, desk.person.id, desk.endpoint, since=now - HOUR, until=now + HOUR)
    assert again == 2
    await desk.later(seconds=1)
    await desk.send()
    assert [orjson.loads(each.body)["type"] for each in desk.receiver.genuine] == ["call.started", "call.ended"]


async def test_one_delivery_is_replayed_under_its_own_id_and_the_log_keeps_every_try(desk: Desk) -> None:
    desk.receiver.answer, desk.receiver.status = b"thank you", 200
    await desk.emit("call.ended", place=7)
    await desk.send()
    (delivery,) = await desk.deliveries()
    for _ in range(2):
        async with desk.database.transaction(user=desk.person.id) as db:
            await deliveries.replay(db, desk.person.id, desk.endpoint, delivery.id)
        await desk.send()
    assert len({(each.id, each.body) for each in desk.receiver.genuine}) == 1
    async with desk.database.transaction(user=desk.person.id) as db:
        told = await deliveries.one(db, desk.person.id, desk.endpoint, delivery.id)
    assert [(each.attempt_no, each.status, each.answer) for each in told.attempts] == [
        (1, 200, "thank you"), (2, 200, "thank you"), (3, 200, "thank you"),
    ]  # fmt: skip
    assert told.body is not None
    assert told.body.encode() == desk.receiver.genuine[0].body
    async with desk.database.transaction(user=desk.person.id) as db:
        with pytest.raises(NoSuchDelivery):
            await deliveries.replay(db, desk.person.id, desk.endpoint, uuid.uuid4())
        with pytest.raises(NoSuchDelivery):
            await deliveries.one(db, desk.person.id, uuid.uuid4(), delivery.id)


async def test_a_replay_of_a_range_is_what_failed_in_it_and_lets_what_happens_now_come_in_between(desk: Desk) -> None:
    desk.receiver.status = 500
    for place in range(3):
        await desk.emit("call.ended", place=place)
    async with desk.database.transaction(everyone=WHY) as db:
        await become_owner(db)
        await db.execute(text("UPDATE webhook_deliveries SET state = 'FAILED', due_at = NULL, ended_at = now()"))
    desk.receiver.status = 204
    await desk.emit("call.ended", place=3)
    await desk.send()
    all_of_them = await desk.deliveries()
    since, until = all_of_them[1].created_at, all_of_them[3].created_at + HOUR
    user = desk.person.id
    async with desk.database.transaction(user=user) as db:
        assert await deliveries.replay_range(db, user, desk.endpoint, since=since, until=until) == 2
        with pytest.raises(BadRange):
            await deliveries.replay_range(db, user, desk.endpoint, since=until, until=since)
    due = [each.due_at for each in await desk.deliveries() if each.due_at is not None]
    assert due[1] - due[0] == timedelta(milliseconds=100)
    await desk.later(seconds=1)
    await desk.send()
    assert [orjson.loads(each.body)["data"]["place"] for each in desk.receiver.genuine] == [3, 1, 2]
    async with desk.database.transaction(user=user) as db:
        everything = await deliveries.replay_range(db, user, desk.endpoint, since=since, until=until, everything=True)
    assert everything == 3


async def test_more_than_can_be_replayed_at_once_is_refused_and_nothing_is(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "REPLAY_MAX", 2)
    for _ in range(3):
        await desk.emit("call.ended")
    await desk.change(enabled=False)
    await desk.change(enabled=True)
    now = datetime.now(UTC)
    with pytest.raises(TooMuchToReplay):
        async with desk.database.transaction(user=desk.person.id) as db:
            await deliveries.replay_range(db, desk.person.id, desk.endpoint, since=now - HOUR, until=now + HOUR)
    assert {each.state for each in await desk.deliveries()} == {DeliveryState.SKIPPED}


async def test_a_test_is_sent_to_one_endpoint_whatever_it_wants_to_hear_of(desk: Desk) -> None:
    async with Receiver() as second:
        await desk.add(second, "agent.published")
        await desk.change(events=["credits.low"])
        async with desk.database.transaction(user=desk.person.id) as db:
            await deliveries.test(db, desk.person.id, desk.endpoint)
        await desk.send()
        assert [orjson.loads(each.body)["type"] for each in desk.receiver.genuine] == ["webhook.test"]
        assert not second.received
    await desk.change(enabled=False)
    with pytest.raises(EndpointIsOff):
        async with desk.database.transaction(user=desk.person.id) as db:
            await deliveries.test(db, desk.person.id, desk.endpoint)


async def test_the_log_pages_from_the_newest_and_by_what_became_of_it(desk: Desk) -> None:
    for place in range(5):
        desk.receiver.status = 204 if place != 2 else 410
        await desk.emit("call.ended", place=place)
        await desk.send()
        await desk.change(enabled=True)
    user, endpoint = desk.person.id, desk.endpoint
    async with desk.database.transaction(user=user) as db:
        first = await deliveries.of_endpoint(db, user, endpoint, limit=2)
        rest = await deliveries.of_endpoint(db, user, endpoint, after=(first[-1].created_at, first[-1].id), limit=9)
        skipped = await deliveries.of_endpoint(db, user, endpoint, state=DeliveryState.SKIPPED)
        last = await deliveries.of_endpoint(db, user, endpoint, since=first[0].created_at)
        events = await deliveries.events_of(db, user, limit=3)
    assert [each.sequence for each in (*first, *rest)] == [5, 4, 3, 2, 1]
    assert [(each.sequence, each.last_status) for each in skipped] == [(3, 410)]
    assert [each.sequence for each in last] == [5]
    assert [event.data["place"] for event in events] == [4, 3, 2]


async def test_what_is_a_month_old_is_forgotten_with_every_try_and_deleted_endpoints_last(desk: Desk) -> None:
    desk.receiver.answer, desk.receiver.status = b"said", 200
    await desk.emit("call.started")
    await desk.send()
    async with desk.database.transaction(everyone=WHY) as db:
        await become_owner(db)
        for table in ("events", "deliveries"):
            await db.execute(text(f"UPDATE webhook_{table} SET created_at = now() - interval '31 days'"))
    await desk.emit("call.ended")
    await desk.send()
    async with desk.database.transaction(user=desk.person.id) as db:
        await endpoints.delete(db, await endpoints.locked(db, desk.person.id, desk.endpoint))
    assert await deliveries.prune(desk.database) == 1
    assert [event.type for event in await desk.events()] == ["call.ended"]
    assert (len(await desk.deliveries()), len(await desk.attempts())) == (1, 1)
    assert await deliveries.prune(desk.database, days=0) == 1
    assert await desk.attempts() == []
    for day, left in ((0, 1), (1, 0)):
        async with desk.database.transaction(everyone=WHY) as db:
            await become_owner(db)
            ago = text("UPDATE webhook_endpoints SET deleted_at = deleted_at - make_interval(days => :days)")
            await db.execute(ago, {"days": day})
        await deliveries.prune(desk.database)
        async with desk.database.transaction(everyone=WHY) as db:
            assert await db.scalar(text("SELECT count(*) FROM webhook_endpoints")) == left
    assert await deliveries.prune(desk.database) == 0


async def test_health_is_told_by_what_came_of_the_last_tries(desk: Desk) -> None:
    assert (await desk.here()).delivered_at is None
    desk.receiver.status = 500
    await desk.emit("call.started")
    await desk.emit("call.ended")
    await desk.send()
    ailing = await desk.here()
    assert (ailing.failures, ailing.failing_since is not None) == (2, True)
    async with desk.database.transaction(user=desk.person.id) as db:
        assert await endpoints.waiting(db, desk.person.id, desk.endpoint) == 2
    desk.receiver.status = 204
    await desk.until_due()
    await desk.later(seconds=2)
    await desk.send()
    well = await desk.here()
    assert (well.failures, well.failing_since, well.delivered_at is not None) == (0, None, True)


async def test_two_who_change_one_endpoint_come_one_after_the_other(desk: Desk) -> None:
    async def rename(name: str) -> None:
        async with desk.database.transaction(user=desk.person.id) as db:
            found = await endpoints.locked(db, desk.person.id, desk.endpoint)
            await asyncio.sleep(0.05)
            await endpoints.change(db, found, KEEPING, description=name)

    await asyncio.gather(*(rename(f"name {n}") for n in range(3)))
    assert (await desk.here()).revision == 4


async def test_an_endpoint_that_is_switched_on_again_begins_anew(desk: Desk) -> None:
    desk.receiver.status = 500
    await desk.emit("call.ended")
    await desk.send()
    await desk.later(days=6)
    await desk.change(enabled=False)
    await desk.change(enabled=True)
    await desk.emit("call.ended")
    await desk.send()
    assert (await desk.here()).disabled_at is None
    assert (await desk.here()).failures == 1


async def test_a_url_is_sent_to_as_it_was_given(desk: Desk) -> None:
    async with Receiver() as other:
        person = await new_person(desk.database, "Carol", credits=0)
        await add_endpoint(desk.database, person, other)
    await desk.change(url=f"{desk.receiver.url}?key=a%2Fb&x=%20")
    await desk.emit("call.ended")
    await desk.send()
    assert desk.receiver.received[0].path == "/hook?key=a%2Fb&x=%20"
