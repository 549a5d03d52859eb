"""What happens is told: each fact once, in the transaction in which it happens, by whichever process."""

import asyncio
import uuid
from typing import Any

import orjson
import pytest
from sqlalchemy import text

from talktime.api import events
from talktime.calls import lifecycle
from talktime.carriers.contract import Ring
from talktime.credits import money
from talktime.db.base import new_id
from talktime.notices.tell import tell
from talktime.webhooks.events import GROUPS, KINDS, TEST
from tests.calls.putting_through import transferred
from tests.people import WHY, new_person
from tests.webhooks.conftest import Desk

CALLER = "+4915112345678"


async def ring(desk: Desk, call_id: str | None = None) -> lifecycle.Decision:
    rang = Ring(account="AC1", call_id=call_id or f"CA{uuid.uuid4().hex}", caller=CALLER, dialled=desk.person.number)
    async with desk.database.transaction(everyone=WHY) as db:
        return await lifecycle.ring(db, "simulated", rang)


async def answered(desk: Desk) -> uuid.UUID:
    call = (await ring(desk)).call_id
    assert call is not None
    async with desk.database.transaction(user=desk.person.id) as db:
        assert await lifecycle.answer(db, desk.person.id, call, "owner") is not None
    return call


async def finish(desk: Desk, call: uuid.UUID, **more: Any) -> None:
    async with desk.database.transaction(user=desk.person.id) as db:
        await lifecycle.finish(db, desk.person.id, call, **{"seconds": 42, "reason": "caller_hung_up", **more})


async def types(desk: Desk) -> list[str]:
    return [event.type for event in await desk.events()]


async def test_a_call_is_told_from_its_ring_to_what_it_led_to_each_once(desk: Desk) -> None:
    desk.renderers = events.renderers()
    name = f"CA{uuid.uuid4().hex}"
    decisions = await asyncio.gather(*(ring(desk, name) for _ in range(5)))
    call = decisions[0].call_id
    assert call is not None
    for _ in range(2):
        async with desk.database.transaction(user=desk.person.id) as db:
            await lifecycle.answer(db, desk.person.id, call, "owner")
    for _ in range(2):
        async with desk.database.transaction(user=desk.person.id) as db:
            await lifecycle.note_outcome(db, desk.person.id, call, "message", "Message from Kim: call back.")
    for _ in range(2):
        await finish(desk, call)
    assert await types(desk) == ["call.started", "call.answered", "call.summarised", "message.taken", "call.ended"]
    assert {event.call_id for event in await desk.events()} == {call}
    await desk.send()
    ended = orjson.loads(desk.receiver.genuine[-1].body)
    assert ended["data"]["call"]["summary"] == "Message from Kim: call back."
    assert ended["data"]["call"]["caller"] == CALLER
    assert ended["data"]["call"]["receipt"]["charged"] == 15
    assert "turns" not in ended["data"]["call"]


async def test_a_call_that_only_the_ladder_answers_begins_and_ends(desk: Desk) -> None:
    async with desk.database.transaction(everyone=WHY) as db:
        await db.execute(text("UPDATE agents SET active = false WHERE user_id = :id"), {"id": desk.person.id})
    await ring(desk)
    assert await types(desk) == ["call.started", "call.ended"]
    assert [event.data["status"] for event in await desk.events()] == ["RINGING", "COMPLETED"]


@pytest.mark.parametrize(("more", "status"), [({"seconds": 0}, "NO_ANSWER"), ({"failed": True}, "FAILED")])
async def test_a_call_that_comes_to_nothing_is_told_too(desk: Desk, more: dict[str, Any], status: str) -> None:
    call = (await ring(desk)).call_id
    assert call is not None
    await finish(desk, call, **more)
    assert [(event.type, event.data["status"]) for event in await desk.events()] == [
        ("call.started", "RINGING"),
        ("call.ended", status),
    ]


async def test_a_fact_that_is_rolled_back_is_not_told(desk: Desk) -> None:
    call = await answered(desk)
    with pytest.raises(RuntimeError):
        async with desk.database.transaction(user=desk.person.id) as db:
            await lifecycle.finish(db, desk.person.id, call, seconds=9, reason="caller_hung_up")
            raise RuntimeError("the process died")
    assert await types(desk) == ["call.started", "call.answered"]


async def test_a_leg_to_a_person_is_a_part_of_its_call(desk: Desk) -> None:
    async with desk.database.transaction(everyone=WHY) as db:
        await db.execute(text("UPDATE webhook_endpoints SET events = ARRAY['call.started']"))
    await transferred(desk.database, desk.person)
    assert await types(desk) == ["call.started"]


async def test_credits_that_run_low_and_out_are_told(desk: Desk) -> None:
    async with desk.database.transaction(user=desk.person.id) as db:
        await money.set_low_balance(db, desk.person.id, 995)
    call = await answered(desk)
    await finish(desk, call)
    low = [event for event in await desk.events() if event.type == "credits.low"]
    assert [event.data for event in low] == [{"balance": 985, "threshold": 995}]
    async with desk.database.transaction(user=desk.person.id) as db:
        await tell(db, desk.person.id, "credit_exhausted", str(call), {"call_id": str(call)})
        await tell(db, desk.person.id, "credit_exhausted", str(call), {"call_id": str(call)})
    assert (await types(desk)).count("credits.exhausted") == 1


async def test_what_is_bought_and_given_back_is_told(desk: Desk) -> None:
    purchase = str(new_id())
    async with desk.database.transaction(user=desk.person.id) as db:
        for kind in ("purchase_paid", "top_up_done", "refunded", "calls_refused"):
            detail: dict[str, str | int | bool] = {
                "purchase_id": purchase,
                "credits": 500,
                "reason": "x",
                "on": "2026-03-01",
            }
            await tell(db, desk.person.id, kind, purchase, detail)
    assert await types(desk) == ["credits.purchased", "credits.purchased", "credits.refunded"]
    assert (await desk.events())[0].data["credits"] == 500


async def test_calls_of_somebody_without_endpoints_leave_nothing(desk: Desk) -> None:
    bob = await new_person(desk.database, "Bob", credits=1000)
    other = Desk(desk.database, bob, desk.receiver, desk.endpoint)
    await finish(other, await answered(other))
    assert await desk.events() == []
    assert await other.events() == []


async def test_bob_sees_and_changes_nothing_of_alices(desk: Desk) -> None:
    await desk.emit("call.ended")
    bob = await new_person(desk.database, "Bob", credits=0)
    async with desk.database.transaction(user=bob.id) as db:
        for table in ("endpoints", "events", "deliveries", "attempts"):
            assert await db.scalar(text(f"SELECT count(*) FROM webhook_{table}")) == 0
        changed = await db.execute(text("UPDATE webhook_endpoints SET url = 'https://bob.example.org' RETURNING 1"))
        assert changed.first() is None
    with pytest.raises(Exception, match="not of user"):
        async with desk.database.transaction(user=bob.id) as db:
            await db.execute(text("SELECT webhook_event_v1(:id, 'call.ended', '{}')"), {"id": desk.person.id})
    with pytest.raises(Exception, match="permission denied"):
        async with desk.database.transaction(user=bob.id) as db:
            await db.execute(text("SELECT * FROM claim_webhooks_v1(1, 1, 1)"))


def test_every_type_is_named_as_standard_webhooks_asks_and_belongs_to_a_group() -> None:
    for kind in KINDS:
        assert kind.replace(".", "").replace("_", "").isascii()
        assert kind == TEST or f"{kind.partition('.')[0]}.*" in GROUPS
