"""What calls brought in against what they cost, for the operator.

The rule here: nothing is made up. A credit is worth what its owner paid for it on average (taxes and all, less what
went back); one that was given by hand was paid with nothing. Currencies stand side by side and are never converted. A
cost that nobody has set a rate for makes a margin unknown, not larger. Sums are exact, and rounded once, down.
"""

import uuid
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from fractions import Fraction
from math import floor

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.errors import NotFound
from talktime.gateways import currencies


class By(StrEnum):
    """What margins are listed by."""

    DAY = "day"
    USER = "user"
    AGENT = "agent"


@dataclass(frozen=True, slots=True)
class Margin:
    """Some calls, in credits and in millionths of currencies' units."""

    key: str
    """The day, or the id of the user, the agent or the call."""
    calls: int
    seconds: int
    credits: int
    """What was charged, corrections included."""
    revenue: Mapping[str, int]
    cost: Mapping[str, int]
    unknown: tuple[str, ...]
    """What else was used and nobody has said the price of: `deepgram/nova-3 audio_seconds`."""
    estimated: bool
    """Some of the cost is a guess: a vendor did not say how much was used, or the process died that knew."""

    @property
    def margin(self) -> Mapping[str, int] | None:
        """Revenue less cost in each currency; None while some of the cost is unknown."""
        if self.unknown:
            return None
        names = sorted({*self.revenue, *self.cost})
        return {currency: self.revenue.get(currency, 0) - self.cost.get(currency, 0) for currency in names}


_KEYS = {
    By.DAY: "to_char(c.started_at AT TIME ZONE CAST(:zone AS text), 'YYYY-MM-DD')",
    By.USER: "c.user_id::text",
    By.AGENT: "coalesce(c.agent_id::text, '')",
}
_QUARTER = "(floor(extract(epoch FROM c.started_at) / 900) * 900)::bigint::text"
_SPAN = "c.started_at >= :since AND c.started_at < :until"
_ONE = "c.user_id = :user AND c.id = :call"
_CHARGED = """
    SELECT {key}, c.user_id, count(*), coalesce(sum(c.seconds), 0), coalesce(sum(h.charged + h.corrected), 0),
        coalesce(bool_or(c.end_reason = 'lost'), false)
    FROM calls c LEFT JOIN credit_holds h ON h.user_id = c.user_id AND h.call_id = c.id
    WHERE {which} GROUP BY 1, 2
"""
_COSTS = """
    SELECT {key}, k.currency, sum(k.amount_micros), bool_or(k.estimated AND NOT k.reported),
        array_agg(DISTINCT k.provider || ' ' || lower(k.kind::text)) FILTER (WHERE k.amount_micros IS NULL)
    FROM calls c JOIN call_costs k ON k.user_id = c.user_id AND k.call_id = c.id
    WHERE {which} GROUP BY 1, 2
"""
# What was paid stays paid for as long as no money went back; in test mode no money came.
_PAID = """
    SELECT p.user_id, p.currency, sum(p.credits - p.reversed_credits),
        sum(CASE WHEN p.test THEN 0 ELSE greatest(p.price_minor - coalesce(r.back_minor, 0), 0) END)
    FROM purchases p LEFT JOIN LATERAL (
        SELECT sum(CASE
            WHEN v.kind = 'DISPUTE' THEN v.withdrawn_minor - v.reinstated_minor
            WHEN v.state NOT IN ('FAILED', 'CANCELED') THEN v.amount_minor
        END) AS back_minor
        FROM payment_reversals v WHERE v.user_id = p.user_id AND v.purchase_id = p.id
    ) r ON true
    WHERE p.credited_at IS NOT NULL AND p.user_id = ANY(:users) GROUP BY 1, 2
"""
# What belongs to a call is that call's charge, corrected; rent is spent, and a payout gives back what was paid for.
_GIVEN = """
    SELECT user_id, sum(amount) FROM credit_transactions
    WHERE type = 'ADMIN_ADJUSTMENT' AND actor_id IS NOT NULL AND call_id IS NULL AND reference !~ '^(rent|payout):'
        AND user_id = ANY(:users)
    GROUP BY 1
"""


