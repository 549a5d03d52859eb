"""Calls as a good carrier makes them, against a real server."""

import asyncio
import base64
import itertools
import statistics
import time
from collections.abc import Callable

import httpx
import pytest

from talktime.carriers.contract import Announce, Digit, Forward, LegState, Started, Stopped, TurnAway
from talktime.simulate import twiml
from talktime.simulate.carrier import SimulatedCarrier
from talktime.simulate.orders import HangUp, Interrupt, Order, Pause, Press, Say, Stay, WaitForAgent
from talktime.simulate.sound import is_loud
from tests.simulate.conftest import all_of, named
from tests.simulate.exchange import ACCOUNT, TOKEN, Exchange, Plan, serve, tone

MakeOrder = Callable[..., Order]


async def test_a_whole_call_from_ring_to_receipt(
    carrier: SimulatedCarrier, exchange: Exchange, order: MakeOrder
) -> None:
    exchange.plan = Plan(greeting_seconds=0.5, reply_seconds=0.4)
    events = await all_of(carrier, order(WaitForAgent(), Say(text="Hello", pcm=tone(0.4)), WaitForAgent()))

    assert not named(events, "error")
    names = [event["event"] for event in events]
    order_of_things = ["placed", "ringing", "answered", "stream_opened", "caller_says", "caller_spoke_until", "ended"]
    assert [name for name in names if name in order_of_things] == order_of_things
    ended = named(events, "ended")[0]
    assert (ended["state"], ended["hung_up_by"]) == ("completed", "caller")
    assert len(ended["answer_ms"]) == 1
    assert 40 <= ended["answer_ms"][0] <= 250, "three quiet frames, and the way"

    ring = exchange.rings[0]
    assert (ring["To"], ring["CallStatus"], ring["AccountSid"]) == ("+4930123456", "ringing", ACCOUNT)
    socket = exchange.sockets[0]
    assert socket.started is not None
    assert socket.started.parameters == {"token": "one-shot"}
    assert socket.started.call_id == ring["CallSid"]
    assert socket.stopped
    assert not socket.bad


async def test_reports_come_in_order_and_the_last_one_has_the_seconds(
    carrier: SimulatedCarrier, exchange: Exchange, order: MakeOrder
) -> None:
    events = await all_of(carrier, order(Pause(seconds=1.2), HangUp()))
    states = [LegState.RINGING, LegState.IN_PROGRESS, LegState.COMPLETED]
    assert [report.state for report in exchange.reports] == states
    assert [report.sequence for report in exchange.reports] == [0, 1, 2]
    assert exchange.reports[-1].seconds == 1
    assert len({report.event_id for report in exchange.reports}) == 3
    assert [event["status"] for event in named(events, "report")] == ["ringing", "in-progress", "completed"]


async def test_frames_leave_every_20_ms_and_do_not_drift(
    carrier: SimulatedCarrier, exchange: Exchange, order: MakeOrder
) -> None:
    await all_of(carrier, order(Pause(seconds=1), Say(pcm=tone(1)), Pause(seconds=2), HangUp()))
    times = exchange.sockets[0].frame_times
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert abs(statistics.median(gaps) - 0.020) < 0.003
    # The last frame is as late against the schedule as the first ones were.
    late = [moment - times[0] - number * 0.02 for number, moment in enumerate(times)]
    assert abs(statistics.median(late[-20:]) - statistics.median(late[:20])) < 0.010
    assert len(times) >= 195


async def test_a_mark_comes_back_when_all_before_it_was_played(
    carrier: SimulatedCarrier, exchange: Exchange, order: MakeOrder
) -> None:
    exchange.plan = Plan(greeting_seconds=1.0)
    events = await all_of(carrier, order(WaitForAgent()))
    moment, name = exchange.sockets[0].played[0]
    assert name == "greeting"
    assert 0.95 <= moment - exchange.sockets[0].greeted <= 1.3
    heard = named(events, "agent_audio_ends")[0]
    assert heard["seconds"] == pytest.approx(1.0, abs=0.03)


async def test_clear_silences_the_agent_and_returns_its_marks_at_once(
    carrier: SimulatedCarrier, exchange: Exchange, order: MakeOrder
) -> None:
    exchange.plan = Plan(greeting_seconds=5.0)
    events = await all_of(carrier, order(Interrupt(text="Stop", pcm=tone(0.5), after_seconds=0.4), HangUp()))
    assert named(events, "agent_interrupted")[0]["flushed_ms"] > 3000
    ends = named(events, "agent_audio_ends")[0]
    assert 150 <= ends["stopped_after_ms"] <= 350, "the server needs ten frames to believe it"
    assert exchange.sockets[0].played[0][1] == "greeting"
    assert exchange.sockets[0].played[0][0] - exchange.sockets[0].greeted < 2.0


