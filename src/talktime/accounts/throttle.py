"""How often something may be tried: buckets that leak, in the database, so that they count for all processes at once
and outlive them.

The rule: a try is poured in, and committed, before it is made, so that any number made at once get no more than one
after the other would; one that was all right is taken out again. No address of anybody is kept, only an HMAC.
"""

import ipaddress
import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts.models import LinkPurpose, Throttle
from talktime.errors import TalktimeError
from talktime.security import sign, token_hash


@dataclass(frozen=True, slots=True)
class Limit:
    """`size` tries at once, and one more each `leak_seconds`."""

    name: str
    size: int
    leak_seconds: float


ACCOUNT_HERE = Limit("an account from a network", 5, 60)
ACCOUNT = Limit("an account", 30, 20)
"""It leaks faster than somebody pours in who tries for ever from one network or two: else a stranger would keep it
full, and its owner out. A password that we take is not found in so many tries."""
SECOND_FACTOR = Limit("a second factor", 20, 600)
"""Who tries these has the password, and three of a million codes are right: this makes four in ten thousand a day."""
NETWORK = Limit("a network", 50, 10)
WIDE_NETWORK = Limit("a wide network", 200, 2.5)
"""Of IPv6 one customer of a provider often has 65,536 households."""
MAIL_TO = Limit("mail to an address", 3, 1200)
MAIL_FROM = Limit("mail asked for from a network", 20, 180)
MAIL_FROM_WIDE = Limit("mail asked for from a wide network", 80, 45)
LIMITS = (
    ACCOUNT_HERE, ACCOUNT, SECOND_FACTOR, NETWORK, WIDE_NETWORK, MAIL_TO, MAIL_FROM, MAIL_FROM_WIDE
)  # fmt: skip
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
    return (ACCOUNT_HERE, f"{who} {network_of(address)}"), (ACCOUNT, who), *tries_from(address)


def tries_of_code(user: uuid.UUID, address: str | None) -> Sequence[Try]:
    """The same for a code of the second factor."""
    who = f"second factor {user}"
    return (ACCOUNT_HERE, f"{who} {network_of(address)}"), (SECOND_FACTOR, who), *tries_from(address)


def tries_from(address: str | None) -> Sequence[Try]:
    """What one try from an address pours in, whoever it is to be."""
    return _from(address, NETWORK, WIDE_NETWORK)


def mails_to(to: str, address: str | None, *, purpose: LinkPurpose) -> Sequence[Try]:
    """What asking for one mail pours in. Each purpose has a bucket of its own: who has mails of one kind sent to
    somebody's address keeps nobody from asking for another kind, and of that kind there is one in the mailbox."""
    return (MAIL_TO, f"{purpose.value} {to}"), *_from(address, MAIL_FROM, MAIL_FROM_WIDE)


def network_of(address: str | None) -> str:
    """Whose tries count as one's: an IPv4 address, an IPv6 network of /64, which is what one household has."""
    parsed = _read(address)
    if parsed is None:
        return "nowhere"
    return str(parsed) if parsed.version == 4 else str(ipaddress.IPv6Network((parsed, 64), strict=False))


def wide_network_of(address: str | None) -> str | None:
    """The IPv6 network of /48 around an address; None for what has none."""
    parsed = _read(address)
    return None if parsed is None or parsed.version == 4 else str(ipaddress.IPv6Network((parsed, 48), strict=False))


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


def _from(address: str | None, limit: Limit, wide_limit: Limit) -> Sequence[Try]:
    wide = wide_network_of(address)
    near = (limit, network_of(address))
    return (near,) if wide is None else (near, (wide_limit, wide))


def _read(address: str | None) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An IPv4 address that is written as IPv6 is one address with the plain one."""
    try:
        parsed = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return mapped or parsed


def _key(secret: bytes, limit: Limit, of: str) -> bytes:
    return token_hash(sign(secret, "throttle", limit.name, of))
