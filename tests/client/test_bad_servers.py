"""Servers and lines that fail in every way: nothing is done twice, nothing goes on for ever, and the error says it."""

import asyncio
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from talktime.db.session import Database
from talktime_client import (
    ANY,
    AnswerUnreadable,
    ApiError,
    AsyncClient,
    Client,
    Conflict,
    ConnectionFailed,
    KeyReused,
    RateLimited,
    Retry,
    ServerError,
    TimedOut,
    Unavailable,
    UnderWay,
)
from tests.api.program import key_of
from tests.client.conftest import HASTY
from tests.client.wires import Scripted, Wire, breaks_off, drips, hangs_up, is_silent, problem, says
from tests.payments.counter import Counter
from tests.people import Person

KEY = "tt_live_" + "k" * 32
ME = (
    b'{"user_id":"0199c8f4-11d2-7b02-9c0e-5b7a1c2d3e4f","key_id":"0199c8f4-11d2-7b02-9c0e-5b7a1c2d3e4f","role":"USER",'
    b'"scopes":["calls:read"],"zone":"Europe/Berlin","locale":"de"}'
)
INVITATION = b'{"id":"0199c8f4-11d2-7b02-9c0e-5b7a1c2d3e4f","url":"https://talktime.example/invited"}'


async def waiting(server: Scripted, deed: Callable[[Client], Any], **more: Any) -> Any:
    """What a client that waits gets, in a thread of its own."""

    def work() -> Any:
        with Client(server.url, key=KEY, **{"retry": HASTY, **more}) as client:
            return deed(client)

    return await asyncio.to_thread(work)


async def test_a_purchase_whose_answer_was_lost_is_begun_once(
    wire: Wire, counter: Counter, alice: Person, database: Database
) -> None:
    pack = await counter.pack()
    wire.cuts = 2
    async with AsyncClient(wire.url, key=await key_of(database, alice), retry=HASTY) as client:
        purchase = await client.purchases.create(pack_id=pack.id, success_url="https://shop.example/thanks")
    assert len(wire.lost) == 2
    assert b"checkout_url" in wire.lost[0]
    assert [each.id for each in await counter.purchases(alice)] == [purchase.id]


async def test_a_purchase_whose_answer_came_half_is_begun_once_for_who_waits_too(
    wire: Wire, counter: Counter, alice: Person, database: Database
) -> None:
    pack, key = await counter.pack(), await key_of(database, alice)
    wire.cuts, wire.half = 3, True

    def buy() -> uuid.UUID:
        with Client(wire.url, key=key, retry=HASTY) as client:
            return client.purchases.create(pack_id=str(pack.id), idempotency_key="order-1").id

    first = await asyncio.to_thread(buy)
    assert len(wire.lost) == 3
    # The same order again, by another process of the same program.
    assert await asyncio.to_thread(buy) == first
    assert len(await counter.purchases(alice)) == 1


async def test_what_is_not_safe_to_repeat_is_not_repeated_and_says_that_it_may_be_done(
    wire: Wire, alice: Person, database: Database
) -> None:
    async with AsyncClient(wire.url, key=await key_of(database, alice), retry=HASTY) as client:
        agent = await client.agents.get(alice.agent)
        wire.cuts = 1
        with pytest.raises(ConnectionFailed) as failed:
            await client.agents.update(agent.id, name="Front desk", if_match=agent.etag)
        assert failed.value.maybe_done
        assert len(wire.lost) == 1
        assert (await client.agents.get(agent.id)).name == "Front desk"


async def test_what_was_never_sent_is_sent_again_whatever_it_is() -> None:
    async with Scripted([says(200)]) as server:
        url = server.url
    began = time.monotonic()
    async with AsyncClient(url, key=KEY, retry=Retry(tries_max=3, first_wait_seconds=0.05)) as client:
        with pytest.raises(ConnectionFailed) as failed:
            await client.numbers.release(uuid.uuid4())
    assert not failed.value.maybe_done
    assert time.monotonic() - began >= 0.07


