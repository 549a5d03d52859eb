"""The phone company's REST API, asked by the real adapter; and the adapter, taught by the API's failures."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from talktime.carriers.contract import Leg, LegState
from talktime.carriers.simulated import Simulated, SimulatedAccount
from talktime.carriers.twilio import Twilio
from talktime.errors import ProviderError
from talktime.settings import Settings
from talktime.simulate.carrier import SimulatedCarrier
from talktime.simulate.orders import Faults, HangUp, Order, Pause, Stay
from talktime.simulate.record import Record
from tests.simulate.conftest import all_of, named
from tests.simulate.exchange import ACCOUNT, TOKEN, Exchange, Plan

MakeOrder = Callable[..., Order]
NOBODY = "CA" + "0" * 32


@pytest.fixture(scope="module")
async def twilio(carrier: SimulatedCarrier) -> AsyncGenerator[Twilio, None]:
    twilio = Twilio(ACCOUNT, TOKEN, carrier.api_base)
    yield twilio
    await twilio.close()


async def until(call: AsyncGenerator[dict[str, Any], None], name: str) -> dict[str, Any]:
    """The next event of a name."""
    async for event in call:
        if event["event"] == name:
            return event
    raise AssertionError(f"the call ended without {name}")


async def test_a_call_is_looked_up_from_ring_to_end(
    carrier: SimulatedCarrier, twilio: Twilio, exchange: Exchange, order: MakeOrder
) -> None:
    exchange.plan = Plan(ring_seconds=0.2)
    async with aclosing(carrier.place(order(Pause(seconds=0.7), HangUp()))) as call:
        sid = (await until(call, "placed"))["call_sid"]
        assert await twilio.look_up(sid) == Leg(sid, LegState.RINGING, None)
        await until(call, "answered")
        assert await twilio.look_up(sid) == Leg(sid, LegState.IN_PROGRESS, None)
        await until(call, "ended")
        assert await twilio.look_up(sid) == Leg(sid, LegState.COMPLETED, 1)


async def test_hanging_up_ends_the_call_at_once_and_twice_is_no_error(
    carrier: SimulatedCarrier, twilio: Twilio, exchange: Exchange, order: MakeOrder
) -> None:
    async with aclosing(carrier.place(order(Stay()))) as call:
        sid = (await until(call, "placed"))["call_sid"]
        await until(call, "stream_opened")
        await twilio.hang_up(sid)
        leg = await twilio.look_up(sid)
        assert leg is not None
        assert leg.state is LegState.COMPLETED
        await twilio.hang_up(sid)
        assert (await until(call, "ended"))["hung_up_by"] == "api"
    assert exchange.sockets[0].stopped


async def test_a_call_that_nobody_knows_is_gone(twilio: Twilio) -> None:
    await twilio.hang_up(NOBODY)
    assert await twilio.look_up(NOBODY) is None
    with pytest.raises(ProviderError) as error:
        await twilio.limit(NOBODY, 60)
    assert error.value.permanent


async def test_a_limit_counts_from_the_answer_and_is_kept_by_the_carrier(
    carrier: SimulatedCarrier, twilio: Twilio, order: MakeOrder
) -> None:
    async with aclosing(carrier.place(order(Stay()))) as call:
        sid = (await until(call, "placed"))["call_sid"]
        answered = await until(call, "answered")
        await twilio.limit(sid, 60)
        await twilio.limit(sid, 1)
        ended = await until(call, "ended")
    assert ended["hung_up_by"] == "limit"
    assert 0.9 <= ended["at"] - answered["at"] <= 1.3


async def test_a_wrong_token_is_a_permanent_error(carrier: SimulatedCarrier) -> None:
    for account, token in ((ACCOUNT, "wrong"), ("AC" + "0" * 32, TOKEN)):
        stranger = Twilio(account, token, carrier.api_base)
        for verb in (stranger.hang_up(NOBODY), stranger.look_up(NOBODY), stranger.limit(NOBODY, 1)):
            with pytest.raises(ProviderError) as error:
                await verb
            assert error.value.permanent
            assert token not in str(error.value)
        await stranger.close()


@pytest.mark.parametrize(("status", "permanent"), [(500, False), (503, False), (429, False), (400, True), (403, True)])
async def test_refusals_say_whether_to_try_again(
    status: int, permanent: bool, carrier: SimulatedCarrier, twilio: Twilio, order: MakeOrder
) -> None:
    events = await all_of(carrier, order(HangUp(), faults=Faults(api_status=status)))
    for verb in (twilio.hang_up, twilio.look_up):
        with pytest.raises(ProviderError) as error:
            await verb(events[0]["call_sid"])
        assert error.value.permanent is permanent


async def test_an_api_that_recovers(carrier: SimulatedCarrier, twilio: Twilio, order: MakeOrder) -> None:
    events = await all_of(carrier, order(HangUp(), faults=Faults(api_status=500, api_refusals=1)))
    with pytest.raises(ProviderError):
        await twilio.look_up(events[0]["call_sid"])
    assert await twilio.look_up(events[0]["call_sid"])


async def test_an_api_that_forgot_the_call(carrier: SimulatedCarrier, twilio: Twilio, order: MakeOrder) -> None:
    events = await all_of(carrier, order(HangUp(), faults=Faults(api_status=404)))
    assert await twilio.look_up(events[0]["call_sid"]) is None


async def test_a_slow_api_and_one_that_is_not_there_may_be_tried_again(
    carrier: SimulatedCarrier, order: MakeOrder
) -> None:
    events = await all_of(carrier, order(HangUp(), faults=Faults(api_delay_seconds=5)))
    async with httpx.AsyncClient(timeout=0.2) as client:
        for base in (carrier.api_base, "http://127.0.0.1:1"):
            with pytest.raises(ProviderError) as error:
                await Twilio(ACCOUNT, TOKEN, base, client).look_up(events[0]["call_sid"])
            assert not error.value.permanent


@pytest.mark.parametrize("call_id", ["", "CA1", "../" + NOBODY, NOBODY + "/Recordings", NOBODY.lower()])
async def test_what_is_no_name_of_a_call_never_leaves(call_id: str, twilio: Twilio) -> None:
    with pytest.raises(ProviderError) as error:
        await twilio.hang_up(call_id)
    assert error.value.permanent


async def test_markup_sent_to_a_live_call_takes_it_elsewhere(
    carrier: SimulatedCarrier, exchange: Exchange, order: MakeOrder
) -> None:
    async with aclosing(carrier.place(order(Stay(), dial_seconds=0.1))) as call:
        sid = (await until(call, "placed"))["call_sid"]
        await until(call, "stream_opened")
        async with httpx.AsyncClient(auth=(ACCOUNT, TOKEN), trust_env=False) as client:
            url = f"{carrier.api_base}/2010-04-01/Accounts/{ACCOUNT}/Calls/{sid}.json"
            document = "<Response><Dial>+4930999</Dial></Response>"
            assert (await client.post(url, data={"Twiml": "<Nonsense/>"})).status_code == 400
            assert (await client.post(url, data={"Status": "ringing"})).status_code == 400
            shown = (await client.post(url, data={"Twiml": document})).json()
            assert (shown["sid"], shown["status"], shown["duration"]) == (sid, "in-progress", None)
            assert (await until(call, "forwarded"))["number"] == "+4930999"
            await until(call, "ended")
            gone = await client.post(url, data={"Twiml": document})
            assert (gone.status_code, gone.json()["code"]) == (400, 21220)
    assert exchange.sockets[0].stopped


async def test_a_call_moves_forward_only() -> None:
    record = Record(ACCOUNT, "", "+4930123456")
    assert record.form(ACCOUNT)["From"] == "+266696687"
    assert record.answer()
    assert not record.answer()
    record.end(LegState.COMPLETED)
    record.end(LegState.FAILED)
    assert not record.answer()
    assert record.state is LegState.COMPLETED


async def test_the_simulated_carrier_of_an_installation_knows_its_company(tmp_path: Path, exchange: Exchange) -> None:
    settings = Settings(home=tmp_path, secret_key=SecretStr("s" * 32), port=1, simulated_carrier_port=1)
    account = SimulatedAccount.of(settings)
    assert account == SimulatedAccount.of(settings)
    assert len(account.account_sid) == 34
    company = SimulatedCarrier.of(settings)
    company.port = 0
    async with company:
        here = SimulatedAccount(account.account_sid, account.auth_token, account.control_secret, company.api_base)
        carrier = Simulated(here)
        assert carrier.name == "simulated"
        assert await carrier.look_up(NOBODY) is None
        await carrier.close()
    assert Simulated.of(settings).account_sid == account.account_sid


@pytest.mark.parametrize("base", ["https://api.twilio.com", "http://10.0.0.1:1", "http://example.org", "", "http://"])
def test_the_simulated_carrier_lives_on_loopback_only(base: str) -> None:
    with pytest.raises(ValueError, match="loopback"):
        Simulated(SimulatedAccount("AC1", "t", "c", base))


async def test_a_company_without_secrets_does_not_open() -> None:
    for account, token, control in (("", "t", "c"), ("AC1", "", "c"), ("AC1", "t", "")):
        with pytest.raises(ValueError, match="secret"):
            SimulatedCarrier(account, token, control_secret=control)


async def test_parallel_hang_ups_and_limits_end_a_call_once(
    carrier: SimulatedCarrier, twilio: Twilio, exchange: Exchange, order: MakeOrder
) -> None:
    async with aclosing(carrier.place(order(Stay()))) as call:
        sid = (await until(call, "placed"))["call_sid"]
        await until(call, "stream_opened")
        await asyncio.gather(*(twilio.hang_up(sid) for _ in range(5)))
        events = [event async for event in call]
    assert len(named(events, "ended")) == 1
    assert [report.state for report in exchange.reports].count(LegState.COMPLETED) == 1
