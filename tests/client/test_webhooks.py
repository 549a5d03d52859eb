"""Webhooks: what our server signs is verified and read, and nothing else is."""

import base64
import hashlib
import hmac
import time
import uuid
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from standardwebhooks.webhooks import Webhook

from talktime.api import events as renderers
from talktime.simulate.receiver import Receiver
from talktime.webhooks import signing
from talktime.webhooks.bodies import envelope
from talktime.webhooks.events import KINDS
from talktime.webhooks.post import Poster
from talktime.webhooks.sending import Sender
from talktime_client import AnswerUnreadable, AsyncClient, NotSigned, webhooks
from talktime_client.webhooks import EVENTS, verify
from tests.people import Person
from tests.web.stage import Stage, answer, finish

SECRET = signing.new_secret()
EVENT = uuid.uuid4()
ID = "0199c901-2f7c-7d00-8b3e-9a2c4e6f8a01"


def signed(type: str, data: dict[str, Any], *secrets: str, at: float | None = None) -> tuple[bytes, dict[str, str]]:
    """What our server would send."""
    body = envelope(type, datetime(2026, 11, 20, 9, 31, 38, tzinfo=UTC), 4711, orjson.dumps(data).decode())
    now = datetime.fromtimestamp(time.time() if at is None else at, UTC)
    return body, signing.headers(EVENT, now, body, *(secrets or (SECRET,)))


def read(type: str, **data: Any) -> webhooks.Event:
    body, headers = signed(type, data)
    return verify(body, headers, SECRET)


def test_every_event_of_ours_has_its_class() -> None:
    assert EVENTS.keys() == KINDS.keys()


def test_what_our_server_signs_is_verified_as_others_verify_it() -> None:
    body, headers = signed("credits.low", {"balance": 12, "threshold": 20})
    assert Webhook(SECRET).verify(body, headers)
    event = verify(body, headers, SECRET)
    assert isinstance(event, webhooks.CreditsLow)
    assert (event.id, event.sequence, event.balance, event.threshold) == (f"msg_{EVENT.hex}", 4711, 12, 20)
    assert event.timestamp == datetime(2026, 11, 20, 9, 31, 38, tzinfo=UTC)


def test_what_others_sign_is_verified_as_well() -> None:
    body = (
        b'{"type": "number.released", "timestamp": "2026-11-20T09:31:38Z", "sequence": 1, "data": {"number_id": "%s"}}'
    )
    body %= ID.encode()
    now = datetime.now(UTC)
    headers = {
        "Webhook-Id": "msg_1",
        "Webhook-Timestamp": str(int(now.timestamp())),
        "Webhook-Signature": Webhook(SECRET).sign("msg_1", now, body.decode()),
    }
    assert isinstance(verify(body, headers, SECRET), webhooks.NumberReleased)


def test_while_a_secret_is_changed_both_are_taken() -> None:
    new, other = signing.new_secret(), signing.new_secret()
    body, headers = signed("number.released", {"number_id": ID}, new, SECRET)
    for secrets in (new, SECRET, [SECRET, other], (other, new)):
        assert verify(body, headers, secrets).type == "number.released"
    with pytest.raises(NotSigned):
        verify(body, headers, other)


def forged() -> dict[str, tuple[bytes, dict[str, str]]]:
    """Of this very moment: what is made when tests are collected would be old when they run."""
    body, fine = signed("number.released", {"number_id": ID})
    name, at, signature = fine["webhook-id"], fine["webhook-timestamp"], fine["webhook-signature"]
    _, another = signed("number.released", {"number_id": ID}, signing.new_secret())
    old, old_headers = signed("number.released", {"number_id": ID}, at=time.time() - 301)
    early, early_headers = signed("number.released", {"number_id": ID}, at=time.time() + 400)
    hexed = hmac.new(base64.b64decode(SECRET[6:]), b".".join((name.encode(), at.encode(), body)), hashlib.sha256)
    return {
        "another secret": (body, another),
        "another body": (body.replace(b"4711", b"4712"), fine),
        "rewritten body": (orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2), fine),
        "another id": (body, {**fine, "webhook-id": "msg_other"}),
        "another time": (body, {**fine, "webhook-timestamp": str(int(at) + 1)}),
        "too old": (old, old_headers),
        "too early": (early, early_headers),
        "no headers": (body, {}),
        "no signature": (body, {**fine, "webhook-signature": ""}),
        "no version": (body, {**fine, "webhook-signature": signature.removeprefix("v1,")}),
        "another version": (body, {**fine, "webhook-signature": signature.replace("v1,", "v1a,")}),
        "empty signature": (body, {**fine, "webhook-signature": "v1,"}),
        "no base64": (body, {**fine, "webhook-signature": "v1,$$$"}),
        "hexadecimal": (body, {**fine, "webhook-signature": f"v1,{hexed.hexdigest()}"}),
        "half of it": (body, {**fine, "webhook-signature": signature[:20]}),
        "no time": (body, {**fine, "webhook-timestamp": "now"}),
        "a time in other digits": (body, {**fine, "webhook-timestamp": "١٢٣"}),
        "no id": (body, {**fine, "webhook-id": ""}),
        "behind twenty others": (body, {**fine, "webhook-signature": "v1,AAAA " * 20 + signature}),
    }


