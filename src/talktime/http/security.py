"""What protects a browser that talks to us: headers on every answer, the session's cookie, and no writes for others.

The one rule: every answer carries the headers, errors included, and every form is checked before it does anything.
"""

from urllib.parse import urlsplit

from fastapi import FastAPI, Request, Response
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from talktime.accounts.sessions import SESSION_LASTS
from talktime.errors import Refused
from talktime.settings import Settings

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_PERMISSIONS = "camera=(), geolocation=(), microphone={microphone}, payment=(), usb=()"
HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    # Not `no-referrer`: with it a browser sends `Origin: null` with our own forms, too, and over plain http that is all
    # there is to tell them from somebody else's. Other sites learn nothing from this one either.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": _PERMISSIONS.format(microphone="()"),
    "cache-control": "no-store",
}
"""What an answer says of itself by default; one that says otherwise (a static file is cached) is left as it is."""

WITH_MICROPHONE = {"permissions-policy": _PERMISSIONS.format(microphone="(self)")}
"""What a page says of itself that carries the panel on which one calls an agent (`talk.html`); no other page may ask
for the microphone."""

STRICT_TRANSPORT_SECURITY = "max-age=31536000"
"""For a year a browser that was here once comes by no unsafe line. Of other names under ours nothing is said: they may
not be ours."""

_DEFAULT_PORTS = {"http": 80, "https": 443}


class SecurityHeaders:
    """Adds the headers to every answer of the application inside."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                context = getattr(scope["app"].state, "context", None) if "app" in scope else None
                if context is not None and is_https(context.settings):
                    headers.setdefault("strict-transport-security", STRICT_TRANSPORT_SECURITY)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def harden(app: FastAPI) -> None:
    """Put the headers around everything the application answers.

    As an ordinary middleware they would lie inside the one that turns our own faults into a 500, and miss it.
    """
    build = app.build_middleware_stack
    app.build_middleware_stack = lambda: SecurityHeaders(build())  # type: ignore[method-assign]  # see above


def cookie_name(settings: Settings) -> str:
    """With https a name that a browser takes only from this very host over a safe line."""
    return "__Host-talktime" if is_https(settings) else "talktime_session"


def session_token(request: HTTPConnection, settings: Settings) -> str | None:
    """What the browser's cookie says; nothing is known of it yet."""
    return request.cookies.get(cookie_name(settings))


def set_session(response: Response, settings: Settings, token: str) -> None:
    """Give the browser its session."""
    response.set_cookie(
        cookie_name(settings),
        token,
        max_age=int(SESSION_LASTS.total_seconds()),
        path="/",
        secure=is_https(settings),
        httponly=True,
        samesite="lax",
    )


def clear_session(response: Response, settings: Settings) -> None:
    """Take it away again, with every page that the browser keeps for its back button."""
    # `no-store` alone does not say that: browsers keep whole pages in memory, as they were left.
    response.headers["clear-site-data"] = '"cache"'
    response.delete_cookie(cookie_name(settings), path="/", secure=is_https(settings), httponly=True, samesite="lax")


def refuse_other_sites(request: Request, settings: Settings) -> None:
    """Raise Refused unless a form was sent from a page of ours.

    A browser says where a form comes from: `Sec-Fetch-Site` over a safe line, `Origin` always. What sends neither is no
    browser, and carries nobody's cookie but its own.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        allowed = site in ("same-origin", "none")
    else:
        allowed = "origin" not in request.headers or is_from_here(request, settings)
    if not allowed:
        raise Refused("This form was sent from another site. Open the page here and try again.")


def is_from_here(connection: HTTPConnection, settings: Settings) -> bool:
    """Whether a browser says that it comes from a page of ours. With web sockets it always says where it comes from."""
    own = {_origin(settings.base_url)}
    if settings.public_url is None:
        # Ours is also the address in the browser's bar: a server that listens on 0.0.0.0 has many.
        scheme = connection.url.scheme.replace("ws", "http")
        own.add(_origin(f"{scheme}://{connection.headers.get('host', '')}"))
    return _origin(connection.headers.get("origin", "")) in own - {None}


def is_https(settings: Settings) -> bool:
    """Whether browsers reach us over a safe line; then cookies travel on no other."""
    return settings.base_url.startswith("https://")


def _origin(url: str) -> tuple[str, str, int] | None:
    """Scheme, host and port; None for what is no address, such as the `null` of a sandboxed page."""
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None
    if not parts.hostname or port is None:
        return None
    return parts.scheme, parts.hostname, port
