"""The simulated companies of the demo, each a process of its own: it goes on when we are killed, and is found again."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Protocol

import httpx

from talktime.carriers.simulated import SimulatedAccount
from talktime.errors import ProviderError
from talktime.gateways.simulated_account import SimulatedGatewayAccount
from talktime.settings import Settings

_STARTS_SECONDS = 15.0


class Account(Protocol):
    """Where a simulated company is, and what opens its back door."""

    @property
    def api_base(self) -> str: ...

    @property
    def control_secret(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Kind:
    """What tells one simulated company from another."""

    name: str
    module: str
    port_setting: str
    log: str
    arguments: tuple[str, ...] = ()


CARRIER = Kind("carrier", "talktime.simulate.carrier", "TALKTIME_CARRIER_PORT", "carrier.log")
GATEWAY = Kind("payment company", "talktime.simulate.gateway", "TALKTIME_GATEWAY_PORT", "gateway.log", ("--demo",))


class Company:
    """One simulated company of an installation."""

    def __init__(self, settings: Settings, kind: Kind, account: Account) -> None:
        self._settings = settings
        self._kind = kind
        self._account = account
        self._client = httpx.AsyncClient(timeout=2, trust_env=False)
        self._process: asyncio.subprocess.Process | None = None
        self._pid: int | None = None

    async def begin(self) -> None:
        """Start it, unless it runs; it comes up while we do other things."""
        self._pid = await company_pid(self._account, self._client)
        if self._pid is not None:
            return
        environment = {
            **os.environ,
            "TALKTIME_HOME": str(self._settings.home),
            "TALKTIME_HOST": self._settings.host,
            "TALKTIME_PORT": str(self._settings.port),
            "TALKTIME_CARRIER_PORT": str(self._settings.carrier_port),
            "TALKTIME_GATEWAY_PORT": str(self._settings.gateway_port),
        }
        with (self._settings.home / self._kind.log).open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                self._kind.module,
                *self._kind.arguments,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C in the terminal is for us: our calls are drained while the company still carries them.
                start_new_session=True,
            )

    async def ready(self) -> None:
        """Wait until it answers. Raises ProviderError when it cannot be started."""
        deadline = time.monotonic() + _STARTS_SECONDS
        while self._pid is None:
            is_gone = self._process is not None and self._process.returncode is not None
            if is_gone or time.monotonic() > deadline:
                log = self._settings.home / self._kind.log
                raise ProviderError(
                    f"The simulated {self._kind.name} could not be started on {self._account.api_base}:"
                    f" set {self._kind.port_setting} to a free port ({log} says more).",
                    permanent=True,
                )
            await asyncio.sleep(0.05)
            self._pid = await company_pid(self._account, self._client)

    async def end(self) -> None:
        """Stop it, also one that an earlier process of ours left behind."""
        await self._client.aclose()
        pid = self._pid or (self._process.pid if self._process is not None else None)
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        if self._process is not None:
            await self._process.wait()


def companies_of(settings: Settings) -> list[Company]:
    """Those of the demo: the carrier, and without a real payment company's key the simulated one."""
    companies = [Company(settings, CARRIER, SimulatedAccount.of(settings))]
    if settings.stripe_api_key is None:
        companies.append(Company(settings, GATEWAY, SimulatedGatewayAccount.of(settings)))
    return companies


async def company_pid(account: Account, client: httpx.AsyncClient) -> int | None:
    """Who answers at the company's door and knows its secret; None when nobody does."""
    try:
        answer = await client.get(
            f"{account.api_base}/simulate/health", headers={"Authorization": f"Bearer {account.control_secret}"}
        )
    except httpx.HTTPError:
        return None
    return int(answer.json()["pid"]) if answer.status_code == 200 else None
