"""From a fact to the receiver: once, in order, signed, and again until it is taken."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from sqlalchemy import text

from talktime import webhooks
from talktime.db.session import Session
from talktime.simulate.receiver import Manner, Receiver
from talktime.webhooks import deliveries, endpoints, recording, sending
from talktime.webhooks.models import DeliveryState, DisabledReason
from talktime.webhooks.post import Outcome, Poster
from talktime.webhooks.sending import Sender
from tests.people import WHY, new_person
from tests.webhooks.conftest import KEEPING, KEY, Desk, add_endpoint


async def test_an_event_is_delivered_once_signed_and_with_what_happened(desk: Desk) -> None:
    call = uuid.uuid4()
    assert await desk.emit("call.ended", call_id=call, status="COMPLETED")
    assert await desk.send() == 1
    assert await desk.send() == 0
    (came,) = desk.receiver.genuine
    said = orjson.loads(came.body)
    (event,) = await desk.events()
    assert came.id == f"msg_{event.id.hex}"
    assert (said["type"], said["sequence"]) == ("call.ended", 1)
    assert said["data"] == {"call_id": str(call), "status": "COMPLETED"}
    assert abs(datetime.fromisoformat(said["timestamp"]) - datetime.now(UTC)) < timedelta(minutes=1)
    (delivery,) = await desk.deliveries()
    (attempt,) = await desk.attempts()
    assert (delivery.state, delivery.attempts) == (DeliveryState.DELIVERED, 1)
    assert (attempt.status, attempt.error) == (204, None)
    assert attempt.milliseconds is not None


async def test_what_is_rolled_back_is_never_told(desk: Desk) -> None:
    with pytest.raises(RuntimeError):
        async with desk.database.transaction(user=desk.person.id) as db:
            assert await webhooks.emit(db, desk.person.id, "agent.published", {"agent_id": uuid.uuid4()})
            raise RuntimeError("the fact did not happen")
    assert await desk.send() == 0
    assert not await desk.events()


async def test_nothing_is_written_for_who_does_not_want_to_hear_of_it(desk: Desk) -> None:
    bob = await new_person(desk.database, "Bob", credits=0)
    async with desk.database.transaction(user=bob.id) as db:
        assert not await webhooks.emit(db, bob.id, "agent.published", {})
    await desk.change(events=["call.*", "message.taken"])
    assert not await desk.emit("agent.published")
    assert not await desk.emit("credits.low")
    assert await desk.emit("call.answered")
    assert await desk.emit("message.taken")
    assert len(await desk.events()) == 2


async def test_each_endpoint_gets_what_it_asked_for_with_a_secret_and_numbers_of_its_own(desk: Desk) -> None:
    async with Receiver() as calls, Receiver() as sums:
        await desk.add(calls, "call.*")
        await desk.add(sums, "credits.low", "credits.exhausted")
        for kind in ("call.started", "credits.low", "agent.published", "call.ended"):
            await desk.emit(kind)
        await desk.send()
        told = [
            [(orjson.loads(each.body)["type"], orjson.loads(each.body)["sequence"]) for each in receiver.genuine]
            for receiver in (desk.receiver, calls, sums)
        ]
    assert told == [
        [("call.started", 1), ("credits.low", 2), ("agent.published", 3), ("call.ended", 4)],
        [("call.started", 1), ("call.ended", 2)],
        [("credits.low", 1)],
    ]
    assert len({desk.receiver.secret, calls.secret, sums.secret}) == 3


async def test_first_tries_come_in_the_order_of_the_facts_one_at_a_time(desk: Desk) -> None:
    desk.receiver.seconds = 0.01
    for place in range(30):
        await desk.emit("call.ended", place=place)
    await asyncio.gather(*(desk.send() for _ in range(4)))
    assert [orjson.loads(each.body)["data"]["place"] for each in desk.receiver.genuine] == list(range(30))
    assert desk.receiver.at_once_max == 1


async def test_what_failed_does_not_hold_up_what_happens_next(desk: Desk) -> None:
    desk.receiver.status = 500
    await desk.emit("call.started", place=1)
    await desk.send()
    desk.receiver.status = 204
    await desk.emit("call.ended", place=2)
    await desk.send()
    await desk.until_due()
    await desk.send()
    said = [orjson.loads(each.body) for each in desk.receiver.received]
    assert [each["data"]["place"] for each in said] == [1, 2, 1]
    assert [each["sequence"] for each in said] == [1, 2, 1]
    assert {each.state for each in await desk.deliveries()} == {DeliveryState.DELIVERED}


async def test_every_try_sends_the_same_bytes_under_the_same_id_with_a_signature_of_now(desk: Desk) -> None:
    desk.receiver.status = 503
    await desk.emit("call.ended", call_id=uuid.uuid4())
    for _ in range(3):
        await desk.send()
        await desk.until_due()
    assert len({each.body for each in desk.receiver.genuine}) == 1
    assert len({each.id for each in desk.receiver.genuine}) == 1
    assert len(desk.receiver.genuine) == 3


async def test_the_whole_ladder_is_climbed_and_then_the_endpoint_is_off_with_a_mail(desk: Desk) -> None:
    desk.receiver.status, desk.receiver.answer = 500, b"out of order"
    await desk.emit("call.ended")
    waits = []
    for _ in range(10):
        assert await desk.send() == 1
        (delivery,) = await desk.deliveries()
        if delivery.due_at is not None:
            waits.append((delivery.due_at - datetime.now(UTC)).total_seconds())
        assert await desk.send() == 0
        await desk.until_due()
    assert await desk.send() == 0
    ladder = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400]
    assert all(step - 1 <= wait <= step * 1.2 for wait, step in zip(waits, ladder, strict=True))
    (delivery,) = await desk.deliveries()
    assert (delivery.state, delivery.attempts, delivery.due_at) == (DeliveryState.FAILED, 10, None)
    attempts = await desk.attempts()
    assert [(each.attempt_no, each.status, each.answer) for each in attempts] == [
        (no, 500, "out of order") for no in range(1, 11)
    ]
    endpoint = await desk.here()
    assert endpoint.disabled_reason is DisabledReason.FAILING
    assert await desk.notices() == ["webhook_disabled"]
    async with desk.database.transaction(everyone=WHY) as db:
        entry = (await db.execute(text("SELECT * FROM audit_entries WHERE act = 'webhook.disabled'"))).one()
    assert (entry.actor_id, entry.after) == (None, {"endpoint_id": str(desk.endpoint), "reason": "FAILING"})


async def test_one_event_that_a_receiver_cannot_digest_switches_nothing_off(desk: Desk) -> None:
    desk.receiver.status = 422
    await desk.emit("call.ended", place=1)
    await desk.send()
    for place in range(2, 11):
        desk.receiver.status = 204
        await desk.emit("call.ended", place=place)
        await desk.send()
        desk.receiver.status = 422
        await desk.until_due()
        await desk.send()
    first, *others = await desk.deliveries()
    assert (first.state, first.attempts) == (DeliveryState.FAILED, 10)
    assert {each.state for each in others} == {DeliveryState.DELIVERED}
    assert (await desk.here()).disabled_at is None
    assert not await desk.notices()


async def test_after_five_days_of_nothing_but_failures_the_endpoint_is_off(desk: Desk) -> None:
    desk.receiver.manner = Manner.DOWN
    await desk.emit("call.started")
    await desk.send()
    await desk.later(days=4, hours=23)
    await desk.emit("call.answered")
    await desk.send()
    assert (await desk.here()).disabled_at is None
    await desk.later(hours=2)
    await desk.emit("call.ended")
    await desk.send()
    endpoint = await desk.here()
    assert endpoint.disabled_reason is DisabledReason.FAILING
    assert {each.state for each in await desk.deliveries()} == {DeliveryState.SKIPPED}
    assert await desk.notices() == ["webhook_disabled"]


async def test_a_receiver_that_is_gone_is_left_alone_at_once(desk: Desk) -> None:
    desk.receiver.status = 410
    for _ in range(3):
        await desk.emit("call.ended")
    assert await desk.send() == 1
    assert len(desk.receiver.received) == 1
    endpoint = await desk.here()
    assert endpoint.disabled_reason is DisabledReason.GONE
    assert [each.state for each in await desk.deliveries()] == [DeliveryState.SKIPPED] * 3
    assert await desk.notices() == ["webhook_disabled"]
    # What happens now is kept for when it is back, and nothing is sent.
    await desk.emit("call.ended")
    assert await desk.send() == 0
    await desk.change(enabled=True)
    desk.receiver.status = 204
    async with desk.database.transaction(user=desk.person.id) as db:
        since, until = datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC) + timedelta(hours=1)
        assert await deliveries.replay_range(db, desk.person.id, desk.endpoint, since=since, until=until) == 4
    await desk.later(seconds=1)
    assert await desk.send() == 4
    assert len({each.id for each in desk.receiver.received}) == 4


@pytest.mark.parametrize("status", [429, 503])
async def test_a_receiver_that_asks_for_a_rest_gets_it_for_all_its_events(desk: Desk, status: int) -> None:
    desk.receiver.status, desk.receiver.headers = status, [("retry-after", "120")]
    await desk.emit("call.started")
    await desk.send()
    await desk.emit("call.ended")
    assert await desk.send() == 0
    await desk.later(seconds=100)
    assert await desk.send() == 0
    desk.receiver.status = 204
    await desk.later(seconds=21)
    assert await desk.send() == 2
    assert [orjson.loads(each.body)["type"] for each in desk.receiver.received][1:] == ["call.ended", "call.started"]


@pytest.mark.parametrize(
    "manner", [Manner.SILENT, Manner.DRIPPING, Manner.BREAKS_OFF, Manner.GARBAGE, Manner.HUGE_HEAD, Manner.DOWN]
)
async def test_however_a_receiver_misbehaves_it_is_tried_again_and_told_why(desk: Desk, manner: Manner) -> None:
    desk.receiver.manner = manner
    await desk.emit("call.ended")
    await desk.send()
    (delivery,) = await desk.deliveries()
    (attempt,) = await desk.attempts()
    assert delivery.state is DeliveryState.PENDING
    assert attempt.error
    desk.receiver.manner = Manner.FINE
    await desk.until_due()
    await desk.send()
    assert [each.state for each in await desk.deliveries()] == [DeliveryState.DELIVERED]
    assert (await desk.here()).failures == 0


async def test_a_slow_endpoint_delays_nobody_else(desk: Desk) -> None:
    desk.receiver.seconds = 30
    async with Receiver() as quick:
        bob = await new_person(desk.database, "Bob", credits=0)
        await add_endpoint(desk.database, bob, quick)
        await desk.add(quick)
        for _ in range(3):
            await desk.emit("call.ended")
        async with desk.database.transaction(user=bob.id) as db:
            await webhooks.emit(db, bob.id, "call.ended", {})
        # It waits for the slow one far longer than the others take, so that one is not tried again meanwhile.
        patient = Sender(desk.database, KEY, {}, Poster(to_private=True, seconds_max=25))
        sending_all = asyncio.create_task(patient.send_due())
        await quick.until(4)
        await desk.receiver.until(1)
        assert desk.receiver.at_once == desk.receiver.at_once_max == len(desk.receiver.received) == 1
        sending_all.cancel()
        await asyncio.gather(sending_all, return_exceptions=True)


async def test_endpoints_that_fail_take_never_more_than_half_of_the_places(desk: Desk) -> None:
    async with Receiver(manner=Manner.SILENT) as silent:
        for _ in range(6):
            person = await new_person(desk.database, "Somebody", credits=0)
            endpoint = await add_endpoint(desk.database, person, silent)
            async with desk.database.transaction(everyone=WHY) as db:
                failing = "UPDATE webhook_endpoints SET failures = 1, failing_since = now() WHERE id = :id"
                await db.execute(text(failing), {"id": endpoint})
                await webhooks.emit(db, person.id, "call.ended", {})
        patient = Sender(desk.database, KEY, {}, Poster(to_private=True), at_once=4)
        task = asyncio.create_task(patient.send_due())
        await silent.until(2)
        await asyncio.sleep(0.2)
        assert silent.at_once_max == 2
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_somebody_who_is_suspended_is_told_when_they_are_back(desk: Desk) -> None:
    async def become(status: str) -> None:
        async with desk.database.transaction(everyone=WHY) as db:
            change = text("UPDATE users SET status = CAST(:status AS user_status) WHERE id = :id")
            await db.execute(change, {"status": status, "id": desk.person.id})

    await desk.emit("call.ended")
    await become("SUSPENDED")
    assert await desk.send() == 0
    await become("ACTIVE")
    assert await desk.send() == 1


async def test_a_secret_that_is_changed_in_the_middle_loses_nothing(desk: Desk) -> None:
    old = desk.receiver.secret
    await desk.emit("call.started")
    await desk.send()
    new = await _rotate(desk)
    assert new != old
    await desk.emit("call.answered")
    await desk.send()  # the receiver has the old one still
    desk.receiver.secret = new
    await desk.emit("call.ended")
    await desk.send()
    assert [each.is_genuine for each in desk.receiver.received] == [True] * 3
    assert all(len(each.headers["webhook-signature"].split()) <= 2 for each in desk.receiver.received)
    # A second change within the day: the two newest sign, and no third.
    newest = await _rotate(desk)
    await desk.emit("call.summarised")
    await desk.send()
    assert len(desk.receiver.received[-1].headers["webhook-signature"].split()) == 2
    assert desk.receiver.received[-1].is_genuine
    desk.receiver.secret = newest
    await desk.later(hours=25)
    await desk.emit("call.ended")
    await desk.send()
    assert len(desk.receiver.received[-1].headers["webhook-signature"].split()) == 1
    assert desk.receiver.received[-1].is_genuine


async def test_a_receiver_that_follows_another_secret_is_tried_until_it_follows_ours(desk: Desk) -> None:
    ours, desk.receiver.secret = desk.receiver.secret, "whsec_" + "A" * 44
    await desk.emit("call.ended")
    await desk.send()
    assert [each.status for each in await desk.attempts()] == [401]
    desk.receiver.secret = ours
    await desk.until_due()
    await desk.send()
    assert [each.status for each in await desk.attempts()] == [401, 204]


async def test_what_is_put_together_is_put_together_once_and_never_too_long(desk: Desk) -> None:
    asked: list[str] = []

    async def render(db: Session, user: uuid.UUID, data: object) -> dict[str, object]:
        asked.append(str(user))
        return {"summary": "ß" * (20_000 if len(asked) > 1 else 20)}

    desk.renderers = {"call.*": render}
    async with Receiver() as second:
        await desk.add(second)
        await desk.emit("call.ended", call_id=uuid.uuid4())
        await desk.send()
        assert orjson.loads(second.genuine[0].body)["data"] == orjson.loads(desk.receiver.genuine[0].body)["data"]
    assert orjson.loads(desk.receiver.genuine[0].body)["data"]["summary"] == "ß" * 20
    assert len(asked) <= 2
    asked.append("so that the next one is long")
    await desk.emit("call.ended", call_id=uuid.uuid4())
    await desk.send()
    last = desk.receiver.genuine[-1]
    assert orjson.loads(last.body)["data"]["truncated"] is True
    assert all(len(each.body) <= 20_000 for each in desk.receiver.received)


async def test_a_mistake_of_ours_in_putting_together_still_tells_the_fact(desk: Desk) -> None:
    async def broken(db: Session, user: uuid.UUID, data: object) -> dict[str, object]:
        raise KeyError("call_id")

    desk.renderers = {"call.*": broken}
    await desk.emit("call.ended", place=1)
    await desk.send()
    assert orjson.loads(desk.receiver.genuine[0].body)["data"] == {"place": 1}


async def test_eight_workers_send_everything_once(desk: Desk) -> None:
    """Each event is tried once and only one at a time goes to an endpoint, however many look for work."""
    async with Receiver() as second, Receiver() as third:
        await desk.add(second)
        await desk.add(third)
        for place in range(20):
            await desk.emit("call.ended", place=place)
        senders = [desk.sender() for _ in range(8)]
        await asyncio.gather(*(sender.send_due() for sender in senders))
        for receiver in (desk.receiver, second, third):
            places = [orjson.loads(each.body)["data"]["place"] for each in receiver.genuine]
            assert places == list(range(20))
            assert receiver.at_once_max == 1
    assert {each.attempts for each in await desk.deliveries()} == {1}


async def test_a_worker_that_dies_after_sending_has_it_sent_again_under_the_same_id(desk: Desk) -> None:
    await desk.emit("call.ended")
    (claimed,) = await sending.claim(desk.database, most=10, ailing_most=10)
    outcome = await desk.sender()._send(claimed)
    assert outcome.is_success  # and here it dies: nothing is written down
    assert await desk.send() == 0, "its endpoint is its own for a minute"
    await desk.later(seconds=61)
    assert await desk.send() == 1
    first, second = desk.receiver.genuine
    assert (first.id, first.body) == (second.id, second.body)
    attempts = await desk.attempts()
    assert [(each.attempt_no, each.status) for each in attempts] == [(1, None), (2, 204)]


async def test_a_worker_that_wakes_up_too_late_changes_nothing(desk: Desk) -> None:
    await desk.emit("call.ended")
    (late,) = await sending.claim(desk.database, most=10, ailing_most=10)
    await desk.later(seconds=61)
    assert await desk.send() == 1
    desk.receiver.status = 410
    await desk.sender()._try(late)
    (delivery,) = await desk.deliveries()
    assert delivery.state is DeliveryState.DELIVERED
    assert (await desk.here()).disabled_at is None


async def test_what_is_asked_for_once_more_while_a_try_goes_on_is_sent_at_once_when_that_fails(desk: Desk) -> None:
    await desk.emit("call.ended")
    (claimed,) = await sending.claim(desk.database, most=1, ailing_most=1)
    async with desk.database.transaction(user=desk.person.id) as db:
        await deliveries.replay(db, desk.person.id, desk.endpoint, claimed.delivery_id)
    async with desk.database.transaction(everyone=WHY) as db:
        await recording.record(db, claimed, Outcome(5, 500, error="The answer was 500."))
    (attempt,) = await desk.attempts()
    assert (attempt.status, (await desk.here()).failures) == (500, 1)
    assert await desk.send() == 1
    (delivery,) = await desk.deliveries()
    assert (delivery.state, delivery.attempts, delivery.tries) == (DeliveryState.DELIVERED, 2, 1)


async def test_what_runs_beside_the_requests_sends_soon_and_ends_what_it_began(desk: Desk) -> None:
    desk.receiver.seconds = 0.3
    running = asyncio.create_task(desk.sender().run())
    await asyncio.sleep(0.05)
    await desk.emit("call.ended")
    await desk.receiver.until(1, seconds_max=2)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert [each.state for each in await desk.deliveries()] == [DeliveryState.DELIVERED]


async def test_an_endpoint_that_is_deleted_hears_nothing_more(desk: Desk) -> None:
    await desk.emit("call.started")
    async with desk.database.transaction(user=desk.person.id) as db:
        await endpoints.delete(db, await endpoints.locked(db, desk.person.id, desk.endpoint))
    assert not await desk.emit("call.ended")
    assert await desk.send() == 0
    endpoint = await desk.here()
    assert (endpoint.url, endpoint.secret, endpoint.description) == ("", b"", "")


async def _rotate(desk: Desk) -> str:
    async with desk.database.transaction(user=desk.person.id) as db:
        return await endpoints.rotate(db, await endpoints.locked(db, desk.person.id, desk.endpoint), KEEPING)
