"""Connections that are kept open and that the other side closes just as they are used again: what may be asked twice
is asked once more, and what rings somebody or costs money is not.
"""

import asyncio
import socket
import struct
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from talktime.carriers.contract import Forward, LegState
from talktime.carriers.numbers import Doors, Spoken
from talktime.carriers.twilio import Twilio
from talktime.errors import ProviderError
from talktime.simulate.carrier import SimulatedCarrier
from talktime.simulate.orders import Order, Stay
from tests.simulate.exchange import ACCOUNT, TOKEN

MakeOrder = Callable[..., Order]
LONDON, OTHER = "+442079460001", "+442079460002"
DOORS = Doors("https://a.example/ring", "https://a.example/report")


class Closing:
    """A way to the company on which a connection carries so many requests; the next one finds it closed."""

    def __init__(self, port: int, *, carries: int, resets: bool) -> None:
        self._to, self._carries, self._resets = port, carries, resets
        self.came: list[str] = []
        """What was asked, also what was never passed on."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._to)
        try:
            for place in range(self._carries + 1):
                asked = await _message(reader)
                self.came.append(asked.partition(b" ")[0].decode())
                if place < self._carries:
                    back.write(asked)
                    writer.write(await _message(there))
                    await writer.drain()
            if self._resets:
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            back.close()
            writer.close()


async def _message(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
    return head + await reader.readexactly(int(fields.get(b"content-length", b"0")))


@asynccontextmanager
async def through(
    carrier: SimulatedCarrier, *, carries: int = 1, resets: bool = False
) -> AsyncIterator[tuple[Closing, Twilio]]:
    closing = Closing(carrier.port, carries=carries, resets=resets)
    async with await asyncio.start_server(closing.serve, "127.0.0.1", 0) as server:
        twilio = Twilio(ACCOUNT, TOKEN, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        try:
            yield closing, twilio
        finally:
            await twilio.close()


async def talking(carrier: SimulatedCarrier, order: MakeOrder) -> AsyncGenerator[str, None]:
    """A call that goes on for as long as somebody asks for its name."""
    async with aclosing(carrier.place(order(Stay()))) as call:
        sid = ""
        async for event in call:
            sid = event.get("call_sid", sid)
            if event["event"] == "stream_opened":
                yield sid
                return


@pytest.mark.parametrize("resets", [False, True])
async def test_a_hang_up_that_meets_a_connection_just_closed_ends_the_call_all_the_same(
    carrier: SimulatedCarrier, order: MakeOrder, resets: bool
) -> None:
    async with through(carrier, resets=resets) as (closing, twilio), aclosing(talking(carrier, order)) as calls:
        sid = await anext(calls)
        assert await twilio.look_up(sid)
        await twilio.hang_up(sid)
        call = carrier.leg(sid)
        assert call is not None
        assert call.record.state is LegState.COMPLETED
        assert closing.came == ["GET", "POST", "POST"]


async def test_whatever_may_be_asked_twice_is_asked_once_more(carrier: SimulatedCarrier, order: MakeOrder) -> None:
    carrier.numbers.put(OTHER)
    async with through(carrier) as (closing, twilio), aclosing(talking(carrier, order)) as calls:
        sid = await anext(calls)
        # Each comes second on a connection that the one before opened.
        owned = await twilio.numbers.find(OTHER)
        assert owned is not None
        verbs: list[Any] = [
            lambda: twilio.look_up(sid),
            lambda: twilio.limit(sid, 60),
            lambda: twilio.forwarded_to(sid),
            lambda: twilio.numbers.owned(),
            lambda: twilio.numbers.configure(owned.number_id, DOORS),
            lambda: twilio.numbers.release(owned.number_id),
        ]
        for verb in verbs:
            await verb()
        assert closing.came == ["GET", *(each for verb in ("GET", "POST", "GET", "GET", "POST", "DELETE")
                                         for each in (verb, verb))]  # fmt: skip
    assert carrier.numbers.by_number(OTHER) is None


async def test_what_rings_somebody_or_costs_money_is_asked_once(carrier: SimulatedCarrier, order: MakeOrder) -> None:
    orders, legs = carrier.numbers.orders, carrier.heard(OTHER)
    async with through(carrier) as (closing, twilio), aclosing(talking(carrier, order)) as calls:
        sid = await anext(calls)
        verbs: list[Any] = [
            lambda: twilio.forward(sid, Forward(number=OTHER), 60),
            lambda: twilio.numbers.buy(LONDON, DOORS),
            lambda: twilio.numbers.place(OTHER, LONDON, Spoken(("Hello.",))),
        ]
        for verb in verbs:
            await twilio.look_up(sid)
            with pytest.raises(ProviderError) as error:
                await verb()
            assert not error.value.permanent, "perhaps it was done"
        assert closing.came == ["GET", "POST"] * len(verbs)
    assert carrier.numbers.orders == orders
    assert carrier.heard(OTHER) == legs


async def test_a_company_that_closes_every_connection_is_asked_twice_and_no_more(
    carrier: SimulatedCarrier, order: MakeOrder
) -> None:
    async with through(carrier, carries=0) as (closing, twilio):
        for verb in (twilio.hang_up, twilio.look_up):
            with pytest.raises(ProviderError) as error:
                await verb("CA" + "0" * 32)
            assert not error.value.permanent
    assert closing.came == ["POST", "POST", "GET", "GET"]
