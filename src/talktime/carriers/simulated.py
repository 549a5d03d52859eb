"""The simulated carrier: Twilio's protocol, spoken with a phone company of our own (`simulate/carrier.py`).

Nothing about it is a short cut: signatures, forms, markup, sockets and the API are those of Twilio. The one rule: it
lives on loopback and nowhere else, because its secrets are derived from ours and its calls cost nothing.
"""

from dataclasses import dataclass

import httpx

from talktime.carriers.twilio import Twilio
from talktime.security import is_loopback_url
from talktime.settings import Settings


@dataclass(frozen=True, slots=True)
class SimulatedAccount:
    """What both sides of the simulated carrier know, derived from the installation's secret."""

    account_sid: str
    auth_token: str
    control_secret: str
    """Opens the control door, where calls are placed."""
    api_base: str

    @classmethod
    def of(cls, settings: Settings) -> "SimulatedAccount":
        """The one account of an installation."""
        return cls(
            account_sid="AC" + settings.derive("simulated-carrier-account")[:32],
            auth_token=settings.derive("simulated-carrier"),
            control_secret=settings.derive("simulated-carrier-control"),
            api_base=f"http://127.0.0.1:{settings.carrier_port}",
        )


class Simulated(Twilio):
    """One account with the simulated carrier."""

    name = "simulated"

    def __init__(self, account: SimulatedAccount) -> None:
        if not is_loopback_url(account.api_base):
            raise ValueError("the simulated carrier lives on this machine: its address must be a loopback one")
        # Proxies of the environment are for the world outside; this is not.
        self._own_client = httpx.AsyncClient(timeout=httpx.Timeout(5.0, connect=3.0), trust_env=False)
        super().__init__(account.account_sid, account.auth_token, account.api_base, self._own_client)

    @classmethod
    def of(cls, settings: Settings) -> "Simulated":
        """The simulated carrier of an installation."""
        return cls(SimulatedAccount.of(settings))

    async def close(self) -> None:
        """Let go of connections."""
        await self._own_client.aclose()
