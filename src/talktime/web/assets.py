"""The static files: few, read once at start, and served under a name that holds their content's hash, so that a browser
may keep them for ever and still gets the new one after an upgrade.

The one rule: only what is in the table is served; no path is ever made from what somebody sends. What is served here is
the same for everybody, so it may be compressed; a page is not: it holds secrets beside what somebody sent (BREACH).
"""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter, Request, Response

router = APIRouter(prefix="/static")

_KINDS = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_OWN = ("live.js", "page.js", "talk.js", "microphone.js", "mark.svg", "begin.js")
_LOOK = (
    "tokens", "text", "frame", "components", "forms", "conversation", "door", "start", "settings", "acting",
    "overview", "calls", "talk", "agents", "credits", "numbers", "webhooks", "operator", "design",
)  # fmt: skip
"""The parts of the look in the order in which they count: tokens, what every page is made of, then page by page."""
_FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    """One static file."""

    address: str
    body: bytes
    packed: bytes
    """The same, compressed with gzip."""
    kind: str


@router.get("/{name}")
async def asset(request: Request, name: str) -> Response:
    """One static file, by the name with the hash in it."""
    found = _by_address().get(f"/static/{name}")
    if found is None:
        return Response("There is no such file.", 404, media_type="text/plain")
    etag = f'"{name}"'
    headers = {"cache-control": _FOR_EVER, "etag": etag, "vary": "accept-encoding"}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(found.packed, media_type=found.kind, headers={**headers, "content-encoding": "gzip"})
    return Response(found.body, media_type=found.kind, headers=headers)


def address_of(name: str) -> str:
    """Where a file is served: `look.css` → `/static/look.0a1b2c3d4e5f.css`."""
    return _assets()[name].address


@cache
def _assets() -> dict[str, Asset]:
    static = files("talktime.web").joinpath("static")
    bodies = {name: static.joinpath(name).read_bytes() for name in _OWN}
    bodies["look.css"] = b"\n".join(static.joinpath("look", f"{name}.css").read_bytes() for name in _LOOK)
    bodies["htmx.js"] = _htmx().read_bytes()
    return {name: _asset(name, body) for name, body in bodies.items()}


@cache
def _by_address() -> dict[str, Asset]:
    return {found.address: found for found in _assets().values()}


def _asset(name: str, body: bytes) -> Asset:
    path = Path(name)
    digest = hashlib.sha256(body).hexdigest()[:12]
    address = f"/static/{path.stem}.{digest}{path.suffix}"
    return Asset(address, body, gzip.compress(body, 9, mtime=0), _KINDS[path.suffix])


def _htmx() -> Path:
    """htmx as the registry's package brings it; the package is only a folder to us, and not imported."""
    spec = find_spec("js_lib_htmx")
    folders = spec.submodule_search_locations if spec else None
    assert folders, "the package django-js-lib-htmx is not installed"
    return Path(folders[0]) / "static" / "htmx" / "htmx.min.js"