async def test_after_an_interruption_the_caller_waits_for_a_new_answer(
    carrier: SimulatedCarrier, exchange: Exchange, order: MakeOrder
) -> None:
    exchange.plan = Plan(greeting_seconds=5.0, reply_seconds=0.5)
    script = (Interrupt(pcm=tone(0.5), after_seconds=0.3), WaitForAgent(), HangUp())
    events = await all_of(carrier, order(*script))
    assert not named(events, "error")
    assert len(named(events, "agent_audio_begins")) == 2
    assert len(named(events, "ended")[0]["answer_ms"]) == 1


async def test_an_echo_is_heard_as_it_was_said(carrier: SimulatedCarrier, exchange: Exchange, order: MakeOrder) -> None:
    exchange.plan = Plan(echo=True)
    events = await all_of(carrier, order(Say(pcm=tone(0.6)), Pause(seconds=0.5), HangUp(), capture=True))
    heard = named(events, "agent_audio_ends")[0]
    assert heard["seconds"] == pytest.approx(0.6, abs=0.05)
    ulaw = base64.b64decode(heard["ulaw"])
    assert is_loud(ulaw[:4000])
    assert len(ulaw) >= 0.6 * 8000 - 320


async def test_keys_are_pressed(carrier: SimulatedCarrier, exchange: Exchange, order: MakeOrder) -> None:
    events = await all_of(carrier, order(Press(digits="12#"), HangUp()))
    pressed = [event.digit for event in exchange.sockets[0].events if isinstance(event, Digit)]
    assert pressed == ["1", "2", "#"] == [event["digit"] for event in named(events, "digit")]


async def test_a_caller_whom_nobody_answers_says_so_and_hangs_up(carrier: SimulatedCarrier, order: MakeOrder) -> None:
    events = await all_of(carrier, order(WaitForAgent(seconds_max=0.5), Say(pcm=tone(1))))
    assert "did not answer" in named(events, "error")[0]["message"]
    assert named(events, "ended")[0]["hung_up_by"] == "caller"
    assert not named(events, "caller_says")


async def test_a_caller_who_owes_nobody_an_answer_just_hangs_up(
    carrier: SimulatedCarrier, exchange: Exchange, order: MakeOrder
) -> None:
    exchange.plan = Plan(greeting_seconds=0.2)
    events = await all_of(carrier, order(WaitForAgent(), Pause(seconds=0.2)))
    assert not named(events, "error")
    assert named(events, "ended")[0]["at"] < 2


async def test_no_call_is_longer_than_its_order(carrier: SimulatedCarrier, order: MakeOrder) -> None:
    events = await all_of(carrier, order(Stay(), seconds_max=0.7))
    assert "are over" in named(events, "error")[0]["message"]
    assert named(events, "ended")[0]["state"] == "completed"


async def test_a_socket_that_the_server_closes_ends_the_call(
    carrier: SimulatedCarrier, exchange: Exchange, order: MakeOrder
) -> None:
    exchange.plan = Plan(closes_after_seconds=0.3)
    events = await all_of(carrier, order(Stay()))
    ended = named(events, "ended")[0]
    assert (ended["state"], ended["hung_up_by"]) == ("completed", "agent")
    assert named(events, "stream_closed")[0]["code"] == 1000
    assert exchange.reports[-1].state is LegState.COMPLETED


async def test_a_socket_that_the_server_refuses_ends_the_call(
    carrier: SimulatedCarrier, exchange: Exchange, order: MakeOrder
) -> None:
    exchange.plan = Plan(refuses_socket=True)
    events = await all_of(carrier, order(Stay()))
    assert named(events, "error")[0]["code"] == 31920
    assert named(events, "ended")[0]["state"] == "completed"


async def test_announcements_are_spoken_and_end_the_call(
    carrier: SimulatedCarrier, exchange: Exchange, order: MakeOrder
) -> None:
    exchange.plan = Plan(answer=Announce("We are closed.", "en"))
    events = await all_of(carrier, order(words_per_second=30))
    assert named(events, "announced")[0]["text"] == "We are closed."
    assert named(events, "ended")[0]["hung_up_by"] == "agent"
    assert not exchange.sockets


async def test_a_forwarded_call_rings_somebody_and_ends(
    carrier: SimulatedCarrier, exchange: Exchange, order: MakeOrder
) -> None:
    exchange.plan = Plan(answer=Forward("+4930999", "One moment.", seconds_max=60))
    events = await all_of(carrier, order(words_per_second=30, dial_seconds=0.1))
    assert named(events, "forwarded")[0]["number"] == "+4930999"
    assert exchange.reports[-1].state is LegState.COMPLETED


async def test_a_rejected_call_is_busy_and_was_never_answered(
    carrier: SimulatedCarrier, exchange: Exchange, order: MakeOrder
) -> None:
    exchange.plan = Plan(answer=TurnAway())
    events = await all_of(carrier, order())
    assert not named(events, "answered")
    assert exchange.reports[-1].state is LegState.BUSY
    assert exchange.reports[-1].seconds == 0


async def test_a_caller_may_give_up_while_it_rings(
    carrier: SimulatedCarrier, exchange: Exchange, order: MakeOrder
) -> None:
    exchange.plan = Plan(ring_seconds=1.0)
    await all_of(carrier, order(gives_up_after_seconds=0.2))
    assert [report.state for report in exchange.reports] == [LegState.CANCELED]


