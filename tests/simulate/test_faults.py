"""Everything that can be ordered to go wrong, once each, as the server sees it."""

import asyncio
from collections.abc import Callable

from talktime.carriers.contract import Audio, LegState, Stopped
from talktime.simulate.carrier import SimulatedCarrier
from talktime.simulate.orders import Faults, HangUp, Order, Pause, Stay, WaitForAgent
from tests.simulate.conftest import all_of, named
from tests.simulate.exchange import Exchange, Plan

MakeOrder = Callable[..., Order]
SHORT = (Pause(seconds=0.2), HangUp())


async def test_a_ring_repeats(carrier: SimulatedCarrier, exchange: Exchange, order: MakeOrder) -> None:
    for parallel in (False, True):
        exchange.reset(Plan())
        events = await all_of(carrier, order(*SHORT, faults=Faults(rings=4, rings_parallel=parallel)))
        assert [ring["CallSid"] for ring in exchange.rings] == [exchange.rings[0]["CallSid"]] * 4
        assert named(events, "ring_repeated")[0]["same"]
        assert len(exchange.sockets) == 1


async def test_bad_signatures_are_refused_everywhere(
    carrier: SimulatedCarrier, exchange: Exchange, order: MakeOrder
) -> None:
    events = await all_of(carrier, order(*SHORT, faults=Faults(bad_signature=True)))
    assert named(events, "ended")[0]["state"] == "failed"
    assert not exchange.rings
    assert not exchange.reports
    assert len(exchange.refused) == 2, "the ring and the report of the failure"


async def test_another_account_is_refused(carrier: SimulatedCarrier, exchange: Exchange, order: MakeOrder) -> None:
    await all_of(carrier, order(*SHORT, faults=Faults(wrong_account=True)))
    assert exchange.refused[0] == "the request is of another account"


async def test_reports_get_lost(carrier: SimulatedCarrier, exchange: Exchange, order: MakeOrder) -> None:
    await all_of(carrier, order(*SHORT, faults=Faults(reports_dropped=("in-progress", "completed"))))
    assert [report.state for report in exchange.reports] == [LegState.RINGING]
    exchange.reset(Plan())
    events = await all_of(carrier, order(*SHORT, faults=Faults(reports_dropped=("*",))))
    assert not exchange.reports
    assert len(named(events, "report_dropped")) == 3


async def test_reports_come_twice_and_can_be_told_apart(
    carrier: SimulatedCarrier, exchange: Exchange, order: MakeOrder
) -> None:
    await all_of(carrier, order(*SHORT, faults=Faults(report_copies=2)))
    assert len(exchange.reports) == 6
    assert len(set(exchange.report_tokens)) == len({report.event_id for report in exchange.reports}) == 3


async def test_reports_come_out_of_order_and_late(
    carrier: SimulatedCarrier, exchange: Exchange, order: MakeOrder
) -> None:
    faults = Faults(reports_reversed=True, reports_delay_seconds=0.1)
    events = await all_of(carrier, order(*SHORT, faults=faults))
    assert [report.sequence for report in exchange.reports] == [2, 1, 0]
    ended = named(events, "ended")[0]["at"]
    assert all(event["at"] >= ended + 0.1 for event in named(events, "report"))


async def test_a_report_is_repeated_until_it_is_taken(
    carrier: SimulatedCarrier, exchange: Exchange, order: MakeOrder
) -> None:
    exchange.plan = Plan(report_statuses=[500, 503])
    events = await all_of(carrier, order(*SHORT, faults=Faults(reports_dropped=("ringing", "in-progress"))))
    assert [report.state for report in exchange.reports] == [LegState.COMPLETED] * 3
    assert len(set(exchange.report_tokens)) == 1
    assert named(events, "report")[0]["tries"] == 3
    assert [event["problem"] for event in named(events, "report_failed")] == ["HTTP 500", "HTTP 503"]


async def test_marks_get_lost(carrier: SimulatedCarrier, exchange: Exchange, order: MakeOrder) -> None:
    exchange.plan = Plan(greeting_seconds=0.3)
    events = await all_of(carrier, order(WaitForAgent(), faults=Faults(marks_lost=True)))
    assert not exchange.sockets[0].played
    assert named(events, "mark_lost")


async def test_frames_get_lost(carrier: SimulatedCarrier, exchange: Exchange, order: MakeOrder) -> None:
    await all_of(carrier, order(Pause(seconds=1.5), HangUp(), faults=Faults(frames_lost=0.5)))
    heard = sum(isinstance(event, Audio) for event in exchange.sockets[0].events)
    assert 20 <= heard <= 55


