"""Signatures as Standard Webhooks has them, held against the library that receivers use."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from talktime.db.base import new_id
from talktime.security import Unsealable
from talktime.simulate.receiver import is_genuine
from talktime.webhooks import signing

BODY = '{"type":"call.ended","timestamp":"2026-03-01T10:00:00.000Z","sequence":1,"data":{"über":"ß"}}'.encode()


def test_the_library_of_receivers_verifies_what_we_sign() -> None:
    secret = signing.new_secret()
    headers = signing.headers(new_id(), datetime.now(UTC), BODY, secret)
    assert Webhook(secret).verify(BODY, headers) == json.loads(BODY)


def test_a_changed_body_id_or_time_is_not_verified() -> None:
    secret, event, now = signing.new_secret(), new_id(), datetime.now(UTC)
    good = signing.headers(event, now, BODY, secret)
    other = signing.headers(new_id(), now + timedelta(seconds=9), BODY, secret)
    for headers, body in (
        (good, BODY + b" "),
        ({**good, "webhook-id": other["webhook-id"]}, BODY),
        ({**good, "webhook-timestamp": other["webhook-timestamp"]}, BODY),
        ({**good, "webhook-signature": other["webhook-signature"]}, BODY),
        (signing.headers(event, now, BODY, signing.new_secret()), BODY),
    ):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(body, headers)
        assert not is_genuine(secret, headers, body, now.timestamp())


def test_an_old_delivery_is_not_taken_again_later() -> None:
    secret, then = signing.new_secret(), datetime.now(UTC) - timedelta(minutes=6)
    headers = signing.headers(new_id(), then, BODY, secret)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY, headers)
    assert is_genuine(secret, headers, BODY, then.timestamp())


def test_while_a_secret_is_changed_both_sign() -> None:
    new, old = signing.new_secret(), signing.new_secret()
    headers = signing.headers(new_id(), datetime.now(UTC), BODY, new, old)
    assert headers["webhook-signature"].count("v1,") == 2
    for secret in (new, old):
        assert Webhook(secret).verify(BODY, headers) == json.loads(BODY)


def test_a_secret_has_256_random_bits_and_an_id_no_dot() -> None:
    secrets = {signing.new_secret() for _ in range(50)}
    assert len(secrets) == 50
    assert all(len(base64.b64decode(secret.removeprefix("whsec_"))) == 32 for secret in secrets)
    event = new_id()
    assert signing.message_id(event) == f"msg_{event.hex}"


def test_a_kept_secret_opens_for_its_own_endpoint_only() -> None:
    user, endpoint, secret = new_id(), new_id(), signing.new_secret()
    sealed = signing.seal(b"k" * 32, user, endpoint, secret)
    assert secret.encode() not in sealed
    assert signing.unseal(b"k" * 32, user, endpoint, sealed) == secret
    for key, whose, which in (
        (b"x" * 32, user, endpoint),
        (b"k" * 32, new_id(), endpoint),
        (b"k" * 32, user, new_id()),
    ):
        with pytest.raises(Unsealable):
            signing.unseal(key, whose, which, sealed)
