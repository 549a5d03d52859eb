"""The settings: read once from the environment, frozen, and the only place where an address of anything stands.

Names without a prefix are the ones the vendors themselves use (`OPENAI_API_KEY`) or that every host knows
(`DATABASE_URL`); ours begin with `TALKTIME_`. Here stands what each one is by itself; whether they go together, and
what a person is told of one that is wrong, is said in `configuration`. docs/configuration.md lists them all.
"""

import hashlib
import hmac
import ipaddress
import os
import re
import secrets
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated

from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from talktime.errors import BadInput

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class SignUp(StrEnum):
    """Who may make an account."""

    OPEN = "open"
    """Whoever has an e-mail address."""
    INVITED = "invited"
    """Whom an operator sent a link."""


def _named(*names: str) -> AliasChoices:
    return AliasChoices(*names)


class Settings(BaseSettings):
    """Everything that differs between two installations."""

    # The prefix keeps fields from being found under their bare names: HOME is somebody else's.
    model_config = SettingsConfigDict(
        env_prefix="TALKTIME_", frozen=True, extra="ignore", populate_by_name=True, env_ignore_empty=True
    )

    # Where things are.
    home: Annotated[Path, Field(validation_alias=_named("TALKTIME_HOME"))] = Path(".talktime")
    """Folder for what this installation keeps outside the database: the embedded server's data, the demo's secret."""
    database_url: Annotated[SecretStr | None, Field(validation_alias=_named("DATABASE_URL"))] = None
    """None means the embedded server."""
    database_owner_url: Annotated[SecretStr | None, Field(validation_alias=_named("DATABASE_OWNER_URL"))] = None
    """Who may make roles and migrate; the same as `database_url` when not set."""
    database_connections_max: Annotated[int, Field(ge=2, validation_alias=_named("TALKTIME_DATABASE_CONNECTIONS"))] = 16

    host: Annotated[str, Field(validation_alias=_named("TALKTIME_HOST"))] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535, validation_alias=_named("TALKTIME_PORT", "PORT"))] = 8000
    public_url: Annotated[str | None, Field(validation_alias=_named("PUBLIC_URL"))] = None
    """How carriers reach us, scheme and host; signatures are checked against it. None means host and port above."""
    secret_key: Annotated[SecretStr | None, Field(min_length=32, validation_alias=_named("TALKTIME_SECRET_KEY"))] = None
    """Signs tokens. None is allowed in demo mode only, where one is made and kept in `home`."""
    log_level: Annotated[str, Field(validation_alias=_named("TALKTIME_LOG_LEVEL"))] = "INFO"
    """`DEBUG`, `INFO`, `WARNING`, `ERROR` or `CRITICAL`."""
    trusted_proxies: Annotated[str, Field(validation_alias=_named("TALKTIME_TRUSTED_PROXIES"))] = ""
    """Addresses and networks, separated by commas, whose `X-Forwarded-For` is believed: our own proxies."""

    # People.
    sign_up: Annotated[SignUp, Field(validation_alias=_named("TALKTIME_SIGN_UP"))] = SignUp.OPEN
    """`open`, or `invited`: then only an operator's link makes an account."""
    support_email: Annotated[str, Field(validation_alias=_named("TALKTIME_SUPPORT_EMAIL"))] = ""
    """Where somebody is told to write whose account is suspended."""

    # Carriers.
    twilio_account_sid: Annotated[str | None, Field(validation_alias=_named("TWILIO_ACCOUNT_SID"))] = None
    twilio_auth_token: Annotated[SecretStr | None, Field(validation_alias=_named("TWILIO_AUTH_TOKEN"))] = None
    twilio_api_base: Annotated[str, Field(validation_alias=_named("TWILIO_API_BASE"))] = "https://api.twilio.com"
    simulated_carrier_port: Annotated[
        int | None, Field(ge=1, le=65535, validation_alias=_named("TALKTIME_CARRIER_PORT"))
    ] = None
    """Port of the simulated carrier on loopback; one above ours when not set."""

    # Speech and language; without a key the offline ones serve.
    openai_api_key: Annotated[SecretStr | None, Field(validation_alias=_named("OPENAI_API_KEY"))] = None
    openai_base_url: Annotated[str | None, Field(validation_alias=_named("OPENAI_BASE_URL"))] = None
    openai_model: Annotated[str, Field(validation_alias=_named("OPENAI_MODEL"))] = "gpt-4.1-mini"
    deepgram_api_key: Annotated[SecretStr | None, Field(validation_alias=_named("DEEPGRAM_API_KEY"))] = None
    deepgram_url: Annotated[str, Field(validation_alias=_named("DEEPGRAM_URL"))] = "wss://api.deepgram.com"
    elevenlabs_api_key: Annotated[SecretStr | None, Field(validation_alias=_named("ELEVENLABS_API_KEY"))] = None
    elevenlabs_url: Annotated[str, Field(validation_alias=_named("ELEVENLABS_URL"))] = "https://api.elevenlabs.io"
    elevenlabs_voice: Annotated[str, Field(validation_alias=_named("ELEVENLABS_VOICE"))] = "21m00Tcm4TlvDq8ikWAM"

    # Payment companies; in demo mode without keys the simulated one.
    stripe_api_key: Annotated[SecretStr | None, Field(validation_alias=_named("STRIPE_API_KEY"))] = None
    stripe_webhook_secret: Annotated[SecretStr | None, Field(validation_alias=_named("STRIPE_WEBHOOK_SECRET"))] = None
    """One or, while it is being changed, several separated by commas. Needed with a key."""
    stripe_api_base: Annotated[str, Field(validation_alias=_named("STRIPE_API_BASE"))] = "https://api.stripe.com"
    simulated_gateway_port: Annotated[
        int | None, Field(ge=1, le=65535, validation_alias=_named("TALKTIME_GATEWAY_PORT"))
    ] = None
    """Port of the simulated payment company on loopback; two above ours when not set."""

    # What invoices say of the seller. Prices include the tax. A live key needs name, address, country and tax, because
    # an invoice once issued stays as it is.
    seller_name: Annotated[str, Field(validation_alias=_named("TALKTIME_SELLER_NAME"))] = ""
    seller_address: Annotated[str, Field(validation_alias=_named("TALKTIME_SELLER_ADDRESS"))] = ""
    """Lines separated by `;` or line breaks."""
    seller_country: Annotated[str, Field(validation_alias=_named("TALKTIME_SELLER_COUNTRY"))] = ""
    seller_vat_id: Annotated[str, Field(validation_alias=_named("TALKTIME_SELLER_VAT_ID"))] = ""
    seller_tax_number: Annotated[str, Field(validation_alias=_named("TALKTIME_SELLER_TAX_NUMBER"))] = ""
    seller_email: Annotated[str, Field(validation_alias=_named("TALKTIME_SELLER_EMAIL"))] = ""
    vat_percent: Annotated[
        Decimal | None, Field(ge=0, le=100, decimal_places=2, validation_alias=_named("TALKTIME_VAT_PERCENT"))
    ] = None
    """None is no tax, as long as no money moves; who sells without one says 0."""
    invoice_series: Annotated[
        str, Field(pattern=r"^[A-Z0-9-]{1,20}$", validation_alias=_named("TALKTIME_INVOICE_SERIES"))
    ] = "TT"
    """What every invoice's number begins with."""

    adjustment_limit: Annotated[int, Field(ge=0, validation_alias=_named("TALKTIME_ADJUSTMENT_LIMIT"))] = 10_000
    """More credits than this, by one operator for one customer on one day (UTC), need a second person."""
    agents_max: Annotated[int, Field(ge=1, le=1_000, validation_alias=_named("TALKTIME_AGENTS_MAX"))] = 20
    """Agents that a customer may have, those that were archived not counted."""
    number_rent: Annotated[int, Field(ge=0, le=10**9, validation_alias=_named("TALKTIME_NUMBER_RENT"))] = 0
    """Credits that a number costs a customer in a month, from when it is given to them on; 0 is nothing."""

    # The REST API.
    api_requests_per_minute: Annotated[
        int, Field(ge=1, le=1_000_000, validation_alias=_named("TALKTIME_API_REQUESTS_PER_MINUTE"))
    ] = 600
    """How much one API key may ask for on average; all keys of an account together twice as much."""
    api_requests_burst: Annotated[
        int, Field(ge=1, le=1_000_000, validation_alias=_named("TALKTIME_API_REQUESTS_BURST"))
    ] = 100
    """How much of that at once."""

    webhooks_to_private: Annotated[bool, Field(validation_alias=_named("TALKTIME_WEBHOOKS_TO_PRIVATE"))] = False
    """Customers' webhooks may lead to this machine and its neighbours, also in clear: for trying things out."""

    # Mail, and what watches us.
    smtp_url: Annotated[SecretStr | None, Field(validation_alias=_named("TALKTIME_SMTP_URL"))] = None
    """`smtps://user:password@host:465`, `smtp://…@host:587?starttls`; None puts mails into `home`/outbox."""
    mail_from: Annotated[str | None, Field(validation_alias=_named("TALKTIME_MAIL_FROM"))] = None
    """`Talktime <desk@example.org>`; needed with a mail server."""
    alerts_to: Annotated[str, Field(validation_alias=_named("TALKTIME_ALERTS_TO"))] = ""
    """Addresses separated by commas; empty means every administrator."""
    metrics_token: Annotated[SecretStr | None, Field(validation_alias=_named("TALKTIME_METRICS_TOKEN"))] = None
    """Opens /metrics from elsewhere than this machine."""
    otlp_endpoint: Annotated[str | None, Field(validation_alias=_named("OTEL_EXPORTER_OTLP_ENDPOINT"))] = None
    """Where traces of calls go, as OTLP over HTTP: `http://127.0.0.1:4318`. None is none."""

    # For how long what is about people is kept, in days; None is for ever. The books stay in any case.
    keep_turns_days: Annotated[
        int | None, Field(ge=1, le=36_500, validation_alias=_named("TALKTIME_KEEP_TURNS_DAYS"))
    ] = 365
    """What was said on calls."""
    keep_summaries_days: Annotated[
        int | None, Field(ge=1, le=36_500, validation_alias=_named("TALKTIME_KEEP_SUMMARIES_DAYS"))
    ] = 730
    """What came of calls, in a sentence."""
    keep_callers_days: Annotated[
        int | None, Field(ge=2, le=36_500, validation_alias=_named("TALKTIME_KEEP_CALLERS_DAYS"))
    ] = 730
    """Who called; two days at least, because what one caller may cost a day is counted by it."""
    keep_events_days: Annotated[int, Field(ge=8, le=36_500, validation_alias=_named("TALKTIME_KEEP_EVENTS_DAYS"))] = 30
    """What providers told us; longer than the week in which one may still wait."""
    keep_deliveries_days: Annotated[
        int, Field(ge=1, le=36_500, validation_alias=_named("TALKTIME_KEEP_DELIVERIES_DAYS"))
    ] = 30
    """What was told to customers' webhooks, and what they answered."""

    @field_validator("keep_turns_days", "keep_summaries_days", "keep_callers_days", mode="before")
    @classmethod
    def _for_ever(cls, said: object) -> object:
        """`forever` is a word for None, which the environment cannot say."""
        return None if isinstance(said, str) and said.strip().lower() == "forever" else said

    @field_validator("database_url", "database_owner_url", mode="after")
    @classmethod
    def _for_libpq(cls, url: SecretStr | None) -> SecretStr | None:
        """Other tools write a driver's name into the address: `postgresql+psycopg://`, `postgres://`."""
        return SecretStr(re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql://", url.get_secret_value())) if url else None

    @field_validator("trusted_proxies", mode="after")
    @classmethod
    def _are_networks(cls, said: str) -> str:
        networks_of(said)
        return said

    @property
    def base_url(self) -> str:
        """How the outside reaches us: `https://example.org`, without a slash at the end."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")

    @property
    def media_url(self) -> str:
        """The same for web sockets: `wss://example.org`."""
        return "ws" + self.base_url.removeprefix("http")

    @cached_property
    def proxies(self) -> tuple[Network, ...]:
        """The networks of `trusted_proxies`."""
        return networks_of(self.trusted_proxies)

    @property
    def carrier_port(self) -> int:
        return self.simulated_carrier_port or self.port + 1

    @property
    def gateway_port(self) -> int:
        return self.simulated_gateway_port or self.port + 2

    @cached_property
    def secret(self) -> bytes:
        """The key that signs tokens: the one that is set, else the one that this installation made for itself."""
        if self.secret_key is not None:
            return self.secret_key.get_secret_value().encode()
        return _kept_secret(self.home / "secret")

    def derive(self, purpose: str) -> str:
        """A secret of its own for one purpose (hex), so that one that leaks opens nothing else."""
        return hmac.new(self.secret, f"derive:{purpose}".encode(), hashlib.sha256).hexdigest()


def networks_of(said: str) -> tuple[Network, ...]:
    """The networks of a list with commas; an address is a network of one. Raises ValueError."""
    return tuple(ipaddress.ip_network(each.strip()) for each in said.split(",") if each.strip())


_SECRET_LENGTH_MIN = 32


def _kept_secret(path: Path) -> bytes:
    """Read the installation's own secret, making it first if need be; two starts at once agree on one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(32))
            file.flush()
            os.fsync(file.fileno())  # an empty secret after a power failure would be everybody's
        try:
            os.link(draft, path)
        except FileExistsError:
            pass  # another process was first; its secret is the one
        finally:
            draft.unlink()
    secret = path.read_text().strip()
    if len(secret) < _SECRET_LENGTH_MIN:
        raise BadInput(f"The secret in {path} is too short to sign anything: remove the file, and a new one is made.")
    return secret.encode()
