"""What Talktime tells your server: verified, and as a value.

    event = webhooks.verify(body, headers, secret)
    match event:
        case webhooks.CallEnded(call=call) if call is not None: ...
        case webhooks.CreditsLow(): ...

The rules: nothing of a body is read before its signature is known to be right, for the very bytes that came and for
now; signatures are compared in constant time; an event that this version does not know is no error.
"""

import base64
import binascii
import hashlib
import hmac
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from talktime_client._values import is_object, read_as
from talktime_client.errors import AnswerUnreadable, NotSigned
from talktime_client.models import Call, CallStatus

TOLERANCE_SECONDS = 300.0
_BEGINNING = "whsec_"
_SECRET_BYTES_MIN = 16
_ID = re.compile(r"[\x21-\x7e]{1,255}")
_SECONDS = re.compile(r"[0-9]{1,12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened."""

    id: str
    """The same at every try: keep those that you have seen, since an answer of yours can be lost."""
    type: str
    timestamp: datetime
    """When it happened."""
    sequence: int
    """Counts your endpoint's events without a gap. What failed is tried again later, and comes out of order."""
    data: Mapping[str, Any] = field(repr=False)
    """All that was said, as it came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEvent(Event):
    """Something about a call."""

    call_id: UUID
    call: Call | None = field(default=None, repr=False)
    """As `client.calls.get` gives it, but always without its turns, and as it was when this was first sent. None where
    it was too long, or its caller was forgotten meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallMoved(CallEvent):
    """A call came to another state."""

    status: CallStatus
    """When it happened; the call itself may be further by now."""
    agent_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallStarted(CallMoved):
    """`call.started`: a call rang on one of your numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallAnswered(CallMoved):
    """`call.answered`: your agent answered a call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEnded(CallMoved):
    """`call.ended`: a call is over. What it cost is in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSummarised(CallEvent):
    """`call.summarised`: what a call led to stands in a sentence."""

    outcome: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageTaken(CallEvent):
    """`message.taken`: a caller left a message, which is the call's `summary`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditsLow(Event):
    """`credits.low`: your credits fell below the mark that you set."""

    balance: int
    threshold: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditsExhausted(Event):
    """`credits.exhausted`: a call ended because there were no credits left."""

    call_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditsPurchased(Event):
    """`credits.purchased`: credits that you bought are on your account."""

    purchase_id: UUID
    credits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditsRefunded(Event):
    """`credits.refunded`: a payment was given back, and its credits were taken off."""

    purchase_id: UUID
    credits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentPublished(Event):
    """`agent.published`: a version answers from now on."""

    agent_id: UUID
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberAssigned(Event):
    """`number.assigned`: a number was given to you, or to another of your agents."""

    number_id: UUID
    agent_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberReleased(Event):
    """`number.released`: a number is no longer yours."""

    number_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingEvent(Event):
    """`booking.held`, `booking.confirmed`, `booking.changed`, `booking.cancelled`: reserved, none is sent yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestEvent(Event):
    """`webhook.test`: somebody tries the endpoint."""

    endpoint_id: UUID | None = None

    __test__ = False
    """It is none of pytest's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownEvent(Event):
    """One that this version has no class for, or whose data it cannot read: look at `type` and `data`."""


EVENTS: Mapping[str, type[Event]] = {
    "call.started": CallStarted,
    "call.answered": CallAnswered,
    "call.ended": CallEnded,
    "call.summarised": CallSummarised,
    "message.taken": MessageTaken,
    "credits.low": CreditsLow,
    "credits.exhausted": CreditsExhausted,
    "credits.purchased": CreditsPurchased,
    "credits.refunded": CreditsRefunded,
    "agent.published": AgentPublished,
    "number.assigned": NumberAssigned,
    "number.released": NumberReleased,
    "booking.held": BookingEvent,
    "booking.confirmed": BookingEvent,
    "booking.changed": BookingEvent,
    "booking.cancelled": BookingEvent,
    "webhook.test": TestEvent,
}
"""Which class each type of event is."""


def verify(
    body: bytes,
    headers: Mapping[str, str],
    secret: str | Sequence[str],
    *,
    tolerance_seconds: float = TOLERANCE_SECONDS,
    now: float | None = None,
) -> Event:
    """The event in a request, which one of these secrets has signed within so many seconds of `now` (epoch seconds).
    `body` is the very bytes that came. While a secret is changed, give both. Raises NotSigned; ValueError for what can
    be no secret; AnswerUnreadable for what is signed and still no event."""
    keys = [_key_of(each) for each in ([secret] if isinstance(secret, str) else secret)]
    if not keys:
        # Without a secret everything would be genuine.
        raise ValueError("There is no secret to verify with.")
    said = {name.lower(): value for name, value in headers.items()}
    name, at = said.get("webhook-id", ""), said.get("webhook-timestamp", "")
    if _ID.fullmatch(name) is None or _SECONDS.fullmatch(at) is None:
        raise NotSigned("The headers webhook-id and webhook-timestamp are missing, or are none.")
    signed = b".".join((name.encode(), at.encode(), bytes(body)))
    if not _is_signed(signed, said.get("webhook-signature", ""), keys):
        raise NotSigned("No signature of this webhook is one of these secrets'.")
    if not abs((time.time() if now is None else now) - int(at)) <= tolerance_seconds:
        raise NotSigned("This webhook was not signed just now: it is sent again, or a clock is wrong.")
    return _event(name, body)


def _key_of(secret: str) -> bytes:
    """What signs, of a secret as it is shown."""
    try:
        key = base64.b64decode(secret.strip().removeprefix(_BEGINNING), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) < _SECRET_BYTES_MIN:
        raise ValueError("This is no webhook secret: one begins with whsec_.")
    return key


def _is_signed(signed: bytes, signatures: str, keys: Sequence[bytes]) -> bool:
    wanted = [hmac.new(key, signed, hashlib.sha256).digest() for key in keys]
    is_one = False
    for each in signatures.split(" ")[:20]:
        version, _, text = each.partition(",")
        if version != "v1":
            continue
        try:
            said = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            continue
        for digest in wanted:
            is_one |= hmac.compare_digest(digest, said)
    return is_one


def _event(name: str, body: bytes) -> Event:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        raise AnswerUnreadable("The webhook is signed, and no JSON.") from None
    if not is_object(said) or not is_object(said.get("data")):
        raise AnswerUnreadable("The webhook is signed, and no event.")
    data: dict[str, Any] = said["data"]
    head = {"id": name, "data": data, **{key: said.get(key) for key in ("type", "timestamp", "sequence")}}
    kind = EVENTS.get(str(head["type"]), UnknownEvent)
    try:
        return read_as(kind, {**_with_call(data), **head})
    except AnswerUnreadable:
        return read_as(UnknownEvent, head)


def _with_call(data: dict[str, Any]) -> dict[str, Any]:
    call = data.get("call")
    return {**data, "call": {"turns": [], **call}} if is_object(call) else data
