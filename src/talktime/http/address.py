"""Where a request comes from: the address that what is tried is counted by, and that a session and the audit log name.

The one rule: nobody says for themselves where they are. A header is believed as far as our own proxies wrote it, which
is from its right end to the first address that is none of them; what stands further left anybody may have sent.
"""

import ipaddress

from starlette.requests import HTTPConnection

from talktime.settings import Network, Settings

_HOPS_MAX = 20
"""Nobody has more proxies of their own in a row."""

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def client_address(request: HTTPConnection, settings: Settings) -> str:
    """Who asks: an IPv4 or IPv6 address in its shortest form; "" when there is none, as over a socket of this machine.

    It is the peer, or, when the peer is a trusted proxy, the rightmost address of X-Forwarded-For that is none. What is
    no address there ends the search: then it is the proxy that passed it on.
    """
    peer = _parse(request.client.host) if request.client is not None else None
    if peer is None:
        return ""
    nearest, proxies = peer, settings.proxies
    if not _is_one_of(proxies, nearest):
        return str(nearest)
    said = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
    for hop in reversed([hop for hop in said if hop.strip()][-_HOPS_MAX:]):
        address = _parse(hop)
        if address is None:
            break
        nearest = address
        if not _is_one_of(proxies, address):
            break
    return str(nearest)


def _is_one_of(networks: tuple[Network, ...], address: _Address) -> bool:
    return any(address in network for network in networks)


def _parse(text: str) -> _Address | None:
    """`192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]:4711`; None for anything else.

    An IPv4 address that is written as IPv6 is one address with the plain one, and the zone of a link says nothing here.
    """
    host = text.strip().strip('"')
    if host.startswith("["):
        host, bracket, port = host[1:].partition("]")
        if not bracket or not _is_port(port):
            return None
    elif host.count(":") == 1:
        host, _, port = host.partition(":")
        if not _is_port(f":{port}"):
            return None
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _is_port(text: str) -> bool:
    return not text or (text[0] == ":" and text[1:].isascii() and text[1:].isdigit() and len(text) <= 6)
