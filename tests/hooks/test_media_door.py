"""The media socket's door: who may open it, and what must come first. Whatever else stands before it is sent away, and
the call that rings goes on ringing, unanswered and free.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

import orjson
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from talktime.carriers.simulated import SimulatedAccount
from talktime.carriers.twilio_signature import HEADER, sign
from talktime.credits.verify import verify
from talktime.hooks import media
from talktime.http.media_token import media_parameters
from tests.hooks.company import assert_still_rings, ringing, token_of
from tests.house import TALK, House, new_sid
from tests.people import Person, account_of, charges, new_person

POLICY = 1008
CONNECTED = '{"event":"connected","protocol":"Call","version":"1.0.0"}'


@contextlib.asynccontextmanager
async def socket(
    house: House, *, path: str = "/hooks/simulated/media", signature: str | None = None
) -> AsyncIterator[ClientConnection]:
    """A media socket, rightly signed unless another signature is given ("" for none)."""
    url = f"{house.settings.media_url}{path}"
    chosen = sign(token_of(house), url) if signature is None else signature
    headers = {HEADER: chosen} if chosen else {}
    async with connect(url, additional_headers=headers, proxy=None, ping_interval=None, max_size=2**17) as connection:
        yield connection


async def assert_refused(house: House, **how: Any) -> None:
    """The handshake itself is refused: no socket ever was."""
    with pytest.raises(InvalidStatus) as refused:
        async with socket(house, **how):
            pass
    assert refused.value.response.status_code == 403


async def test_a_socket_that_the_carrier_did_not_sign_is_refused_before_it_is_one(house: House, alice: Person) -> None:
    url = f"{house.settings.media_url}/hooks/simulated/media"
    token = token_of(house)
    async with ringing(house, alice) as call:
        for signature in (
            "",
            "nonsense",
            sign(token[::-1], url),
            sign("", url),
            sign(token, f"{house.settings.media_url}/hooks/twilio/media"),
            sign(token, f"{house.settings.base_url}/hooks/simulated/ring"),
            sign(token, url, {"CallSid": [call.sid]}),
        ):
            await assert_refused(house, signature=signature)
        # Rightly signed, and for another address than it goes to.
        await assert_refused(house, path="/hooks/simulated/media?call=1", signature=sign(token, url))
        await assert_still_rings(house, alice, call)


@pytest.mark.parametrize("carrier", ["nobody", "twilio", "Simulated", "%00", ".."])
async def test_a_socket_of_a_carrier_that_is_not_here_is_refused(house: House, carrier: str) -> None:
    await assert_refused(house, path=f"/hooks/{carrier}/media")


def start_of(house: House, sid: str, parameters: Mapping[str, str], **more: Any) -> str:
    """The stream's first words."""
    start = {
        "streamSid": "MZ" + "0" * 32,
        "accountSid": SimulatedAccount.of(house.settings).account_sid,
        "callSid": sid,
        "tracks": ["inbound"],
        "customParameters": dict(parameters),
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        **more,
    }
    return orjson.dumps(
        {"event": "start", "sequenceNumber": "1", "streamSid": "MZ" + "0" * 32, "start": start}
    ).decode()


