"""What is on this machine, and what only looks like it."""

import pytest

from talktime.security import is_loopback, is_loopback_url


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.255.0.3", "::1", "::ffff:127.0.0.1"])
def test_this_machine_is_known_by_its_addresses(host: str) -> None:
    assert is_loopback(host)
    assert is_loopback_url(f"http://[{host}]:1/x" if ":" in host else f"http://{host}:1/x")


@pytest.mark.parametrize(
    "host",
    [
        "", " ", "0.0.0.0", "::", "10.0.0.1", "128.0.0.1", "::2", "::ffff:10.0.0.1", "fe80::1", "example.org",
        "localhost.example.org", "127.0.0.1.example.org", "127.1", "2130706433", "0x7f000001",
        "[::1]", "localhost.", "\0",
    ],
)  # fmt: skip
def test_what_only_looks_like_this_machine_is_not(host: str) -> None:
    assert not is_loopback(host)
    assert not is_loopback_url(f"http://[{host}]:1/x" if "::" in host else f"http://{host}/x")


@pytest.mark.parametrize(
    "url",
    [
        "", "localhost", "//localhost", "https://localhost", "ftp://127.0.0.1", "http://", "http:///x", "http://[::1",
        "http://localhost@example.org", "http://127.0.0.1:1@example.org/", "http://example.org/127.0.0.1",
        "http://example.org#@localhost",
    ],
)  # fmt: skip
def test_an_address_that_does_not_lead_to_this_machine_is_refused(url: str) -> None:
    assert not is_loopback_url(url)
