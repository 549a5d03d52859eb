"""What settings may be: each from itself, with each other, and to be served with.

The rule: a combination that is unsafe is refused, not warned of.
"""

from collections.abc import Iterator

from talktime.configuration.values import (
    host_of,
    is_database,
    is_host,
    is_installed,
    no_base,
    no_home,
    plain,
    shown,
    split,
    weak,
)
from talktime.configuration.wrong import NEW_KEY, Wrong
from talktime.errors import BadInput
from talktime.security import is_loopback
from talktime.settings import Settings

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def alone(settings: Settings) -> Iterator[Wrong]:
    """What can be told of a setting from itself."""
    if settings.log_level.upper() not in LOG_LEVELS:
        yield Wrong("TALKTIME_LOG_LEVEL", f"is {shown(settings.log_level)}", f"write one of {', '.join(LOG_LEVELS)}.")
    if not is_host(settings.host):
        yield Wrong(
            "TALKTIME_HOST",
            f"is {shown(settings.host)}",
            "write an address of this machine without a port, such as 127.0.0.1, or 0.0.0.0 for all of them.",
        )
    if settings.secret_key is not None and (why := weak(settings.secret_key.get_secret_value())):
        yield Wrong("TALKTIME_SECRET_KEY", why, f"whoever guesses it signs in as anybody; {NEW_KEY}.")
    if settings.metrics_token is not None and len(settings.metrics_token.get_secret_value()) < 16:
        yield Wrong(
            "TALKTIME_METRICS_TOKEN", "is too short to keep anybody out", "make it 16 random characters or more."
        )
    if any(network.prefixlen == 0 for network in settings.proxies):
        yield Wrong(
            "TALKTIME_TRUSTED_PROXIES",
            "trusts every address there is",
            "name your own proxies alone: whoever is trusted says where a request comes from.",
        )
    yield from _mail(settings)
    yield from _urls(settings)


def _mail(settings: Settings) -> Iterator[Wrong]:
    if settings.smtp_url is None and not (settings.mail_from or settings.alerts_to or settings.support_email):
        return
    from talktime.mail.message import Sender, is_mailbox

    if settings.smtp_url is not None:
        from talktime.mail.send import SmtpServer

        try:
            SmtpServer.at(settings.smtp_url.get_secret_value())
        except BadInput as error:
            said = str(error).removeprefix("TALKTIME_SMTP_URL ").partition(": ")
            yield Wrong("TALKTIME_SMTP_URL", said[0], said[2])
    if settings.mail_from is not None:
        try:
            Sender.of(settings.mail_from)
        except BadInput:
            yield Wrong("TALKTIME_MAIL_FROM", "is no address", "write it as `Talktime <hello@example.org>`.")
    for name, addresses in (
        ("TALKTIME_ALERTS_TO", [address.strip() for address in settings.alerts_to.split(",")]),
        ("TALKTIME_SUPPORT_EMAIL", [settings.support_email]),
    ):
        if not all(is_mailbox(address) for address in addresses if address):
            yield Wrong(name, "is no address that mail can be sent to", "write it like desk@example.org.")


def _urls(settings: Settings) -> Iterator[Wrong]:
    if settings.public_url is not None and (why := no_base(settings.public_url)):
        yield Wrong(
            "PUBLIC_URL", why, "write the scheme and the host alone, such as PUBLIC_URL=https://phone.example.org."
        )
    for name, url in (("DATABASE_URL", settings.database_url), ("DATABASE_OWNER_URL", settings.database_owner_url)):
        if url is not None and not is_database(url.get_secret_value()):
            yield Wrong(
                name,
                "is no address of a PostgreSQL database",
                f"write {name}=postgresql://user:password@host:5432/name.",
            )
    if settings.otlp_endpoint is not None:
        # Spans carry ids and times and no word of anybody, so they may travel in clear.
        otlp = split(settings.otlp_endpoint)
        if otlp is None or otlp.scheme not in ("http", "https"):
            yield Wrong(
                "OTEL_EXPORTER_OTLP_ENDPOINT", "is no address of a server", "write it like http://127.0.0.1:4318."
            )
        elif not is_installed("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http"):
            yield Wrong(
                "OTEL_EXPORTER_OTLP_ENDPOINT",
                "is set, and what sends traces is not installed",
                "take it away, or install the extra `telemetry`.",
            )
    for name, said, schemes in (
        ("TWILIO_API_BASE", settings.twilio_api_base, ("https", "http")),
        ("STRIPE_API_BASE", settings.stripe_api_base, ("https", "http")),
        ("OPENAI_BASE_URL", settings.openai_base_url, ("https", "http")),
        ("ELEVENLABS_URL", settings.elevenlabs_url, ("https", "http")),
        ("DEEPGRAM_URL", settings.deepgram_url, ("wss", "ws")),
    ):
        parts = split(said) if said is not None else None
        if said is None:
            continue
        if parts is None or parts.scheme not in schemes:
            yield Wrong(name, "is no address of a server", f"write it like {schemes[0]}://api.example.org.")
        elif parts.scheme != schemes[0] and not is_loopback(parts.hostname or ""):
            yield Wrong(
                name, "would send a key and what callers say in clear", f"write {schemes[0]}://, not {schemes[1]}://."
            )