@pytest.mark.parametrize("status", [500, 404, 204])
async def test_a_ring_that_is_not_answered_well_fails(
    status: int, carrier: SimulatedCarrier, exchange: Exchange, order: MakeOrder
) -> None:
    exchange.plan = Plan(ring_status=status)
    events = await all_of(carrier, order())
    assert named(events, "error")[0]["code"] == 11200
    assert [report.state for report in exchange.reports] == [LegState.FAILED]


async def test_a_ring_that_fails_goes_to_the_fallback(
    carrier: SimulatedCarrier, exchange: Exchange, order: MakeOrder
) -> None:
    exchange.plan = Plan(ring_status=503)
    events = await all_of(carrier, order(HangUp(), fallback_url=f"{exchange.url}/fallback"))
    assert named(events, "ended")[0]["state"] == "completed"
    assert exchange.rings[-1]["ErrorUrl"].endswith("/ring")


@pytest.mark.parametrize(
    "body",
    [b"", b"hello", b"<Response><Gather/></Response>", b"<Answer/>", b"<!DOCTYPE a><Response/>",
     b'<Response><Connect><Stream url="wss://e/m?token=1"/></Connect></Response>'],
)  # fmt: skip
def test_markup_that_no_carrier_takes_is_refused(body: bytes) -> None:
    with pytest.raises(twiml.BadMarkup):
        twiml.read(body)


async def test_markup_that_is_none_fails_the_call(
    carrier: SimulatedCarrier, exchange: Exchange, order: MakeOrder
) -> None:
    exchange.plan = Plan(ring_body=b"<html>")
    events = await all_of(carrier, order())
    assert named(events, "error")[0]["code"] == 12100
    assert exchange.reports[-1].state is LegState.FAILED


async def test_redirects_are_followed_but_not_for_ever(
    carrier: SimulatedCarrier, exchange: Exchange, order: MakeOrder
) -> None:
    exchange.plan = Plan(ring_body=f"<Response><Redirect>{exchange.url}/ring</Redirect></Response>".encode())
    events = await all_of(carrier, order())
    assert len(exchange.rings) == 11
    assert named(events, "ended")[0]["state"] == "failed"


async def test_nobody_there_is_a_failed_call(carrier: SimulatedCarrier, order: MakeOrder) -> None:
    events = await all_of(carrier, order(voice_url="http://127.0.0.1:1/ring", status_callback=""))
    assert named(events, "ended")[0]["state"] == "failed"


async def test_whoever_stops_listening_hangs_up(
    carrier: SimulatedCarrier, exchange: Exchange, order: MakeOrder
) -> None:
    call = carrier.place(order(Stay()))
    async for event in call:
        if event["event"] == "stream_opened":
            break
    await call.aclose()
    await asyncio.wait_for(exchange.sockets[0].over.wait(), 2)
    assert exchange.sockets[0].stopped


async def test_many_calls_at_once_stay_apart_and_cost_little(
    carrier: SimulatedCarrier, exchange: Exchange, order: MakeOrder
) -> None:
    exchange.plan = Plan(greeting_seconds=0.5, reply_seconds=0.5)
    one = order(WaitForAgent(), Say(pcm=tone(0.5)), WaitForAgent())
    began = time.process_time()
    calls = await asyncio.gather(*(all_of(carrier, one) for _ in range(10)))
    assert time.process_time() - began < 4, "both sides of ten calls of three seconds"
    assert all(named(events, "ended")[0]["state"] == "completed" for events in calls)
    assert not any(named(events, "error") for events in calls)
    started = [event for socket in exchange.sockets for event in socket.events if isinstance(event, Started)]
    assert len({event.stream_id for event in started}) == len({event.call_id for event in started}) == 10
    assert all(any(isinstance(event, Stopped) for event in socket.events) for socket in exchange.sockets)


async def test_when_the_company_closes_every_call_of_it_is_gone(exchange: Exchange, order: MakeOrder) -> None:
    async with SimulatedCarrier(ACCOUNT, TOKEN, control_secret="x") as company:
        call = company.place(order(Stay()))
        async for event in call:
            if event["event"] == "stream_opened":
                break
        base = company.api_base
    assert [event async for event in call][-1]["event"] == "dropped"
    await asyncio.wait_for(exchange.sockets[0].over.wait(), 2)
    async with httpx.AsyncClient(trust_env=False) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(base)


async def test_a_port_that_is_taken_is_an_error(carrier: SimulatedCarrier) -> None:
    with pytest.raises(OSError, match="in use"):
        await SimulatedCarrier(ACCOUNT, "t", carrier.port, control_secret="x").__aenter__()


async def test_two_exchanges_can_share_a_company(carrier: SimulatedCarrier, order: MakeOrder) -> None:
    async with serve(Exchange()) as other:
        events = await all_of(carrier, order(HangUp(), voice_url=f"{other.url}/ring", status_callback=""))
        assert named(events, "ended")[0]["state"] == "completed"
        assert len(other.rings) == 1
