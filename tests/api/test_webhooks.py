"""Webhooks over the API: made, changed, followed, replayed; and what a key may not read is sent to nobody."""

import uuid
from typing import Any

import orjson
import pytest

from talktime import webhooks
from talktime.accounts.keys import Scope
from talktime.api import events
from talktime.settings import Settings
from talktime.simulate.receiver import Receiver
from talktime.webhooks.post import Poster
from talktime.webhooks.sending import Sender
from tests.api.program import Program, fields_of, program_of, refused
from tests.people import Person
from tests.web.stage import SECRET, SITE, Stage, answer

URL = "https://crm.example.org/hooks"
NEW = {"url": URL, "events": ["call.*", "message.taken"], "description": "CRM"}


@pytest.fixture
async def stage(stage: Stage) -> Stage:
    """The same, and webhooks may lead to this machine."""
    return Stage(Settings(public_url=SITE, secret_key=SECRET, webhooks_to_private=True), stage.database)


async def make(program: Program, **what: object) -> dict[str, Any]:
    made = await program.make("/webhooks", {**NEW, **what})
    assert made.status_code == 201, made.text
    document: dict[str, Any] = made.json()
    assert made.headers["location"] == f"/v1/webhooks/{document['webhook']['id']}"
    return document


async def send(stage: Stage) -> None:
    """A worker sends what is due."""
    poster = Poster(to_private=True, seconds_max=1)
    await Sender(stage.database, stage.settings.secret, events.renderers(), poster).send_due()


async def test_an_endpoint_is_made_once_with_a_secret_that_is_shown_once(as_alice: Program) -> None:
    once = uuid.uuid4().hex
    first, again = [await as_alice.make("/webhooks", NEW, once=once) for _ in range(2)]
    assert first.json() == again.json()
    assert again.headers["idempotency-replayed"] == "true"
    made = first.json()
    assert made["secret"].startswith("whsec_")
    assert (made["webhook"]["enabled"], made["webhook"]["events"]) == (True, ["call.*", "message.taken"])
    assert [each["id"] for each in await as_alice.all("/webhooks")] == [made["webhook"]["id"]]
    shown = await as_alice.get(f"/webhooks/{made['webhook']['id']}")
    assert "secret" not in {key for key in shown.json() if "old" not in key}
    assert made["secret"] not in shown.text
    refused(
        await as_alice.make("/webhooks", {**NEW, "description": "other"}, once=once), 409, "used-for-something-else"
    )


@pytest.mark.parametrize(
    ("what", "field"),
    [
        ({"url": "ftp://example.org"}, "url"),
        ({"url": "https://user:password@example.org"}, "url"),
        ({"url": ""}, "url"),
        ({"url": 5}, "url"),
        ({"events": []}, "events"),
        ({"events": ["call.exploded"]}, "events"),
        ({"events": "call.*"}, "events"),
        ({"description": "x" * 201}, "description"),
        ({"description": "a\nb"}, "description"),
        ({"secret": "whsec_mine"}, "secret"),
    ],
)
async def test_what_cannot_be_right_is_a_problem_that_names_the_field(
    as_alice: Program, what: dict[str, object], field: str
) -> None:
    answered = await as_alice.make("/webhooks", {**NEW, **what})
    assert answered.status_code == 422
    assert fields_of(answered.json()) == [field] or fields_of(answered.json())[0].startswith(field)
    assert not await as_alice.all("/webhooks")