@pytest.mark.parametrize("what", forged())
def test_what_is_forged_is_refused(what: str) -> None:
    body, headers = forged()[what]
    with pytest.raises(NotSigned, match="just now" if what.startswith("too ") else "signature|headers"):
        verify(body, headers, SECRET)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_AAAA", "no base64 at all!", [], ["", ""], [SECRET, ""]])
def test_without_a_secret_that_is_one_nothing_is_genuine(secret: Any) -> None:
    body, headers = signed("number.released", {"number_id": ID})
    with pytest.raises(ValueError, match="secret"):
        verify(body, headers, secret)
    empty = hmac.new(
        b"", b".".join((headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body)), "sha256"
    )
    headers["webhook-signature"] = f"v1,{base64.b64encode(empty.digest()).decode()}"
    with pytest.raises(ValueError, match="secret"):
        verify(body, headers, secret)


def test_how_old_one_may_be_is_the_receivers_to_say() -> None:
    body, headers = signed("number.released", {"number_id": ID}, at=1_763_631_098)
    assert verify(body, headers, SECRET, now=1_763_631_098 + 299).type == "number.released"
    late = verify(body, headers, SECRET, now=1_763_631_098 + 3000, tolerance_seconds=3600)
    assert late.sequence == 4711
    for now in (1_763_631_098 + 301, 1_763_631_098 - 301, float("nan")):
        with pytest.raises(NotSigned, match="just now"):
            verify(body, headers, SECRET, now=now)


def test_what_is_signed_and_no_event_is_said_to_be_none() -> None:
    for body in (b"", b"no JSON", b"[]", b"{}", b'{"type": "x", "data": []}', b"[" * 100_000, b'{"data": {}}'):
        headers = signing.headers(EVENT, datetime.now(UTC), body, SECRET)
        with pytest.raises(AnswerUnreadable):
            verify(body, headers, SECRET)


def test_events_of_later_versions_are_no_error() -> None:
    later = read("voicemail.taken", voicemail_id=ID)
    assert isinstance(later, webhooks.UnknownEvent)
    assert (later.type, later.data) == ("voicemail.taken", {"voicemail_id": ID})
    other = read("credits.low", balance="twelve", threshold=20)
    assert isinstance(other, webhooks.UnknownEvent)
    assert isinstance(read("credits.low", balance=1, threshold=2, since=3), webhooks.CreditsLow)
    booked = read("booking.confirmed", booking_id=ID)
    assert isinstance(booked, webhooks.BookingEvent)


def test_what_data_says_does_not_pass_for_the_head() -> None:
    said = {"agent_id": ID, "version": 3, "id": "msg_other", "sequence": -1, "type": "credits.low", "data": {}}
    event = verify(*signed("agent.published", said), SECRET)
    assert isinstance(event, webhooks.AgentPublished)
    assert (event.id, event.sequence, event.type, event.version) == (f"msg_{EVENT.hex}", 4711, "agent.published", 3)


def test_people_are_not_shown_by_printing_an_event() -> None:
    short = read("call.ended", call_id=ID, status="COMPLETED", agent_id=None, truncated=True)
    assert isinstance(short, webhooks.CallEnded)
    assert short.call is None
    assert short.data["truncated"] is True
    assert "+4930" not in repr(read("call.started", call_id=ID, status="RINGING", call={"caller": "+4930901820"}))


async def test_what_an_endpoint_is_really_sent_is_read(stage: Stage, as_alice: AsyncClient, alice: Person) -> None:
    async with Receiver() as receiver:
        made = await as_alice.webhooks.create(url=f"{receiver.url}/hooks", events=["*"])
        call = await answer(stage.database, alice)
        await finish(stage.database, alice, call, 95)
        await as_alice.agents.draft.save(alice.agent, if_match="*", greeting="Hello, this is the assistant.")
        draft = await as_alice.agents.draft.get(alice.agent)
        await as_alice.agents.publish(alice.agent, revision=draft.revision)
        await as_alice.webhooks.test(made.webhook.id)
        sender = Sender(
            stage.database, stage.settings.secret, renderers.renderers(), Poster(to_private=True, seconds_max=1)
        )
        for _ in range(8):
            await sender.send_due()
        found = [verify(each.body, each.headers, made.secret) for each in receiver.received]
    kinds = [
        webhooks.CallStarted,
        webhooks.CallAnswered,
        webhooks.CallEnded,
        webhooks.AgentPublished,
        webhooks.TestEvent,
    ]
    assert [type(each) for each in found] == kinds
    assert [each.sequence for each in found] == [1, 2, 3, 4, 5]
    ended = found[2]
    assert isinstance(ended, webhooks.CallEnded)
    assert (ended.call_id, ended.status) == (call, "COMPLETED")
    assert ended.call is not None
    assert (ended.call.credits, ended.call.turns) == (15, ())
    assert isinstance(found[4], webhooks.TestEvent)
    assert found[4].endpoint_id == made.webhook.id
