"""How often something may be tried: buckets that leak, in the database, so that they count for all processes at once
and outlive them.

The rule: a try is poured in, and committed, before it is made, so that any number made at once get no more than one
after the other would; one that was all right is taken out again. No address of anybody is kept, only an HMAC.
"""

import ipaddress
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts.models import Throttle
from talktime.errors import TalktimeError
from talktime.security import sign, token_hash


@dataclass(frozen=True, slots=True)
class Limit:
    """`size` tries at once, and one more each `leak_seconds`."""

    name: str
    size: int
    leak_seconds: float


ACCOUNT_HERE = Limit("an account from a network", 5, 60)
ACCOUNT = Limit("an account", 30, 120)
"""Wide enough that somebody far away does not shut its owner out by trying a little."""
NETWORK = Limit("a network", 50, 10)
MAIL_TO = Limit("mail to an address", 3, 1200)
MAIL_FROM = Limit("mail asked for from a network", 20, 180)
LIMITS = (ACCOUNT_HERE, ACCOUNT, NETWORK, MAIL_TO, MAIL_FROM)
_NOBODY = Limit("nobody", 1_000_000, 0.001)
_KEPT = timedelta(days=1)
"""Longer than the slowest bucket needs to run empty."""

Try = tuple[Limit, str]


class TooManyTries(TalktimeError):
    """That was tried too often. Wait a little, then try again."""

    status = 429

    def __init__(self, retry_after: int) -> None:
        super().__init__()
        self.retry_after = retry_after
        """Seconds until the next try."""


def tries_of(who: str, address: str | None) -> Sequence[Try]:
    """What one try to be somebody pours in: `who` is the account, the address is where it comes from."""
    network = network_of(address)
    return (ACCOUNT_HERE, f"{who} {network}"), (ACCOUNT, who), (NETWORK, network)


def mails_to(to: str, address: str | None) -> Sequence[Try]:
    """What asking for one mail pours in."""
    return (MAIL_TO, to), (MAIL_FROM, network_of(address))


def network_of(address: str | None) -> str:
    """Whose tries count as one's: an IPv4 address, an IPv6 network of /64, which is what one household has."""
    try:
        parsed = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return "nowhere"
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((parsed, 64), strict=False))


async def pour(db: AsyncSession, secret: bytes, tries: Sequence[Try]) -> Sequence[bytes]:
    """Count one try in each of these buckets; gives what `forgive` takes. Raises TooManyTries when one is full: then
    the caller's transaction is rolled back, and nothing was poured in anywhere.

    Commit before the try itself. Needs a transaction that is everyone's.
    """
    # In one order for everybody, so that no two wait for each other.
    keyed = sorted((_key(secret, limit, of), limit) for limit, of in tries)
    said = await db.execute(
        select(*(func.throttle_v1(key, float(limit.size), float(limit.leak_seconds)) for key, limit in keyed))
    )
    wait_seconds = max(said.one())
    if wait_seconds > 0:
        raise TooManyTries(math.ceil(wait_seconds))
    return [key for key, _ in keyed]


async def forgive(db: AsyncSession, poured: Sequence[bytes]) -> None:
    """Take a try that was all right out again."""
    await db.execute(select(*(func.throttle_forgive_v1(key) for key in poured)))


async def write_for_nobody(db: AsyncSession, secret: bytes, who: str) -> None:
    """One statement that writes as much as an entry about an account would, where there is no such account: how long
    an answer takes must not tell which of the two it was."""
    await db.execute(select(func.throttle_v1(_key(secret, _NOBODY, who), float(_NOBODY.size), _NOBODY.leak_seconds)))


async def prune(db: AsyncSession) -> int:
    """Forget the buckets that ran empty; gives how many."""
    gone = await db.execute(
        delete(Throttle).where(Throttle.updated_at < func.now() - _KEPT).returning(func.octet_length(Throttle.key))
    )
    return len(gone.all())


def _key(secret: bytes, limit: Limit, of: str) -> bytes:
    return token_hash(sign(secret, "throttle", limit.name, of))
