"""Workers are killed in the middle, and there are many of them: everything arrives, and nothing twice at a time."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import orjson

from talktime.simulate.receiver import Receiver
from talktime.webhooks.models import DeliveryState
from tests.webhooks.conftest import Desk

ROOT = Path(__file__).resolve().parents[2]
Process = asyncio.subprocess.Process


@asynccontextmanager
async def worker(desk: Desk) -> AsyncIterator[Process]:
    """A worker that runs, and is gone at the end of the block if it was not killed before."""
    url = desk.database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.webhooks.worker", url, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            assert await process.stdout.readline() == b"ready\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def until_delivered(desk: Desk, count: int, seconds_max: float = 60) -> None:
    async with asyncio.timeout(seconds_max):
        while [each.state for each in await desk.deliveries()].count(DeliveryState.DELIVERED) < count:
            await asyncio.sleep(0.1)


async def test_a_worker_that_is_killed_between_sending_and_writing_down_loses_nothing(desk: Desk) -> None:
    """At least once, and under the same id: the receiver has had it, and nobody here knows."""
    desk.receiver.seconds = 20
    await desk.emit("call.ended", place=1)
    async with worker(desk) as process:
        await desk.receiver.until(1, seconds_max=30)
        process.kill()
        await process.wait()
    (delivery,) = await desk.deliveries()
    assert (delivery.state, delivery.attempts) == (DeliveryState.PENDING, 1)
    assert [each.milliseconds for each in await desk.attempts()] == [None]
    desk.receiver.seconds = 0
    async with worker(desk):
        await asyncio.sleep(1)
        assert len(desk.receiver.received) == 1, "the one who died may still be sending, for all anybody knows"
        await desk.later(seconds=60)
        await until_delivered(desk, 1)
    first, second = desk.receiver.genuine
    assert (first.id, first.body) == (second.id, second.body)


async def test_eight_processes_send_everything_once_in_order_and_one_at_a_time(desk: Desk) -> None:
    async with AsyncExitStack() as stack:
        receivers = [desk.receiver, *[await stack.enter_async_context(Receiver()) for _ in range(3)]]
        for receiver in receivers[1:]:
            await desk.add(receiver)
        for place in range(40):
            await desk.emit("call.ended", place=place)
        for _ in range(8):
            await stack.enter_async_context(worker(desk))
        await until_delivered(desk, 160, seconds_max=120)
    for receiver in receivers:
        assert [orjson.loads(each.body)["data"]["place"] for each in receiver.genuine] == list(range(40))
        assert receiver.at_once_max == 1
    assert {each.attempts for each in await desk.deliveries()} == {1}
