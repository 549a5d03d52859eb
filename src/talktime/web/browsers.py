"""A browser and the place it is at, in words its owner knows again: “Firefox on Windows”, “this machine”.

The rule: a browser says of itself what it likes. What we do not know is called so, and nothing of it is shown as it is.
"""

import ipaddress

from talktime.web.language import _

_BROWSERS = (
    # The order matters: nearly all of them say that they are Mozilla, Chrome and Safari, too.
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Vivaldi/", "Vivaldi"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
    ("python-httpx/", "httpx"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
)
_LOCAL = [
    ipaddress.ip_network(network)
    for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10")
]


def browser_in_words(said: str | None) -> str:
    """`Firefox on Windows`, `Safari on an iPhone`; what is not known is “a browser”, or “a program”."""
    text = said or ""
    browser = next((name for sign, name in _BROWSERS if sign in text), "")
    system = next((name for sign, name in _SYSTEMS if sign in text), "")
    if browser and system:
        return _("{browser} on {system}").format(browser=browser, system=system)
    return browser or (_("A browser on {system}").format(system=system) if system else _("An unknown browser"))


def place_in_words(address: str | None) -> str:
    """`this machine`, `a local network (192.168.1.20)`, `203.0.113.7`."""
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return _("from an unknown place")
    if parsed.is_loopback:
        return _("on the server’s own machine")
    if any(parsed in network for network in _LOCAL):
        return _("in a local network, {address}").format(address=str(parsed))
    return _("from {address}").format(address=str(parsed))
