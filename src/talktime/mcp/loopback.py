"""The protocol over HTTP on this machine alone, for assistants that connect instead of starting something.

The rules: only the loopback interface is listened on. Every request carries a token, since other people of this machine
reach the port as well and would act with the key; and its Host and Origin are this machine's, since a page in a browser
could send requests here, too (DNS rebinding).
"""

import hmac
import ipaddress
import re
import secrets
import socket
import sys

import uvicorn
from mcp.server.transport_security import TransportSecuritySettings
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from talktime.errors import BadInput
from talktime.mcp.server import server_of
from talktime.mcp.session import Session

PATH = "/mcp"
TOKEN_VARIABLE = "TALKTIME_MCP_TOKEN"  # noqa: S105 - its name, not itself
_PLACE = re.compile(r"(?:(localhost|[0-9.]+|\[[0-9a-fA-F:]+\]):)?([0-9]{1,5})")
_TOKEN = re.compile(r"[\x21-\x7e]{16,200}")
_BODY_BYTES_MAX = 1024 * 1024
_CLIENTS_MAX = 50
_IDLE_SECONDS = 1800.0


def listener_at(place: str) -> socket.socket:
    """A socket that listens at `HOST:PORT` or `PORT` (0: one that is free). Raises BadInput."""
    match = _PLACE.fullmatch(place)
    if match is None:
        raise BadInput("--http is a port of this machine: 127.0.0.1:8765, or 8765; 0 takes a free one.")
    host = (match[1] or "127.0.0.1").strip("[]")
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        raise BadInput(f"--http: {host} is no address.") from None
    if not address.is_loopback:
        raise BadInput("--http listens on this machine alone: 127.0.0.1 or [::1]. Whoever connects acts with the key.")
    port = int(match[2])
    if port > 65535:
        raise BadInput("--http: a port is at most 65535.")
    listener = socket.socket(socket.AF_INET6 if address.version == 6 else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((str(address), port))
    except OSError as error:
        listener.close()
        raise BadInput(f"--http: {host}:{port} cannot be taken: {error.strerror}.") from None
    listener.listen(100)
    return listener


def token_of(given: str | None) -> str:
    """The token that was given, or a new one. Raises BadInput."""
    if not given:
        return secrets.token_urlsafe(32)
    if _TOKEN.fullmatch(given) is None:
        raise BadInput(f"{TOKEN_VARIABLE} has 16 to 200 visible characters of ASCII: a random one is a good one.")
    return given


async def serve(session: Session, listener: socket.socket, token: str, *, tells_token: bool) -> None:
    """Serve until a signal comes. Where to, and the token if it is told, is said on standard error."""
    host, port = listener.getsockname()[:2]
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}{PATH}"
    config = uvicorn.Config(
        app_of(session, token),
        log_config=None,
        access_log=False,
        lifespan="on",
        ws="none",
        server_header=False,
        proxy_headers=False,
        limit_concurrency=200,
        timeout_graceful_shutdown=1,
    )
    said = f"Authorization: Bearer {token}" if tells_token else f"the token of {TOKEN_VARIABLE}"
    sys.stderr.write(f"talktime: serving at {url}, for requests with {said}\n")
    sys.stderr.flush()
    await uvicorn.Server(config).serve(sockets=[listener])


def app_of(session: Session, token: str) -> ASGIApp:
    """The application that answers, behind the token."""
    app = server_of(session).streamable_http_app(
        streamable_http_path=PATH,
        max_request_body_size=_BODY_BYTES_MAX,
        session_idle_timeout=_IDLE_SECONDS,
        max_sessions=_CLIENTS_MAX,
        transport_security=TransportSecuritySettings(
            allowed_hosts=["127.0.0.1:*", "localhost:*", "[::1]:*"],
            allowed_origins=["http://127.0.0.1:*", "http://localhost:*", "http://[::1]:*"],
        ),
    )
    wanted = f"Bearer {token}".encode()

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            sent = [value for name, value in scope["headers"] if name == b"authorization"]
            if len(sent) != 1 or not hmac.compare_digest(sent[0], wanted):
                refusal = JSONResponse(
                    {"error": "Send the token as Authorization: Bearer …"}, 401, {"www-authenticate": "Bearer"}
                )
                await refusal(scope, receive, send)
                return
        await app(scope, receive, send)

    return guarded
