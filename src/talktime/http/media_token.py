"""The one-shot token that ties a media socket to its ring: an HMAC over the call, so nothing of it is stored, and spent
when the call is answered, because only a ringing call can be.

It travels in the stream's parameters, never in a URL.
"""

import uuid
from collections.abc import Mapping

from talktime.carriers.contract import Started
from talktime.security import is_signed, sign

BACK_FROM = "back_from"
"""A parameter beside those that are signed: the caller comes back from this leg. Nothing is believed of it but that the
call is to be asked about."""
_PURPOSE = "media socket"


def media_parameters(
    secret: bytes, carrier: str, carrier_call_id: str, user: uuid.UUID, call: uuid.UUID
) -> dict[str, str]:
    """What the carrier is to give back when it opens the stream; the same for the same call."""
    return {
        "user": str(user),
        "call": str(call),
        "token": sign(secret, _PURPOSE, carrier, carrier_call_id, str(user), str(call)),
    }


def call_of(secret: bytes, carrier: str, started: Started) -> tuple[uuid.UUID, uuid.UUID] | None:
    """The user and call that a stream belongs to; None when its token is not ours."""
    parameters: Mapping[str, str] = started.parameters
    user, call, token = (parameters.get(name, "") for name in ("user", "call", "token"))
    if not is_signed(token, secret, _PURPOSE, carrier, started.call_id, user, call):
        return None
    return uuid.UUID(user), uuid.UUID(call)
