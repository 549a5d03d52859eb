"""Sending requests over HTTP, again where that is safe: once for programs that wait and once for asyncio.

The rules: the key goes out as a header to one site and is held nowhere else, so redirects are not followed; a try has
an end, also when the server sends a byte now and then (of the head of its answer only for asyncio, since nothing else
can be interrupted there); an answer has a greatest length.
"""

import asyncio
import re
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import urlsplit

import httpx

from talktime_client._exchange import Answer, Asked, ask
from talktime_client._retry import Patience, Retry, retry_after
from talktime_client.errors import AnswerUnreadable, ConnectionFailed, TimedOut

VERSION = "1.0"
"""Of the description that this package is written for."""
TIMEOUT_SECONDS = 30.0
_CONNECT_SECONDS_MAX = 10.0
"""Within the whole: whoever could not be reached has done nothing, and may be asked again."""
BYTES_MAX = 64 * 1024 * 1024
"""No answer of this API is longer."""

_KEY = re.compile(r"[\x21-\x7e]{1,200}")
_PATH = re.compile(r"(/(?!\.\.?(/|$))[A-Za-z0-9._~!$&'()*+,;=:@%-]+)+")
_ENCODED_DOTS = re.compile(r"/(\.|%2e){1,2}(/|$)", re.IGNORECASE)
_HEADER = re.compile(r"[\x20-\x7e]*")
_NEVER_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]", "::1")


class Bearer(httpx.Auth):
    """The key, as a header of each request. It is shown to nobody."""

    __slots__ = ("__key",)

    def __init__(self, key: str) -> None:
        # The HTTP library would repeat what it cannot send.
        if _KEY.fullmatch(key) is None:
            raise ValueError("This is no API key: one begins with tt_live_ and has no blanks in it.")
        self.__key = key

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["authorization"] = f"Bearer {self.__key}"
        yield request

    def __repr__(self) -> str:
        return "Bearer(…)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A key is not written down.")


@dataclass(frozen=True, slots=True)
class Site:
    """Where requests go, and how."""

    url: str
    timeout_seconds: float
    retry: Retry

    @classmethod
    def at(cls, base_url: str, *, timeout_seconds: float, retry: Retry, allow_plain_http: bool) -> "Site":
        """Raises ValueError for what is no address, and for one to which a key would go unencrypted."""
        try:
            url = httpx.URL(base_url)
            # The HTTP library takes half of an IPv6 address for a name.
            urlsplit(base_url)
        except (httpx.InvalidURL, TypeError, ValueError):
            raise ValueError("base_url is no address: https://phone.example.org, for example.") from None
        if url.scheme not in ("http", "https") or not url.host:
            raise ValueError("base_url is an address with https:// in front: https://phone.example.org, for example.")
        if url.userinfo or url.query or url.fragment:
            raise ValueError("base_url has no name, password, question mark or # in it.")
        if url.scheme == "http" and url.host not in _LOOPBACK and not allow_plain_http:
            raise ValueError("The key would go unencrypted: use https://, or say allow_plain_http=True.")
        return cls(str(url).rstrip("/").removesuffix("/v1"), timeout_seconds, retry)

    def asked(self, method: str, path: str, params: Any, body: Any, headers: Mapping[str, str] | None) -> Asked:
        """A request to this site. Raises ValueError for a path that would lead elsewhere."""
        if not path.startswith("/v1/") or _PATH.fullmatch(path) is None or _ENCODED_DOTS.search(path):
            raise ValueError("A path begins with /v1/ and has no empty parts, dots alone, ? or # in it.")
        for name, value in (headers or {}).items():
            if not value or _HEADER.fullmatch(value) is None:
                raise ValueError(f"The header {name} has characters in it that cannot be sent, or none.")
        return ask(method, path, params, body, headers)

    def options(self, key: str) -> dict[str, Any]:
        """What both kinds of HTTP client are made with."""
        return {
            "base_url": self.url,
            "auth": Bearer(key),
            "headers": {"user-agent": f"talktime-client/{VERSION}"},
            "timeout": httpx.Timeout(self.timeout_seconds, connect=min(self.timeout_seconds, _CONNECT_SECONDS_MAX)),
            "follow_redirects": False,
        }


