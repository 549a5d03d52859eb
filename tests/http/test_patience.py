"""Whoever is slow, silent or crooked on a raw socket: let go in time, and nobody else waits for it."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest
import websockets
from fastapi import FastAPI, Request, WebSocket
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from talktime.cli.serving import server_config
from talktime.http.patience import Patience
from talktime.simulate.server import listen, serve_as
from tests.house import House

PAGE = b"GET /page HTTP/1.1\r\nHost: here\r\n\r\n"
QUICK = Patience(
    first_seconds=0.6, idle_seconds=1.2, head_seconds=0.6, body_seconds=0.8, rest_seconds=0.4, take_seconds=0.5,
    rest_bytes=100_000, waiting_max=20,
)  # fmt: skip
LONG_SECONDS = 2.5
"""Longer than each of these, and than most of them together."""


def site() -> FastAPI:
    """Pages that read, that do not, that take their time, and a socket that is silent."""
    app = FastAPI()

    @app.get("/page")
    async def page() -> Response:
        return PlainTextResponse("here you are")

    @app.post("/reads")
    async def reads(request: Request) -> Response:
        return PlainTextResponse(str(len(await request.body())))

    @app.post("/deaf")
    async def deaf() -> Response:
        return PlainTextResponse("did not listen")

    @app.get("/late")
    async def late() -> Response:
        await asyncio.sleep(LONG_SECONDS)
        return PlainTextResponse("at last")

    @app.get("/streamed")
    async def streamed() -> Response:
        async def parts() -> AsyncIterator[bytes]:
            for _ in range(10):
                await asyncio.sleep(LONG_SECONDS / 10)
                yield b"x"

        return StreamingResponse(parts())

    @app.get("/big")
    async def big() -> Response:
        async def parts() -> AsyncIterator[bytes]:
            for _ in range(400):
                yield b"x" * 100_000

        return StreamingResponse(parts())

    @app.websocket("/socket")
    async def quiet(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text(f"heard {await websocket.receive_text()}")
        await websocket.receive()

    return app


class Raw:
    """One connection, byte for byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.began = time.monotonic()

    @classmethod
    async def open(cls, port: int, sent: bytes = b"") -> "Raw":
        raw = cls(*await asyncio.open_connection("127.0.0.1", port))
        raw.writer.write(sent)
        return raw

    async def answer(self, seconds_max: float = 5) -> bytes:
        """One whole answer, whose end its length tells."""
        async with asyncio.timeout(seconds_max):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
            return head + await self.reader.readexactly(int(length.split(b":")[1]))

    async def drip(self, seconds: float, byte: bytes = b"x") -> None:
        """A byte now and then, until nobody takes it."""
        with contextlib.suppress(OSError):
            while True:
                self.writer.write(byte)
                await self.writer.drain()
                await asyncio.sleep(seconds)

    async def rest(self, seconds_max: float = 5) -> bytes:
        """What comes until the other side closes. Raises TimeoutError when it does not."""
        async with asyncio.timeout(seconds_max):
            with contextlib.suppress(ConnectionError):
                return await self.reader.read()
            return b""

    async def closed_after(self, seconds_max: float = 5) -> float:
        await self.rest(seconds_max)
        self.writer.close()
        return time.monotonic() - self.began


@contextlib.asynccontextmanager
async def serving(patience: Patience) -> AsyncIterator[int]:
    listener = listen(0)
    port: int = listener.getsockname()[1]
    async with serve_as(server_config(site(), patience), listener):
        yield port


@pytest.fixture(scope="module")
async def quick() -> AsyncIterator[int]:
    async with serving(QUICK) as port:
        yield port


@pytest.mark.parametrize("sent", [b"", b"G", PAGE[:-2], PAGE[:-1]], ids=["nothing", "a byte", "a head", "all but one"])
async def test_who_sends_no_whole_head_is_let_go(quick: int, sent: bytes) -> None:
    assert 0.4 < await (await Raw.open(quick, sent)).closed_after() < 3


async def test_a_head_that_drips_has_one_clock_and_not_one_for_each_byte(quick: int) -> None:
    raw = await Raw.open(quick, b"GET /page HTTP/1.1\r\nHost: here\r\nX-Drip: ")
    dripping = asyncio.create_task(raw.drip(0.05))
    assert 0.4 < await raw.closed_after() < 3
    dripping.cancel()


