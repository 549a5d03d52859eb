"""Sending one body to one address, once, and reading a little of what comes back.

The rules: the connection goes to an address that was looked at in this very try (`targets.py`), so that a name which
leads elsewhere the second time leads nowhere; the certificate must be the name's; no redirect is followed; all of it
ends in 15 seconds; and nothing that comes back is believed, decompressed, or read to its end. No proxy is asked.
"""

import asyncio
import ssl
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import httpcore

from talktime.webhooks.targets import PrivateTarget, Resolve, public_addresses, resolve

SECONDS_MAX = 15.0
READ_BYTES_MAX = 64 * 1024
KEPT_CHARACTERS = 4096
_HEADERS = (
    ("content-type", "application/json"),
    ("user-agent", "Talktime-Webhooks/1"),
    ("accept-encoding", "identity"),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one try."""

    milliseconds: int
    status: int | None = None
    """Of the answer; None when there was none."""
    headers: Mapping[str, str] = field(default_factory=dict)
    answer: str | None = None
    """The first characters of its body, where the answer came to its end, or was cut."""
    error: str | None = None
    """Why it failed, in words for the owner of the endpoint; None when it did not."""

    @property
    def is_success(self) -> bool:
        return self.error is None


@dataclass(eq=False)
class Poster:
    """How this process sends."""

    to_private: bool = False
    """This machine and its neighbours may be sent to: in a demo and in tests."""
    resolve: Resolve = resolve
    certificates: ssl.SSLContext = field(default_factory=ssl.create_default_context)
    seconds_max: float = SECONDS_MAX

    async def send(self, url: str, body: bytes, headers: Mapping[str, str]) -> Outcome:
        """POST a body and wait for the answer. Whatever goes wrong is an outcome; nothing is raised."""
        began = time.monotonic()
        sending = _Sending()
        try:
            async with asyncio.timeout(self.seconds_max):
                await self._send(sending, url, body, headers)
        except TimeoutError:
            sending.error = f"There was no complete answer within {self.seconds_max:g} seconds."
        except PrivateTarget:
            sending.error = "The name leads to an address that is not of the public internet, so nothing was sent."
        except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, OSError, ValueError) as error:
            sending.error = _in_words(error)
        milliseconds = int((time.monotonic() - began) * 1000)
        if sending.error is None and not 200 <= (sending.status or 0) < 300:
            sending.error = f"The answer was {sending.status}, and only 200 to 299 is taken for a yes."
            if 300 <= (sending.status or 0) < 400:
                sending.error += " Redirects are not followed: give the address that they lead to."
        answer = (
            sending.read.decode("utf-8", "replace").replace("\0", "�")[:KEPT_CHARACTERS] if sending.status else None
        )
        return Outcome(milliseconds, sending.status, sending.headers, answer, sending.error)

    async def _send(self, sending: "_Sending", url: str, body: bytes, headers: Mapping[str, str]) -> None:
        # A pool for one request: no connection is kept, so each try looks its name up and is looked at.
        network = _Network(self.resolve, to_private=self.to_private)
        length = ("content-length", str(len(body)))
        async with (
            httpcore.AsyncConnectionPool(
                ssl_context=self.certificates, max_connections=1, max_keepalive_connections=0, network_backend=network
            ) as pool,
            pool.stream("POST", url, headers=[*_HEADERS, *headers.items(), length], content=body) as response,
        ):
            sending.status = response.status
            sending.headers = {
                name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers
            }
            async for piece in response.aiter_stream():
                sending.read += piece[: READ_BYTES_MAX - len(sending.read)]
                if len(sending.read) >= READ_BYTES_MAX:
                    return


@dataclass(slots=True)
class _Sending:
    """How far a try came."""

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    read: bytearray = field(default_factory=bytearray)
    error: str | None = None


class _Network(httpcore.AsyncNetworkBackend):
    """Connects to where a name leads, if it leads anywhere that we send to."""

    def __init__(self, resolve: Resolve, *, to_private: bool) -> None:
        self._resolve = resolve
        self._to_private = to_private
        self._plain = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        found = await self._resolve(host.strip("[]"), port)
        addresses = list(found) if self._to_private else public_addresses(found)
        failed: Exception = OSError("the name leads nowhere")
        for address in addresses[:4]:
            try:
                return await self._plain.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def _in_words(error: Exception) -> str:
    """Why there was no answer. Nothing of what came back stands in it."""
    # Which address it was, and what the system calls the trouble, is said nowhere: an endpoint is no way to look at
    # networks that only we can see.
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "The certificate is not one for this name that browsers would take."
        if isinstance(cause, ssl.SSLError):
            return "No encrypted connection could be agreed on."
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpcore.ConnectError | httpcore.ConnectTimeout):
        return "No connection could be made."
    if isinstance(error, httpcore.ProtocolError):
        return "What came back was no HTTP, or ended before its end."
    if isinstance(error, httpcore.NetworkError | httpcore.TimeoutException):
        return "The connection broke off."
    return "The name leads nowhere."
