"""Stripe's signature: what its own library accepts and refuses, so do we; and what nobody may accept."""

import hashlib
import hmac
import time
from datetime import UTC, datetime

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from talktime.gateways import stripe_signature
from talktime.gateways.contract import BadMessage, BadSignature
from talktime.gateways.stripe import Stripe
from tests.gateways.shop import Shop

SECRET, OTHER = "whsec_" + "s" * 32, "whsec_" + "o" * 32
BODY = (
    b'{"id":"evt_1","object":"event","type":"some.thing","created":1700000000,"livemode":false,'
    b'"data":{"object":{"id":"x_1","object":"x","name":"Z\xc3\xbcrich \\u00fc"}}}'
)


def signed(body: bytes = BODY, secret: str = SECRET, at: int | None = None, scheme: str = "v1") -> str:
    at = int(time.time()) if at is None else at
    return f"{scheme}={hmac.new(secret.encode(), f'{at}.'.encode() + body, hashlib.sha256).hexdigest()}"


def ours(header: str, body: bytes, *secrets: str) -> bool:
    try:
        stripe_signature.check(secrets, header, body, datetime.now(UTC))
    except BadSignature:
        return False
    return True


def theirs(header: str, body: bytes, secret: str) -> bool:
    try:
        stripe.Webhook.construct_event(body, header, secret)
    except stripe.SignatureVerificationError:
        return False
    return True


NOW = int(time.time())


@pytest.fixture(autouse=True)
def it_is_now() -> None:
    """The file may have been read a quarter of an hour before its tests are run."""
    global NOW
    NOW = int(time.time())


def cases() -> dict[str, tuple[str, bytes, str, bool]]:
    """Header, body, secret, and whether it is right."""
    return {
        "as it should be": (f"t={NOW},{signed(at=NOW)}", BODY, SECRET, True),
        "with a v0 beside it": (f"t={NOW},{signed(at=NOW)},v0=00", BODY, SECRET, True),
        "with another secret's before it": (
            f"t={NOW},{signed(secret=OTHER, at=NOW)},{signed(at=NOW)}",
            BODY,
            SECRET,
            True,
        ),
        "v1 before t": (f"{signed(at=NOW)},t={NOW}", BODY, SECRET, True),
        "four minutes old": (f"t={NOW - 240},{signed(at=NOW - 240)}", BODY, SECRET, True),
        "of a clock that is ahead": (f"t={NOW + 60},{signed(at=NOW + 60)}", BODY, SECRET, True),
        "six minutes old": (f"t={NOW - 360},{signed(at=NOW - 360)}", BODY, SECRET, False),
        "of another secret": (f"t={NOW},{signed(secret=OTHER, at=NOW)}", BODY, SECRET, False),
        "only v0": (f"t={NOW},{signed(at=NOW, scheme='v0')}", BODY, SECRET, False),
        "of another time": (f"t={NOW},{signed(at=NOW - 1)}", BODY, SECRET, False),
        "over another body": (f"t={NOW},{signed(BODY + b' ', at=NOW)}", BODY, SECRET, False),
        "over the body said again": (f"t={NOW},{signed(at=NOW)}", BODY.replace(b":", b": "), SECRET, False),
        "in capitals": (f"t={NOW},v1={signed(at=NOW)[3:].upper()}", BODY, SECRET, False),
        "with a space": (f"t={NOW}, {signed(at=NOW)}", BODY, SECRET, False),
        "without a time": (signed(at=NOW), BODY, SECRET, False),
        "with no time": (f"t=,{signed(at=NOW)}", BODY, SECRET, False),
        "with a word for a time": (f"t=now,{signed(at=NOW)}", BODY, SECRET, False),
        "with an old time and a new one": (f"t={NOW - 360},t={NOW},{signed(at=NOW)}", BODY, SECRET, False),
        "empty v1": (f"t={NOW},v1=", BODY, SECRET, False),
        "nothing": ("", BODY, SECRET, False),
        "commas": (",,,", BODY, SECRET, False),
        "an empty secret": (f"t={NOW},{signed(secret='', at=NOW)}", BODY, "", False),
        "a blank secret": (f"t={NOW},{signed(secret='  ', at=NOW)}", BODY, "  ", False),
    }


@pytest.mark.parametrize("name", list(cases()))
def test_it_is_judged_as_stripes_own_library_does(name: str) -> None:
    header, body, secret, right = cases()[name]
    assert theirs(header, body, secret) is right
    assert ours(header, body, secret) is right


@given(st.text(max_size=200) | st.from_regex(r"t=\d{1,15}(,v[01]=[0-9a-f]{0,64}){0,3}", fullmatch=True))
def test_no_header_that_was_made_up_is_right(header: str) -> None:
    assert not ours(header, BODY, SECRET)


