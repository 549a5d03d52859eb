"""What a call cost the operator: what vendors counted, what carriers charge, and the rates that make money of it.

The rule here: an amount is a whole number of millionths, worked out once, by the rate that was valid when the call
began. What nobody has set a rate for is unknown, never zero; offline providers cost nothing and have no row at all.
"""

import asyncio
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from talktime import log
from talktime.accounts import audit
from talktime.calls.models import CostKind, CostRate
from talktime.carriers.contract import Carrier
from talktime.credits.functions import typed_errors
from talktime.db.session import Database
from talktime.errors import Conflict, ProviderError
from talktime.speech.usage import Used

WHY = "what calls cost the operator is nobody's but the operator's"
PASS_SECONDS = 60.0

_ASKS_MAX = 6
"""At 2, 6, 22 and 86 minutes after the end, and at about 6 and 23 hours; then our own rate stands for good."""
_BATCH = 50
_AT_ONCE = 5
_ASK_SECONDS = 8.0
_LOGGER = log.get(__name__)

_FILL_IN = """
    UPDATE call_costs k SET amount_micros = u.amount_micros, currency = u.currency
    FROM (
        SELECT x.user_id, x.call_id, a.amount_micros, a.currency
        FROM call_costs x
        JOIN calls c ON c.user_id = x.user_id AND c.id = x.call_id
        CROSS JOIN LATERAL cost_amount(x.provider, x.kind, x.quantity, c.started_at) a
        WHERE x.provider = :provider AND x.kind = CAST(:kind AS cost_kind)
            AND x.amount_micros IS NULL AND a.amount_micros IS NOT NULL
        LIMIT :limit
    ) u
    WHERE k.user_id = u.user_id AND k.call_id = u.call_id AND k.provider = :provider
        AND k.kind = CAST(:kind AS cost_kind) AND k.amount_micros IS NULL
"""
_CLAIM = """
    WITH due AS (
        SELECT user_id, call_id, provider, kind FROM call_costs
        WHERE ask_at < now() AND provider = ANY(:carriers)
        ORDER BY ask_at LIMIT :batch FOR UPDATE SKIP LOCKED
    )
    UPDATE call_costs k SET
        asked = k.asked + 1,
        ask_at = CASE WHEN k.asked + 1 < :asks THEN now() + interval '1 minute' * power(4, k.asked + 1) END
    FROM due d JOIN calls c ON c.user_id = d.user_id AND c.id = d.call_id
    WHERE k.user_id = d.user_id AND k.call_id = d.call_id AND k.provider = d.provider AND k.kind = d.kind
    RETURNING k.user_id, k.call_id, k.provider, c.carrier_call_id
"""
_NOTE_PRICE = """
    UPDATE call_costs SET amount_micros = :amount, currency = :currency, reported = true, ask_at = NULL
    WHERE user_id = :user AND call_id = :call AND provider = :provider AND kind = 'CARRIER_SECONDS' AND NOT reported
"""


class RateIsSet(Conflict):
    """There is another rate from that very moment on: calls may have been counted by it. Choose another moment."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What one pass of asking carriers came to."""

    asked: int = 0
    told: int = 0


async def note(db: AsyncSession, user: uuid.UUID, call: uuid.UUID, used: Sequence[Used]) -> None:
    """Keep what a call used of its vendors. The same again, or less of it, changes nothing.

    The carrier's part needs nobody: the database notes it where a call ends, whoever ends it.
    """
    if not used:
        return
    async with typed_errors():
        await db.execute(
            text(
                "SELECT note_costs_v1(:user, :call, CAST(:providers AS text[]), CAST(:kinds AS cost_kind[]),"
                " CAST(:quantities AS bigint[]), CAST(:estimated AS boolean[]))"
            ),
            {
                "user": user,
                "call": call,
                "providers": [one.provider for one in used],
                "kinds": [CostKind(one.measure).value for one in used],
                "quantities": [one.quantity for one in used],
                "estimated": [one.estimated for one in used],
            },
        )


