"""Our reading of X-Twilio-Signature against Twilio's own validator, both ways."""

import hashlib
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]  # it has no types

from talktime.carriers.contract import BadSignature, Request
from talktime.carriers.twilio import Twilio
from talktime.carriers.twilio_signature import sign

ACCOUNT = "AC" + "1" * 32
TOKEN = "the account's auth token"
TWILIO = Twilio(ACCOUNT, TOKEN)
VALIDATOR = RequestValidator(TOKEN)
FORM = "application/x-www-form-urlencoded"

words = st.text(st.characters(codec="utf-8"), max_size=12)
names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8).filter(lambda name: name != "AccountSid")
forms = st.dictionaries(names, words, max_size=6)
urls = st.builds(
    lambda scheme, host, port, path, query: f"{scheme}://{host}{port}/{path}{query}",
    st.sampled_from(["http", "https"]),
    st.sampled_from(["example.org", "voice.example.org"]),
    st.sampled_from(["", ":443", ":80", ":8443"]),
    st.sampled_from(["", "voice", "voice/1%20a"]),
    st.sampled_from(["", "?a=1", "?a=1&b=%C3%BC"]),
)


def request_of(url: str, form: dict[str, str] | list[tuple[str, str]], signature: str | None) -> Request:
    headers = {"content-type": f"{FORM}; charset=UTF-8"}
    if signature is not None:
        headers["x-twilio-signature"] = signature
    return Request("POST", url, headers, urlencode(form).encode())


@given(urls, forms)
def test_what_twilios_library_signs_is_accepted(url: str, form: dict[str, str]) -> None:
    form["AccountSid"] = ACCOUNT
    TWILIO.verify(request_of(url, form, VALIDATOR.compute_signature(url, form)))


@given(urls, forms)
def test_what_we_sign_is_accepted_by_twilios_library(url: str, form: dict[str, str]) -> None:
    plain = url.replace(":443/", "/").replace(":80/", "/").replace(":8443/", "/")
    signature = sign(TOKEN, plain, {name: [value] for name, value in form.items()})
    assert VALIDATOR.validate(url, form, signature)
    assert VALIDATOR.compute_signature(plain, form) == signature


@given(urls, forms, forms)
def test_a_signature_fits_no_other_form(url: str, form: dict[str, str], other: dict[str, str]) -> None:
    form["AccountSid"] = other["AccountSid"] = ACCOUNT
    signature = VALIDATOR.compute_signature(url, form)
    joined = "".join(name + form[name] for name in sorted(form))
    if "".join(name + other[name] for name in sorted(other)) == joined:
        return  # Twilio's scheme puts nothing between name and value
    with pytest.raises(BadSignature):
        TWILIO.verify(request_of(url, other, signature))


@pytest.mark.parametrize(
    ("signed", "seen"),
    [
        ("https://example.org/voice", "https://example.org:443/voice"),
        ("https://example.org:443/voice", "https://example.org/voice"),
        ("http://example.org:80/voice", "http://example.org/voice"),
        ("wss://example.org:443/media", "wss://example.org/media"),
        ("https://example.org/voice", "https://example.org:8443/voice"),
    ],
)
def test_a_port_that_a_proxy_added_or_dropped_does_not_matter(signed: str, seen: str) -> None:
    form = {"AccountSid": ACCOUNT}
    TWILIO.verify(request_of(seen, form, sign(TOKEN, signed, {"AccountSid": [ACCOUNT]})))


def test_another_scheme_or_host_or_path_is_refused() -> None:
    signature = sign(TOKEN, "https://example.org/voice", {"AccountSid": [ACCOUNT]})
    for url in ("http://example.org/voice", "https://example.net/voice", "https://example.org/voice/"):
        with pytest.raises(BadSignature):
            TWILIO.verify(request_of(url, {"AccountSid": ACCOUNT}, signature))


