"""Where nothing is sent: every way of writing an address of our own network."""

import ipaddress

import pytest

from talktime.webhooks.targets import BadTarget, PrivateTarget, checked, is_public, public_addresses, resolve

PRIVATE = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254",
    "168.63.129.16", "169.254.0.1", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.192",
    "192.0.2.1", "192.88.99.1", "192.168.0.1", "192.168.255.255", "198.18.0.1", "198.19.255.255", "198.51.100.1",
    "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:10.0.0.1", "::ffff:8.8.8.8",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b::8.8.8.8", "64:ff9b:1::a00:1", "100::1", "2001::1", "2001:0:7f00:1::", "2001:10::1",
    "2001:20::1", "2001:db8::1", "2002:7f00:1::", "2002:a00:1::1", "3fff::1", "5f00::1", "fc00::1", "fd00::1",
    "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "ff0e::1",
]  # fmt: skip
PUBLIC = ["1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1", "192.167.1.1",
          "223.255.255.1", "2001:4860:4860::8888", "2606:4700::1111", "2a00:1450::1"]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_is_not_of_the_public_internet_is_known(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))
    with pytest.raises(PrivateTarget):
        public_addresses([address])
    with pytest.raises(PrivateTarget):
        public_addresses(["1.1.1.1", address])


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_one(address: str) -> None:
    assert public_addresses([address]) == [address]
    host = f"[{address}]" if ":" in address else address
    assert checked(f"https://{host}/hook") == f"https://{host}/hook"


@pytest.mark.parametrize(
    "url",
    [
        # Numbers that resolvers take for addresses.
        *(f"https://{host}/" for host in PRIVATE if ":" not in host),
        *(f"https://[{host}]/" for host in PRIVATE if ":" in host and "%" not in host),
        "https://2130706433/", "https://0x7f000001/", "https://0x7f.0.0.1/", "https://0177.0.0.1/",
        "https://017700000001/", "https://127.1/", "https://127.0.1/", "https://0/", "https://127.0.0.1./",
        "https://0127.0.0.1/", "https://1.1.1.1.1/", "https://256.1.1.1/", "https://[::ffff:7f00:0001]/",
        "https://[0:0:0:0:0:ffff:127.0.0.1]/", "https://[fe80::1%25eth0]/", "https://[v1.fe80]/", "https://[::1",
        "https://0x7f.1/", "https://127.0.0.0x1/", "https://①②⑦.⓪.⓪.①/", "https://127。0。0。1/",
        # Names that lead nowhere outside.
        "https://localhost/", "https://LOCALHOST/", "https://localhost./", "https://a.localhost/", "https://intranet/",
        "https://db/", "https://metadata.google.internal/", "https://printer.local/", "https://router.lan/",
        "https://1.0.0.127.in-addr.arpa/", "https://x.onion/", "https://a_b.example.org/", "https://-a.example.org/",
        "https://a..example.org/", "https://.example.org/", "https:///path", "https://",
        # Other schemes, and what tools read in different ways.
        "http://example.org/", "ftp://example.org/", "file:///etc/passwd", "gopher://example.org/", "//example.org/",
        "example.org", "javascript:alert(1)", "https:example.org", "", "   ", "https://user@example.org/",
        "https://user:password@example.org/", "https://:@example.org/", "https://@example.org/",
        "https://example.org@127.0.0.1/", "https://example.org\\@127.0.0.1/", "https://exa mple.org/",
        "https://example.org/\r\nx: y", "https://example.org/\0", "https://example.org/#top", "https://example.org/#",
        "https://example.org:22/", "https://example.org:25/", "https://example.org:5432/", "https://example.org:80/",
        "https://example.org:99999/", "https://example.org:-1/", "https://example.org:443x/", "https://müller.de/",
        "https://example.org/" + "x" * 2000,
    ],
)  # fmt: skip
def test_an_address_that_cannot_be_meant_is_refused_when_it_is_given(url: str) -> None:
    with pytest.raises(BadTarget):
        checked(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org",
        "https://example.org/hooks/talktime?key=abc&x=%20",
        "https://EXAMPLE.org:443/x",
        "https://example.org:8443/x",
        "https://xn--mller-kva.de/",
        "https://crm.example.co.uk./x",
        "https://a-b.c-d.example.org/",
    ],
)
def test_an_ordinary_address_is_taken_as_it_is(url: str) -> None:
    assert checked(f" {url} ") == url


def test_a_program_on_this_machine_is_told_only_where_that_is_allowed() -> None:
    assert checked("http://127.0.0.1:9000/x", to_private=True) == "http://127.0.0.1:9000/x"
    for url in ("ftp://127.0.0.1/", "http://user@127.0.0.1/", "http://127.0.0.1/#x"):
        with pytest.raises(BadTarget):
            checked(url, to_private=True)


@pytest.mark.parametrize("name", ["127.1", "2130706433", "0x7f.1", "localhost"])
async def test_what_the_system_makes_of_a_number_is_looked_at_again(name: str) -> None:
    with pytest.raises((PrivateTarget, OSError)):
        public_addresses(await resolve(name, 443))


def test_a_name_that_leads_nowhere_at_all_has_no_addresses() -> None:
    assert public_addresses([]) == []
    with pytest.raises(PrivateTarget):
        public_addresses(["not an address"])