async def test_a_change_needs_the_state_that_it_changes_and_how_it_goes_is_not_part_of_that(
    stage: Stage, as_alice: Program, alice: Person
) -> None:
    async with Receiver() as receiver:
        made = await make(as_alice, url=receiver.url, events=["*"])
        path = f"/webhooks/{made['webhook']['id']}"
        tag = (await as_alice.get(path)).headers["etag"]
        async with stage.database.transaction(user=alice.id) as db:
            await webhooks.emit(db, alice.id, "agent.published", {})
        await send(stage)
        assert (await as_alice.read(path))["delivered_at"] is not None
        assert (await as_alice.get(path)).headers["etag"] == tag
        refused(await as_alice.patch(path, json={"enabled": False}), 428, "state-unknown")
        changed = await as_alice.patch(path, json={"enabled": False}, headers={"if-match": tag})
        assert (changed.json()["enabled"], changed.json()["disabled_reason"]) == (False, "OWNER")
        refused(await as_alice.patch(path, json={"description": "x"}, headers={"if-match": tag}), 412, "state-changed")
    on = await as_alice.change(path, {"enabled": True, "events": ["credits.low"], "url": URL, "description": "x"})
    assert (on.json()["enabled"], on.json()["events"], on.json()["url"]) == (True, ["credits.low"], URL)
    assert (await as_alice.delete(path)).status_code == 204
    refused(await as_alice.get(path), 404, "no-such-endpoint")
    refused(await as_alice.delete(path), 404, "no-such-endpoint")