class Transport:
    """Sends requests and waits for their answers."""

    def __init__(self, site: Site, key: str, http: httpx.BaseTransport | None = None) -> None:
        self.site = site
        self._http = httpx.Client(transport=http, **site.options(key))

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request, sent again where that is safe. Raises ApiError, ConnectionFailed, AnswerUnreadable."""
        asked = self.site.asked(method, path, params, json, headers)
        patience = Patience(self.site.retry, asked)
        while True:
            try:
                answer = self._once(asked)
            except ConnectionFailed as failure:
                if (wait := patience.after_failure(failure)) is None:
                    raise
            else:
                if asked.is_done_by(answer.status):
                    return answer
                if (wait := patience.after(answer)) is None:
                    raise _refusal(answer)
            time.sleep(wait)

    def _once(self, asked: Asked) -> Answer:
        until = time.monotonic() + self.site.timeout_seconds
        request = _request(self._http, asked)
        try:
            response = self._http.send(request, stream=True)
            try:
                read = _Reading(until)
                for chunk in response.iter_bytes():
                    read.take(chunk)
            finally:
                response.close()
        except httpx.RequestError as error:
            raise _failure(error) from None
        return read.answer(response)

    def close(self) -> None:
        self._http.close()


class AsyncTransport:
    """The same for asyncio."""

    def __init__(self, site: Site, key: str, http: httpx.AsyncBaseTransport | None = None) -> None:
        self.site = site
        self._http = httpx.AsyncClient(transport=http, **site.options(key))

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request, sent again where that is safe. Raises ApiError, ConnectionFailed, AnswerUnreadable."""
        asked = self.site.asked(method, path, params, json, headers)
        patience = Patience(self.site.retry, asked)
        while True:
            try:
                answer = await self._once(asked)
            except ConnectionFailed as failure:
                if (wait := patience.after_failure(failure)) is None:
                    raise
            else:
                if asked.is_done_by(answer.status):
                    return answer
                if (wait := patience.after(answer)) is None:
                    raise _refusal(answer)
            await asyncio.sleep(wait)

    async def _once(self, asked: Asked) -> Answer:
        until = time.monotonic() + self.site.timeout_seconds
        request = _request(self._http, asked)
        try:
            async with asyncio.timeout(self.site.timeout_seconds):
                response = await self._http.send(request, stream=True)
                try:
                    read = _Reading(until)
                    async for chunk in response.aiter_bytes():
                        read.take(chunk)
                finally:
                    await response.aclose()
        except TimeoutError:
            raise _out_of_time() from None
        except httpx.RequestError as error:
            raise _failure(error) from None
        return read.answer(response)

    async def aclose(self) -> None:
        await self._http.aclose()


class _Reading:
    """An answer as it comes."""

    def __init__(self, until: float) -> None:
        self._until = until
        self._body = bytearray()

    def take(self, chunk: bytes) -> None:
        self._body += chunk
        if len(self._body) > BYTES_MAX:
            raise AnswerUnreadable("The answer has no end.")
        if time.monotonic() > self._until:
            raise _out_of_time()

    def answer(self, response: httpx.Response) -> Answer:
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, headers, bytes(self._body))


def _request(http: httpx.Client | httpx.AsyncClient, asked: Asked) -> httpx.Request:
    return http.build_request(
        asked.method, asked.path, params=asked.params or None, headers=dict(asked.headers), content=asked.body
    )


def _refusal(answer: Answer) -> Exception:
    """What is raised for an answer that is not fine."""
    if answer.status < 400:
        return AnswerUnreadable(f"The server answers with a redirect ({answer.status}): is base_url the right one?")
    return answer.problem(retry_after(answer))


def _failure(error: httpx.RequestError) -> Exception:
    """What is raised when there was no answer. The library's own error holds the request, and is left behind."""
    if isinstance(error, httpx.DecodingError):
        return AnswerUnreadable("The answer says that it is compressed, and is not.")
    maybe_done = not isinstance(error, _NEVER_SENT)
    name = type(error).__name__
    if isinstance(error, httpx.TimeoutException):
        return TimedOut(f"There was no answer in time ({name}).", maybe_done)
    return ConnectionFailed(f"There was no whole answer: {name}.", maybe_done)


def _out_of_time() -> TimedOut:
    return TimedOut("There was no whole answer in time.", True)
