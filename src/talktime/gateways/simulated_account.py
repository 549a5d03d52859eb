"""What the two sides of the simulated payment company have in common: the adapter here, the company in `simulate/`.

The one rule: everything is derived from the installation's own secret, and nothing here needs Stripe's library.
"""

from dataclasses import dataclass, field

from talktime.settings import Settings

WEBHOOK_PATH = "/hooks/payments/simulated"
"""Where the simulated company reports, after our own address."""


@dataclass(frozen=True, slots=True)
class SimulatedGatewayAccount:
    """What both sides of the simulated payment company know, derived from the installation's secret."""

    api_key: str = field(repr=False)
    webhook_secret: str = field(repr=False)
    control_secret: str = field(repr=False)
    """Opens the control door, where payments are made to go wrong."""
    api_base: str

    @classmethod
    def of(cls, settings: Settings, port: int | None = None) -> "SimulatedGatewayAccount":
        """The one account of an installation, at its own port or another."""
        return cls(
            api_key="sk_test_" + settings.derive("simulated-gateway")[:48],
            webhook_secret="whsec_" + settings.derive("simulated-gateway-webhook"),
            control_secret=settings.derive("simulated-gateway-control"),
            api_base=f"http://127.0.0.1:{settings.gateway_port if port is None else port}",
        )
