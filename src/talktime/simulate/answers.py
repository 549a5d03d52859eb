"""How a simulated company answers, and whom: in JSON, and at its control door this machine only.

The one rule: the control door, which no real company has, says nothing to whoever does not know its own secret.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping
from typing import Any, Protocol

import orjson
from starlette.requests import Request
from starlette.responses import Response

from talktime.security import is_loopback

_CODES = {404: 20404, 429: 20429, 500: 20500, 503: 20503}
"""The codes that Twilio gives with these statuses."""


def in_json(value: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer that programs read."""
    return Response(orjson.dumps(value), status, headers, media_type="application/json")


class Account(Protocol):
    """Whose API it is."""

    account: str
    token: str


def api_error(status: int, code: int, message: str) -> Response:
    """A refusal of a phone company's API."""
    more = f"https://www.twilio.com/docs/errors/{code}"
    return in_json({"code": code, "message": message, "more_info": more, "status": status}, status)


def as_ordered(status: int, code: int = 0) -> Response:
    """What the API answers when an order says that something goes wrong; without a code the one that goes with it."""
    return api_error(status, code or _CODES.get(status, 20001), "As ordered")


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form that are text."""
    async with request.form(max_files=0, max_fields=50) as form:
        return {name: value for name, value in form.items() if isinstance(value, str)}


def is_account(company: Account, request: Request, *, in_path: bool = True) -> bool:
    """Whether a request shows the account's name and token (`in_path`: and is about that account)."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    try:
        given = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return False
    right = hmac.compare_digest(given, f"{company.account}:{company.token}".encode())
    return scheme.lower() == "basic" and right and (not in_path or request.path_params["account"] == company.account)


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
