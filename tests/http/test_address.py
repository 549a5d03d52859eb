"""Where a request comes from, when everybody may write what they like into its headers."""

import pytest
from starlette.requests import HTTPConnection

from talktime.http.address import client_address
from talktime.settings import Settings

INSIDE = "10.0.0.0/8, 192.168.7.7, 2001:db8:1::/48"
PROXY = "10.0.0.1"


def asked(peer: str | None, *forwarded: str, trusted: str = INSIDE) -> str:
    """What we take the address for, with these X-Forwarded-For headers."""
    scope = {
        "type": "http",
        "client": (peer, 4711) if peer is not None else None,
        "headers": [(b"x-forwarded-for", each.encode("latin-1")) for each in forwarded],
    }
    return client_address(HTTPConnection(scope), Settings(trusted_proxies=trusted))


def test_without_a_proxy_it_is_the_peer_whatever_is_said() -> None:
    assert asked("203.0.113.9") == "203.0.113.9"
    assert asked("203.0.113.9", "198.51.100.1") == "203.0.113.9"
    assert asked("127.0.0.1", "198.51.100.1", trusted="") == "127.0.0.1"


def test_behind_a_proxy_it_is_whom_the_proxy_names() -> None:
    assert asked(PROXY, "198.51.100.1") == "198.51.100.1"
    assert asked("::ffff:10.0.0.1", "198.51.100.1") == "198.51.100.1"
    assert asked("2001:db8:1::5", "2001:db8:ffff::1") == "2001:db8:ffff::1"


def test_behind_several_proxies_it_is_the_first_that_is_none_from_the_right() -> None:
    assert asked(PROXY, "198.51.100.1, 192.168.7.7, 10.9.9.9") == "198.51.100.1"
    assert asked(PROXY, "198.51.100.1", "192.168.7.7", "10.9.9.9") == "198.51.100.1"


@pytest.mark.parametrize(
    "spoofed",
    [
        "1.2.3.4",
        "10.0.0.2",
        "127.0.0.1",
        "garbage",
        "",
        "1.2.3.4, 5.6.7.8",
        "10.0.0.2, 10.0.0.3",
        "2001:db8:1::1",
        "x" * 9000,
    ],
)
def test_what_stands_further_left_is_nobodys_word(spoofed: str) -> None:
    assert asked(PROXY, f"{spoofed}, 198.51.100.1") == "198.51.100.1"
    assert asked(PROXY, spoofed, "198.51.100.1") == "198.51.100.1"
    assert asked(PROXY, f"{spoofed},198.51.100.1, 10.3.3.3") == "198.51.100.1"


@pytest.mark.parametrize(
    "said",
    [
        "garbage",
        "1.2.3",
        "1.2.3.4.5",
        "999.1.1.1",
        "1.2.3.4:http",
        "[::1",
        "::1]",
        "unknown",
        "_hidden",
        "1.2.3.4:999999",
    ],
)
def test_what_is_no_address_leads_no_further_than_to_who_passed_it_on(said: str) -> None:
    assert asked(PROXY, f"198.51.100.1, {said}") == PROXY
    assert asked(PROXY, f"198.51.100.1, {said}, 192.168.7.7") == "192.168.7.7"


@pytest.mark.parametrize("said", [(), ("",), (" , ,",), ("10.0.0.2",)])
def test_when_nobody_else_is_named_it_is_one_of_our_own(said: tuple[str, ...]) -> None:
    assert asked(PROXY, *said) in (PROXY, "10.0.0.2")


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("198.51.100.1:51234", "198.51.100.1"),
        ("[2001:db8::9]:51234", "2001:db8::9"),
        ("[2001:db8::9]", "2001:db8::9"),
        ("2001:DB8:0:0:0:0:0:9", "2001:db8::9"),
        ("::ffff:198.51.100.1", "198.51.100.1"),
        ("[::ffff:198.51.100.1]:80", "198.51.100.1"),
        ("fe80::1%eth0", "fe80::1"),
        ('"[2001:db8::9]:51234"', "2001:db8::9"),
        ("\t 198.51.100.1 ", "198.51.100.1"),
    ],
)
def test_an_address_is_one_however_a_proxy_writes_it(said: str, read: str) -> None:
    assert asked(PROXY, said) == read
    assert asked(PROXY, f"1.2.3.4, {said}") == read


@pytest.mark.parametrize("peer", [None, "", "testclient", "/run/talktime.sock"])
def test_a_peer_without_an_address_has_none_and_is_no_proxy(peer: str | None) -> None:
    assert asked(peer, "198.51.100.1") == ""


def test_a_header_of_thousands_of_hops_is_not_walked() -> None:
    assert asked(PROXY, "198.51.100.1, " + ", ".join(["10.0.0.1"] * 5000)) == "10.0.0.1"