async def test_a_body_that_drips_is_not_waited_for(quick: int) -> None:
    raw = await Raw.open(quick, b"POST /reads HTTP/1.1\r\nHost: here\r\nContent-Length: 5000\r\n\r\n")
    dripping = asyncio.create_task(raw.drip(0.05))
    assert 0.5 < await raw.closed_after() < 3
    dripping.cancel()


@pytest.mark.parametrize("framing", [b"Content-Length: 900000000", b"Transfer-Encoding: chunked"])
async def test_a_body_that_nobody_reads_is_not_read_for_ever(quick: int, framing: bytes) -> None:
    raw = await Raw.open(quick, b"POST /deaf HTTP/1.1\r\nHost: here\r\n" + framing + b"\r\n\r\n")
    assert (await raw.answer()).endswith(b"did not listen")
    dripping = asyncio.create_task(raw.drip(0.05, b"1\r\nx\r\n"))
    assert await raw.closed_after() < 3
    dripping.cancel()


async def test_a_flood_that_nobody_reads_is_cut_off(quick: int) -> None:
    raw = await Raw.open(quick, b"POST /deaf HTTP/1.1\r\nHost: here\r\nContent-Length: 900000000\r\n\r\n")
    await raw.answer()
    sent = 0
    with contextlib.suppress(OSError):
        async with asyncio.timeout(5):
            while True:
                raw.writer.write(b"x" * 65536)
                await raw.writer.drain()
                sent += 65536
    # What lies in the system's buffers is sent, too.
    assert sent < 50_000_000
    raw.writer.close()


async def test_a_body_that_nobody_reads_and_that_is_there_costs_nobody_the_connection(quick: int) -> None:
    raw = await Raw.open(quick, b"POST /deaf HTTP/1.1\r\nHost: here\r\nContent-Length: 5\r\n\r\nhello" + PAGE)
    assert (await raw.answer()).endswith(b"did not listen")
    assert (await raw.answer()).endswith(b"here you are")
    raw.writer.close()


async def test_a_connection_is_kept_for_the_next_request_and_not_for_ever(quick: int) -> None:
    raw = await Raw.open(quick)
    for _ in range(4):
        raw.writer.write(PAGE)
        assert (await raw.answer()).endswith(b"here you are")
        await asyncio.sleep(0.8)  # longer than a head may take
    assert await raw.closed_after() - 4 * 0.8 < 3


async def test_who_asks_and_takes_nothing_is_let_go(quick: int) -> None:
    raw = Raw(*await asyncio.open_connection("127.0.0.1", quick, limit=1024))
    raw.writer.write(b"GET /big HTTP/1.1\r\nHost: here\r\n\r\n")
    await asyncio.sleep(2)
    # What was on its way is all there is: the other end is gone.
    assert len(await raw.rest()) < 39_000_000
    raw.writer.close()


