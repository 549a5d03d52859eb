"""The body of a request, read once and as it came: what is signed is signed byte for byte.

The one rule: whoever sends it decides neither how much is kept of it nor how long we wait. Whoever is refused here is
not listened to any more: what is left of the body would otherwise be read, and thrown away, for as long as it comes.
"""

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from fastapi import Request
from starlette.requests import ClientDisconnect

from talktime.errors import TalktimeError

_DIGITS_MAX = 15
"""No body is that long. Python refuses to read thousands of digits, and takes its time for hundreds."""


class BodyRefused(TalktimeError):
    """The body of the request is not one that is read here."""

    headers: ClassVar[Mapping[str, str]] = MappingProxyType({"connection": "close"})
    """What the answer must say, so that the server closes the connection once it is sent."""


class WrongLength(BodyRefused):
    """The Content-Length is not the length of the body: send the number of its bytes, once."""


class TooLarge(BodyRefused):
    """The request is too large."""

    status = 413


class CutShort(BodyRefused):
    """The request did not come to its end."""

    status = 408


async def read_body(request: Request, *, bytes_max: int, seconds_max: float) -> bytes:
    """The body. Raises WrongLength, TooLarge (where the length says so, before any of it is read) or CutShort."""
    declared = _declared(request, bytes_max)
    body = bytearray()
    try:
        async with asyncio.timeout(seconds_max):
            async for chunk in request.stream():
                body += chunk
                if len(body) > bytes_max:
                    raise TooLarge
    except (ClientDisconnect, TimeoutError):
        raise CutShort from None
    if declared not in (None, len(body)):
        raise WrongLength
    return bytes(body)


def _declared(request: Request, bytes_max: int) -> int | None:
    """How long the body is to be; None when nothing says so, as when it comes in chunks."""
    lengths = set(request.headers.getlist("content-length"))
    if not lengths:
        return None
    length = lengths.pop()
    if lengths or not (length.isascii() and length.isdigit()):
        raise WrongLength
    digits = length.lstrip("0") or "0"
    if len(digits) > _DIGITS_MAX or int(digits) > bytes_max:
        raise TooLarge
    return int(digits)
