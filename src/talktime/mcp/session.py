"""The beginning: whose key it is, what it may do, what this Talktime can do.

The rule: what cannot work is said here, before an assistant hears anything of us, in one line that says what to do and
that never holds the key.
"""

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from talktime.errors import TalktimeError
from talktime.mcp.offers import Offers, offers_for
from talktime.mcp.operations import NotDescribed, Operation, operations_of
from talktime_client import AsyncClient, Retry, errors

_STUBBORN = Retry(tries_max=3, seconds_max=20)
"""A model is waiting, and a person behind it."""
_REQUEST_SECONDS = 45.0
"""A self test of a number takes half a minute."""


class CannotBegin(TalktimeError):
    """This cannot begin."""


@dataclass(frozen=True, slots=True)
class Session:
    """A key that works, and what is offered with it."""

    client: AsyncClient
    description: bytes
    """The API's own, as it came."""
    operations: Mapping[str, Operation]
    offers: Offers
    scopes: tuple[str, ...]
    zone: str
    read_only: bool


@contextlib.asynccontextmanager
async def begin(url: str, key: str, *, read_only: bool, admin: bool) -> AsyncIterator[Session]:
    """A session for as long as the block. Raises CannotBegin."""
    try:
        client = AsyncClient(url, key=key, timeout_seconds=_REQUEST_SECONDS, retry=_STUBBORN)
    except ValueError as error:
        raise CannotBegin(f"{error}") from None
    async with client:
        yield await _session(client, url, read_only=read_only, admin=admin)


async def _session(client: AsyncClient, url: str, *, read_only: bool, admin: bool) -> Session:
    try:
        me = (await client.request("GET", "/v1/me")).json()
        description = await client.request("GET", "/v1/openapi.json")
        operations = operations_of(description.json())
        scopes, role, zone = tuple(me["scopes"]), me["role"], me["zone"]
    except errors.KeyRefused:
        raise CannotBegin(
            f"{url} refuses the key: it was revoked, it ran out, or it is another installation's. Make a key on the"
            " page Settings → API keys."
        ) from None
    except errors.RateLimited as error:
        wait = f" in {error.retry_after_seconds:.0f} seconds" if error.retry_after_seconds else " later"
        raise CannotBegin(f"{url} was asked too often: try again{wait}.") from None
    except errors.ConnectionFailed as error:
        raise CannotBegin(f"{url} cannot be reached: {error}") from None
    except errors.ServerError as error:
        raise CannotBegin(f"{url} is not well at the moment: {error}") from None
    except (errors.TalktimeError, NotDescribed, KeyError, TypeError) as error:
        raise CannotBegin(
            f"{url} does not answer as a Talktime does ({type(error).__name__}): is --url right?"
        ) from None
    if admin and (role != "ADMIN" or not {"admin:read", "admin:write"} & set(scopes)):
        raise CannotBegin("--admin needs a key of an operator with the scope admin:read, and for changes admin:write.")
    offers = offers_for(operations, scopes, read_only=read_only, admin=admin)
    return Session(client, description.body, operations, offers, scopes, zone, read_only)
