"""Signing what we send, as Standard Webhooks has it, and keeping the secrets that sign.

The rule: a secret is one endpoint's, is kept sealed, and is opened only to sign or to be shown to its owner. What is
signed is the very bytes that are sent, with their id and the time of this try.
"""

import base64
import hashlib
import hmac
import secrets
import uuid
from datetime import datetime

from talktime import security

BEGINNING = "whsec_"
_BYTES = 32


def new_secret() -> str:
    """256 random bits in the form that receivers' libraries take: `whsec_` and base64."""
    return BEGINNING + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def seal(key: bytes, user: uuid.UUID, endpoint: uuid.UUID, secret: str) -> bytes:
    """How a secret is kept: it opens for this endpoint only."""
    return security.seal(key, _about(user, endpoint), secret.encode())


def unseal(key: bytes, user: uuid.UUID, endpoint: uuid.UUID, sealed: bytes) -> str:
    """The secret again. Raises security.Unsealable."""
    return security.unseal(key, _about(user, endpoint), sealed).decode()


def message_id(event: uuid.UUID) -> str:
    """What an event is called outside: the same at every try, so that a receiver knows it again."""
    return f"msg_{event.hex}"


def headers(event: uuid.UUID, now: datetime, body: bytes, *signing: str) -> dict[str, str]:
    """The three headers of one try, signed with each of these secrets; the newest first."""
    name, at = message_id(event), str(int(now.timestamp()))
    signed = b".".join((name.encode(), at.encode(), body))
    return {
        "webhook-id": name,
        "webhook-timestamp": at,
        "webhook-signature": " ".join(f"v1,{_signature(secret, signed)}" for secret in signing),
    }


def _signature(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(BEGINNING))
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def _about(user: uuid.UUID, endpoint: uuid.UUID) -> str:
    return f"webhook:{user}:{endpoint}"
