"""The companies we depend on: that their servers answer, and take our keys. One cheap question each, which changes
nothing there.
"""

import asyncio
import ssl
from collections.abc import Sequence

import aiosmtplib

from talktime.app import carriers_of
from talktime.cli.checkup.finding import Finding, fail, ok, warn
from talktime.cli.running import Instance
from talktime.errors import ProviderError, TalktimeError
from talktime.mail.message import Sender
from talktime.mail.send import OUTBOX, SmtpServer
from talktime.payments.till import gateways_of
from talktime.settings import Settings

_SECONDS_MAX = 8.0
_NO_CALL = "CA" + "0" * 32
_NO_CHECKOUT = "cs_test_nobody_ever_opened_this_one"


async def mail(settings: Settings, *, demo: bool, tls: ssl.SSLContext | None) -> Sequence[Finding]:
    """That the mail server takes our connection, over TLS, and knows our password. No mail is sent."""
    if settings.smtp_url is None:
        says = f"no server is set: mails lie in {settings.home / OUTBOX}"
        return [ok("mail", says) if demo else warn("mail", says, "set TALKTIME_SMTP_URL and TALKTIME_MAIL_FROM.")]
    try:
        server = SmtpServer.at(settings.smtp_url.get_secret_value())
        domain = Sender.of(settings.mail_from or "").domain
    except TalktimeError as error:
        return [fail("mail", "cannot be used as it is set", str(error))]
    client = aiosmtplib.SMTP(
        hostname=server.host,
        port=server.port,
        username=server.user,
        password=server.password,
        use_tls=server.tls == "at once",
        start_tls=server.tls == "starttls",
        tls_context=(tls or ssl.create_default_context()) if server.tls != "never" else None,
        local_hostname=domain,
        timeout=_SECONDS_MAX,
    )
    where = f"{server.host}:{server.port}"
    try:
        async with asyncio.timeout(_SECONDS_MAX):
            async with client:
                await client.noop()
    except aiosmtplib.SMTPAuthenticationError:
        return [fail("mail", f"{where} does not take our user and password", "see TALKTIME_SMTP_URL.")]
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        # Its words may repeat our address; what kind of trouble it is says enough.
        return [
            fail("mail", f"{where} cannot be used ({type(error).__name__})", "see TALKTIME_SMTP_URL and the server.")
        ]
    over = "without TLS" if server.tls == "never" else "over TLS"
    says = f"{where} takes our mails, {over}"
    if server.tls == "never" and server.host not in ("localhost", "127.0.0.1", "::1"):
        return [warn("mail", says, "add ?starttls to TALKTIME_SMTP_URL, or use smtps://.")]
    return [ok("mail", says)]


async def carriers(settings: Settings, instance: Instance | None, *, demo: bool) -> Sequence[Finding]:
    """That each phone company takes our keys: it is asked for a call that never was."""
    # The simulated one runs as long as the demo does.
    found = []
    for carrier in carriers_of(settings, demo=demo and instance is not None).values():
        name = f"carrier {carrier.name}"
        try:
            async with asyncio.timeout(_SECONDS_MAX):
                await carrier.look_up(_NO_CALL)
        except (ProviderError, TimeoutError) as error:
            found.append(fail(name, _trouble(error), "see its account and token, and whether we reach it."))
        else:
            found.append(ok(name, "answers, and takes our keys"))
        finally:
            await carrier.close()
    if not found and not demo:
        found.append(warn("carrier", "none is set: nobody can call", "set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN."))
    return found


async def payments(settings: Settings, instance: Instance | None, *, demo: bool) -> Sequence[Finding]:
    """The same for payment companies, with a checkout that never was."""
    found = []
    for gateway in gateways_of(settings, demo=demo and instance is not None).values():
        name = f"payments {gateway.name}"
        try:
            async with asyncio.timeout(_SECONDS_MAX):
                await gateway.fetch_checkout(_NO_CHECKOUT)
        except (ProviderError, TimeoutError) as error:
            found.append(fail(name, _trouble(error), "see its key, and whether we reach it."))
        else:
            found.append(ok(name, f"answers, and takes our keys; {'live' if gateway.live else 'no real money moves'}"))
        finally:
            await gateway.close()
    if not found and not demo:
        found.append(
            warn("payments", "no company is set: nobody can buy", "set STRIPE_API_KEY and its webhook's secret.")
        )
    return found


def _trouble(error: Exception) -> str:
    return str(error) or f"did not answer within {_SECONDS_MAX:g} s"
