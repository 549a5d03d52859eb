"""How a simulated company answers, and whom: in JSON, and at its control door this machine only.

The one rule: the control door, which no real company has, says nothing to whoever does not know its own secret.
"""

import hmac
from collections.abc import Mapping
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from talktime.security import is_loopback


def in_json(value: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer that programs read."""
    return Response(orjson.dumps(value), status, headers, media_type="application/json")


def bears(request: Request, secret: str) -> bool:
    """Whether a request shows this secret, as `Authorization: Bearer …`."""
    given = request.headers.get("authorization", "").encode("utf-8", "replace")
    return hmac.compare_digest(given, f"Bearer {secret}".encode())


def refusal_at_control_door(request: Request, secret: str) -> Response | None:
    """The answer to whoever has no business at a control door; None for who has."""
    peer = request.client.host if request.client is not None else ""
    if is_loopback(peer) and bears(request, secret):
        return None
    return in_json({"detail": "This door needs its own secret."}, 401)
