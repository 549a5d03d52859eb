"""What is asked of the doors in `make bench-http`, as bytes: rings and reports as Twilio posts and signs them, and what
a program asks the API.
"""

import random
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from bench.http_stage import ACCOUNT_SID, AUTH_TOKEN
from talktime.carriers.twilio_signature import HEADER, sign


@dataclass(frozen=True, slots=True)
class Event:
    """A report that is posted, perhaps not for the first time."""

    id: str
    """As the inbox names it."""
    request: bytes


def new_sid() -> str:
    return f"CA{uuid.uuid4().hex}"


def ring(port: int, sid: str, dialled: str) -> bytes:
    """Somebody calls a number."""
    caller = f"+4915{random.randrange(10**9):09d}"
    return _posted(port, "ring", {**_told(sid, "ringing", caller, dialled), "StirVerstat": "TN-Validation-Passed-A"})


def report(port: int, sid: str, dialled: str, *, status: str, sequence: int, seconds: int | None = None) -> Event:
    """News of a call."""
    fields = {
        **_told(sid, status, "+4915112345678", dialled),
        "SequenceNumber": str(sequence),
        "CallbackSource": "call-progress-events",
        "Timestamp": "Mon, 23 Nov 2026 12:00:00 +0000",
    }
    if seconds is not None:
        fields |= {"CallDuration": str(seconds), "Duration": str(-(-seconds // 60))}
    return Event(f"{sid}:{sequence}:{status}", _posted(port, "report", fields))


def reports(port: int, calls: Sequence[tuple[str, str, int]], wrong: float) -> tuple[list[Event], int]:
    """Three reports of each of some calls that are over, named by the carrier, dialled, of so many seconds; some
    (`wrong`) say a duration that the charge has to be corrected for. Gives how many do."""
    events: list[Event] = []
    corrected = 0
    for sid, dialled, seconds in calls:
        # A minute less is a credit line less, so the correction shows in the ledger.
        is_wrong = seconds > 130 and random.random() < wrong
        corrected += is_wrong
        events += [
            report(port, sid, dialled, status="ringing", sequence=1),
            report(port, sid, dialled, status="in-progress", sequence=2),
            report(port, sid, dialled, status="completed", sequence=3, seconds=seconds - 65 * is_wrong),
        ]
    return events, corrected


def get(port: int, path: str, key: str) -> bytes:
    """What a program asks."""
    lines = (f"GET {path} HTTP/1.1", f"host: 127.0.0.1:{port}", f"authorization: Bearer {key}", "accept: */*", "", "")
    return "\r\n".join(lines).encode()


def _told(sid: str, status: str, caller: str, dialled: str) -> dict[str, str]:
    """What Twilio says with each request about a call."""
    return {
        "AccountSid": ACCOUNT_SID,
        "ApiVersion": "2010-04-01",
        "CallSid": sid,
        "CallStatus": status,
        "Called": dialled,
        "CalledCountry": "US",
        "Caller": caller,
        "CallerCountry": "DE",
        "Direction": "inbound",
        "From": caller,
        "FromCountry": "DE",
        "To": dialled,
        "ToCity": "",
        "ToCountry": "US",
        "ToState": "",
    }


def _posted(port: int, door: str, fields: Mapping[str, str]) -> bytes:
    url = f"http://127.0.0.1:{port}/hooks/twilio/{door}"
    body = urlencode(fields).encode()
    lines = (
        f"POST /hooks/twilio/{door} HTTP/1.1",
        f"host: 127.0.0.1:{port}",
        "content-type: application/x-www-form-urlencoded; charset=UTF-8",
        f"content-length: {len(body)}",
        f"{HEADER.lower()}: {sign(AUTH_TOKEN, url, {name: [value] for name, value in fields.items()})}",
        f"i-twilio-idempotency-token: {uuid.uuid4()}",
        "user-agent: TwilioProxy/1.1",
        "accept: */*",
        "",
        "",
    )
    return "\r\n".join(lines).encode() + body
