"""Whether the outside reaches us at PUBLIC_URL: whoever answers there must know this installation's secret.

The rule: what this machine cannot see it does not claim. It asks over the name and the proxy that everybody uses, but
from where it stands, and a firewall may treat others in another way.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

import httpx

from talktime.cli.checkup.finding import Finding, fail, ok, warn
from talktime.cli.running import Instance
from talktime.http.health import proof_of
from talktime.security import is_loopback, new_token
from talktime.settings import Settings

_SECONDS_MAX = 6.0
_DAYS_WARN, _DAYS_FAIL = 21, 5


async def reached(
    settings: Settings, instance: Instance | None, *, demo: bool, tls: ssl.SSLContext | None
) -> Sequence[Finding]:
    """Ask ourselves by our public address, and see whether it is we who answer."""
    base = settings.base_url
    if is_loopback(urlsplit(base).hostname or ""):
        if demo:
            return [ok("public address", f"is {base}: this machine alone, as the demo should be")]
        return [
            warn("public address", f"is {base}: carriers cannot reach this machine", "set PUBLIC_URL, with https://.")
        ]
    if instance is None:
        says = f"cannot be told: no server runs here that {base} could lead to"
        return [warn("public address", says, "start `talktime serve` and ask again.")]
    return [await answers_at(settings, base, tls=tls)]


async def certificate(settings: Settings, *, tls: ssl.SSLContext | None) -> Sequence[Finding]:
    """How long the certificate at our public address is good for."""
    parts = urlsplit(settings.base_url)
    if parts.scheme != "https":
        return []
    context = tls or ssl.create_default_context()
    try:
        async with asyncio.timeout(_SECONDS_MAX):
            _, writer = await asyncio.open_connection(parts.hostname, parts.port or 443, ssl=context)
    except ssl.SSLCertVerificationError as error:
        return [
            fail("certificate", f"is not one that is trusted: {error.verify_message}", "renew it, or mend its chain.")
        ]
    except (OSError, TimeoutError) as error:
        says = f"cannot be told: {parts.hostname} does not answer ({type(error).__name__})"
        return [warn("certificate", says, "see that the proxy runs.")]
    try:
        said = writer.get_extra_info("peercert")
    finally:
        writer.close()
    days = int((ssl.cert_time_to_seconds(said["notAfter"]) - time.time()) // 86400)
    says = f"is good for {days} more days"
    if days < _DAYS_FAIL:
        return [fail("certificate", says, "renew it: carriers hang up on one that ran out.")]
    return [
        warn("certificate", says, "see that it is renewed by itself.") if days < _DAYS_WARN else ok("certificate", says)
    ]


async def answers_at(settings: Settings, base: str, *, tls: ssl.SSLContext | None) -> Finding:
    """Who answers at this address."""
    challenge, name = new_token(), "public address"
    try:
        async with (
            asyncio.timeout(_SECONDS_MAX),
            httpx.AsyncClient(verify=tls or True, timeout=_SECONDS_MAX, trust_env=False) as client,
        ):
            answer = await client.get(f"{base}/healthz", params={"challenge": challenge})
    except (httpx.HTTPError, OSError, TimeoutError) as error:
        kind = type(error).__name__
        mend = (
            "see the name, the proxy and the firewall. Some routers do not let a machine reach itself by its public"
            f" address: then try {base}/healthz from elsewhere."
        )
        return fail(name, f"{base} was not reached from this machine ({kind})", mend)
    try:
        proof = answer.json()["proof"] if answer.status_code == 200 else None
    except (ValueError, LookupError, TypeError):
        proof = None
    if proof != proof_of(settings, challenge):
        return fail(
            name,
            f"somebody else answers at {base}: not a Talktime with this secret key (HTTP {answer.status_code})",
            "see where the name and the proxy lead, and that every process has the same TALKTIME_SECRET_KEY.",
        )
    if await _is_private(urlsplit(base).hostname or ""):
        says = f"we answer at {base}, but its name leads to a private address here"
        return warn(
            name, says, f"whether others get through cannot be told from here: try {base}/healthz from elsewhere."
        )
    return ok(name, f"we answer at {base}, asked from this machine")


async def _is_private(host: str) -> bool:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return any(not ip_address(str(address[4][0]).partition("%")[0]).is_global for address in found)
