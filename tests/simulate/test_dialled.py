"""The legs that a `<Dial>` makes at the phone company: rung, reported, looked up, ended; and what comes after them."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

import httpx
import pytest

from talktime.carriers.contract import Announce, Forward, LegState
from talktime.carriers.twilio import Twilio
from talktime.errors import ProviderError
from talktime.simulate import twiml
from talktime.simulate.carrier import SimulatedCarrier
from talktime.simulate.orders import Faults, Order, Stay
from tests.simulate.conftest import all_of, named
from tests.simulate.exchange import ACCOUNT, TOKEN, Exchange, Plan

MakeOrder = Callable[..., Order]
PERSON = "+4930999"


@pytest.fixture(scope="module")
async def twilio(carrier: SimulatedCarrier) -> AsyncGenerator[Twilio, None]:
    twilio = Twilio(ACCOUNT, TOKEN, carrier.api_base)
    yield twilio
    await twilio.close()


def forward(exchange: Exchange, **more: Any) -> Forward:
    return Forward(PERSON, **{"reports_url": f"{exchange.url}/report", "seconds_max": 60, **more})


async def until(call: AsyncGenerator[dict[str, Any], None], name: str) -> dict[str, Any]:
    async for event in call:
        if event["event"] == name:
            return event
    raise AssertionError(f"the call ended without {name}")


async def test_a_live_call_is_forwarded_and_its_leg_is_a_call_of_its_own(
    carrier: SimulatedCarrier, twilio: Twilio, exchange: Exchange, order: MakeOrder
) -> None:
    async with aclosing(carrier.place(order(Stay(), dial_ring_seconds=0.3, dial_seconds=1.1))) as call:
        sid = (await until(call, "placed"))["call_sid"]
        await until(call, "stream_opened")
        assert await twilio.forwarded_to(sid) == []
        await twilio.forward(sid, forward(exchange), 600)
        name = (await until(call, "forwarded"))["call_sid"]
        (leg,) = await twilio.forwarded_to(sid)
        assert (leg.call_id, leg.state) == (name, LegState.RINGING)
        assert await twilio.look_up(name) == leg
        await until(call, "leg_ended")
        (leg,) = await twilio.forwarded_to(sid)
        assert (leg.state, leg.seconds) == (LegState.COMPLETED, 1)
        assert (await until(call, "ended"))["hung_up_by"] == "agent"
        await until(call, "leg_report")
    assert exchange.sockets[0].stopped
    reports = [(report.state, report.seconds) for report in exchange.reports if report.call_id == name]
    assert reports == [(LegState.IN_PROGRESS, None), (LegState.COMPLETED, 1)]


@pytest.mark.parametrize(
    ("outcome", "state"),
    [("busy", LegState.BUSY), ("no-answer", LegState.NO_ANSWER), ("failed", LegState.FAILED)],
)
async def test_a_leg_that_nobody_answers_is_reported_once_and_the_markup_asked_how_to_go_on(
    carrier: SimulatedCarrier, exchange: Exchange, order: MakeOrder, outcome: str, state: LegState
) -> None:
    exchange.plan = Plan(answer=forward(exchange, after_url=f"{exchange.url}/ring"))
    going = asyncio.create_task(all_of(carrier, order(dial=outcome, words_per_second=50)))
    await asyncio.sleep(0.1)
    exchange.plan.answer = Announce("Nobody is there.", "en")
    events = await going
    assert named(events, "announced")[0]["text"] == "Nobody is there."
    (leg,) = [report for report in exchange.reports if report.call_id == named(events, "forwarded")[0]["call_sid"]]
    assert (leg.state, leg.seconds) == (state, 0)
    assert exchange.rings[-1]["DialCallStatus"] == outcome


async def test_a_leg_that_rings_too_long_is_given_up(
    carrier: SimulatedCarrier, exchange: Exchange, order: MakeOrder
) -> None:
    exchange.plan = Plan(answer=forward(exchange, ring_seconds_max=1))
    events = await all_of(carrier, order(dial_ring_seconds=5))
    assert named(events, "leg_ended")[0]["state"] == "no-answer"


async def test_ending_the_callers_call_ends_the_leg_and_ending_the_leg_not_at_once_the_callers(
    carrier: SimulatedCarrier, twilio: Twilio, exchange: Exchange, order: MakeOrder
) -> None:
    exchange.plan = Plan(answer=forward(exchange))
    for end_leg in (False, True):
        async with aclosing(carrier.place(order(dial_seconds=30))) as call:
            sid = (await until(call, "placed"))["call_sid"]
            name = (await until(call, "forwarded"))["call_sid"]
            await asyncio.sleep(0.1)
            await twilio.hang_up(name if end_leg else sid)
            ended = await until(call, "ended")
        assert ended["hung_up_by"] == ("agent" if end_leg else "api")
        leg = await twilio.look_up(name)
        assert leg is not None and leg.state is LegState.COMPLETED


async def test_the_carriers_limit_ends_a_leg(carrier: SimulatedCarrier, exchange: Exchange, order: MakeOrder) -> None:
    exchange.plan = Plan(answer=forward(exchange, seconds_max=1))
    events = await all_of(carrier, order(dial_seconds=30))
    assert named(events, "leg_ended")[0]["seconds"] == 1


async def test_faults_of_a_leg_are_the_legs_alone(
    carrier: SimulatedCarrier, twilio: Twilio, exchange: Exchange, order: MakeOrder
) -> None:
    exchange.plan = Plan(answer=forward(exchange))
    faults = Faults(reports_dropped=("*",), api_status=503)
    async with aclosing(carrier.place(order(dial_seconds=0.5, dial_faults=faults))) as call:
        sid = (await until(call, "placed"))["call_sid"]
        name = (await until(call, "forwarded"))["call_sid"]
        for asked in (twilio.look_up(name), twilio.forwarded_to(sid)):
            with pytest.raises(ProviderError) as error:
                await asked
            assert not error.value.permanent
        assert await twilio.look_up(sid) is not None
        await until(call, "ended")
    assert not [report for report in exchange.reports if report.call_id == name]


async def test_what_is_no_call_is_not_asked_for_its_legs(carrier: SimulatedCarrier, twilio: Twilio) -> None:
    with pytest.raises(ProviderError) as error:
        await twilio.forwarded_to("../Accounts")
    assert error.value.permanent
    url = f"{carrier.api_base}/2010-04-01/Accounts/{ACCOUNT}/Calls.json"
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(url)).status_code == 401
        assert (await client.get(url, auth=(ACCOUNT, TOKEN))).status_code == 400


@pytest.mark.parametrize(
    "inside",
    [
        "",
        "<Number/>",
        "<Number>+4930999</Number><Number>+4930998</Number>",
        "<Client>bob</Client>",
        '<Number statusCallback="file:///x">+4930999</Number>',
        '<Number statusCallback="http://e/x" statusCallbackEvent="answered vanished">+4930999</Number>',
    ],
)
def test_a_dial_that_twilio_would_not_take_is_no_markup(inside: str) -> None:
    with pytest.raises(twiml.BadMarkup):
        twiml.read(f"<Response><Dial>{inside}</Dial></Response>".encode())