async def test_garbage_on_the_socket(carrier: SimulatedCarrier, exchange: Exchange, order: MakeOrder) -> None:
    events = await all_of(carrier, order(*SHORT, faults=Faults(garbage=True)))
    assert len(exchange.sockets[0].bad) >= 8
    assert named(events, "ended")[0]["state"] == "completed"


async def test_parameters_come_back_changed(carrier: SimulatedCarrier, exchange: Exchange, order: MakeOrder) -> None:
    await all_of(carrier, order(*SHORT, faults=Faults(wrong_parameters=True)))
    started = exchange.sockets[0].started
    assert started is not None
    assert started.parameters["token"] != "one-shot"


async def test_a_second_socket_brings_the_same_token(
    carrier: SimulatedCarrier, exchange: Exchange, order: MakeOrder
) -> None:
    events = await all_of(carrier, order(*SHORT, faults=Faults(second_socket=True)))
    first, second = (socket.started for socket in exchange.sockets)
    assert first is not None
    assert second is not None
    assert (first.call_id, first.parameters) == (second.call_id, second.parameters)
    assert first.stream_id != second.stream_id
    assert named(events, "ended")[0]["state"] == "completed"


async def test_a_second_socket_that_is_closed_is_told_as_refused(
    carrier: SimulatedCarrier, exchange: Exchange, order: MakeOrder
) -> None:
    exchange.plan = Plan(one_socket=True)
    events = await all_of(carrier, order(Pause(seconds=0.5), HangUp(), faults=Faults(second_socket=True)))
    second = named(events, "second_socket")[0]
    assert (second["refused"], second["code"]) == (True, 1008)
    assert sum(socket.stopped for socket in exchange.sockets) == 1, "the first one is left in peace"


async def test_a_socket_that_never_comes(carrier: SimulatedCarrier, exchange: Exchange, order: MakeOrder) -> None:
    events = await all_of(carrier, order(Stay(), faults=Faults(no_socket=True), seconds_max=0.5))
    assert not exchange.sockets
    assert named(events, "answered")
    assert exchange.reports[-1].state is LegState.COMPLETED


async def test_a_socket_that_closes_without_a_stop(
    carrier: SimulatedCarrier, exchange: Exchange, order: MakeOrder
) -> None:
    events = await all_of(carrier, order(Stay(), faults=Faults(closes_after_seconds=0.2)))
    await asyncio.wait_for(exchange.sockets[0].over.wait(), 2)
    assert not any(isinstance(event, Stopped) for event in exchange.sockets[0].events)
    assert named(events, "ended")[0]["state"] == "completed"


async def test_a_line_that_dies_is_never_reported(
    carrier: SimulatedCarrier, exchange: Exchange, order: MakeOrder
) -> None:
    events = await all_of(carrier, order(Stay(), faults=Faults(dies_after_seconds=0.3)))
    await asyncio.wait_for(exchange.sockets[0].over.wait(), 2)
    assert not exchange.sockets[0].stopped
    assert LegState.COMPLETED not in [report.state for report in exchange.reports]
    leg = carrier.leg(named(events, "placed")[0]["call_sid"])
    assert leg is not None
    assert leg.record.shown()["status"] == "completed", "the API knows all the same"


async def test_a_call_lingers_when_its_socket_is_gone(
    carrier: SimulatedCarrier, exchange: Exchange, order: MakeOrder
) -> None:
    exchange.plan = Plan(closes_after_seconds=0.2)
    events: list[dict[str, object]] = []
    async for event in carrier.place(order(Stay(), faults=Faults(linger=True))):
        events.append(event)
        if event["event"] == "stream_closed":
            leg = carrier.leg(str(events[0]["call_sid"]))
            assert leg is not None
            assert leg.record.state is LegState.IN_PROGRESS
            leg.hang_up("api")
    assert named(events, "ended")[0]["hung_up_by"] == "api"


async def test_a_caller_who_stops_reading_fills_the_servers_buffer(
    carrier: SimulatedCarrier, exchange: Exchange, order: MakeOrder
) -> None:
    """A server that writes on without end gets stuck within a second or two, not after megabytes."""
    exchange.plan = Plan(flood=True)
    script = (Pause(seconds=1.5), HangUp())
    blocked = await all_of(carrier, order(*script, faults=Faults(stops_reading_after_seconds=0.0)))
    received = named(blocked, "ended")[0]["messages_received"]
    assert received * 10_000 < 1_000_000
    assert named(blocked, "ended")[0]["state"] == "completed"
