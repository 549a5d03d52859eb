"""Where we send to, and where never: what stands in an address, and what its name leads to.

The rule: a customer chooses the address and whoever runs its name chooses where that leads, so neither is believed. An
address is refused for its form when it is given; when something is sent, the name is looked up once, every address it
leads to must be one of the public internet, and the connection goes to an address that was looked at (`post.py`).
"""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import idna

from talktime.errors import BadInput

URL_LENGTH_MAX = 2000
PORTS = (443, 8443)
"""Where web servers that speak TLS listen; an address with another port is as likely something else."""
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses that a name leads to. Raises OSError."""


class BadTarget(BadInput):
    """Give the address of your own server, as https://example.org/webhooks."""

    field = "url"


class PrivateTarget(Exception):
    """A name leads to an address that is not of the public internet."""


def checked(url: str, *, to_private: bool = False) -> str:
    """An address that may be sent to, as far as it can be told from its form. Raises BadTarget.

    `to_private` allows plain http and any port and address: for this machine's own programs, in a demo and in tests.
    """
    url = url.strip()
    if not url or len(url) > URL_LENGTH_MAX or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise BadTarget(
            f"Give an address of at most {URL_LENGTH_MAX} plain characters, as https://example.org/webhooks;"
            " write other letters in a name as xn--…, and in a path as %…."
        )
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise BadTarget from None
    if parts.scheme != "https" and not (to_private and parts.scheme == "http"):
        raise BadTarget("Give an address that begins with https://: what is sent is nobody else's business.")
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise BadTarget(
            "Leave out the name and password: the signature tells you that it is us, and a secret path stays secret."
        )
    if parts.fragment or "#" in url:
        raise BadTarget("Leave out the # and what follows: it is never sent to a server.")
    if not host:
        raise BadTarget
    if not to_private:
        if port is not None and port not in PORTS:
            raise BadTarget(f"Use port {PORTS[0]} or {PORTS[1]}.")
        _check_host(host, is_literal="[" in parts.netloc)
    return url


def _check_host(host: str, *, is_literal: bool) -> None:
    """A name of the public internet, or a public address in its usual form."""
    if is_literal or ":" in host or host.replace(".", "").isdigit():
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            raise BadTarget(
                f"{host} is no address of the internet; give a name, as https://example.org/webhooks."
            ) from None
        if not is_public(address):
            raise BadTarget(f"{host} is not an address of the public internet, so nothing is sent there.")
        return
    labels = host.rstrip(".").split(".")
    try:
        for label in labels:
            if "_" in label:
                raise BadTarget(f"{host} is no name of a server.")
            idna.alabel(label)
    except idna.IDNAError:
        raise BadTarget(f"{host} is no name of a server.") from None
    # A number in any of the forms that some resolvers take: 0x7f.1, 0177.0.0.1.
    if len(labels) < 2 or labels[-1][0].isdigit() or labels[-1] in _LOCAL:
        raise BadTarget(f"{host} is not a name of the public internet, so nothing is sent there.")


def is_public(address: Address) -> bool:
    """Whether an address belongs to the public internet, and to one place in it."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            return False
        return address in _IPV6_GLOBAL and not any(address in network for network in _IPV6_REFUSED)
    return not any(address in network for network in _IPV4_REFUSED)


def public_addresses(found: Sequence[str]) -> list[str]:
    """What a name leads to, if all of it is public. Raises PrivateTarget: one that is not spoils the others, because
    whoever answers so has something in mind."""
    for each in found:
        try:
            address = ipaddress.ip_address(each)
        except ValueError:
            raise PrivateTarget from None
        if not is_public(address):
            raise PrivateTarget
    return list(found)


_LOOKING_UP = ThreadPoolExecutor(256, thread_name_prefix="webhook-names")
"""Threads of its own, and more than a worker sends at once: however many name servers are silent, nobody else's name
waits for a thread, and nothing else of the process does."""


async def resolve(host: str, port: int) -> Sequence[str]:
    """Look a name up with the system's resolver. Raises OSError."""
    found = await asyncio.get_running_loop().run_in_executor(
        _LOOKING_UP, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    )
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


_LOCAL = frozenset(
    [
        "localhost",
        "local",
        "localdomain",
        "internal",
        "intranet",
        "lan",
        "home",
        "corp",
        "private",
        "arpa",
        "onion",
        "test",
        "invalid",
        "example",
    ]
)
"""Names that end so lead nowhere on the internet (RFC 6761, 6762, 7686, 8375, and the habits of offices)."""
# IANA's registries of special-purpose addresses, and what clouds answer their own machines from.
_IPV4_REFUSED = [
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32",
    )
]  # fmt: skip
# All that is given to anybody is in here; so loopback, mapped and compatible IPv4, NAT64, unique-local, link-local,
# site-local and multicast are not.
_IPV6_GLOBAL = ipaddress.ip_network("2000::/3")
_IPV6_REFUSED = [
    ipaddress.ip_network(network)
    for network in (
        "2001::/23",  # protocols, among them Teredo
        "2001:db8::/32", "3fff::/20",  # documentation
        "2002::/16",  # 6to4: an IPv4 address in disguise
        "2620:4f:8000::/48",  # AS112
    )
]  # fmt: skip
