"""The control door over HTTP, the program of its own, and a server that is killed in the middle of a call."""

import asyncio
import json
import os
import signal
import sys
import wave
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import httpx
import pytest

from talktime.carriers.contract import LegState
from talktime.errors import BadInput, ProviderError
from talktime.simulate.carrier import SimulatedCarrier
from talktime.simulate.control import healthy, place_call
from talktime.simulate.orders import Faults, HangUp, Order, Say, Stay, WaitForAgent
from tests.simulate.conftest import CONTROL, all_of, named
from tests.simulate.exchange import ACCOUNT, TOKEN, Exchange, Plan, serve, tone

MakeOrder = Callable[..., Order]


async def test_a_call_is_placed_over_http(
    carrier: SimulatedCarrier, exchange: Exchange, order: MakeOrder, tmp_path: Path
) -> None:
    exchange.plan = Plan(greeting_seconds=0.4, reply_seconds=0.4)
    with wave.open(str(tmp_path / "hello.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(tone(0.3))
    script = (WaitForAgent(), Say(wav=tmp_path / "hello.wav"), WaitForAgent(), Say(pcm=tone(0.3)), HangUp())
    events = [event async for event in place_call(carrier.api_base, CONTROL, order(*script))]
    assert not named(events, "error")
    assert len(named(events, "caller_says")) == 2
    assert events[0]["event"] == "placed"
    assert events[-1] == named(events, "report")[-1]
    assert named(events, "ended")[0]["state"] == "completed"


async def test_a_client_that_goes_away_is_a_caller_who_hangs_up(
    carrier: SimulatedCarrier, exchange: Exchange, order: MakeOrder
) -> None:
    async with aclosing(place_call(carrier.api_base, CONTROL, order(Stay()))) as call:
        async for event in call:
            if event["event"] == "stream_opened":
                break
    await asyncio.wait_for(exchange.sockets[0].over.wait(), 2)
    assert exchange.sockets[0].stopped


async def test_the_control_door_asks_for_its_own_secret(carrier: SimulatedCarrier, order: MakeOrder) -> None:
    assert await healthy(carrier.api_base, CONTROL)
    async with httpx.AsyncClient(trust_env=False, headers={"Authorization": f"Bearer {CONTROL}"}) as client:
        health = (await client.get(f"{carrier.api_base}/simulate/health")).json()
    assert (health["ok"], health["pid"]) == (True, os.getpid())
    assert not await healthy("http://127.0.0.1:1", CONTROL)
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.post(f"{carrier.api_base}/simulate/calls", content=b"{}")).status_code == 401
    for secret in ("wrong", TOKEN):
        assert not await healthy(carrier.api_base, secret)
        with pytest.raises(ProviderError) as error:
            await anext(place_call(carrier.api_base, secret, order(HangUp())))
        assert error.value.permanent


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"{}", b'{"to":"+4930"}', b'{"to":"+4930","voice_url":"http://x","script":[{"do":"dance"}]}',
        b'{"to":"+4930","voice_url":"http://x","script":[{"do":"say"}]}',
        b'{"to":"+4930","voice_url":"http://x","script":[{"do":"say","pcm":"***"}]}',
        b'{"to":"+4930","voice_url":"http://x","script":[{"do":"say","wav":"/nowhere.wav"}]}',
        b'{"to":"+4930","voice_url":"http://x","faults":{"unheard_of":true}}',
        b'{"to":"+4930","voice_url":"http://x","seconds_max":1e9}',
    ],
)  # fmt: skip
async def test_an_order_that_cannot_be_carried_out_says_why(carrier: SimulatedCarrier, body: bytes) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        headers = {"Authorization": f"Bearer {CONTROL}"}
        response = await client.post(f"{carrier.api_base}/simulate/calls", content=body, headers=headers)
    assert response.status_code == 422
    assert response.json()["detail"]


async def test_a_sound_that_cannot_be_used_is_bad_input(
    carrier: SimulatedCarrier, order: MakeOrder, tmp_path: Path
) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    with wave.open(str(tmp_path / "b.wav"), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
    for name in ("a.wav", "b.wav", "c.wav"):
        with pytest.raises(BadInput, match=name):
            await anext(place_call(carrier.api_base, CONTROL, order(Say(wav=tmp_path / name))))


@asynccontextmanager
async def program(*arguments: str, **environment: str) -> AsyncGenerator[tuple[asyncio.subprocess.Process, str], None]:
    """A Python program of ours, and the first line that it says."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *arguments, stdout=asyncio.subprocess.PIPE, env={**os.environ, **environment}
    )
    try:
        assert process.stdout is not None
        yield process, (await asyncio.wait_for(process.stdout.readline(), 20)).decode()
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_it_runs_as_a_program_of_its_own_until_it_is_told_to_stop(exchange: Exchange, order: MakeOrder) -> None:
    secrets = {"SIMULATED_CARRIER_TOKEN": TOKEN, "SIMULATED_CARRIER_CONTROL": CONTROL}
    async with program("talktime.simulate.carrier", "--port", "0", "--account", ACCOUNT, **secrets) as (process, said):
        base = json.loads(said)["api_base"]
        events = [event async for event in place_call(base, CONTROL, order(HangUp()))]
        assert named(events, "ended")[0]["state"] == "completed"
        call = place_call(base, CONTROL, order(Stay()))
        async for event in call:
            if event["event"] == "stream_opened":
                break
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 5) == 0
        assert "dropped" in [event["event"] async for event in call]
    await asyncio.wait_for(exchange.sockets[-1].over.wait(), 2)


async def test_a_server_that_is_killed_loses_its_call_and_hears_of_it_when_it_is_back(
    carrier: SimulatedCarrier, order: MakeOrder
) -> None:
    async with program("tests.simulate.exchange", PYTHONPATH=str(Path(__file__).parents[2])) as (process, said):
        port = int(said)
        url = f"http://127.0.0.1:{port}"
        call = carrier.place(order(Stay(), voice_url=f"{url}/ring", status_callback=f"{url}/report"))
        events = []
        async for event in call:
            events.append(event)
            if event["event"] == "agent_audio_begins":
                process.kill()
            if event["event"] == "report_failed" and event["status"] == "completed":
                break
    ended = named(events, "ended")[0]
    assert (ended["state"], ended["hung_up_by"]) == ("completed", "agent")
    assert named(events, "stream_closed")[0]["code"] is None
    leg = carrier.leg(events[0]["call_sid"])
    assert leg is not None
    assert leg.record.shown()["duration"] is not None

    back = Exchange()
    async with serve(back, port):
        rest = [event async for event in call]
    assert back.reports[-1].state is LegState.COMPLETED
    assert named(rest, "report")[-1]["tries"] > 1


async def test_reports_that_nobody_takes_are_given_up(
    carrier: SimulatedCarrier, exchange: Exchange, order: MakeOrder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("talktime.simulate.reports.RETRY_SECONDS", (0.01, 0.01))
    faults = Faults(reports_dropped=("ringing", "in-progress"))
    events = await all_of(carrier, order(HangUp(), status_callback="http://127.0.0.1:1/report", faults=faults))
    assert "given up" in named(events, "error")[0]["message"]
