"""The simulated payment company: Stripe's protocol, spoken with a stand-in of our own (`simulate/gateway.py`).

Nothing about it is a short cut: pages, signatures, events and the API are those of Stripe. The one rule: it lives on
loopback and in the demo only, because its secrets are derived from ours and what it sells costs nothing.
"""

from talktime.errors import Refused
from talktime.gateways.simulated_account import SimulatedGatewayAccount
from talktime.gateways.stripe import Stripe
from talktime.security import is_loopback_url
from talktime.settings import Settings


class Simulated(Stripe):
    """One account with the simulated payment company."""

    name = "simulated"

    def __init__(self, account: SimulatedGatewayAccount) -> None:
        if not is_loopback_url(account.api_base):
            raise ValueError("the simulated payment company lives on this machine: its address must be a loopback one")
        if not account.api_key.startswith("sk_test_"):
            raise ValueError("the simulated payment company knows no live mode")
        # Proxies of the environment are for the world outside; this is not.
        super().__init__(account.api_key, (account.webhook_secret,), account.api_base, trust_env=False)

    @classmethod
    def of(cls, settings: Settings, port: int | None = None) -> "Simulated":
        """The simulated payment company of an installation."""
        return cls(SimulatedGatewayAccount.of(settings, port))


def refuse_outside_demo(gateway: str, *, demo: bool) -> None:
    """Raise Refused when credits would be sold for simulated money to people who use the service in earnest."""
    if gateway == Simulated.name and not demo:
        raise Refused("The simulated payment company sells credits for nothing: it is for the demo only.")