async def test_who_takes_an_answer_slowly_gets_all_of_it(quick: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", quick, limit=64 * 1024)
    writer.write(b"GET /big HTTP/1.0\r\n\r\n")
    taken, began = 0, time.monotonic()
    async with asyncio.timeout(30):
        while part := await reader.read(2_000_000):
            taken += len(part)
            await asyncio.sleep(0.005)
    assert taken > 40_000_000, time.monotonic() - began
    writer.close()


@pytest.mark.parametrize(("path", "end"), [("late", b"at last"), ("streamed", b"1\r\nx\r\n0\r\n\r\n")])
async def test_our_own_work_may_take_as_long_as_it_takes(quick: int, path: str, end: bytes) -> None:
    raw = await Raw.open(quick, f"GET /{path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n".encode())
    assert (await raw.rest(10)).endswith(end)
    raw.writer.close()


async def test_a_media_socket_has_no_clock_of_ours(quick: int) -> None:
    async with websockets.connect(f"ws://127.0.0.1:{quick}/socket", ping_interval=None) as talk:
        await asyncio.sleep(LONG_SECONDS)
        await talk.send("a voice")
        assert await talk.recv() == "heard a voice"


async def test_who_has_been_without_a_head_longest_makes_room(quick: int) -> None:
    raws = [await Raw.open(quick, b"GET") for _ in range(QUICK.waiting_max + 5)]
    gone = await asyncio.gather(*(raw.closed_after() for raw in raws))
    assert max(gone[:3]) < 0.4 < min(gone[-10:])


async def test_a_page_is_served_while_two_hundred_drip_and_each_is_gone_in_time() -> None:
    async with serving(Patience()) as port:
        raws = [await Raw.open(port, b"GET /page HTTP/1.1\r\nX-Drip: ") for _ in range(200)]
        dripping = [asyncio.create_task(raw.drip(0.5)) for raw in raws]
        gone = [asyncio.create_task(raw.closed_after(20)) for raw in raws]
        for _ in range(10):
            began = time.monotonic()
            raw = await Raw.open(port, PAGE)
            assert (await raw.answer()).endswith(b"here you are")
            raw.writer.close()
            assert time.monotonic() - began < 1
            await asyncio.sleep(0.5)
        assert max(await asyncio.gather(*gone)) < 15
        for each in dripping:
            each.cancel()


CROOKED = {
    "two lengths": b"POST /reads HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "a list of lengths": b"POST /reads HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 6\r\n\r\nhello",
    "a length and chunks": (
        b"POST /reads HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
    "chunks and a length": (
        b"POST /reads HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"
    ),
    "chunks in 1.0": b"POST /reads HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks twice": (
        b"POST /reads HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
    "hidden chunks": b"POST /reads HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a blank before the colon": b"POST /reads HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\nhello",
    "a negative length": b"POST /reads HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\nhello",
    "two hosts": b"GET /page HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "no host": b"GET /page HTTP/1.1\r\n\r\n",
    "no chunk": b"POST /reads HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nhello\r\n",
    "a NUL": b"GET /page HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}


@pytest.mark.parametrize("sent", CROOKED.values(), ids=CROOKED)
async def test_what_could_be_read_in_two_ways_is_refused_and_nothing_after_it_is_read(quick: int, sent: bytes) -> None:
    raw = await Raw.open(quick, sent + PAGE)
    said = await raw.rest()
    status = int(said.split(b" ", 2)[1])
    assert status in (400, 501)
    assert said.count(b"HTTP/1.1 ") == 1 and b"here you are" not in said
    raw.writer.close()


@pytest.mark.parametrize("in_pieces", [False, True])
@pytest.mark.parametrize("size", [33_000, 64_000, 200_000])
async def test_a_head_that_is_too_long_is_refused_however_it_comes(quick: int, size: int, in_pieces: bool) -> None:
    raw = await Raw.open(quick, b"GET /page HTTP/1.1\r\nHost: here\r\n")
    head = b"X-Long: " + b"x" * size + b"\r\n\r\n"
    for at in range(0, len(head), 10_000 if in_pieces else len(head)):
        with contextlib.suppress(OSError):
            raw.writer.write(head[at : at + (10_000 if in_pieces else len(head))])
            await raw.writer.drain()
            await asyncio.sleep(0.01)
    said = await raw.rest()
    # Where more was on its way the system may take the answer back with the connection.
    assert said.startswith(b"HTTP/1.1 431 ") or (said == b"" and size > 33_000)
    raw.writer.close()


async def test_many_small_headers_are_one_long_head(quick: int) -> None:
    raw = await Raw.open(quick, b"GET /page HTTP/1.1\r\nHost: here\r\n" + b"a: b\r\n" * 10_000 + b"\r\n")
    assert (await raw.rest()).startswith(b"HTTP/1.1 431 ")
    raw.writer.close()


async def test_nonsense_in_a_body_whose_answer_is_out_ends_the_connection_only(
    quick: int, caplog: pytest.LogCaptureFixture
) -> None:
    raw = await Raw.open(quick, b"POST /deaf HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n")
    assert (await raw.answer()).endswith(b"did not listen")
    raw.writer.write(b"no chunk\r\n")
    assert await raw.rest() == b""
    assert "Traceback" not in caplog.text and "Fatal" not in caplog.text
    raw.writer.close()


async def test_the_installation_itself_is_served_that_way(house: House) -> None:
    raw = await Raw.open(house.settings.port, CROOKED["a length and chunks"])
    assert (await raw.rest()).startswith(b"HTTP/1.1 400 ")
    raw.writer.close()
