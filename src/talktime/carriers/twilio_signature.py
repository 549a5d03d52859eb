"""Twilio's proof that a request is its own: `X-Twilio-Signature`.

The signature is base64(HMAC-SHA1(auth token, address + every form field's name and value, sorted by name)). The one
rule: whatever of a request is believed must be covered by it, so a body that is neither a form nor named by its hash in
the signed address is refused. (Twilio, "Validating requests are coming from Twilio".)
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qs, urlsplit

from talktime.carriers.contract import BadSignature, Request

HEADER = "X-Twilio-Signature"
FIELDS_MAX = 200
_DEFAULT_PORTS = {"https": 443, "wss": 443, "http": 80, "ws": 80}
_PORT = re.compile(r":\d+$")

Fields = Mapping[str, Sequence[str]]


def sign(token: str, url: str, fields: Fields | None = None) -> str:
    """The value of the header. A key that repeats counts each of its different values once, in order."""
    return _signature(token, url, _joined(fields or {}))


def check(token: str, request: Request) -> Fields:
    """The fields of a request that the owner of `token` signed. Raises BadSignature."""
    given = request.headers.get(HEADER.lower(), "").encode("utf-8", "replace")
    if not given:
        raise BadSignature(f"the request carries no {HEADER}")
    try:
        urls = _addresses(request.url)
        fields = fields_of(request)
        signed = "" if request.method == "GET" else _joined(fields)
        # Every address is compared, whichever fits, so that the time taken says nothing.
        good = [hmac.compare_digest(given, _signature(token, url, signed).encode()) for url in urls]
    except ValueError as error:
        raise BadSignature(f"the request cannot have been signed: {error}") from error
    if not any(good):
        raise BadSignature(f"the {HEADER} does not fit the request at {urlsplit(request.url).path}")
    return fields


def fields_of(request: Request) -> Fields:
    """The fields of a form, or of the query for GET; none for another body, whose hash must be right. Raises
    BadSignature for a body that no signature can cover, ValueError for a form that is none."""
    said = urlsplit(request.url).query
    query = parse_qs(said, keep_blank_values=True, max_num_fields=FIELDS_MAX) if said else {}
    if request.method == "GET":
        if request.body:
            raise BadSignature("a GET request has a body, which nothing signs")
        return query
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded" or not request.body:
        form = request.body.decode("ascii")
        return parse_qs(form, keep_blank_values=True, max_num_fields=FIELDS_MAX)
    hashes = query.get("bodySHA256", [])
    if len(hashes) != 1:
        raise BadSignature("the body is no form, and its hash is not in the address")
    if not hmac.compare_digest(hashes[0].lower().encode(), hashlib.sha256(request.body).hexdigest().encode()):
        raise BadSignature("the body is not the one whose hash is in the address")
    return {}


def _joined(fields: Fields) -> str:
    """What is signed of a form, after its address."""
    return "".join(name + value for name in sorted(fields) for value in sorted(set(fields[name])))


def _signature(token: str, url: str, joined: str) -> str:
    digest = hmac.digest(token.encode(), f"{url}{joined}".encode(), "sha1")
    return base64.b64encode(digest).decode()


def _addresses(url: str) -> list[str]:
    """The address as it came, without a port, and with one: Twilio signs one or the other, its own validator accepts
    both, and proxies add and remove the default port as they like."""
    split = urlsplit(url)
    bare = _PORT.sub("", split.netloc)
    port = split.port or _DEFAULT_PORTS.get(split.scheme, 80)
    forms = [url, *(split._replace(netloc=netloc).geturl() for netloc in (bare, f"{bare}:{port}"))]
    return list(dict.fromkeys(forms))
