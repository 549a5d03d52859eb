"""Who did what to whom, and from where: written in the transaction of the deed, never changed afterwards.

The one rule: an entry holds ids, states and sums, never personal data; it stays when a person is forgotten. Where
something comes from is said once, by the door it came in at (`came_from`), and carried along to whoever writes.
"""

import contextlib
import ipaddress
import uuid
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

Door = Literal["web", "api", "command", "worker"]
Value = str | int | bool | None | list[str]
_VALUE_LENGTH_MAX = 200


@dataclass(frozen=True, slots=True)
class _Origin:
    door: Door
    network: str | None = None


_ORIGIN: ContextVar[_Origin] = ContextVar("_ORIGIN")
_NOBODY = _Origin("worker")


@contextlib.contextmanager
def came_from(door: Door, address: str | None = None) -> Iterator[None]:
    """What is recorded inside came through this door, from this address; without one it is our own doing."""
    token = _ORIGIN.set(_Origin(door, network_of(address) if address else None))
    try:
        yield
    finally:
        _ORIGIN.reset(token)


def network_of(address: str) -> str | None:
    """The network of an address: an IPv4's /24, an IPv6's /48; None for what is no address."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    parsed = mapped or parsed
    return str(ipaddress.ip_network((parsed.packed, 24 if parsed.version == 4 else 48), strict=False))


async def record(
    db: AsyncSession,
    subject: uuid.UUID,
    actor: uuid.UUID | None,
    act: str,
    *,
    before: Mapping[str, Value] | None = None,
    after: Mapping[str, Value] | None = None,
) -> int:
    """Write the next entry about `subject` in the caller's transaction; gives its number in their chain.

    `act` is a noun and what happened to it: `session.began`. A change that is about nobody in particular is about the
    operator who made it. `before` and `after` hold what changed: ids, states, sums.
    """
    for values in (before, after):
        for name, value in (values or {}).items():
            # Ours to see to: an address or a sentence in here could never be taken out again.
            assert not isinstance(value, str) or ("@" not in value and len(value) <= _VALUE_LENGTH_MAX), name
    origin = _ORIGIN.get(_NOBODY)
    seq: int = await db.scalar(
        text("SELECT audit_v1(:subject, :actor, :act, CAST(:before AS jsonb), CAST(:after AS jsonb), :door, :network)"),
        {
            "subject": subject,
            "actor": actor,
            "act": act,
            "before": orjson.dumps(dict(before)).decode() if before is not None else None,
            "after": orjson.dumps(dict(after)).decode() if after is not None else None,
            "door": origin.door,
            "network": origin.network,
        },
    )
    return seq