async def test_the_log_says_what_was_sent_and_what_came_back_and_a_replay_sends_it_again(
    stage: Stage, as_alice: Program, alice: Person
) -> None:
    async with Receiver(status=500, answer=b"out of order") as receiver:
        made = await make(as_alice, url=receiver.url)
        receiver.secret = made["secret"]
        path = f"/webhooks/{made['webhook']['id']}"
        call = await answer(stage.database, alice)
        await send(stage)
        started, answered = [
            each for each in reversed(await as_alice.all(f"{path}/deliveries", limit=1)) if each["type"] != "x"
        ]
        assert (started["type"], started["state"], started["last_status"]) == ("call.started", "PENDING", 500)
        opened = await as_alice.read(f"{path}/deliveries/{answered['id']}")
        assert opened["body"].encode() == receiver.genuine[-1].body
        assert orjson.loads(opened["body"])["data"]["call"]["id"] == str(call)
        assert [(each["status"], each["answer"]) for each in opened["tries"]] == [(500, "out of order")]
        assert [each["data"]["call_id"] for each in await as_alice.all("/webhooks/events", type="call.answered")] == [
            str(call)
        ]
        assert await as_alice.read(f"{path}/deliveries", state="DELIVERED") == {
            "data": [], "next_cursor": None, "has_more": False,
        }  # fmt: skip
        receiver.status = 204
        again = await as_alice.make(f"{path}/deliveries/{answered['id']}/replay", None)
        assert (again.status_code, again.json()["state"]) == (202, "PENDING")
        await send(stage)
        assert receiver.received[-1].id == answered["event_id"]
        everything = {"since": "2026-01-01T00:00:00Z", "until": "2199-01-01T00:00:00Z", "everything": True}
        replayed = await as_alice.make(f"{path}/replay", everything)
        assert (replayed.status_code, replayed.json()) == (202, {"count": 1})
        tested = await as_alice.make(f"{path}/test", None)
        assert (tested.status_code, tested.json()["type"]) == (202, "webhook.test")
        await send(stage)
        assert orjson.loads(receiver.genuine[-1].body)["type"] == "webhook.test"
        backwards = {"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}
        refused(await as_alice.make(f"{path}/replay", backwards), 422, "bad-range")
        refused(await as_alice.make(f"{path}/replay", {**backwards, "since": "yesterday"}), 422, "invalid-request")


async def test_a_secret_is_rotated_and_both_verify_for_a_day(stage: Stage, as_alice: Program, alice: Person) -> None:
    async with Receiver() as receiver:
        made = await make(as_alice, url=receiver.url, events=["*"])
        path = f"/webhooks/{made['webhook']['id']}"
        rotated = (await as_alice.make(f"{path}/rotate", None)).json()
        assert rotated["secret"] != made["secret"]
        assert (await as_alice.read(path))["old_secret_until"] == rotated["old_secret_until"]
        for secret in (made["secret"], rotated["secret"]):
            receiver.secret = secret
            await as_alice.make(f"{path}/test", None)
            await send(stage)
            assert receiver.received[-1].is_genuine


async def test_bob_finds_nothing_of_alices(as_alice: Program, as_bob: Program) -> None:
    made = await make(as_alice)
    path = f"/webhooks/{made['webhook']['id']}"
    tested = await as_alice.make(f"{path}/test", None)
    delivery = f"{path}/deliveries/{tested.json()['id']}"
    assert not await as_bob.all("/webhooks")
    assert not await as_bob.all("/webhooks/events")
    for read in (path, f"{path}/deliveries", delivery):
        assert (await as_bob.get(read)).status_code == 404
    for write in (f"{path}/rotate", f"{path}/test", f"{delivery}/replay"):
        assert (await as_bob.make(write, None)).status_code == 404
    times = {"since": "2026-01-01T00:00:00Z", "until": "2199-01-01T00:00:00Z"}
    assert (await as_bob.make(f"{path}/replay", times)).status_code == 404
    assert (await as_bob.patch(path, json={"enabled": False}, headers={"if-match": "*"})).status_code == 404
    assert (await as_bob.delete(path)).status_code == 404
    assert len(await as_alice.all("/webhooks")) == 1


async def test_a_key_has_nothing_sent_that_it_may_not_read_itself(
    stage: Stage, as_alice: Program, alice: Person
) -> None:
    async with Receiver() as receiver:
        made = await make(as_alice, url=receiver.url)
        path = f"/webhooks/{made['webhook']['id']}"
        await answer(stage.database, alice)
        await send(stage)
        (delivery, *_) = await as_alice.all(f"{path}/deliveries")
    async with program_of(stage, alice, [Scope.WEBHOOKS_READ, Scope.WEBHOOKS_WRITE, Scope.CREDITS_READ]) as narrow:
        assert (await narrow.make("/webhooks", {**NEW, "events": ["credits.*"]})).status_code == 201
        for wanted in (["call.ended"], ["message.taken"], ["*"], ["agent.published"], ["credits.low", "call.*"]):
            refused(await narrow.make("/webhooks", {**NEW, "events": wanted}), 403, "not-yours-to-hear")
        refused(await narrow.change(path, {"url": "https://elsewhere.example.org"}), 403, "not-yours-to-hear")
        refused(await narrow.make(f"{path}/rotate", None), 403, "not-yours-to-hear")
        assert (await narrow.change(path, {"description": "x"})).status_code == 200
        opened = await narrow.read(f"{path}/deliveries/{delivery['id']}")
        assert opened["body"] is None
        assert {each["answer"] for each in opened["tries"]} == {None}


async def test_a_key_reads_no_sums_and_ids_of_what_it_may_not_read(
    stage: Stage, as_alice: Program, alice: Person
) -> None:
    await make(as_alice, events=["*"])
    async with stage.database.transaction(user=alice.id) as db:
        await webhooks.emit(db, alice.id, "credits.low", {"balance": 985, "threshold": 995})
        await webhooks.emit(db, alice.id, "agent.published", {"agent_id": alice.agent, "version": 2})
    async with program_of(stage, alice, [Scope.WEBHOOKS_READ, Scope.AGENTS_READ]) as narrow:
        told = {each["type"]: each["data"] for each in await narrow.all("/webhooks/events")}
    assert told == {"credits.low": {}, "agent.published": {"agent_id": str(alice.agent), "version": 2}}


async def test_the_types_of_events_are_listed_with_what_they_mean(as_alice: Program) -> None:
    types = await as_alice.all("/webhooks/event-types")
    assert {"call.started", "call.ended", "credits.low", "agent.published", "webhook.test"} <= {
        each["type"] for each in types
    }
    assert all(each["description"].endswith(".") for each in types)
