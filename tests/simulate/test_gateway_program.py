"""The simulated payment company as a program of its own, and what it remembers over a restart."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from talktime.errors import ProviderError
from talktime.gateways.contract import NoticeKind
from talktime.gateways.simulated import Simulated
from talktime.gateways.simulated_account import WEBHOOK_PATH, SimulatedGatewayAccount
from talktime.settings import Settings
from talktime.simulate.gateway import SimulatedGateway
from talktime.simulate.gateway_control import GatewayControl
from talktime.simulate.gateway_deeds import Faults, Means, Pay
from tests.gateways.shop import CONTROL, KEY, WEBHOOK, open_shop, order
from tests.simulate.test_control import program

SECRETS = {
    "SIMULATED_GATEWAY_KEY": KEY,
    "SIMULATED_GATEWAY_WEBHOOK": WEBHOOK,
    "SIMULATED_GATEWAY_CONTROL": CONTROL,
}


async def test_it_runs_as_a_program_of_its_own_until_it_is_told_to_stop(tmp_path: Path) -> None:
    kept = tmp_path / "gateway.json"
    arguments = ("talktime.simulate.gateway", "--port", "0", "--state-file", str(kept))
    wanted = order()
    async with program(*arguments, **SECRETS) as (process, said):
        base = json.loads(said)["api_base"]
        gateway = Simulated(SimulatedGatewayAccount(KEY, WEBHOOK, CONTROL, base))
        checkout = await gateway.create_checkout(wanted)
        async with GatewayControl(base, CONTROL) as control:
            assert await control.pid() == process.pid
            await control.do(Pay(checkout=checkout.id))
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 10) == 0
        with pytest.raises(ProviderError):
            await gateway.fetch_checkout(checkout.id)
        await gateway.close()
    assert kept.stat().st_mode & 0o777 == 0o600

    async with program(*arguments, **SECRETS) as (_, said):
        gateway = Simulated(SimulatedGatewayAccount(KEY, WEBHOOK, CONTROL, json.loads(said)["api_base"]))
        now = await gateway.fetch_checkout(checkout.id)
        assert now is not None
        assert (now.kind, now.purchase_id) == (NoticeKind.PAID, wanted.purchase_id)
        await gateway.close()


async def test_a_secret_that_is_missing_is_said_at_once() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "talktime.simulate.gateway",
        env={**os.environ, "SIMULATED_GATEWAY_KEY": KEY},
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 2
    assert b"none of the three" in said


async def test_without_the_word_demo_it_serves_no_installation(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "talktime.simulate.gateway",
        env={**os.environ, "TALKTIME_HOME": str(tmp_path), "TALKTIME_GATEWAY_PORT": "1"},
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 2
    assert b"for the demo only" in said


async def test_after_a_restart_what_was_not_told_is_told_and_what_was_open_can_be_paid(tmp_path: Path) -> None:
    kept = tmp_path / "gateway.json"
    async with open_shop(state_file=kept, debit_seconds=500) as shop:
        still_open, pending, paid = [await shop.checkout() for _ in range(3)]
        session = await shop.pay(pending, Means.DEBIT)
        assert await shop.control.settled()
        await shop.control.go_wrong(Faults(delay_seconds=60))
        await shop.pay(paid)
    async with open_shop(state_file=kept, debit_seconds=500) as shop:
        assert [each.checkout_id for each in await shop.heard(NoticeKind.PAID)] == [paid.id]
        await shop.pay(still_open)
        assert len(await shop.heard(NoticeKind.PAID)) == 2
        now = await shop.gateway.fetch_checkout(pending.id)
        assert now is not None
        assert (now.kind, now.payment_id) == (NoticeKind.COMPLETED_UNPAID, session["payment_intent"])


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"format":0}', b'{"format":1,"refund":7}'])
async def test_a_file_that_cannot_be_read_is_put_aside(tmp_path: Path, body: bytes) -> None:
    kept = tmp_path / "gateway.json"
    kept.write_bytes(body)
    async with open_shop(state_file=kept) as shop:
        await shop.pay(await shop.checkout())
        assert len(await shop.heard()) == 1
    assert (tmp_path / "gateway.unreadable").read_bytes() == body
    assert json.loads(kept.read_bytes())["format"] == 1


async def test_an_installations_own_is_where_its_adapter_looks_for_it(tmp_path: Path) -> None:
    async with SimulatedGateway(KEY, WEBHOOK, CONTROL) as other:
        port = other.port
    settings = Settings(home=tmp_path, port=4321, host="0.0.0.0")
    company = SimulatedGateway.of(settings, port)
    assert company.webhook_url == f"http://127.0.0.1:4321{WEBHOOK_PATH}"
    async with company:
        gateway = Simulated.of(settings, port)
        checkout = await gateway.create_checkout(order())
        assert checkout.url.startswith(f"http://127.0.0.1:{port}/c/pay/")
        await gateway.close()
        with pytest.raises(OSError, match="in use"):
            await SimulatedGateway.of(settings, port).__aenter__()
    assert (tmp_path / "gateway.json").exists()