def test_keys_that_repeat_count_each_different_value_once() -> None:
    class Many(dict[str, list[str]]):
        def getlist(self, name: str) -> list[str]:
            return self[name]

    form = [("MediaUrl", "b"), ("MediaUrl", "a"), ("MediaUrl", "b"), ("AccountSid", ACCOUNT)]
    url = "https://example.org/voice"
    many = Many({"MediaUrl": ["b", "a", "b"], "AccountSid": [ACCOUNT]})
    TWILIO.verify(request_of(url, form, VALIDATOR.compute_signature(url, many)))


def test_a_json_body_is_covered_by_its_hash_in_the_address() -> None:
    body = b'{"CallSid":"x"}'
    url = f"https://example.org/events?bodySHA256={hashlib.sha256(body).hexdigest()}"
    headers = {"content-type": "application/json", "x-twilio-signature": VALIDATOR.compute_signature(url, {})}
    TWILIO.verify(Request("POST", url, headers, body))
    assert VALIDATOR.validate(url, body.decode(), headers["x-twilio-signature"])
    with pytest.raises(BadSignature):
        TWILIO.verify(Request("POST", url, headers, body + b" "))


def test_a_body_that_nothing_signs_is_refused() -> None:
    url = "https://example.org/voice"
    signature = sign(TOKEN, url)
    for method, kind in (("POST", "application/json"), ("POST", "multipart/form-data"), ("POST", ""), ("GET", FORM)):
        with pytest.raises(BadSignature):
            TWILIO.verify(Request(method, url, {"content-type": kind, "x-twilio-signature": signature}, b"CallSid=x"))


def test_a_get_request_is_signed_by_its_address() -> None:
    url = f"https://example.org/voice?CallSid=CA1&AccountSid={ACCOUNT}"
    signature = VALIDATOR.compute_signature(url, {})
    TWILIO.verify(Request("GET", url, {"x-twilio-signature": signature}, b""))
    with pytest.raises(BadSignature):
        TWILIO.verify(Request("GET", url + "&To=1", {"x-twilio-signature": signature}, b""))


def test_a_web_sockets_handshake_is_signed_by_its_address() -> None:
    url = "wss://example.org/media"
    TWILIO.verify(Request("GET", url, {"x-twilio-signature": VALIDATOR.compute_signature(url, {})}, b""))


@pytest.mark.parametrize("signature", [None, "", "=", "a" * 28, "ü", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="])
def test_no_signature_and_garbage_are_refused(signature: str | None) -> None:
    with pytest.raises(BadSignature):
        TWILIO.verify(request_of("https://example.org/voice", {"AccountSid": ACCOUNT}, signature))


@pytest.mark.parametrize("url", ["https://example.org:99999999/voice", "https://[::1/voice", ""])
def test_addresses_that_are_none_are_refused(url: str) -> None:
    with pytest.raises(BadSignature):
        TWILIO.verify(request_of(url, {"AccountSid": ACCOUNT}, "a" * 28))


def test_a_form_of_bytes_that_are_no_text_is_refused() -> None:
    headers = {"content-type": FORM, "x-twilio-signature": "a" * 28}
    with pytest.raises(BadSignature):
        TWILIO.verify(Request("POST", "https://example.org/voice", headers, b"\xff\xfe=\x00"))


def test_another_account_is_refused_whoever_signed() -> None:
    url = "https://example.org/voice"
    both: list[tuple[str, str]] = [("AccountSid", ACCOUNT), ("AccountSid", "AC2")]
    for form in ([("AccountSid", "AC2")], both, []):
        fields: dict[str, list[str]] = {}
        for name, value in form:
            fields.setdefault(name, []).append(value)
        with pytest.raises(BadSignature):
            TWILIO.verify(request_of(url, form, sign(TOKEN, url, fields)))


@pytest.mark.parametrize(("account", "token"), [("", "token"), (ACCOUNT, ""), (ACCOUNT, " ")])
def test_an_empty_secret_is_refused_at_the_start(account: str, token: str) -> None:
    with pytest.raises(ValueError, match="empty token"):
        Twilio(account, token)
