"""Stripe's signature over a webhook: `Stripe-Signature: t=<epoch>,v1=<hex>[,v1=<hex>…]`, HMAC-SHA256 over `t.body`.

The one rule: it is checked on the bytes as they came, and without a secret nothing is ever right.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable
from datetime import datetime

from talktime import log
from talktime.gateways.contract import BadSignature

HEADER = "stripe-signature"
TOLERANCE_SECONDS = 300
_TIME = re.compile(r"[1-9][0-9]{0,11}", re.ASCII)
_HEADER_LENGTH_MAX = 4096
_LOGGER = log.get(__name__)


def sign(secret: str, body: bytes, at: datetime) -> str:
    """The header's value for a body sent now."""
    time = str(int(at.timestamp()))
    return f"t={time},v1={_expected(secret, time, body)}"


def check(secrets: Iterable[str], header: str, body: bytes, now: datetime) -> None:
    """Raise BadSignature unless one of the secrets signed this body within five minutes of now.

    Several secrets are for a change of them: Stripe signs with the old and the new one for a while, and so do we read.
    The secret is used as it is written, `whsec_` included.
    """
    usable = [secret for secret in secrets if secret.strip()]
    if not usable:
        raise BadSignature("no webhook secret is set, so nothing can be proven")
    if not header or len(header) > _HEADER_LENGTH_MAX:
        raise BadSignature("the request has no signature, or one of no known form")
    items = [item.partition("=") for item in header.split(",")]
    time = next((value for name, _, value in items if name == "t"), "")
    given = [value.encode("utf-8", "replace") for name, _, value in items if name == "v1"]
    if not _TIME.fullmatch(time) or not given:
        raise BadSignature("the signature has no time, or nothing signed with v1")
    # Every pair is compared: how long it takes tells nothing.
    matches = [
        hmac.compare_digest(_expected(secret, time, body).encode(), signature)
        for secret in usable
        for signature in given
    ]
    if not any(matches):
        raise BadSignature("the signature is not of a secret of ours over this body")
    if int(time) < now.timestamp() - TOLERANCE_SECONDS:
        raise BadSignature("the signature is too old")
    if int(time) > now.timestamp() + TOLERANCE_SECONDS:
        # Stripe's own library takes it, and could be told it again for as long as the clock is ahead. Somebody who
        # knows the secret signed it, so one of the two clocks is wrong: until it is set right nothing comes in.
        _LOGGER.error(
            "a signature is dated in the future: our clock or the payment company's is wrong",
            ahead_seconds=int(int(time) - now.timestamp()),
        )
        raise BadSignature("the signature is dated in the future")


def _expected(secret: str, time: str, body: bytes) -> str:
    return hmac.new(secret.encode(), time.encode() + b"." + body, hashlib.sha256).hexdigest()