async def margin(db: AsyncSession, user: uuid.UUID, call: uuid.UUID) -> Margin:
    """What one call brought in and cost. Raises NotFound. Needs a transaction that sees everyone."""
    found = await _margins(db, "c.id::text", _ONE, {"user": user, "call": call})
    if not found:
        raise NotFound("There is no such call.")
    return found[0]


async def margins(db: AsyncSession, since: datetime, until: datetime, by: By, *, zone: str = "UTC") -> list[Margin]:
    """The calls that began in this time, from `since` up to and without `until`, by key. Days are those of `zone`.

    Needs a transaction that sees everyone, best of one moment (`snapshot=True`).
    """
    parameters: dict[str, object] = {"since": since, "until": until}
    if by == By.DAY:
        parameters["zone"] = zone
    return await _margins(db, _KEYS[by], _SPAN, parameters)


async def quarters(db: AsyncSession, since: datetime, until: datetime) -> Mapping[datetime, Margin]:
    """The same by quarters of an hour, which are of one day in every time zone there is."""
    found = await _margins(db, _QUARTER, _SPAN, {"since": since, "until": until})
    return {datetime.fromtimestamp(int(line.key), UTC): line for line in found}


@dataclass(slots=True)
class _Sum:
    """One line of the list on its way."""

    calls: int = 0
    seconds: int = 0
    credits: int = 0
    revenue: dict[str, Fraction] = field(default_factory=lambda: defaultdict(Fraction))
    cost: dict[str, int] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    estimated: bool = False


async def _margins(db: AsyncSession, key: str, which: str, parameters: Mapping[str, object]) -> list[Margin]:
    sums: dict[str, _Sum] = defaultdict(_Sum)
    charged = (await db.execute(text(_CHARGED.format(key=key, which=which)), parameters)).all()
    values = await _credit_values(db, {user for _, user, *_ in charged})
    for name, user, calls, seconds, taken, lost in charged:
        line = sums[name]
        line.calls += calls
        line.seconds += int(seconds)
        line.credits += int(taken)
        line.estimated |= lost
        for currency, value in values.get(user, {}).items():
            line.revenue[currency] += int(taken) * value
    for name, currency, amount, estimated, unknown in await db.execute(
        text(_COSTS.format(key=key, which=which)), parameters
    ):
        line = sums[name]
        if currency is not None:
            line.cost[currency] = int(amount)
        line.estimated |= estimated
        line.unknown |= set(unknown or ())
    return [_margin(name, sums[name]) for name in sorted(sums)]


def _margin(key: str, line: _Sum) -> Margin:
    return Margin(
        key=key,
        calls=line.calls,
        seconds=line.seconds,
        credits=line.credits,
        revenue={currency: floor(amount) for currency, amount in sorted(line.revenue.items())},
        cost=dict(sorted(line.cost.items())),
        unknown=tuple(sorted(line.unknown)),
        estimated=line.estimated,
    )


async def _credit_values(db: AsyncSession, users: Collection[uuid.UUID]) -> Mapping[uuid.UUID, Mapping[str, Fraction]]:
    """What one credit of each user is worth, in millionths by currency; nothing at all for who never paid."""
    paid: dict[uuid.UUID, dict[str, Fraction]] = {user: {} for user in users}
    received: dict[uuid.UUID, int] = dict.fromkeys(users, 0)
    parameters = {"users": list(users)}
    for user, currency, kept, paid_minor in await db.execute(text(_PAID), parameters):
        paid[user][currency] = Fraction(int(paid_minor) * _micros_per_minor(currency))
        received[user] += int(kept)
    for user, given in await db.execute(text(_GIVEN), parameters):
        received[user] += max(0, int(given))
    return {
        user: {currency: amount / received[user] for currency, amount in by_currency.items() if amount}
        for user, by_currency in paid.items()
        if received[user]
    }


def _micros_per_minor(currency: str) -> int:
    """10,000 for EUR, whose minor unit is a hundredth. Most have two decimals, and so has one that we do not know."""
    decimals = currencies.decimals(currency) if currencies.is_known(currency) else 2
    micros: int = 10 ** (6 - decimals)
    return micros
