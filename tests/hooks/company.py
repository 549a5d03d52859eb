"""A carrier in a test's hands: what it posts at our doors, rightly signed, and what becomes of it.

Unlike the simulated phone company it makes no calls of its own, so a test decides each field, and what never comes.
"""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode
from xml.etree import ElementTree

import httpx
from sqlalchemy import text

from talktime.calls.models import CallStatus
from talktime.carriers.simulated import SimulatedAccount
from talktime.carriers.twilio_signature import HEADER, sign
from tests.house import House, new_sid
from tests.people import WHY, Person, account_of, charges

Fields = Mapping[str, str | Sequence[str]]


def token_of(house: House) -> str:
    return SimulatedAccount.of(house.settings).auth_token


def ring_fields(house: House, person: Person, sid: str, **more: str) -> dict[str, str]:
    """A ring as the carrier posts it."""
    return {
        "AccountSid": SimulatedAccount.of(house.settings).account_sid,
        "CallSid": sid,
        "From": "+4915123456789",
        "To": person.number,
        "CallStatus": "ringing",
        "Direction": "inbound",
        **more,
    }


def over(house: House, person: Person, sid: str, **more: str) -> dict[str, str]:
    """The report that a call is over."""
    return ring_fields(
        house, person, sid, **{"CallStatus": "completed", "CallDuration": "3", "SequenceNumber": "3", **more}
    )


async def post(house: House, door: str, fields: Fields, *, body: bytes | None = None) -> httpx.Response:
    """A rightly signed form. With a `body`, that is what travels under the signature of the fields."""
    url = f"{house.settings.base_url}/hooks/simulated/{door}"
    several = {name: [value] if isinstance(value, str) else list(value) for name, value in fields.items()}
    headers = {
        "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
        HEADER: sign(token_of(house), url, several),
    }
    async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
        content = urlencode(several, doseq=True).encode() if body is None else body
        return await client.post(url, content=content, headers=headers)


@dataclass(frozen=True)
class Ringing:
    """A call that rang here, and that was told to open a media socket."""

    sid: str
    parameters: dict[str, str]

    @property
    def call(self) -> uuid.UUID:
        return uuid.UUID(self.parameters["call"])


def parameters_of(answer: httpx.Response) -> dict[str, str]:
    """What the carrier is to give back on the media socket."""
    assert answer.status_code == 200, answer.text
    return {each.attrib["name"]: each.attrib["value"] for each in ElementTree.fromstring(answer.text).iter("Parameter")}


@contextlib.asynccontextmanager
async def ringing(house: House, person: Person) -> AsyncIterator[Ringing]:
    """A call that rings for as long as the block; then the caller gives up, and nothing must be left of it."""
    sid = new_sid()
    parameters = parameters_of(await post(house, "ring", ring_fields(house, person, sid)))
    assert set(parameters) == {"user", "call", "token"}
    yield Ringing(sid, parameters)
    await end(house, person, sid)


async def end(house: House, person: Person, sid: str) -> None:
    """The caller gives up; the call ends unanswered and free."""
    assert (await post(house, "report", over(house, person, sid, SequenceNumber="99"))).status_code == 204
    record = await house.settled(person, sid)
    assert (record.call.status, record.call.answered_at) == (CallStatus.NO_ANSWER, None)
    account = await account_of(house.database, person)
    assert (account.held, account.open_calls) == (0, 0)
    assert await charges(house.database, person) == []


async def assert_still_rings(house: House, person: Person, call: Ringing) -> None:
    """Nobody has answered this call, and it holds its first slice."""
    async with house.database.transaction(user=person.id) as db:
        row = (
            await db.execute(
                text(
                    "SELECT c.status, c.answered_at, h.state, h.held, h.lease_owner FROM calls c"
                    " JOIN credit_holds h ON h.call_id = c.id WHERE c.id = :call"
                ),
                {"call": call.call},
            )
        ).one()
    assert tuple(row) == ("RINGING", None, "AUTHORISED", 15, None)


async def calls_of(house: House, person: Person) -> int:
    async with house.database.transaction(user=person.id) as db:
        return int(await db.scalar(text("SELECT count(*) FROM calls")) or 0)


async def verdict_on(house: House, event_id: str) -> str:
    """What handling a stored report came to, once it is handled."""
    async with asyncio.timeout(10):
        while True:
            async with house.database.transaction(everyone=WHY) as db:
                verdict = await db.scalar(
                    text("SELECT verdict FROM provider_events WHERE event_id = :id AND handled_at IS NOT NULL"),
                    {"id": event_id},
                )
            if verdict is not None:
                return str(verdict)
            await asyncio.sleep(0.05)


async def is_stored(house: House, sid: str) -> bool:
    async with house.database.transaction(everyone=WHY) as db:
        found = await db.scalar(
            text("SELECT count(*) FROM provider_events WHERE event_id LIKE :sid || ':%'"), {"sid": sid}
        )
    return bool(found)