async def closed_with(house: House, *messages: str | bytes) -> int | None:
    """Say this on a socket; the code with which it was closed. Not a word of audio comes before."""
    async with socket(house) as connection:
        with contextlib.suppress(ConnectionClosed):  # the door may fall shut while we still talk
            for message in messages:
                await connection.send(message)
        async with asyncio.timeout(5):
            with pytest.raises(ConnectionClosed):
                pytest.fail(f"the door answers {await connection.recv()!r}")
        return connection.close_code


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The door waits half a second for the first words."""
    monkeypatch.setattr(media, "_START_SECONDS", 0.5)


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("said", [(), (CONNECTED,), (CONNECTED,) * 20], ids=["nothing", "hello", "hello and hello"])
async def test_a_socket_that_does_not_come_to_the_point_is_closed(
    house: House, alice: Person, said: tuple[str, ...]
) -> None:
    async with ringing(house, alice) as call:
        assert await closed_with(house, *said) == POLICY
        await assert_still_rings(house, alice, call)


@pytest.mark.parametrize(
    "message",
    [
        "",
        "hello",
        b"\xff\xfe\x00",
        "[]",
        "null",
        "{}",
        '{"event":5}',
        '{"event":"start"}',
        '{"event":"start","start":[]}',
        '{"event":"start","start":{"customParameters":{"token":null}}}',
        '{"event":"media","media":{"payload":"//8="}}',
        '{"event":"stop","streamSid":"MZ","stop":{}}',
        '{"event":"mark","streamSid":"","mark":{"name":"x"}}',
        "[" * 60_000,
        '{"event":"' + "x" * 60_000 + '"',
    ],
    ids=lambda message: repr(message[:30]),
)
async def test_garbage_first_closes_the_socket(house: House, alice: Person, message: str | bytes) -> None:
    async with ringing(house, alice) as call:
        assert await closed_with(house, message) == POLICY
        await assert_still_rings(house, alice, call)


async def test_a_frame_larger_than_any_carrier_sends_closes_the_socket(house: House, alice: Person) -> None:
    async with ringing(house, alice) as call:
        assert await closed_with(house, "x" * 70_000) == 1009
        await assert_still_rings(house, alice, call)


async def test_a_start_without_the_rings_own_token_closes_the_socket(house: House, alice: Person) -> None:
    bob = await new_person(house.database, "Bob", credits=1000)
    async with ringing(house, alice) as call, ringing(house, bob) as other:
        right = call.parameters
        wrong: list[dict[str, str]] = [
            {},
            {**right, "token": ""},
            {**right, "token": right["token"][::-1]},
            {**right, "token": right["token"] + "="},
            {**right, "token": "☎\x00" * 100},
            {**right, "token": other.parameters["token"]},
            {**right, "user": other.parameters["user"]},
            {**right, "call": other.parameters["call"]},
            {**right, "call": "not a uuid"},
            {**right, "user": right["user"].upper()},
        ]
        for parameters in wrong:
            assert await closed_with(house, CONNECTED, start_of(house, call.sid, parameters)) == POLICY, parameters
        # The right token, brought by another call.
        for sid in (other.sid, new_sid(), "x"):
            assert await closed_with(house, CONNECTED, start_of(house, sid, right)) == POLICY
        # And right in everything but the form of the audio.
        mp3 = {"encoding": "audio/mp3", "sampleRate": 44100, "channels": 2}
        assert await closed_with(house, start_of(house, call.sid, right, mediaFormat=mp3)) == POLICY
        await assert_still_rings(house, alice, call)
        await assert_still_rings(house, bob, other)


async def test_a_start_for_a_call_that_has_ended_closes_the_socket(house: House, alice: Person) -> None:
    house.ears.words[:] = ["hello"]
    record = await house.record(alice, await house.call(alice, *TALK))
    spent = media_parameters(house.settings.secret, "simulated", record.call.carrier_call_id, alice.id, record.call.id)
    for _ in range(2):
        assert await closed_with(house, CONNECTED, start_of(house, record.call.carrier_call_id, spent)) == POLICY
    again = await house.settled(alice, record.call.carrier_call_id)
    assert (again.call.status, again.call.seconds) == (record.call.status, record.call.seconds)
    assert await charges(house.database, alice) == [-15]
    account = await account_of(house.database, alice)
    assert (account.held, account.open_calls) == (0, 0)


async def test_a_start_for_a_call_whose_caller_gave_up_closes_the_socket(house: House, alice: Person) -> None:
    async with ringing(house, alice) as call:
        pass
    assert await closed_with(house, CONNECTED, start_of(house, call.sid, call.parameters)) == POLICY
    assert await charges(house.database, alice) == []


async def test_after_all_that_the_books_are_right(house: House) -> None:
    assert (await verify(house.database, full=True)).violations == ()
