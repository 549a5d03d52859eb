"""Searching and buying numbers through the carrier's API: for operators alone, at the price that they were shown.

The rule: an order is written down before the carrier is asked, and before the carrier is asked a second time somebody
looks whether the number is ours already. So a silence of the carrier's never buys twice, and whatever dies in between,
`finish_due` brings the order to its end.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from talktime import log
from talktime.accounts import audit
from talktime.accounts.operators import require_operator
from talktime.alerts import raise_alert
from talktime.carriers.numbers import (
    Doors,
    NotForSale,
    NumberKind,
    NumberPrice,
    Numbers,
    OfferedNumber,
    OwnedNumber,
    Search,
)
from talktime.db.session import Database
from talktime.errors import BadInput, Conflict, NotFound, ProviderError
from talktime.numbers import pool
from talktime.numbers.forms import country_of, kinds_of, ordinary
from talktime.numbers.models import CarrierPhase, NumberOrder, OrderState, PhoneNumber, PhoneStatus
from talktime.numbers.rows import find
from talktime.numbers.telling import doors_of, told_of

WHY = "the operator buys numbers for the pool"
_ANSWERS_WITHIN = timedelta(seconds=60)
"""Longer than an order can take at the carrier: until then nobody asks what became of it."""
_TRIES_MAX = 3
_AT_ONCE_MAX = 20
_LOGGER = log.get(__name__)


class NoPrice(Conflict):
    """The carrier does not say what such a number costs, so it is not bought here: buy it on the carrier's own
    pages, then import it."""


class PriceChanged(Conflict):
    """The price is another one than you confirmed: look at it again, then confirm the new one."""

    field = "amount_micros"


class WrongKind(BadInput):
    """A number is not sold at the price of another kind: search for it under its own."""

    field = "kind"


class InThePool(Conflict):
    """This number is in the pool already."""

    field = "number"


class BeingOrdered(Conflict):
    """Somebody is buying this number at the moment: look at the pool in a minute."""

    field = "number"


@dataclass(frozen=True, slots=True)
class Offers:
    """What can be bought, and what each of it costs in a month."""

    numbers: Sequence[OfferedNumber]
    price: NumberPrice | None
    """None where the carrier does not say; then it is not bought here."""


async def search(numbers: Numbers, wanted: Search) -> Offers:
    """What the carrier offers, with its price. Raises BadInput, ProviderError."""
    return Offers(await numbers.available(checked(wanted)), await numbers.price(wanted.country, wanted.kind))


def checked(wanted: Search) -> Search:
    """The same search, if it can be one. Raises BadInput."""
    if not (len(wanted.country) == 2 and wanted.country.isascii() and wanted.country.isupper()):
        raise BadInput("A country is two capitals: DE, US.")
    if wanted.area and not (wanted.area.isascii() and wanted.area.isdecimal() and len(wanted.area) <= 6):
        raise BadInput("An area code is at most 6 digits, as it is dialled at home.")
    if len(wanted.contains) > 12 or not set(wanted.contains) <= set("0123456789*"):
        raise BadInput("What a number must contain is at most 12 digits; * stands for any digit.")
    if not 1 <= wanted.limit <= 50:
        raise BadInput("A search gives 1 to 50 numbers.")
    return wanted


async def buy(
    database: Database,
    numbers: Numbers,
    carrier: str,
    number: str,
    *,
    kind: NumberKind,
    price: NumberPrice,
    base_url: str,
    actor: uuid.UUID,
) -> NumberOrder:
    """Order a number at the price that was shown, once; gives the order, BOUGHT or FAILED, or still ORDERED where the
    carrier said nothing: then it is finished by itself, and asking again gives how it stands.

    Raises NoNumber, DearNumber, UnknownNumber, WrongKind, NoPrice, PriceChanged, InThePool, BeingOrdered,
    NotAnOperator, ProviderError (before anything is ordered).
    """
    number = ordinary(number)
    _require_kind(number, kind)
    country = country_of(number)
    now_asked = await numbers.price(country, kind)
    if now_asked is None:
        raise NoPrice
    if now_asked != price:
        raise PriceChanged(f"It costs {now_asked} a month, not {price}: look at the price again, then confirm it.")
    order = NumberOrder(
        number=number,
        carrier=carrier,
        country=country,
        kind=kind,
        amount_micros=price.amount_micros,
        currency=price.currency,
        ordered_by=actor,
        tries=1,
        try_at=datetime.now(UTC) + _ANSWERS_WITHIN,
    )
    try:
        async with database.transaction(everyone=WHY) as db:
            await require_operator(db, actor)
            row = await find(db, number, lock=True)
            if row is not None and row.status is not PhoneStatus.RETURNED:
                raise InThePool
            db.add(order)
            await db.flush()
            after: dict[str, audit.Value] = {"order_id": str(order.id), "carrier": carrier}
            after |= {"amount_micros": price.amount_micros, "currency": price.currency}
            await audit.record(db, actor, actor, "number.ordered", after=after)
    except IntegrityError as error:
        raise BeingOrdered from error
    return await _ask(database, numbers, order.id, number, doors_of(base_url, carrier))


async def finish_due(database: Database, carriers: Mapping[str, Numbers], base_url: str) -> int:
    """Find out what became of orders without an answer, and order again what is not ours; gives how many came to their
    end."""
    finished = 0
    for _ in range(_AT_ONCE_MAX):
        async with database.transaction(everyone=WHY) as db:
            order = await _claim_next(db, list(carriers))
        if order is None:
            break
        finished += await _look(database, carriers[order.carrier], order, base_url)
    return finished


async def order_of(db: AsyncSession, order: uuid.UUID) -> NumberOrder:
    """How an order stands. Raises NotFound."""
    found = await db.scalar(select(NumberOrder).where(NumberOrder.id == order))
    if found is None:
        raise NotFound("There is no such order.")
    return found


async def _claim_next(db: AsyncSession, carriers: Sequence[str]) -> NumberOrder | None:
    row = (
        await db.execute(
            select(NumberOrder)
            .where(
                NumberOrder.state == OrderState.ORDERED,
                NumberOrder.try_at <= func.clock_timestamp(),
                NumberOrder.carrier.in_(carriers),
            )
            .order_by(NumberOrder.try_at)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
    ).scalar_one_or_none()
    if row is not None:
        row.try_at = datetime.now(UTC) + _ANSWERS_WITHIN
    return row


async def _look(database: Database, numbers: Numbers, order: NumberOrder, base_url: str) -> bool:
    """Whether the number is ours; only when it is not, the carrier is asked to sell it once more."""
    try:
        ours = await numbers.find(order.number)
    except ProviderError as error:
        _LOGGER.warning("a carrier does not say what became of an order", order_id=str(order.id), error=str(error))
        return False
    if ours is not None:
        await _bought(database, order.id, ours)
        return True
    if order.tries >= _TRIES_MAX:
        await _failed(database, order.id, "the carrier gave no answer, and does not have it for us")
        return True
    async with database.transaction(everyone=WHY) as db:
        row = await _locked(db, order.id)
        if row.state is not OrderState.ORDERED:
            return True
        row.tries += 1
    done = await _ask(database, numbers, order.id, order.number, doors_of(base_url, order.carrier))
    return done.state is not OrderState.ORDERED


async def _ask(database: Database, numbers: Numbers, order: uuid.UUID, number: str, doors: Doors) -> NumberOrder:
    """Ask the carrier to sell it, once."""
    try:
        bought = await numbers.buy(number, doors)
    except NotForSale as error:
        # Also what it says of a number that is ours already, because an order of ours did come through.
        try:
            ours = await numbers.find(number)
        except ProviderError:
            return await _silent(database, order, str(error))
        return await (_bought(database, order, ours) if ours is not None else _failed(database, order, str(error)))
    except ProviderError as error:
        if error.permanent:
            return await _failed(database, order, str(error))
        return await _silent(database, order, str(error))
    return await _bought(database, order, bought)


async def _bought(database: Database, order: uuid.UUID, bought: OwnedNumber) -> NumberOrder:
    async with database.transaction(everyone=WHY) as db:
        row = await _locked(db, order)
        if row.state is not OrderState.ORDERED:
            return row
        number = await pool.add(
            db,
            bought.number,
            carrier=row.carrier,
            carrier_number_id=bought.number_id,
            capabilities=bought.capabilities,
            actor=row.ordered_by,
        )
        _adopt(number, bought)
        row.state, row.number_id, row.error, row.finished_at = OrderState.BOUGHT, number.id, None, datetime.now(UTC)
        await db.flush()
        after: dict[str, audit.Value] = {"order_id": str(order), "number_id": str(number.id)}
        await audit.record(db, row.ordered_by, row.ordered_by, "number.bought", after=after)
        return row


def _adopt(number: PhoneNumber, bought: OwnedNumber) -> None:
    """What the order told the carrier need not be told again."""
    if number.carrier_phase is CarrierPhase.WANTED and bought.doors.voice_url:
        number.carrier_told = told_of(bought.doors)
        number.carrier_phase = CarrierPhase.AGREED


async def _failed(database: Database, order: uuid.UUID, why: str) -> NumberOrder:
    async with database.transaction(everyone=WHY) as db:
        row = await _locked(db, order)
        if row.state is OrderState.ORDERED:
            row.state, row.error, row.finished_at = OrderState.FAILED, why, datetime.now(UTC)
            await db.flush()
            after: dict[str, audit.Value] = {"order_id": str(order)}
            await audit.record(db, row.ordered_by, row.ordered_by, "number.not_bought", after=after)
            if row.tries > 1:
                # Nobody waits for the answer any more.
                detail = {"order_id": str(order), "carrier": row.carrier, "error": why[:200]}
                await raise_alert(db, "order_failed", None, detail)
        return row


async def _silent(database: Database, order: uuid.UUID, why: str) -> NumberOrder:
    """Nobody knows whether it was bought: it is looked after in a minute."""
    async with database.transaction(everyone=WHY) as db:
        row = await _locked(db, order)
        row.error = why
        row.try_at = datetime.now(UTC) + _ANSWERS_WITHIN
        return row


async def _locked(db: AsyncSession, order: uuid.UUID) -> NumberOrder:
    found = select(NumberOrder).where(NumberOrder.id == order).with_for_update()
    return (await db.execute(found.execution_options(populate_existing=True))).scalar_one()


def _require_kind(number: str, kind: NumberKind) -> None:
    """The carrier bills what the number is, whatever kind the price was asked for."""
    kinds = kinds_of(number)
    if kind not in kinds:
        named = " or ".join(sorted(each.value for each in kinds))
        raise WrongKind(f"{number} is not sold as {kind.value}: look at it as {named}, and confirm the price of that.")