@given(st.binary(max_size=300))
def test_any_bytes_can_be_signed_and_only_those(body: bytes) -> None:
    header = stripe_signature.sign(SECRET, body, datetime.now(UTC))
    assert ours(header, body, SECRET)
    assert not ours(header, body + b"\n", SECRET)
    assert not ours(header, body, OTHER)


def test_a_signature_that_is_not_ascii_is_refused_where_stripes_library_breaks() -> None:
    assert not ours(f"t={NOW},v1=é{'0' * 63}", BODY, SECRET)
    assert not ours(f"t={NOW},v1=\ud800,{signed(secret=OTHER, at=NOW)}", BODY, SECRET)


def test_a_time_is_written_in_one_way_only() -> None:
    for at in (f"0{NOW}", f"+{NOW}", f" {NOW}", f"{NOW}.0", "1_000", "٣", "9" * 400):
        header = f"t={at},v1={hmac.new(SECRET.encode(), f'{at}.'.encode() + BODY, hashlib.sha256).hexdigest()}"
        assert not ours(header, BODY, SECRET)


@pytest.mark.parametrize(("ahead", "right"), [(299, True), (600, False), (10**9, False)])
def test_one_that_is_dated_in_the_future_is_refused_where_stripes_library_takes_it(ahead: int, right: bool) -> None:
    header = f"t={NOW + ahead},{signed(at=NOW + ahead)}"
    assert theirs(header, BODY, SECRET)
    with capture_logs() as logs:
        assert ours(header, BODY, SECRET) is right
    said = [line["ahead_seconds"] for line in logs if "dated in the future" in line["event"]]
    assert len(said) == (not right) and all(ahead - 5 <= seconds <= ahead for seconds in said)


def test_a_future_that_nobody_signed_is_no_word_about_clocks() -> None:
    with capture_logs() as logs:
        assert not ours(f"t={NOW + 600},{signed(at=NOW + 600, secret=OTHER)}", BODY, SECRET)
    assert logs == []


def test_while_a_secret_is_changed_both_are_right() -> None:
    for secret in (SECRET, OTHER):
        assert ours(f"t={NOW},{signed(secret=secret, at=NOW)}", BODY, SECRET, OTHER)
        assert ours(f"t={NOW},{signed(secret=secret, at=NOW)}", BODY, "", SECRET, OTHER)


@pytest.mark.parametrize("secrets", [(), ("",), ("", " \t")])
def test_without_a_secret_nothing_is_ever_right(secrets: tuple[str, ...]) -> None:
    gateway = Stripe("sk_test_x", secrets)
    for secret in ("", " \t", "None", SECRET):
        header = f"t={NOW},{signed(secret=secret, at=NOW)}"
        with pytest.raises(BadSignature):
            gateway.verify({"stripe-signature": header}, BODY, datetime.now(UTC))


def test_a_request_without_the_header_or_with_an_endless_one_is_refused() -> None:
    gateway = Stripe("sk_test_x", (SECRET,))
    for headers in ({}, {"stripe-signature": f"t={NOW}," + "v1=0," * 100_000 + signed(at=NOW)}):
        with pytest.raises(BadSignature):
            gateway.verify(headers, BODY, datetime.now(UTC))


def test_what_is_signed_and_makes_no_sense_is_a_bad_message() -> None:
    gateway = Stripe("sk_test_x", (SECRET,))
    for body in (b"", b"\xff\xfe", b"[]", b"{}"):
        headers = {"stripe-signature": f"t={NOW},{signed(body, at=NOW)}"}
        with pytest.raises(BadMessage):
            gateway.verify(headers, body, datetime.now(UTC))


async def test_stripes_library_accepts_what_the_simulated_company_signs(shop: Shop) -> None:
    await shop.paid()
    assert shop.door.bodies
    for body, headers in zip(shop.door.bodies, shop.door.headers, strict=True):
        event = stripe.Webhook.construct_event(body, headers["stripe-signature"], shop.company.webhook_secret)
        assert event.id.startswith("evt_")
        assert not theirs(headers["stripe-signature"], body + b" ", shop.company.webhook_secret)


@pytest.mark.parametrize("key", ["", "pk_test_x", "sk_", "whsec_x", " sk_test_x"])
def test_a_key_that_is_no_secret_key_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="secret key"):
        Stripe(key, (SECRET,))


def test_the_key_says_whether_real_money_moves() -> None:
    assert [Stripe(key, (SECRET,)).live for key in ("sk_live_x", "rk_live_x", "sk_test_live_", "rk_test_x")] == [
        True,
        True,
        False,
        False,
    ]