@pytest.mark.parametrize(
    "trouble", [hangs_up, breaks_off, problem(503, "database-away"), says(502, b"<html>", "text/html")]
)
async def test_reading_is_tried_again_until_it_works(trouble: Any) -> None:
    async with Scripted([trouble, trouble, says(200, ME)]) as server:
        me = await waiting(server, lambda client: client.me.get())
        assert me.zone == "Europe/Berlin"
        assert len(server.got) == 3
        async with AsyncClient(server.url, key=KEY, retry=HASTY) as client:
            server.got.clear()
            assert await client.me.get() == me
        assert len(server.got) == 3


@pytest.mark.parametrize(
    "trouble", [hangs_up, breaks_off, problem(500, "our-fault"), problem(429, "too-many-requests")]
)
async def test_nothing_is_tried_again_for_ever(trouble: Any) -> None:
    async with Scripted([trouble]) as server:
        with pytest.raises((ConnectionFailed, ServerError, RateLimited)):
            await waiting(server, lambda client: client.me.get())
        assert len(server.got) == 5
        with pytest.raises((ConnectionFailed, ServerError, RateLimited)):
            await waiting(server, lambda client: client.me.get(), retry=Retry(tries_max=1))
        assert len(server.got) == 6


async def test_one_deed_has_one_key_over_all_its_tries_and_the_next_deed_another() -> None:
    troubles = [hangs_up, problem(503, "database-away"), problem(429, "too-many-requests", retry_after="0")]
    async with Scripted([*troubles, says(201, INVITATION)]) as server:
        await waiting(server, lambda client: client.admin.invitations.create(email="eve@example.org"))
        await waiting(server, lambda client: client.admin.invitations.create(email="eve@example.org"))
        await waiting(server, lambda client: client.admin.invitations.create(idempotency_key="mine"))
        keys = [each.headers["idempotency-key"] for each in server.got]
        assert len(set(keys[:4])) == 1
        assert uuid.UUID(keys[0]).version == 4
        assert len(set(keys)) == 3
        assert keys[-1] == "mine"
        assert len({each.body for each in server.got[:4]}) == 1


async def test_a_failure_of_ours_is_not_repeated_for_what_makes_something() -> None:
    async with Scripted([problem(500, "our-fault")]) as server:
        with pytest.raises(ServerError) as failed:
            await waiting(server, lambda client: client.admin.invitations.create())
        assert failed.value.request_id == "r1"
        assert len(server.got) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_change_is_not_repeated_when_the_server_fails(status: int) -> None:
    async with Scripted([problem(status, "trouble")]) as server:
        with pytest.raises(ServerError):
            await waiting(server, lambda client: client.credits.settings.update(if_match=ANY, day_limit=5))
        with pytest.raises(ServerError):
            await waiting(server, lambda client: client.numbers.release(uuid.uuid4()))
        assert len(server.got) == 2


async def test_who_asks_too_much_waits_as_long_as_it_is_told() -> None:
    async with Scripted([problem(429, "too-many-requests", retry_after="1"), says(200, ME)]) as server:
        began = time.monotonic()
        await waiting(server, lambda client: client.me.get())
        assert 1.0 <= time.monotonic() - began < 15.0


async def test_a_wait_that_is_too_long_is_the_callers_to_decide() -> None:
    async with Scripted([problem(429, "too-many-requests", retry_after="3600")]) as server:
        began = time.monotonic()
        with pytest.raises(RateLimited) as failed:
            await waiting(server, lambda client: client.me.get())
        assert failed.value.retry_after_seconds == 3600
        assert time.monotonic() - began < 15
        assert len(server.got) == 1


async def test_the_same_request_that_is_under_way_elsewhere_is_waited_for() -> None:
    under_way = problem(409, "under-way", retry_after="0")
    async with Scripted([*[under_way] * 8, says(201, INVITATION)]) as server:
        invited = await waiting(server, lambda client: client.admin.invitations.create())
        assert invited.url.endswith("/invited")
        assert len(server.got) == 9
    async with Scripted([under_way]) as server:
        began = time.monotonic()
        with pytest.raises(UnderWay):
            await waiting(
                server,
                lambda client: client.admin.invitations.create(),
                retry=Retry(first_wait_seconds=0.1, seconds_max=1),
            )
        assert time.monotonic() - began < 15


