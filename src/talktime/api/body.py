"""The JSON that comes with a request: read once, bounded, and as strict as it gets.

The rules: what two readers could read in two ways is refused (a field that stands there twice, NaN), and so is what
cannot be kept (U+0000, half a character). Nothing is turned into something else: "5" is no number here.
"""

import json
import math
from collections.abc import Sequence
from email.message import Message
from typing import Any

import orjson
from fastapi import Request

from talktime.errors import BadInput
from talktime.http.body import BodyRefused, TooLarge, read_body

BYTES_MAX = 256 * 1024
DEPTH_MAX = 32
_SECONDS = 15.0
_DIGITS_MAX = 18
"""Of a whole number: more do not fit into 64 bits."""


class NoJson(BadInput, BodyRefused):
    """The body is no JSON that can be read here."""


class NotJson(BodyRefused):
    """The body must be JSON: send it with `Content-Type: application/json`."""

    status = 415


class BodyTooLarge(TooLarge):
    """The body is longer than the 256 kB that are read."""


class NoBodyHere(BadInput):
    """Nothing is read from a body here: send none."""


async def take(request: Request, *, is_read: bool) -> None:
    """Read the body, if there is one, to where the route finds it. Raises NoJson, NotJson, NoBodyHere, BodyRefused."""
    request.state.json = None
    if request.method == "GET":
        return
    try:
        raw = await read_body(request, bytes_max=BYTES_MAX, seconds_max=_SECONDS)
    except TooLarge:
        raise BodyTooLarge from None
    request._body = raw
    if not raw:
        return
    if not is_json(request.headers.getlist("content-type")):
        raise NotJson
    request._json = request.state.json = read_json(raw)
    if not is_read and request.state.json != {}:
        raise NoBodyHere


def is_json(said: Sequence[str]) -> bool:
    """Whether a Content-Type is JSON's, in UTF-8."""
    if len(said) != 1:
        return False
    message = Message()
    message["content-type"] = said[0]
    return message.get_content_type() == "application/json" and message.get_param("charset", "utf-8") in _CHARSETS


_CHARSETS = ("utf-8", "UTF-8", "utf8")


def read_json(raw: bytes) -> Any:
    """The value of a JSON text. Raises NoJson."""
    if raw.count(b"[") + raw.count(b"{") > DEPTH_MAX and _depth_of(raw) > DEPTH_MAX:
        raise NoJson(f"The body is nested deeper than {DEPTH_MAX}.")
    try:
        value = json.loads(
            raw.decode(),
            object_pairs_hook=_object,
            parse_constant=_no_constant,
            parse_int=_whole,
            parse_float=_finite,
        )
        # It can be written again as UTF-8: no half of a surrogate pair stands in it.
        orjson.dumps(value)
    except UnicodeDecodeError:
        raise NoJson("The body is no UTF-8.") from None
    except json.JSONDecodeError as error:
        raise NoJson(f"The body is no JSON: line {error.lineno}, column {error.colno}.") from None
    except TypeError:
        raise NoJson("The body has half a character in it, or a number that is too great.") from None
    if b"\\u0000" in raw and _has_nul(value):
        raise NoJson("The character U+0000 is kept nowhere: leave it out.")
    return value


def _depth_of(raw: bytes) -> int:
    """How deep brackets are nested outside of strings."""
    depth = deepest = 0
    is_text = is_escaped = False
    for byte in raw:
        if is_text:
            if is_escaped:
                is_escaped = False
            elif byte == 0x5C:  # \
                is_escaped = True
            elif byte == 0x22:  # "
                is_text = False
        elif byte == 0x22:
            is_text = True
        elif byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
    return deepest


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise NoJson(f"The field {twice[:80]!r} stands there twice: send it once.")
    return found


def _no_constant(name: str) -> float:
    raise NoJson(f"{name} is no number in JSON.")


def _whole(digits: str) -> int:
    if len(digits.lstrip("-")) > _DIGITS_MAX:
        raise NoJson("A number in the body is too great.")
    return int(digits)


def _finite(digits: str) -> float:
    if len(digits) > 40 or not math.isfinite(number := float(digits)):
        raise NoJson("A number in the body is too great, or too long.")
    return number


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_has_nul(name) or _has_nul(each) for name, each in value.items())
    return isinstance(value, list) and any(_has_nul(each) for each in value)
