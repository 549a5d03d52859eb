"""HEAD: the beginning of what GET gives, by the same code, and no more work than that."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from talktime.cli.serving import server_config
from talktime.http.heads import HeadsOnly, answer_heads
from talktime.http.patience import Patience
from talktime.simulate.server import listen, serve_as


def scope(method: str) -> dict[str, Any]:
    return {"type": "http", "method": method, "path": "/"}


async def nothing_more() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


@pytest.mark.parametrize("body", [[b"all of it"], [b"some ", b"more"]])
async def test_the_application_is_asked_with_get_and_its_body_is_kept_back(body: list[bytes]) -> None:
    asked: list[str] = []
    sent: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        asked.append(scope["method"])
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
        for number, piece in enumerate(body, 1):
            await send({"type": "http.response.body", "body": piece, "more_body": number < len(body)})

    async def send(message: Any) -> None:
        sent.append(dict(message))

    before = scope("HEAD")
    await HeadsOnly(app)(before, nothing_more, send)
    assert (asked, before["method"]) == (["GET"], "HEAD")
    assert sent == [
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]},
        {"type": "http.response.body", "body": b"", "more_body": False},
    ]


async def test_every_other_method_is_left_alone() -> None:
    seen: list[tuple[str, Any, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope.get("method", ""), receive, send))

    async def send(_: Any) -> None:
        pass

    asked = [scope("GET"), scope("POST"), scope("head"), {"type": "websocket", "path": "/"}, {"type": "lifespan"}]
    for each in asked:
        await HeadsOnly(app)(each, nothing_more, send)
    assert seen == [(each.get("method", ""), nothing_more, send) for each in asked]


async def test_a_table_that_is_drawn_while_it_is_sent_is_drawn_no_further_than_its_first_piece() -> None:
    app = FastAPI()
    drawn, cut_off = [0], [0]

    @app.get("/table")
    async def table() -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(100):
                drawn[0] += 1
                yield b"x" * 1000
                try:
                    await asyncio.sleep(0.01)
                except asyncio.CancelledError:
                    cut_off[0] += 1
                    raise

        return StreamingResponse(pieces(), media_type="text/csv")

    answer_heads(app)
    listener = listen(0)
    async with (
        serve_as(server_config(app, Patience()), listener),
        httpx.AsyncClient(base_url="http://{}:{}".format(*listener.getsockname())) as browser,
    ):
        for _ in range(3):
            answer = await browser.head("/table")
            assert (answer.status_code, answer.content) == (200, b"")
            assert answer.headers["content-type"].startswith("text/csv")
        await asyncio.sleep(0.5)
        assert (drawn, cut_off) == ([3], [0]), "stopped between two pieces, and not in the middle of the next"
        assert len((await browser.get("/table")).content) == 100_000
        assert (await browser.head("/nowhere")).status_code == 404
        assert (await browser.request("OPTIONS", "/table")).status_code == 405
