"""How requests reach Stripe, and what its failures are called here.

The one rule: whatever goes wrong comes out as a ProviderError that says whether trying again can help, bounded in time,
with Stripe's codes and never its texts: those name people and keys.
"""

import asyncio
import logging
from collections.abc import Awaitable, Mapping
from typing import Any, NoReturn, TypeVar

import httpx
import orjson
import stripe

from talktime.errors import ProviderError
from talktime.gateways.stripe_notices import code_of

REQUEST_SECONDS_MAX = 30.0
"""For one question with all its repetitions."""
_TRY_SECONDS_MAX = 12.0
_TEMPORARY = frozenset({408, 409, 425, 429})
T = TypeVar("T")


class Missing(ProviderError):
    """Stripe does not know the thing."""


# Its library repeats at each step what was asked and answered, with names and addresses in it.
logging.getLogger("stripe").setLevel(logging.CRITICAL)


class Transport(stripe.HTTPClient):
    """httpx for Stripe's library, in settings of ours: the library's own reads proxies even for loopback."""

    name = "httpx"

    def __init__(self, *, trust_env: bool) -> None:
        super().__init__()
        timeout = httpx.Timeout(_TRY_SECONDS_MAX, connect=5.0)
        self._client = httpx.AsyncClient(timeout=timeout, trust_env=trust_env)

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """One try. Raises stripe.APIConnectionError; the library decides whether to try again."""
        try:
            response = await self._client.request(method, url, headers=headers, content=post_data or None)
        except httpx.HTTPError as error:
            raise _unreachable(type(error).__name__) from error
        # The library breaks on JSON of a form that Stripe does not send, and something between us and it may.
        said = _object(response.content)
        if response.is_success and said is None:
            raise _unreachable("no answer of Stripe's")
        is_told = response.is_success or (said is not None and isinstance(said.get("error"), dict))
        return response.content if is_told else b"", response.status_code, response.headers

    def sleep_async(self, secs: float) -> Awaitable[None]:
        return asyncio.sleep(secs)

    async def close_async(self) -> None:
        await self._client.aclose()


async def bounded(verb: str, asking: Awaitable[T]) -> T:
    """Stripe's answer. Raises ProviderError for what is none, but stripe.CardError where a card was declined."""
    try:
        async with asyncio.timeout(REQUEST_SECONDS_MAX):
            return await asking
    except stripe.CardError:
        raise
    except stripe.StripeError as error:
        raise_failure(verb, error)
    except TimeoutError as error:
        raise ProviderError(f"Stripe did not {verb}: no answer within {REQUEST_SECONDS_MAX:.0f} s") from error


def raise_failure(verb: str, error: stripe.StripeError) -> NoReturn:
    """Raise what an error of the library's means to us."""
    if isinstance(error, stripe.APIConnectionError):
        raise ProviderError(f"Stripe did not {verb}: it cannot be reached ({error.user_message})") from None
    status = error.http_status or 0
    # A success that is no answer is a proxy's; the next try may get through.
    permanent = 400 <= status < 500 and status not in _TEMPORARY
    code = code_of(error.code) or code_of(getattr(error.error, "code", None)) or code_of(_type_of(error))
    told = ", ".join(part for part in (f"HTTP {status}", code, error.request_id or "") if part)
    kind = Missing if status == 404 else ProviderError
    # The library's error holds the whole answer, names included: it is not carried along.
    raise kind(f"Stripe refused to {verb}: {told}", permanent=permanent) from None


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return said if isinstance(said, dict) else None


def _unreachable(why: str) -> stripe.APIConnectionError:
    return stripe.APIConnectionError(why, should_retry=True)  # type: ignore[no-untyped-call]  # the library's own


def _type_of(error: stripe.StripeError) -> object:
    body = error.json_body
    told = body.get("error") if isinstance(body, Mapping) else None
    return told.get("type") if isinstance(told, Mapping) else None