def together(settings: Settings) -> Iterator[Wrong]:
    """What one setting needs of another."""
    if (settings.twilio_account_sid is None) != (settings.twilio_auth_token is None):
        there, missing = "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN"
        if settings.twilio_account_sid is None:
            there, missing = missing, there
        yield Wrong(
            missing, f"is not set, and {there} is", f"set {missing} too: Twilio's console shows them side by side."
        )
    if settings.smtp_url is not None and settings.mail_from is None:
        yield Wrong(
            "TALKTIME_MAIL_FROM",
            "is not set, and TALKTIME_SMTP_URL is",
            "say who the mails are from, such as TALKTIME_MAIL_FROM='Talktime <hello@example.org>'.",
        )
    if settings.stripe_api_key is not None and not any(
        secret.strip() for secret in plain(settings.stripe_webhook_secret).split(",")
    ):
        yield Wrong(
            "STRIPE_WEBHOOK_SECRET",
            "is not set, and STRIPE_API_KEY is",
            "set STRIPE_WEBHOOK_SECRET with STRIPE_API_KEY, or no payment that is made is believed.",
        )
    if _is_live(settings):
        yield from _seller(settings)


def _seller(settings: Settings) -> Iterator[Wrong]:
    """No invoice is issued by nobody, or says 0 % because nobody thought of it."""
    said = {
        "TALKTIME_SELLER_NAME": settings.seller_name.strip(),
        "TALKTIME_SELLER_ADDRESS": settings.seller_address.strip(" ;\t\r\n"),
        "TALKTIME_SELLER_COUNTRY": settings.seller_country.strip(),
        "TALKTIME_VAT_PERCENT": "" if settings.vat_percent is None else "said",
    }
    for name in (name for name, value in said.items() if not value):
        typed = " (0 where there is none)" if name == "TALKTIME_VAT_PERCENT" else ""
        yield Wrong(name, "is not set", f"set {name}{typed}, the invoices of a live STRIPE_API_KEY say it for good.")


def in_earnest(settings: Settings) -> Iterator[Wrong]:
    if settings.secret_key is None:
        yield Wrong(
            "TALKTIME_SECRET_KEY",
            "is not set",
            f"{NEW_KEY} and keep it; only the demo (`talktime serve --demo`) makes one for itself.",
        )
    is_outside = not is_loopback(settings.host)
    if settings.public_url is None:
        if is_outside:
            yield Wrong(
                "PUBLIC_URL",
                f"is not set, and TALKTIME_HOST is {shown(settings.host)}",
                "say how the outside reaches us, such as PUBLIC_URL=https://phone.example.org, or listen on 127.0.0.1.",
            )
    elif (parts := split(settings.public_url)) is not None and parts.scheme == "http":
        if not is_loopback(parts.hostname or ""):
            yield Wrong(
                "PUBLIC_URL",
                "is http:// on an address that is not this machine, so passwords and cookies would travel in clear",
                "write https://, with a proxy in front of us that has a certificate.",
            )
        elif is_outside:
            yield Wrong(
                "TALKTIME_HOST",
                f"is {shown(settings.host)}, which others reach, and PUBLIC_URL is http://",
                "listen on 127.0.0.1, or set PUBLIC_URL to the https:// address of your proxy.",
            )
    if settings.webhooks_to_private and (is_outside or not is_loopback(host_of(settings.base_url))):
        yield Wrong(
            "TALKTIME_WEBHOOKS_TO_PRIVATE",
            "is set where others make accounts, and each of them could have us look around in your network",
            "take it away; it is for this machine alone.",
        )
    if not is_loopback(host_of(settings.base_url)):
        for name, base, what in (
            ("STRIPE_API_BASE", settings.stripe_api_base, "a payment company on this machine would sell to everybody"),
            (
                "TWILIO_API_BASE",
                settings.twilio_api_base,
                "a phone company on this machine would answer for a real one",
            ),
        ):
            if is_loopback(host_of(base)):
                yield Wrong(name, f"leads to this machine, and PUBLIC_URL does not: {what}", f"take {name} away.")


def in_a_demo(settings: Settings) -> Iterator[Wrong]:
    """The demo sells credits for nothing and prints links that sign anybody in: nobody else may reach it."""
    if not is_loopback(settings.host):
        yield Wrong(
            "TALKTIME_HOST",
            f"is {shown(settings.host)}, and the demo with its simulated companies is for this machine alone",
            "take TALKTIME_HOST away, or serve without --demo.",
        )
    if settings.public_url is not None and not is_loopback(host_of(settings.public_url)):
        yield Wrong(
            "PUBLIC_URL",
            "is not this machine, and the demo with its simulated companies is for this machine alone",
            "take PUBLIC_URL away, or serve without --demo.",
        )
    if _is_live(settings):
        yield Wrong(
            "STRIPE_API_KEY", "is a live key, with which the demo would take real money", "use a test key, or none."
        )


def places(settings: Settings, *, demo: bool) -> Iterator[Wrong]:
    if why := no_home(settings.home):
        yield Wrong("TALKTIME_HOME", why, "name a folder that this user may write to.")
    ports = {"TALKTIME_PORT": settings.port}
    if demo:
        for name, port in (
            ("TALKTIME_CARRIER_PORT", settings.carrier_port),
            ("TALKTIME_GATEWAY_PORT", settings.gateway_port),
        ):
            same = next((other for other, taken in ports.items() if taken == port), None)
            if same is not None:
                yield Wrong(name, f"is the same port as {same}", f"set {name} to another.")
            elif port > 65535:
                yield Wrong(name, f"would be {port}, which no machine has", f"set {name}, or a lower TALKTIME_PORT.")
            ports[name] = port


def _is_live(settings: Settings) -> bool:
    return plain(settings.stripe_api_key).startswith(("sk_live_", "rk_live_"))