async def set_rate(
    db: AsyncSession,
    provider: str,
    kind: CostKind,
    *,
    amount_micros: int,
    units: int,
    currency: str,
    valid_from: datetime,
    actor: uuid.UUID | None = None,
) -> CostRate:
    """From then on so many units cost so much. Calls that were counted already keep their amounts; see `fill_in`.

    The same rate again changes nothing. `actor` is the operator who does it; without one the installation does, which
    the audit log is not about. Raises RateIsSet. Needs a transaction that sees everyone.
    """
    written = await db.execute(
        insert(CostRate)
        .values(
            provider=provider,
            kind=kind,
            valid_from=valid_from,
            units=units,
            amount_micros=amount_micros,
            currency=currency,
        )
        .on_conflict_do_nothing()
        .returning(CostRate.provider)
    )
    is_new = written.first() is not None
    rate = await db.get_one(CostRate, (provider, kind, valid_from))
    if (rate.units, rate.amount_micros, rate.currency) != (units, amount_micros, currency):
        raise RateIsSet
    if is_new and actor is not None:
        after: dict[str, audit.Value] = {"kind": kind.value, "units": units, "amount_micros": amount_micros}
        after |= {"currency": currency, "valid_from": valid_from.isoformat()}
        await audit.record(db, actor, actor, "cost_rate.set", after=after)
    return rate


async def fill_in(db: AsyncSession, provider: str, kind: CostKind, *, limit: int = 5000) -> int:
    """Work out amounts that were unknown, now that there is a rate; gives how many. Repeat it until there are none."""
    done = await db.execute(text(_FILL_IN), {"provider": provider, "kind": kind.value, "limit": limit})
    return int(getattr(done, "rowcount", 0))


async def rates(db: AsyncSession, *, now: datetime | None = None) -> list[CostRate]:
    """The rates that are valid now, and those that will be. Needs a transaction that sees everyone."""
    now = now or datetime.now(UTC)
    found = await db.scalars(select(CostRate).order_by(CostRate.provider, CostRate.kind, CostRate.valid_from))
    current: dict[tuple[str, CostKind], CostRate] = {}
    coming = []
    for rate in found:
        if rate.valid_from <= now:
            current[rate.provider, rate.kind] = rate
        else:
            coming.append(rate)
    return sorted([*current.values(), *coming], key=lambda rate: (rate.provider, rate.kind, rate.valid_from))


async def run(database: Database, carriers: Mapping[str, Carrier]) -> None:
    """Ask carriers for their prices until cancelled; a database that is away is tried again at the next pass."""
    while True:
        began = time.monotonic()
        try:
            asked = await ask_prices(database, carriers)
            if asked.asked:
                _LOGGER.info("carriers were asked for their prices", asked=asked.asked, told=asked.told)
        except (SQLAlchemyError, OSError) as error:
            _LOGGER.warning("no carrier was asked for prices", error=type(error).__name__)
        await asyncio.sleep(max(1.0, began + PASS_SECONDS - time.monotonic()))


async def ask_prices(database: Database, carriers: Mapping[str, Carrier]) -> Asked:
    """One pass: ask what is due. Any number may run at once; each call is asked about by one of them."""
    async with database.transaction(everyone=WHY) as db:
        names = {"carriers": list(carriers), "batch": _BATCH, "asks": _ASKS_MAX}
        due = (await db.execute(text(_CLAIM), names)).all()
    places = asyncio.Semaphore(_AT_ONCE)

    async def one(user: uuid.UUID, call: uuid.UUID, carrier: str, carrier_call_id: str) -> bool:
        async with places:
            return await _ask_price(database, carriers[carrier], user, call, carrier_call_id)

    told = await asyncio.gather(*(one(*row) for row in due))
    return Asked(len(due), sum(told))


async def _ask_price(
    database: Database, carrier: Carrier, user: uuid.UUID, call: uuid.UUID, carrier_call_id: str
) -> bool:
    """Ask for one call's price, and keep it. False when that did not come about: it is asked for again, later."""
    try:
        async with asyncio.timeout(_ASK_SECONDS):
            leg = await carrier.look_up(carrier_call_id)
        if leg is None or leg.charge is None:
            return False
        price = {
            "user": user,
            "call": call,
            "provider": carrier.name,
            "amount": leg.charge.amount_micros,
            "currency": leg.charge.currency,
        }
        async with database.transaction(everyone=WHY) as db:
            await db.execute(text(_NOTE_PRICE), price)
    except (ProviderError, SQLAlchemyError, OSError, TimeoutError) as error:
        _LOGGER.warning("the price of a call is not known yet", call_id=str(call), error=type(error).__name__)
        return False
    return True
