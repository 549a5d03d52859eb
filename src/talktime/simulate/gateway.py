"""The simulated payment company: a program of its own that sells, refunds and tells as Stripe does, and moves no money.

It runs as a task inside a process (`async with SimulatedGateway(...)`) or by itself (`python -m
talktime.simulate.gateway`), outlives the server it tells, and binds loopback only. The one rule: when it closes, every
socket and task of it is gone; what it was asked to keep is on disk.
"""

import argparse
import asyncio
import contextlib
import ipaddress
import os
import time
from pathlib import Path
from typing import Self

import httpx
from starlette.applications import Starlette

from talktime.gateways.simulated_account import WEBHOOK_PATH, SimulatedGatewayAccount
from talktime.settings import Settings
from talktime.simulate.gateway_api import Api
from talktime.simulate.gateway_books import Books
from talktime.simulate.gateway_checkout import CheckoutPages
from talktime.simulate.gateway_control import ControlDoor, GatewayControl
from talktime.simulate.gateway_events import Deliveries
from talktime.simulate.gateway_kept import Kept
from talktime.simulate.server import listen, serve, until_stopped

DEBIT_SECONDS = 6.0
_TICK_SECONDS = 0.2
_WRITE_SECONDS = 1.0


class SimulatedGateway:
    """One account's payment company."""

    def __init__(
        self,
        api_key: str,
        webhook_secret: str,
        control_secret: str,
        *,
        webhook_url: str = "",
        port: int = 0,
        state_file: Path | None = None,
        debit_seconds: float = DEBIT_SECONDS,
    ) -> None:
        """Port 0 takes a free one; `port` tells which, once it runs. Without a `webhook_url` nobody is told."""
        if not (api_key.startswith("sk_test_") and webhook_secret and control_secret):
            raise ValueError(
                "the simulated payment company needs a key (sk_test_…), a webhook secret and a control secret"
            )
        self.api_key = api_key
        self.webhook_secret = webhook_secret
        self.control_secret = control_secret
        self.webhook_url = webhook_url
        self.port = port
        self._state_file = state_file
        self._debit_seconds = debit_seconds
        self._stack = contextlib.AsyncExitStack()

    @classmethod
    def of(cls, settings: Settings, port: int | None = None) -> Self:
        """The one that belongs to an installation; it tells the address where that takes notices."""
        account = SimulatedGatewayAccount.of(settings, port)
        return cls(
            account.api_key,
            account.webhook_secret,
            account.control_secret,
            # Not the public address: the way there may lead around the world, or not exist.
            webhook_url=f"http://{_near(settings.host)}:{settings.port}{WEBHOOK_PATH}",
            port=httpx.URL(account.api_base).port or 0,
            state_file=settings.home / "gateway.json",
        )

    @property
    def api_base(self) -> str:
        """Where its API, its pages and its control door are."""
        return f"http://127.0.0.1:{self.port}"

    def control(self) -> GatewayControl:
        """The key to its back door."""
        return GatewayControl(self.api_base, self.control_secret)

    async def __aenter__(self) -> Self:
        """Raises OSError when the port is taken."""
        async with contextlib.AsyncExitStack() as stack:
            client = await stack.enter_async_context(httpx.AsyncClient(trust_env=False, follow_redirects=False))
            listener = listen(self.port)
            stack.callback(listener.close)
            self.port = listener.getsockname()[1]
            deliveries = Deliveries(self.webhook_url, self.webhook_secret, client)
            books = Books(self.api_base, deliveries.add, self._debit_seconds)
            kept = Kept(self._state_file, books, lambda: (books.changes, deliveries.answers))
            for event in kept.read():
                deliveries.again(event, another_id=False)
            stack.callback(kept.write)
            stack.push_async_callback(deliveries.close)
            passing = asyncio.create_task(_pass_time(books, kept))
            stack.push_async_callback(_end, passing)
            await stack.enter_async_context(serve(self._application(books, deliveries), listener))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self._stack.aclose()

    def _application(self, books: Books, deliveries: Deliveries) -> Starlette:
        api = Api(books, self.api_key, lambda: deliveries.faults)
        control = ControlDoor(books, deliveries, self.control_secret, api.forget_refusals)
        return Starlette(routes=[*api.routes(), *CheckoutPages(books).routes(), *control.routes()])


async def _pass_time(books: Books, kept: Kept) -> None:
    written = 0.0
    while True:
        books.pass_time(time.time())
        if time.monotonic() > written + _WRITE_SECONDS:
            kept.write()
            written = time.monotonic()
        await asyncio.sleep(_TICK_SECONDS)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _near(host: str) -> str:
    """The address on this machine of a server that listens there."""
    with contextlib.suppress(ValueError):
        if ipaddress.ip_address(host).is_unspecified:
            return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


# As a program of its own.


def main(arguments: list[str] | None = None) -> None:
    """Without arguments: the payment company of this installation, by its settings. Secrets come from the environment
    (SIMULATED_GATEWAY_KEY, SIMULATED_GATEWAY_WEBHOOK, SIMULATED_GATEWAY_CONTROL), never from the command line, where
    every user of the machine could read them."""
    parser = argparse.ArgumentParser(prog="python -m talktime.simulate.gateway", description=main.__doc__)
    parser.add_argument("--demo", action="store_true", help="this installation is a demo: needed to serve it")
    parser.add_argument("--port", type=int, help="port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--webhook-url", help="where events are told")
    parser.add_argument("--state-file", type=Path, help="keep what happened over a restart")
    parser.add_argument("--debit-seconds", type=float, default=DEBIT_SECONDS, help="how long a bank debit takes")
    given = parser.parse_args(arguments)
    secrets = [os.environ.get(f"SIMULATED_GATEWAY_{name}", "") for name in ("KEY", "WEBHOOK", "CONTROL")]
    if any(secrets):
        if not all(secrets):
            parser.error("give the key, the webhook's secret and the control door's, or none of the three")
        gateway = SimulatedGateway(
            *secrets,
            webhook_url=given.webhook_url or "",
            port=given.port or 0,
            state_file=given.state_file,
            debit_seconds=given.debit_seconds,
        )
    elif not given.demo:
        parser.error("credits would be sold for nothing: the simulated payment company is for the demo only (--demo)")
    else:
        gateway = SimulatedGateway.of(Settings(), given.port)
        gateway.webhook_url = given.webhook_url or gateway.webhook_url
    asyncio.run(until_stopped(gateway))


if __name__ == "__main__":
    main()