async def test_a_conflict_is_not_waited_for() -> None:
    async with Scripted([problem(409, "used-for-something-else"), problem(409, "nothing-for-sale")]) as server:
        with pytest.raises(KeyReused):
            await waiting(server, lambda client: client.admin.invitations.create(idempotency_key="mine"))
        with pytest.raises(Conflict) as failed:
            await waiting(server, lambda client: client.admin.invitations.create())
        assert type(failed.value) is Conflict
        assert len(server.got) == 2


@pytest.mark.parametrize("slow", [is_silent, drips])
async def test_an_answer_has_to_come_in_time(slow: Any) -> None:
    async with Scripted([slow]) as server:
        quick = {"retry": Retry(tries_max=2, first_wait_seconds=0.01), "timeout_seconds": 0.3}
        began = time.monotonic()
        with pytest.raises(TimedOut) as failed:
            await waiting(server, lambda client: client.me.get(), **quick)
        assert failed.value.maybe_done
        async with AsyncClient(server.url, key=KEY, **quick) as client:  # type: ignore[arg-type]
            with pytest.raises(TimedOut):
                await client.me.get()
        assert time.monotonic() - began < 20
        assert len(server.got) == 4


@pytest.mark.parametrize(
    "answer",
    [
        says(200, b"<html>Welcome</html>", "text/html"),
        says(200, b"{"),
        says(200, b"[]"),
        says(200, b"null"),
        says(200, b'{"user_id": "nobody"}'),
        says(200, ME.replace(b'["calls:read"]', b'"calls:read"')),
        says(200, b"[" * 100_000),
        says(200, b"\xff\xfe"),
        says(302, location="https://elsewhere.example/v1/me"),
        says(304),
        says(200, b"not compressed", content_encoding="gzip"),
    ],
)
async def test_an_answer_that_is_none_is_said_to_be_none_and_nothing_of_it_is_shown(answer: Any) -> None:
    async with Scripted([answer]) as server:
        with pytest.raises(AnswerUnreadable) as failed:
            await waiting(server, lambda client: client.me.get())
        assert "nobody" not in str(failed.value)
        assert "Welcome" not in str(failed.value)
        assert len(server.got) == 1


async def test_a_deed_whose_answer_cannot_be_read_is_not_done_again() -> None:
    async with Scripted([says(201, b"{")]) as server:
        with pytest.raises(AnswerUnreadable):
            await waiting(server, lambda client: client.admin.invitations.create())
        assert len(server.got) == 1


async def test_errors_of_a_proxy_are_errors_of_this_api_too() -> None:
    async with Scripted([says(404, b"<html>nginx</html>", "text/html"), says(418, b"", "text/plain")]) as server:
        with pytest.raises(ApiError) as failed:
            await waiting(server, lambda client: client.me.get())
        assert (failed.value.status, failed.value.type, failed.value.detail) == (404, "about:blank", "")
        with pytest.raises(ApiError) as failed:
            await waiting(server, lambda client: client.me.get())
        assert type(failed.value) is ApiError


async def test_a_server_that_goes_in_a_circle_is_not_followed() -> None:
    async with Scripted([says(200, b'{"data": [], "next_cursor": "again", "has_more": true}')]) as server:
        with pytest.raises(AnswerUnreadable, match="same page"):
            await waiting(server, lambda client: list(client.calls.list()))
        assert len(server.got) == 2


async def test_an_answer_without_an_end_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("talktime_client._transport.BYTES_MAX", 10_000)
    async with Scripted([says(200, b" " * 20_000)]) as server:
        with pytest.raises(AnswerUnreadable, match="no end"):
            await waiting(server, lambda client: client.me.get())
        assert len(server.got) == 1


async def test_an_unavailable_server_is_its_own_error() -> None:
    async with Scripted([problem(503, "database-away", retry_after="900")]) as server:
        with pytest.raises(Unavailable) as failed:
            await waiting(server, lambda client: client.me.get())
        assert failed.value.kind == "database-away"
