"""A request's body at each door of a provider: a length that lies, or is none, gets an answer that says so."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI, Request
from starlette.types import Message

from talktime.hooks import calls, payments
from talktime.http.body import CutShort, TooLarge, read_body
from tests.house import House

DOORS = ["/hooks/simulated/ring", "/hooks/simulated/report", "/hooks/payments/simulated"]
LENGTHS = {
    "a word": b"abc",
    "nothing": b"",
    "a blank": b" ",
    "less than nothing": b"-1",
    "a sign": b"+5",
    "a fraction": b"5.0",
    "an exponent": b"1e3",
    "separated digits": b"1_0",
    "hexadecimal": b"0x5",
    "two": b"5, 5",
    "other digits": "\u0665".encode(),
    "no text": b"\xb2",
    "a NUL": b"5\x00",
}


async def posted(app: FastAPI, door: str, body: bytes | AsyncIterator[bytes], *lengths: bytes) -> httpx.Response:
    """What the application itself answers: a server in front of it refuses some of this before."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = [(b"content-length", length) for length in lengths]
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        return await client.post(door, content=body, headers=headers)


@pytest.mark.parametrize("length", LENGTHS.values(), ids=LENGTHS)
@pytest.mark.parametrize("door", DOORS)
async def test_a_length_that_is_none_is_a_bad_request(house: House, door: str, length: bytes) -> None:
    answer = await posted(house.app, door, b"a=b&c", length)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert answer.headers["connection"] == "close"
    assert "Content-Length" in answer.json()["title"]


@pytest.mark.parametrize("lengths", [[b"4"], [b"6"], [b"0"], [b"64"], [b"5", b"6"], [b"6", b"5"]], ids=str)
@pytest.mark.parametrize("door", DOORS)
async def test_a_length_that_is_not_the_bodys_is_a_bad_request(house: House, door: str, lengths: list[bytes]) -> None:
    answer = await posted(house.app, door, b"a=b&c", *lengths)
    assert (answer.status_code, "Content-Length" in answer.text) == (400, True)


@pytest.mark.parametrize("length", [b"262145", b"9" * 20, b"9" * 5000, b"0" * 5000 + b"300000"], ids=len)
@pytest.mark.parametrize("door", DOORS)
async def test_a_length_above_the_limit_is_too_large_however_it_is_written(
    house: House, door: str, length: bytes
) -> None:
    answer = await posted(house.app, door, b"a=b&c", length)
    assert (answer.status_code, answer.json()["title"]) == (413, "The request is too large.")


@pytest.mark.parametrize("door", DOORS)
async def test_a_body_that_grows_above_the_limit_is_too_large_though_nothing_says_so(house: House, door: str) -> None:
    async def growing() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 50_000

    async with asyncio.timeout(10):
        answer = await posted(house.app, door, growing())
    assert answer.status_code == 413


@pytest.mark.parametrize("door", DOORS)
async def test_a_body_that_never_comes_to_its_end_is_not_waited_for(
    house: House, monkeypatch: pytest.MonkeyPatch, door: str
) -> None:
    for doors in (calls, payments):
        monkeypatch.setattr(doors, "_BODY_SECONDS", 0.2)

    async def drop_by_drop() -> AsyncIterator[bytes]:
        while True:
            yield b"x"
            await asyncio.sleep(0.01)

    async with asyncio.timeout(10):
        answer = await posted(house.app, door, drop_by_drop())
    assert (answer.status_code, answer.json()["title"]) == (408, "The request did not come to its end.")
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize("lengths", [[], [b"5"], [b"5", b"5"], [b"005"], [b"0" * 5000 + b"5"]], ids=len)
async def test_a_body_of_its_length_is_read_as_it_came(lengths: list[bytes]) -> None:
    assert await read(b"\x00\xff", b"", b"&=\n", lengths=lengths) == b"\x00\xff&=\n"


async def test_no_body_is_an_empty_one() -> None:
    assert await read(lengths=[]) == await read(lengths=[b"0"]) == b""


async def test_a_body_is_as_long_as_the_limit_and_no_longer() -> None:
    assert await read(b"x" * 6, b"x" * 4, lengths=[]) == b"x" * 10
    with pytest.raises(TooLarge):
        await read(b"x" * 6, b"x" * 5, lengths=[])


async def test_a_length_above_the_limit_is_refused_before_anything_is_read() -> None:
    with pytest.raises(TooLarge):
        await read(lengths=[b"11"], goes_away=True)


async def test_who_goes_away_in_the_middle_has_sent_nothing() -> None:
    with pytest.raises(CutShort):
        await read(b"half", lengths=[b"8"], goes_away=True)


async def read(*pieces: bytes, lengths: list[bytes], goes_away: bool = False) -> bytes:
    """What is read of a request that comes in these pieces."""
    messages: list[Message] = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    messages.append({"type": "http.disconnect"} if goes_away else {"type": "http.request", "body": b""})
    coming = iter(messages)

    async def receive() -> Message:
        return next(coming)

    headers = [(b"content-length", length) for length in lengths]
    request = Request({"type": "http", "method": "POST", "headers": headers}, receive)
    return await read_body(request, bytes_max=10, seconds_max=5)


@pytest.mark.parametrize("door", DOORS)
async def test_who_is_refused_in_the_middle_of_a_body_is_not_listened_to_any_more(house: House, door: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", house.settings.port)
    writer.write(f"POST {door} HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n".encode())
    answered = await reader.readuntil(b"\r\n")
    assert b" 413 " in answered
    try:
        async with asyncio.timeout(8):
            with contextlib.suppress(ConnectionError):
                while not reader.at_eof():
                    writer.write(b"x" * 1000)
                    await writer.drain()
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(reader.read(1000), 0.2)
    except TimeoutError:
        pytest.fail("the connection stays open for as long as somebody sends")
    finally:
        writer.close()
